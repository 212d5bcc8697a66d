from dataclasses import replace

import numpy as np
import pytest
from bar_songs import CODEC, check_grammar, songs
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime.bars.bar_time import score_of
from lakhnes.runtime.bars.bars import BarLines, BarNote, Bars, bars_of, notes_of
from lakhnes.runtime.bars.codec import (
    TEMPO_OCTAVE,
    BarredCodec,
    bars_of_events,
    events_of_bars,
    head_of,
    key_of,
    tempo_class,
    tempo_of_class,
)
from lakhnes.runtime.compose.regenerate import events_before
from lakhnes.runtime.decode.kept import Kept
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.music.events import END, Event, Kind, Voice, parse_event
from lakhnes.runtime.music.score import Note, Part, Score
from lakhnes.runtime.music.timing import FRAME_SAMPLES, TICK_SAMPLES
from lakhnes.runtime.music.vocabulary import END_TOKEN, Vocabulary, rows
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.tempo import Beats, track_beats


def beats_of(bpm: float, n_beats: int, beats_per_bar: int = 4, downbeat: int = 0) -> Beats:
    """Beats of one tempo, four rows each."""
    row = 60 * 44_100 / bpm / 4
    places = np.round(np.arange(n_beats * 4 + 1) * row).astype(np.int64)
    return Beats(places, 4, beats_per_bar, downbeat, 0.5, bpm, 1.0, ((0, bpm),))


def played(bpm: float, notes: dict[Voice, list[tuple[float, float, int]]], n_beats: int) -> Score:
    """A score of notes by onset and length in beats, in whole frames."""
    frames = 60 * 60 / bpm

    def frame(beat: float) -> int:
        return round(beat * frames) * FRAME_SAMPLES

    parts = []
    for voice in Voice:
        line = [
            Note(frame(on), frame(on + long) - frame(on), pitch) for on, long, pitch in notes.get(voice, [])
        ]
        parts.append(Part(tuple(line)))
    return Score((parts[0], parts[1], parts[2], parts[3]), frame(n_beats))


@given(songs())
def test_a_song_comes_back_from_its_tokens(song):
    tokens = CODEC.tokens(events_of_bars(song))
    back = bars_of_events(CODEC.events(tokens))
    assert back.parts == song.parts
    assert (back.n_bars, back.beats_per_bar, back.swing) == (song.n_bars, song.beats_per_bar, song.swing)
    assert back.articulation == song.articulation
    assert back.bpm == pytest.approx(song.bpm, rel=0.023)


@given(songs())
def test_every_song_is_grammatical(song):
    state = check_grammar(CODEC.tokens(events_of_bars(song)))
    assert state.time // TICK_SAMPLES // song.bar_ticks == song.n_bars - 1


@given(songs())
def test_a_score_in_model_time_has_the_tokens_of_its_bars(song):
    codec = BarredCodec(CODEC.vocabulary, head_of(song), pick_up=song.pick_up)
    length = song.length * TICK_SAMPLES
    score = Score.of((Part(notes_of(song, voice, length)) for voice in Voice), length)
    tokens = [*codec.beginning_at(0), *codec.tokens(codec.events_of(score))]
    assert tokens[:-1] == CODEC.tokens(events_of_bars(song))
    assert [tokens[-1]] == codec.arriving_at(length)


@given(songs(), st.integers(0, 5000))
def test_the_tokens_that_arrive_at_a_time_are_those_that_wait_for_it(song, tick):
    codec = BarredCodec(CODEC.vocabulary, head_of(song), pick_up=song.pick_up)
    tokens = codec.tokens([Event(Kind.WAIT, None, tick * TICK_SAMPLES)] if tick else [])
    bars = [token for token in (*codec.beginning_at(0), *tokens) if CODEC.event(token).kind is Kind.BAR]
    arriving = codec.arriving_at(tick * TICK_SAMPLES)
    assert arriving[0] == bars[-1]
    assert arriving[1:] == [token for token in tokens[-1:] if token not in bars]
    waits = codec.waits_at(tick * TICK_SAMPLES)
    assert [waits.samples[token] for token in waits.tokens] == waits.lengths
    assert np.count_nonzero(waits.samples) == len(waits.tokens)


@given(songs(), st.floats(40, 300))
def test_a_song_is_played_at_any_tempo(song, bpm):
    grid = BeatGrid.steady(bpm, song.beats_per_bar)
    score = score_of(song, grid)
    assert score.length == grid.sample(song.length * 20)
    for voice in Voice:
        notes = score.parts[voice].notes
        assert len(notes) == len(song.parts[voice])
        for heard, note in zip(notes, song.parts[voice], strict=True):
            assert heard.pitch == note.pitch
            if note.onset % 12 == 0:  # swing moves nothing on an eighth
                assert heard.onset == grid.sample(note.onset * 20)


