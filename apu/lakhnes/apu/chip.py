"""The 2A03 between two register writes: five channels as trains of evenly spaced steps.

Between two events (a register write, a step of the frame counter) a channel does one thing: its sequencer
goes on at a fixed period. So the chip does not run clock by clock: each event closes the trains that it
changes and opens new ones. A train is a row of ints:

| column | |
|---|---|
| `BEGIN` | clock where it begins; the channel's level is `ENTRY` from there |
| `FIRST`, `PERIOD`, `COUNT` | clocks of its steps: FIRST, FIRST + PERIOD, ... |
| `BASE`, `INDEX`, `SIZE` | after step k the level is VOLUME * patterns[BASE + (INDEX + k) % SIZE] |

The functions are compiled by numba where it is there, and run as they stand where it is not.

Source of the behaviour: NESdev wiki, "APU".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.compiled import compiled
from lakhnes.apu.tables import NOISE_BASE, NOISE_STATES, TRIANGLE_BASE, TRIANGLE_MEAN, Tables

Ints = NDArray[np.int64]

P1, P2, TR, NO, DM = range(5)
FRAME = 5
"""Row of the frame counter in the state."""

BEGIN, ENTRY, FIRST, PERIOD, COUNT, BASE, INDEX, SIZE, VOLUME = range(9)
TRAIN = 9
"""Columns of a train."""

# Columns of the state, int64 [6, N_STATE]: what goes on in a channel.
_BEGIN, _ENTRY, _NEXT, _PERIOD, _BASE, _INDEX, _SIZE, _VOLUME, _RUNNING = range(9)
# Its registers and counters.
_TIMER, _LENGTH, _HALT, _ENABLED = 9, 10, 11, 12
_CONSTANT, _ENVELOPE, _DIVIDER, _DECAY, _START = 13, 14, 15, 16, 17
_DUTY = 18  # of a pulse; the noise's mode
_SWEEP, _SWEEP_DIVIDER, _SWEEP_RELOAD = 19, 20, 21
_LINEAR, _LINEAR_LOAD, _LINEAR_RELOAD, _STEP_BEFORE = 13, 14, 15, 16  # of the triangle
# Of the DMC.
_DAC, _LOOP, _SAMPLE_START, _SAMPLE_SIZE, _ADDRESS, _LEFT, _BUFFER, _SHIFT, _BITS, _SILENT = range(13, 23)
# Of the frame counter.
_MODE, _STEP, _ORIGIN = 0, 1, 2
N_STATE = 23

_ULTRASONIC = 2
"""A triangle whose timer is below this sounds at 28 kHz or above; games silence it so."""

_NEVER = 1 << 62


def power_on(t: Tables) -> Ints:
    """The state of a chip that was just switched on, int64 [6, N_STATE]."""
    state = np.zeros((6, N_STATE), np.int64)
    state[:, _SIZE] = state[:, _PERIOD] = 1
    state[P1:TR, _PERIOD] = 2
    state[P1:TR, _SIZE] = 8
    state[TR, [_BASE, _SIZE, _VOLUME]] = TRIANGLE_BASE, 32, 1
    state[TR, _ENTRY] = t.patterns[TRIANGLE_BASE]
    state[NO, [_PERIOD, _BASE, _INDEX, _SIZE]] = (
        t.noise_periods[0],
        NOISE_BASE,
        t.noise_place[0, 1],
        NOISE_STATES,
    )
    state[DM, [_TIMER, _BITS, _BUFFER, _SILENT]] = t.dmc_periods[0], 8, -1, 1
    state[DM, _SAMPLE_START], state[DM, _SAMPLE_SIZE] = 0xC000, 1
    state[FRAME, [_MODE, _STEP, _ORIGIN]] = 0
    return state


def most_trains(clocks: int, writes: int, t: Tables) -> int:
    """No channel has more trains than this in so many clocks with so many writes."""
    return 3 * (clocks // int(t.frame_steps[0, 0]) + 2) + 2 * writes + clocks // int(t.dmc_periods[-1]) + 8


@compiled
def _close(state: Ints, c: int, clock: int, trains: Ints, counts: Ints) -> None:
    """Writes what channel c did up to a clock as a train, and moves its sequencer there."""
    s = state[c]
    steps = 0
    if s[_NEXT] < clock:
        steps = (clock - s[_NEXT] + s[_PERIOD] - 1) // s[_PERIOD]
    row = trains[c, counts[c]]
    row[BEGIN], row[ENTRY], row[FIRST], row[PERIOD] = s[_BEGIN], s[_ENTRY], s[_NEXT], s[_PERIOD]
    row[BASE], row[INDEX], row[SIZE], row[VOLUME] = s[_BASE], s[_INDEX] + 1, s[_SIZE], s[_VOLUME]
    row[COUNT] = steps if s[_RUNNING] and s[_VOLUME] and s[_SIZE] > 1 else 0
    counts[c] += 1
    s[_NEXT] += steps * s[_PERIOD]
    if s[_RUNNING]:
        s[_INDEX] = (s[_INDEX] + steps) % s[_SIZE]
    s[_BEGIN] = clock


@compiled
def _open(
    state: Ints,
    c: int,
    clock: int,
    period: int,
    volume: int,
    running: int,
    patterns: Ints,
    trains: Ints,
    counts: Ints,
) -> None:
    """Lets channel c go on with this period, volume and motion, if any of them is new."""
    s = state[c]
    if period != s[_PERIOD] or volume != s[_VOLUME] or running != s[_RUNNING]:
        _close(state, c, clock, trains, counts)
        s[_PERIOD], s[_VOLUME], s[_RUNNING] = period, volume, running
        s[_ENTRY] = volume * patterns[s[_BASE] + s[_INDEX]]


@compiled
def _pattern(state: Ints, c: int, base: int, index: int, size: int, patterns: Ints) -> None:
    """Puts channel c, whose train was just closed, at a place in a pattern."""
    s = state[c]
    s[_BASE], s[_INDEX], s[_SIZE] = base, index, size
    s[_ENTRY] = s[_VOLUME] * patterns[base + index]


@compiled
def _target(state: Ints, c: int) -> int:
    """The timer that the sweep unit of pulse c aims at."""
    s = state[c]
    change = s[_TIMER] >> (s[_SWEEP] & 7)
    if s[_SWEEP] & 8:
        return int(s[_TIMER] - change - (1 if c == P1 else 0))
    return int(s[_TIMER] + change)


@compiled
def _blur(state: Ints, clock: int, ultrasonic: bool, patterns: Ints, trains: Ints, counts: Ints) -> None:
    """Lets the triangle give its mean where it steps too fast to be heard, and its steps elsewhere."""
    s = state[TR]
    if ultrasonic != (s[_BASE] == TRIANGLE_MEAN):
        _close(state, TR, clock, trains, counts)
        if ultrasonic:
            s[_STEP_BEFORE] = s[_INDEX]
            _pattern(state, TR, TRIANGLE_MEAN, 0, 1, patterns)
        else:
            _pattern(state, TR, TRIANGLE_BASE, s[_STEP_BEFORE], 32, patterns)


@compiled
def _refresh(
    state: Ints, c: int, clock: int, patterns: Ints, periods: Ints, trains: Ints, counts: Ints
) -> None:
    """Brings the train of channel c in line with its registers and counters.

    It gets the two tables that it needs: to hand on all of them takes longer than the rest.
    """
    s = state[c]
    loudness = s[_ENVELOPE] if s[_CONSTANT] else s[_DECAY]
    sounds = s[_LENGTH] > 0
    if c in (P1, P2):
        sounds = sounds and s[_TIMER] >= 8 and _target(state, c) <= 0x7FF
        _open(state, c, clock, 2 * (s[_TIMER] + 1), loudness if sounds else 0, 1, patterns, trains, counts)
    elif c == TR:
        running = 1 if sounds and s[_LINEAR] > 0 else 0
        _blur(state, clock, running == 1 and s[_TIMER] < _ULTRASONIC, patterns, trains, counts)
        _open(state, c, clock, s[_TIMER] + 1, 1, running, patterns, trains, counts)
    elif c == NO:
        _open(state, c, clock, periods[s[_TIMER]], loudness if sounds else 0, 1, patterns, trains, counts)


@compiled
def _set_duty(
    state: Ints, c: int, clock: int, duty: int, restart: bool, t: Tables, trains: Ints, counts: Ints
) -> None:
    """A pulse's duty, and its sequencer's start anew."""
    s = state[c]
    if restart or duty != s[_DUTY]:
        _close(state, c, clock, trains, counts)
        s[_DUTY] = duty
        _pattern(state, c, 8 * duty, 0 if restart else s[_INDEX], 8, t.patterns)


@compiled
def _set_mode(state: Ints, clock: int, mode: int, t: Tables, trains: Ints, counts: Ints) -> None:
    """The noise's mode; its shift register stays as it is."""
    s = state[NO]
    if mode != s[_DUTY]:
        _close(state, NO, clock, trains, counts)
        register = t.noise_state[s[_BASE] - NOISE_BASE + s[_INDEX]]
        s[_DUTY] = mode
        base, size = NOISE_BASE + t.noise_base[mode, register], t.noise_size[mode, register]
        _pattern(state, NO, base, t.noise_place[mode, register], size, t.patterns)


