"""States of the voices as writes to the registers: what differs from the state before is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from lakhnes.runtime.music.events import Voice

_CHANNELS, _FRAME_COUNTER = 0x15, 0x17
_SWEEP_UP, _SWEEP_DOWN = 0x87, 0x8F  # by a 128th of the timer, at the next half frame
_CLOCK_ALL = 0xC0  # a half frame now, without an interrupt later


class VoiceState(NamedTuple):
    """State of a voice from a sample on."""

    sample: int
    """At 44.1 kHz from the start of the song."""
    voice: Voice
    timer: int
    """1..2047; for the noise the note 1..16; 0 is silence."""
    volume: int
    """0..15; says nothing for the triangle."""
    timbre: int
    """Duty 0..3, mode 0..1 of the noise, 0 for the triangle."""
    bent: bool = False
    """True if the note from before goes on, with its pitch bent."""


def _start(sweep: int) -> tuple[tuple[int, int], ...]:
    """Return the chip's state before the first note: constant volumes of 0, counters that never end."""
    return (0x00, 0x30), (0x01, sweep), (0x04, 0x30), (0x05, sweep), (0x08, 0xFF), (0x0C, 0x30)


class RegisterWriter:
    """Finds what to write as the voices change.

    A register is written once at a sample, but where the pitch of a pulse is bent across the high byte of its
    timer. Writing that byte would restart the wave, which clicks; so the sweep unit, clocked by hand, adds
    to the timer or takes from it what carries it over.
    Source: NESdev wiki, "APU Sweep"; the technique is the usual one of drivers with a smooth vibrato.
    """

    def __init__(self, sweep: int) -> None:
        """Begin before sample 0.

        Args:
            sweep: what both sweep registers hold, 0..255.
        """
        self._sweep, self._started = sweep, False
        self._last = [VoiceState(0, voice, 0, 0, 0) for voice in Voice]
        self._registers = dict(_start(0))
        self._written: dict[int, int] = {}
        self._carried: list[tuple[int, int]] = []  # writes that carry timers over, before the others

    def writes(self, states: Iterable[VoiceState]) -> Iterator[tuple[int, int, int]]:
        """Yield sample, register and value of every write, beginning with those that set up the chip.

        Args:
            states: in time, voices in order, all of a sample in one call, those of sample 0 in the first.
        """
        for sample, together in groupby(states, attrgetter("sample")):
            if not self._started and sample:
                yield from self._begin({})
            written = self._apply(together)
            if not self._started:
                yield from self._begin(written)
                continue
            for register, value in (*self._carried, *written.items()):
                yield sample, register, value
        if not self._started:
            yield from self._begin({})

    def _begin(self, written: dict[int, int]) -> Iterator[tuple[int, int, int]]:
        """Yield the writes at sample 0, beginning with the switches of the voices."""
        self._started = True
        channels = written.pop(_CHANNELS, 0)
        for register, value in ((_CHANNELS, channels), *_start(self._sweep), *written.items()):
            yield 0, register, value

    def _apply(self, states: Iterable[VoiceState]) -> dict[int, int]:
        """Return the registers to write for the states of one sample, in order of first touch."""
        self._written, self._carried = {}, []
        for state in states:
            last, voice = self._last[state.voice], state.voice
            if bool(state.timer) != bool(last.timer):
                self._write(_CHANNELS, self._registers.get(_CHANNELS, 0) ^ 1 << voice)
            if voice is Voice.TR:
                self._triangle(last, state)
            elif voice is Voice.NO:
                self._noise(last, state)
            else:
                self._pulse(4 * voice, last, state)
            self._last[voice] = state
        return self._written

    def _write(self, register: int, value: int) -> None:
        self._registers[register] = self._written[register] = value

    def _level(self, control: int, last: VoiceState, now: VoiceState) -> int | None:
        """Return the volume to write to a control register, or None to leave it.

        A voice that falls silent keeps its register, and writes it again with its next note.
        """
        held = self._registers[control] & 15
        rises = now.volume > 0 and now.volume != last.volume
        return now.volume if rises or (now.timer and now.volume != held) else None

    def _pulse(self, base: int, last: VoiceState, now: VoiceState) -> None:
        level = self._level(base, last, now)
        if level is not None or now.timbre != last.timbre:
            held = self._registers[base] & 15
            self._write(base, now.timbre << 6 | 0x30 | (held if level is None else level))
        goes_on = now.bent and now.timer and last.timer
        across = (now.timer >> 8) - (last.timer >> 8)
        if goes_on and across:
            self._carry(base, across)
        if now.timer & 0xFF != last.timer & 0xFF or (goes_on and across):
            self._write(base + 2, now.timer & 0xFF)
        if not goes_on and (across or (now.timer and not last.timer)):
            self._write(base + 3, now.timer >> 8)

    def _carry(self, base: int, across: int) -> None:
        """Move a pulse's timer by some high bytes; its low byte must be written after that."""
        edge, sweep = (0xFF, _SWEEP_UP) if across > 0 else (0x00, _SWEEP_DOWN)
        for _ in range(abs(across)):
            self._carried += [
                (base + 2, edge),
                (base + 1, sweep),
                (_FRAME_COUNTER, _CLOCK_ALL),
                (base + 1, self._sweep),
            ]

    def _triangle(self, last: VoiceState, now: VoiceState) -> None:
        if now.timer != last.timer:
            self._write(0x0A, now.timer & 0xFF)
            self._write(0x0B, now.timer >> 8)

    def _noise(self, last: VoiceState, now: VoiceState) -> None:
        level = self._level(0x0C, last, now)
        if level is not None:
            self._write(0x0C, 0x30 | level)
        sounds_anew = now.timer and now.timer != last.timer
        if sounds_anew or now.timbre != last.timbre:
            period = 16 - now.timer if sounds_anew else self._registers.get(0x0E, 0) & 15
            self._write(0x0E, now.timbre << 7 | period)
        if sounds_anew:
            self._write(0x0F, 0)
