"""The effect of OSC messages on a stage, and the messages it sends; `docs/osc.md` lists all addresses."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from lakhnes.bridge import gm
from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.osc import Command, OscOutput
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.time.grid import TEMPI_BPM

if TYPE_CHECKING:
    from lakhnes.studio.stage import Stage

TEMPERATURES = (0.05, 5.0)
"""Lowest and highest temperature."""
DENSITIES = (-5.0, 5.0)
"""Lowest and highest density."""
MOST_TOP_K = 10_000
"""Highest top-k; 0 switches it off."""
_LAST_BAR = 100_000
_HALF = 0.5
"""From here on a switch is on."""
_TELL_SECONDS = 0.02
_STOP_SECONDS = 1.0


class OscRemote:
    """A remote control of an open stage by OSC messages."""

    def __init__(self, stage: Stage) -> None:
        """Take a stage that has a performance."""
        self._stage = stage

    def commands(self) -> Mapping[str, Command]:
        """Return what each address does."""
        stage = self._stage
        voices, bit, midi = (1, len(Voice)), (0, 1), (0, 127)
        return {
            "/play": _taking(lambda: self._run(True)),
            "/stop": _taking(lambda: self._run(False)),
            "/toggle": _taking(self._toggle),
            "/bar": _taking(self._go_to_bar, (1, _LAST_BAR)),
            "/tempo": _taking(self._change_tempo, TEMPI_BPM),
            "/temperature": _taking(self._sample("temperature"), TEMPERATURES),
            "/top_k": _taking(lambda k: self._sample("top_k")(int(k) or None), (0, MOST_TOP_K)),
            "/density": _taking(self._change_density, DENSITIES),
            "/mute": _taking(self._mute, voices, bit),
            "/take": _taking(stage.performance.new_take),
            "/panic": _taking(stage.performance.player.panic),
            "/note": _taking(self._note, voices, midi, midi),
        }

    def _run(self, on: bool) -> None:
        if self._stage.switch.state(time.perf_counter()).running != on:
            self._toggle()

    def _toggle(self) -> None:
        if not self._stage.toggle():
            raise OptionError("The DAW starts and stops the music.")

    def _go_to_bar(self, bar: float) -> None:
        clock = self._stage.clock
        if not isinstance(clock, InternalClock):
            raise OptionError("Another clock is followed. It decides where the music is.")
        clock.seek((int(bar) - 1) * self._stage.beats_per_bar, time.perf_counter())
        self._stage.performance.wake()

    def _change_tempo(self, bpm: float) -> None:
        if not self._stage.set_bpm(bpm):
            raise OptionError("Another clock is followed. It decides the tempo.")

    def _sample(self, name: str) -> Callable[[float | None], None]:
        """Return what changes a value of the sampling."""

        def change(value: float | None) -> None:
            request = self._stage.performance.status().request
            sampling = replace(request.sampling, **{name: value})  # type: ignore[arg-type]
            self._stage.performance.steer(replace(request, sampling=sampling))

        return change

    def _change_density(self, density: float) -> None:
        performance = self._stage.performance
        performance.steer(replace(performance.status().request, density=density))

    def _mute(self, voice: float, on: float) -> None:
        self._stage.performance.player.mute(Voice(int(voice) - 1), on >= _HALF)

    def _note(self, number: float, key: float, velocity: float) -> None:
        voice, hands = Voice(int(number) - 1), self._stage.performance.hands
        if velocity < 1:
            hands.release(voice)
            return
        pitch = gm.noise_of_drum(int(key)) if voice is Voice.NO else max(1, int(key))
        hands.press(voice, pitch, gm.volume_of_midi(int(velocity)))


def _taking(do: Callable[..., object], *ranges: tuple[float, float]) -> Command:
    """Return a command that checks the numbers of a message against their ranges."""

    def command(numbers: Sequence[float]) -> None:
        if len(numbers) != len(ranges):
            raise OptionError(f"It takes {len(ranges)} numbers, not {len(numbers)}.")
        for number, (low, high) in zip(numbers, ranges, strict=True):
            if not low <= number <= high:
                raise OptionError(f"{number:g} is out of range; give {low:g} to {high:g}.")
        do(*numbers)

    return command


class OscTeller:
    """Tells where the music is, by OSC, whenever that changes."""

    def __init__(self, stage: Stage, output: OscOutput) -> None:
        """Begin, on a thread of its own."""
        self._stage, self._output = stage, output
        self._told: dict[str, tuple[float | int | str, ...]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lakhnes OSC out", daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """Tell what has changed since the last call."""
        status = self._stage.performance.status()
        said: dict[str, tuple[float | int | str, ...]] = {
            "/out/state": (str(status.clock.status),),
            "/out/tempo": (round(status.clock.bpm, 2),),
            "/out/beat": (status.bar, status.beat),
            "/out/problem": (" ".join(status.problems),),
        }
        for address, arguments in said.items():
            if self._told.get(address) != arguments:
                self._output.send(address, *arguments)
        self._told = said

    def close(self) -> None:
        """Tell no more."""
        self._closing.set()
        self._thread.join(_STOP_SECONDS)

    def _run(self) -> None:
        while not self._closing.wait(_TELL_SECONDS):
            self.tell()