@compiled
def _quarter_frame(state: Ints) -> None:
    """Envelopes and the triangle's linear counter."""
    for c in (P1, P2, NO):
        s = state[c]
        if s[_START]:
            s[_START], s[_DECAY], s[_DIVIDER] = 0, 15, s[_ENVELOPE]
        elif s[_DIVIDER] > 0:
            s[_DIVIDER] -= 1
        else:
            s[_DIVIDER] = s[_ENVELOPE]
            if s[_DECAY] > 0:
                s[_DECAY] -= 1
            elif s[_HALT]:
                s[_DECAY] = 15
    s = state[TR]
    if s[_LINEAR_RELOAD]:
        s[_LINEAR] = s[_LINEAR_LOAD]
    elif s[_LINEAR] > 0:
        s[_LINEAR] -= 1
    if not s[_HALT]:
        s[_LINEAR_RELOAD] = 0


@compiled
def _half_frame(state: Ints) -> None:
    """Length counters and sweeps."""
    for c in (P1, P2, TR, NO):
        if state[c, _LENGTH] > 0 and not state[c, _HALT]:
            state[c, _LENGTH] -= 1
    for c in (P1, P2):
        s = state[c]
        target = _target(state, c)
        period = s[_SWEEP] >> 4 & 7
        if (
            s[_SWEEP_DIVIDER] == 0
            and s[_SWEEP] & 0x80
            and s[_SWEEP] & 7
            and s[_TIMER] >= 8
            and target <= 0x7FF
        ):
            s[_TIMER] = max(target, 0)
        if s[_SWEEP_DIVIDER] == 0 or s[_SWEEP_RELOAD]:
            s[_SWEEP_DIVIDER], s[_SWEEP_RELOAD] = period, 0
        else:
            s[_SWEEP_DIVIDER] -= 1


