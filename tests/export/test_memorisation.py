from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.export.memorisation import longest_runs, run_lengths, steps_of_songs
from lakhnes.runtime import Codec, Note, Part, Score, Timing, parse_text, tx1
from lakhnes.runtime.music.timing import FRAME_SAMPLES

CODEC = Codec(tx1(), Timing.FRAMES)
Voices = list[list[tuple[int, int]]]


def song(*voices: list[tuple[int, int]]) -> list[int]:
    """Tokens of P1, P2, TR and NO, each a list of (pitch, frames to the next note)."""
    parts = []
    for notes in (*voices, [], [], [], [])[:4]:
        onset, part = 0, []
        for pitch, frames in notes:
            part.append(Note(onset * FRAME_SAMPLES, frames * FRAME_SAMPLES, pitch))
            onset += frames
        parts.append(Part(tuple(part)))
    length = max([1, *(part.notes[-1].end for part in parts if part.notes)])
    return CODEC.encode(Score((parts[0], parts[1], parts[2], parts[3]), length))


def runs(songs: list[list[int]], training: list[list[int]]) -> list[tuple[int, int]]:
    found = longest_runs(steps_of_songs(songs, CODEC), steps_of_songs(training, CODEC), len(songs))
    assert [run.song for run in found] == list(range(len(songs)))
    return [(run.steps, run.found_in) for run in found]


TUNE = [(60, 6), (64, 6), (67, 12), (65, 6), (64, 6), (62, 24), (60, 12)]


def test_a_copy_is_found_in_any_key_and_voice() -> None:
    other = [(70, 7), (58, 7), (71, 7), (50, 7)]
    training = [song(other), song([], [(50, 9)], other + TUNE + other)]
    higher = [(pitch + 5, frames) for pitch, frames in TUNE]
    assert runs([song(higher)], training) == [(6, 1)]
    slower = [(pitch, frames + 1) for pitch, frames in TUNE]
    assert runs([song(slower)], training) == [(0, -1)]
    assert runs([song([*TUNE[:3], (80, 6), *TUNE[3:]])], training) == [(3, 1)]


def test_runs_do_not_go_on_from_voice_to_voice_or_song_to_song() -> None:
    training = [song(TUNE[:4]), song(TUNE[3:]), song(TUNE[:2], TUNE[1:4])]
    assert runs([song(TUNE)], training)[0][0] == 3


def test_a_repeated_note_is_told_from_a_melody() -> None:
    training = steps_of_songs([song([(60, 6)] * 9), song(TUNE)], CODEC)
    found = longest_runs(steps_of_songs([song([(50, 6)] * 7), song(TUNE)], CODEC), training, 2)
    assert [(run.steps, run.different, run.found_in) for run in found] == [(6, 1, 0), (6, 6, 1)]


def test_drums_and_songs_without_melody_have_no_runs() -> None:
    drums = [(3, 6), (5, 6), (3, 6), (5, 6)]
    assert runs([song([], [], [], drums), song(TUNE), []], [song([], [], [], drums)]) == [(0, -1)] * 3
    assert runs([], [song(TUNE)]) == []


def test_flicker_of_raw_timing_is_no_note() -> None:
    codec = Codec(tx1(), Timing.SAMPLES)
    clean = ["P1_NOTEON_60", "WT_4400", "P1_NOTEON_64", "WT_4400", "P1_NOTEON_67", "WT_4400"]
    raw = ["P1_NOTEON_60", "WT_4400", "P1_NOTEON_90", "WT_2", "P1_NOTEON_64", "WT_4400", *clean[4:]]
    tokens = [codec.tokens(parse_text("\n".join(words))) for words in (clean, raw)]
    steps = [steps_of_songs([song], codec) for song in tokens]
    np.testing.assert_array_equal(steps[0].values, steps[1].values)


notes = st.lists(st.tuples(st.integers(60, 62), st.integers(1, 2)), max_size=14)


@settings(deadline=None)
@given(st.lists(notes, max_size=3), st.lists(notes, max_size=4))
def test_the_longest_run_is_the_longest(asked: Voices, known: Voices) -> None:
    def steps(voice: list[tuple[int, int]]) -> list[tuple[int, int]]:
        return [(b[0] - a[0], a[1]) for a, b in pairwise(voice)]

    def common(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> int:
        return max(
            n
            for n in range(len(one) + 1)
            for i in range(len(one) - n + 1)
            if any(one[i : i + n] == other[j : j + n] for j in range(len(other) - n + 1))
        )

    found = runs([song(voice) for voice in asked], [song(voice) for voice in known])
    for voice, (length, place) in zip(asked, found, strict=True):
        expected = [common(steps(voice), steps(other)) for other in known]
        assert length == max(expected, default=0)
        if length:
            assert expected[place] == length


def test_run_lengths() -> None:
    training = [song(TUNE)]
    found = longest_runs(
        steps_of_songs([song(TUNE[:n]) for n in range(1, 8)], CODEC), steps_of_songs(training, CODEC), 7
    )
    lengths = run_lengths(found)
    assert (lengths.median, lengths.longest.steps, lengths.longest.song) == (3, 6, 6)
    assert 5 <= lengths.ninth_decile <= 6
