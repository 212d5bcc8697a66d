from dataclasses import replace

import numpy as np
import pytest
from bar_songs import CODEC, check_grammar, songs
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.export.augment import Changes
from lakhnes.export.augment_bars import BarAugmenter, Shown
from lakhnes.runtime.bars.bars import notes_of
from lakhnes.runtime.bars.chords import NO_CHORD, OTHER, chords
from lakhnes.runtime.bars.codec import BarredCodec, bars_of_events, events_of_bars, head_of
from lakhnes.runtime.bars.relations import KnownRelations
from lakhnes.runtime.bars.shown import far_side, given_voices
from lakhnes.runtime.music.events import Event, Kind, Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.music.timing import TICK_SAMPLES

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


@st.composite
def told(draw):
    """A song, and what is said of it besides."""
    song = draw(songs())
    shown = Shown.nothing(song.n_bars)
    shown.given[:] = draw(st.integers(0, 14)) if draw(st.booleans()) else 0
    for bar in draw(st.sets(st.integers(0, song.n_bars - 1), max_size=2)):
        later = draw(st.integers(1, 6))
        if bar + later < song.n_bars:
            shown.ahead[bar] = later
    if draw(st.booleans()):
        shown.chords[:] = AUGMENTER.chords(AUGMENTER.apart(tokens_of(song)))
    related = draw(st.sets(st.integers(0, 3)))
    return song, replace(shown, related=np.array(sorted(related), np.int64))


@given(told())
def test_what_is_shown_of_a_song_leaves_the_song(what):
    song, shown = what
    tokens = AUGMENTER.together(AUGMENTER.apart(tokens_of(song)), shown)
    assert bars(tokens) == bars(tokens_of(song))


@given(told())
def test_training_shows_what_composing_shows(what):
    """The same tokens, made from a score in model time bar by bar as it is composed."""
    song, shown = what
    no_chords = np.full(song.n_bars, -1)
    tokens = AUGMENTER.together(AUGMENTER.apart(tokens_of(song)), replace(shown, ahead={}, chords=no_chords))
    codec = BarredCodec(CODEC.vocabulary, head_of(song), pick_up=song.pick_up)
    score = Score.of(
        (Part(notes_of(song, v, song.length * TICK_SAMPLES)) for v in Voice), song.length * TICK_SAMPLES
    )
    n_bars, given_now = range(song.n_bars), int(shown.given[0])
    voices = [voice for voice in Voice if given_now >> voice & 1]
    known = KnownRelations(score, {Voice(v): song.n_bars for v in shown.related}, song.bar_ticks)
    codec = codec.telling(given_voices(codec, score, voices, n_bars) if voices else {}, known)
    events = codec.tokens(codec.events_of(score))
    said = [*codec.beginning_at(0), *codec.known_at(0).values(), *events][: len(tokens)]
    assert said == tokens.tolist()


@given(songs(), st.integers(1, 3))
def test_a_gap_shows_the_two_bars_after_it(song, later):
    if later >= song.n_bars:
        return
    shown = Shown.nothing(song.n_bars)
    shown.ahead[0] = later
    apart = AUGMENTER.apart(tokens_of(song))
    tokens = AUGMENTER.together(apart, shown).tolist()
    events = [CODEC.event(token) for token in tokens]
    begin = events.index(Event(Kind.AHEAD, None, later))
    block = tokens[begin : events.index(Event(Kind.BACK)) + 1]
    assert tokens[:begin] + tokens[begin + len(block) :] == tokens_of(song).tolist()
    codec = BarredCodec(CODEC.vocabulary, head_of(song), pick_up=song.pick_up)
    score = Score.of(
        (Part(notes_of(song, v, song.length * TICK_SAMPLES)) for v in Voice), song.length * TICK_SAMPLES
    )
    composing = far_side(codec, score, range(later))
    playing = {int(tick) // song.bar_ticks for tick in apart.ticks}
    if later + 1 in playing or (later in playing and song.n_bars == later + 1):
        assert composing == {0: tuple(block)}
    elif not playing & {later, later + 1}:
        assert composing == {}


def test_a_chord_is_that_of_most_of_what_sounds():
    onsets, ends = np.array([0, 0, 0, 96, 96, 192]), np.array([96, 96, 96, 192, 192, 384])
    pitches = np.array([60, 64, 67, 61, 62, 57])
    bass = np.array([False, False, False, False, False, True])
    assert chords(onsets, ends, pitches, bass, 5, 96).tolist() == [0, OTHER, 9, 9, NO_CHORD]


@given(songs(), st.integers(0, 1000))
def test_whatever_happens_to_a_song_it_is_grammatical(song, seed):
    everything = Changes(
        transpose=1,
        stretch=1,
        swap=0.5,
        subset=0.5,
        recount=0.5,
        keyless=0.5,
        given=0.3,
        gap=0.3,
        chords=0.5,
        relations=0.7,
    )
    changed = AUGMENTER.changed(tokens_of(song), everything, np.random.default_rng(seed))
    check_grammar(changed)
