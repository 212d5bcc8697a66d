"""Editing by hand: each edit is one step, and whatever is done, undoing leads back to the start."""

import time
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.runtime import Note, OptionError, Part, Score, Voice
from lakhnes.runtime.music.editing import with_tail
from lakhnes.runtime.music.events import VOCABULARY_PITCHES
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio import bar_editor, edit_steps, editor
from lakhnes.studio.bar_editor import BarEditor
from lakhnes.studio.editor import STEPS, Editor
from lakhnes.studio.note_commands import NoteCommands
from lakhnes.studio.selecting import Selection
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

BEAT = 22_050
BAR = 4 * PPQ
ALL = frozenset(Voice)


class Hands:
    """An editor of a song that nobody plays, and what it said."""

    def __init__(self, state: SongState) -> None:
        self.studio = Studio(state)
        self.said: list[Message] = []
        self.studio.say = self.said.append
        self.editor = Editor(self.studio)
        self.notes = NoteCommands(self.editor)
        self.bars = BarEditor(self.editor)

    @property
    def state(self) -> SongState:
        return self.studio.session.state

    def play_of(self, voice: Voice) -> list[tuple[float, float, int]]:
        """Onset and length in beats, and pitch, of what a voice plays."""
        notes = self.state.score.parts[voice].notes
        return [(round(n.onset / BEAT, 3), round(n.length / BEAT, 3), n.pitch) for n in notes]


def lead(*notes: tuple[float, float, int], beats: int = 16) -> SongState:
    """A song of pulse 1 alone, in beats at 120 BPM."""
    placed = tuple(Note(round(at * BEAT), round(beats * BEAT), pitch) for at, beats, pitch in notes)
    return SongState(Score((Part(placed), Part(), Part(), Part()), beats * BEAT), kept=beats * PPQ)


def first_note(hands: Hands, *onsets: float) -> None:
    hands.editor.select({Voice.P1: frozenset(round(onset * BEAT) for onset in onsets)})


Action = Callable[[Hands], object]


@st.composite
def actions(draw: st.DrawFn) -> Action:
    """Anything that is done by hand."""
    voice, other = draw(st.sampled_from(Voice)), draw(st.sampled_from(Voice))
    tick, ticks = draw(st.integers(0, 20 * PPQ)), draw(st.integers(1, 6 * PPQ))
    number, way = draw(st.integers(0, 50)), draw(st.sampled_from((-1, 1)))
    step = draw(st.sampled_from(sorted(STEPS.values())))
    voices = frozenset((voice, other))

    def note(hands: Hands) -> None:
        onsets = [each.onset for each in hands.state.score.parts[voice].notes]
        if onsets:
            hands.editor.toggle(voice, onsets[number % len(onsets)])

    def drag(hands: Hands) -> None:
        pick = hands.editor.grasped()
        anchor = min(min(onsets) for onsets in pick.values())
        change = hands.editor.moving(anchor, way * ticks, number - 25, free=step == 1, copy=number % 3 == 0)
        hands.editor.preview("Move", change, pick)
        hands.editor.shown(hands.state)
        hands.editor.finish()

    def stretch(hands: Hands) -> None:
        pick = hands.editor.grasped()
        edge = min(min(onsets) for onsets in pick.values())
        change = hands.editor.resizing(edge, way * ticks, free=step == 1, start=number % 2 == 0)
        hands.editor.preview("Resize", change, pick)
        hands.editor.finish()

    def draw_note(hands: Hands) -> None:
        pitches = VOCABULARY_PITCHES[voice]
        pitch = pitches[number % len(pitches)]
        hands.editor.preview("Draw", hands.editor.drawing(voice, tick, tick + ticks, pitch, free=False), {})
        hands.editor.finish()

    def select(hands: Hands) -> None:
        hands.editor.select_span(tick, tick + ticks, voices)

    def seek(hands: Hands) -> None:
        hands.studio.playback.seek(tick)

    def coarse(hands: Hands) -> None:
        hands.editor.step = step

    return draw(
        st.sampled_from(
            [
                note,
                note,
                select,
                seek,
                coarse,
                drag,
                stretch,
                draw_note,
                lambda hands: hands.notes.delete(),
                lambda hands: hands.notes.copy(),
                lambda hands: hands.notes.cut(),
                lambda hands: hands.notes.paste(),
                lambda hands: hands.notes.duplicate(),
                lambda hands: hands.notes.transpose(12 * way if number % 2 else way),
                lambda hands: hands.notes.nudge(way * ticks),
                lambda hands: hands.notes.lengthen(way * ticks),
                lambda hands: hands.notes.louder(number - 25),
                lambda hands: hands.notes.quantise(),
                lambda hands: hands.notes.split(),
                lambda hands: hands.notes.join(),
                lambda hands: hands.notes.to_voice(other),
                lambda hands: hands.editor.name_notes(),
                lambda hands: hands.editor.step_note(way),
                lambda hands: hands.editor.undo(),
                lambda hands: hands.editor.redo(),
                lambda hands: hands.bars.insert(),
                lambda hands: hands.bars.duplicate(),
                lambda hands: hands.bars.delete(),
                lambda hands: hands.bars.trim(),
            ]
        )
    )


