"""Each logits processor as a property: whatever the model would like, no forbidden event comes."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores

from lakhnes.runtime import (
    Codec,
    DecodeState,
    Event,
    Kind,
    LogitsProcessor,
    OptionError,
    Request,
    Sampling,
    Score,
    Song,
    Timing,
    Voice,
    clean_frames,
    parse_scale,
    tx1,
    tx2,
)
from lakhnes.runtime.decode import repetition
from lakhnes.runtime.decode.kept import Dynamics, Kept, Template
from lakhnes.runtime.decode.processors import MELODIC, Density, Muted, PitchRange, Scale
from lakhnes.runtime.decode.repetition import RepetitionPenalty
from lakhnes.runtime.decode.rhythm import MaxLength, OnRows
from lakhnes.runtime.music.scales import SCALES, scale_name
from lakhnes.runtime.music.score import events_of_score, score_from_events
from lakhnes.runtime.music.timing import EVENT_TIMINGS, FRAME_SAMPLES
from lakhnes.runtime.music.vocabulary import VOCABULARY_PITCHES, Vocabulary
from lakhnes.runtime.time.rows import Rows

CODECS = st.sampled_from([Codec(v(), timing) for v in (tx1, tx2) for timing in EVENT_TIMINGS])
SEEDS = st.integers(0, 2**32 - 1)


def improvised(
    codec: Codec,
    seed: int,
    *processors: LogitsProcessor,
    n: int = 120,
    rows: Rows | None = None,
    **limits: int,
) -> list[Event]:
    """The events of a song whose model has random wishes."""
    rng = np.random.default_rng(seed)
    if rows is not None:
        processors = (*processors, OnRows(codec, rows))
    limits = limits or {"max_tokens": n}
    song = Song(codec, rng, sampling=Sampling(1.0, None), rows=rows, processors=processors, **limits)
    events: list[Event] = []
    bias = np.where(codec.wait_samples > 20_000, -4, 0) + rng.normal(0, 1, len(codec.vocabulary))
    while not song.over:
        logits = (rng.normal(0, 2, len(codec.vocabulary)) + bias).astype(np.float32)
        events += song.take(logits)[1]
    return events


def notes(events: list[Event], *voices: Voice) -> list[Event]:
    return [e for e in events if e.kind is Kind.NOTE_ON and e.voice in (voices or tuple(Voice))]


@given(CODECS, SEEDS, st.sets(st.sampled_from(list(Voice)), min_size=1, max_size=3))
def test_muted_voices_play_nothing(codec: Codec, seed: int, voices: set[Voice]) -> None:
    events = improvised(codec, seed, Muted(codec.vocabulary, voices))
    assert not [event for event in events if event.voice in voices]
    assert notes(events)


@given(CODECS, SEEDS, st.sampled_from(list(Voice)), st.data())
def test_a_voice_stays_in_its_range(codec: Codec, seed: int, voice: Voice, data: st.DataObject) -> None:
    known = VOCABULARY_PITCHES[voice]
    low = data.draw(st.integers(known[0] - 10, known[-1]))
    high = data.draw(st.integers(max(low, known[0]), known[-1] + 10))
    events = improvised(codec, seed, PitchRange(codec.vocabulary, {voice: (low, high)}))
    assert all(low <= event.value <= high for event in notes(events, voice))


@given(CODECS, SEEDS, st.sets(st.integers(0, 11), min_size=1))
def test_melodies_keep_to_a_scale(codec: Codec, seed: int, scale: set[int]) -> None:
    events = improvised(codec, seed, Scale(codec.vocabulary, scale))
    assert {event.value % 12 for event in notes(events, *MELODIC)} <= scale
    one = improvised(codec, seed, Scale(codec.vocabulary, scale, [Voice.TR]))
    assert {event.value % 12 for event in notes(one, Voice.TR)} <= scale


@given(CODECS, SEEDS, st.integers(735, 30_000))
def test_no_note_is_longer_than_the_limit(codec: Codec, seed: int, limit: int) -> None:
    sounding: dict[Voice, int] = {}
    time = 0
    for event in improvised(codec, seed, MaxLength(codec, limit)):
        if event.kind is Kind.WAIT:
            time += event.value
        for since in sounding.values():
            assert time - since <= limit
        if event.voice is not None and event.kind is Kind.NOTE_ON:
            sounding[event.voice] = time
        elif event.voice is not None and event.kind is Kind.NOTE_OFF:
            del sounding[event.voice]


def off_the_grid(time: int, step: float, offset: float = 0.0) -> float:
    """Samples between a time and the nearest point."""
    return abs(time - offset - step * round((time - offset) / step))


@given(CODECS, SEEDS, st.floats(100, 20_000), st.floats(0, 20_000))
def test_notes_begin_on_the_grid(codec: Codec, seed: int, step: float, offset: float) -> None:
    time = 0
    begins = None  # the last moment at which a note began
    for event in improvised(codec, seed, rows=Rows(step, offset))[:-1]:
        if event.kind is Kind.WAIT:
            assert event.value > 0
            time += event.value
        if event.kind is Kind.NOTE_ON and begins != time:
            begins = time
            assert off_the_grid(time, step, offset) <= min(0.6 * FRAME_SAMPLES, step / 4) + 0.5


@given(SEEDS, st.floats(1500, 20_000), st.sampled_from([tx1(), tx2()]))
def test_where_time_is_frames_notes_begin_exactly_on_the_grid(
    seed: int, step: float, vocabulary: Vocabulary
) -> None:
    events = improvised(Codec(vocabulary, Timing.FRAMES), seed, rows=Rows(step))
    assert notes(events)
    for event, time in timed(events):
        assert event.kind is not Kind.NOTE_ON or off_the_grid(time, step) <= 0.5 + 1e-6


@given(CODECS, SEEDS, st.floats(2000, 20_000))
def test_a_note_that_is_late_comes_on_the_next_point(codec: Codec, seed: int, step: float) -> None:
    rows = Rows(step)
    on_rows, state = OnRows(codec, rows), DecodeState(codec, rows)
    rng = np.random.default_rng(seed)
    voice = Voice(int(rng.integers(4)))
    note = Event(Kind.NOTE_ON, voice, int(rng.choice(VOCABULARY_PITCHES[voice])))
    late = round(step * rng.uniform(0.3, 0.7))
    state.add(Event(Kind.WAIT, None, late))
    wait = on_rows.adjust(state, note)
    assert wait == Event(Kind.WAIT, None, round(step) - late)
    state.late = note
    state.add(wait)
    bias = on_rows.bias(state)
    assert bias is not None
    assert codec.event(int(bias.argmax())) == note
    state.add(note)
    assert state.late is None
    assert on_rows.bias(state) is None


def test_rows_bind_no_other_voice() -> None:
    codec, rows = Codec(tx1(), Timing.FRAMES), Rows(10 * FRAME_SAMPLES)
    state = DecodeState(codec, rows)
    state.add(Event(Kind.WAIT, None, 3 * FRAME_SAMPLES))
    kept = Event(Kind.NOTE_ON, Voice.P1, 60)
    assert OnRows(codec, rows, [Voice.TR]).adjust(state, kept) == kept


def test_notes_may_end_between_the_points_of_a_grid() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    ends = [
        off_the_grid(time, 10 * FRAME_SAMPLES)
        for seed in range(20)
        for event, time in timed(improvised(codec, seed, rows=Rows(10 * FRAME_SAMPLES)))
        if event.kind is Kind.NOTE_OFF
    ]
    assert max(ends) > FRAME_SAMPLES
    assert all(end % FRAME_SAMPLES == 0 for end in ends)


def timed(events: list[Event]) -> list[tuple[Event, int]]:
    """Events that are no waits, and their samples; without what closes the song."""
    found, time = [], 0
    for event in events[: max(i for i, e in enumerate(events) if e.kind is Kind.WAIT)]:
        if event.kind is Kind.WAIT:
            time += event.value
        else:
            found.append((event, time))
    return found


@given(st.sampled_from(EVENT_TIMINGS), SEEDS, st.sets(st.sampled_from(list(Voice)), max_size=3))
def test_a_song_begins_with_a_note_if_it_can(timing: Timing, seed: int, muted: set[Voice]) -> None:
    codec = Codec(tx1(), timing)
    assert improvised(codec, seed, Muted(codec.vocabulary, muted))[0].kind is Kind.NOTE_ON
    assert not notes(improvised(codec, seed, Muted(codec.vocabulary, set(Voice))))


@given(SEEDS)
def test_density_gives_more_notes_a_second(seed: int) -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    rates = []
    for amount in (-2.0, 2.0):
        events = improvised(codec, seed, Density(codec.vocabulary, amount), n=400)
        rates.append(len(notes(events)) / sum(e.value for e in events if e.kind is Kind.WAIT))
    assert rates[0] < rates[1]


def in_model_time(score: Score, codec: Codec) -> Score:
    return clean_frames(score) if codec.timing is Timing.FRAMES else score


@settings(max_examples=60)
@given(CODECS, SEEDS, scores(vocabulary=True), st.sets(st.sampled_from(list(Voice)), max_size=3))
def test_kept_events_come_exactly_as_they_are(
    codec: Codec, seed: int, score: Score, keep: set[Voice]
) -> None:
    kept = in_model_time(score.only(keep), codec)
    free = {voice: 0 for voice in Voice if voice not in keep}
    processors = [Kept(codec, kept, free), Density(codec.vocabulary, -2)]
    events = improvised(codec, seed, *processors, max_samples=kept.length + 1)
    got = score_from_events(events)
    expression = codec.vocabulary.has_expression
    wanted = score_from_events(events_of_score(kept, expression=expression))
    for voice in keep:
        assert got.parts[voice] == wanted.parts[voice]
    assert got.length == kept.length


@given(CODECS, SEEDS, scores(vocabulary=True))
def test_a_template_keeps_all_but_pitches(codec: Codec, seed: int, score: Score) -> None:
    ear = in_model_time(score, codec)
    wanted = list(events_of_score(ear, expression=codec.vocabulary.has_expression))
    got = improvised(codec, seed, Template(codec, ear, MELODIC), max_samples=10**9)

    def shape(events: list[Event]) -> list[Event]:
        plain: list[Event] = []
        for event in events:
            if event.kind is Kind.NOTE_ON and event.voice in MELODIC:
                plain.append(event._replace(value=0))
            elif event.kind is Kind.WAIT and plain and plain[-1].kind is Kind.WAIT:
                plain[-1] = Event(Kind.WAIT, None, plain[-1].value + event.value)
            elif event.kind is not Kind.END:
                plain.append(event)
        return plain

    assert shape(got) == shape(wanted)


@given(SEEDS, st.floats(800, 10_000))
def test_processors_compose(seed: int, step: float) -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    vocabulary = codec.vocabulary
    rows = Rows(step)
    processors = (
        Scale(vocabulary, parse_scale("d dorian")),
        Muted(vocabulary, [Voice.P2]),
        MaxLength(codec, 12_000, rows=rows),
        Density(vocabulary, 1.5),
    )
    events = improvised(codec, seed, *processors, rows=rows)
    since: dict[Voice | None, int] = {}
    for event, time in timed(events):
        if event.kind is Kind.NOTE_ON:
            assert off_the_grid(time, step) <= step / 4 + 0.5
        if event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF) and event.voice in since:
            assert time - since.pop(event.voice) <= max(step, 12_000) + step / 2
        if event.kind is Kind.NOTE_ON:
            since[event.voice] = time
    assert not notes(events, Voice.P2)
    assert {event.value % 12 for event in notes(events, *MELODIC)} <= {2, 4, 5, 7, 9, 11, 0}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EVENT_TIMINGS), SEEDS, scores(vocabulary=True))
def test_dynamics_are_composed_and_notes_stay(timing: Timing, seed: int, score: Score) -> None:
    codec = Codec(tx2(), timing)
    ear = in_model_time(score, codec)
    events = improvised(codec, seed, Dynamics(codec, ear), max_samples=10**9)
    said = (Kind.VELOCITY, Kind.TIMBRE)

    def joined(stream: Iterable[Event]) -> list[Event]:
        together: list[Event] = []
        for event in stream:
            if event.kind is Kind.WAIT and together and together[-1].kind is Kind.WAIT:
                together[-1] = Event(Kind.WAIT, None, together[-1].value + event.value)
            elif event.kind not in (*said, Kind.END):
                together.append(event)
        return together

    assert joined(events) == list(events_of_score(ear, expression=False))
    score_from_events(events)  # which refuses what is not in order
    assert all(
        after.kind is Kind.VELOCITY
        for event, after in pairwise(events)
        if event.kind is Kind.NOTE_ON and event.voice is not Voice.TR
    )


@given(SEEDS)
def test_dynamics_say_nothing_twice(seed: int) -> None:
    sounding: set[Voice | None] = set()
    now: dict[tuple[Voice | None, Kind], int] = {}
    for event in improvised(Codec(tx2(), Timing.FRAMES), seed, n=300):
        if event.kind is Kind.NOTE_ON:
            sounding.add(event.voice)
            now.pop((event.voice, Kind.VELOCITY), None)
        elif event.kind is Kind.NOTE_OFF:
            sounding.remove(event.voice)
        elif event.kind in (Kind.VELOCITY, Kind.TIMBRE):
            assert event.kind is Kind.TIMBRE or event.voice in sounding
            assert now.get((event.voice, event.kind)) != event.value
            now[event.voice, event.kind] = event.value


def test_what_leaves_nothing_is_named_as_the_user_asked_for_it() -> None:
    codec = Codec(tx1(), Timing.FRAMES)

    class NoWaits(LogitsProcessor):
        label = "no waits"

        def bias(self, state: DecodeState) -> np.ndarray:
            return np.where(codec.wait_samples > 0, np.float32(-np.inf), np.float32(0))

    silent = Muted(codec.vocabulary, list(Voice))
    with pytest.raises(OptionError, match="under no waits together with muting P1 and P2 and"):
        improvised(codec, 1, silent, NoWaits(), length_samples=44_100)


@pytest.mark.parametrize(
    ("text", "name"),
    [("c# major", "C# major (or Bb minor)"), ("a minor", "C major (or A minor)"), ("0,1,2", "0,1,2")],
)
def test_a_key_is_named(text: str, name: str) -> None:
    assert scale_name(parse_scale(text)) == name


@given(CODECS, SEEDS)
def test_a_silent_voice_makes_no_voice_before_it_louder(codec: Codec, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, len(codec.vocabulary)).astype(np.float32)
    state = DecodeState(codec)
    muted = Muted(codec.vocabulary, [Voice.P2])(state, logits.copy())
    before = np.exp(logits) / np.exp(logits).sum()
    after = np.exp(muted) / np.exp(muted).sum()
    events = codec.vocabulary.events
    first = [e.voice is Voice.P1 for e in events]
    np.testing.assert_allclose(after[first], before[first], rtol=1e-3)
    later = [e.voice in (None, Voice.TR, Voice.NO) for e in events]
    ratios = after[later] / before[later]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)


@settings(max_examples=60)
@given(SEEDS, st.integers(1, 60))
def test_before_a_kept_note_the_others_play_as_often_as_the_model_would(seed: int, frames: int) -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 2, len(codec.vocabulary)).astype(np.float32)
    logits[~codec.used] = -np.inf
    note = score_with_a_hit_at(frames * FRAME_SAMPLES)
    kept = Kept(codec, note, {Voice.P1: 0, Voice.P2: 0, Voice.TR: 0})
    shaped = kept(DecodeState(codec), logits.copy())
    lead = [e.voice is Voice.P1 for e in codec.vocabulary.events]
    share = np.exp(shaped[lead]).sum() / np.exp(shaped).sum()
    assert share == pytest.approx(np.exp(logits[lead]).sum() / np.exp(logits).sum(), rel=1e-3)
    assert (shaped[codec.wait_samples > frames * FRAME_SAMPLES] == -np.inf).all()


def score_with_a_hit_at(onset: int) -> Score:
    """A score with one drum hit."""
    from lakhnes.runtime import Note, Part

    return Score((Part(), Part(), Part(), Part((Note(onset, FRAME_SAMPLES, 3),))), onset + FRAME_SAMPLES)


@pytest.mark.parametrize(
    ("text", "pitch_classes"),
    [
        ("a minor", {9, 11, 0, 2, 4, 5, 7}),
        ("C", {0, 2, 4, 5, 7, 9, 11}),
        ("F# dorian", {6, 8, 9, 11, 1, 3, 4}),
        ("Bb major pentatonic", {10, 0, 2, 5, 7}),
        ("eb blues", {3, 6, 8, 9, 10, 1}),
        ("0,2,4,7,9", {0, 2, 4, 7, 9}),
        ("11 0", {11, 0}),
        ("Am", {9, 11, 0, 2, 4, 5, 7}),
        ("Cmaj", {0, 2, 4, 5, 7, 9, 11}),
        ("F#min", {6, 8, 9, 11, 1, 2, 4}),
        ("Bbm", {10, 0, 1, 3, 5, 6, 8}),
        ("C M", {0, 2, 4, 5, 7, 9, 11}),
    ],
)
def test_scales_are_read(text: str, pitch_classes: set[int]) -> None:
    assert parse_scale(text) == pitch_classes


@pytest.mark.parametrize("text", ["", "h minor", "c nonsense", "12", "c## ##", "0,13", "♯"])
def test_what_is_no_scale_says_the_names(text: str) -> None:
    with pytest.raises(OptionError, match=r"is no scale.*minor"):
        parse_scale(text)


def test_scales_begin_on_their_root_and_rise() -> None:
    for name, steps in SCALES.items():
        assert steps[0] == 0, name
        assert list(steps) == sorted(set(steps)), name


def test_options_out_of_range_are_refused() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    for make in (
        lambda: Density(codec.vocabulary, 9),
        lambda: Density(codec.vocabulary, float("nan")),
        lambda: Scale(codec.vocabulary, []),
        lambda: Scale(codec.vocabulary, [12]),
        lambda: PitchRange(codec.vocabulary, {Voice.P1: (120, 127)}),
        lambda: PitchRange(codec.vocabulary, {Voice.P1: (70, 60)}),
        lambda: MaxLength(codec, FRAME_SAMPLES - 1),
        lambda: OnRows(codec, Rows(0.5)),
        lambda: OnRows(codec, Rows(1e9)),
    ):
        with pytest.raises(OptionError):
            make()


def urged(codec: Codec, events: Iterable[Event]) -> np.ndarray:
    state = DecodeState(codec)
    state.replay(events)
    bias = RepetitionPenalty(codec).bias(state)
    return np.zeros(len(codec.vocabulary)) if bias is None else bias


def repeated(pitches: Iterable[int], samples: int = 4410) -> list[Event]:
    said = []
    for pitch in pitches:
        said += [Event(Kind.NOTE_ON, Voice.P1, pitch), Event(Kind.WAIT, None, samples)]
    return said


def test_a_pitch_that_comes_all_the_time_is_less_likely() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    same = codec.token(Event(Kind.NOTE_ON, Voice.P1, 60))
    losses = [urged(codec, repeated([60] * n))[same] for n in (10, 15, 16, 20, 24, 40)]
    assert losses[:2] == [0, 0]
    assert losses[2:] == pytest.approx([-0.3, -1.5, -2.7, -2.7])
    assert (np.delete(urged(codec, repeated([60] * 24)), same) == 0).all()
    silence = [Event(Kind.NOTE_OFF, Voice.P1), Event(Kind.WAIT, None, 13 * 44_100)]
    rests = urged(codec, [*repeated([60] * 24), *silence])  # pitches are forgotten; what is urged is to begin
    ons = [event.kind is Kind.NOTE_ON for event in codec.vocabulary.events]
    lead = [event.voice is Voice.P1 for event in codec.vocabulary.events]
    np.testing.assert_allclose(rests, np.where(ons, np.where(lead, 1.5, 2.22), 0), atol=1e-3)
    drum, wait = Event(Kind.NOTE_ON, Voice.NO, 3), Event(Kind.WAIT, None, 4410)
    assert not urged(codec, [drum, wait] * 30).any()


def losses(pitches: Iterable[int], samples: int = 4410) -> dict[int, float]:
    codec = Codec(tx1(), Timing.FRAMES)
    row = urged(codec, repeated(pitches, samples))
    return {codec.vocabulary.events[token].value: row[token] for token in np.flatnonzero(row < 0)}


def test_two_or_three_pitches_that_are_all_there_is_are_less_likely() -> None:
    thue_morse = [60 + 2 * (place.bit_count() % 2) for place in range(24)]  # no figure comes thrice in a row
    assert losses(thue_morse[:20]) == {}
    assert losses(thue_morse) == pytest.approx({60: -1.2, 62: -1.2})
    three = [60 + 2 * (place % 3) for place in range(12)]
    assert losses([*three, *three[::-1]]) == pytest.approx({60: -0.6, 62: -0.6, 64: -0.6})
    assert losses([60, 62, 64, 65] * 5) == {}
    assert losses([60] * 17 + [62] * 7) == pytest.approx({60: -0.6 - 1.2, 62: -1.2})


def circling(pitches: list[int]) -> dict[int, float]:
    """What a pitch loses for going on with a figure of the last notes, by definition."""
    found: dict[int, float] = {}
    for period in range(2, min(16, len(pitches)) + 1):
        differs = [now != then for now, then in zip(pitches[period:], pitches, strict=False)]
        times = [*differs[::-1], True].index(True) / period
        if times > 4 and len(set(pitches[-period:])) > 1:
            pitch = pitches[-period]
            found[pitch] = min(found.get(pitch, 0.0), -min(6.0, 0.5 * (times - 4)))
    return found


@settings(deadline=None)
@given(st.lists(st.integers(60, 63), max_size=18), st.integers(1, 20), st.sampled_from([735, 7350, 29_400]))
def test_a_figure_that_comes_again_and_again_is_less_likely(
    figure: list[int], times: int, samples: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repetition, "_USUAL_REPEATS", (24, 24, 24))  # of its last 24 notes; so never too often
        line = [60, 64, 65, *figure * times, *figure[:1]]
        heard = line[-(12 * 44_100 // samples) :]  # what was 12 s ago is forgotten
        assert losses(line, samples) == pytest.approx(circling(heard))


def test_how_much_less_likely_a_figure_is() -> None:
    trill = [losses([60, 62] * n).get(60, 0.0) for n in (4, 5, 6, 10, 40)]
    assert trill == pytest.approx([0, 0, -0.5, -2.5, -6])
    assert losses([60, 64, 67, 72] * 6) == pytest.approx({60: -0.5})
    assert losses([60, 64, 67, 72] * 6 + [65]) == {}


def test_a_note_that_is_held_is_urged_to_end() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    events = codec.vocabulary.events
    mine = [e.voice is Voice.P1 and e.kind in (Kind.NOTE_ON, Kind.NOTE_OFF) for e in events]
    gains = [urged(codec, repeated([60], round(seconds * 44_100))) for seconds in (1.4, 2.5, 5.5, 7.9)]
    assert not gains[0].any()
    for gain, nats in zip(gains[1:], (1, 4, 6), strict=True):
        np.testing.assert_allclose(gain, np.where(mine, nats, 0), atol=1e-3)
    assert (urged(codec, repeated([60], 60 * 44_100))[mine] == 6).all()
    assert not urged(codec, [*repeated([60], 100_000), Event(Kind.NOTE_OFF, Voice.P1)]).any()


def test_a_voice_that_rests_is_urged_to_begin() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    events = codec.vocabulary.events
    start = [e.kind is Kind.NOTE_ON for e in events]
    mine = [e.voice is Voice.P1 for e in events]
    for seconds, nats in ((7.9, 0), (10, 0.6), (16, 2.4), (60, 3)):  # of a song, or since the last note
        wait = Event(Kind.WAIT, None, round(seconds * 44_100))
        np.testing.assert_allclose(urged(codec, [wait]), np.where(start, nats, 0), atol=1e-3)
        played = urged(codec, [*repeated([60], 9 * 44_100), Event(Kind.NOTE_OFF, Voice.P1), wait])
        np.testing.assert_allclose(played[mine], np.where(start, nats, 0)[mine], atol=1e-3)


def test_the_penalty_may_be_left_out() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    assert any(isinstance(one, RepetitionPenalty) for one in Request().processors(codec))
    assert not Request(repetition_penalty=0).processors(codec)


@given(SEEDS, st.sampled_from([0.5, 2.0]))
def test_the_penalty_has_a_strength(seed: int, strength: float) -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    state = DecodeState(codec)
    state.replay(repeated([60] * 24))
    once, often = (RepetitionPenalty(codec, factor).bias(state) for factor in (1.0, strength))
    assert once is not None
    assert often is not None
    np.testing.assert_allclose(often, strength * once)


def test_what_is_asked_for_binds_the_voices_that_are_composed() -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    request = Request(
        scale=parse_scale("c major"),
        muted=frozenset({Voice.P1, Voice.P2}),
        ranges={Voice.P1: (60, 60)},
        density=2.0,
        max_note_seconds=0.5,
    )
    state = DecodeState(codec, Rows(7350))
    state.replay([Event(Kind.NOTE_ON, Voice.P1, 61), Event(Kind.WAIT, None, 3 * 44_100)])
    logits = np.zeros(len(codec.vocabulary), np.float32)
    for processor in request.processors(codec, Rows(7350), voices=[Voice.P2, Voice.TR]):
        logits = processor(state, logits)
    mine = [event.voice is Voice.P1 for event in codec.vocabulary.events]
    assert np.isfinite(logits[mine]).all()
    assert len(set(logits[mine].tolist())) == 1
    with pytest.raises(OptionError, match="muted"):
        request.processors(codec, voices=[Voice.P2])
