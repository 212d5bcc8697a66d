import numpy as np
import pytest
from bar_songs import CODEC, check_grammar, songs
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.export.augment import Changes
from lakhnes.export.augment_bars import BarAugmenter
from lakhnes.runtime.bars.codec import bars_of_events, events_of_bars
from lakhnes.runtime.music.events import Kind, Voice

pytestmark = pytest.mark.train

AUGMENTER = BarAugmenter(CODEC)


def tokens_of(song):
    return np.array(CODEC.tokens(events_of_bars(song)), np.uint16)


def bars(tokens):
    return bars_of_events(CODEC.events(tokens))


@given(songs())
def test_a_song_goes_together_as_it_was(song):
    tokens = tokens_of(song)
    assert AUGMENTER.together(AUGMENTER.apart(tokens)).tolist() == tokens.tolist()


@given(songs())
def test_swapping_twice_changes_nothing(song):
    apart = AUGMENTER.apart(tokens_of(song))
    swapped = AUGMENTER.swapped(apart)
    assert bars(AUGMENTER.together(swapped)).parts[Voice.P1] == song.parts[Voice.P2]
    assert AUGMENTER.together(AUGMENTER.swapped(swapped)).tolist() == tokens_of(song).tolist()


@given(songs(), st.integers(-6, 6))
def test_transposing_moves_pitch_classes_and_key_alike(song, semitones):
    before = AUGMENTER.apart(tokens_of(song))
    after = AUGMENTER.transposed(before, semitones)
    moved = bars(AUGMENTER.together(after))
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        for note, was in zip(moved.parts[voice], song.parts[voice], strict=True):
            assert (note.onset, note.end) == (was.onset, was.end)
            assert (note.pitch - was.pitch - semitones) % 12 == 0
    assert moved.parts[Voice.NO] == song.parts[Voice.NO]
    if Kind.KEY in before.head:
        assert (after.head[Kind.KEY] - before.head[Kind.KEY] - semitones) % 12 == 0


@given(songs())
def test_counting_twice_as_fast_and_back_is_the_same_song(song):
    apart = AUGMENTER.apart(tokens_of(song))
    twice = AUGMENTER.recounted(apart, twice=True)
    if twice is not apart:
        assert bars(AUGMENTER.together(twice)).n_bars == 2 * song.n_bars
        assert twice.ticks.tolist() == (apart.ticks * 2).tolist()
        back = AUGMENTER.recounted(twice, twice=False)
        assert AUGMENTER.together(back).tolist() == tokens_of(song).tolist()


@given(songs(), st.integers(0, 1000))
def test_whatever_happens_to_a_song_it_is_grammatical(song, seed):
    everything = Changes(transpose=1, stretch=1, swap=0.5, subset=0.5, recount=0.5, keyless=0.5)
    changed = AUGMENTER.changed(tokens_of(song), everything, np.random.default_rng(seed))
    check_grammar(changed)
