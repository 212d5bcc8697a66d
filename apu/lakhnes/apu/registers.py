"""A score as writes to the sound chip's registers.

Three steps: each voice's part becomes states of that voice in time, moved along by its instrument; the states
of all voices are put in order; what differs from the state before is written.
Source: nesmdb `score/exprsco.py`, `score/rawsco.py` and `vgm/ndr_ndf.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from lakhnes.apu.instruments import FRAME_SAMPLES, Instrument, InstrumentSet
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, RegisterLog
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.events import Kind, Voice
from lakhnes.runtime.score import Note, Part, Score

MAX_TIMER = 0x7FF
"""Longest timer of the pulses and the triangle, which makes their lowest pitch."""

MIN_PULSE_TIMER = 8
"""Shortest timer that a pulse sounds with."""

_MIN_TRIANGLE_TIMER = 2  # 18.6 kHz; below lies nothing that is heard
_CHANNELS = 0x15
_SEED_SWEEP = 0x07  # it would raise timer 2033 beyond what a timer holds, and mutes the pulse for that
_SWEEP = 0x08  # it would lower the timer, and never mutes
_PLAIN = Instrument()
_CYCLES = (16, 16, 32)  # of the timer in one cycle of the wave


class RegisterMode(StrEnum):
    """How faithfully the seed's way is kept."""

    SEED = "seed"
    """The seed's writes, byte for byte. Pulse pitch 33 is silent, for the sweep unit mutes it; lower pitches
    wrap round to whatever their timer's low 11 bits mean; what happens at the song's very end is left out, so
    a note that lasts until there is never switched off."""
    IMPROVED = "improved"
    """The same with these mended: pulse pitch 33 sounds; a pitch too low for the timer sounds as few octaves
    higher as it takes; notes end at the song's end."""


class VoiceState(NamedTuple):
    """What a voice does from a sample on."""

    sample: int
    """At 44.1 kHz from the start of the song."""
    voice: Voice
    timer: int
    """1..2047; for the noise the note 1..16; 0 is silence."""
    volume: int
    """0..15; says nothing for the triangle."""
    timbre: int
    """Duty 0..3, mode 0..1 of the noise, 0 for the triangle."""


def registers_of(
    score: Score, mode: RegisterMode = RegisterMode.IMPROVED, instruments: InstrumentSet | None = None
) -> RegisterLog:
    """Turns a score into writes to the registers.

    Args:
        score: any score.
        mode: the seed's writes, or the same with its flaws mended.
        instruments: how the notes are played; None as the seed does, held at their velocity. The score's own
            changes of volume and of timbre win over them, voice by voice.

    Raises:
        OptionError: if instruments are asked for in the seed's way, which has none.
    """
    if mode is RegisterMode.SEED and instruments not in (None, InstrumentSet()):
        raise OptionError("The seed's way has no instruments; choose the improved one, or plain instruments.")
    states = voice_states(score, mode, instruments or InstrumentSet())
    if mode is RegisterMode.SEED:
        states = [state for state in states if state.sample < score.length]
    sweep = _SEED_SWEEP if mode is RegisterMode.SEED else _SWEEP
    table = np.array(list(_writes(states, sweep)), np.int64)  # [n, 3]
    return RegisterLog(
        table[:, 0], table[:, 1].astype(np.uint8), table[:, 2].astype(np.uint8), score.length, NTSC_CLOCK_HZ
    )


def voice_states(score: Score, mode: RegisterMode, instruments: InstrumentSet) -> list[VoiceState]:
    """What every voice does, in time, the voices in order at one sample; at most one state of each there."""
    left = instruments.beside(score.parts)
    states: list[VoiceState] = []
    for voice in Voice:
        states += _part_states(voice, score.parts[voice], mode, left, score.length)
    states.sort(key=attrgetter("sample"))
    return states


def timer_of(voice: Voice, pitch: int, mode: RegisterMode = RegisterMode.IMPROVED) -> int:
    """The timer with which a voice plays a pitch.

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
    if mode is RegisterMode.SEED:
        return timer & MAX_TIMER
    while timer > MAX_TIMER:
        pitch += 12
        timer = round(_period(voice, pitch)) - 1
    return timer


def _period(voice: Voice, pitch: float) -> float:
    """CPU clocks between two steps of a voice's wave."""
    return NTSC_CLOCK_HZ / (_CYCLES[voice] * 440 * 2 ** ((pitch - 69) / 12))


def _bent(voice: Voice, timer: int, cents: float) -> int:
    """The timer of a pitch beside the one that `timer` stands for.

    A pulse stays within one high byte of its timer, for writing that byte starts the wave anew: a click.
    """
    if not cents:
        return timer
    low, high = _MIN_TRIANGLE_TIMER, MAX_TIMER
    if voice is not Voice.TR:
        low, high = max(MIN_PULSE_TIMER, timer & 0x700), timer | 0xFF
    return min(high, max(low, round((timer + 1) * 2 ** (-cents / 1200)) - 1))


