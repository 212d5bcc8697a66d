import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.runtime import (
    SAMPLE_RATE,
    Composer,
    DecodeState,
    Event,
    Kind,
    LogitsProcessor,
    Model,
    OptionError,
    Sampling,
    Song,
    Voice,
)
from lakhnes.runtime.decode.grammar import Grammar
from lakhnes.runtime.music.score import events_of_score, rank
from lakhnes.runtime.music.timing import EVENT_TIMINGS, FRAME_SAMPLES, Codec, Timing
from lakhnes.runtime.music.vocabulary import tx1, tx2


def composer_of(model: Model, seed: int, **options: object) -> Composer:
    return Composer(model, Song(model.codec, np.random.default_rng(seed), **options))  # type: ignore[arg-type]


def compose(model: Model, seed: int, **options: object) -> Composer:
    composer = composer_of(model, seed, **options)
    for _ in composer:
        pass
    return composer


def test_a_seed_is_a_song(small_model: Model) -> None:
    first = compose(small_model, 7, length_samples=5 * SAMPLE_RATE).score()
    small_model.prefill([1, 2, 3])
    assert compose(small_model, 7, length_samples=5 * SAMPLE_RATE).score() == first
    assert compose(small_model, 8, length_samples=5 * SAMPLE_RATE).score() != first


@pytest.mark.parametrize("samples", [5 * SAMPLE_RATE, 100_001, 1])
def test_a_song_has_the_asked_length_to_the_sample(small_model: Model, samples: int) -> None:
    assert compose(small_model, 1, length_samples=samples).score().length == samples


def test_onsets_lie_on_frames(small_model: Model) -> None:
    for seed in range(3):
        score = compose(small_model, seed, length_samples=8 * SAMPLE_RATE).score()
        onsets = sorted(note.onset for part in score.parts for note in part.notes)
        assert onsets
        assert all((onset - onsets[0]) % FRAME_SAMPLES == 0 for onset in onsets)


@pytest.mark.parametrize(
    "options", [{"length_samples": 3 * SAMPLE_RATE}, {"max_tokens": 148}, {"max_samples": 99_999}]
)
def test_the_events_are_the_score_and_close_every_note(small_model: Model, options: dict[str, int]) -> None:
    composer = composer_of(small_model, 8, **options)
    events = list(composer)
    sounding = set()
    for event in events:
        if event.kind is Kind.NOTE_ON:
            sounding.add(event.voice)
        elif event.kind is Kind.NOTE_OFF:
            sounding.remove(event.voice)
    assert not sounding
    assert events[-1].kind is Kind.END
    assert sum(event.kind is Kind.END for event in events) == 1
    exact = list(events_of_score(composer.score(), expression=False))

    def joined(stream: list[Event]) -> list[Event]:
        together: list[Event] = []
        for event in stream:
            if event.kind is Kind.WAIT and together and together[-1].kind is Kind.WAIT:
                together[-1] = Event(Kind.WAIT, None, together[-1].value + event.value)
            elif event.kind is not Kind.END:
                together.append(event)
        return together

    assert joined(events) == exact


def test_a_number_of_tokens_is_kept(small_model: Model) -> None:
    assert compose(small_model, 2, max_tokens=123).n_tokens == 123


def test_without_a_length_the_model_ends_the_song(small_model: Model) -> None:
    ends_itself = compose(small_model, 14, max_samples=60 * SAMPLE_RATE)
    assert ends_itself.score().seconds < 60


def test_stopping_half_way_leaves_a_valid_score(small_model: Model) -> None:
    composer = composer_of(small_model, 9, length_samples=20 * SAMPLE_RATE)
    for _ in range(77):
        next(composer)
    assert composer.score().length == composer.time_samples


class Nothing(LogitsProcessor):
    label = "a wish for nothing"

    def bias(self, state: DecodeState) -> np.ndarray:
        return np.full(631, -np.inf, np.float32)


def test_wishes_that_leave_nothing_are_named(small_model: Model) -> None:
    with pytest.raises(OptionError, match="Nothing is left to compose under a wish for nothing; loosen"):
        compose(small_model, 1, max_tokens=5, processors=[Nothing()])


@pytest.mark.parametrize("options", [{"length_samples": 0}, {"max_tokens": 0}, {"max_samples": -1}])
def test_lengths_out_of_range_are_refused(small_model: Model, options: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="out of range"):
        composer_of(small_model, 0, **options)


def test_temperature_zero_takes_no_chances(small_model: Model) -> None:
    first = compose(small_model, 1, max_tokens=60, sampling=Sampling(0)).score()
    assert compose(small_model, 2, max_tokens=60, sampling=Sampling(0)).score() == first


@settings(max_examples=40)
@given(st.sampled_from([tx1(), tx2()]), st.sampled_from(EVENT_TIMINGS), st.integers(0, 2**32 - 1))
def test_the_grammar_allows_canonical_streams_and_nothing_else(
    vocabulary: object, timing: Timing, seed: int
) -> None:
    codec = Codec(vocabulary, timing)  # type: ignore[arg-type]
    rng = np.random.default_rng(seed)
    grammar, state = Grammar(codec), DecodeState(codec)
    loud = {event.voice for event in codec.vocabulary.events if event.kind is Kind.VELOCITY}
    spoken, sounding, begun, said = -1, set(), None, set()
    for _ in range(60):
        allowed = grammar.bias(state) == 0
        for token, event in enumerate(codec.vocabulary.events):
            in_order = event.voice is None or rank(event) > spoken
            sounds = event.kind is not Kind.NOTE_OFF or event.voice in sounding
            if timing is Timing.FRAMES:
                sounds &= event.kind is not Kind.VELOCITY or event.voice in sounding
                in_order &= event not in said
            right = in_order and sounds and codec.used[token]
            if begun is not None:
                right = event.kind is Kind.VELOCITY and event.voice is begun
            assert allowed[token] == right, event
        event = codec.event(int(rng.choice(np.flatnonzero(allowed))))
        state.add(event)
        spoken = rank(event)
        begun = event.voice if event.kind is Kind.NOTE_ON and event.voice in loud else None
        if event.kind is Kind.NOTE_ON:
            sounding.add(event.voice)
        sounding -= {event.voice} if event.kind is Kind.NOTE_OFF else set()
        ended = (Kind.VELOCITY,) if event.kind is Kind.NOTE_OFF else (event.kind,)
        said = {old for old in said if old.voice is not event.voice or old.kind not in ended}
        said |= {event} if event.kind in (Kind.VELOCITY, Kind.TIMBRE) else set()


def test_a_voice_that_flickers_is_held_back() -> None:
    """As a model did that was trained on samples: a note every third sample, without end."""
    codec = Codec(tx1(), Timing.SAMPLES)
    pitches = [codec.token(Event(Kind.NOTE_ON, Voice.P1, pitch)) for pitch in (60, 67)]
    logits = np.full(len(codec.vocabulary), -50, np.float32)
    logits[[*pitches, codec.token(Event(Kind.WAIT, None, 3))]] = 0
    song = Song(codec, np.random.default_rng(0), length_samples=SAMPLE_RATE // 2)
    while not song.over:
        song.take(logits)
    onsets = np.array([note.onset for note in song.score().parts[Voice.P1].notes])
    assert len(onsets) == 3 * 20
    assert (onsets[20:] - onsets[:-20] >= 10 * FRAME_SAMPLES).all()