@pytest.mark.parametrize("bpm", [100, 112.5, 150, 180])
def test_bars_keep_what_is_played_on_the_beat(bpm):
    line = [(beat / 2, 0.5, 60 + beat % 5) for beat in range(64)]
    score = played(bpm, {Voice.P1: line, Voice.NO: [(beat, 0.1, 3) for beat in range(32)]}, 32)
    song = bars_of(score, beats_of(bpm, 32))
    assert song.n_bars == 8
    assert song.beats_per_bar == 4
    assert [(note.onset, note.pitch) for note in song.parts[Voice.P1]] == [
        (b * 12, 60 + b % 5) for b in range(64)
    ]
    assert [note.onset for note in song.parts[Voice.NO]] == [beat * 24 for beat in range(32)]


def test_rests_are_kept_and_short_gaps_are_articulation():
    line = [(0, 0.5, 60), (1, 0.25, 62), (2, 1, 64), (3, 1, 65)]
    song = bars_of(played(120, {Voice.P1: line}, 8), beats_of(120, 8))
    assert [note.end for note in song.parts[Voice.P1]] == [
        12,
        30,
        None,
        None,
    ]  # the last one sounds to the end of the song


def test_a_slow_tempo_is_counted_twice_as_fast():
    line = [(beat / 4, 0.25, 60 + beat % 3) for beat in range(64)]
    song = bars_of(played(60, {Voice.P1: line}, 16), beats_of(60, 16))
    assert song.bpm == 120
    assert song.n_bars == 8


def test_bar_lines_move_to_the_beat_on_which_more_repeats():
    figure = [(0, 60), (0.5, 64), (1, 67), (2.5, 72), (3, 71)]
    line = [(bar * 4 + 1 + beat, 0.5, pitch + bar % 2) for bar in range(8) for beat, pitch in figure]
    song = bars_of(played(120, {Voice.P1: line}, 34), beats_of(120, 34))
    assert song.parts[Voice.P1][0].onset % 96 == 0
    assert song.repeating > 0.7


def test_notes_of_a_fast_run_take_a_tick_each():
    run = [(beat / 24 * 1.1, 1 / 24, 60 + beat) for beat in range(8)]
    song = bars_of(played(100, {Voice.P1: run}, 4), beats_of(100, 4))
    assert len(song.parts[Voice.P1]) == 8


def test_a_meter_that_the_vocabulary_lacks_is_refused():
    with pytest.raises(ValueError, match="9 beats"):
        bars_of(played(120, {Voice.P1: [(0, 1, 60)]}, 9), beats_of(120, 9, beats_per_bar=9))


def test_tempi_are_classes_of_an_octave_each_sixteen():
    assert tempo_class(150) + TEMPO_OCTAVE == tempo_class(300 / 1.0001) or tempo_class(300) == 31
    for number in range(32):
        assert tempo_class(tempo_of_class(number)) == number
    assert tempo_of_class(TEMPO_OCTAVE) / tempo_of_class(0) == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("tonic", range(12))
def test_the_key_is_found_and_moves_with_the_music(tonic):
    scale = [0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0, 0]
    notes = tuple(BarNote(i * 24, None, 60 + tonic + step) for i, step in enumerate(scale))
    assert key_of(Bars((notes, (), (), ()), 3, 4, 120)) == tonic


def test_the_vocabulary_is_a_text_like_the_others():
    text = rows().to_text()
    assert Vocabulary.from_text(text) == rows()
    assert parse_event("TR_ART_1") == Event(Kind.ARTICULATION, Voice.TR, 1)
    assert parse_event("POS_12") == Event(Kind.POSITION, None, 12)


def composed(song: Song, seed: int) -> list[int]:
    """Tokens of a song of random logits."""
    rng = np.random.default_rng(seed)
    tokens = []
    while not song.over:
        tokens.append(song.take(rng.normal(0, 2, len(CODEC.vocabulary)).astype(np.float32))[0])
    return tokens


@given(songs(), st.integers(0, 10_000), st.integers(1, 4))
def test_what_is_composed_is_what_the_tokens_say(like, seed, n_bars):
    codec = BarredCodec(CODEC.vocabulary, head_of(like))
    length = n_bars * like.bar_ticks * TICK_SAMPLES
    song = Song(codec, np.random.default_rng(seed), length_samples=length)
    tokens = [*codec.beginning_at(0), *composed(song, seed)]
    check_grammar([token for token in tokens if CODEC.event(token).kind is not Kind.END][:-1])
    said = bars_of_events(CODEC.events(tokens[:-1]))
    assert song.score().length == length
    for voice in Voice:
        notes = [note for note in notes_of(said, voice, length) if note.onset < length]
        assert notes == list(song.score().parts[voice].notes)


