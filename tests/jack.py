"""JACK servers of the tests' own: dummy ones, each with a name that nobody else has, ended by their process.

`with jack_server() as server:` starts one, and sets what makes every JACK client that this process or its
children open from then on go to it. In a fixture::

    @pytest.fixture
    def server() -> Iterator[JackServer]:
        with jack_server() as running:
            yield running
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO

import pytest
from filelock import FileLock

_ONE_AT_A_TIME = FileLock(Path(tempfile.gettempdir()) / "lakhnes-tests-jack.lock")
"""Servers of two processes disturb each other when one starts or is killed."""

_number = count()
_ATTEMPTS = 3
_START_SECONDS = 30.0


class JackServer:
    """A dummy server that can be started, killed and started again under the same name."""

    def __init__(self, period: int = 1024, rate: int = 48_000) -> None:
        self.name = f"lakhnes{os.getpid()}n{next(_number)}"
        self.period, self.rate = period, rate
        self._process: subprocess.Popen[bytes] | None = None
        self._holds_place = False

    @property
    def environment(self) -> dict[str, str]:
        """What sends JACK clients to this server, and keeps them from starting one."""
        return {"JACK_DEFAULT_SERVER": self.name, "JACK_NO_START_SERVER": "1"}

    @property
    def pid(self) -> int:
        assert self._process is not None, "the server does not run"
        return self._process.pid

    def start(self) -> None:
        """Starts the server and waits until it answers; tries again, for starts at the same time collide."""
        assert self._process is None, "the server runs already"
        for _ in range(_ATTEMPTS):
            with tempfile.TemporaryFile() as log:
                self._process = self._launch(log)
                if self._comes_up():
                    return
                self.kill()
                log.seek(0)
                said = log.read().decode(errors="replace")
        raise RuntimeError(f"jackd did not start: {said}")

    def _launch(self, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        options = f"--realtime -P 60 --no-mlock --sync --name {self.name}"
        driver = f"-d dummy -r {self.rate} -p {self.period}"
        command = ["jackd", *options.split(), *driver.split()]
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _comes_up(self) -> bool:
        assert self._process is not None
        end = time.monotonic() + _START_SECONDS
        while self._process.poll() is None and time.monotonic() < end:
            if "system:playback_1" in self.tool("jack_lsp").stdout:  # it answers before it has its ports
                return True
            time.sleep(0.05)
        return False

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Ends the server by a signal and waits for its end; does nothing where it has ended."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._holds_place = process.returncode != 0

    def kill(self) -> None:
        """Ends the server as a crash does; `release` is due then."""
        self.stop(signal.SIGKILL)

    def release(self) -> None:
        """Ends the server for good.

        JACK has places for eight servers. One that ends out of order keeps its place, whatever becomes of its
        process, until one of the same name comes and ends in order.
        """
        self.stop()
        if self._holds_place:
            self.start()
            self.stop()

    def tool(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs one of JACK's short-lived tools on this server."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)

    def popen(self, *command: str) -> "subprocess.Popen[str]":
        """Starts a program on this server, its output in a pipe; the caller ends it."""
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, **self.environment},
        )

    def recorder(self, path: Path, seconds: float, *ports: str) -> "subprocess.Popen[bytes]":
        """Starts to record some ports in a file of 24 bits; returns what has ended when the file is whole."""
        said = path.with_suffix(".log")
        command = ["jack_rec", "-f", str(path), "-d", str(seconds), "-b", "24", *ports]
        for _ in range(_ATTEMPTS):
            with said.open("wb") as log:
                recorder = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **self.environment},
                )
            self.wait_for(f"jackrec:input{len(ports)}")
            if not said.read_bytes():
                return recorder
            recorder.kill()  # a server with much to do did not let it in, and it would wait for ever
            recorder.wait()
        raise AssertionError(said.read_text())

    def ports(self) -> list[str]:
        """The full names of all ports, as `jack_lsp` prints them."""
        return self.tool("jack_lsp").stdout.splitlines()

    def connect(self, source: str, target: str) -> None:
        """Connects two ports, once both are there."""
        self.wait_for(source)
        self.wait_for(target)
        for _ in range(_ATTEMPTS):  # a server with much to do lets no client in for a moment
            done = self.tool("jack_connect", source, target)
            if done.returncode == 0:
                return
            time.sleep(0.5)
        raise AssertionError(done.stderr)

    def wait_for(self, port: str, seconds: float = 60.0) -> None:
        """Waits until a port is there."""
        end = time.monotonic() + seconds
        while port not in self.ports():
            assert time.monotonic() < end, f"no port {port!r} among {self.ports()}"
            time.sleep(0.05)


@contextmanager
def jack_server(period: int = 1024, rate: int = 48_000) -> Iterator[JackServer]:
    """A running dummy server, which this process and its children use; skips where there is no `jackd`."""
    if shutil.which("jackd") is None:
        pytest.skip("jackd is not installed")
    server = JackServer(period, rate)
    before = {name: os.environ.get(name) for name in server.environment}
    with _ONE_AT_A_TIME:
        os.environ.update(server.environment)
        try:
            server.start()
            yield server
        finally:
            server.release()
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
