"""The app beside a DAW: its port is heard, its clock follows, and a server that dies comes back."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from desk import BAR, Desk
from jack import JackServer, jack_server
from PySide6.QtCore import Qt
from rig import Rig

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.gui.roll import Selection
from lakhnes.runtime import Voice
from lakhnes.studio.state import SongState

pytestmark = [pytest.mark.gui, pytest.mark.jack]

PORT = "LakhNES:LakhNES"
CONTROL = "LakhNES Control:LakhNES Control"


@pytest.fixture
def server() -> Iterator[JackServer]:
    pytest.importorskip("rtmidi")
    with jack_server() as running:
        yield running


@pytest.fixture
def rig(server: JackServer, tmp_path: Path, small: Path) -> Iterator[Rig]:
    rig = Rig(server, tmp_path, small)
    with rig.stack:
        yield rig


@pytest.fixture
def at(server: JackServer, sit: Callable[..., AbstractContextManager[Desk]]) -> Iterator[Desk]:
    with sit(ports=()) as made:
        made.until(lambda: made.studio.view().ports == ("LakhNES",))
        yield made


def test_a_daw_hears_what_is_seen_and_nothing_of_muted_voices(at: Desk, rig: Rig) -> None:
    monitor = rig.monitor()
    rig.server.connect(PORT, monitor.port)
    at.composed(4)
    at.settle()
    at.qtbot.keyClick(at.window, Qt.Key.Key_Space)
    at.until(lambda: at.studio.view().place > 2 * BAR)
    at.qtbot.keyClick(at.window, Qt.Key.Key_Space)
    at.until(lambda: not at.studio.view().playing)
    state = at.state
    heard = [m for m in monitor.notes() if m.is_on]
    channels = [voice.channel - 1 for voice in state.voices]
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        seen = [n.pitch for n in state.score.parts[voice].notes if n.onset < state.grid.sample(2 * BAR - 240)]
        pitches = [m.data[1] for m in heard if m.data[0] & 0x0F == channels[voice]]
        assert pitches[: len(seen)] == seen
    assert heard
    at.until(lambda: not any({(m.data[0] & 0x0F, m.data[1]): m.is_on for m in monitor.notes()}.values()))
    ons = len([m for m in monitor.notes() if m.is_on])
    for voice in Voice:
        at.choose(f"muted-{voice.name}")
    at.window.refresh()
    at.studio.playback.play()
    at.until(lambda: at.studio.view().place > 3 * BAR)
    assert len([m for m in monitor.notes() if m.is_on]) == ons


def test_the_channel_of_a_voice_can_be_changed_while_it_plays(at: Desk, rig: Rig) -> None:
    monitor = rig.monitor()
    rig.server.connect(PORT, monitor.port)
    at.composed(4)
    at.studio.playback.play()
    at.until(lambda: at.studio.view().sent > 4)
    for voice in Voice:
        at.studio.session.change_voice("Channel", voice, channel=5 + voice)
    at.window.refresh()
    at.qtbot.wait(500)  # the monitor writes in blocks
    before = len(monitor.messages())
    at.until(lambda: len([m for m in monitor.messages()[before:] if m.is_on]) > 3)
    assert {m.data[0] & 0x0F for m in monitor.messages()[before:] if m.is_on} <= {4, 5, 6, 7}


def test_a_daws_clock_is_followed(at: Desk, rig: Rig) -> None:
    at.composed(4)
    transport = rig.start("jack_transport", stdin=subprocess.PIPE)
    clock = rig.start("jack_midi_clock", "-d", "0.4")
    rig.server.connect("jack_midi_clock:mclk_out", CONTROL)
    at.qtbot.mouseClick(at.window.transport.daw, Qt.MouseButton.LeftButton)
    at.until(lambda: "wait" in at.window.transport.clock_status.text())
    assert transport.stdin is not None
    for line in ("master", "tempo 150", "locate 0", "play"):
        transport.stdin.write(f"{line}\n")
        transport.stdin.flush()
    at.until(lambda: at.studio.view().clock is ClockStatus.RUNNING and at.studio.view().sent > 3)
    at.until(lambda: abs(at.studio.view().bpm - 150) < 4)
    at.until(lambda: abs(at.window.transport.tempo.value() - 150) < 4)
    transport.stdin.write("stop\n")
    transport.stdin.flush()
    at.until(lambda: not at.studio.view().playing)
    transport.stdin.write("play\n")
    transport.stdin.flush()
    at.until(lambda: at.studio.view().playing)
    clock.kill()
    at.until(lambda: at.studio.view().clock is ClockStatus.LOST)
    at.until(lambda: "lost" in at.window.transport.clock_status.text())


def test_a_song_goes_on_when_the_server_dies_and_sounds_when_it_is_back(at: Desk, rig: Rig) -> None:
    at.composed(4)
    at.studio.playback.play()
    at.until(lambda: at.studio.view().sent > 3)
    rig.server.kill()
    at.until(lambda: bool(at.studio.view().problems))
    at.until(lambda: "MIDI" in at.window.messages.text.text() or "port" in at.window.messages.text.text())
    place = at.studio.view().place
    at.until(lambda: at.studio.view().place > place + 480)
    rig.server.start()
    at.until(lambda: not at.studio.view().problems)
    monitor = rig.monitor("back")
    rig.server.connect(PORT, monitor.port)
    at.until(lambda: len([m for m in monitor.messages() if m.is_on]) > 3)


def begun(state: SongState) -> list[tuple[int, int]]:
    """Onset and pitch of the first notes of the triangle; the last of them may still sound."""
    return [(note.onset, note.pitch) for note in state.score.parts[Voice.TR].notes[:4]]


def test_the_walk_of_a_new_user(
    at: Desk, sit: Callable[..., AbstractContextManager[Desk]], tmp_path: Path
) -> None:
    at.composed(8)
    at.qtbot.keyClick(at.window, Qt.Key.Key_Space)
    at.until(lambda: at.studio.view().sent > 3)
    at.choose("locked-TR")
    bass = begun(at.state)
    assert bass
    at.window.roll.set_selection(Selection(0, 4 * BAR, frozenset({Voice.P1})))
    at.choose("regenerate")
    at.until(lambda: at.window.takes.ready == 4)
    at.choose("take-2")
    at.studio.session.change("Key", scale="C major")
    at.choose("play")
    at.until(lambda: not at.studio.view().playing)
    at.settle()
    at.answers = [str(tmp_path / "walk.lakhnes")]
    at.choose("save")
    at.until(lambda: not at.studio.session.changed)
    saved = at.state
    at.window.close()
    with sit() as again:
        again.answers = [str(tmp_path / "walk.lakhnes")]
        again.choose("open")
        again.until(
            lambda: again.state.seed == saved.seed and again.state.score.n_notes >= saved.score.n_notes
        )
        assert begun(again.state)[: len(bass)] == bass
        assert (again.state.scale, again.state.voices) == ("C major", saved.voices)
