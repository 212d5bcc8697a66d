"""MIDI ports: which there are, opening one to send to or to hear, and noticing when one goes away.

A `Backend` is what a system offers. `rtmidi_backend` has the real ones; everything here works with any.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Literal, Protocol, runtime_checkable

from lakhnes.bridge import gm
from lakhnes.bridge.rtmidi_backend import answering_backends, rtmidi_backend
from lakhnes.bridge.rtmidi_ports import Receive, without_number
from lakhnes.runtime.errors import OptionError, PortError, PortLostError
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.printable import printable

OUTPUT_NAME = "LakhNES"
"""Of the port that carries all four voices."""

VOICE_OUTPUT_NAMES = tuple(f"{OUTPUT_NAME} {gm.TRACK_NAMES[voice]}" for voice in Voice)
"""Of the ports that carry one voice each."""

INPUT_NAME = "LakhNES Control"
"""Of the port that takes clock, control changes and notes."""

_NAME_BYTES = 58
"""Of a new port at most: systems cut what is longer than 63, and a number may follow."""

_logger = logging.getLogger(__name__)


class RawPort(Protocol):
    """An open port as a back end has it."""

    def send(self, data: list[int]) -> None:
        """Sends a message at once; PortLostError if it cannot. Inputs never get this call."""

    def alive(self) -> bool:
        """Whether the port is still there; quick."""

    def close(self) -> None:
        """Closes it; never hangs."""


@runtime_checkable
class TimedPort(Protocol):
    """An open port that can send at a time."""

    def send_at(self, data: list[int], at: float) -> None:
        """Sends a message at a time, as near as it can; PortLostError if it cannot."""


class PatchBay(Protocol):
    """The connections of one port, where a system tells them; no call but `connect` ever waits."""

    def connections(self) -> frozenset[str]:
        """Names of the ports that it is connected to."""

    def exists(self, name: str) -> bool:
        """Whether there is a port of that name."""

    def connect(self, name: str) -> None:
        """Connects it to a port, if it can; waits while the system stands still."""


class Backend(Protocol):
    """What a system offers for MIDI."""

    @property
    def name(self) -> str:
        """As shown to people: ALSA, JACK, CoreMIDI, Windows MM."""

    @property
    def can_open_virtual(self) -> bool:
        """Whether programs can make ports of their own."""

    def outputs(self) -> list[str]:
        """Names of the ports that one can send to."""

    def inputs(self) -> list[str]:
        """Names of the ports that one can hear."""

    def open_output(self, name: str, *, virtual: bool) -> RawPort:
        """Opens an existing port by its exact name, or a new one; PortError if it cannot."""

    def open_input(self, name: str, receive: Receive, *, virtual: bool) -> RawPort:
        """The same for a port that one can hear; `receive` gets the bytes of each message."""


@dataclass(frozen=True, slots=True)
class PortInfo:
    """A port that is there."""

    name: str
    """As the back end lists it."""
    direction: Literal["output", "input"]
    """output: one can send to it; input: one can hear it."""
    backend: str
    """Name of the back end."""


def list_ports(backends: Sequence[Backend] | None = None) -> list[PortInfo]:
    """The ports that are there.

    Args:
        backends: where to look; None for every one that answers.

    Raises:
        PortError: if a back end stopped to answer.
        MissingExtraError: if python-rtmidi is not installed.
    """
    found: list[PortInfo] = []
    for backend in answering_backends() if backends is None else backends:
        found += [PortInfo(name, "output", backend.name) for name in backend.outputs()]
        found += [PortInfo(name, "input", backend.name) for name in backend.inputs()]
    return found


class _OpenPort:
    """What outputs and inputs have in common."""

    def __init__(self, raw: RawPort, name: str, backend: str) -> None:
        """Takes over an open port."""
        self.name = name
        """Name of the port, which need not be the one that was asked for."""
        self.backend = backend
        """Name of the back end."""
        self._raw = raw
        self._lock = threading.Lock()
        self._closed = False

    def alive(self) -> bool:
        """Whether the port is still there; cheap, from any thread, about once a second."""
        with self._lock:
            return not self._closed and self._raw.alive()

    def stalled(self) -> bool:
        """Whether the port is there, but its system stands still, so that nothing comes or goes."""
        stalled = getattr(self._raw, "stalled", None)  # most systems never do
        return stalled is not None and not self._closed and bool(stalled())

    @property
    def patch_bay(self) -> PatchBay | None:
        """Tells and makes the port's connections; None where the system does not let us."""
        patch_bay: PatchBay | None = getattr(self._raw, "patch_bay", None)
        return patch_bay

    def close(self) -> None:
        """Closes the port, also one that is gone; may be called again."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._raw.close()


class MidiOutput(_OpenPort):
    """An open port to send to."""

    @property
    def exact(self) -> bool:
        """Whether messages that are sent with their time lie at exactly that time, and a constant later."""
        return bool(getattr(self._raw, "exact", False))

    def send(self, data: Sequence[int], at: float | None = None) -> None:
        """Sends one message.

        Args:
            data: its bytes.
            at: when it is due, seconds of `time.perf_counter`; None, or where nothing is exact, for at once.

        Raises:
            PortLostError: if the port is gone or closed.
        """
        with self._lock:
            if self._closed:
                raise PortLostError(f"MIDI port {self.name!r} is closed: open it again.")
            if at is not None and isinstance(self._raw, TimedPort):
                self._raw.send_at(list(data), at)
            else:
                self._raw.send(list(data))

    def __enter__(self) -> MidiOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class MidiInput(_OpenPort):
    """An open port to hear; messages come on a thread of the back end."""

    def __init__(self, raw: RawPort, name: str, backend: str, receiver: _Receiver) -> None:
        """Takes over an open port and what it calls."""
        super().__init__(raw, name, backend)
        self._receiver = receiver

    @property
    def failures(self) -> int:
        """How often the callback has raised an exception; the first was logged."""
        return self._receiver.failures

    def __enter__(self) -> MidiInput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Receiver:
    """Hands messages to a callback with their time, and outlives its exceptions."""

    def __init__(self, callback: Callable[[bytes, float], None], now: Callable[[], float]) -> None:
        self._callback = callback
        self._now = now
        self.failures = 0

    def __call__(self, data: list[int], at: float | None = None, /) -> None:
        at = self._now() if at is None else at
        try:
            self._callback(bytes(data), at)
        except Exception:
            if self.failures == 0:
                _logger.exception("a MIDI message could not be handled")
            self.failures += 1


def open_output(
    name: str | None = None, *, virtual: str | None = None, backend: Backend | None = None
) -> MidiOutput:
    """Opens a port to send to.

    Args:
        name: an existing port's name, or a part of it that only one has.
        virtual: name of a new port; when it is taken, the next free one ("LakhNES 2"). `OUTPUT_NAME` where
            neither is given.
        backend: None for the first that answers.

    Raises:
        PortError: if there is no such port, more than one, or none can be made; with the ports there are.
        OptionError: if both or an empty name is given.
        MissingExtraError: if python-rtmidi is not installed.
    """
    backend = backend or rtmidi_backend()
    wanted, new = _wanted(name, virtual, OUTPUT_NAME)
    full = (
        _free_name(wanted, backend, "outputs") if new else _find(wanted, backend.outputs(), "output", backend)
    )
    return MidiOutput(backend.open_output(full, virtual=new), full, backend.name)


def open_voice_outputs(
    backend: Backend | None = None, names: Sequence[str] | None = None
) -> tuple[MidiOutput, ...]:
    """Opens four new ports, one for each voice in the order of `Voice`; raises as `open_output`.

    Args:
        backend: None for the first that answers.
        names: of the ports; `VOICE_OUTPUT_NAMES` if None.
    """
    backend = backend or rtmidi_backend()
    opened: list[MidiOutput] = []
    try:
        for name in names or VOICE_OUTPUT_NAMES:
            output = open_output(virtual=name, backend=backend)
            opened.append(output)
    except Exception:
        for output in opened:
            output.close()
        raise
    return tuple(opened)


def open_input(
    name: str | None = None,
    *,
    virtual: str | None = None,
    callback: Callable[[bytes, float], None],
    backend: Backend | None = None,
    now: Callable[[], float] = time.perf_counter,
) -> MidiInput:
    """Opens a port to hear; as `open_output`, with `INPUT_NAME` for a new one.

    Args:
        name: of an existing port.
        virtual: of a new port.
        callback: called with a message's bytes and its time, on a thread of the back end. Clock comes too,
            system-exclusive and active sensing do not. Its exceptions are counted and have no other effect.
        backend: None for the first that answers.
        now: seconds that messages are stamped with.

    Raises:
        PortError: as `open_output`.
        OptionError: as `open_output`.
        MissingExtraError: as `open_output`.
    """
    backend = backend or rtmidi_backend()
    receiver = _Receiver(callback, now)
    wanted, new = _wanted(name, virtual, INPUT_NAME)
    full = _free_name(wanted, backend, "inputs") if new else _find(wanted, backend.inputs(), "input", backend)
    return MidiInput(backend.open_input(full, receiver, virtual=new), full, backend.name, receiver)


def _wanted(name: str | None, virtual: str | None, usual: str) -> tuple[str, bool]:
    """The name that is asked for, and whether it is one of a new port."""
    if name is not None and virtual is not None:
        raise OptionError("A MIDI port is either an existing or a new one: give one name, not both.")
    wanted = next((given for given in (name, virtual) if given is not None), usual).strip()
    if name is None and len(wanted.encode()) > _NAME_BYTES:
        raise OptionError(
            f"The port name {printable(wanted)[:20]}… is too long: give at most {_NAME_BYTES} letters, "
            "as JACK and ALSA keep no more."
        )
    if not wanted:
        raise OptionError("A MIDI port without a name: give one; `lakhnes ports` lists those there are.")
    return wanted, name is None


def _find(wanted: str, names: Sequence[str], direction: str, backend: Backend) -> str:
    """The one port that is meant."""
    for alike in (_bare(wanted, names, backend), [name for name in names if name == wanted]):
        if len(alike) == 1:
            return alike[0]
    parts = [name for name in names if wanted.casefold() in name.casefold()]
    if not parts:  # a number of another day
        parts = _bare(without_number(wanted, backend.name), names, backend)
    if len(parts) == 1:
        return parts[0]
    if parts:
        raise PortError(f"MIDI {direction} {wanted!r} may be {_listed(parts)}: give more of its name.")
    there = f"choose {_listed(names)}" if names else "it has none, so plug one in or start a program"
    raise PortError(f"There is no MIDI {direction} {wanted!r} on {backend.name}: {there}.")


def _bare(wanted: str, names: Sequence[str], backend: Backend) -> list[str]:
    """The ports of a name, without the numbers that change."""
    return [name for name in names if without_number(name, backend.name) == wanted]


def _listed(names: Sequence[str]) -> str:
    return " or ".join(repr(name) for name in names)


def _free_name(wanted: str, backend: Backend, kind: Literal["outputs", "inputs"]) -> str:
    """A name for a new port that no port has: "LakhNES Control", then "LakhNES 2 Control" and so on."""
    if not backend.can_open_virtual:
        names = getattr(backend, kind)()
        there = f"choose {_listed(names)}" if names else "there is none yet"
        raise PortError(
            f"{backend.name} lets no program make MIDI ports of its own. Use one that connects two programs, "
            f'from loopMIDI or Windows MIDI Services ("Default App Loopback"): {there}.'
        )
    taken = [*backend.outputs(), *backend.inputs()]
    head = OUTPUT_NAME if f"{wanted} ".startswith(f"{OUTPUT_NAME} ") else wanted
    for number in count(1):
        name = wanted if number == 1 else f"{head} {number}{wanted[len(head) :]}"
        # "LakhNES", JACK's "client:LakhNES", and ALSA's "client:LakhNES 128:0"
        full = re.compile(rf"(?:.*:)?{re.escape(name)}(?: \d+:\d+)?", re.DOTALL)
        if not any(full.fullmatch(other) for other in taken):
            return name
    raise AssertionError("there are endless numbers")