def check(hands: Hands) -> None:
    """Whatever is done, these hold."""
    state = hands.state
    for voice, part in zip(Voice, state.score.parts, strict=True):
        assert all(one.end <= other.onset for one, other in pairwise(part.notes))
        assert all(note.onset >= 0 and note.end <= state.score.length for note in part.notes)
        assert all(note.pitch in VOCABULARY_PITCHES[voice] for note in part.notes)
    chosen = hands.editor.selection
    if chosen is not None:
        assert 0 <= chosen.first < chosen.last
        there = {(voice, note.onset) for voice in Voice for note in state.score.parts[voice].notes}
        hands.editor.refresh()
        named = hands.editor.selection.notes if hands.editor.selection is not None else None
        assert named is None or named <= there


@settings(max_examples=50, deadline=None)
@given(scores(vocabulary=True, unit=200), st.lists(actions(), max_size=30))
def test_undoing_all_edits_restores_the_first_state_and_redoing_the_last(
    score: Score, done: list[Action]
) -> None:
    first = SongState(score, kept=960)
    hands = Hands(first)
    for action in done:
        steps = len(hands.studio.session._done)
        try:
            action(hands)
        except OptionError:
            assert len(hands.studio.session._done) == steps
        assert len(hands.studio.session._done) <= steps + 1
        check(hands)
    while hands.studio.session.redo():
        pass
    last = hands.state
    while hands.studio.session.undo():
        check(hands)
    assert hands.state == first
    while hands.studio.session.redo():
        check(hands)
    assert hands.state == last


@settings(max_examples=25, deadline=None)
@given(st.lists(actions(), max_size=12))
def test_what_is_composed_while_notes_are_edited_stays_when_they_are_undone(done: list[Action]) -> None:
    hands = Hands(SongState(tune(), kept=8 * PPQ))
    tail = Score((Part((Note(0, BEAT, 60),)), Part(), Part(), Part()), 4 * BEAT)
    for number, action in enumerate(done):
        hands.editor.attempt(lambda action=action: action(hands))  # type: ignore[misc]
        if number == len(done) // 2:
            score = with_tail(hands.state.score, tail, hands.state.score.length)
            hands.studio.session.amend(score=score, kept=hands.state.grid.tick(score.length))
        check(hands)
    while hands.studio.session.undo():
        check(hands)
    assert hands.state.score.parts[Voice.TR].notes[:16] == tune().parts[Voice.TR].notes


def test_each_edit_is_one_step_with_a_word_for_it() -> None:
    hands = Hands(lead((0, 1, 60), (2, 1, 62)))
    first_note(hands, 0)
    for do, label in (
        (lambda: hands.notes.transpose(1), "Transpose"),
        (lambda: hands.notes.transpose(12), "Transpose by an octave"),
        (lambda: hands.notes.nudge(120), "Move"),
        (lambda: hands.notes.lengthen(120), "Resize"),
        (lambda: hands.notes.louder(-3), "Volume"),
        (hands.notes.quantise, None),
        (hands.notes.split, "Split"),
        (hands.notes.join, "Join"),
        (hands.notes.duplicate, "Duplicate"),
        (hands.notes.cut, "Cut"),
        (hands.notes.paste, "Paste"),
        (hands.notes.delete, "Delete"),
    ):
        before = hands.studio.session.undo_label
        do()
        assert hands.studio.session.undo_label == (label or before)


