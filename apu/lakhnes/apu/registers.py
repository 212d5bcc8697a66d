"""A score as writes to the sound chip's registers.

Each voice's part becomes timed states of that voice, moved along by its instrument. The states of all voices
are merged in time. Every difference from the state before becomes a write. The first and the last step work
incrementally, so live music uses the same code (`live_registers`).
Source: nesmdb `score/exprsco.py`, `score/rawsco.py` and `vgm/ndr_ndf.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from heapq import merge
from itertools import groupby, takewhile
from operator import attrgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.instruments import FRAME_SAMPLES, Instrument, InstrumentSet
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, RegisterLog
from lakhnes.apu.register_writer import RegisterWriter, VoiceState
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Part, Score

MAX_TIMER = 0x7FF
"""Longest timer of the pulses and the triangle, which makes their lowest pitch."""

MIN_PULSE_TIMER = 8
"""Shortest timer that a pulse sounds with."""

SWEEP = 0x08
"""Value of the sweep registers: it would lower the timer, and never mutes."""

_MIN_TRIANGLE_TIMER = 2  # 18.6 kHz; below lies nothing that is heard
_LEGACY_SWEEP = 0x07  # it would raise timer 2033 beyond what a timer holds, and mutes the pulse for that
_PLAIN = Instrument()
_CYCLES = (16, 16, 32)  # of the timer in one cycle of the wave
_NEVER = 1 << 62


class RegisterMode(StrEnum):
    """Whether register writes follow the original LakhNES."""

    LEGACY = "legacy"
    """Those of LakhNES, byte for byte. Pulse pitch 33 is silent, for the sweep unit mutes it; lower pitches
    wrap round to whatever their timer's low 11 bits mean; what happens at the song's very end is left out, so
    a note that lasts until there is never switched off."""
    IMPROVED = "improved"
    """The same with these mended: pulse pitch 33 sounds; a pitch too low for the timer sounds as few octaves
    higher as it takes; notes end at the song's end."""


def registers_of(
    score: Score, mode: RegisterMode = RegisterMode.IMPROVED, instruments: InstrumentSet | None = None
) -> RegisterLog:
    """Turn a score into writes to the registers.

    Args:
        score: any score.
        mode: the writes of LakhNES, or the same with their flaws mended.
        instruments: how the notes are played; None as LakhNES does, held at their velocity. The score's own
            changes of volume and of timbre win over them, voice by voice.

    Raises:
        OptionError: if instruments are asked for in legacy mode, which has none.
    """
    if mode is RegisterMode.LEGACY and instruments not in (None, InstrumentSet()):
        raise OptionError("Legacy registers have no instruments; choose improved ones, or plain instruments.")
    states = voice_states(score, mode, instruments or InstrumentSet())
    if mode is RegisterMode.LEGACY:
        states = takewhile(lambda state: state.sample < score.length, states)
    sweep = _LEGACY_SWEEP if mode is RegisterMode.LEGACY else SWEEP
    rows = np.dtype((np.int64, 3))
    table: NDArray[np.int64] = np.asarray(np.fromiter(RegisterWriter(sweep).writes(states), rows), np.int64)
    return RegisterLog(
        table[:, 0], table[:, 1].astype(np.uint8), table[:, 2].astype(np.uint8), score.length, NTSC_CLOCK_HZ
    )


def voice_states(score: Score, mode: RegisterMode, instruments: InstrumentSet) -> Iterator[VoiceState]:
    """Return the states of all voices in time; voices in order, at most one state of each at a sample."""
    left = instruments.beside(score.parts)
    voices = [
        VoiceSteps(voice, mode, left).states(_moments(score.parts[voice], score.length), score.length + 1)
        for voice in Voice
    ]
    return merge(*voices, key=attrgetter("sample"))


def timer_of(voice: Voice, pitch: int, mode: RegisterMode = RegisterMode.IMPROVED) -> int:
    """Return the timer with which a voice plays a pitch.

    Args:
        voice: a pulse or the triangle; for the noise the note itself stands for its period.
        pitch: MIDI pitch 1..127; for the noise 1 to 16.
        mode: what becomes of a pitch below 33 (pulse) or 21 (triangle).

    Returns:
        1..2047; for the noise 1..16.
    """
    if voice is Voice.NO:
        return pitch
    timer = round(_period(voice, pitch)) - 1
    if mode is RegisterMode.LEGACY:
        return timer & MAX_TIMER
    while timer > MAX_TIMER:
        pitch += 12
        timer = round(_period(voice, pitch)) - 1
    return timer


def _period(voice: Voice, pitch: float) -> float:
    """Return the CPU clocks between two steps of a voice's wave."""
    return NTSC_CLOCK_HZ / (_CYCLES[voice] * 440 * 2 ** ((pitch - 69) / 12))


def _bent(voice: Voice, timer: int, cents: float) -> int:
    """Return the timer of a pitch some cents from the pitch of `timer`.

    It stays in the range that is heard; a timer that is outside already stays as it is.
    """
    low = min(timer, _MIN_TRIANGLE_TIMER if voice is Voice.TR else MIN_PULSE_TIMER)
    return min(MAX_TIMER, max(low, round((timer + 1) * 2 ** (-cents / 1200)) - 1)) if cents else timer


class VoiceEvent(NamedTuple):
    """An event for a voice."""

    sample: int
    """At 44.1 kHz from the start."""
    kind: Kind
    """NOTE_ON, NOTE_OFF, VELOCITY or TIMBRE; END silences the voice at once and begins something new."""
    value: int = 0
    """MIDI pitch, for the noise 1..16; volume 1..15; duty or mode; else 0."""
    velocity: int = FULL_VELOCITY
    """Velocity of a NOTE_ON, 1..15."""


