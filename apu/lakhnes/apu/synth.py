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
from contextlib import suppress
from functools import cache
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

_CLICK_SECONDS = 0.03
_CLICK_HZ = {False: 1000.0, True: 1600.0}  # strong or not
_CLICK_LEVEL = 0.35

_at = attrgetter("at")


class _Told(NamedTuple):
    """An event from the player."""

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
        """Return the volume over the next frames, float32 [frames], or one value if it stays.

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
    """Plays events as the sound of a 2A03.

    `render` is called from one thread, the other methods from any: nothing waits for anything.

    Attributes:
        sample_rate: of the sound, in Hz.
        latency_seconds: from when a note is due to when its block is asked for, at best; constant.
        late: notes and changes that were told too late to be in time.
    """

    def __init__(
        self, instruments: InstrumentSet | str = "lead", *, sample_rate: int = 48_000, block: int = 512
    ) -> None:
        """Switch on the chip.

        Args:
            instruments: how notes are played, or a name that `instrument_set` knows.
            sample_rate: of the sound, in Hz.
            block: usual length of a block, in frames.

        Raises:
            OptionError: for a sample rate out of range or unknown instruments.
        """
        self._wanted = self._playing = _set_of(instruments)
        self._told: deque[_Told] = deque(maxlen=_WAITING)  # by the player
        self._clicks: deque[tuple[float, bool]] = deque(maxlen=_WAITING)  # when, and whether strong
        self._faders = tuple(_Fader() for _ in Voice)
        self._volumes, self._muted = [1.0] * len(Voice), [False] * len(Voice)
        self._master, self._whole = _Fader(), _Fader()
        self._peaks = np.zeros(len(Voice))
        self.prepare(sample_rate, block)

    def prepare(self, sample_rate: int, block: int) -> None:
        """Reset for a device, in silence, while nothing else renders.

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

    # Events

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Begin a note; a note that still sounds in the voice ends.

        Args:
            voice: any.
            pitch: MIDI pitch; for the noise 1 to 16.
            velocity: 1..15; says nothing for the triangle.
            at: when, in seconds on the clock that `render` is given.
        """
        self._told.append(_Told(at, Kind.NOTE_ON, voice, pitch, velocity))

    def note_off(self, voice: Voice, at: float) -> None:
        """End a voice's note."""
        self._told.append(_Told(at, Kind.NOTE_OFF, voice))

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Change a voice's volume or timbre.

        Args:
            voice: any.
            kind: VELOCITY or TIMBRE.
            value: volume 1..15, duty 0..3 of a pulse, mode 0 or 1 of the noise.
            at: when.
        """
        self._told.append(_Told(at, kind, voice, value))

    def silence(self, at: float) -> None:
        """End all notes at once, with their releases, and forget later events."""
        self._told.append(_Told(at, Kind.END))

    def click(self, at: float, *, strong: bool) -> None:
        """Play a metronome click at the overall volume.

        Args:
            at: when, in seconds on the clock that `render` is given.
            strong: whether it is the first beat of a bar.
        """
        self._clicks.append((at, strong))

    def forget_clicks(self) -> None:
        """Drop the clicks that are not heard yet."""
        self._clicks.clear()

    def close(self) -> None:
        """End all notes."""
        self.silence(0.0)

    # Settings

    def set_instruments(self, instruments: InstrumentSet | str) -> None:
        """Play notes that begin from now on with other instruments.

        Raises:
            OptionError: if there are none of that name.
        """
        self._wanted = _set_of(instruments)

    def volume(self, voice: Voice | None = None) -> float:
        """Return a voice's volume, 0..1, muted or not; None for the overall volume."""
        return self._master.target if voice is None else self._volumes[voice]

    def set_volume(self, volume: float, voice: Voice | None = None) -> None:
        """Set a volume; the sound moves to it without a click.

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
        """Return whether a voice is muted."""
        return self._muted[voice]

    def mute(self, voice: Voice, muted: bool = True) -> None:
        """Mute a voice, or restore its volume."""
        self._muted[voice] = muted
        self._aim(voice)

    def _aim(self, voice: Voice) -> None:
        self._faders[voice].target = 0.0 if self._muted[voice] else self._volumes[voice]

    # Output

    def peaks(self) -> tuple[float, float, float, float]:
        """Return the level of each voice for a meter, 0..1 on the sound's scale; it falls slowly."""
        p1, p2, tr, no = self._peaks.tolist()
        return p1, p2, tr, no

    @property
    def interruptions(self) -> int:
        """Return how often the device stopped asking for blocks, so that sound was missing."""
        return self._clock.losses

    def render(self, frames: int, now: float) -> Samples:
        """Render the next block.

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
        sound = self._faded(mixed, alone)
        if self._clicks:
            self._add_clicks(sound, self._mixed.frame - frames)
        return sound

    def _add_clicks(self, sound: Samples, first: int) -> None:
        """Mix clicks into a block, float32 [frames], and drop those that end."""
        for click in list(self._clicks):
            at, strong = click
            wave = _click(self.sample_rate, strong)
            start = round((at + self.latency_seconds - self._clock.origin) * self.sample_rate) - first
            here = wave[max(0, -start) : max(0, len(sound) - start)]
            place = max(0, start)
            sound[place : place + len(here)] += here * np.float32(self._master.value)
            if start + len(wave) <= len(sound):
                with suppress(ValueError):  # it was left out meanwhile
                    self._clicks.remove(click)
        np.clip(sound, -1, 1, out=sound)

    def _sort_in(self) -> None:
        """Sort the events since the last block by time."""
        for _ in range(len(self._told)):  # not what comes meanwhile: that might never end
            told = self._told.popleft()
            if told.kind is Kind.END:
                self._waiting = [before for before in self._waiting if before.at < told.at]
            insort(self._waiting, told, key=_at)

    def _perform(self, until: int) -> None:
        """Pass on the events that are due before a sample or late."""
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
        """Return the sound of a block at the current volumes.

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


@cache
def _click(sample_rate: int, strong: bool) -> Samples:
    """Return the sound of a click, float32 [frames]."""
    time = np.arange(round(_CLICK_SECONDS * sample_rate)) / sample_rate
    tone = np.sin(2 * np.pi * _CLICK_HZ[strong] * time) * np.exp(-time * 6 / _CLICK_SECONDS)
    return np.asarray(tone * _CLICK_LEVEL, np.float32)


def _set_of(instruments: InstrumentSet | str) -> InstrumentSet:
    return instrument_set(instruments) if isinstance(instruments, str) else instruments
