"""Steps of the chip's output as band-limited sound.

The mixer's output is a staircase whose steps lie between samples. Each step adds a short band-limited impulse
of its height to a buffer, shifted by the step's fraction of a sample; the running sum of the buffer is the
staircase without what lies above the cutoff, so nothing folds back as an alias.

Source: Stilson and Smith 1996, "Alias-free digital synthesis of classic analog waveforms"; Brandt 2001, "Hard
sync without aliasing".

There are two ways to the same samples: compiled by numba, step by step; or in numpy, all steps at once.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.chip import (
    BASE,
    BEGIN,
    COUNT,
    DM,
    ENTRY,
    FIRST,
    INDEX,
    NO,
    P1,
    P2,
    PERIOD,
    SIZE,
    TR,
    VOLUME,
    Ints,
)
from lakhnes.apu.compiled import COMPILED, compiled
from lakhnes.apu.tables import NOISE_STATES

Floats = NDArray[np.float64]

TAPS = 32
"""Samples that one step spreads over."""

LATENCY = 15
"""Samples by which the sound is late, so that a step can begin before its time."""

_WEIGHTS = (1.0, 1.0, 0.5 / 8227, 1 / 12241, 1 / 22638)  # of the channels in the two halves of the mixer
_PHASES = 256
_CUTOFF = 0.44  # of the sample rate
_NOISE_TAPS = 8
_BOX_PERIOD = 16  # noise at this period or below is white up to far above any sample rate
_CHUNK = 1 << 15  # steps that numpy spreads at once


def _impulses(taps: int, beta: float) -> Floats:
    """Windowed sinc impulses at each fraction of a sample, float64 [_PHASES + 1, taps]; rows sum to 1."""
    fraction = np.arange(_PHASES + 1)[:, None] / _PHASES
    distance = np.arange(taps) - (taps // 2 - 1) - fraction  # samples from the step
    inside = np.clip(1 - (distance / (taps / 2)) ** 2, 0, None)
    rows = np.sinc(2 * _CUTOFF * distance) * np.i0(beta * np.sqrt(inside))
    return np.asarray(rows / rows.sum(1, keepdims=True))


@cache
def kernels() -> tuple[Floats, Floats]:
    """The impulse of tones [257, 32] and that of noise [257, 8]."""
    return _impulses(TAPS, 9.0), _impulses(_NOISE_TAPS, 4.0)


@compiled
def _output(group: int, x: float, gain: float) -> float:
    """What one half of the mixer makes of its weighted levels: the pulses (0), or the others (1).

    Source: NESdev wiki, "APU Mixer".
    """
    if group == 0:
        return 95.88 * x / (8128.0 + 100.0 * x)
    return gain * 159.79 * x / (1.0 + 100.0 * x)


@compiled
def _spread(buffer: Floats, start: int, fraction: float, height: float, kernel: Floats) -> None:
    """Adds one tone's step."""
    place = fraction * _PHASES
    row = int(place)
    share = place - row
    near, far = height * (1.0 - share), height * share
    # Slices, as LLVM vectorises the loop only where no index can be negative.
    out, low, high = buffer[start : start + TAPS], kernel[row], kernel[row + 1]
    for tap in range(TAPS):
        out[tap] += near * low[tap] + far * high[tap]


@compiled
def _spread_noise(buffer: Floats, start: int, fraction: float, height: float, kernel: Floats) -> None:
    """Adds one step of the noise."""
    place = fraction * _PHASES
    row = int(place)
    share = place - row
    start += TAPS // 2 - _NOISE_TAPS // 2
    near, far = height * (1.0 - share), height * share
    out, low, high = buffer[start : start + _NOISE_TAPS], kernel[row], kernel[row + 1]
    for tap in range(_NOISE_TAPS):
        out[tap] += near * low[tap] + far * high[tap]


@compiled
def _spread_box(buffer: Floats, start: int, fraction: float, height: float) -> None:
    """Adds one step of noise that is white up to far above the sample rate."""
    share = fraction * height
    buffer[start + LATENCY] += height - share
    buffer[start + LATENCY + 1] += share


