"""Editing notes by hand: whatever is done, voices stay monophonic and the rest of the song as it was."""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.runtime import Change, Kind, Note, OptionError, Part, Score, Voice
from lakhnes.runtime.music.editing import difference, extract, spliced, with_span
from lakhnes.runtime.music.events import VOCABULARY_PITCHES
from lakhnes.runtime.music.note_editing import (
    LEAST_SAMPLES,
    Edited,
    Pick,
    Placed,
    begun_in,
    changed,
    cleared,
    joined,
    lifted,
    moved,
    overlaid,
    picked,
    quantised,
    resized,
    split,
)

BEAT = 22_050
Edit = Callable[[Score, Pick], Edited]


def one(*notes: Note, changes: tuple[Change, ...] = (), length: int = 8 * BEAT) -> Score:
    """A score of pulse 1 alone."""
    return Score((Part(notes, changes), Part(), Part(), Part()), length)


def lead(edited: Edited | Score) -> list[tuple[int, int, int]]:
    """Onset, end and pitch of what pulse 1 plays."""
    score = edited.score if isinstance(edited, Edited) else edited
    return [(note.onset, note.end, note.pitch) for note in score.parts[Voice.P1].notes]


def at(*onsets: int) -> Pick:
    return {Voice.P1: frozenset(onsets)}


@st.composite
def picks(draw: st.DrawFn, score: Score) -> Pick:
    """Any notes of a score."""
    chosen = {}
    for voice in Voice:
        onsets = [note.onset for note in score.parts[voice].notes]
        if onsets and (some := draw(st.frozensets(st.sampled_from(onsets)))):
            chosen[voice] = some
    return chosen


@st.composite
def edits(draw: st.DrawFn) -> Edit:
    """Anything that is done to notes."""
    samples, semitones, step = (
        draw(st.integers(-9000, 9000)),
        draw(st.integers(-30, 30)),
        draw(st.integers(1, 4000)),
    )
    flag = draw(st.booleans())
    return draw(
        st.sampled_from(
            [
                lambda score, pick: moved(score, pick, samples, semitones, copy=flag),
                lambda score, pick: resized(score, pick, samples, step, start=flag),
                lambda score, pick: changed(score, pick, lambda each: each.louder(semitones)),
                lambda score, pick: split(score, pick, lambda note: note.onset + step),
                joined,
                lambda score, pick: quantised(score, pick, lambda sample: round(sample / step) * step),
                lambda score, pick: overlaid(score, pick, ()),
            ]
        )
    )


@settings(max_examples=40, deadline=None)
@given(st.data(), scores(vocabulary=True, unit=50), st.lists(edits(), min_size=1, max_size=4))
def test_whatever_is_done_the_voices_stay_monophonic_and_in_range(
    data: st.DataObject, score: Score, actions: list[Edit]
) -> None:
    for edit in actions:
        pick = data.draw(picks(score))
        edited = edit(score, pick)
        for voice, part in zip(Voice, edited.score.parts, strict=True):
            assert all(a.end <= b.onset for a, b in pairwise(part.notes))
            assert all(note.onset >= 0 and note.pitch in VOCABULARY_PITCHES[voice] for note in part.notes)
            assert edited.notes.get(voice, frozenset()) <= {note.onset for note in part.notes}
            if voice not in pick:
                assert part == score.parts[voice]
        assert edited.score.length >= score.length
        score = edited.score


@settings(max_examples=40, deadline=None)
@given(st.data(), scores(vocabulary=True, unit=50), edits())
def test_what_differs_is_all_that_it_takes_to_put_an_edit_back(
    data: st.DataObject, score: Score, edit: Edit
) -> None:
    new = edit(score, data.draw(picks(score))).score
    old = Score.of(score.parts, new.length)
    found = difference(old, new)
    if found is None:
        assert old == new
        return
    span, voices = found
    assert with_span(old, new, span, voices) == new
    assert with_span(new, old, span, voices) == old


@settings(max_examples=30, deadline=None)
@given(st.data(), scores(vocabulary=True, unit=50))
def test_a_swell_goes_with_its_note(data: st.DataObject, score: Score) -> None:
    pick = data.draw(picks(score))
    swells = {
        voice: [
            (c.sample - each.note.onset, c.value)
            for each in lifted(score, {voice: onsets})
            for c in each.swells
        ]
        for voice, onsets in pick.items()
    }
    far = score.length + 1000
    edited = moved(score, pick, far)
    for voice, theirs in swells.items():
        came = lifted(edited.score, {voice: edited.notes[voice]})
        assert [(c.sample - each.note.onset, c.value) for each in came for c in each.swells] == theirs


