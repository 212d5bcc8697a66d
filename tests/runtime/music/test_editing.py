"""Cutting: spans out of songs and into them, ends onto them."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.runtime import Change, Kind, Note, Part, Score, Voice
from lakhnes.runtime.music.editing import extract, with_span, with_tail

VOICES = st.frozensets(st.sampled_from(Voice))
BEAT = 22_050


def spans(end: int) -> st.SearchStrategy[tuple[int, int]]:
    return st.tuples(st.integers(0, end), st.integers(0, end)).map(lambda two: (min(two), max(two)))


def lead(*notes: Note, changes: tuple[Change, ...] = (), length: int = 1000) -> Score:
    return Score((Part(notes, changes), Part(), Part(), Part()), length)


def sounding(score: Score, voice: Voice, sample: int) -> int | None:
    """The pitch of a voice at a sample."""
    return next((n.pitch for n in score.parts[voice].notes if n.onset <= sample < n.end), None)


@settings(max_examples=50, deadline=None)
@given(st.data(), scores(unit=5))
def test_a_span_sounds_as_it_did(data: st.DataObject, score: Score) -> None:
    span = data.draw(spans(score.length))
    voices = data.draw(VOICES)
    cut = extract(score, span, voices)
    assert cut.length == span[1] - span[0]
    for voice in Voice:
        if voice not in voices:
            assert cut.parts[voice] == Part()
            continue
        for sample in data.draw(st.lists(st.integers(0, max(0, cut.length - 1)), max_size=10)):
            if sample < cut.length:
                assert sounding(cut, voice, sample) == sounding(score, voice, sample + span[0])


@settings(max_examples=50, deadline=None)
@given(scores())
def test_the_whole_is_a_span_but_for_what_happens_at_its_very_end(score: Score) -> None:
    last = [
        replace(part, changes=tuple(c for c in part.changes if c.sample < score.length))
        for part in score.parts
    ]
    assert extract(score, (0, score.length)) == replace(score, parts=(last[0], last[1], last[2], last[3]))


def test_what_rings_into_a_span_has_the_volume_and_timbre_of_that_place() -> None:
    changes = (
        Change(0, Kind.TIMBRE, 1),
        Change(50, Kind.TIMBRE, 3),
        Change(60, Kind.VELOCITY, 9),
        Change(100, Kind.VELOCITY, 7),
        Change(150, Kind.VELOCITY, 5),
    )
    song = lead(Note(0, 200, 60, 12), Note(300, 50, 62, 4), changes=changes)
    cut = extract(song, (100, 400)).parts[Voice.P1]
    assert cut.notes == (Note(0, 100, 60, 7), Note(200, 50, 62, 4))
    assert cut.changes == (Change(0, Kind.TIMBRE, 3), Change(50, Kind.VELOCITY, 5))


def test_a_span_without_notes_is_empty() -> None:
    song = lead(Note(0, 100, 60), changes=(Change(0, Kind.TIMBRE, 1),))
    assert extract(song, (100, 300)) == Score(length=200)


@settings(max_examples=50, deadline=None)
@given(st.data(), scores(unit=5), scores(unit=5))
def test_a_span_is_replaced_and_the_rest_stays(data: st.DataObject, score: Score, other: Score) -> None:
    span = start, end = data.draw(spans(max(score.length, other.length)))
    voices = data.draw(VOICES)
    result = with_span(score, other, span, voices)
    assert result.length == score.length
    for voice in Voice:
        if voice not in voices:
            assert result.parts[voice] == score.parts[voice]
            continue
        new = {note.onset: note.pitch for note in result.parts[voice].notes}
        kept = [n for n in score.parts[voice].notes if not start <= n.onset < end]
        come = [n for n in other.parts[voice].notes if start <= n.onset < min(end, score.length)]
        assert new == {note.onset: note.pitch for note in (*kept, *come)}
    assert with_span(score, score, span, voices) == score


@settings(max_examples=50, deadline=None)
@given(st.data(), scores(unit=5), scores(unit=5))
def test_what_was_replaced_can_be_put_back(data: st.DataObject, score: Score, other: Score) -> None:
    span = data.draw(spans(score.length))
    voices = data.draw(VOICES)
    changed = with_span(score, other, span, voices)
    assert with_span(changed, score, span, voices) == score
    assert with_span(score, changed, span, voices) == changed


def test_a_note_that_was_cut_for_the_span_comes_back_whole() -> None:
    song = lead(Note(0, 500, 60))
    changed = with_span(song, lead(Note(200, 900, 62), length=2000), (100, 400), (Voice.P1,))
    assert changed.parts[Voice.P1].notes == (Note(0, 200, 60), Note(200, 800, 62))
    assert with_span(changed, song, (100, 400), (Voice.P1,)) == song


def test_what_a_voice_that_fell_silent_had_set_comes_back_with_its_notes() -> None:
    song = lead(Note(200, 50, 60), changes=(Change(0, Kind.TIMBRE, 2), Change(220, Kind.VELOCITY, 5)))
    silent = with_span(song, Score(length=1000), (100, 400), (Voice.P1,))
    assert silent == Score(length=1000)
    assert with_span(silent, song, (100, 400), (Voice.P1,)) == song


def test_notes_beyond_the_end_of_a_song_that_became_shorter_stay_out() -> None:
    song = lead(Note(0, 100, 60), length=300)
    long = lead(Note(200, 200, 62), Note(500, 100, 64), changes=(Change(550, Kind.TIMBRE, 1),))
    result = with_span(song, long, (200, 1000), (Voice.P1,))
    assert result == lead(Note(0, 100, 60), Note(200, 100, 62), length=300)


@settings(max_examples=50, deadline=None)
@given(scores(unit=5), scores(unit=5), st.integers(0, 200_000))
def test_an_end_is_put_onto_a_song(score: Score, tail: Score, sample: int) -> None:
    whole = with_tail(score, tail, sample)
    assert whole.length == sample + tail.length
    for part, head, later in zip(whole.parts, score.parts, tail.parts, strict=True):
        onsets = [n.onset for n in head.notes if n.onset < sample] + [n.onset + sample for n in later.notes]
        assert [note.onset for note in part.notes] == onsets
    assert with_tail(whole, tail, sample) == whole


@pytest.mark.parametrize("bars", [1, 2])
def test_a_song_cut_in_two_and_joined_is_the_song(bars: int) -> None:
    song, cut = tune(), bars * 4 * BEAT
    assert with_tail(extract(song, (0, cut)), extract(song, (cut, song.length)), cut).n_notes == song.n_notes
    assert with_tail(song, Score(), song.length) == song


def test_a_timbre_before_the_first_note_stays_when_the_notes_come_later() -> None:
    early = lead(Note(600, 100, 60), changes=(Change(0, Kind.TIMBRE, 2),))
    tail = lead(Note(0, 100, 62), length=200)
    assert with_tail(early, tail, 500).parts[Voice.P1].changes == (Change(0, Kind.TIMBRE, 2),)


def test_notes_that_stay_are_the_same_objects() -> None:
    song = tune()
    joined = with_tail(song, Score(length=10), song.length - 10)
    assert all(a is b for a, b in zip(song.parts[0].notes, joined.parts[0].notes, strict=True))
