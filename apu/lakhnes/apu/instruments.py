"""Instruments: how a note changes while it sounds, frame by frame, as in trackers for this chip.

TX1 states only when a note begins and ends. An instrument adds the volume envelope, the duties, the vibrato
and the slide that a composer for the chip would give it. A score that controls these itself keeps its own:
see `Instrument.beside`.
"""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass, replace
from math import pi, sin

from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Part

FRAME_SAMPLES = 735
"""Samples between two steps of an instrument: a video frame."""

FRAMES_A_SECOND = 60


@dataclass(frozen=True, slots=True)
class Sequence:
    """A value for each frame of a note.

    Raises:
        ValueError: if it is empty or the loop begins outside it.
    """

    values: tuple[int, ...]
    """From the onset on, one a frame."""
    loop: int | None = None
    """Index to go on from after the last value, 0 or more; None holds the last value."""

    def __post_init__(self) -> None:
        if not self.values or (self.loop is not None and not 0 <= self.loop < len(self.values)):
            raise ValueError(f"{self} is empty or loops outside itself")

    def at(self, frame: int) -> int:
        """Return the value at a frame of the note, 0 or more."""
        if frame < len(self.values):
            return self.values[frame]
        if self.loop is None:
            return self.values[-1]
        return self.values[self.loop + (frame - self.loop) % (len(self.values) - self.loop)]


@dataclass(frozen=True, slots=True)
class Vibrato:
    """A sinusoidal change of pitch around the note.

    Raises:
        ValueError: if a field is out of its range.
    """

    depth_cents: float
    """Largest distance from the note's pitch, 0..1200."""
    rate_hz: float
    """Cycles per second, above 0 to 30: half of the 60 frames per second."""
    delay_frames: int = 0
    """Frames from the onset to the first cycle."""

    def __post_init__(self) -> None:
        if not (0 <= self.depth_cents <= 1200 and 0 < self.rate_hz <= 30 and self.delay_frames >= 0):
            raise ValueError(f"{self} is out of range")

    def cents(self, frame: int) -> float:
        """Return the cents above the note's pitch at a frame."""
        if frame <= self.delay_frames:
            return 0.0
        turns = (frame - self.delay_frames) * self.rate_hz / FRAMES_A_SECOND
        return self.depth_cents * sin(2 * pi * turns)


@dataclass(frozen=True, slots=True)
class Slide:
    """A pitch that begins away from the note and moves to it in a straight line.

    Raises:
        ValueError: if a field is out of its range.
    """

    semitones: float
    """Start above the note, or below if negative; -48..48."""
    frames: int
    """Duration, at least 1."""

    def __post_init__(self) -> None:
        if not (-48 <= self.semitones <= 48 and self.frames >= 1):
            raise ValueError(f"{self} is out of range")

    def cents(self, frame: int) -> float:
        """Return the cents above the note's pitch at a frame."""
        return 100 * self.semitones * max(0.0, 1 - frame / self.frames)


@dataclass(frozen=True, slots=True)
class Instrument:
    """The sound of a voice's notes; without arguments, held as in LakhNES.

    Raises:
        ValueError: if a volume or timbre is out of its range.
    """

    volume: Sequence | None = None
    """Envelope, 0..15 of the note's velocity; None holds the velocity. The triangle has none."""
    release: tuple[int, ...] = ()
    """Volumes after the note's end, 0..15 of its velocity, one a frame, never louder than the note was at
    its end. It stops where the voice's next note begins. The triangle has none."""
    gate_frames: int | None = None
    """Frames, at least 1, after which a longer note is released; None holds it to its end."""
    timbre: Sequence | None = None
    """Duties 0..3 of a pulse, modes 0..1 of the noise; None keeps the score's. The triangle has none."""
    vibrato: Vibrato | None = None
    """The noise has none."""
    slide: Slide | None = None
    """The noise has none."""

    def __post_init__(self) -> None:
        levels = (*self.release, *(self.volume.values if self.volume else ()))
        if not all(0 <= level <= 15 for level in levels):
            raise ValueError("a volume goes from 0 to 15")
        if self.timbre and not all(0 <= timbre <= 3 for timbre in self.timbre.values):
            raise ValueError("a timbre goes from 0 to 3")
        if self.gate_frames is not None and self.gate_frames < 1:
            raise ValueError("a gate is at least one frame long")

    def cents(self, frame: int) -> float:
        """Return the cents above the note's pitch at a frame."""
        swing = self.vibrato.cents(frame) if self.vibrato else 0.0
        return swing + (self.slide.cents(frame) if self.slide else 0.0)

    def held_volume(self, velocity: int, frame: int) -> int | None:
        """Return the volume at a frame of a note before its end.

        Args:
            velocity: 1..15, the note's.
            frame: 0 or more.

        Returns:
            0..15; None where the instrument does not touch the volume.
        """
        if self.volume is None:
            return None if frame else velocity
        return scaled(velocity, self.volume.at(frame))

    def releases(self, velocity: int, held: int) -> list[int]:
        """Return the volumes of a note after its end, frame by frame.

        Args:
            velocity: 1..15, the note's.
            held: frames from its onset to its end, at least 1.

        Returns:
            0..15 for each frame of the release.
        """
        last = velocity if self.volume is None else scaled(velocity, self.volume.at(held - 1))
        volumes = []
        for level in self.release:
            last = min(last, scaled(velocity, level))
            volumes.append(last)
        return volumes

    def without(self, kinds: Set[Kind]) -> Instrument:
        """Return the instrument without what the music controls itself.

        Music with changes of volume keeps its volumes: envelope, release and gate go. Music with changes of
        timbre keeps its timbres. Pitch is the instrument's in any case, for no score bends it.
        """
        kept = self
        if Kind.VELOCITY in kinds:
            kept = replace(kept, volume=None, release=(), gate_frames=None)
        return replace(kept, timbre=None) if Kind.TIMBRE in kinds else kept

    def beside(self, part: Part) -> Instrument:
        """Return the instrument without what the part controls itself.

        Velocities alone take nothing away: the envelope scales them.
        """
        return self.without({change.kind for change in part.changes})


