"""What is remembered of a song, against definitions written out, and what comes of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.runtime import Codec, Timing, tx1
from lakhnes.runtime.decode import match_cache as module
from lakhnes.runtime.decode.match_cache import MatchCache, Views
from lakhnes.runtime.decode.sampling import log_softmax
from lakhnes.runtime.model.cache_weights import FEATURES, HIDDEN, LONGEST, VIEWS, CacheWeights

CODEC = Codec(tx1(), Timing.SAMPLES)
ALL = Views(CODEC)
TOKENS = [0, 1, 2, 80, 200, 300, 371, 372, 373, 380, 440, 600]
"""The end of a song, short and long waits, notes of the same voice and of others, and their ends."""

NEVER = CacheWeights(
    1.0, 0.0, np.zeros((VIEWS, LONGEST + 1)), 0.0, np.zeros((HIDDEN, FEATURES + 1)), np.zeros(HIDDEN + 1)
)


def trusting(log_odds: float, *, rate: float = 0.0, temperature: float = 1.0) -> CacheWeights:
    """Weights that trust matches alike always; the longest match counts, then the nearest."""
    worth = np.zeros((VIEWS, LONGEST + 1))
    worth[0] = 3.0 * np.arange(LONGEST + 1)
    gate = np.append(np.zeros(HIDDEN), log_odds)
    return replace(NEVER, scores=worth, recency=1.0, gate=gate, rate=rate, temperature=temperature)


def reading(weights: CacheWeights, tokens: list[int], *, given: bool = False) -> MatchCache:
    memory = MatchCache(weights, ALL)
    for token in tokens:
        memory.read(token, given=given)
    return memory


def agreeing(tokens: list[int], place: int, view: int) -> int:
    """Events before and at a place that are, in a view, those before and at the end."""
    numbers = ALL.tokens[view]
    length = 0
    while (
        length < min(LONGEST, place + 1)
        and numbers[tokens[place - length]] == numbers[tokens[len(tokens) - 1 - length]]
    ):
        length += 1
    return length


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=90), st.sampled_from([7, 40, 8192]))
def test_matches_are_the_longest_common_endings(tokens: list[int], remembered: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "REMEMBERED", remembered)
        found = reading(NEVER, tokens).matches()
    first = max(0, len(tokens) - 1 - remembered)
    places = [place for place in range(first, len(tokens) - 1) if agreeing(tokens, place, VIEWS - 1)]
    assert found.distance.tolist() == [len(tokens) - 1 - place for place in places]
    assert found.next.tolist() == [tokens[place + 1] for place in places]
    whole = [[agreeing(tokens, place, view) for place in places] for view in range(VIEWS)]
    if remembered >= len(tokens):
        assert found.lengths.tolist() == whole
    else:  # what is forgotten may still count in the length of a match that began with it
        assert (found.lengths <= np.array(whole).reshape(found.lengths.shape)).all()


def test_views_leave_out_pitch_and_length() -> None:
    a, b = CODEC.token(tx1().events[400]), CODEC.token(tx1().events[401])
    assert tx1().events[a].voice is tx1().events[b].voice
    assert (ALL.tokens[:, a] == ALL.tokens[:, b]).tolist() == [False, True, False, True]
    short, shorter, long, longer = (CODEC.wait_token(n) for n in (4, 23, 735, 12_000))
    assert (ALL.tokens[:, short] == ALL.tokens[:, shorter]).tolist() == [False, False, True, True]
    assert (ALL.tokens[:, long] == ALL.tokens[:, longer]).tolist() == [False, False, True, True]
    assert (ALL.tokens[:, short] == ALL.tokens[:, long]).tolist() == [False] * VIEWS


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(TOKENS), max_size=40),
    st.floats(-4, 4),
    st.floats(0, 0.3),
    st.floats(0.5, 2),
    st.integers(0, 2**32 - 1),
)
def test_what_comes_out_are_probabilities(
    tokens: list[int], log_odds: float, rate: float, temperature: float, seed: int
) -> None:
    memory = reading(trusting(log_odds, rate=rate, temperature=temperature), [])
    logits = np.random.default_rng(seed).normal(0, 3, (len(tokens) + 1, 631)).astype(np.float32)
    memory.read(0)
    for row, token in zip(logits, tokens, strict=False):
        memory.mix(row)
        memory.read(token, given=True)
    mixed = memory.mix(logits[-1])
    assert mixed.dtype == np.float32
    assert np.exp(mixed.astype(float)).sum() == pytest.approx(1, abs=1e-4)
    assert -3 <= memory.success <= 3


@pytest.mark.parametrize(("given", "temperature"), [(True, 1.25), (False, 1.0)])
def test_without_trust_it_is_the_network_corrected_where_music_is_given(
    given: bool, temperature: float
) -> None:
    memory = reading(trusting(-60.0, temperature=1.25), [372, 5, 373, 5, 372], given=given)
    logits = np.random.default_rng(0).normal(0, 3, 631).astype(np.float32)
    assert memory.mix(logits) == pytest.approx(log_softmax(logits / temperature), abs=1e-4)


def test_what_followed_a_passage_is_expected_again() -> None:
    passage = [380, 80, 440, 200, 372, 80, 600, 300]
    song = [*passage, 441, 80, 442, 80, *passage]
    for of_others, trusted in ((True, 0.5), (False, 0.25)):  # in what the model composed itself, by half
        mixed = reading(trusting(0.0), song, given=of_others).mix(np.zeros(631, np.float32))
        assert mixed.argmax() == 441
        assert np.exp(mixed[441]) == pytest.approx(trusted, abs=0.01)


def test_success_follows_what_the_matches_foresaw() -> None:
    passage = [380, 80, 440, 200, 372, 80, 600, 300]
    memory = reading(trusting(0.0), [0])
    felt = []
    for token in passage * 6:
        memory.mix(np.zeros(631, np.float32))
        memory.read(token)
        felt.append(memory.success)
    assert felt[7] < 0 < felt[-1]


def test_the_bias_learns_what_comes_after_a_kind_of_event() -> None:
    memory = reading(trusting(-60.0, rate=0.1), [0])
    logits = np.zeros(631, np.float32)
    for token in [80, 380] * 12:
        memory.mix(logits)
        memory.read(token, given=True)
    after_note = np.exp(memory.mix(logits))
    memory.read(80)
    after_wait = np.exp(memory.mix(logits))
    assert after_note[80] > 2 / 631 > after_wait[80]
    assert after_wait[380] > 2 / 631 > after_note[380]


def test_what_is_composed_teaches_the_bias_nothing() -> None:
    memory = reading(trusting(-60.0, rate=0.1), [0])
    logits = np.random.default_rng(0).normal(0, 2, 631).astype(np.float32)
    for token in [80, 380] * 12:
        memory.mix(logits)
        memory.read(token)
    assert memory.mix(logits) == pytest.approx(log_softmax(logits), abs=1e-4)


def test_copies_go_their_own_ways() -> None:
    recall = trusting(0.0, rate=0.1)
    logits = np.random.default_rng(1).normal(0, 2, (9, 631)).astype(np.float32)

    def go_on(memory: MatchCache, tokens: list[int]) -> list[list[float]]:
        rows = []
        for row, token in zip(logits, tokens, strict=False):
            rows.append(memory.mix(row).tolist())
            memory.read(token, given=True)
        return rows

    first = reading(recall, [380, 80, 440, 80, 380])
    first.mix(logits[-1])
    second = first.copy()
    go_on(first, [1, 2, 3, 80])
    alone = reading(recall, [380, 80, 440, 80, 380])
    alone.mix(logits[-1])
    tokens = [80, 440, 80, 380]
    assert go_on(second, tokens) == go_on(alone, tokens)
    assert second.mix(logits[0]).tolist() == alone.mix(logits[0]).tolist()


def test_numbers_come_back_from_json() -> None:
    rng = np.random.default_rng(2)
    recall = replace(trusting(0.5, rate=0.1), hidden=rng.normal(size=(HIDDEN, FEATURES + 1)))
    again = CacheWeights.from_dict(recall.to_dict())
    assert again.hidden == pytest.approx(recall.hidden, abs=1e-5)
    assert (again.temperature, again.rate, again.recency) == (1.0, 0.1, 1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"scores": [[0.0]]}, "scores of its match cache is broken"),
        ({"gate": [float("nan")] * (HIDDEN + 1)}, "gate of its match cache is broken"),
        ({"hidden": "x"}, "could not convert"),
        ({"rate": 1e300}, "rate of its match cache is broken"),
        ({"temperature": 0}, "below 0.01"),
        ({"temperature": -1}, "below 0.01"),
    ],
)
def test_broken_numbers_are_refused(change: dict[str, object], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CacheWeights.from_dict(NEVER.to_dict() | change)
    with pytest.raises(KeyError, match="rate"):
        CacheWeights.from_dict({"temperature": 1.0})
