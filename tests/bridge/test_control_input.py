"""Keys that stay down, storms of all-notes-off, our own notes that come back; `live_rig` has no threads."""

import pytest
from live_rig import Rig

from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.echo import Echo
from lakhnes.runtime import Model, Voice

CHANNELS = (1, 2, 3, 10)


def heard(rig: Rig, *messages: bytes) -> ControlInput:
    control = ControlInput(rig.performance, None, CHANNELS)
    rig.performance.player.step(rig.now)
    for data in messages:
        control.receive(data, rig.now)
    rig.performance.player.step(rig.now)
    return control


def test_keys_that_are_held_too_long_are_let_go_and_others_sound_on(small_model: Model) -> None:
    rig = Rig(small_model)
    control = heard(rig, b"\x90\x3c\x40")
    rig.now = 5.0
    control.receive(b"\x91\x40\x40", rig.now)
    control.let_go(4.0)
    rig.performance.player.step(rig.now)
    assert rig.log.sounding == {Voice.P2: 64}
    control.receive(b"\x90\x3e\x40", rig.now)
    control.receive(b"\x80\x3e\x40", rig.now)
    rig.performance.player.step(rig.now)
    assert rig.log.sounding == {Voice.P2: 64}, "the old key does not come back"


def test_the_end_of_a_note_that_nobody_holds_ends_nothing(small_model: Model) -> None:
    rig = Rig(small_model)
    heard(rig, b"\x90\x3c\x40", b"\x80\x3d\x40", b"\x90\x3e\x00")
    assert rig.log.sounding == {Voice.P1: 60}


def test_a_storm_of_all_notes_off_counts_once_and_at_a_start_not_at_all(small_model: Model) -> None:
    rig = Rig(small_model, bpm=120)
    control = ControlInput(rig.performance, None, CHANNELS)
    silences: list[float] = []
    rig.log.silence = silences.append  # type: ignore[method-assign]
    storm = [bytes([0xB0 | channel, 123, 0]) for channel in range(16)]
    rig.start()
    rig.play(0.05)
    silences.clear()
    for data in storm:
        control.receive(data, rig.now)
    rig.play(0.1)
    assert silences == []
    rig.play(1.0)
    for data in storm:
        control.receive(data, rig.now)
    rig.play(0.05)
    assert len(silences) == 1
    rig.play(1.0)
    control.receive(storm[0], rig.now)
    rig.play(0.05)
    assert len(silences) == 2


def test_what_we_sent_a_moment_ago_is_no_bodys_playing(small_model: Model) -> None:
    rig = Rig(small_model)
    echo = Echo(lambda: rig.now)
    control = ControlInput(rig.performance, None, CHANNELS, echo=echo)
    assert echo.check() is None
    for data in (b"\x90\x3c\x7f", b"\x80\x3c\x40", b"\xb0\x7b\x00", b"\xf8"):
        echo.sent(data)
        rig.now += 0.05
        control.receive(data, rig.now)
    assert rig.performance.player.taken == frozenset()
    assert "its own notes" in str(echo.check())
    rig.now += 6
    assert echo.check() is None
    control.receive(b"\x90\x3c\x7f", rig.now)
    assert rig.performance.player.taken == {Voice.P1}, "that was long ago"


@pytest.mark.parametrize("played", [b"\x90\x3c\x7e", b"\x90\x3d\x7f", b"\x91\x3c\x7f"])
def test_another_note_is_somebodys(small_model: Model, played: bytes) -> None:
    rig = Rig(small_model)
    echo = Echo(lambda: rig.now)
    control = ControlInput(rig.performance, None, CHANNELS, echo=echo)
    echo.sent(b"\x90\x3c\x7f")
    control.receive(played, rig.now)
    assert rig.performance.player.taken


def test_each_message_comes_back_once() -> None:
    echo = Echo(lambda: 0.0)
    echo.sent(b"\x90\x3c\x7f")
    assert [echo.is_ours(b"\x90\x3c\x7f") for _ in range(2)] == [True, False]