@dataclass(frozen=True, slots=True)
class Drum:
    """An instrument for some notes of the noise."""

    highest: int
    """Highest of its notes, 1 (lowest) to 16; the lowest is the one above the drum before it."""
    instrument: Instrument


@dataclass(frozen=True, slots=True)
class InstrumentSet:
    """An instrument for each voice.

    Raises:
        ValueError: if a voice cannot do what its instrument asks, or the drums are out of order.
    """

    p1: Instrument = Instrument()
    p2: Instrument = Instrument()
    tr: Instrument = Instrument()
    no: tuple[Drum, ...] = (Drum(16, Instrument()),)
    """In rising order of their notes; the last one's highest is 16."""

    def __post_init__(self) -> None:
        if self.tr.volume or self.tr.release or self.tr.timbre:
            raise ValueError("the triangle has neither volume nor timbre: give it a gate")
        for drum in self.no:
            if drum.instrument.vibrato or drum.instrument.slide:
                raise ValueError("the noise has no pitch to bend")
            if drum.instrument.timbre and max(drum.instrument.timbre.values) > 1:
                raise ValueError("the noise has modes 0 and 1 only")
        edges = [0, *(drum.highest for drum in self.no)]
        if edges != sorted(set(edges)) or edges[-1] != 16:
            raise ValueError("drums go in rising order up to note 16")

    def of(self, voice: Voice, pitch: int) -> Instrument:
        """Return the instrument that plays a note.

        Args:
            voice: any.
            pitch: MIDI pitch; for the noise 1 to 16.
        """
        if voice is Voice.NO:
            return next(drum.instrument for drum in self.no if pitch <= drum.highest)
        return (self.p1, self.p2, self.tr)[voice]

    def beside(self, parts: tuple[Part, Part, Part, Part]) -> InstrumentSet:
        """Return the instrument without what the part controls itself.

        Args:
            parts: the score's; that of the triangle never says anything.
        """
        p1, p2, _, no = parts
        drums = tuple(Drum(drum.highest, drum.instrument.beside(no)) for drum in self.no)
        return InstrumentSet(self.p1.beside(p1), self.p2.beside(p2), self.tr, drums)


def scaled(velocity: int, level: int) -> int:
    """Return a note's volume at a level of its envelope; only silence becomes silence.

    Args:
        velocity: 0..15, the note's.
        level: 0..15, the envelope's.

    Returns:
        0..15.
    """
    loudness = round(velocity * level / FULL_VELOCITY)
    return max(1, loudness) if velocity and level else 0


def _kit(kick: Instrument, snare: Instrument, hat: Instrument) -> tuple[Drum, ...]:
    """Return drums as the chip's composers place them: rumble low, snare in the middle, air high."""
    return Drum(7, kick), Drum(11, snare), Drum(16, hat)


_SOFT = InstrumentSet(
    p1=Instrument(
        volume=Sequence((8, 10, 11, 12, 12, 12, 11, 11, 11, 10, 10, 10, 10, 9)),
        release=(6, 4, 3, 2, 1, 1),
        timbre=Sequence((2,)),
        vibrato=Vibrato(8, 4.8, 26),
    ),
    p2=Instrument(
        volume=Sequence((5, 6, 7, 8, 8, 8, 7, 7, 7, 7, 6)),
        release=(4, 3, 2, 1, 1),
        timbre=Sequence((2,)),
        vibrato=Vibrato(6, 4.3, 32),
    ),
    tr=Instrument(vibrato=Vibrato(5, 4.8, 30)),
    no=_kit(
        Instrument(Sequence((8, 7, 5, 4, 3, 2, 1, 1, 0)), release=(2, 1)),
        Instrument(Sequence((6, 6, 5, 4, 3, 3, 2, 2, 1, 1, 0)), release=(3, 2, 1, 1)),
        Instrument(Sequence((4, 3, 2, 1, 1, 0)), release=(1,)),
    ),
)

