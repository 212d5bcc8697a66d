import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores, without_expression

from lakhnes.runtime import (
    Codec,
    Kind,
    Note,
    OptionError,
    Part,
    Score,
    Timing,
    Vocabulary,
    clean_frames,
    tx1,
    tx2,
)
from lakhnes.runtime.music.timing import FRAME_SAMPLES, FRAME_WAITS, split_frames


def one_voice(*notes: Note, length: int | None = None) -> Score:
    return Score((Part(notes), Part(), Part(), Part()), length or notes[-1].end)


def pulse(score: Score) -> list[tuple[int, int, int]]:
    return [(n.onset // FRAME_SAMPLES, n.length // FRAME_SAMPLES, n.pitch) for n in score.parts[0].notes]


@given(scores(vocabulary=True, unit=FRAME_SAMPLES))
def test_a_clean_score_stays_as_it_is(score: Score) -> None:
    assert without_expression(clean_frames(score)) == without_expression(score)
    assert clean_frames(clean_frames(score)) == clean_frames(score)


@given(scores(vocabulary=True))
def test_cleaning_any_score_gives_frames_once_and_for_all(score: Score) -> None:
    clean = clean_frames(score)
    times = [t for part in clean.parts for n in part.notes for t in (n.onset, n.end)]
    times += [change.sample for part in clean.parts for change in part.changes]
    assert all(time % FRAME_SAMPLES == 0 for time in [*times, clean.length])
    assert clean_frames(clean) == clean
    assert abs(clean.length - score.length) < FRAME_SAMPLES


@given(scores(vocabulary=True))
def test_frames_tokens_decode_exactly(score: Score) -> None:
    for vocabulary in (tx1(), tx2()):
        codec = Codec(vocabulary, Timing.FRAMES)
        tokens = codec.encode(score)
        assert codec.used[tokens].all()
        clean = clean_frames(score)
        assert codec.decode(tokens) == (clean if vocabulary is tx2() else without_expression(clean))


@given(scores(vocabulary=True))
def test_samples_tokens_say_every_event_and_wait_nearly(score: Score) -> None:
    codec = Codec(tx1(), Timing.SAMPLES)
    decoded = codec.decode(codec.encode(score))
    for part, same in zip(score.parts, decoded.parts, strict=True):
        assert [n.pitch for n in part.notes] == [n.pitch for n in same.notes]


@given(st.integers(0, 5000))
def test_frames_split_into_known_waits_largest_first(frames: int) -> None:
    parts = split_frames(frames)
    assert sum(parts) == frames
    assert set(parts) <= set(FRAME_WAITS)
    assert parts == sorted(parts, reverse=True)


def test_flicker_inside_a_frame_goes() -> None:
    f = FRAME_SAMPLES
    wrong_note_for_two_samples = one_voice(
        Note(0, 4 * f, 60), Note(4 * f, 2, 72), Note(4 * f + 2, 4 * f - 2, 62)
    )
    assert pulse(clean_frames(wrong_note_for_two_samples)) == [(0, 4, 60), (4, 4, 62)]
    broken_by_another = one_voice(Note(0, 4 * f, 60), Note(4 * f, 2, 72), Note(4 * f + 2, 4 * f - 2, 60))
    assert pulse(clean_frames(broken_by_another)) == [(0, 8, 60)]
    struck_again = one_voice(Note(0, 4 * f, 60), Note(4 * f + 2, 4 * f - 2, 60))
    assert pulse(clean_frames(struck_again)) == [(0, 4, 60), (4, 4, 60)]
    off_in_between = one_voice(
        Note(0, 4 * f, 60), Note(4 * f, 2, 72), Note(4 * f + 5, 2, 72), Note(4 * f + 7, 4 * f - 7, 60)
    )
    assert pulse(clean_frames(off_in_between)) == [(0, 4, 60), (4, 4, 60)]
    gone = one_voice(Note(0, 4 * f, 60), Note(6 * f, 100, 72), length=8 * f)
    assert pulse(clean_frames(gone)) == [(0, 4, 60)]


def test_the_phase_of_a_song_is_found() -> None:
    chance = random.Random(1)
    rows = [(i * 6, 60 + i % 12) for i in range(50)]
    for phase in (0, 100, 368, 500, 734):
        notes = []
        for frame, pitch in rows:
            onset = phase + frame * FRAME_SAMPLES + chance.randrange(60)
            notes.append(Note(onset, 5 * FRAME_SAMPLES, pitch))
        got = pulse(clean_frames(one_voice(*notes)))
        assert [(onset - got[0][0], pitch) for onset, _, pitch in got] == rows


def test_events_of_a_stream_end_at_the_end() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    song = codec.encode(one_voice(Note(0, FRAME_SAMPLES * 3, 60)))
    kinds = [event.kind for event in codec.events([0, *song, 0, *song])]
    assert kinds == [Kind.NOTE_ON, Kind.WAIT, Kind.NOTE_OFF, Kind.END]


def test_used_tokens() -> None:
    assert Codec(tx1(), Timing.SAMPLES).used.all()
    assert np.count_nonzero(Codec(tx1(), Timing.FRAMES).used) == 631 - 370 + len(FRAME_WAITS)


def test_a_vocabulary_too_coarse_for_frames_is_refused() -> None:
    coarse = Vocabulary.from_text("WT_1000\nWT_9000\nP1_NOTEOFF\nP2_NOTEOFF\nTR_NOTEOFF\nNO_NOTEOFF")
    with pytest.raises(OptionError, match="too coarse"):
        Codec(coarse, Timing.FRAMES)