def test_the_selection_follows_the_notes() -> None:
    hands = Hands(lead((0, 1, 60), (2, 1, 62)))
    first_note(hands, 0)
    hands.notes.nudge(480)
    hands.notes.transpose(2)
    assert hands.play_of(Voice.P1) == [(1, 1, 62), (2, 1, 62)]
    assert hands.editor.selection == Selection(480, 960, frozenset({Voice.P1}), frozenset({(Voice.P1, BEAT)}))
    hands.editor.undo()
    hands.editor.undo()
    assert hands.editor.pick == {Voice.P1: frozenset({0})}
    hands.editor.redo()
    assert hands.editor.pick == {Voice.P1: frozenset({BEAT})}


def test_notes_that_are_gone_are_let_go() -> None:
    hands = Hands(lead((0, 1, 60)))
    first_note(hands, 0)
    hands.notes.duplicate()
    assert hands.editor.pick == {Voice.P1: frozenset({BEAT})}
    hands.studio.session.undo()
    hands.editor.refresh()
    assert hands.editor.selection is None


def test_a_span_is_copied_with_its_rests_and_notes_without() -> None:
    state = lead((0, 1, 60), (4, 1, 70), (5, 1, 71))
    hands = Hands(state)
    hands.editor.select_span(0, 2 * PPQ, {Voice.P1})
    hands.notes.copy()
    hands.studio.playback.seek(4 * PPQ)
    hands.notes.paste()
    assert hands.play_of(Voice.P1) == [(0, 1, 60), (4, 1, 60)]
    assert hands.editor.selection == Selection(4 * PPQ, 6 * PPQ, frozenset({Voice.P1}))
    hands = Hands(state)
    first_note(hands, 0)
    hands.notes.copy()
    hands.studio.playback.seek(4 * PPQ)
    hands.notes.paste()
    assert hands.play_of(Voice.P1) == [(0, 1, 60), (4, 1, 60), (5, 1, 71)]


def test_what_is_copied_keeps_its_beats_in_a_song_of_another_tempo() -> None:
    hands = Hands(lead((0, 1, 60), (1.5, 0.5, 62)))
    first_note(hands, 0, 1.5)
    hands.notes.copy()
    hands.studio.begin("New song", score=Score(), kept=0, composed_bpm=60.0, bpm=60.0)
    hands.notes.paste()
    assert hands.play_of(Voice.P1) == [(0, 2, 60), (3, 1, 62)]


def test_a_song_grows_by_whole_bars_and_shrinks_when_that_is_undone() -> None:
    state = lead((0, 1, 60), beats=4)
    hands = Hands(state)
    hands.editor.preview("Draw", hands.editor.drawing(Voice.P2, 5 * PPQ, 5 * PPQ, 72, free=False), {})
    assert hands.state == state
    assert hands.editor.shown(hands.state).score.n_notes == 2
    hands.editor.finish()
    assert (hands.state.end, hands.state.kept) == (8 * PPQ, 8 * PPQ)
    assert hands.play_of(Voice.P2) == [(5, 0.25, 72)]
    hands.editor.undo()
    assert hands.state == state


def test_what_is_under_way_goes_on_with_what_is_composed_meanwhile() -> None:
    hands = Hands(lead((0, 1, 60), beats=4))
    first_note(hands, 0)
    pick = hands.editor.grasped()
    hands.editor.preview("Move", hands.editor.moving(0, 480, 0, free=False, copy=False), pick)
    tail = Score((Part((Note(0, BEAT, 64),)), Part(), Part(), Part()), 4 * BEAT)
    hands.studio.session.amend(score=with_tail(hands.state.score, tail, 4 * BEAT))
    assert len(hands.editor.shown(hands.state).score.parts[Voice.P1].notes) == 2
    hands.editor.finish()
    assert hands.play_of(Voice.P1) == [(1, 1, 60), (4, 1, 64)]
    hands.editor.preview("Move", hands.editor.moving(0, 480, 0, free=False, copy=False), hands.editor.pick)
    hands.editor.cancel()
    assert hands.editor.shown(hands.state) is hands.state