@compiled
def _write_channel(
    state: Ints, c: int, register: int, value: int, clock: int, t: Tables, trains: Ints, counts: Ints
) -> None:
    """A write to one of the four registers of a pulse, the triangle or the noise."""
    s = state[c]
    if register == 0:
        if c == TR:
            s[_HALT], s[_LINEAR_LOAD] = value >> 7, value & 0x7F
        else:
            s[_HALT], s[_CONSTANT], s[_ENVELOPE] = value >> 5 & 1, value >> 4 & 1, value & 15
            if c != NO:
                _set_duty(state, c, clock, value >> 6, False, t, trains, counts)
    elif register == 1:
        if c in (P1, P2):
            s[_SWEEP], s[_SWEEP_RELOAD] = value, 1
    elif register == 2:
        if c == NO:
            s[_TIMER] = value & 15
            _set_mode(state, clock, value >> 7, t, trains, counts)
        else:
            s[_TIMER] = (s[_TIMER] & 0x700) | value
    else:
        if s[_ENABLED]:
            s[_LENGTH] = t.lengths[value >> 3]
        if c == NO:
            s[_START] = 1
        else:
            s[_TIMER] = (s[_TIMER] & 0xFF) | (value & 7) << 8
            if c == TR:
                s[_LINEAR_RELOAD] = 1
            else:
                s[_START] = 1
                _set_duty(state, c, clock, s[_DUTY], True, t, trains, counts)
    _refresh(state, c, clock, t.patterns, t.noise_periods, trains, counts)


