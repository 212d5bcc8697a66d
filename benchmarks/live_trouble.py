"""Part of `live.py`: a JACK server that stands still or is started anew, and a DAW that quits and returns."""

import os
import random
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from jack import JackServer, jack_server
from live_rigs import Figure, note
from rig import Play, Rig

_PORT = "LakhNES:LakhNES"
_EAR = "mon"
_PATIENCE_SECONDS = 20.0
_STALLS_SECONDS = (1.0, 10.0)


class _Trouble:
    """`lakhnes play`, a program that hears it, and what is done to both."""

    def __init__(self, server: JackServer, rig: Rig) -> None:
        self._server, self._rig = server, rig
        self._random = random.Random(28)
        self.ear = rig.monitor(_EAR)
        self.play: Play = rig.play("--seconds", 3600)
        self.play.wait_for("ready")
        server.connect(_PORT, self.ear.port)
        self.hear()
        time.sleep(3)  # a connection that is so young may be one that the server has lost

    def hear(self) -> float | None:
        """Seconds until a note is heard from now on; None if none is."""
        began, before = time.monotonic(), len(self.ear.messages())
        while time.monotonic() < began + _PATIENCE_SECONDS:
            if any(message.is_on for message in self.ear.messages()[before:]):
                return time.monotonic() - began
            time.sleep(0.02)
        return None

    def stall(self) -> None:
        """Let the server stand still for 1 to 10 s."""
        os.kill(self._server.pid, signal.SIGSTOP)
        time.sleep(self._random.uniform(*_STALLS_SECONDS))
        os.kill(self._server.pid, signal.SIGCONT)

    def restart(self) -> None:
        """End the server, by order or by a crash; start it and the other program anew."""
        self._server.stop(self._random.choice([signal.SIGTERM, signal.SIGKILL]))
        time.sleep(self._random.uniform(0.2, 4.0))
        self._server.start()
        self.ear.close()
        self.ear = self._rig.monitor(_EAR)

    def reconnect(self) -> None:
        """End the other program, and start it anew."""
        self.ear.close()
        time.sleep(self._random.uniform(0.2, 4.0))
        self.ear = self._rig.monitor(_EAR)

    def ports(self) -> int:
        """Return the number of our output ports."""
        return sum(port.startswith("LakhNES") and "Control" not in port for port in self._server.ports())


def trouble(model: Path, rounds: int, period: int = 1024) -> list[Figure]:
    """Stalls, restarts and reconnections, each several times; how often the music comes back by itself.

    Args:
        model: the folder of the model that plays.
        rounds: how many times each.
        period: of the server, in frames.
    """
    figures = []
    with tempfile.TemporaryDirectory() as folder, jack_server(period) as server:
        rig = Rig(server, Path(folder), model)
        with rig.stack:
            tried = _Trouble(server, rig)
            figures += _figures("stalls of the server", tried.stall, tried, rounds)
            figures += _figures("restarts of the server", tried.restart, tried, rounds)
            figures += _figures("restarts of a DAW", tried.reconnect, tried, rounds)
    return figures


def _figures(what: str, do: Callable[[], None], tried: _Trouble, rounds: int) -> list[Figure]:
    note(f"{what}: {rounds} times")
    took: list[float] = []
    lost = doubled = 0
    for number in range(rounds):
        do()
        heard = tried.hear()
        if heard is None:
            lost += 1
            note(f"{what} {number}: nothing is heard")
        else:
            took.append(heard)
        doubled += tried.ports() != 1
        time.sleep(3)
    name = f"{rounds} {what}"
    return [
        Figure("trouble", f"{name}: not heard again", lost, "times", 0.0),
        Figure("trouble", f"{name}: not exactly one port", doubled, "times", 0.0),
        Figure("trouble", f"{name}: first note after, median", median(took or [0.0]), "s"),
        Figure("trouble", f"{name}: first note after, slowest", max(took, default=0.0), "s"),
    ]