def test_the_note_in_the_hand_lies_on_the_steps_and_the_others_go_with_it() -> None:
    hands = Hands(lead((0.1, 0.5, 60), (1.3, 0.5, 62)))
    first_note(hands, 0.1, 1.3)
    anchor = round(0.1 * BEAT)
    hands.editor.preview(
        "Move", hands.editor.moving(anchor, 300, 0, free=False, copy=False), hands.editor.grasped()
    )
    hands.editor.finish()
    assert [at for at, _, _ in hands.play_of(Voice.P1)] == [0.75, 1.95]


def test_locked_voices_refuse_with_a_word_and_the_others_are_edited() -> None:
    state = SongState(tune(), kept=8 * PPQ).with_voice(Voice.TR, locked=True)
    hands = Hands(state)
    hands.editor.select_span(0, 4 * PPQ, {Voice.TR})
    for refused in (
        hands.notes.delete,
        hands.notes.cut,
        hands.notes.duplicate,
        lambda: hands.notes.transpose(1),
        hands.notes.quantise,
        hands.bars.insert,
        hands.bars.delete,
        hands.bars.duplicate,
        hands.bars.trim,
    ):
        with pytest.raises(OptionError, match=r"Triangle is locked.*Ctrl\+3"):
            refused()
    assert hands.state is state
    hands.editor.select_span(0, 8 * PPQ)
    hands.notes.delete()
    assert "Triangle is locked" in hands.said[-1].text
    assert [len(part.notes) for part in hands.state.score.parts] == [0, 0, 16, 0]


def test_nothing_can_be_done_to_nothing() -> None:
    hands = Hands(lead((0, 1, 60)))
    for refused in (hands.notes.delete, hands.notes.copy, hands.notes.duplicate, hands.notes.join):
        with pytest.raises(OptionError, match="Select"):
            refused()
    with pytest.raises(OptionError, match="copied"):
        hands.notes.paste()
    first_note(hands, 0)
    with pytest.raises(OptionError, match="two or more notes"):
        hands.notes.join()
    with pytest.raises(OptionError, match="range"):
        hands.notes.transpose(60)
    assert not hands.editor.attempt(lambda: hands.notes.transpose(60))
    assert "none were moved" in hands.said[-1].text
    assert not hands.said[-1].error


def test_drums_stay_while_melodies_are_transposed() -> None:
    hands = Hands(SongState(tune(), kept=8 * PPQ))
    hands.editor.select_span(0, 8 * PPQ)
    hands.notes.transpose(2)
    lead_now, drums_now = hands.state.score.parts[Voice.P1], hands.state.score.parts[Voice.NO]
    assert [note.pitch for note in lead_now.notes][:2] == [71, 74]
    assert drums_now == tune().parts[Voice.NO]
    hands.editor.select_span(0, 8 * PPQ, {Voice.NO})
    hands.notes.transpose(-1)
    assert [note.pitch for note in hands.state.score.parts[Voice.NO].notes][:2] == [1, 14]


def test_the_triangle_has_one_volume() -> None:
    hands = Hands(SongState(tune(), kept=8 * PPQ))
    hands.editor.select_span(0, 8 * PPQ, {Voice.TR})
    with pytest.raises(OptionError, match="fixed volume"):
        hands.notes.louder(1)


