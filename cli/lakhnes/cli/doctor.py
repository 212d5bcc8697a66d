"""`lakhnes doctor`: check the machine, and name the next step for each problem."""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import typer

from lakhnes.cli.options import JsonFlag
from lakhnes.cli.printing import say

PYTHONS = ((3, 11), (3, 12), (3, 13))
"""Python versions that lakhnes supports."""

_EXTRAS = {
    "live": ("rtmidi",),
    "synth": ("pyo",),
    "link": ("link",),
    "osc": ("pythonosc",),
    "gui": ("PySide6",),
    "train": ("torch", "onnx"),
    "cluster": ("dask", "distributed"),
}
"""Modules of the optional extras."""

_MEASURE_SECONDS = 0.3


@dataclass(frozen=True, slots=True)
class Check:
    """One checked thing."""

    name: str
    """Name, in a word or two."""
    ok: bool
    """Whether it works."""
    found: str
    """Finding: its version or state, or the problem."""
    next_step: str = ""
    """Next step, if it does not work."""
    needed: bool = False
    """Whether composing needs it."""


def doctor(as_json: JsonFlag = False) -> None:
    """Check what is installed and working, and print the next step for each problem."""
    checks = [
        check
        for name, look in (
            ("Python", _python),
            ("model", _model),
            ("folders", _folders),
            ("sound chip", _chip),
            ("extras", _extras),
            ("MIDI", _midi),
            ("sound", _sound),
        )
        for check in _guarded(name, look)
    ]
    fine = all(check.ok for check in checks if check.needed)
    if as_json:
        say(json.dumps({"ok": fine, "checks": [asdict(check) for check in checks]}))
    else:
        for check in checks:
            step = f": {check.next_step}" if check.next_step else ""
            say(f"{'ok' if check.ok else 'missing':<9}{check.name:<20}{check.found}{step}")
    if not fine:
        raise typer.Exit(1)


def _guarded(name: str, look: Callable[[], list[Check]]) -> list[Check]:
    """Return the findings of one check; an exception is a finding too."""
    try:
        return look()
    except Exception as error:
        return [Check(name, False, str(error) or type(error).__name__, needed=name in ("Python", "model"))]


def _python() -> list[Check]:
    fine = sys.version_info[:2] in PYTHONS
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    *others, last = (f"{major}.{minor}" for major, minor in PYTHONS)
    step = f"install Python {', '.join(others)} or {last}"
    return [Check("Python", fine, found, "" if fine else step, needed=True)]


def _model() -> list[Check]:
    from lakhnes.runtime import DEFAULT_MODEL, LakhnesError, Model

    start = time.perf_counter()
    try:
        model = Model.load()
        loaded = time.perf_counter()
        model.prefill([0] * model.info.mem_len)  # the slowest case, in a long song
        begun, steps = time.perf_counter(), 0
        while time.perf_counter() - begun < _MEASURE_SECONDS:
            model.step(0)
            steps += 1
    except LakhnesError as error:
        return [Check("model", False, str(error), "install lakhnes anew", needed=True)]
    speed = steps / (time.perf_counter() - begun)
    found = f"{DEFAULT_MODEL} loads in {loaded - start:.2f} s and does {speed:.0f} events a second"
    return [Check("model", True, found, needed=True)]


def _folders() -> list[Check]:
    import platformdirs

    checks = []
    for name, path in (
        ("data folder", platformdirs.user_data_path("lakhnes", appauthor=False)),
        ("cache folder", platformdirs.user_cache_path("lakhnes", appauthor=False)),
        ("settings of the app", platformdirs.user_config_path("lakhnes", appauthor=False)),
        ("unsaved songs", platformdirs.user_state_path("lakhnes", appauthor=False)),
    ):
        fine = _can_write(path)
        step = "" if fine else "cannot be written, change its permissions"
        checks.append(Check(name, fine, str(path), step))
    return checks


def _can_write(folder: Path) -> bool:
    """Return whether a folder accepts files, or can be created."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _chip() -> list[Check]:
    from lakhnes.apu import Renderer

    Renderer()
    return [Check("sound chip", True, "compiled")]


def _has(extra: str) -> bool:
    return all(importlib.util.find_spec(module) is not None for module in _EXTRAS[extra])


def _extras() -> list[Check]:
    return [
        Check(f"extra {extra}", True, "installed")
        if _has(extra)
        else Check(f"extra {extra}", False, "not installed", _step_to(extra))
        for extra in _EXTRAS
        if _has(extra) or not getattr(sys, "frozen", False)
    ]


def _step_to(extra: str) -> str:
    from lakhnes.runtime.errors import step_to_extra

    return step_to_extra(extra)


def _midi() -> list[Check]:
    from lakhnes.bridge.ports import list_ports
    from lakhnes.bridge.rtmidi_backend import answering_backends, rtmidi_backend
    from lakhnes.runtime import LakhnesError

    try:
        backends = answering_backends() or [rtmidi_backend()]
        ports = list_ports(backends)
    except LakhnesError as error:
        return [Check("MIDI", False, str(error))]
    outputs = sum(port.direction == "output" for port in ports)
    virtual = [backend.name for backend in backends if backend.can_open_virtual]
    return [
        Check("MIDI", True, ", ".join(backend.name for backend in backends)),
        Check(
            "MIDI ports", True, f"{outputs} to play to, {len(ports) - outputs} to hear; see `lakhnes ports`"
        ),
        Check("own ports", True, f"can be made on {', '.join(virtual)}")
        if virtual
        else Check(
            "own ports",
            False,
            "this system lets no program make them",
            'use a port of loopMIDI or of Windows MIDI Services ("Default App Loopback")',
        ),
    ]


def _sound() -> list[Check]:
    from lakhnes.apu import find_sound_output
    from lakhnes.runtime.errors import MissingExtraError, SoundError

    try:
        output = find_sound_output()
    except (MissingExtraError, SoundError) as error:
        return [Check("sound output", False, str(error))]
    how = "a JACK server" if output.kind == "jack" else f"{output.name}, by PortAudio"
    return [Check("sound output", True, how)]
