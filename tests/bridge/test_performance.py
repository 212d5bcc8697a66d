"""Performances in a time of our own; `live_rig` has no threads."""

import random
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_rig import Log, Rig

from lakhnes.bridge import gm
from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.controls import Control, ControlMap, steered
from lakhnes.bridge.performance import Performance
from lakhnes.runtime import (
    BeatGrid,
    Event,
    Kind,
    LiveComposer,
    Model,
    Note,
    OptionError,
    Part,
    Request,
    Score,
    Voice,
)

BAR = 4 * 480
CHANNELS = (1, 2, 3, 10)


def timeline_notes(rig: Rig, first: int, last: int) -> list[tuple[Voice, int]]:
    moments = rig.performance.composer.timeline.moments(first, last)
    return [
        (m.event.voice, m.event.value)
        for m in moments
        if m.event.kind is Kind.NOTE_ON and m.event.voice is not None
    ]


def test_what_is_composed_is_played_in_time(small_model: Model) -> None:
    rig = Rig(small_model)
    rig.start()
    rig.play(16.0)
    assert rig.performance.player.gaps == 0
    assert rig.log.notes() == timeline_notes(rig, 0, 8 * BAR)
    for at, _, pitch in rig.log.said:
        rows = at / 60 * 120 * 4
        assert pitch is None or rows == pytest.approx(round(rows), abs=1e-3)


def test_the_recording_is_what_was_played(small_model: Model) -> None:
    rig = Rig(small_model, bpm=100)
    rig.start()
    rig.play(11.9)
    rig.clock.stop(rig.now)
    rig.play(0.1)
    score, grid = rig.recorder.music()
    recorded = sorted((note.onset, voice, note.pitch) for voice in Voice for note in score.parts[voice].notes)
    assert [(voice, pitch) for _, voice, pitch in recorded] == rig.log.notes()
    assert grid.bpm == pytest.approx(100)
    assert all(grid.tick(onset) % 120 == 0 for onset, _, _ in recorded)


def test_a_loop_of_the_daw_replays_and_records_bar_by_bar(small_model: Model) -> None:
    rig = Rig(small_model)
    rig.start()
    rig.play(3.99)  # nothing of the bar after it
    tokens = rig.performance.composer.n_tokens
    once = rig.log.notes()
    for _ in range(3):
        rig.clock.seek(0.0, rig.now)
        rig.play(3.99)  # nothing of the bar after it
    assert rig.log.notes() == 4 * once
    assert rig.performance.composer.n_tokens == tokens, "nothing new is composed for a loop"
    score, grid = rig.recorder.music()
    onsets = {grid.tick(note.onset) for part in score.parts for note in part.notes}
    assert {tick % (2 * BAR) for tick in onsets} == {tick for tick in onsets if tick < 2 * BAR}


@pytest.mark.parametrize("offset", [-0.1, 0.1])
def test_an_offset_keeps_the_bars_of_a_recorded_loop(small_model: Model, offset: float) -> None:
    rig = Rig(small_model, offset_seconds=offset)
    rig.start()
    rig.play(4.0)
    for _ in range(3):
        rig.clock.seek(0.0, rig.now)
        rig.play(4.0)
    score, grid = rig.recorder.music()
    assert grid.tick(score.length) <= 8 * BAR + 480
    assert score.n_notes > 20


def test_a_recording_begins_with_a_bar(small_model: Model) -> None:
    rig = Rig(small_model)
    rig.start(10.0)  # the third beat of the third bar
    rig.play(3.0)
    rig.clock.stop(rig.now)
    rig.play(0.1)
    score, grid = rig.recorder.music()
    first = min(note.onset for part in score.parts for note in part.notes)
    assert grid.tick(first) >= 2 * 480
    assert grid.tick(first) < BAR


def test_a_tempo_change_stretches_the_same_music(small_model: Model) -> None:
    slow, fast = Rig(small_model, bpm=90), Rig(small_model.twin(), bpm=90)
    for rig in (slow, fast):
        rig.start()
        rig.play(2.0)
    fast.clock.set_bpm(150, fast.now)
    slow.play(9.9)
    fast.play(5.94)  # to the same beat, between two rows
    fast.clock.stop(fast.now)
    assert fast.log.notes() == slow.log.notes()
    score, grid = fast.recorder.music()
    assert [round(bpm) for _, bpm in grid.tempi] == [90, 150]
    assert score.n_notes in range(len(fast.log.notes()) - 3, len(fast.log.notes()) + 1)


