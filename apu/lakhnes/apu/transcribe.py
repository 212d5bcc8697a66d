"""A score read back from the sound chip's registers, as NES-MDB was made from recordings of games.

Three steps: the chip's counters run in time with its writes and tell what is heard of each voice; what a
voice does within a moment counts once, as its last state; states that belong together become notes.

Like NES-MDB: the nearest pitch of the timer, envelopes as volumes, no note where the chip is silent.
Unlike it: a restarted envelope or linear counter counts at once and not from the next quarter frame on; a
program that sets a note with several writes some samples apart makes one note; a note that is struck again
while it sounds restarts if it gets louder; a pitch that wavers about its note stays that note.
Source: NESdev wiki, "APU" and its pages on each channel; nesmdb `score/rawsco.py` and `score/exprsco.py`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, groupby
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from lakhnes.apu.register_log import RegisterLog
from lakhnes.apu.tables import LENGTHS, tables
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.events import SAMPLE_RATE, VALUES, Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Change, Note, Part, Score

MOMENT_SAMPLES = 64
"""Longest time between the writes of a game's program for one voice: 1.5 ms."""

MAX_SECONDS = 2 * 3600
"""Longest song that is read back."""

MAX_STATES = 1_000_000
"""Most states of one voice, each a note or a change."""

_WAVER = {Voice.P1: 0.7, Voice.P2: 0.7, Voice.TR: 0.6, Voice.NO: 0.5}
"""Semitones from a note's pitch within which it stays the same note.

Vibrato often goes beyond half a semitone. Up to MIDI pitch 108 a step to the next pitch is at least 0.8
semitones for the timers of the pulses, and 0.63 for those of the triangle, which are half as fine.
"""

_HEARD = (*range(0x10), 0x15, 0x17)
"""Registers that say what the four voices do; the others are the DMC's, which may have thousands a second."""

_HIGHEST = VALUES[Voice.P1, Kind.NOTE_ON][-1]
_MIN_PULSE_TIMER = 8
_MAX_TIMER = 0x7FF


class State(NamedTuple):
    """Audible state of a voice from a sample on; silent if pitch or velocity is 0."""

    sample: int
    pitch: float
    """MIDI pitch, not rounded; for the noise 1..16; 0 where the timer is beyond what sounds or is heard."""
    velocity: int
    """0..15; the triangle has 0 or 15."""
    timbre: int
    """Duty 0..3, mode 0..1 of the noise, 0 for the triangle."""
    struck: bool = False
    """Whether the register that starts a note was written."""
    cut: bool = False
    """Whether the voice was silenced on purpose in between."""


def score_of_registers(
    log: RegisterLog, *, moment_samples: int = MOMENT_SAMPLES
) -> tuple[Score, tuple[str, ...]]:
    """Read a score from register writes.

    A loop is read once; make it longer with `RegisterLog.unrolled` first.

    Args:
        log: any song of an NTSC or a PAL machine.
        moment_samples: longest moment: changes of a voice within it count as one, at its first sample,
            with its last state. Notes that are no shorter read back exactly; 1 keeps everything that
            lasts for a sample.

    Returns:
        The score, and sentences for the user on what is missing in it.

    Raises:
        FormatError: if the song is longer than `MAX_SECONDS` or has more than `MAX_STATES` states.
    """
    source = log.tags.shown_title or "the registers"
    if log.seconds > MAX_SECONDS:
        hours = MAX_SECONDS // 3600
        raise FormatError(source, f"too long to be read as notes ({hours} hours at most); cut the song")
    histories = _histories(log, source)
    parts = [
        _part(voice, _moments(histories[voice], max(1, moment_samples), log.length), log.length)
        for voice in Voice
    ]
    sampled = bool((log.values[log.registers == 0x15] & 0x10).any())
    drawn = len(np.unique(log.values[log.registers == 0x11])) > 2  # one or two set its level only
    remarks = ("The DMC channel's samples are left out of the score.",) if sampled or drawn else ()
    return Score.of(parts, log.length), (*remarks, *log.left_out("the score"))


