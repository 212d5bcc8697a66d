import numpy as np
import pytest
from bar_songs import CODEC, songs
from hypothesis import given
from hypothesis import strategies as st
from tiny import cache_weights

from lakhnes.runtime.bars.bars import notes_of
from lakhnes.runtime.bars.codec import BarredCodec, head_of
from lakhnes.runtime.bars.relations import (
    DISTANCES,
    EMPTY,
    N_RELATIONS,
    NEW,
    RHYTHM,
    SAME,
    VARIED,
    KnownRelations,
    relations,
)
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.match_cache import MatchCache, Views
from lakhnes.runtime.decode.relations import Relations
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import BAR_VOICE_VALUES, Kind, Voice
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.music.timing import TICK_SAMPLES
from lakhnes.runtime.music.vocabulary import END_TOKEN, rows

BAR = 96


def found(*bars):
    """Relations of bars that are given as notes of (tick, pitch)."""
    notes = [(number * BAR + tick, pitch) for number, bar in enumerate(bars) for tick, pitch in bar]
    ticks, pitches = np.array(notes, np.int64).reshape(-1, 2).T
    return relations(ticks, pitches, len(bars), BAR).tolist()


def test_each_kind_of_relation():
    one, other = [(0, 60), (24, 62), (48, 64)], [(0, 70), (12, 71)]
    assert found(one, one, other, one) == [NEW, SAME, NEW, SAME + 1]
    assert found(one, [], one) == [NEW, EMPTY, SAME + 1]
    assert found(one, [(0, 60), (24, 62), (48, 65)]) == [NEW, VARIED]
    assert found(one, [(0, 65), (24, 67), (48, 69)]) == [NEW, RHYTHM]
    assert found([(0, 60)], [(0, 65)]) == [NEW, NEW], "one note is no rhythm"
    assert found(one, other, [(0, 60), (24, 62), (48, 65)]) == [NEW, NEW, VARIED + 1]


def test_the_vocabulary_has_every_relation():
    assert len(BAR_VOICE_VALUES[Kind.RELATION]) == N_RELATIONS
    assert not rows().relates


@given(songs(), st.integers(1, 3))
def test_a_song_played_again_is_the_same(song, times):
    for part in song.parts:
        ticks = np.array([note.onset for note in part], np.int64)
        pitches = np.array([note.pitch for note in part], np.int64)
        whole = np.concatenate([ticks + number * song.length for number in range(times + 1)])
        n_bars = (times + 1) * song.n_bars
        first = relations(ticks, pitches, song.n_bars, song.bar_ticks)
        again = relations(whole, np.tile(pitches, times + 1), n_bars, song.bar_ticks)
        assert again[: song.n_bars].tolist() == first.tolist()
        if song.n_bars in (1, 2, 3, 4, 6):
            for relation in again[song.n_bars :]:
                assert relation == EMPTY or SAME <= relation < VARIED


@given(
    songs(), st.sets(st.sampled_from(list(Voice))), st.sets(st.sampled_from(list(Voice))), st.integers(0, 99)
)
def test_a_song_names_each_relation_once_a_bar(there, known, muted, seed):
    length = there.length * TICK_SAMPLES
    score = Score.of((Part(notes_of(there, voice, length)) for voice in Voice), length)
    relations_there = KnownRelations(score, dict.fromkeys(known, there.n_bars), there.bar_ticks)
    codec = BarredCodec(CODEC.vocabulary, head_of(there)).telling({}, relations_there)
    composed = [voice for voice in Voice if voice not in known]
    song = Song(
        codec,
        np.random.default_rng(seed),
        length_samples=length,
        processors=[Relations(codec, composed, muted)],
    )
    song.state.tokens.extend([END_TOKEN, *song.prompt])
    rng, tokens = np.random.default_rng(seed), [song.prompt[-1]]
    while not song.over:
        tokens.append(song.take(rng.normal(0, 2, len(CODEC.vocabulary)).astype(np.float32))[0])
    events = [codec.event(token) for token in tokens]
    lines = [place for place, event in enumerate(events) if event.kind is Kind.BAR]
    for number, place in enumerate(lines[: there.n_bars]):
        named = events[place + 1 : place + 1 + len(Voice)]
        assert [event.kind for event in named] == [Kind.RELATION] * len(Voice)
        said = {event.voice: event.value for event in named}
        assert len(said) == len(Voice)
        exists = relations_there.of(number)
        for voice in Voice:
            if voice in known:
                assert said[voice] == exists[voice]
            elif voice in muted:
                assert said[voice] == EMPTY
    assert sum(event.kind is Kind.RELATION for event in events) == len(Voice) * there.n_bars