def test_a_composer_that_is_late_is_counted_and_resumed_on_a_beat(small_model: Model) -> None:
    rig = Rig(small_model)
    rig.start()
    known = rig.performance.composer.timeline.known_until(0) / 480 / 2  # seconds
    rig.play(known + 1.3, composing=False)
    assert rig.performance.player.gaps == 1
    assert not rig.log.sounding
    silent = rig.now
    assert rig.performance.status().waiting
    rig.play(6.0)
    assert not rig.performance.status().waiting
    resumed = next(at for at, _, pitch in rig.log.said if at > silent and pitch is not None)
    assert resumed < silent + 3
    assert rig.performance.player.gaps == 1


def test_another_take_comes_with_a_bar(small_model: Model) -> None:
    rig, same = Rig(small_model, ahead_bars=4), Rig(small_model.twin(), ahead_bars=4)
    for each in (rig, same):
        each.start()
        each.play(2.5)
    rig.performance.new_take()
    for each in (rig, same):
        each.play(9.5)
    a, b = rig.performance.composer.timeline, same.performance.composer.timeline
    different = [
        bar
        for bar in range(6)
        if a.moments(bar * BAR, bar * BAR + BAR) != b.moments(bar * BAR, bar * BAR + BAR)
    ]
    assert different
    assert different[0] >= 2
    assert rig.performance.player.gaps == 0


