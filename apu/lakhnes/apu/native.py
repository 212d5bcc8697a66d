"""The compiled part of the chip: `apu/src`, a library that is built when the project is installed."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, c_double, c_int32, c_int64, c_void_p
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.bandlimit import Floats, impulses
from lakhnes.apu.register_log import CHIP_BY_ADDRESS, EXPANSIONS
from lakhnes.apu.tables import NOISE_FIRST, NOISE_STATES, TRIANGLE_FIRST, TRIANGLE_MEAN, tables
from lakhnes.runtime.errors import MissingLibraryError


class _NativeTables(ctypes.Structure):
    """`Tables` of chip.h."""

    _fields_ = (
        *(
            (name, c_void_p)
            for name in ("patterns", "noise_state", "noise_place", "noise_base", "noise_size")
        ),
        *((name, c_void_p) for name in ("lengths", "noise_periods", "dmc_periods", "frame_steps")),
        *((name, c_int64) for name in ("triangle_first", "triangle_mean", "noise_first", "noise_states")),
    )


class _Settings(ctypes.Structure):
    """`Settings` of sound.c."""

    _fields_ = (
        ("clock_hz", c_int64),
        ("sample_rate", c_int64),
        ("separate", c_int64),
        ("chips", c_int64),
        ("gain", c_double),
        ("coefficients", c_double * 7),
        ("tone", c_void_p),
        ("noise", c_void_p),
        ("steady", c_int32),
    )


class _NativeChipWrites(ctypes.Structure):
    """`ChipWrites` of sound.c."""

    _fields_ = (
        ("count", c_int64),
        *((name, c_void_p) for name in ("clocks", "chips", "addresses", "values")),
    )


class Apu:
    """A 2A03 with its mixer and filters, as a piece of the library's memory."""

    def __init__(
        self,
        clock_hz: int,
        sample_rate: int,
        *,
        gain: float,
        coefficients: Floats,
        steady: bool,
        separate: bool,
        chips: tuple[str, ...] = (),
    ) -> None:
        """Switch it on.

        Args:
            clock_hz: CPU clock.
            sample_rate: of the sound, in Hz.
            gain: of the half of the mixer with triangle, noise and DMC.
            coefficients: float64 [7], see `bandlimit.coefficients`.
            steady: whether the steady part of the output is kept; only where there is no high pass.
            separate: whether each channel and each chip is mixed and filtered alone.
            chips: names from `EXPANSIONS` of the chips that play too.

        Raises:
            MissingLibraryError: if the library was not built.
        """
        self._library = library()
        self._n_buses = 5 + len(chips) if separate else 1
        self._memory = ctypes.create_string_buffer(self._library.apu_size())
        tone, noise = impulses()
        facts = tables(clock_hz)
        self._kept = (facts, tone, noise)  # the library has their addresses
        self._tables = _NativeTables(
            *(array.ctypes.data for array in facts), TRIANGLE_FIRST, TRIANGLE_MEAN, NOISE_FIRST, NOISE_STATES
        )
        settings = _Settings(
            clock_hz,
            sample_rate,
            separate,
            sum(1 << EXPANSIONS.index(name) for name in chips),
            gain,
            (c_double * 7)(*coefficients),
            tone.ctypes.data,
            noise.ctypes.data,
            steady,
        )
        self._library.apu_power_on(self._memory, ctypes.byref(self._tables), ctypes.byref(settings))

    @property
    def status(self) -> int:
        """Return what the console would read from $4015."""
        return int(self._library.apu_status(self._memory))

    def chip_level(self, chip: str) -> float:
        """Return what one of the other chips puts out now, in its own steps."""
        return float(self._library.apu_chip_level(self._memory, EXPANSIONS.index(chip)))

    def load(self, address: int, data: bytes) -> None:
        """Put data where the DMC reads; they must end within 64 KiB."""
        self._library.apu_load(self._memory, address, len(data), data)

    def render(
        self,
        span: tuple[int, int],
        clocks: NDArray[np.int64],
        registers: NDArray[np.uint8],
        values: NDArray[np.uint8],
        frames: tuple[int, int],
        extra: tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]] | None = None,
    ) -> NDArray[np.float32]:
        """Render the next block.

        Args:
            span: the first CPU clock and the one after the last.
            clocks: int64 [n] of the writes, never decreasing; early and late ones happen at the edges.
            registers: uint8 [n], 0x00..0x17.
            values: uint8 [n].
            frames: samples before the block, and its length.
            extra: int64, uint16 and uint8 [n], clocks, addresses and values of writes to the other chips.

        Returns:
            float32 [buses, frames].

        Raises:
            MemoryError: if there is no room; nothing has happened then.
        """
        before, n_frames = frames
        out = np.zeros((self._n_buses, n_frames), np.float32)
        clocks = np.ascontiguousarray(clocks, np.int64)
        registers, values = np.ascontiguousarray(registers, np.uint8), np.ascontiguousarray(values, np.uint8)
        others = _NativeChipWrites()
        if extra is not None:
            places = np.ascontiguousarray(extra[1], np.uint16)
            kept = (
                np.ascontiguousarray(extra[0], np.int64),
                CHIP_BY_ADDRESS[places],
                places,
                np.ascontiguousarray(extra[2], np.uint8),
            )
            others = _NativeChipWrites(len(places), *(array.ctypes.data for array in kept))
        failed = self._library.apu_render(
            self._memory,
            *span,
            len(clocks),
            clocks.ctypes.data,
            registers.ctypes.data,
            values.ctypes.data,
            ctypes.byref(others),
            before,
            n_frames,
            out.ctypes.data,
        )
        if failed:
            raise MemoryError(f"no room to render {n_frames} samples at once")
        return out