@given(songs(), st.sets(st.sampled_from(list(Voice)), min_size=1, max_size=3), st.integers(0, 1000))
def test_kept_voices_stay_note_for_note(kept, keep, seed):
    codec = BarredCodec(CODEC.vocabulary, head_of(kept), pick_up=kept.pick_up)
    length = kept.length * TICK_SAMPLES
    score = Score.of((Part(notes_of(kept, voice, length)) for voice in Voice), length).only(keep)
    free = dict.fromkeys([voice for voice in Voice if voice not in keep], 0)
    song = Song(codec, np.random.default_rng(seed), processors=[Kept(codec, score, free)], ends=False)
    composed(song, seed)
    assert song.score().length == length
    for voice in keep:
        assert song.score().parts[voice] == score.parts[voice]


@given(songs(), st.sampled_from([60.0, 97.0, 140.0, 240.0]), st.sampled_from([0.5, 0.58, 0.667]))
def test_samples_become_ticks_and_samples_again(song, bpm, swing):
    grid = replace(BeatGrid.steady(bpm, song.beats_per_bar), swing=swing)
    lines = BarLines.of(grid)
    assert lines.tick(grid.sample(lines.first)) == pytest.approx(0, abs=1e-6)
    for tick in range(0, 200, 4):
        assert round(lines.tick(lines.sample(tick))) == tick
        if tick % 12 == 0:
            assert lines.nearest(lines.sample(tick) + 300) == pytest.approx(tick)


def test_a_song_in_twice_or_half_the_tempo_has_bars_of_a_usual_length():
    for bpm in range(25, 400, 25):
        lines = BarLines.of(BeatGrid.steady(bpm, 4))
        assert 1 < lines.beats_per_bar * 60 / lines.bpm < 5
        assert lines.bpm / lines.factor == pytest.approx(bpm)


@pytest.mark.parametrize(("beats", "of_the_model"), [(1, 4), (2, 2), (7, 7), (8, 4), (9, 3), (11, 4)])
def test_a_meter_that_the_model_lacks_becomes_a_part_of_it(beats, of_the_model):
    assert BarLines.of(BeatGrid.steady(120, beats)).beats_per_bar == of_the_model


@given(songs(), st.integers(0, 1000), st.integers(1, 300))
def test_a_song_goes_on_from_anywhere_in_a_bar(there, seed, tick):
    codec = BarredCodec(CODEC.vocabulary, head_of(there), pick_up=there.pick_up)
    length = tick * TICK_SAMPLES
    score = Score.of((Part(notes_of(there, voice, length)) for voice in Voice), length)
    song = Song(codec, np.random.default_rng(seed), length_samples=length + 200 * TICK_SAMPLES)
    song.begin_with(list(codec.events_of(score)))
    song.read([END_TOKEN, *song.prompt], np.zeros((len(song.prompt), len(CODEC.vocabulary)), np.float32))
    new = composed(song, seed)
    tokens = [*song.prompt, *(token for token in new if token != END_TOKEN)]
    said = bars_of_events(CODEC.events(tokens))
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        onsets = [note.onset * TICK_SAMPLES for note in said.parts[voice]]
        heard = [note.onset for note in song.score().parts[voice].notes]
        assert [onset for onset in onsets if onset < song.score().length] == heard


@given(songs(), st.integers(0, 2**32))
def test_the_model_is_told_the_place_of_all_that_is_kept(there, seed):
    """Also of what begins or ends where composing begins, in the middle of a bar."""
    codec = BarredCodec(CODEC.vocabulary, head_of(there), pick_up=there.pick_up)
    length = there.length * TICK_SAMPLES
    score = Score.of((Part(notes_of(there, voice, length)) for voice in Voice), length)
    moments = [m for part in score.parts for note in part.notes for m in (note.onset, note.end)]
    first = moments[seed % len(moments)] if moments else 0
    before, acts = events_before(codec, score, first)
    song = Song(codec, np.random.default_rng(seed), processors=[Kept(codec, score, {})], ends=False)
    song.begin_with(before, acts=acts)
    song.read([END_TOKEN, *song.prompt], np.zeros((len(song.prompt), len(CODEC.vocabulary)), np.float32))
    new = composed(song, seed)
    said = [token for token in (*song.prompt, *new) if token != END_TOKEN]
    whole = [*codec.beginning_at(0), *codec.tokens(codec.events_of(score))]
    assert bars_of_events(CODEC.events(said)).parts == bars_of_events(CODEC.events(whole)).parts


def test_beats_are_tracked_where_nobody_states_them():
    line = [(beat / 2, 0.5, 60 + 2 * (beat % 8)) for beat in range(96)]
    bass = [(beat, 1, 36 + beat // 4 % 2 * 5) for beat in range(48)]
    score = played(150, {Voice.P1: line, Voice.TR: bass}, 48)
    assert bars_of(score, track_beats(score)).on_grid == 1
    tokens = CODEC.encode(score)
    assert CODEC.event(tokens[-1]) != END
    assert abs(CODEC.decode(tokens).n_notes - score.n_notes) <= 1
