from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import Model, OptionError, Sampling
from lakhnes.runtime.decode.sampling import Mirostat, candidates, draw

OPTIONS = st.builds(
    Sampling,
    st.sampled_from([0, 0.3, 0.95, 1.0, 2.0]),
    st.none() | st.integers(1, 40),
    st.none() | st.floats(0.01, 1.0),
)


@given(OPTIONS, st.integers(0, 2**32 - 1))
def test_only_allowed_tokens_come_and_probabilities_sum_to_one(sampling: Sampling, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 4, 50).astype(np.float32)
    allowed = rng.random(50) < 0.3
    allowed[rng.integers(50)] = True
    logits[~allowed] = -np.inf
    tokens, probabilities = candidates(logits, sampling)
    assert allowed[tokens].all()
    assert probabilities.sum() == pytest.approx(1)
    assert len(set(tokens.tolist())) == len(tokens)
    if sampling.top_k:
        assert len(tokens) <= sampling.top_k
    assert draw(logits, sampling, rng) in tokens


def test_top_p_keeps_the_fewest_tokens_that_reach_it() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    for p, n in ((0.4, 1), (0.5001, 2), (0.79, 2), (0.81, 3), (1.0, 4)):
        assert len(candidates(logits, Sampling(1, None, p))[0]) == n


def test_draws_follow_the_probabilities() -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2], np.float32))
    rng = np.random.default_rng(5)
    counts = np.bincount([draw(logits, Sampling(1, None), rng) for _ in range(20_000)], minlength=3)
    np.testing.assert_allclose(counts / 20_000, [0.5, 0.3, 0.2], atol=0.015)


def test_temperature_zero_takes_the_likeliest() -> None:
    logits = np.array([1, 9, 3], np.float32)
    assert draw(logits, Sampling(0), np.random.default_rng(0)) == 1
    assert draw(np.array([1, -np.inf, 3], np.float32), Sampling(0), np.random.default_rng(0)) == 2


@pytest.mark.parametrize(
    "options", [(-1.0, 3, None), (float("nan"), 3, None), (1, 0, None), (1, 3, 0), (1, 3, 1.1)]
)
def test_options_out_of_range_are_refused(options: tuple[float, int, float | None]) -> None:
    with pytest.raises(OptionError, match="out of range"):
        Sampling(*options)


@pytest.mark.train
@pytest.mark.parametrize(
    ("key", "sampling"),
    [
        ("temp1.0_topkNone", Sampling(1.0, None)),
        ("temp0.95_topk32", Sampling(0.95, 32)),
        ("temp0.7_topk5", Sampling(0.7, 5)),
        ("temp1.3_topk1", Sampling(1.3, 1)),
        ("temp0_topkNone", Sampling(0, None)),
    ],
)
def test_the_originals_probabilities(shared: Path, tiny_model: Model, key: str, sampling: Sampling) -> None:
    reference = np.load(shared / "fixtures/lakhnes/tiny/sampler_probs.npz")
    not_the_end = np.where(np.arange(631) > 0, np.float32(0), np.float32(-np.inf))
    tiny_model.reset()
    for token, wanted in zip(reference["tokens"], reference[key], strict=True):
        got = np.zeros(631)
        tokens, probabilities = candidates(tiny_model.step(int(token)) + not_the_end, sampling)
        got[tokens] = probabilities
        np.testing.assert_allclose(got, wanted, atol=1e-6)


def test_what_becomes_easy_to_foresee_is_drawn_wilder() -> None:
    mirostat = Mirostat(Sampling(0.8, 16, 0.9, surprise=1.5))
    assert mirostat.sampling == Sampling(0.8, 16, 0.9, surprise=1.5), "nothing was foreseen yet"
    sure = np.array([9.0, 0.0, 0.0, 0.0], np.float32)
    rising = [mirostat.sampling.temperature]
    for _ in range(400):
        mirostat.observe(sure, 0)
        rising.append(mirostat.sampling.temperature)
    assert rising == sorted(rising)
    assert 0.8 < rising[20] < rising[-1] <= 0.8 * 1.6
    assert (mirostat.sampling.top_k, mirostat.sampling.top_p) == (16, 0.9)
    for _ in range(400):
        mirostat.observe(np.zeros(64, np.float32), 5)  # log 64 nats: nobody could know
    assert mirostat.sampling.temperature == 0.8
    assert mirostat.surprise == pytest.approx(np.log(64), rel=0.01)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(0.0, surprise=1.3)])
def test_nobody_who_does_not_ask_gets_another_temperature(sampling: Sampling) -> None:
    mirostat = Mirostat(sampling)
    for _ in range(100):
        mirostat.observe(np.array([9.0, 0.0], np.float32), 0)
    assert mirostat.sampling is sampling
    assert mirostat.surprise is None


@pytest.mark.parametrize("surprise", [0.0, -1.0, 7.0])
def test_a_surprise_out_of_range_is_refused(surprise: float) -> None:
    with pytest.raises(OptionError, match=r"such as 1\.3"):
        Sampling(surprise=surprise)