def finish(
    buffer: Floats, coefficients: Floats, memory: Floats, out: NDArray[np.float32], frame: int = 0
) -> None:
    """Filter the running sum of a buffer with two high passes and a low pass.

    Args:
        buffer: float64 [>= frames].
        coefficients: float64 [7], see `bandlimit.coefficients`.
        memory: float64 [5] of the filters; brought up to date.
        out: float32 [frames] to fill.
        frame: samples before it.
    """
    silence = np.zeros_like(buffer)
    data = (array.ctypes.data for array in (buffer, silence, coefficients, memory))
    library().apu_finish(*data, frame, len(out), out.ctypes.data)


@cache
def library() -> ctypes.CDLL:
    """Load the library and return it; other threads run during calls.

    Raises:
        MissingLibraryError: if it is missing or cannot be loaded.
    """
    path = library_path()
    try:
        found = ctypes.CDLL(str(path))
    except OSError as error:  # it is missing, or for another system
        raise MissingLibraryError from error
    found.apu_size.restype = c_int64
    found.apu_power_on.argtypes = c_void_p, POINTER(_NativeTables), POINTER(_Settings)
    found.apu_load.argtypes = c_void_p, c_int64, c_int64, c_void_p
    found.apu_status.restype, found.apu_status.argtypes = c_int64, (c_void_p,)
    found.apu_finish.argtypes = c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p
    found.apu_chip_level.restype, found.apu_chip_level.argtypes = c_double, (c_void_p, c_int32)
    found.apu_render.restype = c_int32
    found.apu_render.argtypes = (
        *(c_void_p, c_int64, c_int64),
        *(c_int64, c_void_p, c_void_p, c_void_p, POINTER(_NativeChipWrites)),
        *(c_int64, c_int64, c_void_p),
    )
    return found


def library_path() -> Path:
    """Return the path of the library, whether or not it exists."""
    return Path(__file__).with_name("_chip.dll" if sys.platform == "win32" else "_chip.so")


__all__ = ["Apu", "finish", "library", "library_path"]
