"""The session: whatever is done can be undone, and nothing else is."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.runtime import Score, Voice
from lakhnes.runtime.music.editing import extract, spliced, with_tail
from lakhnes.studio.session import MOST_STEPS, Session, Splice, asked
from lakhnes.studio.state import SongState

FIELDS = {
    "bpm": st.floats(20, 400),
    "temperature": st.floats(0.5, 1.5),
    "scale": st.sampled_from(("", "a minor", "c major")),
    "seed": st.integers(0, 5),
    "endless": st.booleans(),
}
VOICE_FIELDS = {"muted": st.booleans(), "channel": st.integers(1, 16), "volume": st.floats(0, 1)}
KEYS = st.none() | st.sampled_from(("a", "b"))
Action = Callable[[Session], object]


@st.composite
def changes(draw: st.DrawFn) -> Action:
    names = draw(st.lists(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2, unique=True))
    values: dict[str, Any] = {name: draw(FIELDS[name]) for name in names}
    key = draw(KEYS)
    return lambda session: session.change("Change", key=key, **values)


@st.composite
def voice_changes(draw: st.DrawFn) -> Action:
    name = draw(st.sampled_from(sorted(VOICE_FIELDS)))
    voice, value, key = draw(st.sampled_from(Voice)), draw(VOICE_FIELDS[name]), draw(KEYS)
    return lambda session: session.change_voice("Voice", voice, key=key, **{name: value})


@st.composite
def edits(draw: st.DrawFn) -> Action:
    score = draw(scores(unit=100))
    start, end = sorted((draw(st.integers(0, 200_000)), draw(st.integers(0, 200_000))))
    voices, key = draw(st.frozensets(st.sampled_from(Voice))), draw(KEYS)
    return lambda session: session.edit("Edit", score, (start, end), voices, key=key)


@st.composite
def new_songs(draw: st.DrawFn) -> Action:
    score = draw(scores(unit=100))
    return lambda session: session.change("New", score=score)


@st.composite
def tails(draw: st.DrawFn) -> Action:
    """What composing does: an end onto the song, or the end away."""
    score, at = draw(scores(unit=100)), draw(st.integers(0, 200_000))

    def amend(session: Session) -> None:
        there = session.state.score
        cut = min(at, there.length)
        session.amend(score=with_tail(there, score, cut) if at % 2 else extract(there, (0, cut)))

    return amend


def amended_kept() -> st.SearchStrategy[Action]:
    return st.integers(0, 10_000).map(lambda kept: lambda session: session.amend(kept=kept))


@st.composite
def splices(draw: st.DrawFn) -> Action:
    """Bars in the place of others."""
    middle, places = draw(scores(unit=100)), draw(st.tuples(*[st.integers(0, 200_000)] * 2))

    def splice(session: Session) -> None:
        there = session.state.score
        first, last = sorted(min(place, there.length) for place in places)
        place = Splice(first, last, first + middle.length)
        session.splice("Bars", spliced(there, (first, last), middle), place, kept=session.state.kept)

    return splice


UNDO: st.SearchStrategy[Action] = st.just(lambda session: session.undo())
REDO: st.SearchStrategy[Action] = st.just(lambda session: session.redo())
STEPS = changes() | voice_changes() | edits() | splices() | new_songs() | UNDO | REDO


def undo_all(session: Session) -> None:
    while session.undo():
        pass


def redo_all(session: Session) -> None:
    while session.redo():
        pass


@settings(max_examples=60, deadline=None)
@given(scores(unit=100), st.lists(STEPS, max_size=15), st.lists(amended_kept(), max_size=3))
def test_undoing_everything_leads_to_the_start_and_redoing_to_the_end(
    score: Score, actions: list[Action], amendments: list[Action]
) -> None:
    first = SongState(score)
    session = Session(first)
    for action in [*actions[:5], *amendments, *actions[5:]]:
        action(session)
    redo_all(session)
    last = session.state
    undo_all(session)
    assert session.state == replace(first, kept=session.state.kept)
    assert amendments or session.state == first
    assert session.undo_label is None
    redo_all(session)
    assert session.state == last


@settings(max_examples=60, deadline=None)
@given(scores(unit=100), st.lists(STEPS | tails(), max_size=15))
def test_whatever_is_composed_meanwhile_settings_come_back(score: Score, actions: list[Action]) -> None:
    first = SongState(score)
    session = Session(first)
    for action in actions:
        action(session)
    undo_all(session)
    assert replace(session.state, score=score, kept=0) == first
    redo_all(session)
    undo_all(session)
    assert replace(session.state, score=score, kept=0) == first


@settings(max_examples=50, deadline=None)
@given(st.lists(STEPS | tails(), max_size=15))
def test_the_revision_tells_every_change(actions: list[Action]) -> None:
    session = Session()
    for action in actions:
        before, revision = session.state, session.revision
        action(session)
        assert session.revision >= revision
        if session.state != before:
            assert session.revision > revision


def test_what_comes_by_itself_stays_when_a_step_before_it_is_undone() -> None:
    session = Session()
    session.change("Tempo", bpm=90.0)
    session.amend(score=tune(), kept=480)
    assert session.undo() == "Tempo"
    assert session.state == SongState(tune(), kept=480)


def test_an_undone_new_song_comes_back_as_far_as_it_was_composed() -> None:
    session = Session(SongState(tune()))
    session.change("New song", score=Score())
    session.amend(score=Score(length=500))
    session.undo()
    assert session.state.score == tune()
    session.redo()
    assert session.state.score == Score(length=500)


def test_an_edit_of_bars_that_are_no_more_is_undone_without_them() -> None:
    session = Session(SongState(tune()))
    length = tune().length
    session.edit("Edit", Score(length=length), (length // 2, length), (Voice.P1,))
    session.amend(score=extract(session.state.score, (0, length // 2)))
    session.undo()
    assert session.state.score == extract(tune(), (0, length // 2))


def test_what_is_composed_after_bars_were_put_in_stays_when_they_go() -> None:
    session = Session(SongState(tune(), kept=3840))
    length = tune().length
    longer = spliced(tune(), (0, 0), Score(length=length))
    session.splice("Insert bars", longer, Splice(0, 0, length), kept=7680)
    session.amend(score=with_tail(session.state.score, tune(), 2 * length), kept=11520)
    session.undo()
    assert (session.state.score, session.state.kept) == (with_tail(tune(), tune(), length), 7680)
    session.redo()
    assert session.state.score == with_tail(longer, tune(), 2 * length)
    assert session.state.kept == 11520


def test_what_was_asked_for_comes_back_when_it_is_done_again() -> None:
    bar = 4 * 22_050
    session = Session(SongState(tune(), kept=3840, endless=False))
    session.change("Key", scale="c major")
    session.change("Continue", kept=3 * 1920)
    session.amend(score=with_tail(session.state.score, extract(tune(), (0, bar)), 2 * bar))
    session.edit("Delete", Score(length=3 * bar), (5 * bar // 2, 3 * bar), (Voice.P1,))
    last = session.state
    undo_all(session)
    session.amend(score=extract(session.state.score, (0, 2 * bar)))  # as composing anew does
    redo_all(session)
    assert session.state == last


def test_an_edit_is_asked_for_until_it_is_undone() -> None:
    session = Session(SongState(tune()))
    session.edit("Delete", Score(length=tune().length), (22_050, 44_100), (Voice.P1,))
    assert session.state.kept == 960
    session.undo()
    assert session.state == SongState(tune())
    session.redo()
    session.amend(kept=1920)
    session.undo()
    assert session.state.kept == 1920


def test_steps_of_one_key_are_one() -> None:
    session = Session()
    for bpm in (121.0, 122.0, 123.0):
        session.change("Tempo", key="bpm", bpm=bpm)
    session.change("Temperature", key="temperature", temperature=1.1)
    session.change("Tempo", key="bpm", bpm=130.0)
    session.undo()
    session.undo()
    assert (session.state.bpm, session.undo_label, session.redo_label) == (123.0, "Tempo", "Temperature")
    session.undo()
    assert session.state == SongState()
    session.redo()
    assert session.state.bpm == 123.0


def test_a_step_of_one_key_takes_back_all_that_it_changed() -> None:
    session = Session()
    session.change("Preset", key="preset", bpm=90.0)
    session.change("Preset", key="preset", temperature=1.1)
    session.change_voice("Preset", Voice.NO, key="preset", muted=True)
    session.undo()
    assert session.state == SongState()
    session.redo()
    assert session.state == SongState(bpm=90.0, temperature=1.1).with_voice(Voice.NO, muted=True)


def test_steps_without_a_key_are_many() -> None:
    session = Session()
    session.change("Tempo", bpm=90.0)
    session.change("Tempo", bpm=91.0)
    session.undo()
    assert session.state.bpm == 90.0


def test_what_changes_nothing_is_no_step() -> None:
    session = Session()
    session.change("Tempo", bpm=120.0)
    session.change_voice("Mute", Voice.P1, muted=False)
    session.amend(kept=0)
    assert (session.undo_label, session.revision) == (None, 0)


def test_a_new_step_forgets_what_was_undone() -> None:
    session = Session()
    session.change("Tempo", bpm=90.0)
    session.undo()
    session.change("Tempo", bpm=91.0)
    assert session.redo() is None
    assert session.state.bpm == 91.0


def test_steps_are_kept_up_to_a_number() -> None:
    session = Session()
    for number in range(MOST_STEPS + 10):
        session.change("Seed", seed=number + 1)
    undo_all(session)
    assert session.state.seed == 10


def test_voices_of_a_step_come_back_alone() -> None:
    session = Session()
    session.change_voice("Mute", Voice.P1, muted=True)
    session.change_voice("Solo", Voice.P2, solo=True)
    session.undo()
    assert session.state == SongState().with_voice(Voice.P1, muted=True)


def test_changed_means_not_saved() -> None:
    session = Session(SongState(tune(), kept=10**6))
    assert not session.changed
    session.change("Tempo", bpm=90.0)
    assert session.changed
    session.undo()
    assert not session.changed
    session.redo()
    revision = session.revision
    session.saved(session.state)
    assert not session.changed
    assert session.revision > revision
    session.undo()
    assert session.changed


def test_what_is_only_composed_ahead_is_no_change() -> None:
    session = Session()
    session.amend(score=tune())
    assert not session.changed
    assert asked(session.state).n_notes == 0
    session.amend(kept=960)
    assert session.changed
    assert asked(session.state) == extract(tune(), (0, 44_100))
    session.saved(session.state)
    assert not session.changed
    session.amend(score=extract(tune(), (0, 2 * 44_100)))
    assert not session.changed


@pytest.mark.parametrize("kept", [0, 480, 10**6])
def test_a_note_that_was_asked_for_and_is_gone_is_a_change(kept: int) -> None:
    session = Session(SongState(tune(), kept=kept))
    session.edit("Edit", Score(length=tune().length), (0, 100), (Voice.P1,))
    assert session.changed
    assert session.could_be_missed(session.state)
