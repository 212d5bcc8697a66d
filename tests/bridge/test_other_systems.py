"""What Windows and macOS need, with their libraries pretended: neither is here."""

import ctypes
import sys
import threading
from typing import Any

import pytest

from lakhnes.bridge import interpreter
from lakhnes.bridge.app_nap import stay_awake
from lakhnes.bridge.core_midi import RunLoopThread


def test_the_first_client_of_coremidi_runs_the_loop_of_its_thread() -> None:
    did: list[tuple[str, str]] = []
    turned = threading.Event()

    class RtMidi:
        API_MACOSX_CORE = 1

        class MidiIn:
            def __init__(self, api: int, name: str) -> None:
                did.append(("client", threading.current_thread().name))

            def delete(self) -> None:
                did.append(("delete", threading.current_thread().name))

    def turn(seconds: float) -> None:
        did.append(("turn", threading.current_thread().name))
        turned.set()

    loop = RunLoopThread(RtMidi, turn)
    assert did[0] == ("client", "CoreMIDI"), "it is there when others may come"
    assert turned.wait(10)
    loop.stop()
    assert did[-1] == ("delete", "CoreMIDI")
    assert {thread for _, thread in did} == {"CoreMIDI"}


class Function:
    """A function of a C library that writes down its calls."""

    def __init__(self, name: str, calls: list[tuple[Any, ...]]) -> None:
        self.name, self.calls = name, calls
        self.argtypes: list[Any] = []
        self.restype: Any = None

    def __call__(self, *arguments: Any) -> int:
        assert len(arguments) == len(self.argtypes)
        assert self.restype is ctypes.c_void_p, "an address has 64 bits"
        self.calls.append((self.name, *arguments))
        return 1000 + len(self.calls)


def test_macos_is_told_that_music_is_played() -> None:
    calls: list[tuple[Any, ...]] = []

    class Objc:
        objc_getClass = Function("class", calls)  # noqa: N815
        sel_registerName = Function("selector", calls)  # noqa: N815
        objc_msgSend = Function("send", calls)  # noqa: N815

    stay_awake(Objc)
    selectors = {1000 + n: call[1] for n, call in enumerate(calls, 1) if call[0] == "selector"}
    sent = [(selectors[call[2]], *call[3:]) for call in calls if call[0] == "send"]
    assert [message for message, *_ in sent] == [
        b"processInfo",
        b"stringWithUTF8String:",
        b"beginActivityWithOptions:reason:",
        b"retain",
    ]
    assert sent[2][1] == 0xFF00FFFFFF


def test_windows_is_asked_for_shorter_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    class Library:
        def __init__(self, name: str) -> None:
            self.name = name

        def timeBeginPeriod(self, milliseconds: int) -> None:  # noqa: N802
            asked.append((self.name, milliseconds))

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(ctypes, "WinDLL", Library, raising=False)
    monkeypatch.setattr(sys, "setswitchinterval", lambda seconds: None)
    monkeypatch.setattr(interpreter.gc, "freeze", lambda: None)
    monkeypatch.setattr(interpreter.gc, "callbacks", [])
    interpreter.keep_time()
    assert asked == [("winmm", 1)]