def _histories(log: RegisterLog, source: str) -> list[list[State]]:
    """Return the states of each voice in time, without repetitions; one sample may have several."""
    pulse, triangle = _pitches(log.clock_hz, 16, _MIN_PULSE_TIMER), _pitches(log.clock_hz, 32, 0)
    channels: tuple[_Channel, ...] = (_Pulse(pulse, 1), _Pulse(pulse, 0), _Triangle(triangle), _Noise())
    histories: list[list[State]] = [[State(0, 0, 0, 0)] for _ in Voice]

    def note_down(sample: int, places: Iterable[int]) -> None:
        for place in places:
            channel, history = channels[place], histories[place]
            heard = channel.heard()
            if channel.struck or channel.cut or heard != history[-1][1:4]:
                history.append(State(sample, *heard, channel.struck, channel.cut))
                channel.struck = channel.cut = False

    frames, all_places = _FrameCounter(log.clock_hz), range(len(channels))
    heard = np.isin(log.registers, _HEARD)
    writes = zip(
        *(column[heard].tolist() for column in (log.samples, log.registers, log.values)), strict=True
    )
    for sample, group in chain(groupby(writes, key=itemgetter(0)), [(log.length, iter(()))]):
        while frames.sample <= sample:
            tick = frames.sample
            half = frames.step()
            for channel in channels:
                channel.clock(half)
            note_down(tick, all_places)
        changed: set[int] = set()
        for _, register, value in group:
            if register < 0x10:
                channels[register >> 2].write(register & 3, value)
                changed.add(register >> 2)
                continue
            changed.update(all_places)
            if register == 0x15:
                for place, channel in enumerate(channels):
                    channel.enable(bool(value >> place & 1))
            else:
                frames.restart(sample, five_steps=value >= 0x80)
                if value >= 0x80:
                    for channel in channels:
                        channel.clock(half=True)
        note_down(sample, changed)
        if max(map(len, histories)) > MAX_STATES:
            raise FormatError(source, f"more than {MAX_STATES} notes and changes; cut the song")
    return histories


def _pitches(clock_hz: int, cycles: int, lowest: int) -> list[float]:
    """Return the pitch of each timer, 0 for none; `cycles` are CPU clocks in a wave of timer 0."""
    pitches = [
        69 + 12 * math.log2(clock_hz / (cycles * (timer + 1) * 440)) for timer in range(_MAX_TIMER + 1)
    ]
    heard = range(lowest, _MAX_TIMER + 1)
    return [p if timer in heard and 1 <= round(p) <= _HIGHEST else 0.0 for timer, p in enumerate(pitches)]


