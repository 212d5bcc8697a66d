"""MIDI ports of the system through python-rtmidi, the `live` extra: ALSA, JACK, CoreMIDI, Windows MM."""

from __future__ import annotations

import importlib
import os
import sys
import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

from lakhnes.bridge.core_midi import keep_lists_fresh
from lakhnes.bridge.jack_port import NativeJackPort, port_library
from lakhnes.bridge.jack_transport import TransportSource
from lakhnes.bridge.jack_watch import JackWatch, silence
from lakhnes.bridge.rtmidi_ports import JackPort, Poller, Receive, RtMidiPort
from lakhnes.runtime.errors import MissingExtraError, OptionError, PortError

CLIENT = "LakhNES"
"""What we are called where programs have names beside those of their ports."""

APIS = {"alsa": "ALSA", "jack": "JACK", "coremidi": "CoreMIDI", "winmm": "Windows MM"}
"""Back ends by the name that an option gives, in the order of preference, and as shown to people."""

_RTMIDI_APIS = {
    "alsa": "API_LINUX_ALSA",
    "jack": "API_UNIX_JACK",
    "coremidi": "API_MACOSX_CORE",
    "winmm": "API_WINDOWS_MM",
}

_QUEUE_MESSAGES = 16_384
"""What may come in between two looks at an input; rtmidi drops the rest."""


@cache
def load_rtmidi() -> Any:
    """The rtmidi module, quiet from now on.

    Raises:
        MissingExtraError: if it is not installed.
        PortError: if it is, and a library of the system that it needs is not.
    """
    try:
        rtmidi = importlib.import_module("rtmidi")
    except ModuleNotFoundError:
        raise MissingExtraError("live", "A MIDI port") from None
    except ImportError as error:
        raise PortError(
            f"python-rtmidi cannot be loaded ({error}): install that library; on Debian it is libasound2."
        ) from None
    if os.name == "posix":
        silence(_library(rtmidi))
    if sys.platform == "darwin":
        keep_lists_fresh(rtmidi)
    return rtmidi


def _library(rtmidi: Any) -> str:
    return str(importlib.import_module("rtmidi._rtmidi").__file__ or rtmidi.__file__)


def answering_backends() -> list[RtMidiBackend]:
    """The back ends that work here and now, the preferred one first; perhaps none.

    Raises:
        MissingExtraError: if python-rtmidi is not installed.
        PortError: if it cannot be loaded.
    """
    rtmidi = load_rtmidi()
    compiled = rtmidi.get_compiled_api()
    found = []
    for api, constant in _RTMIDI_APIS.items():
        if getattr(rtmidi, constant) in compiled:
            backend = (JackBackend if api == "jack" else RtMidiBackend)(rtmidi, api)
            if backend.answers():
                found.append(backend)
    return found


def rtmidi_backend(api: str | None = None) -> RtMidiBackend:
    """The back end that ports are opened on.

    Args:
        api: one of `APIS`; None for the first that answers.

    Raises:
        OptionError: if there is no such back end.
        PortError: if none answers.
        MissingExtraError: if python-rtmidi is not installed.
    """
    if api is not None and api not in APIS:
        raise OptionError(f"There is no MIDI back end {api!r}: choose one of {', '.join(APIS)}.")
    for backend in answering_backends():
        if api in (None, backend.api):
            return backend
    if api is not None:
        raise PortError(f"The MIDI back end {APIS[api]} does not answer here: {_advice(api)}.")
    raise PortError(f"No MIDI back end answers: {_advice('alsa' if sys.platform == 'linux' else '')}.")


def _advice(api: str) -> str:
    """What to do about a back end that does not answer."""
    if api == "alsa":
        return "load the ALSA sequencer (`sudo modprobe snd-seq`), or start a JACK server, as with qjackctl"
    if api == "jack":
        return "start a JACK server, as with qjackctl"
    return "it belongs to another system" if api else "restart the system's MIDI service"


def jack_transport() -> TransportSource:
    """The transport of the JACK server that programs reach here; the client stays for good.

    Raises:
        PortError: if no server answers.
        MissingExtraError: if python-rtmidi, through which it is asked, is not installed.
    """
    return JackWatch(_library(load_rtmidi())).transport()


