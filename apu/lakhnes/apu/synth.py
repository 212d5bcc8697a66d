"""The sound chip as an instrument that is played live: notes from one thread, sound to another.

A note is heard a constant time after it is due (`Synth.latency_seconds`), wherever in a block that falls and
however unevenly the device asks for blocks, so rhythm is exact to the sample.

Volumes: with all four voices at full volume the sound is the console's own, from its one mixer. That mixer is
not linear, so a voice cannot be turned down in what comes out of it, and the chip's own volumes are too
coarse for a fader: 15 steps, none for the triangle. So where a volume is below full, the voices are mixed
alone, added up and brought to the console's level, as in stereo files. Each fader is smooth then; the voices
are up to 1.2 dB softer or 1.6 dB louder than from the console's mixer, which depends on the others. Both
mixes are always rendered, and one fades into the other.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import deque
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from lakhnes.apu.audio_clock import AudioClock
from lakhnes.apu.instruments import InstrumentSet, instrument_set
from lakhnes.apu.live_registers import LiveRegisters
from lakhnes.apu.register_log import NTSC_CLOCK_HZ
from lakhnes.apu.render import Renderer, Samples, Writes
from lakhnes.apu.sound_files import LOUDER_ALONE, REFERENCE_GAIN
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind, Voice

SLACK_SECONDS = 0.003
"""How late a note may be told after it is due and still be heard in time."""

_FADE_SECONDS = 0.015  # from silence to full volume; shorter clicks
_FALL_SECONDS = 0.3  # in which a meter falls to a tenth
_WAITING = 20_000  # most things that wait to be played, should no device ask for sound

_at = attrgetter("at")


class _Told(NamedTuple):
    """Something that the player told."""

    at: float
    kind: Kind
    """NOTE_ON, NOTE_OFF, VELOCITY, TIMBRE or END."""
    voice: Voice = Voice.P1
    value: int = 0
    velocity: int = 0


class _Fader:
    """A volume that moves to where it is set without a click."""

    def __init__(self, value: float = 1.0) -> None:
        self.value = self.target = value

    def ramp(self, frames: int, step: float) -> Samples | np.float32:
        """The volume over the next frames, float32 [frames], or one value where it stays.

        Args:
            frames: at least 1.
            step: most that it moves from one frame to the next.
        """
        start, target = self.value, self.target
        if start == target:
            return np.float32(target)
        move = math.copysign(step, target - start)
        path = np.clip(start + move * np.arange(1, frames + 1), min(start, target), max(start, target))
        self.value = float(path[-1])
        return np.asarray(path, np.float32)


class Synth:
    """Plays what it is told as the sound of a 2A03.

    `render` is called from one thread, all else from any: nothing waits for anything.

    Attributes:
        sample_rate: of the sound, in Hz.
        latency_seconds: from when a note is due to when its block is asked for, at best; constant.
        late: notes and changes that were told too late to be in time.
    """

    def __init__(
        self, instruments: InstrumentSet | str = "lead", *, sample_rate: int = 48_000, block: int = 512
    ) -> None:
        """Switches the chip on, and compiles its code if that was never done: some seconds, once.

        Args:
            instruments: how notes are played, or a name that `instrument_set` knows.
            sample_rate: of the sound, in Hz.
            block: usual length of a block, in frames.

        Raises:
            OptionError: for a sample rate out of range or unknown instruments.
        """
        self._wanted = self._playing = _set_of(instruments)
        self._told: deque[_Told] = deque(maxlen=_WAITING)  # by the player
        self._faders = tuple(_Fader() for _ in Voice)
        self._volumes, self._muted = [1.0] * len(Voice), [False] * len(Voice)
        self._master, self._whole = _Fader(), _Fader()
        self._peaks = np.zeros(len(Voice))
        self.prepare(sample_rate, block)

    def prepare(self, sample_rate: int, block: int) -> None:
        """Begins anew for a device, in silence; while nothing else renders.

        Args:
            sample_rate: of the sound, in Hz.
            block: usual length of a block, in frames.

        Raises:
            OptionError: for a sample rate out of range.
        """
        self._start(sample_rate, block)
        for voice in Voice:
            self.note_on(voice, 8, 15, -1.0)
        self.render(block, 0.0)  # with sound in it, so that all is loaded
        self._told.clear()
        self._start(sample_rate, block)

    def _start(self, sample_rate: int, block: int) -> None:
        self.sample_rate = sample_rate
        self.latency_seconds = block / sample_rate + SLACK_SECONDS
        self.late = 0
        self._clock = AudioClock(sample_rate, block)
        self._playing = self._wanted
        self._registers = LiveRegisters(self._playing)
        self._mixed = Renderer(sample_rate=sample_rate)
        self._alone = Renderer(sample_rate=sample_rate, separate=True)
        self._waiting: list[_Told] = []  # in time
        self._peaks = np.zeros(len(Voice))

    # What the player tells

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Begins a note; one that still sounds in the voice ends.

        Args:
            voice: any.
            pitch: MIDI pitch; for the noise 1 to 16.
            velocity: 1..15; says nothing for the triangle.
            at: when, in seconds on the clock that `render` is given.
        """
        self._told.append(_Told(at, Kind.NOTE_ON, voice, pitch, velocity))

    def note_off(self, voice: Voice, at: float) -> None:
        """Ends a voice's note."""
        self._told.append(_Told(at, Kind.NOTE_OFF, voice))

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Changes a voice's volume or timbre.

        Args:
            voice: any.
            kind: VELOCITY or TIMBRE.
            value: volume 1..15, duty 0..3 of a pulse, mode 0 or 1 of the noise.
            at: when.
        """
        self._told.append(_Told(at, kind, voice, value))

    def silence(self, at: float) -> None:
        """Ends all notes at once, releases too; what was told before for a later time is forgotten."""
        self._told.append(_Told(at, Kind.END))

    def close(self) -> None:
        """Falls silent."""
        self.silence(0.0)

    # What the user sets

    def set_instruments(self, instruments: InstrumentSet | str) -> None:
        """Plays the notes that begin from now on with other instruments.

        Raises:
            OptionError: if there are none of that name.
        """
        self._wanted = _set_of(instruments)

    def volume(self, voice: Voice | None = None) -> float:
        """The volume of a voice, 0..1, muted or not; None for that of all together."""
        return self._master.target if voice is None else self._volumes[voice]

    def set_volume(self, volume: float, voice: Voice | None = None) -> None:
        """Sets a volume; the sound goes there without a click.

        Args:
            volume: 0..1, a factor of the amplitude.
            voice: whose; None for all together.

        Raises:
            OptionError: if it is out of range.
        """
        if not 0 <= volume <= 1:
            raise OptionError(f"A volume of {volume:g} is out of range; give 0 to 1.")
        if voice is None:
            self._master.target = volume
        else:
            self._volumes[voice] = volume
            self._aim(voice)

    def muted(self, voice: Voice) -> bool:
        """Whether a voice is muted."""
        return self._muted[voice]

    def mute(self, voice: Voice, muted: bool = True) -> None:
        """Mutes a voice, or lets it sound at its volume again."""
        self._muted[voice] = muted
        self._aim(voice)

    def _aim(self, voice: Voice) -> None:
        self._faders[voice].target = 0.0 if self._muted[voice] else self._volumes[voice]

    # What the device and the user get

    def peaks(self) -> tuple[float, float, float, float]:
        """How loud each voice is for a meter, 0..1 in the scale of the sound; it falls slowly."""
        p1, p2, tr, no = self._peaks.tolist()
        return p1, p2, tr, no

    @property
    def interruptions(self) -> int:
        """How often the device stopped asking for blocks, so that sound was missing."""
        return self._clock.losses

    def render(self, frames: int, now: float) -> Samples:
        """Renders the next block.

        Args:
            frames: its length, at least 1.
            now: when the device asks for it, in seconds.

        Returns:
            float32 [frames], -1..1.
        """
        self._clock.asked(self._mixed.frame, now)
        if self._playing is not self._wanted:
            self._playing = self._wanted
            self._registers.play_with(self._playing)
        clock = self._mixed.clock_of(self._mixed.frame + frames)
        until = -(-clock * SAMPLE_RATE // NTSC_CLOCK_HZ)
        self._sort_in()
        self._perform(until)
        samples, registers, values = self._registers.advance(until)
        writes = Writes(samples * NTSC_CLOCK_HZ // SAMPLE_RATE, registers, values)
        mixed = self._mixed.render_block(writes, frames)
        alone = self._alone.render_block(writes, frames)[: len(Voice)]
        return self._faded(mixed, alone)

    def _sort_in(self) -> None:
        """Puts in time what was told since the last block."""
        for _ in range(len(self._told)):  # not what comes meanwhile: that might never end
            told = self._told.popleft()
            if told.kind is Kind.END:
                self._waiting = [before for before in self._waiting if before.at < told.at]
            insort(self._waiting, told, key=_at)

    def _perform(self, until: int) -> None:
        """Hands on what is due before a sample, and what is late."""
        registers, done = self._registers, 0
        for told in self._waiting:
            sample = round((told.at + self.latency_seconds - self._clock.origin) * SAMPLE_RATE)
            if sample >= until:
                break
            done += 1
            if told.kind is Kind.END:
                registers.silence(sample)
                continue
            self.late += sample < registers.position
            if told.kind is Kind.NOTE_ON:
                registers.note_on(told.voice, told.value, told.velocity, sample)
            elif told.kind is Kind.NOTE_OFF:
                registers.note_off(told.voice, sample)
            else:
                registers.change(told.voice, told.kind, told.value, sample)
        del self._waiting[:done]

    def _faded(self, mixed: Samples, alone: Samples) -> Samples:
        """The sound of a block at the volumes that are set.

        Args:
            mixed: float32 [frames], all voices together.
            alone: float32 [4, frames], each voice alone.
        """
        frames, step = len(mixed), 1 / (_FADE_SECONDS * self.sample_rate)
        self._whole.target = float(all(fader.value == fader.target == 1 for fader in self._faders))
        volumes = [fader.ramp(frames, step) for fader in self._faders]
        gain = self._master.ramp(frames, step) * np.float32(REFERENCE_GAIN)
        if self._whole.value == self._whole.target == 1:
            sound = mixed
        else:
            sound = np.zeros(frames, np.float32)
            for volume, voice in zip(volumes, alone, strict=True):
                sound += volume * voice
            sound /= np.float32(LOUDER_ALONE)
            sound += self._whole.ramp(frames, step) * (mixed - sound)
        loudest = np.abs(alone).max(axis=1) * [fader.value for fader in self._faders]
        fall = 0.1 ** (frames / self.sample_rate / _FALL_SECONDS)
        self._peaks = np.maximum(loudest * self._master.value * REFERENCE_GAIN, self._peaks * fall)
        return np.clip(sound * gain, -1, 1)


def _set_of(instruments: InstrumentSet | str) -> InstrumentSet:
    return instrument_set(instruments) if isinstance(instruments, str) else instruments
