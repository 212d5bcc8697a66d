"""The player with a clock of our own, step by step."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from live_rig import Log, play, timeline_of

from lakhnes.apu import Synth
from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.player import Player
from lakhnes.bridge.recorder import Recorder
from lakhnes.runtime import (
    BeatGrid,
    Codec,
    Event,
    Kind,
    Moment,
    Note,
    Part,
    Score,
    Timeline,
    Timing,
    Voice,
    tx2,
)

BAR = 4 * 480


def test_every_event_at_its_time() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(2), clock, [log], now=lambda: 0)
    clock.start(10.0)
    play(player, 10.0, 13.9)
    onsets = [(at - 10, pitch) for at, voice, pitch in log.said if voice is Voice.TR and pitch]
    assert [pitch for _, pitch in onsets] == [40 + beat for beat in range(8)]
    assert [at for at, _ in onsets] == pytest.approx([beat / 2 for beat in range(8)], abs=1e-4)
    assert player.lateness.late == 0
    assert player.gaps == 0


def test_offset_shifts_everything() -> None:
    for offset in (0.1, -0.1):
        clock, log = InternalClock(120), Log()
        player = Player(timeline_of(2), clock, [log], offset_seconds=offset)
        clock.start(0.0)
        play(player, 0.0, 3.0)
        second = [at for at, voice, pitch in log.said if voice is Voice.TR and pitch][1]
        assert second == pytest.approx(0.5 + offset, abs=1e-4)


def test_stop_ends_notes_and_seek_replays() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(4), clock, [log])
    clock.start(0.0)
    play(player, 0.0, 2.2)
    assert log.sounding
    clock.stop(2.2)
    player.step(2.2)
    assert not log.sounding
    before = [pitch for _, voice, pitch in log.said if pitch and voice is Voice.TR]
    clock.seek(0.0, 3.0)
    clock.start(3.0)
    play(player, 3.0, 5.2)
    again = [pitch for _, voice, pitch in log.said if pitch and voice is Voice.TR][len(before) :]
    assert again == before


def test_a_look_a_moment_later_still_finds_the_first_note() -> None:
    for bar in (0, 1):
        clock, log = InternalClock(120), Log()
        player = Player(timeline_of(2), clock, [log])
        clock.start(0.0, 4.0 * bar)
        player.step(0.004)
        assert {voice for _, voice, pitch in log.said if pitch is not None} == {Voice.P1, Voice.TR}
        assert player.gaps == 0


def test_waits_for_the_composer_and_goes_on_at_the_next_beat() -> None:
    timeline, log = timeline_of(1), Log()
    clock = InternalClock(120)
    player = Player(timeline, clock, [log])
    clock.start(0.0)
    play(player, 0.0, 2.7)
    assert player.gaps == 1
    assert player.waiting
    assert not log.sounding
    more = timeline_of(4)
    timeline.spans = more.spans
    play(player, 2.7, 4.1)
    assert not player.waiting
    resumed = [at for at, voice, pitch in log.said if voice is Voice.TR and pitch and at > 2.0]
    assert resumed[0] == pytest.approx(3.0, abs=1e-3)
    assert player.gaps == 1


def test_a_pause_of_the_machine_leaves_out_what_is_stale() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(4), clock, [log])
    clock.start(0.0)
    play(player, 0.0, 0.1)
    player.step(5.1)
    assert player.lateness.late > 0
    assert sum(pitch is not None and at > 0.1 for at, _, pitch in log.said) <= 2
    assert player.lateness.worst > 4


@pytest.mark.parametrize("offset", [0.0, 0.1, -0.1, 0.6, -0.6])
@pytest.mark.parametrize("held_up", [0.0, 0.08])
def test_a_loop_goes_round_in_time(offset: float, held_up: float) -> None:
    """Beats 3 to 5 and a half, round and round; the thread may come late each time."""
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(4), clock, [log], offset_seconds=offset, now=lambda: 0)
    clock.start(10.0, 3.0)
    clock.set_loop(3.0, 5.5, 10.0)
    now = 10.0
    while now < 35.0:
        now = max(now + 1e-6, player.step(now) + held_up)
    onsets = [(at - 10 - offset, pitch) for at, voice, pitch in log.said if voice is Voice.TR and pitch]
    rounds = [(1.25 * n + beat / 2, 43 + beat) for n in range(21) for beat in range(3)]
    assert len(onsets) > 50
    assert [pitch for _, pitch in onsets] == [pitch for _, pitch in rounds[: len(onsets)]]
    if not held_up:  # with a negative offset the first notes of all are late
        assert [at for at, _ in onsets][3:] == pytest.approx(
            [at for at, _ in rounds[3 : len(onsets)]], abs=2e-3
        )
    assert all(at <= after for at, after in pairwise([at for at, _, _ in log.said])), "in time"
    assert player.gaps == 0
    assert all(count in (0, 1) for count in log.balance.values())


def test_a_loop_that_is_taken_away_lets_the_music_go_on() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(4), clock, [log])
    clock.start(0.0)
    clock.set_loop(0.0, 2.0)
    play(player, 0.0, 2.9)
    clock.clear_loop(2.9)
    play(player, 2.9, 4.9)
    onsets = [pitch - 40 for _, voice, pitch in log.said if voice is Voice.TR and pitch]
    assert onsets == [0, 1, 0, 1, 0, 1, 2, 3, 4, 5]


def test_other_outlets_come_and_go_while_it_plays() -> None:
    clock, stays, goes, comes = InternalClock(120), Log(), Log(), Log()
    player = Player(timeline_of(4), clock, [stays, goes])
    clock.start(0.0)
    play(player, 0.0, 1.1)
    assert stays.sounding == goes.sounding != {}
    sounding, said = dict(stays.sounding), len(stays.said)
    player.set_outlets([stays, comes])
    player.step(1.1)
    assert not goes.sounding
    assert stays.sounding == sounding
    assert len(stays.said) == said, "what stays is not disturbed"
    assert not comes.said
    play(player, 1.1, 4.0)
    assert comes.notes() == stays.notes()[-len(comes.notes()) :] != []
    assert len(goes.notes()) == len(stays.notes()) - len(comes.notes())


def test_a_change_of_the_timeline_ends_what_it_does_not_have_any_more() -> None:
    clock, log = InternalClock(120), Log()
    timeline = timeline_of(4)
    player = Player(timeline, clock, [log])
    clock.start(0.0)
    play(player, 0.0, 1.6)
    assert set(log.sounding) == {Voice.P1, Voice.TR}
    player.refresh()
    player.step(1.6)
    assert set(log.sounding) == {Voice.P1, Voice.TR}, "nothing has changed"
    score = Score((Part(), Part(), Part((Note(60_000, 30_000, 43),)), Part()), 400_000)
    timeline.load(score)
    player.refresh()
    player.step(1.6)
    assert log.sounding == {Voice.TR: 43}
    player.taken = frozenset({Voice.TR})
    timeline.load(Score(length=400_000))
    player.refresh()
    player.step(1.6)
    assert log.sounding == {Voice.TR: 43}, "somebody plays it"


def test_a_start_that_is_noticed_late_is_heard_on_the_synthesiser() -> None:
    clock, synth = InternalClock(120), Synth("plain", block=256)
    player = Player(timeline_of(2), clock, [synth])
    clock.start(0.0)
    player.step(0.0002)
    loudest = [synth.render(256, 0.01 + block * 256 / 48_000) for block in range(40)]
    assert synth.peaks()[Voice.P1] > 0.01
    assert max(float(abs(sound).max()) for sound in loudest) > 0.05


def test_an_offset_loses_nothing_and_counts_nothing_late() -> None:
    for offset in (-0.4, -0.1, 0.3):
        clock, log = InternalClock(120), Log()
        player = Player(timeline_of(2), clock, [log], offset_seconds=offset)
        clock.start(0.0)
        play(player, 0.0, 1.4)
        assert [pitch for _, voice, pitch in log.said if voice is Voice.TR and pitch][:2] == [40, 41]
        assert [pitch for _, voice, pitch in log.said if voice is Voice.P1 and pitch][:1] == [60]
        assert player.lateness.late == 0


def test_a_seam_between_spans_ends_the_notes_before_it() -> None:
    timeline = timeline_of(1)
    timeline.say(timeline.spans[0], timeline.codec.token(Event(Kind.NOTE_OFF, Voice.P1)), BAR)
    after = timeline.begin(BAR, [])
    after.end = 2 * BAR
    timeline.insert(after, [Moment(BAR, Event(Kind.NOTE_ON, Voice.P2, 70))])
    clock, log = InternalClock(120), Log()
    player = Player(timeline, clock, [log])
    clock.start(0.0)
    play(player, 0.0, 2.1)
    assert log.sounding == {Voice.P2: 70}
    assert player.gaps == 0


def test_a_gap_leaves_what_somebody_plays() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(1), clock, [log])
    player.taken = frozenset({Voice.P2})
    clock.start(0.0)
    play(player, 0.0, 0.1)
    player.press(Voice.P2, 72, 9)
    play(player, 0.1, 2.2)
    assert player.gaps == 1
    assert log.sounding == {Voice.P2: 72}


def test_volume_and_timbre_come_with_the_notes_and_within_them() -> None:
    class Loud(Log):
        def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
            super().note_on(voice, pitch, velocity, at)
            told.append((voice, velocity))

        def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
            told.append((voice, kind, value))

    told: list[tuple[object, ...]] = []
    timeline = Timeline(Codec(tx2(), Timing.FRAMES), BeatGrid.steady(120))
    span = timeline.begin(0, [])
    span.end = BAR
    said = [
        (0, Kind.NOTE_ON, 60),
        (0, Kind.VELOCITY, 9),
        (0, Kind.TIMBRE, 2),
        (480, Kind.VELOCITY, 4),
        (960, Kind.NOTE_OFF, 0),
    ]
    timeline.insert(span, [Moment(tick, Event(kind, Voice.P1, value)) for tick, kind, value in said])
    clock = InternalClock(120)
    recorder = Recorder(lambda: player.tick, lambda: 120.0)
    player = Player(timeline, clock, [Loud(), recorder])
    clock.start(0.0)
    play(player, 0.0, 1.9)
    assert told == [
        (Voice.P1, Kind.TIMBRE, 2),
        (Voice.P1, 9),
        (Voice.P1, Kind.VELOCITY, 4),
    ]
    score, grid = recorder.music()
    (note,) = score.parts[Voice.P1].notes
    assert (grid.tick(note.onset), grid.tick(note.end), note.pitch, note.velocity) == (0, 960, 60, 9)
    changes = [(grid.tick(c.sample), c.kind, c.value) for c in score.parts[Voice.P1].changes]
    assert changes == [(0, Kind.TIMBRE, 2), (480, Kind.VELOCITY, 4)]


def test_what_holds_the_player_up_while_it_sends_is_late() -> None:
    class Slow(Log):
        def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
            super().note_on(voice, pitch, velocity, at)
            times.append(times[-1] + 0.02)

    times = [0.0]
    clock = InternalClock(120)
    player = Player(timeline_of(1), clock, [Slow()], now=lambda: times[-1])
    clock.start(0.0)
    player.step(0.0)
    assert player.lateness.late >= 1
    assert player.lateness.worst >= 0.02


def test_muted_voices_fall_silent_at_once() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(2), clock, [log])
    clock.start(0.0)
    play(player, 0.0, 0.6)
    assert Voice.P1 in log.sounding
    player.mute(Voice.P1)
    player.step(0.61)
    assert Voice.P1 not in log.sounding
    play(player, 0.61, 2.5)
    assert Voice.P1 not in log.sounding
    player.mute(Voice.P1, False)
    play(player, 2.5, 3.9)
    assert Voice.TR in {voice for _, voice, _ in log.said}


def test_ticks_of_a_recording_keep_bars_over_jumps() -> None:
    clock, log = InternalClock(120), Log()
    player = Player(timeline_of(4), clock, [log])
    clock.start(0.0)
    play(player, 0.0, 4.0)  # two bars
    clock.seek(0.0, 4.0)  # the DAW loops
    player.step(4.0)
    assert player.tick == 2 * BAR
    play(player, 4.0, 4.6)
    assert player.tick == pytest.approx(2 * BAR + 576, abs=2)
    clock.seek(4.0, 4.6)  # from the middle of a bar to a bar line
    player.step(4.6)
    assert player.tick == 3 * BAR


def test_what_is_sent_late_is_recorded_where_it_belongs() -> None:
    clock = InternalClock(120)
    recorder = Recorder(lambda: player.tick, lambda: 120.0)
    player = Player(timeline_of(2), clock, [recorder])
    clock.start(0.0)
    for late in range(100):
        player.step(0.037 * late)
    score, grid = recorder.music()
    assert score.n_notes >= 8
    assert all(grid.tick(note.onset) % 480 == 0 for part in score.parts for note in part.notes)


def test_clock_out_says_start_ticks_and_stop() -> None:
    clock, sent = InternalClock(120), []
    player = Player(timeline_of(2), clock, [], clock_out=sent.append)
    clock.start(0.0)
    play(player, 0.0, 1.0 - 1e-3)
    clock.stop(1.0)
    player.step(1.0)
    assert sent[0] == b"\xfa"
    assert sent[-1] == b"\xfc"
    assert sent.count(b"\xf8") == 48


def test_clock_goes_out_while_we_stand_and_a_new_follower_is_put_in_place() -> None:
    clock, sent = InternalClock(120), []
    player = Player(timeline_of(8), clock, [], clock_out=sent.append)
    play(player, 0.0, 1.0)
    assert set(sent) == {b"\xf8"}
    assert len(sent) == pytest.approx(48, abs=2)
    clock.start(1.0)
    play(player, 1.0, 3.1)
    sent.clear()
    player.place_followers()
    play(player, 3.1, 4.0)
    assert sent[:3] == [b"\xf2\x11\x00", b"\xfb", b"\xf8"]
    clock.stop(4.0)
    player.step(4.0)
    sent.clear()
    clock.set_bpm(60, 4.0)
    play(player, 4.0, 6.0)
    assert len(sent) == pytest.approx(48, abs=2)


@pytest.mark.parametrize("style", ["position", "stop, position, continue", "start"])
@pytest.mark.parametrize("offset", [-0.05, 0.0, 0.05])
@pytest.mark.parametrize("bpm", [90.0, 174.0])
def test_a_loop_of_another_machine_plays_its_bars_and_nothing_beyond(
    style: str, offset: float, bpm: float
) -> None:
    """Rounds of one bar; what is told at its end comes just before the clock of its start."""
    told = {
        "position": [b"\xf2\0\0"],
        "stop, position, continue": [b"\xfc", b"\xf2\0\0", b"\xfb"],
        "start": [b"\xfa"],
    }
    clock, log = MidiClock(bpm), Log()
    player = Player(timeline_of(4), clock, [log], offset_seconds=offset)
    clock.receive(b"\xfa", 9.999)
    now, rounds = 10.0, 12
    for number in range(rounds * 96):
        if number and number % 96 == 0:
            for data in told[style]:
                clock.receive(data, now - 0.0003)
                player.step(now - 0.0003)
        clock.receive(b"\xf8", now)
        interval = 60 / bpm / 24 * (1.0 + 0.02 * (-1) ** number)
        play(player, now, now + interval - 0.0003)
        now += interval
    clock.receive(b"\xfc", now - 0.0003)
    play(player, now, now + 0.2)
    bass = [pitch for _, voice, pitch in log.said if voice is Voice.TR and pitch is not None]
    lead = [pitch for _, voice, pitch in log.said if voice is Voice.P1 and pitch is not None]
    once_more = offset < 0  # what is early cannot know that the next round is stopped
    assert bass == [40, 41, 42, 43] * rounds + [40] * once_more
    assert lead == [60] * (rounds + once_more)
    assert not log.sounding
    if offset < 0:  # once it is known, the loop's start is early too
        early = [at for at, voice, pitch in log.said if pitch == 60][3:rounds]
        assert early == pytest.approx([10.0 + n * 240 / bpm + offset for n in range(3, rounds)], abs=0.005)


@pytest.mark.parametrize("clocks", [1, 2, 3])
@pytest.mark.parametrize("jump", [b"\xfa", b"\xf2\x10\x00"])
def test_clocks_that_come_at_once_after_a_jump_lose_no_note(clocks: int, jump: bytes) -> None:
    """A long audio period holds several clocks, and they are read together."""
    clock, log = MidiClock(120), Log()
    player = Player(timeline_of(2), clock, [log], now=lambda: 10.0)
    clock.receive(b"\xf8", 9.9)
    player.step(9.9)
    clock.receive(jump, 10.0)
    if jump != b"\xfa":
        clock.receive(b"\xfb", 10.0)
    for number in range(clocks):
        clock.receive(b"\xf8", 10.0 + number / 48)
    player.step(10.0 + (clocks - 1) / 48)
    bar = 0 if jump == b"\xfa" else 1
    assert [pitch for _, voice, pitch in log.said if voice is Voice.TR and pitch] == [40 + 4 * bar]


def test_a_loop_that_another_machine_leaves_goes_on() -> None:
    clock, log = MidiClock(120), Log()
    player = Player(timeline_of(4), clock, [log], offset_seconds=-0.05)
    clock.receive(b"\xfa", 9.999)
    now = 10.0
    for number in range(4 * 96):
        if number == 96:
            clock.receive(b"\xf2\0\0", now - 0.0003)
        clock.receive(b"\xf8", now)
        play(player, now, now + 1 / 48)
        now += 1 / 48
    bass = [pitch for _, voice, pitch in log.said if voice is Voice.TR and pitch is not None]
    again = [40, 41, 42, 43] * 2
    assert bass[:8] == again
    assert bass[-8:] == [44, 45, 46, 47, 48, 49, 50, 51]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "play",
                "start",
                "stop",
                "seek",
                "mute",
                "unmute",
                "panic",
                "loop",
                "song",
                "press",
                "release",
                "tempo",
            ]
        ),
        st.floats(0, 1),
    ),
    max_size=60,
)


@given(ACTIONS, st.sampled_from([0.0, 0.15, -0.15]))
@settings(max_examples=60, deadline=None)
def test_no_note_hangs_whatever_is_done(actions: list[tuple[str, float]], offset: float) -> None:
    clock, log, timeline = InternalClock(120), Log(), timeline_of(4)
    song = timeline.score()[1]
    player = Player(timeline, clock, [log], offset_seconds=offset)
    now = 0.0
    for action, amount in actions:
        voice = Voice(int(amount * 3.99))
        if action == "play":
            play(player, now, now + 2 * amount)
            now += 2 * amount
        elif action == "start":
            clock.start(now)
        elif action == "stop":
            clock.stop(now)
        elif action == "seek":
            clock.seek(math.floor(amount * 80) / 4, now)
        elif action == "tempo":
            clock.set_bpm(40 + 300 * amount, now)
        elif action in ("mute", "unmute"):
            player.mute(voice, action == "mute")
        elif action == "panic":
            player.panic()
        elif action == "loop":
            clock.set_loop(4 * amount, 4 * amount + 0.5 + 8 * amount, now)
        elif action == "song":
            timeline.load(song if amount > 0.5 else Score(length=song.length))
            player.refresh()
        elif action == "press":
            player.taken = player.taken | {voice}
            player.press(voice, 60, 10)
        else:
            player.release(voice)
        player.step(now)
        assert all(count in (0, 1) for count in log.balance.values())
        assert player.sounding == log.sounding
    clock.stop(now)
    player.panic()
    player.step(now)
    assert not log.sounding
    assert not any(log.balance.values())
