"""`lakhnes play` opens a port, plays for 3 s and closes it; CI runs this on macOS and Windows."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import mido
import pytest
from jack import jack_server

pytestmark = pytest.mark.jack if sys.platform == "linux" else ()

SECONDS = 3


@pytest.fixture
def options() -> Iterator[list[str]]:
    """What `play` needs to have a port here."""
    pytest.importorskip("rtmidi")
    from lakhnes.bridge.ports import list_ports

    with ExitStack() as stack:
        if sys.platform == "win32":
            names = [port.name for port in list_ports() if port.direction == "output"]
            if not names:
                pytest.skip("this Windows has no MIDI port, and programs can make none")
            yield ["--port", names[0]]
        elif sys.platform == "darwin":
            yield ["--virtual", "Smoke"]
        else:
            stack.enter_context(jack_server())
            yield ["--virtual", "Smoke", "--backend", "jack"]


def test_it_opens_plays_and_closes(options: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lakhnes.cli", "play", "--json", "--seed", "4"]
    command += ["--seconds", str(SECONDS), "--clock-out", "--record", "take.mid", *options]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    told = [json.loads(line) for line in done.stdout.splitlines()]
    events = [event["event"] for event in told]
    assert events[0] == "ready"
    assert "end" in events
    assert next(event for event in told if event["event"] == "end")["sent"] > 0
    file = mido.MidiFile(tmp_path / "take.mid")
    notes = [message for track in file.tracks for message in track if message.type in ("note_on", "note_off")]
    begun = sum(message.type == "note_on" and message.velocity > 0 for message in notes)
    assert 0 < begun == len(notes) - begun