@pytest.mark.parametrize("anew", [True, False])
def test_steering_is_heard_from_the_next_bar_on_or_after_what_is_there(
    small_model: Model, anew: bool
) -> None:
    def played(steers: bool) -> list[tuple[Voice, int, int]]:
        rig = Rig(small_model, anew=anew)
        rig.start()
        rig.play(2.5)
        if steers:
            request = rig.performance.status().request
            rig.performance.steer(replace(request, density=-3.0))
        rig.play(9.5)
        assert rig.performance.player.gaps == 0
        return [(voice, pitch, int(at // 2)) for at, voice, pitch in rig.log.said if pitch is not None]

    before, after = played(False), played(True)
    last = 1 if anew else 3  # bars; two are composed ahead of the second
    assert [note for note in after if note[2] <= last] == [note for note in before if note[2] <= last]
    assert [note for note in after if note[2] > last] != [note for note in before if note[2] > last]
    if anew:
        assert sum(note[2] == 2 for note in after) < sum(note[2] == 2 for note in before)


def test_what_was_heard_stays_when_steering_changes(small_model: Model) -> None:
    rig = Rig(small_model, anew=True)
    rig.start()
    rig.play(7.9)
    once = rig.log.notes()
    rig.log.said.clear()
    rig.clock.seek(0.0, rig.now)
    rig.performance.steer(replace(rig.performance.status().request, density=3.0))
    rig.play(7.9)
    assert rig.log.notes() == once


def test_controllers(small_model: Model) -> None:
    rig = Rig(small_model)
    performance = rig.performance
    heard = ControlInput(performance, None, CHANNELS)
    rig.start()
    heard.receive(bytes([0xB0, 73, 127]), 0)
    heard.receive(bytes([0xB5, 70, 127]), 0)
    heard.receive(bytes([0xBF, 72, 0]), 0)
    heard.receive(bytes([0xB0, 1, 99]), 0)
    rig.play(4.0)
    assert Voice.P1 not in {voice for voice, _ in rig.log.notes()}
    status = performance.status()
    assert status.muted == {Voice.P1}
    assert status.request.sampling.temperature == pytest.approx(1.59)
    assert status.request.density == -3
    assert rig.performance.composer.request == status.request
    heard.receive(bytes([0xB0, 73, 0]), 0)
    heard.receive(bytes([0xB0, 77, 127]), 0)
    rig.play(0.01)
    assert performance.status().muted == frozenset()
    assert performance.status().take == 1
    while not rig.log.sounding:
        rig.play(0.1)
    heard.receive(bytes([0xB0, 123, 0]), 0)
    performance.player.step(rig.now)
    assert not rig.log.sounding


def test_the_control_map() -> None:
    usual = Request()
    assert steered(usual, Control.TEMPERATURE, 64).sampling.temperature == 0.95
    assert steered(usual, Control.TOP_K, 127).sampling.top_k is None
    assert steered(usual, Control.TOP_K, 0).sampling.top_k == 1
    assert [steered(usual, Control.DENSITY, value).density for value in (0, 64, 127)] == [-3, 0, 3]
    learned = ControlMap().learned(1, Control.DENSITY)
    assert learned.find(1) is Control.DENSITY
    assert learned.find(72) is None
    assert learned.find(120) is Control.PANIC
    with pytest.raises(OptionError, match="no controller 120"):
        learned.learned(120, Control.DENSITY)


def test_the_next_controller_that_moves_is_learned(small_model: Model) -> None:
    rig = Rig(small_model)
    performance = rig.performance
    heard = ControlInput(performance, None, CHANNELS)
    performance.learning = Control.DENSITY
    heard.receive(bytes([0xB0, 123, 0]), 0)  # a DAW that starts
    assert performance.learning is Control.DENSITY
    heard.receive(bytes([0xB3, 21, 127]), 0)
    assert performance.learning is None
    assert performance.status().request.density == 0, "the controller is learned, not yet heeded"
    heard.receive(bytes([0xB3, 21, 127]), 0)
    heard.receive(bytes([0xB3, 72, 0]), 0)
    assert performance.status().request.density == 3


@given(st.dictionaries(st.sampled_from(Control.learnable()), st.integers(0, 119)))
def test_a_map_of_controllers_is_read_as_it_was_written(wanted: dict[Control, int]) -> None:
    controls = ControlMap(())
    for control, controller in wanted.items():
        controls = controls.learned(controller, control)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "controllers.json"
        controls.write(path)
        assert ControlMap.read(path) == controls


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "does not map"),
        ("[1, 2]", "does not map"),
        ('{"volume": 7}', "temperature"),
        ('{"density": "x"}', "no number"),
        ('{"density": 120}', "no controller 120"),
        ('{"panic": 20}', "of its own"),
        ("[" * 100_000, "does not map"),
    ],
)
def test_a_file_that_is_no_map_of_controllers(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "controllers.json"
    path.write_text(text)
    with pytest.raises(OptionError, match=problem) as caught:
        ControlMap.read(path)
    assert str(path) in str(caught.value)
    with pytest.raises(OptionError, match="cannot be read"):
        ControlMap.read(tmp_path / "nowhere.json")


def test_playing_along(small_model: Model) -> None:
    rig = Rig(small_model)
    heard = ControlInput(rig.performance, None, CHANNELS)
    rig.start()
    rig.play(2.0)
    for beat in range(16):
        heard.receive(bytes([0x90, 60 + beat, 100]), rig.now)
        rig.play(0.3)
        heard.receive(bytes([0x80, 60 + beat, 0]), rig.now)
        rig.play(0.2)
    mine = [pitch for at, voice, pitch in rig.log.said if voice is Voice.P1 and pitch and at >= 2.0]
    assert mine == [60 + beat for beat in range(16)]
    composed = rig.performance.composer.timeline.moments(6 * BAR // 2, 9 * BAR // 2)
    theirs = [m.event.value for m in composed if m.event.voice is Voice.P1 and m.event.kind is Kind.NOTE_ON]
    assert theirs
    assert set(theirs) <= set(range(60, 76)), "the composer hears them, and composes none itself"
    assert rig.performance.status().taken == {Voice.P1}
    rig.play(4 * 2.0 + 4.0)
    assert rig.performance.status().taken == frozenset(), "after four bars of rest the voice is given back"


def test_notes_of_a_keyboard_become_one_voice(small_model: Model) -> None:
    rig = Rig(small_model)
    heard = ControlInput(rig.performance, None, CHANNELS)
    for data in ((0x90, 60, 90), (0x90, 64, 90), (0x80, 64, 0), (0x90, 60, 0)):
        heard.receive(bytes(data), 0)
        rig.performance.player.step(rig.now)
    assert [pitch for _, _, pitch in rig.log.said] == [60, None, 64, None, 60, None]
    heard.receive(bytes([0x99, 38, 100]), 0)
    heard.receive(bytes([0x92, 5, 100]), 0)
    rig.performance.player.step(rig.now)
    assert rig.log.sounding[Voice.NO] == gm.noise_of_drum(38)
    assert rig.log.sounding[Voice.TR] == 29


def test_all_notes_off_lets_go_of_what_is_held(small_model: Model) -> None:
    rig = Rig(small_model)
    heard = ControlInput(rig.performance, None, CHANNELS)
    for data in ((0x90, 60, 90), (0xB0, 123, 0), (0x90, 64, 90), (0x80, 64, 0)):
        heard.receive(bytes(data), 0)
        rig.performance.player.step(rig.now)
    assert not rig.log.sounding


def test_releasing_a_lower_key_leaves_the_one_that_sounds(small_model: Model) -> None:
    rig = Rig(small_model)
    heard = ControlInput(rig.performance, None, CHANNELS)
    for data in ((0x90, 60, 90), (0x90, 64, 90), (0x80, 60, 0)):
        heard.receive(bytes(data), 0)
        rig.performance.player.step(rig.now)
    assert [pitch for _, _, pitch in rig.log.said] == [60, None, 64]


def test_what_we_send_and_hear_again_does_not_go_round(small_model: Model) -> None:
    rig = Rig(small_model)
    heard = ControlInput(rig.performance, None, CHANNELS)
    silences = []

    class Back(Log):
        def silence(self, at: float) -> None:
            silences.append(at)
            for control in (120, 123):
                heard.receive(bytes([0xB0, control, 0]), at)

    rig.performance.player.outlets = (Back(),)
    rig.start()
    rig.play(1.0)
    rig.performance.player.panic()
    rig.play(1.0)
    assert len(silences) < 20


def test_a_held_note_keeps_its_voice_and_a_limit_on_notes_does_not_stop_the_others(
    small_model: Model,
) -> None:
    rig = Rig(small_model, seed=1)
    rig.performance.steer(replace(rig.performance.status().request, max_note_seconds=0.3))
    rig.start()
    rig.play(1.0)
    rig.performance.hands.press(Voice.P1, 60, 12)
    rig.play(14.0)
    assert rig.performance.status().taken == {Voice.P1}, "six bars, and the key is still down"
    assert rig.log.sounding.get(Voice.P1) == 60
    assert {voice for at, voice, pitch in rig.log.said if pitch and at > 8} - {Voice.P1}


def test_a_note_shorter_than_a_row_still_ends(small_model: Model) -> None:
    rig = Rig(small_model)
    rig.start()
    rig.play(1.0)
    rig.performance.hands.press(Voice.P1, 61, 12)
    rig.play(0.01)
    rig.performance.hands.release(Voice.P1)
    rig.play(3.0)
    moments = rig.performance.composer.timeline.moments(900, 4 * BAR)
    mine = [m for m in moments if m.event == Event(Kind.NOTE_ON, Voice.P1, 61)]
    assert mine
    after = rig.performance.composer.timeline.moments(mine[0].tick + 1, mine[0].tick + 481)
    assert Kind.NOTE_OFF in {m.event.kind for m in after if m.event.voice is Voice.P1}


def test_floods_and_broken_messages_do_no_harm(small_model: Model) -> None:
    rig = Rig(small_model)
    heard = ControlInput(rig.performance, None, CHANNELS)
    source = random.Random(3)
    rig.start()
    for _ in range(3000):
        size = source.choice([0, 1, 2, 3, 3, 3, 40])
        data = bytes(source.randrange(256) for _ in range(size))
        if not (size == 3 and data[0] & 0xF0 == 0xB0 and data[1] == 77):  # a new take is costly here
            heard.receive(data, rig.now)
    rig.performance.player.step(rig.now)
    rig.play(1.0)
    rig.clock.stop(rig.now)
    rig.performance.player.panic()
    rig.performance.player.step(rig.now)
    assert not any(rig.log.balance.values())


def test_random_actions_leave_nothing_hanging(small_model: Model) -> None:
    rig = Rig(small_model, ahead_bars=1)
    source = random.Random(5)
    performance, clock = rig.performance, rig.clock
    rig.start()
    for _ in range(400):
        action = source.choice(
            ["start", "stop", "seek", "mute", "panic", "press", "release", "take", "tempo", "play"]
        )
        voice = source.choice(list(Voice))
        if action == "start":
            clock.start(rig.now)
        elif action == "stop":
            clock.stop(rig.now)
        elif action == "seek":
            clock.seek(source.randrange(64) / 4, rig.now)
        elif action == "mute":
            performance.player.mute(voice, source.random() < 0.5)
        elif action == "panic":
            performance.player.panic()
        elif action == "press":
            performance.hands.press(voice, 40 if voice is not Voice.NO else 7, 12)
        elif action == "release":
            performance.hands.release(voice)
        elif action == "take":
            performance.new_take()
        elif action == "tempo":
            clock.set_bpm(source.uniform(60, 200), rig.now)
        rig.play(source.uniform(0, 0.2))
        assert all(count in (0, 1) for count in rig.log.balance.values())
    clock.stop(rig.now)
    performance.player.panic()
    rig.play(0.2)
    assert not any(rig.log.balance.values())
    assert rig.recorder.music()[0].n_notes > 0


def test_threads_play_and_end(small_model: Model) -> None:
    clock, log = InternalClock(120), Log()
    before = threading.active_count()
    with Performance(LiveComposer(small_model, BeatGrid.steady(120), seed=7), clock, [log]) as performance:
        while not performance.armed():
            time.sleep(0.01)
        clock.start(time.perf_counter())
        performance.wake()
        end = time.perf_counter() + 20
        while len(log.notes()) < 10 and time.perf_counter() < end:
            time.sleep(0.01)
    assert len(log.notes()) >= 10
    assert not log.sounding
    assert threading.active_count() == before
    performance.close()


def test_a_player_that_fails_ends_its_notes(small_model: Model) -> None:
    class Broken(Log):
        def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
            super().note_on(voice, pitch, velocity, at)
            if len(self.said) > 5:
                raise RuntimeError("out of order")

    clock, log = InternalClock(120), Broken()
    performance = Performance(LiveComposer(small_model, BeatGrid.steady(120), seed=7), clock, [log])
    while performance.compose_once():
        pass
    clock.start(time.perf_counter())
    with pytest.raises(RuntimeError):
        performance.player.run()
    assert not log.sounding


def score_of(bars: int, pitch: int = 60) -> Score:
    """A note on every beat of the first pulse, for a tempo of 120."""
    notes = tuple(Note(22_050 * beat, 20_000, pitch + beat % 4) for beat in range(4 * bars))
    return Score((Part(notes), Part(), Part(), Part()), 88_200 * bars)


def test_another_song_is_played_from_where_the_clock_is(tiny_model: Model) -> None:
    rig = Rig(tiny_model)
    performance = rig.performance
    rig.start()
    rig.play(1.1)
    edition = performance.composer.timeline.edition
    performance.limit = 4 * BAR
    performance.adopt(score_of(4))
    rig.arm()
    assert performance.composer.timeline.edition == edition + 1
    rig.play(0.01)
    assert set(rig.log.sounding) <= {Voice.P1}, "what the song does not have has ended"
    said = len(rig.log.said)
    rig.play(1.0)
    assert [n for n in rig.log.notes() if n == (Voice.P1, 63)], "the fourth beat of the bar"
    assert rig.log.said[said:]
    assert performance.limit == 4 * BAR
    assert performance.composer.timeline.end == 4 * BAR, "and nothing is added"
    performance.limit = None
    rig.arm()
    assert performance.composer.timeline.end == 4 * BAR, "for two bars ahead are there"
    performance.ahead_bars = 6
    rig.arm()
    assert performance.composer.timeline.known_until(0) >= 7 * BAR


def test_a_song_of_another_meter_counts_its_bars(tiny_model: Model) -> None:
    rig = Rig(tiny_model)
    performance = rig.performance
    performance.adopt(Score(), grid=BeatGrid.steady(120, 3), model=tiny_model.twin(), seed=5)
    rig.arm()
    rig.clock.seek(3.0, rig.now)
    assert performance.status().bar == 2
    end = performance.composer.timeline.end
    assert 2 * 1440 <= end < 4 * 1440


def test_composing_may_be_turned_off(tiny_model: Model) -> None:
    rig = Rig(tiny_model)
    performance = rig.performance
    performance.composing = False
    rig.start()
    rig.play(0.5)
    assert performance.composer.timeline.end == 0
    assert performance.status().waiting
    performance.composing = True
    rig.play(10.0)
    assert performance.composer.timeline.end > 0
    assert rig.log.notes()


def test_a_loop_of_our_own_is_played_again_and_again(tiny_model: Model) -> None:
    rig = Rig(tiny_model)
    rig.performance.limit = 2 * BAR
    rig.performance.adopt(score_of(2))
    rig.arm()
    rig.clock.start(rig.now)
    rig.clock.set_loop(4.0, 8.0, rig.now)
    rig.play(15.9)
    beats = [pitch for at, voice, pitch in rig.log.said if pitch is not None]
    assert beats == 8 * [60, 61, 62, 63]
    assert rig.performance.player.gaps == 0
    assert rig.performance.status().late == 0
    score, grid = rig.recorder.music()
    assert sorted({grid.tick(note.onset) for note in score.parts[0].notes}) == [480 * n for n in range(32)]
