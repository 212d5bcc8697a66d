"""The augmentations on token arrays against the same changes of scores."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from support import scores

pytest.importorskip("torch")

from lakhnes.export.augment import Augmenter, Changes, Happenings
from lakhnes.runtime import Change, Codec, Kind, Note, Part, Score, Timing, Voice, tx1, tx2
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Event
from lakhnes.runtime.music.score import score_from_events
from lakhnes.runtime.music.timing import EVENT_TIMINGS, FRAME_SAMPLES

pytestmark = pytest.mark.train

CODECS = [Codec(make(), timing) for make in (tx1, tx2) for timing in EVENT_TIMINGS]
AUGMENTERS = [Augmenter(codec) for codec in CODECS]
every_codec = pytest.mark.parametrize("codec_number", range(len(CODECS)), ids=lambda i: f"codec{i}")

relaxed = settings(deadline=None, max_examples=60)

Rework = Callable[[Happenings], Happenings]


def score_of(draw: st.DataObject, codec: Codec) -> tuple[Score, np.ndarray]:
    """A score that the codec says exactly, and its tokens."""
    raw = draw.draw(scores(vocabulary=True, unit=FRAME_SAMPLES if codec.timing is Timing.FRAMES else 1))
    clean = codec.decode(codec.encode(raw))
    return clean, np.array(codec.encode(clean), np.uint16)


def parts_of(parts: list[Part], length: int) -> Score:
    return Score((parts[0], parts[1], parts[2], parts[3]), length)


def applied(augmenter: Augmenter, tokens: np.ndarray, rework: Rework) -> list[int]:
    result: list[int] = augmenter.together(rework(augmenter.apart(tokens))).tolist()
    return result


@every_codec
@relaxed
@given(data=st.data())
def test_apart_and_together_changes_nothing(codec_number: int, data: st.DataObject) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    _, tokens = score_of(data, codec)
    assert applied(augmenter, tokens, lambda song: song) == tokens.tolist()
    assert applied(augmenter, tokens, lambda song: augmenter.transposed(song, 0)) == tokens.tolist()


@every_codec
@relaxed
@given(data=st.data(), semitones=st.integers(-6, 6))
def test_transposing_is_that_of_the_score(codec_number: int, data: st.DataObject, semitones: int) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    score, tokens = score_of(data, codec)
    parts = []
    for voice in Voice:
        notes = score.parts[voice].notes
        if voice is not Voice.NO:
            moved = (Note(n.onset, n.length, n.pitch + semitones, n.velocity) for n in notes)
            notes = tuple(n for n in moved if n.pitch in VOCABULARY_PITCHES[voice])
        parts.append(Part(notes, score.parts[voice].changes if notes else ()))
    wanted = codec.encode(parts_of(parts, score.length))
    assert applied(augmenter, tokens, lambda song: augmenter.transposed(song, semitones)) == wanted


@every_codec
@relaxed
@given(data=st.data(), factor=st.floats(0.95, 1.05))
def test_stretching_is_that_of_the_score(codec_number: int, data: st.DataObject, factor: float) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    score, tokens = score_of(data, codec)
    unit = FRAME_SAMPLES if codec.timing is Timing.FRAMES else 1
    new: dict[int, int] = {}
    times = {t for p in score.parts for n in p.notes for t in (n.onset, n.end)}
    times |= {change.sample for part in score.parts for change in part.changes}
    before = -1
    for time in sorted(times):
        before = new[time] = max(before + 1, round(time // unit * factor))
    tail = max(round(score.length // unit * factor), before + 1)
    length = tail if not times or score.length > max(times) else before
    if not times:
        length = round(score.length // unit * factor)
    parts = [
        Part(
            tuple(
                Note(new[n.onset] * unit, (new[n.end] - new[n.onset]) * unit, n.pitch, n.velocity)
                for n in part.notes
            ),
            tuple(Change(new[c.sample] * unit, c.kind, c.value) for c in part.changes),
        )
        for part in score.parts
    ]
    wanted = codec.encode(parts_of(parts, length * unit))
    assert applied(augmenter, tokens, lambda song: augmenter.stretched(song, factor)) == wanted
    for time in sorted(times):  # no moment is far from where the factor puts it, unless it is crowded
        crowd = sum(other <= time for other in times)
        assert round(time // unit * factor) <= new[time] <= round(time // unit * factor) + crowd


@every_codec
@relaxed
@given(data=st.data())
def test_swapping_is_that_of_the_score_and_undoes_itself(codec_number: int, data: st.DataObject) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    score, tokens = score_of(data, codec)
    one, two, triangle, noise = score.parts
    wanted = codec.encode(Score((two, one, triangle, noise), score.length))
    assert applied(augmenter, tokens, augmenter.swapped) == wanted
    twice = applied(augmenter, tokens, lambda song: augmenter.swapped(augmenter.swapped(song)))
    assert twice == tokens.tolist()


@every_codec
@relaxed
@given(data=st.data(), voices=st.sets(st.sampled_from(Voice), min_size=1))
def test_a_subset_is_that_of_the_score(codec_number: int, data: st.DataObject, voices: set[Voice]) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    score, tokens = score_of(data, codec)
    kept = [score.parts[voice] if voice in voices else Part() for voice in Voice]
    assume(any(part.notes for part in kept))

    def ends(parts: list[Part]) -> tuple[int, int]:
        times = [t for p in parts for n in p.notes for t in (n.onset, n.end)]
        if codec.vocabulary.has_expression:
            times += [c.sample for part in parts for c in part.changes]
        return min(times), max(times)

    late = ends(kept)[0] - ends(list(score.parts))[0]
    early = ends(list(score.parts))[1] - ends(kept)[1]
    moved = [
        Part(
            tuple(Note(n.onset - late, n.length, n.pitch, n.velocity) for n in part.notes),
            tuple(Change(c.sample - late, c.kind, c.value) for c in part.changes),
        )
        for part in kept
    ]
    wanted = codec.encode(parts_of(moved, score.length - late - early))
    assert applied(augmenter, tokens, lambda song: augmenter.subset(song, sorted(voices))) == wanted


@every_codec
@relaxed
@given(data=st.data(), times=st.integers(2, 4))
def test_a_loop_is_what_its_events_played_again_say(
    codec_number: int, data: st.DataObject, times: int
) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    _, tokens = score_of(data, codec)
    song = augmenter.apart(tokens)
    firsts = np.flatnonzero(np.diff(song.times, prepend=-1)).tolist()
    assume(len(firsts) > 1)
    start = data.draw(st.sampled_from(firsts[:-1]))
    stop = data.draw(st.sampled_from([first for first in firsts if first > start]))
    places = [place for place, token in enumerate(tokens) if codec.event(int(token)).kind is not Kind.WAIT]
    snippet = tokens[places[start] : places[stop]].tolist()  # with the waits to where it ends
    said = snippet * times + tokens[places[stop] :].tolist()
    heard = score_from_events(codec.event(token) for token in said)
    assert applied(augmenter, tokens, lambda s: augmenter.looped(s, start, stop, times)) == codec.encode(
        heard
    )


@every_codec
@relaxed
@given(data=st.data(), seed=st.integers(0, 1 << 30))
def test_all_together_stay_what_the_codec_says(codec_number: int, data: st.DataObject, seed: int) -> None:
    codec, augmenter = CODECS[codec_number], AUGMENTERS[codec_number]
    _, tokens = score_of(data, codec)
    changes = Changes(loop=0.7, loop_tokens=(3, 12))
    result = augmenter.changed(tokens, changes, np.random.default_rng(seed))
    assert result.dtype == np.uint16
    again = codec.encode(codec.decode(result.tolist()))
    if codec.timing is Timing.FRAMES or not codec.vocabulary.has_expression:
        assert result.tolist() == again
    else:  # a volume of a voice that never plays says nothing
        assert codec.encode(codec.decode(again)) == again
    assert codec.used[result].all()
    same = augmenter.changed(tokens, changes, np.random.default_rng(seed))
    np.testing.assert_array_equal(result, same)


def test_nothing_probable_changes_nothing() -> None:
    codec = CODECS[0]
    tokens = np.array([codec.token(Event(Kind.NOTE_ON, Voice.P1, 60)), codec.wait_token(735)], np.uint16)
    nothing = Changes(transpose=0, stretch=0, swap=0, subset=0, loop=0)
    assert Augmenter(codec).changed(tokens, nothing, np.random.default_rng(0)).tolist() == tokens.tolist()


def test_loops_have_the_asked_length_and_number() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    augmenter, song = Augmenter(codec), []
    for step in range(300):
        song += [codec.token(Event(Kind.NOTE_ON, Voice.P1, 40 + step % 60)), codec.wait_token(735 * 4)]
    only_loops = Changes(transpose=0, stretch=0, swap=0, subset=0, loop=1)
    counts, lengths = set(), set()
    for seed in range(60):
        result = augmenter.changed(
            np.array(song, np.uint16), only_loops, np.random.default_rng(seed)
        ).tolist()
        length = next(n for n in range(2, 200, 2) if result[n : 2 * n] == result[:n])
        count = 1
        while result[count * length : (count + 1) * length] == result[:length]:
            count += 1
        counts.add(count)
        lengths.add(length)
    assert counts <= {2, 3, 4, 5}  # one more where the song goes on as the snippet began
    assert {2, 3, 4} <= counts
    assert min(lengths) >= 24
    assert max(lengths) <= 110