def _moments(part: Part, length: int) -> list[VoiceEvent]:
    """Return the events of a part in time: at one sample note off, note on, then changes."""
    moments = []
    for note in part.notes:
        moments.append(VoiceEvent(note.onset, Kind.NOTE_ON, note.pitch, note.velocity))
        moments.append(VoiceEvent(note.end, Kind.NOTE_OFF))
    if part.notes:
        moments.append(VoiceEvent(length, Kind.END))
    moments += [VoiceEvent(change.sample, change.kind, change.value) for change in part.changes]
    moments.sort(key=attrgetter("sample"))
    return moments


class VoiceSteps:
    """One voice that follows events, moved along by its instrument.

    Events at one sample count as a whole: the last one wins, so a note that ends where it starts
    leaves nothing. Where the music begins to change volume or timbre itself, the voice's instruments keep off
    it from there on, until the END.
    """

    def __init__(self, voice: Voice, mode: RegisterMode, instruments: InstrumentSet) -> None:
        """Begin in silence.

        Args:
            voice: any.
            mode: what becomes of pitches too low for the timer.
            instruments: how notes are played.
        """
        self._voice, self._mode, self._instruments = voice, mode, instruments
        self._own: frozenset[Kind] = frozenset()  # changes that the music makes itself
        self._timer = self._volume = self._timbre = 0
        self._untouched = True  # whether the next note has the timbre that a song begins with
        self._instrument, self._pitch_timer, self._velocity = _PLAIN, 0, 0
        self._frame = 0
        self._next, self._stride = (
            _NEVER,
            FRAME_SAMPLES,
        )  # sample of the next frame, and from it to the one after
        self._release: Iterator[int] | None = iter(())  # volumes to come; None until the note is let go

    def play_with(self, instruments: InstrumentSet) -> None:
        """Play notes that begin from now on with other instruments."""
        self._instruments = instruments
        self._untouched = self._untouched or Kind.TIMBRE not in self._own

    def states(self, moments: Iterable[VoiceEvent], until: int) -> Iterator[VoiceState]:
        """Yield the next states of the voice, one for each sample at which something is set.

        Args:
            moments: in time, after all states so far, before `until`.
            until: sample before which to stop.
        """
        for sample, together in groupby(moments, attrgetter("sample")):
            yield from self._frames(sample)
            told, sounded = [*together], self._timer
            self._do(sample, told)
            if sounded or told[-1].kind is not Kind.END:
                goes_on = not any(moment.kind in (Kind.NOTE_ON, Kind.END) for moment in told)
                yield VoiceState(sample, self._voice, self._timer, self._volume, self._timbre, goes_on)
        yield from self._frames(until)

    def _frames(self, until: int) -> Iterator[VoiceState]:
        while self._next < until:
            sample = self._next
            self._step()
            yield VoiceState(sample, self._voice, self._timer, self._volume, self._timbre, bent=True)

    def _do(self, sample: int, told: list[VoiceEvent]) -> None:
        """Apply the events of a sample, and the frame that falls on it."""
        note: VoiceEvent | None = None
        velocity: int | None = None
        timbre: int | None = None
        for moment in told:
            if moment.kind is Kind.VELOCITY:
                velocity = moment.value
            elif moment.kind is Kind.TIMBRE:
                timbre = moment.value
            else:
                note, velocity = moment, None
            if moment.kind is Kind.END:
                self._end()
                timbre = None
        if note is not None and note.kind is Kind.NOTE_ON:
            self._begin(note, note.velocity if velocity is None else velocity)
            velocity = None
        elif note is not None:
            self._let_go(sample)
        if self._next == sample:
            self._step()
        if velocity is not None:
            self._change_volume(velocity)
        if timbre is not None:
            self._keep_off(Kind.TIMBRE)
            self._timbre, self._untouched = timbre, False

    def _end(self) -> None:
        self._release, self._next = iter(()), _NEVER
        self._timer = self._volume = 0
        self._own, self._untouched = frozenset(), True

    def _begin(self, note: VoiceEvent, velocity: int) -> None:
        if self._untouched:
            self._timbre, self._untouched = 0, False
        self._instrument = self._instruments.of(self._voice, note.value).without(self._own)
        self._stride = _NEVER if self._instrument == _PLAIN else FRAME_SAMPLES
        self._pitch_timer, self._velocity = timer_of(self._voice, note.value, self._mode), velocity
        self._release, self._frame, self._next = None, 0, note.sample

    def _let_go(self, sample: int) -> None:
        if self._release is None:
            self._release = iter(self._instrument.releases(self._velocity, self._frame))
            self._next = sample

    def _change_volume(self, volume: int) -> None:
        self._keep_off(Kind.VELOCITY)
        if self._release is not None:  # of the instrument, which says nothing about volumes any longer
            self._timer, self._next = 0, _NEVER
        self._volume = volume

    def _keep_off(self, kind: Kind) -> None:
        if kind not in self._own:
            self._own |= {kind}
            self._instrument = self._instrument.without(self._own)

    def _step(self) -> None:
        """Advance by a frame."""
        instrument, frame = self._instrument, self._frame
        if frame == instrument.gate_frames:
            self._let_go(self._next)
        if self._release is None:
            volume = instrument.held_volume(self._velocity, frame)
        else:
            volume = next(self._release, None)
            if volume is None:
                self._timer, self._volume, self._next = 0, 0, _NEVER
                return
        self._timer = _bent(self._voice, self._pitch_timer, instrument.cents(frame))
        if volume is not None:
            self._volume = volume
        if instrument.timbre:
            self._timbre = instrument.timbre.at(frame)
        self._frame += 1
        self._next += self._stride