@compiled
def _kind(size: int, period: int) -> int:
    """How the steps of a train are spread: as tones (0), noise (1) or white noise (2)."""
    if size != NOISE_STATES:
        return 0
    return 1 if period > _BOX_PERIOD else 2


@compiled
def _add_compiled(
    trains: Ints,
    counts: Ints,
    heard: Ints,
    patterns: Ints,
    levels: Ints,
    gain: float,
    frame: int,
    sample_rate: int,
    clock_hz: int,
    tone: Floats,
    noise: Floats,
    buffer: Floats,
) -> int:
    never = 1 << 62
    ratio = 1.0 / clock_hz
    weights = np.array(_WEIGHTS)
    n_steps = 0
    at = np.zeros(5, np.int64)  # the train that a channel is in
    step = np.full(5, -1)  # its next step; -1 for its entry
    places = np.zeros(5, np.int64)  # where that is in its pattern
    due = np.zeros(5, np.int64)  # clock of it
    for c in range(5):
        due[c] = trains[c, 0, BEGIN] if heard[c] and counts[c] > 0 else never
    for group, first, last in ((0, P1, P2), (1, TR, DM)):
        before = 0.0
        for c in range(first, last + 1):
            before += levels[c] * weights[c]
        before = _output(group, before, gain)
        while True:
            c = first
            for other in range(first + 1, last + 1):
                if due[other] < due[c]:
                    c = other
            clock = due[c]
            if clock == never:
                break
            limit, others = never, 0.0  # the turn of the next channel, and what the others give meanwhile
            for other in range(first, last + 1):
                if other != c:
                    limit = min(limit, due[other] + (1 if other > c else 0))
                    others += levels[other] * weights[other]
            i, k, place, now, weight = at[c], step[c], places[c], levels[c], weights[c]
            base, size, volume = trains[c, i, BASE], trains[c, i, SIZE], trains[c, i, VOLUME]
            count, period = trains[c, i, COUNT], trains[c, i, PERIOD]
            kind = _kind(size, period)
            while clock < limit:
                if k < 0:
                    level = trains[c, i, ENTRY]
                    place = trains[c, i, INDEX] % size
                else:
                    level = volume * patterns[base + place]
                    place = place + 1 if place + 1 < size else 0
                if level != now:
                    now = level
                    n_steps += 1
                    after = _output(group, others + level * weight, gain)
                    time = clock * sample_rate  # whole numbers: the same in blocks of any size
                    start = int(time * ratio)
                    rest = time - start * clock_hz
                    if rest < 0:
                        start, rest = start - 1, rest + clock_hz
                    elif rest >= clock_hz:
                        start, rest = start + 1, rest - clock_hz
                    fraction, height = rest * ratio, after - before
                    if kind == 0:
                        _spread(buffer, start - frame, fraction, height, tone)
                    elif kind == 1:
                        _spread_noise(buffer, start - frame, fraction, height, noise)
                    else:
                        _spread_box(buffer, start - frame, fraction, height)
                    before = after
                k += 1
                if k == count:
                    at[c] += 1
                    k = -1
                    clock = trains[c, at[c], BEGIN] if at[c] < counts[c] else never
                    break
                clock = trains[c, i, FIRST] if k == 0 else clock + period
            step[c], places[c], levels[c], due[c] = k, place, now, clock
    return n_steps


def _steps(trains: Ints, patterns: Ints) -> tuple[Ints, Ints, Ints]:
    """Clocks, levels and kinds of impulse (0 tone, 1 noise, 2 box) of a channel's trains [n, TRAIN]."""
    counts = trains[:, COUNT] + 1
    which = np.repeat(np.arange(len(trains)), counts)
    k = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) - 1
    row = trains[which]
    clock = np.where(k < 0, row[:, BEGIN], row[:, FIRST] + k * row[:, PERIOD])
    place = row[:, BASE] + (row[:, INDEX] + np.maximum(k, 0)) % row[:, SIZE]
    level = np.where(k < 0, row[:, ENTRY], row[:, VOLUME] * patterns[place])
    white = row[:, SIZE] == NOISE_STATES
    return clock, level, np.where(white, np.where(row[:, PERIOD] > _BOX_PERIOD, 1, 2), 0)