@given(songs(), st.integers(0, 1000), st.integers(2, 12))
def test_a_bar_is_what_was_named(like, seed, n_bars):
    codec = BarredCodec(CODEC.vocabulary, head_of(like))
    length = n_bars * like.bar_ticks * TICK_SAMPLES
    wishes = [Relations(codec, list(Voice), [])]
    song = Song(codec, np.random.default_rng(seed), length_samples=length, processors=wishes)
    song.state.tokens.extend([END_TOKEN, *song.prompt])
    rng, named, half = np.random.default_rng(seed), [], None
    while not song.over:
        bar = codec.bar_at(song.time_samples)
        if bar * 2 >= n_bars and half is None:
            half = song.branch(), rng.bit_generator.state
        event = codec.event(song.take(rng.normal(0, 2, len(CODEC.vocabulary)).astype(np.float32))[0])
        if event.kind is Kind.RELATION:
            named.append((event.voice, bar, event.value))
    whole = song.score()
    for voice in Voice:
        notes = whole.parts[voice].notes
        onsets = np.array([note.onset // TICK_SAMPLES for note in notes], np.int64)
        pitches = np.array([note.pitch for note in notes], np.int64)
        lines = np.split(
            pitches + 128 * (onsets % like.bar_ticks),
            np.searchsorted(onsets, np.arange(1, n_bars) * like.bar_ticks),
        )
        for _, bar, relation in (one for one in named if one[0] is voice):
            assert DISTANCES[relation] <= bar
            if relation == EMPTY:
                assert not len(lines[bar])
            elif SAME <= relation < VARIED:
                assert lines[bar].tolist() == lines[bar - DISTANCES[relation]].tolist()
    assert len(named) == len(Voice) * n_bars
    twin, state = half
    rng.bit_generator.state = state
    while not twin.over:
        twin.take(rng.normal(0, 2, len(CODEC.vocabulary)).astype(np.float32))
    assert twin.score() == whole


@pytest.mark.parametrize("seed", range(3))
def test_a_passage_of_all_voices_goes_on_to_return(monkeypatch, seed):
    monkeypatch.setattr("lakhnes.runtime.decode.relations._GOES_ON", 50.0)
    monkeypatch.setattr("lakhnes.runtime.decode.relations._PASSAGES", (4,))
    codec = BarredCodec(CODEC.vocabulary, [])
    song = Song(
        codec,
        np.random.default_rng(seed),
        length_samples=48 * codec.bar_ticks * TICK_SAMPLES,
        processors=[Relations(codec, list(Voice))],
    )
    song.state.tokens.extend([END_TOKEN, *song.prompt])
    again = np.zeros(len(CODEC.vocabulary), np.float32)
    again[[codec.relation_tokens(voice)[SAME + 3] for voice in Voice]] = 3
    rng, bars = np.random.default_rng(seed), []
    while not song.over:
        song.take(rng.normal(0, 1, len(CODEC.vocabulary)).astype(np.float32) + again)
    for voice in Voice:
        notes = [(note.onset // TICK_SAMPLES, note.pitch) for note in song.score().parts[voice].notes]
        lines = [[] for _ in range(48)]
        for tick, pitch in notes:
            lines[tick // codec.bar_ticks].append((tick % codec.bar_ticks, pitch))
        bars.append(lines)
    bars = list(zip(*bars, strict=True))
    returned = [bar for bar in range(4, 47) if bars[bar] == bars[bar - 4] and any(bars[bar - 3])]
    assert returned
    for bar in returned:
        assert bars[bar + 1] == bars[bar - 3] or bars[bar] == bars[bar - 3]


def test_repetition_decides_how_many_bars_take_up_earlier_ones():
    codec = BarredCodec(CODEC.vocabulary, [])
    rng = np.random.default_rng(0)
    shares = []
    for repetition in (-5.0, 0.0, 5.0):
        wishes = [Relations(codec, list(Voice), repetition=repetition)]
        song = Song(codec, np.random.default_rng(1), length_samples=64 * 96 * TICK_SAMPLES, processors=wishes)
        song.state.tokens.extend([END_TOKEN, *song.prompt])
        named = []
        while not song.over:
            event = codec.event(song.take(rng.normal(0, 1, len(CODEC.vocabulary)).astype(np.float32))[0])
            named += [DISTANCES[event.value] > 0] if event.kind is Kind.RELATION else []
        shares.append(np.mean(named))
    assert shares[0] < 0.2 < shares[1] < shares[2]
    assert shares[2] > 0.9
    with pytest.raises(OptionError, match="repetition of 6 is out of range"):
        Request(repetition=6.0)


def test_a_cache_may_begin_to_read_at_a_relation():
    """A prompt that is longer than the memory is cut anywhere."""
    codec = BarredCodec(CODEC.vocabulary, [])
    cache = MatchCache(cache_weights(), Views(codec))
    tokens = [codec.relation_tokens(Voice.TR)[NEW], codec.relation_tokens(Voice.NO)[NEW]]
    mixed = cache.read_all(tokens, np.zeros((2, len(codec.vocabulary)), np.float32), given=True)
    assert np.isfinite(mixed).all()


def test_voices_that_stay_have_no_notes_after_the_score():
    score = Score.of([Part((Note(0, 96 * TICK_SAMPLES, 60),)), Part(), Part(), Part()], 96 * TICK_SAMPLES)
    codec = BarredCodec(CODEC.vocabulary, []).knowing(score, 0, [Voice.P1])
    assert codec.known_at(96 * TICK_SAMPLES) == {Voice.P1: codec.relation_tokens(Voice.P1)[EMPTY]}