class RtMidiBackend:
    """One of rtmidi's interfaces to the system; a `Backend`."""

    def __init__(self, rtmidi: Any, api: str) -> None:
        """Asks nothing of the system yet.

        Args:
            rtmidi: the module.
            api: one of `APIS`.
        """
        self._rtmidi = rtmidi
        self._api = getattr(rtmidi, _RTMIDI_APIS[api])
        self.api = api
        self.name = APIS[api]
        self.can_open_virtual = api != "winmm"

    def answers(self) -> bool:
        """Whether it works here."""
        try:
            self._ports(self._rtmidi.MidiOut)
        except PortError:
            return False
        return True

    def outputs(self) -> list[str]:
        """Names of the ports that one can send to."""
        return self._ports(self._rtmidi.MidiOut)

    def inputs(self) -> list[str]:
        """Names of the ports that one can hear."""
        return self._ports(self._rtmidi.MidiIn)

    def open_output(self, name: str, *, virtual: bool) -> RtMidiPort | JackPort:
        """Opens a port to send to: an existing one, or a new one of that name.

        Raises:
            PortError: if it cannot be opened.
        """
        handle = self._open(self._rtmidi.MidiOut, CLIENT, name, virtual)
        return RtMidiPort(self._rtmidi, handle, name, virtual, backend=self.name)

    def open_input(self, name: str, receive: Receive, *, virtual: bool) -> RtMidiPort | JackPort:
        """Opens a port to hear; as `open_output`.

        Args:
            name: of the port.
            receive: called with the bytes of each message, on a thread of the back end.
            virtual: a new port.
        """
        handle = self._open(self._rtmidi.MidiIn, CLIENT, name, virtual)
        return RtMidiPort(self._rtmidi, handle, name, virtual, Poller(handle, receive), backend=self.name)

    def _ports(self, kind: Any) -> list[str]:
        handle = self._handle(kind, CLIENT)
        try:
            return list(handle.get_ports())
        finally:
            handle.delete()

    def _handle(self, kind: Any, client: str) -> Any:
        options = {"queue_size_limit": _QUEUE_MESSAGES} if kind is self._rtmidi.MidiIn else {}
        try:
            return kind(self._api, name=client, **options)
        except self._rtmidi.RtMidiError as error:
            raise PortError(f"{self.name} does not answer ({error}): {_advice(self.api)}.") from error

    def _open(self, kind: Any, client: str, name: str, virtual: bool) -> Any:
        """An open port of rtmidi."""
        handle = self._handle(kind, client)
        if kind is self._rtmidi.MidiIn:
            handle.ignore_types(sysex=True, timing=False, active_sense=True)
        try:
            if virtual:
                handle.open_virtual_port(name)
            else:
                handle.open_port(handle.get_ports().index(name), CLIENT)
        except (self._rtmidi.RtMidiError, NotImplementedError, ValueError) as error:
            handle.delete()
            reason = f"{self.name} has none of that name" if isinstance(error, ValueError) else error
            raise PortError(
                f"MIDI port {name!r} cannot be opened ({reason}): close the program that uses it, or "
                "choose another."
            ) from error
        return handle


class JackBackend(RtMidiBackend):
    """JACK: every port is a client, and the server is watched (see `jack_watch`).

    Attributes:
        places_frames: whether new ports place each message at its frame; if not, they are rtmidi's.
    """

    def __init__(self, rtmidi: Any, api: str) -> None:
        """Asks nothing of the system yet; see `RtMidiBackend`."""
        super().__init__(rtmidi, api)
        self.places_frames = port_library() is not None
        self._lock = threading.Lock()
        self._own_watch: JackWatch | None = None
        self._leave: Callable[[], object] = lambda: None

    def answers(self) -> bool:
        """Whether a server is there."""
        try:
            self._watch().close()
        except PortError:
            return False
        return True

    def outputs(self) -> list[str]:
        """Names of the ports that one can send to."""
        return self._listed(outputs=True)

    def inputs(self) -> list[str]:
        """Names of the ports that one can hear."""
        return self._listed(outputs=False)

    def open_output(self, name: str, *, virtual: bool) -> JackPort:
        """Opens a port to send to; see `RtMidiBackend.open_output`."""
        return self._watched(self._rtmidi.MidiOut, name, virtual)

    def open_input(self, name: str, receive: Receive, *, virtual: bool) -> JackPort:
        """Opens a port to hear; see `RtMidiBackend.open_input`."""
        return self._watched(self._rtmidi.MidiIn, name, virtual, receive)

    def _watch(self) -> JackWatch:
        """A share in the watch over the server; entering a server takes long."""
        with self._lock:
            if self._own_watch is None or self._own_watch.lost:
                self._leave()
                self._own_watch = JackWatch(_library(self._rtmidi))
                self._leave = weakref.finalize(self, self._own_watch.close)
            return self._own_watch.share()

    def _listed(self, *, outputs: bool) -> list[str]:
        watch = self._watch()
        try:
            return watch.ports(outputs=outputs)
        finally:
            watch.close()

    def _watched(self, kind: Any, name: str, virtual: bool, receive: Receive | None = None) -> JackPort:
        watch = self._watch()
        # Clients of a JACK server all have names of their own, so each is called as its port.
        client = name.replace(":", "-") if virtual else CLIENT
        try:
            if not watch.runs():  # rtmidi would wait for it for good
                raise PortError("The JACK server hangs: restart it.")
            port = self._opened(kind, client, name, virtual, receive)
        except PortError:
            watch.close()
            raise
        return JackPort(port, name, watch, f"{client}:{name}" if virtual else name, own=virtual)

    def _opened(
        self, kind: Any, client: str, name: str, virtual: bool, receive: Receive | None
    ) -> RtMidiPort | NativeJackPort:
        """Open a port: our own, whose messages have their frames, or rtmidi's."""
        if self.places_frames:
            connect = None if virtual else name
            own = name if virtual else "midi"
            return NativeJackPort(_library(self._rtmidi), client, own, connect=connect, receive=receive)
        handle = self._open(kind, client, name, virtual)
        poller = None if receive is None else Poller(handle, receive)
        return RtMidiPort(self._rtmidi, handle, name, virtual, poller)
