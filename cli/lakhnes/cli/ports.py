"""`lakhnes ports`: list the MIDI ports."""

from __future__ import annotations

import json
from dataclasses import asdict

from lakhnes.cli.options import JsonFlag
from lakhnes.cli.printing import say


def ports(as_json: JsonFlag = False) -> None:
    """List the MIDI ports, outputs and inputs."""
    from lakhnes.bridge.ports import list_ports
    from lakhnes.bridge.rtmidi_backend import answering_backends, rtmidi_backend

    backends = answering_backends() or [rtmidi_backend()]  # the latter says why there is none
    found = list_ports(backends)
    if as_json:
        say(json.dumps([asdict(port) for port in found]))
        return
    for backend in backends:
        say(f"{backend.name}{'' if backend.can_open_virtual else ' (makes no new ports)'}")
        for direction, meaning in (("output", "to play to"), ("input", "to hear")):
            names = [
                port.name for port in found if (port.backend, port.direction) == (backend.name, direction)
            ]
            for place, name in enumerate(names or ["none"]):
                say(f"  {'' if place else meaning:<12}{name}")