def test_a_new_note_cuts_the_one_that_sounds_and_what_it_covers_begins_later() -> None:
    score = one(Note(0, 2 * BEAT, 60), Note(2 * BEAT, 2 * BEAT, 62))
    new = Placed(Voice.P1, Note(BEAT, 2 * BEAT, 72))
    assert lead(overlaid(score, {}, [new])) == [
        (0, BEAT, 60),
        (BEAT, 3 * BEAT, 72),
        (3 * BEAT, 4 * BEAT, 62),
    ]


def test_a_note_inside_another_cuts_it_and_the_rest_does_not_come_back() -> None:
    score = one(Note(0, 4 * BEAT, 60))
    new = Placed(Voice.P1, Note(BEAT, BEAT, 72))
    assert lead(overlaid(score, {}, [new])) == [(0, BEAT, 60), (BEAT, 2 * BEAT, 72)]


def test_a_rest_that_nobody_hears_goes() -> None:
    score = one(Note(BEAT, BEAT, 60), Note(2 * BEAT, BEAT, 62))
    new = Placed(Voice.P1, Note(BEAT + LEAST_SAMPLES - 1, 2 * BEAT - LEAST_SAMPLES - 5, 72))
    assert [pitch for _, _, pitch in lead(overlaid(score, {}, [new]))] == [72]