def test_notes_are_split_at_the_playhead_and_in_the_middle_elsewhere() -> None:
    hands = Hands(lead((0, 2, 60), (2, 2, 62)))
    first_note(hands, 0, 2)
    hands.studio.playback.seek(PPQ // 2)
    hands.notes.split()
    assert hands.play_of(Voice.P1) == [(0, 0.5, 60), (0.5, 1.5, 60), (2, 2, 62)]
    hands.studio.playback.seek(8 * PPQ)
    hands.notes.split()
    assert [at for at, _, _ in hands.play_of(Voice.P1)] == [0, 0.25, 0.5, 1.25, 2, 3]


def test_notes_go_to_another_voice_into_its_range() -> None:
    hands = Hands(lead((0, 1, 33), (1, 1, 108)))
    first_note(hands, 0, 1)
    hands.notes.to_voice(Voice.TR)
    assert hands.play_of(Voice.P1) == []
    assert hands.play_of(Voice.TR) == [(0, 1, 33), (1, 1, 108)]
    assert hands.editor.pick == {Voice.TR: frozenset({0, BEAT})}
    with pytest.raises(OptionError, match="noise"):
        hands.notes.to_voice(Voice.NO)


def test_notes_are_gone_through_by_keys() -> None:
    hands = Hands(lead((0, 1, 60), (2, 1, 62), (3, 1, 64)))
    hands.studio.playback.seek(PPQ)
    hands.editor.name_notes()
    assert hands.editor.pick == {Voice.P1: frozenset({2 * BEAT})}
    hands.editor.step_note(1)
    hands.editor.step_note(1)
    assert hands.editor.pick == {Voice.P1: frozenset({3 * BEAT})}
    hands.editor.step_note(-1)
    hands.editor.step_note(-1)
    assert hands.editor.pick == {Voice.P1: frozenset({0})}


def test_bars_come_in_go_out_and_are_repeated() -> None:
    hands = Hands(lead((0, 1, 60), (4, 1, 64), (8, 1, 67), (12, 1, 72)))
    hands.editor.select_span(BAR + 100, 2 * BAR, {Voice.P2})
    hands.bars.insert()
    assert [at for at, _, _ in hands.play_of(Voice.P1)] == [0, 8, 12, 16]
    assert hands.editor.selection == Selection(BAR, 2 * BAR, ALL)
    hands.bars.delete()
    assert [at for at, _, _ in hands.play_of(Voice.P1)] == [0, 4, 8, 12]
    hands.editor.select_span(0, 2 * BAR)
    hands.bars.duplicate()
    assert [at for at, _, _ in hands.play_of(Voice.P1)] == [0, 4, 8, 12, 16, 20]
    assert (hands.state.end, hands.state.kept) == (6 * BAR, 6 * BAR)
    assert hands.editor.selection == Selection(2 * BAR, 4 * BAR, ALL)


def test_a_song_is_trimmed_and_does_not_go_on_by_itself() -> None:
    hands = Hands(lead((0, 1, 60), (4, 1, 64), (8, 1, 67)))
    hands.studio.playback.set_loop((BAR, 3 * BAR))
    hands.editor.select_span(BAR, 2 * BAR)
    hands.bars.trim()
    assert (hands.state.end, hands.state.kept, hands.state.endless) == (2 * BAR, 2 * BAR, False)
    assert hands.studio.playback.loop is None
    with pytest.raises(OptionError, match="ends here"):
        hands.bars.trim()
    hands.editor.undo()
    assert hands.state == lead((0, 1, 60), (4, 1, 64), (8, 1, 67))


def finished(hands: Hands) -> None:
    """Waits until nothing is done in the background."""
    end = time.monotonic() + 20
    while hands.studio.jobs.running:
        assert time.monotonic() < end
        hands.studio.poll()
        time.sleep(0.001)


def test_very_many_notes_are_edited_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (editor, edit_steps):
        monkeypatch.setattr(module, "MANY_NOTES", 3)
    monkeypatch.setattr(bar_editor, "MANY_NOTES", 3)
    hands = Hands(SongState(tune(), kept=8 * PPQ))
    hands.editor.select_span(0, 8 * PPQ)
    hands.notes.quantise()
    for do, label in (
        (lambda: hands.notes.louder(-1), "Volume"),
        (hands.notes.copy, None),
        (hands.notes.duplicate, "Duplicate"),
        (hands.bars.insert, "Insert bars"),
        (hands.bars.delete, "Delete bars"),
    ):
        finished(hands)
        do()
        finished(hands)
        assert label in (None, hands.studio.session.undo_label)
        check(hands)
    hands.editor.select_span(0, 8 * PPQ)
    hands.notes.louder(-1)
    hands.studio.session.edit("Other", Score(length=hands.state.score.length), (0, 100), {Voice.P1})
    finished(hands)
    assert hands.studio.session.undo_label == "Other"
    assert "changed in the meantime" in hands.said[-1].text
    while hands.studio.session.undo():
        pass
    assert hands.state == SongState(tune(), kept=8 * PPQ)
    hands.studio.close()


def test_notes_that_are_gone_cannot_be_copied():
    """The composer may compose their bar again while they are selected."""
    hands = Hands(lead((0, 1, 60), (4, 1, 62)))
    first_note(hands, 4)
    hands.studio.session.amend(score=lead((0, 1, 60)).score)
    for command in (hands.notes.copy, hands.notes.cut, hands.notes.duplicate):
        with pytest.raises(OptionError, match="Select notes first"):
            command()
