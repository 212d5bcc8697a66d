"""The chip's tables.

Source: NESdev wiki, "APU" and its pages on each channel; the frame counter's steps and the noise's and DMC's
periods are in CPU clocks, for NTSC and PAL machines.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.register_log import NTSC_CLOCK_HZ, PAL_CLOCK_HZ

LENGTHS = (
    *(10, 254, 20, 2, 40, 4, 80, 6, 160, 8, 60, 10, 14, 12, 26, 14),
    *(12, 16, 24, 18, 48, 20, 96, 22, 192, 24, 72, 26, 16, 28, 32, 30),
)
"""Values of a length counter, in half frames."""

_DUTIES = (
    (0, 1, 0, 0, 0, 0, 0, 0),
    (0, 1, 1, 0, 0, 0, 0, 0),
    (0, 1, 1, 1, 1, 0, 0, 0),
    (1, 0, 0, 1, 1, 1, 1, 1),
)
_NOISE_PERIODS = (
    (4, 8, 16, 32, 64, 96, 128, 160, 202, 254, 380, 508, 762, 1016, 2034, 4068),
    (4, 8, 14, 30, 60, 88, 118, 148, 188, 236, 354, 472, 708, 944, 1890, 3778),
)
_DMC_PERIODS = (
    (428, 380, 340, 320, 286, 254, 226, 214, 190, 160, 142, 128, 106, 84, 72, 54),
    (398, 354, 316, 298, 276, 236, 210, 198, 176, 148, 132, 118, 98, 78, 66, 50),
)
# Quarter frame, half frame, quarter frame, half frame and the length of a round; 4-step, then 5-step.
_FRAME_STEPS = (
    ((7457, 14913, 22371, 29829, 29830), (7457, 14913, 22371, 37281, 37282)),
    ((8313, 16627, 24939, 33253, 33254), (8313, 16627, 24939, 41565, 41566)),
)

TRIANGLE_FIRST = 32
"""Where the triangle's steps begin in `ChipTables.patterns`; the four duties of a pulse lie before."""

TRIANGLE_MEAN = 64
"""Where the triangle's mean is, which is all that is left of it far above hearing."""

NOISE_FIRST = 65
"""Where the noise's output begins, 32,767 steps of mode 0, then the cycles of mode 1."""

NOISE_STATES = 32_767
"""States of the shift register that are not 0."""


class ChipTables(NamedTuple):
    """The tables of the compiled chip (`ChipTables` of chip.h), each an array of int64."""

    patterns: NDArray[np.int64]
    """Outputs of the sequencers, 0..30 for the triangle in half steps of its level, else 0 or 1."""
    noise_state: NDArray[np.int64]
    """[2 * 32767] the shift register at each step: the cycle of mode 0, then the cycles of mode 1."""
    noise_place: NDArray[np.int64]
    """[2, 32768] the step where a state is, counted from the start of its cycle."""
    noise_base: NDArray[np.int64]
    """[2, 32768] where a state's cycle begins in `noise_state`."""
    noise_size: NDArray[np.int64]
    """[2, 32768] how many steps a state's cycle has."""
    lengths: NDArray[np.int64]
    """[32]"""
    noise_periods: NDArray[np.int64]
    """[16]"""
    dmc_periods: NDArray[np.int64]
    """[16]"""
    frame_steps: NDArray[np.int64]
    """[2, 5] clocks of the four steps and the length of a round, in 4-step and 5-step mode."""


def is_pal(clock_hz: int) -> bool:
    """Return whether a CPU clock is nearer to PAL's than to NTSC's."""
    return abs(clock_hz - PAL_CLOCK_HZ) < abs(clock_hz - NTSC_CLOCK_HZ)


@cache
def tables(clock_hz: int) -> ChipTables:
    """Return the tables of an NTSC or a PAL machine, whichever has the nearer CPU clock."""
    machine = int(is_pal(clock_hz))
    states: list[int] = []
    place, base, size = np.zeros((2, 32_768), np.int64), *np.zeros((2, 2, 32_768), np.int64)
    for mode, tap in enumerate((1, 6)):
        seen = bytearray(32_768)
        for first in range(1, 32_768):
            if seen[first]:
                continue
            start, state = len(states), first
            while not seen[state]:
                seen[state] = 1
                states.append(state)
                state = state >> 1 | ((state ^ state >> tap) & 1) << 14
            cycle = states[start:]
            place[mode, cycle] = np.arange(len(cycle))
            base[mode, cycle], size[mode, cycle] = start, len(cycle)
    noise_state = np.array(states, np.int64)
    triangle = [*range(30, -1, -2), *range(0, 31, 2), 15]
    patterns = np.concatenate([np.ravel(_DUTIES), triangle, 1 - (noise_state & 1)]).astype(np.int64)
    facts = (LENGTHS, _NOISE_PERIODS[machine], _DMC_PERIODS[machine], _FRAME_STEPS[machine])
    return ChipTables(patterns, noise_state, place, base, size, *(np.array(f, np.int64) for f in facts))