def test_what_begins_later_is_as_loud_as_it_was_there() -> None:
    fade = (Change(BEAT // 2, Kind.VELOCITY, 4), Change(3 * BEAT, Kind.VELOCITY, 2))
    score = one(Note(0, 4 * BEAT, 60, 12), changes=fade)
    part = overlaid(score, {}, [Placed(Voice.P1, Note(0, BEAT, 72, 9))]).score.parts[Voice.P1]
    assert [note.velocity for note in part.notes] == [9, 4]
    assert part.changes == fade[1:]


def test_timbre_stays_in_its_place() -> None:
    score = one(Note(0, BEAT, 60), Note(BEAT, BEAT, 62), changes=(Change(BEAT, Kind.TIMBRE, 2),))
    part = moved(score, at(BEAT), 2 * BEAT).score.parts[Voice.P1]
    assert part.changes == (Change(BEAT, Kind.TIMBRE, 2),)


def test_moving_stops_for_all_where_one_would_leave_the_song_or_its_voice() -> None:
    score = one(Note(BEAT, BEAT, 100), Note(3 * BEAT, BEAT, 60))
    pick = at(BEAT, 3 * BEAT)
    assert lead(moved(score, pick, -2 * BEAT, 20)) == [(0, BEAT, 108), (2 * BEAT, 3 * BEAT, 68)]


def test_a_note_below_its_voice_can_be_moved_back_into_it() -> None:
    score = one(Note(0, BEAT, 20))
    assert lead(moved(score, at(0), 0, -1)) == [(0, BEAT, 20)]
    assert lead(moved(score, at(0), 0, 24)) == [(0, BEAT, 44)]


def test_a_copy_leaves_the_note_where_it_was() -> None:
    score = one(Note(0, BEAT, 60))
    edited = moved(score, at(0), 2 * BEAT, 3, copy=True)
    assert lead(edited) == [(0, BEAT, 60), (2 * BEAT, 3 * BEAT, 63)]
    assert edited.notes == at(2 * BEAT)


def test_notes_grow_over_those_that_follow_and_shrink_to_the_least() -> None:
    score = one(Note(0, BEAT, 60), Note(BEAT, BEAT, 62))
    assert lead(resized(score, at(0), BEAT // 2, 100)) == [
        (0, 3 * BEAT // 2, 60),
        (3 * BEAT // 2, 2 * BEAT, 62),
    ]
    assert lead(resized(score, at(0), -9 * BEAT, 100)) == [(0, 100, 60), (BEAT, 2 * BEAT, 62)]
    assert lead(resized(score, at(BEAT), 9 * BEAT, 100, start=True)) == [
        (0, BEAT, 60),
        (2 * BEAT - 100, 2 * BEAT, 62),
    ]


def test_a_note_after_the_end_makes_the_song_longer() -> None:
    score = one(Note(0, BEAT, 60))
    assert moved(score, at(0), 9 * BEAT).score.length == 10 * BEAT


def test_volume_stays_within_its_range_and_the_triangle_has_none() -> None:
    score = tune()
    whole = begun_in(score, (0, score.length), tuple(Voice))
    louder = changed(score, whole, lambda each: each.louder(20)).score
    assert {note.velocity for part in louder.parts for note in part.notes} == {15}
    softer = changed(score, whole, lambda each: each.louder(-20)).score
    assert {note.velocity for voice in Voice for note in softer.parts[voice].notes if voice != Voice.TR} == {
        1
    }
    assert softer.parts[Voice.TR] == score.parts[Voice.TR]


def test_a_note_is_split_where_it_is_said_and_joined_again() -> None:
    score = one(Note(0, 2 * BEAT, 60, 12), changes=(Change(BEAT // 2, Kind.VELOCITY, 5),))
    halves = split(score, at(0), lambda note: BEAT)
    assert lead(halves) == [(0, BEAT, 60), (BEAT, 2 * BEAT, 60)]
    assert [note.velocity for note in halves.score.parts[Voice.P1].notes] == [12, 5]
    again = joined(halves.score, halves.notes)
    assert again.score == score


def test_joining_takes_the_first_pitch_and_what_lies_between() -> None:
    score = one(Note(0, BEAT, 60), Note(BEAT, BEAT, 65), Note(3 * BEAT, BEAT, 70))
    assert lead(joined(score, at(0, 3 * BEAT))) == [(0, 4 * BEAT, 60)]


def test_quantised_notes_begin_on_the_grid_and_keep_their_length() -> None:
    score = one(Note(200, BEAT // 2, 60), Note(BEAT - 900, BEAT // 2, 62))
    edited = quantised(score, at(200, BEAT - 900), lambda sample: round(sample / BEAT) * BEAT)
    assert lead(edited) == [(0, BEAT // 2, 60), (BEAT, BEAT + BEAT // 2, 62)]


def test_notes_go_to_other_voices_but_not_to_the_noise() -> None:
    note = Placed(Voice.P1, Note(0, BEAT, 60, 7), (Change(100, Kind.VELOCITY, 3),))
    assert note.of(Voice.TR) == Placed(Voice.TR, Note(0, BEAT, 60))
    assert note.of(Voice.P2) == replace(note, voice=Voice.P2)
    with pytest.raises(OptionError, match="noise"):
        note.of(Voice.NO)


@settings(max_examples=40, deadline=None)
@given(st.data(), scores(unit=50))
def test_a_span_that_is_cleared_is_silent_and_the_rest_stays(data: st.DataObject, score: Score) -> None:
    first, last = sorted(data.draw(st.tuples(*[st.integers(0, score.length)] * 2)))
    silent = cleared(score, (first, last), (Voice.P1, Voice.NO))
    for voice in (Voice.P1, Voice.NO):
        assert not any(first <= note.onset < last for note in silent.parts[voice].notes)
        assert not any(note.onset < first < note.end for note in silent.parts[voice].notes)
    assert (silent.parts[Voice.P2], silent.parts[Voice.TR]) == (score.parts[Voice.P2], score.parts[Voice.TR])


@settings(max_examples=40, deadline=None)
@given(st.data(), scores(unit=50), scores(unit=50))
def test_bars_come_in_and_go_out_again(data: st.DataObject, score: Score, middle: Score) -> None:
    first = data.draw(st.integers(0, score.length))
    longer = spliced(score, (first, first), middle)
    assert longer.length == score.length + middle.length
    span = (first, first + middle.length)
    assert extract(longer, span).parts[Voice.P1].notes == middle.parts[Voice.P1].notes
    shorter = spliced(longer, span, Score())
    assert shorter.length == score.length
    for before, after in zip(score.parts, shorter.parts, strict=True):
        assert sum(n.length for n in before.notes) == sum(n.length for n in after.notes)


def test_silence_comes_before_what_is_put_after_the_end() -> None:
    longer = spliced(one(Note(0, BEAT, 60)), (9 * BEAT, 9 * BEAT), one(Note(0, BEAT, 62)))
    assert (lead(longer), longer.length) == ([(0, BEAT, 60), (9 * BEAT, 10 * BEAT, 62)], 17 * BEAT)


def test_picked_names_notes_by_voice() -> None:
    score = tune()
    whole = begun_in(score, (0, score.length), tuple(Voice))
    assert picked(lifted(score, whole)) == whole