class _Setting(NamedTuple):
    """What changes in a voice at a sample; None stays as it is."""

    sample: int
    timer: int | None = None
    volume: int | None = None
    timbre: int | None = None


def _part_states(
    voice: Voice, part: Part, mode: RegisterMode, instruments: InstrumentSet, length: int
) -> Iterator[VoiceState]:
    """The states of one voice in time, one for each sample at which anything is set."""
    settings: list[_Setting] = []
    limits = [*(note.onset for note in part.notes[1:]), length]
    for note, limit in zip(part.notes, limits, strict=False):
        timer = timer_of(voice, note.pitch, mode)
        settings += _note_settings(voice, note, timer, limit, instruments.of(voice, note.pitch))
    for change in part.changes:
        if change.kind is Kind.VELOCITY:
            settings.append(_Setting(change.sample, volume=change.value))
        else:
            settings.append(_Setting(change.sample, timbre=change.value))
    # The sort keeps the order at one sample: a note ends, the next begins, then come the changes.
    settings.sort(key=attrgetter("sample"))
    timer = volume = timbre = 0
    for sample, together in groupby(settings, key=attrgetter("sample")):
        for setting in together:
            timer = timer if setting.timer is None else setting.timer
            volume = volume if setting.volume is None else setting.volume
            timbre = timbre if setting.timbre is None else setting.timbre
        yield VoiceState(sample, voice, timer, volume, timbre)


def _note_settings(
    voice: Voice, note: Note, timer: int, limit: int, instrument: Instrument
) -> Iterator[_Setting]:
    """One note as its instrument plays it, with its release, silent at the end.

    Args:
        voice: the note's.
        note: within the score.
        timer: of its pitch.
        limit: sample at which the next note begins or the song ends; nothing lies after it.
        instrument: what is left of it beside the score's own changes.
    """
    end = note.end
    if instrument.gate_frames is not None:
        end = min(end, note.onset + instrument.gate_frames * FRAME_SAMPLES)
    silent = min(limit, end + len(instrument.release) * FRAME_SAMPLES)
    held = range(note.onset, end, note.length if instrument == _PLAIN else FRAME_SAMPLES)
    released = range(end, silent, FRAME_SAMPLES)
    volumes = instrument.volumes(note.velocity, len(held), len(released))
    for frame, (sample, volume) in enumerate(zip((*held, *released), volumes, strict=True)):
        bent = _bent(voice, timer, instrument.cents(frame))
        yield _Setting(sample, bent, volume, instrument.timbre.at(frame) if instrument.timbre else None)
    yield _Setting(silent, timer=0, volume=0)


def _writes(states: list[VoiceState], sweep: int) -> Iterator[tuple[int, int, int]]:
    """Sample, register and value of every write.

    Args:
        states: in time, voices in order.
        sweep: what both sweep registers hold, 0..255.
    """
    chip = _Chip()
    moments = {sample: chip.apply(together) for sample, together in groupby(states, attrgetter("sample"))}
    start = moments.pop(0, {})
    channels = start.pop(_CHANNELS, 0)
    for register, value in ((_CHANNELS, channels), *_start(sweep), *start.items()):
        yield 0, register, value
    for sample, written in moments.items():
        for register, value in written.items():
            yield sample, register, value


def _start(sweep: int) -> tuple[tuple[int, int], ...]:
    """The chip's state before the first note: constant volumes of 0, counters that never run out."""
    return (0x00, 0x30), (0x01, sweep), (0x04, 0x30), (0x05, sweep), (0x08, 0xFF), (0x0C, 0x30)


class _Chip:
    """Finds what to write as the voices change; a register is written once at a sample."""

    def __init__(self) -> None:
        self._last = [VoiceState(0, voice, 0, 0, 0) for voice in Voice]
        self._registers = dict(_start(0))
        self._written: dict[int, int] = {}

    def apply(self, states: Iterable[VoiceState]) -> dict[int, int]:
        """The registers to write for the states of one sample, in order of first touch."""
        self._written = {}
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
        """The volume to write to a control register; None to leave it.

        A voice that falls silent keeps its register, and writes it anew with its next note.
        """
        held = self._registers[control] & 15
        rises = now.volume > 0 and now.volume != last.volume
        return now.volume if rises or (now.timer and now.volume != held) else None

    def _pulse(self, base: int, last: VoiceState, now: VoiceState) -> None:
        level = self._level(base, last, now)
        if level is not None or now.timbre != last.timbre:
            held = self._registers[base] & 15
            self._write(base, now.timbre << 6 | 0x30 | (held if level is None else level))
        if now.timer & 0xFF != last.timer & 0xFF:
            self._write(base + 2, now.timer & 0xFF)
        if now.timer >> 8 != last.timer >> 8 or (now.timer and not last.timer):
            self._write(base + 3, now.timer >> 8)

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