@compiled
def _set_dac(state: Ints, level: int, clock: int, trains: Ints, counts: Ints) -> None:
    """A new level of the DMC."""
    s = state[DM]
    if level != s[_DAC]:
        row = trains[DM, counts[DM]]
        row[BEGIN], row[ENTRY], row[PERIOD], row[SIZE] = clock, level, 1, 1
        row[FIRST] = row[COUNT] = row[BASE] = row[INDEX] = row[VOLUME] = 0
        counts[DM] += 1
        s[_DAC] = level


@compiled
def _write_dmc(
    state: Ints, register: int, value: int, clock: int, t: Tables, trains: Ints, counts: Ints
) -> None:
    s = state[DM]
    if register == 0:
        s[_LOOP], s[_TIMER] = value >> 6 & 1, t.dmc_periods[value & 15]
    elif register == 1:
        _set_dac(state, value & 0x7F, clock, trains, counts)
    elif register == 2:
        s[_SAMPLE_START] = 0xC000 + 64 * value
    else:
        s[_SAMPLE_SIZE] = 16 * value + 1


@compiled
def _fetch(state: Ints, memory: NDArray[np.uint8]) -> None:
    """Fills the DMC's empty buffer with the next byte of its sample, if one is left."""
    s = state[DM]
    if s[_BUFFER] < 0 and s[_LEFT] > 0:
        s[_BUFFER] = int(memory[s[_ADDRESS]])
        s[_ADDRESS] = s[_ADDRESS] + 1 if s[_ADDRESS] < 0xFFFF else 0x8000
        s[_LEFT] -= 1
        if s[_LEFT] == 0 and s[_LOOP]:
            s[_ADDRESS], s[_LEFT] = s[_SAMPLE_START], s[_SAMPLE_SIZE]


@compiled
def _run_dmc(state: Ints, until: int, memory: NDArray[np.uint8], trains: Ints, counts: Ints) -> None:
    """Plays the DMC's sample up to a clock."""
    s = state[DM]
    while s[_NEXT] < until:
        if s[_SILENT] and s[_BUFFER] < 0:  # nothing to play: the timer just goes on
            steps = (until - s[_NEXT] + s[_TIMER] - 1) // s[_TIMER]
            s[_NEXT] += steps * s[_TIMER]
            s[_BITS] = (s[_BITS] - 1 - steps) % 8 + 1
            return
        if not s[_SILENT]:
            level = s[_DAC] + (2 if s[_SHIFT] & 1 else -2)
            if 0 <= level <= 127:
                _set_dac(state, level, s[_NEXT], trains, counts)
            s[_SHIFT] >>= 1
        s[_BITS] -= 1
        if s[_BITS] == 0:
            s[_BITS] = 8
            s[_SILENT] = 1 if s[_BUFFER] < 0 else 0
            s[_SHIFT], s[_BUFFER] = s[_BUFFER], -1
            _fetch(state, memory)
        s[_NEXT] += s[_TIMER]