def _spread_many(buffer: Floats, start: Ints, fraction: Floats, height: Floats, kernel: Floats) -> None:
    taps = kernel.shape[1]
    for i in range(0, len(start), _CHUNK):
        part = slice(i, i + _CHUNK)
        place = fraction[part] * _PHASES
        row = place.astype(np.int64)
        far = height[part] * (place - row)
        impulse = (height[part] - far)[:, None] * kernel[row] + far[:, None] * kernel[row + 1]
        index = (start[part] + TAPS // 2 - taps // 2)[:, None] + np.arange(taps)
        buffer += np.bincount(index.ravel(), impulse.ravel(), len(buffer))


def _add_numpy(
    trains: Ints,
    counts: Ints,
    heard: Ints,
    patterns: Ints,
    levels: Ints,
    gain: float,
    frame: int,
    sample_rate: int,
    clock_hz: int,
    tone: Floats,
    noise: Floats,
    buffer: Floats,
) -> int:
    n_steps = 0
    box = np.zeros((_PHASES + 1, 2))
    box[:, 1] = np.arange(_PHASES + 1) / _PHASES
    box[:, 0] = 1 - box[:, 1]
    for group, channels in enumerate(((P1, P2), (TR, NO, DM))):
        steps = [_steps(trains[c, : counts[c] * heard[c]], patterns) for c in channels]
        clock, level, kind = (np.concatenate(column) for column in zip(*steps, strict=True))
        channel = np.repeat(channels, [len(step[0]) for step in steps])
        order = np.argsort(clock, kind="stable")
        clock, level, kind, channel = clock[order], level[order], kind[order], channel[order]
        many = np.zeros((5, len(clock) + 1), np.int64)  # the level of each channel after each step
        for c in range(5):
            latest = np.maximum.accumulate(np.where(channel == c, np.arange(1, len(clock) + 1), 0))
            many[c, 0] = levels[c]
            many[c, 1:] = np.where(latest > 0, level[latest - 1], levels[c])
        weighted = sum(many[c] * _WEIGHTS[c] for c in channels)
        output = _output(group, weighted, gain)
        levels[list(channels)] = many[list(channels), -1]
        height = np.diff(output)
        start, rest = np.divmod(clock * sample_rate, clock_hz)
        for which, kernel in enumerate((tone, noise, box)):
            chosen = (kind == which) & np.diff(many).any(0)
            n_steps += int(chosen.sum())
            _spread_many(buffer, start[chosen] - frame, rest[chosen] / clock_hz, height[chosen], kernel)
    return n_steps


def outputs(levels: Ints, gain: float) -> Floats:
    """The mixer's output, float64 [n], for levels int64 [n, 5]."""
    weighted = levels * np.array(_WEIGHTS)
    return np.asarray(_output(0, weighted[:, :TR].sum(1), 1.0) + _output(1, weighted[:, TR:].sum(1), gain))


add_steps = _add_compiled if COMPILED else _add_numpy
"""Adds the steps of a block to a buffer.

Args:
    trains: int64 [5, n, TRAIN] of `chip.advance`.
    counts: int64 [5], how many trains each channel has.
    heard: int64 [5], 1 for the channels that sound, 0 for the others.
    patterns: of `Tables`.
    levels: int64 [5], the channels' levels before the block; brought up to date.
    gain: of the half of the mixer with triangle, noise and DMC.
    frame: sample of the buffer's start, since the chip was switched on.
    sample_rate: in Hz.
    clock_hz: CPU clock.
    tone: impulses of tones.
    noise: impulses of noise.
    buffer: float64 [frames + TAPS] to add to.

Returns:
    How many steps there were.
"""


@compiled
def _finish_compiled(buffer: Floats, c: Floats, memory: Floats, out: NDArray[np.float32]) -> None:
    first, x1, second, x2, last = memory[0], memory[1], memory[2], memory[3], memory[4]
    n, i = len(out), 0
    while i < n:
        end = min(i + 64, n)
        quiet = abs(first) + abs(x1) + abs(second) + abs(x2) + abs(last) < 1e-18
        for j in range(i, end):
            if not quiet:
                break
            quiet = buffer[j] == 0.0
        if quiet:
            first = x1 = second = x2 = last = 0.0
            out[i:end] = 0.0
        else:
            for j in range(i, end):
                first = c[0] * first + c[1] * buffer[j]
                second = c[2] * second + c[3] * (first - x1)
                x1 = first
                last = c[6] * last + c[4] * second + c[5] * x2
                x2 = second
                out[j] = last
        i = end
    memory[0], memory[1], memory[2], memory[3], memory[4] = first, x1, second, x2, last


def _one_pole(x: Floats, pole: float, before: float) -> Floats:
    """Y[n] = pole * y[n-1] + x[n], in rows of 64."""
    rows = -(-len(x) // 64)
    padded = np.zeros((rows, 64))
    padded.ravel()[: len(x)] = x
    apart = np.arange(64)[:, None] - np.arange(64)
    y = padded @ np.where(apart >= 0, pole ** np.maximum(apart, 0), 0.0).T
    carried, far = np.zeros(rows), pole**64
    for row in range(rows):
        carried[row] = before
        before = y[row, -1] + far * before
    return np.asarray((y + carried[:, None] * pole ** np.arange(1, 65)).ravel()[: len(x)])


def _finish_numpy(buffer: Floats, c: Floats, memory: Floats, out: NDArray[np.float32]) -> None:
    n = len(out)
    if n == 0:
        return
    first = _one_pole(c[1] * buffer[:n], c[0], memory[0])
    second = _one_pole(c[3] * np.diff(first, prepend=memory[1]), c[2], memory[2])
    delayed = np.concatenate([memory[3:4], second[:-1]])
    last = _one_pole(c[4] * second + c[5] * delayed, c[6], memory[4])
    memory[:] = first[-1], first[-1], second[-1], second[-1], last[-1]
    out[:] = last


finish = _finish_compiled if COMPILED else _finish_numpy
"""The running sum of a buffer, through two high passes and a low pass.

Args:
    buffer: float64 [frames + TAPS].
    c: float64 [7], see `coefficients`.
    memory: float64 [5] of the filters; brought up to date.
    out: float32 [frames] to fill.
"""


def coefficients(high_pass_hz: tuple[float, ...], low_pass_hz: float | None, sample_rate: int) -> Floats:
    """Coefficients of `finish`, float64 [7]: pole and gain of two high passes; zero and pole of the low pass.

    The high passes are bilinear; the first one's difference undoes the running sum, so without it the sum
    remains. The low pass meets the analogue one at 0, at its corner and at half the sample rate.

    Args:
        high_pass_hz: none to two corner frequencies.
        low_pass_hz: corner frequency, or None; left out from half the sample rate on.
        sample_rate: in Hz.

    Source: Vicanek 2016, "Matched second order digital filters", for the way to the low pass.
    """
    c = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]
    for i, corner in enumerate(high_pass_hz):
        t = np.tan(np.pi * corner / sample_rate)
        pole = (1 - t) / (1 + t)
        c[2 * i : 2 * i + 2] = pole, (1 + pole) / 2
    if low_pass_hz is not None and low_pass_hz < sample_rate / 2:
        at_nyquist = 1 / np.sqrt(1 + (sample_rate / 2 / low_pass_hz) ** 2)
        t = np.tan(np.pi * low_pass_hz / sample_rate) * np.sqrt(1 - 2 * at_nyquist**2)
        pole = (1 - t) / (1 + t)
        c[4:] = ((1 - pole) + at_nyquist * (1 + pole)) / 2, ((1 - pole) - at_nyquist * (1 + pole)) / 2, pole
    return np.array(c)