_PLUCK = InstrumentSet(
    p1=Instrument(
        volume=Sequence((15, 13, 11, 10, 9, 8, 7, 7, 6, 6, 5, 5, 5, 4, 4, 4, 3, 3, 3, 3, 2, 2, 2, 2, 2, 1)),
        release=(4, 2, 1),
        timbre=Sequence((1, 2)),
    ),
    p2=Instrument(
        volume=Sequence((11, 9, 7, 6, 5, 5, 4, 4, 3, 3, 3, 2, 2, 2, 2, 1)),
        release=(3, 2, 1),
        timbre=Sequence((0, 1)),
    ),
    tr=Instrument(gate_frames=12, slide=Slide(2, 1)),
    no=_kit(
        Instrument(Sequence((13, 9, 5, 3, 1, 0)), release=(2, 1)),
        Instrument(Sequence((11, 8, 6, 4, 3, 2, 1, 1, 0)), release=(3, 1)),
        Instrument(Sequence((7, 3, 1, 0))),
    ),
)

_LEAD = InstrumentSet(
    p1=Instrument(
        volume=Sequence((15, 15, 14, 14, 13, 13, 13, 12)),
        release=(6, 4, 3, 2, 1),
        timbre=Sequence((2, 2, 1)),
        vibrato=Vibrato(20, 5.5, 16),
    ),
    p2=Instrument(
        volume=Sequence((10, 9, 8, 8, 7, 7, 7, 6)),
        release=(3, 2, 1, 1),
        timbre=Sequence((2,)),
        vibrato=Vibrato(10, 5.0, 24),
    ),
    tr=Instrument(vibrato=Vibrato(6, 5.5, 24)),
    no=_kit(
        Instrument(Sequence((13, 11, 8, 5, 3, 2, 1, 0)), release=(3, 2, 1)),
        Instrument(Sequence((12, 10, 8, 6, 5, 4, 3, 2, 1, 1, 0)), release=(5, 4, 3, 2, 1)),
        Instrument(Sequence((8, 5, 3, 2, 1, 0)), release=(2, 1)),
    ),
)

_ARCADE = InstrumentSet(
    p1=Instrument(
        volume=Sequence((15, 14, 12, 11, 11, 10, 10, 11, 11, 10, 10, 9), loop=8),
        release=(5, 2),
        timbre=Sequence((2, 1, 0)),
        vibrato=Vibrato(28, 7.5, 9),
    ),
    p2=Instrument(
        volume=Sequence((12, 10, 9, 8, 8, 7)),
        release=(4, 2),
        timbre=Sequence((1, 0)),
        vibrato=Vibrato(16, 7.0, 14),
    ),
    tr=Instrument(gate_frames=24, slide=Slide(12, 2)),
    no=_kit(
        Instrument(Sequence((15, 12, 8, 5, 3, 1, 0)), release=(3, 1)),
        Instrument(Sequence((14, 12, 9, 7, 5, 4, 2, 1, 0)), release=(5, 3, 2, 1), timbre=Sequence((1, 0))),
        Instrument(Sequence((9, 5, 2, 1, 0)), release=(2, 1)),
    ),
)

_PRESETS = {"plain": InstrumentSet(), "soft": _SOFT, "pluck": _PLUCK, "lead": _LEAD, "arcade": _ARCADE}


def instrument_names() -> tuple[str, ...]:
    """Return the names that `instrument_set` knows; the first is the sound of LakhNES."""
    return tuple(_PRESETS)


def instrument_set(name: str) -> InstrumentSet:
    """Return the instruments with a name.

    `plain` has no automation at all: what LakhNES plays. `soft` swells and fades at low volume; `pluck`
    decays fast like a plucked string; `lead` sings with a late vibrato over a quiet second voice; `arcade` is
    thin, quick and bright, with a punch on the bass.

    Raises:
        OptionError: if there is no such name; it tells the names there are.
    """
    if name not in _PRESETS:
        raise OptionError(f"There are no instruments {name!r}; choose {', '.join(_PRESETS)}.")
    return _PRESETS[name]


def mixed_set(names: tuple[str, str, str, str]) -> InstrumentSet:
    """Return a set that takes each voice from a named set.

    Args:
        names: of the set that each voice is taken from; `instrument_set` knows them.

    Raises:
        OptionError: if there is no such name; it tells the names there are.
    """
    p1, p2, tr, no = map(instrument_set, names)
    return InstrumentSet(p1.p1, p2.p2, tr.tr, no.no)
