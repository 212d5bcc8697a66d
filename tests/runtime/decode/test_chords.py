"""Chords by name, and chords that are asked for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import tiny_model_of

from lakhnes.runtime import (
    BeatGrid,
    Codec,
    DecodeState,
    Event,
    Kind,
    OptionError,
    Request,
    Score,
    Timing,
    Voice,
    compose_song,
    parse_chords,
    tx1,
)
from lakhnes.runtime.bars.chords import NO_CHORD, OTHER, triad_number
from lakhnes.runtime.decode.chords import Chords
from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.music.chords import CHORDS, chord_names
from lakhnes.runtime.music.scales import CLASS_NAMES
from lakhnes.runtime.time.grid import PPQ

SECOND = 44_100


@pytest.mark.parametrize(
    ("text", "notes", "bass"),
    [
        ("C", "C E G", "C"),
        ("f#m", "F# A C#", "F#"),
        ("E\u266d", "Eb G Bb", "Eb"),
        ("D-7", "D F A C", "D"),
        ("Gmin", "G Bb D", "G"),
        ("CM7", "C E G B", "C"),
        ("C\u0394", "C E G B", "C"),
        ("CMaj7", "C E G B", "C"),
        ("Am(maj7)", "A C E Ab", "A"),
        ("Gsus", "G C D", "G"),
        ("A7sus4", "A D E G", "A"),
        ("B\u00b07", "B D F Ab", "B"),
        ("B\u00f8", "B D F A", "B"),
        ("Bm7(b5)", "B D F A", "B"),
        ("C+", "C E Ab", "C"),
        ("C6/9", "C D E G A", "C"),
        ("C69/G", "C D E G A", "G"),
        ("F/G", "F G A C", "G"),
        ("Am7/G", "A C E G", "G"),
        ("E7b9", "E Ab B D F", "E"),
    ],
)
def test_chords_are_read_by_their_names(text: str, notes: str, bass: str) -> None:
    (chord,) = parse_chords(text)
    classes = {*parse_classes(notes)}
    assert chord.notes == classes
    assert [chord.bass] == parse_classes(bass)


def parse_classes(names: str) -> list[int]:
    return [("C", "C#", *CLASS_NAMES[2:]).index(name) for name in names.split()]


@given(st.sampled_from(CLASS_NAMES), st.sampled_from(sorted(CHORDS)), st.sampled_from(["", *CLASS_NAMES]))
def test_every_kind_of_chord_is_read_and_written(root: str, kind: str, bass: str) -> None:
    chords = parse_chords(root + kind + (bass and f"/{bass}"))
    assert parse_chords(chord_names(chords)) == chords
    steps = {(note - CLASS_NAMES.index(root)) % 12 for note in chords[0].notes}
    assert steps >= set(CHORDS[kind])


def test_chords_of_many_bars() -> None:
    assert parse_chords("f#m, Bb7 | % | N.C.") == parse_chords("F#m Bb7 Bb7 nc")
    assert parse_chords("N.C.")[0].notes == frozenset()


@pytest.mark.parametrize(
    "text", ["H", "Am X", "Csus7", "C" * 99, "maj", "%", "C/H", "Cm7b", "C/", "\u266d", "\u266dm", "C/\u266d"]
)
def test_other_texts_are_refused_by_name(text: str) -> None:
    with pytest.raises(OptionError, match="is no chord") as refused:
        parse_chords(text)
    assert repr(text.split()[-1]) in str(refused.value)


@pytest.mark.parametrize("text", ["", " , "])
def test_no_text_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="No chord is named"):
        parse_chords(text)


def test_triads_have_the_numbers_that_models_learn() -> None:
    names = "C Am7 F#m Dm7/G Bdim Gsus4 N.C. C5"
    numbers = [0, 21, 18, 14, OTHER, OTHER, NO_CHORD, OTHER]
    assert list(map(triad_number, parse_chords(names))) == numbers


GRID = BeatGrid.steady(120)
CODEC = Codec(tx1(), Timing.SAMPLES)


def state_at(time: int, events: list[Event] | None = None) -> DecodeState:
    state = DecodeState(CODEC)
    state.replay(events or [])
    if time > state.time:
        state.add(Event(Kind.WAIT, None, time - state.time))
    return state


def shares(logits: np.ndarray, voice: Voice) -> dict[int, float]:
    """How much is expected of each pitch of a voice, of all that is expected."""
    odds = np.exp(logits - np.logaddexp.reduce(logits))
    events = CODEC.vocabulary.events
    return {e.value: float(p) for e, p in zip(events, odds, strict=True) if e[:2] == (Kind.NOTE_ON, voice)}


@given(st.integers(0, 32), st.integers(0, 1000), st.sampled_from(MELODIC))
def test_notes_of_the_chord_are_likelier_and_notes_as_many(eighths: int, seed: int, voice: Voice) -> None:
    chords = parse_chords("Am F N.C. G7/B")
    logits = np.random.default_rng(seed).normal(0, 3, len(CODEC.vocabulary)).astype(np.float32)
    drawn = Chords(CODEC, chords, lambda time: GRID.place(GRID.tick(time)))(
        state_at(eighths * SECOND // 4), logits.copy()
    )
    before, after = shares(logits, voice), shares(drawn, voice)
    assert sum(after.values()) == pytest.approx(sum(before.values()), rel=1e-3)
    chord = chords[eighths // 8 % 4]
    fits = [sum(share for pitch, share in s.items() if pitch % 12 in chord.notes) for s in (before, after)]
    assert fits[1] > fits[0] if chord.notes else after == before
    if eighths % 4 == 0 and chord.notes:  # a strong beat
        assert fits[1] > 0.9 * sum(after.values()) or fits[0] < 0.2 * sum(before.values())
    assert min(after.values()) > 0, "nothing is forbidden"


def test_the_bass_begins_a_bar_with_its_note_and_is_free_then() -> None:
    processor = Chords(CODEC, parse_chords("Am7/G"), lambda time: GRID.place(GRID.tick(time)))
    even = np.zeros(len(CODEC.vocabulary), np.float32)
    begun = [Event(Kind.WAIT, None, 2 * SECOND), Event(Kind.NOTE_ON, Voice.TR, 45)]
    for time, events, wants in ((0, [], True), (2 * SECOND, [], True), (3 * SECOND, begun, False)):
        likely = shares(processor(state_at(time, events), even.copy()), Voice.TR)
        assert (likely[43] > 10 * likely[45]) == wants
        assert likely[45] > 10 * likely[46]


@pytest.mark.parametrize("bpm", [None, 60.0, 120.0, 180.0])
def test_a_model_that_knows_chords_is_told_each_bars(bpm: float | None) -> None:
    model = tiny_model_of(timing=Timing.BARS)
    chords = parse_chords("Am F C")
    grid = None if bpm is None else BeatGrid.steady(bpm)
    arrangement = compose_song(model, Request(3, chords=chords), grid, length_samples=16 * SECOND)
    named = [event.value for event in arrangement if event.kind is Kind.CHORD]
    song = arrangement.grid
    assert song is not None
    n_bars = -(-song.tick(16 * SECOND) // song.bar_ticks)
    lines = arrangement.time.lines  # type: ignore[attr-defined]
    twice = round(song.bar_ticks / PPQ * lines.factor) // lines.beats_per_bar or 1
    bars = [triad_number(chords[bar % 3]) for bar in range(n_bars) for _ in range(twice)]
    assert named[: len(bars)] == bars[: len(named)]
    assert len(named) >= n_bars


def in_chords(score: Score, text: str) -> float:
    """Share of the notes on strong beats that are of the chord of their bar."""
    chords = parse_chords(text)
    fits = [
        note.pitch % 12 in chords[place.bar % len(chords)].notes
        for voice in MELODIC
        for note in score.parts[voice].notes
        if (place := GRID.place(GRID.tick(note.onset))).strong
    ]
    return float(np.mean(fits)) if fits else 0.0


@pytest.mark.parametrize("timing", [Timing.FRAMES, Timing.BARS])
def test_any_model_with_a_beat_keeps_to_chords(timing: Timing) -> None:
    def composed(request: Request) -> Score:
        arrangement = compose_song(tiny_model_of(timing=timing), request, GRID, length_samples=20 * SECOND)
        list(arrangement)
        return arrangement.score()

    text = "Am F C G"
    free, bound = (
        composed(Request(3, chords=parse_chords(text) if bound else ())) for bound in (False, True)
    )
    assert in_chords(bound, text) > 0.8 > in_chords(free, text)


def test_free_time_has_no_bars() -> None:
    with pytest.raises(OptionError, match=r"chords Am F need bars.*give it a tempo"):
        compose_song(tiny_model_of(), Request(3, chords=parse_chords("Am F")), length_samples=SECOND)
