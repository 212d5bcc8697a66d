"""The compiled part of a JACK port: its callback, with a server of our own making."""

import ctypes
from ctypes import CFUNCTYPE, c_int, c_size_t, c_uint8, c_uint32, c_void_p

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge.jack_port import port_library

RATE, PERIOD = 48_000, 128
STALE = 12_000


class _Event(ctypes.Structure):
    _fields_ = (("offset", c_uint32), ("size", c_size_t), ("data", ctypes.POINTER(c_uint8)))


class Jack:
    """What the callback asks of libjack, and a port of ours."""

    def __init__(self, *, sends: bool, start: int = 0, room: int = 1 << 20) -> None:
        library = port_library()
        if library is None:
            pytest.skip("the ports of our own were not compiled")
        self.library, self.start, self.room = library, start & 0xFFFFFFFF, room
        self.held_up = 0  # frames since the cycle began
        self.out: list[tuple[int, bytes]] = []
        self.coming: list[tuple[int, bytes]] = []
        self._kept: list[ctypes.Array[c_uint8]] = []
        self._functions = (
            CFUNCTYPE(c_void_p, c_void_p, c_uint32)(lambda port, frames: 1),
            CFUNCTYPE(None, c_void_p)(lambda buffer: None),
            CFUNCTYPE(c_int, c_void_p, c_uint32, ctypes.POINTER(c_uint8), c_size_t)(self._write),
            CFUNCTYPE(c_uint32, c_void_p)(lambda buffer: len(self.coming)),
            CFUNCTYPE(c_int, ctypes.POINTER(_Event), c_void_p, c_uint32)(self._get),
            CFUNCTYPE(c_uint32, c_void_p)(lambda client: self.start),
            CFUNCTYPE(c_uint32, c_void_p)(lambda client: self.held_up),
        )
        addresses = (c_void_p * len(self._functions))(
            *(ctypes.cast(function, c_void_p).value for function in self._functions)
        )
        self.port = ctypes.create_string_buffer(library.midi_size())
        library.midi_begin(self.port, addresses, None, None, STALE, sends)

    def _write(self, buffer: int, offset: int, data: "ctypes._Pointer[c_uint8]", size: int) -> int:
        assert 0 <= offset < PERIOD
        if len(self.out) >= self.room:
            return 1
        self.out.append((self.start + offset, bytes(data[:size])))
        return 0

    def _get(self, event: "ctypes._Pointer[_Event]", buffer: int, index: int) -> int:
        offset, data = self.coming[index]
        self._kept.append((c_uint8 * len(data))(*data))
        event[0] = _Event(offset, len(data), ctypes.cast(self._kept[-1], ctypes.POINTER(c_uint8)))
        return 0

    def put(self, frame: int, data: bytes) -> bool:
        return self.library.midi_put(self.port, frame & 0xFFFFFFFF, len(data), data) == 0

    def take(self) -> list[tuple[int, bytes]]:
        taken = []
        frame, data = c_uint32(), ctypes.create_string_buffer(3)
        while length := self.library.midi_take(self.port, ctypes.byref(frame), data):
            taken.append((frame.value, data.raw[:length]))
        return taken

    def cycle(self) -> None:
        assert self.library.midi_process(PERIOD, self.port) == 0
        self.start = (self.start + PERIOD) & 0xFFFFFFFF


@given(st.lists(st.integers(0, 2000), max_size=60), st.sampled_from([0, 0xFFFFFFFF - 500]))
@settings(deadline=None, max_examples=50)
def test_messages_go_out_at_their_frames_in_order(waits: list[int], start: int) -> None:
    jack = Jack(sends=True, start=start)
    frame, due = start, []
    for number, wait in enumerate(waits):
        frame += wait
        due.append((frame & 0xFFFFFFFF, bytes([0x90, number, 1])))
        assert jack.put(frame, due[-1][1])
    for _ in range(sum(waits) // PERIOD + 1):
        jack.cycle()
    assert [(at & 0xFFFFFFFF, data) for at, data in jack.out] == due


def test_what_is_late_goes_out_at_once_and_what_is_stale_begins_nothing() -> None:
    jack = Jack(sends=True, start=100_000)
    for frame, data in (
        (100_000 - STALE - 1, b"\x90\x3c\x40"),
        (100_000 - STALE - 1, b"\x80\x3c\x40"),
        (99_000, b"\x90\x3d\x40"),
        (100_005, b"\xf8"),
        (99_000, b"\xfc"),
    ):
        jack.put(frame, data)
    jack.cycle()
    assert jack.out == [
        (100_000, b"\x80\x3c\x40"),
        (100_000, b"\x90\x3d\x40"),
        (100_005, b"\xf8"),
        (100_005, b"\xfc"),
    ]


def test_a_full_cycle_leaves_the_rest_to_the_next_and_a_full_ring_says_so() -> None:
    jack = Jack(sends=True, room=3)
    for number in range(5):
        jack.put(0, bytes([0xC0, number]))
    assert jack.library.midi_waiting(jack.port) == 5
    jack.cycle()
    assert jack.library.midi_waiting(jack.port) == 2
    jack.room = 100
    jack.cycle()
    assert [data[1] for _, data in jack.out] == [0, 1, 2, 3, 4]
    taken = sum(jack.put(1 << 20, b"\xf8") for _ in range(10_000))
    assert taken == 4096


def test_what_comes_in_has_its_frame_and_long_messages_are_left_out() -> None:
    jack = Jack(sends=False, start=0xFFFFFFFF - 63)
    jack.coming = [
        (0, b"\xf8"),
        (3, b"\xf0\x01\x02\xf7"),
        (70, b"\x90\x3c\x40"),
        (71, b"\xfe"),
        (100, b"\xc0\x05"),
    ]
    jack.cycle()
    assert jack.take() == [(0xFFFFFFFF - 63, b"\xf8"), (6, b"\x90\x3c\x40"), (36, b"\xc0\x05")]
    assert jack.take() == []


def test_a_cycle_that_was_held_up_counts_as_the_one_before_the_next() -> None:
    jack = Jack(sends=False, start=1000)
    jack.coming = [(5, b"\xf8")]
    jack.held_up = PERIOD
    jack.cycle()
    assert jack.take() == [(1005, b"\xf8")]
    jack.held_up = PERIOD + 300
    jack.cycle()
    assert jack.take() == [(1000 + PERIOD + 300 + 5, b"\xf8")]
