"""The console's processor: the compiled 6502 (`apu/src/cpu.c`) with the memory that music programs see."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_int32, c_int64, c_uint8, c_uint16, c_void_p
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.native import library
from lakhnes.apu.register_log import EXPANSIONS

BANK_BYTES = 4096
WINDOWS = 8
"""Places from $8000 on where banks are seen."""

LOW_WINDOWS = 2
"""Places from $6000 on where programs for the Disk System see banks."""

_ROOM = 1 << 16  # notes of writes that are kept until they are taken
_MOST = 1 << 13  # of one frame


class _CpuState(ctypes.Structure):
    """`Cpu` of cpu.h."""

    _fields_ = (
        ("clock", c_int64),
        ("pc", c_uint16),
        *((name, c_uint8) for name in ("a", "x", "y", "s", "p", "halted", "idle", "pad", "pad_left")),
        *((name, c_uint8) for name in ("enabled", "dmc_rate", "dmc_size", "dmc_loop")),
        ("padding", c_uint8 * 3),
        ("dmc_end", c_int64),
        ("ram", c_uint8 * 0x800),
        ("more", c_uint8 * 0x2000),
        ("image", c_void_p),
        ("n_banks", c_int64),
        ("windows", c_int64 * WINDOWS),
        ("low", c_int64 * LOW_WINDOWS),
        ("chips", c_int64),
        ("factors", c_uint8 * 2),
        ("sound_address", c_uint8),
        ("sound_rises", c_uint8),
        ("padding_more", c_uint8 * 4),
        ("sound_memory", c_uint8 * 0x80),
        ("mmc5_memory", c_uint8 * 0x400),
        ("room", c_int64),
        ("count", c_int64),
        ("clocks", c_void_p),
        ("addresses", c_void_p),
        ("values", c_void_p),
    )


class Noted(NamedTuple):
    """Writes to addresses without memory, in time."""

    clocks: NDArray[np.int64]
    """[n] cycles since the processor was switched on."""
    addresses: NDArray[np.uint16]
    """[n]"""
    values: NDArray[np.uint8]
    """[n]"""


class Processor:
    """The console's 6502.

    Attributes:
        state: its registers and memory, which may be set: `a`, `x`, `y`, `s`, `p`, `pc`, `clock`, `ram`,
            `pad`.
    """

    def __init__(
        self,
        image: bytes,
        windows: tuple[int, ...],
        *,
        low_windows: tuple[int, int] = (-1, -1),
        chips: tuple[str, ...] = (),
    ) -> None:
        """Switch it on.

        Args:
            image: whole banks of `BANK_BYTES`, one at least.
            windows: the bank that is seen at $8000, $9000 … at first; 8 of them, modulo the number of banks.
            low_windows: the bank that is seen at $6000 and at $7000; -1 for the RAM that lies there.
            chips: names from `EXPANSIONS` of the sound chips on the cartridge.

        Raises:
            MissingLibraryError: if the library was not compiled.
        """
        if not image or len(image) % BANK_BYTES or len(windows) != WINDOWS:
            raise ValueError("an image has whole banks, seen through eight windows")
        self._library = _library()
        self._image = ctypes.create_string_buffer(image, len(image))
        self._noted = Noted(np.empty(_ROOM, np.int64), np.empty(_ROOM, np.uint16), np.empty(_ROOM, np.uint8))
        self.state = _CpuState()
        self._library.cpu_power_on(
            byref(self.state),
            self._image,
            len(image) // BANK_BYTES,
            (c_int64 * (LOW_WINDOWS + WINDOWS))(*low_windows, *windows),
            sum(1 << EXPANSIONS.index(name) for name in chips),
            _ROOM,
            *(array.ctypes.data for array in self._noted),
        )

    def call(self, address: int, a: int = 0, x: int = 0, *, most_cycles: int = 1 << 24) -> bool:
        """Call a subroutine; return whether it returned within `most_cycles`."""
        self._library.cpu_call(byref(self.state), address, a, x)
        return self.run(self.state.clock + most_cycles)

    def interrupt(self, vector: int) -> None:
        """Jump through a vector: $FFFA is the picture's interrupt, $FFFC the reset."""
        self._library.cpu_interrupt(byref(self.state), vector)

    def run(self, until: int) -> bool:
        """Run up to a clock or until the called subroutine returns; return whether it did."""
        return bool(self._library.cpu_run(byref(self.state), until))

    def frames(self, address: int, period: float, frame: int, count: int) -> NDArray[np.int64]:
        """Call a subroutine once a frame while there is room for its writes.

        Args:
            address: of the subroutine.
            period: cycles of a frame.
            frame: frames that came before.
            count: most to run.

        Returns:
            int64 [frames] how many writes were noted at the end of each that ran.
        """
        ends = np.zeros(count, np.int64)
        ran = self._library.cpu_frames(
            byref(self.state), address, period, frame, count, _MOST, ends.ctypes.data
        )
        return ends[:ran]

    def take(self) -> Noted:
        """Return the writes since the last call of this method."""
        count = min(self.state.count, _ROOM)
        self.state.count = 0
        clocks, addresses, values = self._noted
        return Noted(clocks[:count].copy(), addresses[:count].copy(), values[:count].copy())


@cache
def _library() -> ctypes.CDLL:
    found = library()
    if found.cpu_size() != ctypes.sizeof(_CpuState):
        raise RuntimeError("cpu.h and processor.py differ")
    state = POINTER(_CpuState)
    found.cpu_power_on.argtypes = state, c_char_p, c_int64, c_void_p, *(2 * (c_int64,)), *(3 * (c_void_p,))
    found.cpu_call.argtypes = state, c_int32, c_int32, c_int32
    found.cpu_interrupt.argtypes = state, c_int32
    found.cpu_run.restype, found.cpu_run.argtypes = c_int32, (state, c_int64)
    found.cpu_frames.restype = c_int64
    found.cpu_frames.argtypes = state, c_int32, c_double, c_int64, c_int64, c_int64, c_void_p
    return found


__all__ = ["BANK_BYTES", "LOW_WINDOWS", "WINDOWS", "Noted", "Processor"]
