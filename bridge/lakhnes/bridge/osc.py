"""Open Sound Control over UDP, the extra `osc`: commands come in, and what is played goes out."""

from __future__ import annotations

import importlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lakhnes.runtime.errors import LakhnesError, MissingExtraError, OptionError, PortError
from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reason_of

LOOPBACK = "127.0.0.1"
"""The host that is used unless another one is asked for: this machine hears and nobody else."""
ROOT = "/lakhnes"
"""What every address begins with."""

_TOLD_SECONDS = 5.0
"""How long a message that was not understood is reported."""
_STOP_SECONDS = 1.0
_POLL_SECONDS = 0.1
_MAX_BYTES = 65_535  # of a packet

Argument = float | int | str | bool
Command = Callable[[Sequence[float]], None]
"""Does what a message asks for, given its numbers; LakhnesError if it cannot."""


@dataclass(frozen=True, slots=True)
class OscAddress:
    """Where OSC messages are heard, or sent to."""

    host: str
    """Name or number of a machine."""
    port: int
    """1 to 65535; 0 for any that is free."""

    @classmethod
    def parse(cls, text: str) -> OscAddress:
        """Read `9000`, or `192.168.1.5:9000`.

        Raises:
            OptionError: if it is neither.
        """
        host, _, port = text.strip().rpartition(":")
        if not (port.isdecimal() and port.isascii() and 1 <= int(port) <= 65535):
            raise OptionError(
                f"{printable(text)!r} is no OSC address: give a port such as 9000, or a host and a port such "
                "as 192.168.1.5:9000."
            )
        return cls(host or LOOPBACK, int(port))


class OscInput:
    """Hears OSC messages and does what they ask for, on a thread of its own and in their order.

    Attributes:
        address: where it hears.
    """

    def __init__(
        self,
        address: OscAddress,
        commands: Mapping[str, Command],
        *,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Begin to listen.

        Args:
            address: where; the host's other machines are heard only if it is not the loopback.
            commands: what each address does, without `ROOT`.
            now: seconds that only grow.

        Raises:
            PortError: if the port is taken or the host is not this machine's.
            MissingExtraError: if python-osc is not installed.
        """
        self._packet = _module("osc_packet").OscPacket
        self._commands, self._now = commands, now
        self._problem: tuple[float, str] | None = None
        self._closed = False
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.settimeout(_POLL_SECONDS)
            self._socket.bind((address.host, address.port))
        except (OSError, OverflowError) as error:
            self._socket.close()
            raise PortError(
                f"OSC cannot be heard on {address.host}:{address.port} ({reason_of(error)}): choose "
                "another port."
            ) from error
        self.address = OscAddress(address.host, int(self._socket.getsockname()[1]))
        self._thread = threading.Thread(target=self._listen, name="lakhnes OSC", daemon=True)
        self._thread.start()

    def receive(self, address: str, *arguments: Any) -> None:
        """Take one message; one that means nothing is reported by `check`."""
        try:
            self._commands[address.removeprefix(ROOT)](_numbers(arguments))
        except KeyError:
            self._complain(f"There is no OSC address {printable(address)[:60]}. See `docs/osc.md`.")
        except LakhnesError as error:
            self._complain(f"{printable(address)[:60]}: {error}")

    def check(self) -> str | None:
        """Return what was wrong with a message of the last seconds; None if nothing was."""
        problem = self._problem
        return problem[1] if problem is not None and self._now() - problem[0] < _TOLD_SECONDS else None

    def close(self) -> None:
        """Listen no more."""
        self._closed = True
        self._thread.join(_STOP_SECONDS)
        self._socket.close()

    def _listen(self) -> None:
        here, root = threading.get_ident(), logging.getLogger()

        def ours(record: logging.LogRecord) -> bool:
            return record.thread != here  # python-osc warns of odd packets; `check` tells of them

        root.addFilter(ours)
        try:
            while not self._closed:
                try:
                    data = self._socket.recv(_MAX_BYTES)
                except OSError:  # nothing came for a while, or a reply of ours found nobody
                    continue
                self._take(data)
        finally:
            root.removeFilter(ours)

    def _take(self, data: bytes) -> None:
        """Do what a packet asks for, at once: no time that it names can make the others wait."""
        try:
            messages = [timed.message for timed in self._packet(data).messages]
            heard = [(message.address, list(message.params)) for message in messages]
        except Exception as error:  # python-osc raises many kinds for what strangers send
            self._complain(
                f"A packet came that is no OSC ({printable(reason_of(error))}). See `docs/osc.md`."
            )
            return
        for address, arguments in heard:
            self.receive(address, *arguments)

    def _complain(self, text: str) -> None:
        self._problem = (self._now(), text)


class OscOutput:
    """Sends OSC messages; what is lost on the way is lost, as with all UDP."""

    def __init__(self, address: OscAddress) -> None:
        """Send to an address.

        Raises:
            PortError: if there is no such host.
            MissingExtraError: if python-osc is not installed.
        """
        client = _module("udp_client")
        try:
            self._client = client.SimpleUDPClient(address.host, address.port)
        except OSError as error:
            raise PortError(
                f"OSC cannot be sent to {address.host}:{address.port} ({error.strerror or error}): check the "
                "name of the machine."
            ) from error

    def send(self, address: str, *arguments: Argument) -> None:
        """Send one message.

        Args:
            address: without `ROOT`.
            arguments: numbers and texts.
        """
        try:
            self._client.send_message(ROOT + address, list(arguments))
        except OSError:  # nobody listens, or the network is away
            return

    def close(self) -> None:
        """Send no more."""
        self._client.close()

    def __enter__(self) -> OscOutput:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OscOutlet:
    """Tells what the voices play; an `Outlet`. A voice is 1 to 4, and a velocity of 0 ends its note."""

    def __init__(self, output: OscOutput) -> None:
        """Send to an output."""
        self._output = output
        self._sounding: dict[Voice, int] = {}

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Tell that a note begins."""
        self.note_off(voice, at)
        self._sounding[voice] = pitch
        self._output.send("/out/note", voice + 1, pitch, velocity)

    def note_off(self, voice: Voice, at: float) -> None:
        """Tell that a note ends, if one sounds."""
        pitch = self._sounding.pop(voice, None)
        if pitch is not None:
            self._output.send("/out/note", voice + 1, pitch, 0)

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Tell the volume or the timbre within a note."""
        self._output.send("/out/volume" if kind is Kind.VELOCITY else "/out/timbre", voice + 1, value)

    def silence(self, at: float) -> None:
        """Tell that every note ends."""
        for voice in Voice:
            self.note_off(voice, at)

    def close(self) -> None:
        """Tell that every note ends."""
        self.silence(0.0)


def _numbers(arguments: Sequence[Any]) -> list[float]:
    """Return arguments as numbers.

    Raises:
        OptionError: if one is something else.
    """
    numbers = []
    for argument in arguments:
        if not isinstance(argument, int | float) or argument != argument:
            raise OptionError(f"{printable(str(argument))[:30]!r} is no number.")
        numbers.append(float(argument))
    return numbers


def _module(name: str) -> Any:
    try:
        return importlib.import_module(f"pythonosc.{name}")
    except ImportError:
        raise MissingExtraError("osc", "OSC") from None
