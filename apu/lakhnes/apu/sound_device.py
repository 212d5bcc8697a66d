"""The synthesiser on the computer's sound output, through pyo: JACK where a server runs, else PortAudio.

pyo only carries the sound: a table of one block is read round and round, and refilled before each time. That
is exact; pyo's own oscillators would have aliases.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from pathlib import Path
from threading import Event, get_ident
from typing import Any, NamedTuple, TextIO

import numpy as np

from lakhnes.apu import sound_probe
from lakhnes.apu.render import SAMPLE_RATES
from lakhnes.apu.synth import Synth
from lakhnes.runtime.errors import MissingExtraError, OptionError, SoundError

BLOCKS = range(16, 8193)
"""Lengths of a block that a device is asked for, in frames."""

_PROBE_SECONDS = 20
_STOP_SECONDS = 0.3  # that pyo takes to stop; it says nothing when it has
_PARK_SECONDS = 1.0  # in which a block should have been asked for
_SILENT_SECONDS = 1.0  # without a block, after which a device counts as gone


class SoundOutput(NamedTuple):
    """Where sound can go."""

    kind: str
    """`jack` or `portaudio`."""
    name: str
    """As people know it."""


def find_sound_output() -> SoundOutput:
    """Look for a sound output in a separate process, because PortAudio can end the process it runs in.

    Raises:
        MissingExtraError: without pyo.
        SoundError: if there is none; the message says what to do.
    """
    _pyo()
    frozen = getattr(sys, "frozen", False)
    how = [sound_probe.FLAG] if frozen else ["-P", sound_probe.__file__]
    try:
        done = subprocess.run(
            [sys.executable, *how], capture_output=True, timeout=_PROBE_SECONDS, check=False
        )
        found = json.loads(done.stdout.splitlines()[-1])
        output = SoundOutput(found["kind"], found["name"])
    except (OSError, subprocess.TimeoutExpired, LookupError, ValueError):
        output = SoundOutput("none", "")  # the search itself broke down
    if output.kind not in ("jack", "portaudio"):
        raise SoundError(
            "There is no sound output: no JACK server runs and PortAudio finds no device. Start JACK, or "
            "connect a sound device and look at the system's sound settings; MIDI works without."
        )
    return output


def open_sound(
    synth: Synth,
    *,
    sample_rate: int | None = None,
    block: int = 512,
    name: str = "lakhnes",
    now: Callable[[], float] = time.perf_counter,
) -> SoundDevice:
    """Open the sound output; it is silent until it starts.

    Args:
        synth: what is heard; it restarts at the output's sample rate.
        sample_rate: in Hz, None for 48,000; a JACK server's own wins.
        block: frames that are rendered at once; a JACK server's own wins.
        name: what JACK calls it.
        now: clock of the notes' times.

    Raises:
        MissingExtraError: without pyo.
        OptionError: for a sample rate or block out of range.
        SoundError: if there is no output, or it cannot be opened.
    """
    if sample_rate is not None and sample_rate not in SAMPLE_RATES:
        low, high = SAMPLE_RATES[0], SAMPLE_RATES[-1]
        raise OptionError(f"A sample rate of {sample_rate} Hz is out of range; give {low} to {high}.")
    if block not in BLOCKS:
        raise OptionError(f"A block of {block} frames is out of range; give {BLOCKS[0]} to {BLOCKS[-1]}.")
    output = find_sound_output()
    pyo = _pyo()
    with _hushed():
        server = pyo.Server(
            sr=sample_rate or 48_000,
            nchnls=2,
            buffersize=block,
            duplex=0,
            audio=output.kind,
            jackname=name,
            verbosity=0,
        )
        server.deactivateMidi()
        server.boot()
    if not server.getIsBooted():
        raise SoundError(
            f"The sound output {output.name!r} cannot be opened. Close what else uses it, or try another "
            "sample rate."
        )
    return SoundDevice(pyo, server, synth, output, now)


class SoundDevice:
    """An open sound output that plays a synthesiser, the same on both channels.

    Attributes:
        name: `JACK`, or the device's name.
        sample_rate: in Hz.
        block: frames that are rendered at once.
        error: what went wrong while rendering; the sound is silent from then on.
    """

    def __init__(
        self, pyo: Any, server: Any, synth: Synth, output: SoundOutput, now: Callable[[], float]
    ) -> None:
        """Take over a booted server; see `open_sound`."""
        self.name = output.name
        self.sample_rate, self.block = round(server.getSamplingRate()), int(server.getBufferSize())
        self.error: Exception | None = None
        self._server, self._synth, self._now = server, synth, now
        self._table = pyo.DataTable(self.block)
        self._buffer = np.asarray(self._table.getBuffer())  # float32 [block], the table's own memory
        both = [self._table, self._table]
        self._output = pyo.TableRead(both, freq=self.sample_rate / self.block, loop=1, interp=1).out()
        self._started = False
        self._must_park = output.kind == "portaudio" and sys.platform == "linux"
        self._parking, self._parked, self._never = False, Event(), Event()
        self._since = self._last = 0.0  # times of the start and of the last block
        self._busy, self._overruns = 0.0, 0
        server.setCallback(self._fill)
        synth.prepare(self.sample_rate, self.block)

    @property
    def alive(self) -> bool:
        """Return whether the output has started and asks for sound."""
        started: int = self._server.getIsStarted()
        if not (self._started and started) or self.error is not None:
            return False
        return bool(self._now() - self._last < _SILENT_SECONDS + 8 * self.block / self.sample_rate)

    @property
    def dropouts(self) -> int:
        """Return how often sound was missing since the start."""
        return self._overruns + self._synth.interruptions

    @property
    def load(self) -> float:
        """Return the share of one core that rendering took since the start."""
        return self._busy / max(1e-9, self._last - self._since)

    def start(self) -> None:
        """Start the sound and reset the synthesiser.

        Raises:
            SoundError: if the output is gone.
        """
        if self._started:
            return
        if not self._server.getIsBooted():
            raise SoundError(f"The sound output {self.name!r} is gone. Open it again.")
        self._synth.prepare(self.sample_rate, self.block)
        self._busy, self._overruns, self.error = 0.0, 0, None
        self._since = self._last = self._now()
        self._started = True
        self._server.start()

    def stop(self) -> None:
        """Stop the sound."""
        if self._started:
            self._started = False
            if self._server.getIsStarted():
                self._park()
                self._server.stop()
                time.sleep(_STOP_SECONDS)
                self._parking = False

    def close(self) -> None:
        """Stop the sound and release the output; a second call does nothing."""
        self.stop()
        if self._server.getIsBooted():
            self._server.shutdown()

    def _park(self) -> None:
        """Make pyo's thread wait outside of Python.

        With ALSA, PortAudio stops by cancelling that thread wherever it is; within Python it would take the
        interpreter's lock with it.
        """
        if self._must_park:
            self._parked.clear()
            self._parking = True
            self._parked.wait(_PARK_SECONDS)
            time.sleep(0.02)  # from saying so to waiting

    def _fill(self) -> None:
        """Render the next block in pyo's thread, which catches no exceptions."""
        if self._parking:
            self._parked.set()
            self._never.wait(2 * _PARK_SECONDS)
            return
        begin = self._now()
        if self.error is None:
            try:
                self._buffer[:] = self._synth.render(self.block, begin)
            except Exception as error:
                self.error = error
                self._buffer[:] = 0
        self._last = self._now()
        took = self._last - begin
        self._busy += took
        self._overruns += took > self.block / self.sample_rate


def _pyo() -> Any:
    """Import pyo without its printed messages."""
    os.environ["PYO_GUI_WX"] = "0"
    os.environ.setdefault("JACK_NO_START_SERVER", "1")
    try:
        with redirect_stdout(_ForOthers(sys.stdout)):  # where there is no Tk it prints a paragraph
            return import_module("pyo")
    except ImportError as error:
        raise MissingExtraError("synth", "Sound") from error


class _ForOthers(io.TextIOBase):
    """A standard output that says nothing of what this thread prints, and all that others do."""

    def __init__(self, real: TextIO) -> None:
        self._real, self._thread = real, get_ident()

    def write(self, text: str) -> int:
        return len(text) if get_ident() == self._thread else self._real.write(text)

    def flush(self) -> None:
        self._real.flush()


@contextmanager
def _hushed() -> Iterator[None]:
    """Keep the messages of ALSA and JACK off the terminal while a device opens."""
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is no terminal
        yield
        return
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