@compiled
def _write_status(state: Ints, value: int, memory: NDArray[np.uint8]) -> None:
    """$4015: which channels are on."""
    for c in (P1, P2, TR, NO):
        state[c, _ENABLED] = value >> c & 1
        if not state[c, _ENABLED]:
            state[c, _LENGTH] = 0
    s = state[DM]
    if not value & 0x10:
        s[_LEFT] = 0
    elif s[_LEFT] == 0:
        s[_ADDRESS], s[_LEFT] = s[_SAMPLE_START], s[_SAMPLE_SIZE]
        _fetch(state, memory)


@compiled
def _refresh_all(state: Ints, clock: int, t: Tables, trains: Ints, counts: Ints) -> None:
    for c in (P1, P2, TR, NO):
        _refresh(state, c, clock, t.patterns, t.noise_periods, trains, counts)


@compiled
def _write(
    state: Ints,
    register: int,
    value: int,
    clock: int,
    memory: NDArray[np.uint8],
    t: Tables,
    trains: Ints,
    counts: Ints,
) -> None:
    """A write to $4000 + register."""
    if register < 0x10:
        _write_channel(state, register >> 2, register & 3, value, clock, t, trains, counts)
    elif register < 0x14:
        _write_dmc(state, register & 3, value, clock, t, trains, counts)
    elif register == 0x15:
        _write_status(state, value, memory)
        _refresh_all(state, clock, t, trains, counts)
    elif register == 0x17:
        frame = state[FRAME]
        frame[_MODE], frame[_STEP], frame[_ORIGIN] = value >> 7, 0, clock
        if value & 0x80:
            _quarter_frame(state)
            _half_frame(state)
            _refresh_all(state, clock, t, trains, counts)


@compiled
def advance(
    state: Ints,
    until: int,
    clocks: Ints,
    registers: Ints,
    values: Ints,
    memory: NDArray[np.uint8],
    t: Tables,
    trains: Ints,
) -> Ints:
    """Runs the chip up to a clock.

    Args:
        state: of the chip at an earlier clock; brought up to date.
        until: clock before which everything happens.
        clocks: int64 [n], of the writes, never decreasing, from the state's clock on.
        registers: int64 [n], 0x00..0x17.
        values: int64 [n], 0..255.
        memory: uint8 [65536], the CPU's address space.
        t: the machine's tables.
        trains: int64 [5, `most_trains`, TRAIN] to fill: what each channel does, in time.

    Returns:
        int64 [5]: how many trains each channel has.
    """
    counts = np.zeros(5, np.int64)
    frame = state[FRAME]
    i = 0
    while True:
        step = frame[_ORIGIN] + t.frame_steps[frame[_MODE], frame[_STEP]]
        write = clocks[i] if i < len(clocks) else _NEVER
        now = min(step, write)
        if now >= until:
            break
        _run_dmc(state, now, memory, trains, counts)
        if write <= step:
            _write(state, registers[i], values[i], now, memory, t, trains, counts)
            i += 1
            continue
        sounds = state[P1, _LENGTH] + state[P2, _LENGTH] + state[TR, _LENGTH] + state[NO, _LENGTH] > 0
        _quarter_frame(state)
        if frame[_STEP] & 1:
            _half_frame(state)
        if sounds:
            _refresh_all(state, now, t, trains, counts)
        frame[_STEP] += 1
        if frame[_STEP] == 4:
            frame[_STEP] = 0
            frame[_ORIGIN] += t.frame_steps[frame[_MODE], 4]
    _run_dmc(state, until, memory, trains, counts)
    for c in (P1, P2, TR, NO):
        _close(state, c, until, trains, counts)
        state[c, _ENTRY] = state[c, _VOLUME] * t.patterns[state[c, _BASE] + state[c, _INDEX]]
    return counts


def status(state: Ints) -> int:
    """What a read of $4015 gives, without the interrupt bits."""
    on = sum(int(state[c, _LENGTH] > 0) << c for c in (P1, P2, TR, NO))
    return on | int(state[DM, _LEFT] > 0) << 4


def levels_of(state: Ints) -> Ints:
    """What the channels give at the state's clock, int64 [5]."""
    return np.append(state[:DM, _ENTRY], state[DM, _DAC])