class _FrameCounter:
    """When the chip's counters are clocked.

    Attributes:
        sample: when the next step is, at 44.1 kHz.
    """

    def __init__(self, clock_hz: int) -> None:
        self._clock_hz = clock_hz
        self._rounds: list[list[int]] = tables(clock_hz).frame_steps.tolist()
        self.restart(0, five_steps=False)

    def restart(self, sample: int, *, five_steps: bool) -> None:
        """Begin a new round."""
        self._steps = self._rounds[five_steps]
        self._origin = sample * self._clock_hz // SAMPLE_RATE
        self._place = 0
        self._find()

    def step(self) -> bool:
        """Advance by a step; return whether it was a half frame."""
        half = self._place in (1, 3)
        self._place += 1
        if self._place == 4:
            self._place = 0
            self._origin += self._steps[4]
        self._find()
        return half

    def _find(self) -> None:
        """Find the first sample that is not before the next step's clock."""
        clock = self._origin + self._steps[self._place]
        self.sample = -(-clock * SAMPLE_RATE // self._clock_hz)


class _Channel(ABC):
    """The common parts of all channels: four registers, a length counter and an envelope.

    Attributes:
        struck: whether the register that starts a note was written since this was last set to False.
        cut: whether it fell silent on purpose since this was last set to False: switched off, or volume 0.
    """

    def __init__(self) -> None:
        self.struck = self.cut = False
        self._registers = [0, 0, 0, 0]
        self._enabled = True  # as players have it that begin in the middle of a game
        self._length = 0
        self._decay = self._divider = 0
        self._restarted = False

    def write(self, register: int, value: int) -> None:
        """Apply a write to register 0..3 of the channel."""
        self._registers[register] = value
        if register == 3:
            self.struck = True
            self._restarted = True
            if self._enabled:
                self._length = LENGTHS[value >> 3]

    def enable(self, on: bool) -> None:
        """Switch the channel on or off."""
        self._enabled = on
        if not on:
            self.cut |= self._length > 0
            self._length = 0

    def clock(self, half: bool) -> None:
        """Apply a quarter frame, and a half frame if `half` is set."""
        period, halted = self._registers[0] & 15, self._registers[0] & 0x20
        if self._restarted:
            self._restarted = False
            self._decay, self._divider = 15, period
        elif self._divider:
            self._divider -= 1
        else:
            self._divider = period
            self._decay = self._decay - 1 if self._decay else 15 if halted else 0
        if half and self._length and not halted:
            self._length -= 1

    @abstractmethod
    def heard(self) -> tuple[float, int, int]:
        """Return pitch, velocity and timbre as in `State`."""

    @property
    def _volume(self) -> int:
        """Return the volume, 0..15; a restarted envelope is full at once."""
        if not self._length:
            return 0
        if self._registers[0] & 0x10:
            return self._registers[0] & 15
        return FULL_VELOCITY if self._restarted else self._decay


class _Pulse(_Channel):
    """A pulse channel with its sweep unit."""

    def __init__(self, pitches: list[float], borrow: int) -> None:
        """Create the channel.

        Args:
            pitches: of each timer.
            borrow: what a downward sweep subtracts besides, 1 in the first pulse channel.
        """
        super().__init__()
        self._pitches = pitches
        self._borrow = borrow
        self._timer = self._sweep_divider = 0
        self._sweep_restarted = False

    def write(self, register: int, value: int) -> None:
        super().write(register, value)
        if register == 1:
            self._sweep_restarted = True
        elif register == 2:
            self._timer = self._timer & 0x700 | value
        elif register == 3:
            self._timer = self._timer & 0xFF | (value & 7) << 8

    def clock(self, half: bool) -> None:
        super().clock(half)
        if not half:
            return
        sweep, target = self._registers[1], self._target
        if self._sweep_divider == 0 and sweep & 0x80 and sweep & 7 and not self._muted(target):
            self._timer = max(0, target)
        if self._sweep_divider == 0 or self._sweep_restarted:
            self._sweep_divider = sweep >> 4 & 7
            self._sweep_restarted = False
        else:
            self._sweep_divider -= 1

    def heard(self) -> tuple[float, int, int]:
        pitch = 0.0 if self._muted(self._target) else self._pitches[self._timer]
        return pitch, self._volume, self._registers[0] >> 6

    @property
    def _target(self) -> int:
        """Return the timer that the sweep unit would set next."""
        step = self._timer >> (self._registers[1] & 7)
        return self._timer - step - self._borrow if self._registers[1] & 8 else self._timer + step

    def _muted(self, target: int) -> bool:
        return self._timer < _MIN_PULSE_TIMER or target > _MAX_TIMER


class _Triangle(_Channel):
    """The triangle channel with its linear counter."""

    def __init__(self, pitches: list[float]) -> None:
        super().__init__()
        self._pitches = pitches
        self._linear = 0

    def clock(self, half: bool) -> None:
        held, restarted = self._registers[0] & 0x80, self._restarted
        if restarted:
            self._linear = self._registers[0] & 0x7F
        elif self._linear:
            self._linear -= 1
        self._restarted = bool(restarted and held)
        if half and self._length and not held:
            self._length -= 1

    def heard(self) -> tuple[float, int, int]:
        timer = self._registers[2] | (self._registers[3] & 7) << 8
        runs = self._linear or (self._restarted and self._registers[0] & 0x7F)
        return self._pitches[timer], FULL_VELOCITY if self._length and runs else 0, 0


class _Noise(_Channel):
    """The noise channel."""

    def heard(self) -> tuple[float, int, int]:
        return 16 - (self._registers[2] & 15), self._volume, self._registers[2] >> 7


def _moments(history: list[State], moment_samples: int, end: int) -> Iterator[State]:
    """Yield the states that remain when changes within a moment count as one."""
    now = history[0]
    for state in history[1:]:
        if state.sample >= end:
            break
        if state.sample - now.sample < moment_samples:
            # A timer that is out of range between its two writes is no silence; a volume of 0 is.
            cut = now.cut or state.cut or now.velocity == 0
            now = state._replace(sample=now.sample, struck=now.struck or state.struck, cut=cut)
        else:
            yield now
            now = state
    yield now


@dataclass(slots=True)
class _Open:
    """A note that sounds."""

    onset: int
    pitch: int
    velocity: int
    """At the onset."""
    now: int
    """Velocity now."""


def _part(voice: Voice, moments: Iterator[State], end: int) -> Part:
    """Return the notes and changes of states; a timbre that changes in silence moves to the next note."""
    notes: list[Note] = []
    changes: list[Change] = []
    note: _Open | None = None
    timbre = 0

    def close(sample: int) -> None:
        if note is not None:
            notes.append(Note(note.onset, sample - note.onset, note.pitch, note.velocity))

    for state in moments:
        if not (state.pitch and state.velocity):
            close(state.sample)
            note = None
            continue
        again = state.cut or (state.struck and note is not None and state.velocity > note.now)
        if note is None or again or abs(state.pitch - note.pitch) > _WAVER[voice]:
            close(state.sample)
            note = _Open(state.sample, round(state.pitch), state.velocity, state.velocity)
        elif state.velocity != note.now:
            note.now = state.velocity
            changes.append(Change(state.sample, Kind.VELOCITY, state.velocity))
        if state.timbre != timbre:
            timbre = state.timbre
            changes.append(Change(state.sample, Kind.TIMBRE, timbre))
    close(end)
    return Part(tuple(notes), tuple(changes))
