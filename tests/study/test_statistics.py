"""Statistics against published figures and known truths."""

import numpy as np
import pytest

from lakhnes.study.statistics import agreement, bradley_terry, interval, mean, nominal, wilson

CODERS = ("*****34121133*3", "1*213343*******", "**21344*21133*4")
"""Krippendorff's own example with three coders: * for no value."""


def test_wilson_is_that_of_the_literature() -> None:
    """R. G. Newcombe 1998, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    for wins, n, low, high in (
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ):
        found = wilson(wins, n)
        assert found is not None
        assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)
    assert wilson(0, 0) is None


def test_agreement_is_krippendorffs() -> None:
    units = [[float(c) for c in column if c != "*"] for column in zip(*CODERS, strict=True)]
    assert agreement(units, nominal) == pytest.approx(0.691, abs=5e-4)
    assert agreement(units, interval) == pytest.approx(0.811, abs=5e-4)
    assert agreement([[1.0, 1.0], [2.0, 2.0]]) == 1
    assert agreement([[1.0], [2.0]]) is None
    assert agreement([[1.0, 1.0]]) is None


def test_strengths_of_two_are_the_odds_of_their_share() -> None:
    found = bradley_terry(np.array([[0.0, 7500.0], [2500.0, 0.0]]))
    assert found is not None
    assert found[0].value - found[1].value == pytest.approx(np.log(3), abs=1e-3)
    assert sum(one.value for one in found) == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_true_strengths_as_often_as_they_promise() -> None:
    truth = np.array([0.8, 0.1, -0.2, -0.7])
    odds = 1 / (1 + np.exp(truth[None] - truth[:, None]))
    rng, inside = np.random.default_rng(1), []
    for _ in range(200):
        wins = np.triu(rng.binomial(40, odds), 1).astype(float)
        wins += np.tril((40 - wins).T, -1)
        found = bradley_terry(wins)
        assert found is not None
        inside += [one.low <= true <= one.high for one, true in zip(found, truth, strict=True)]
    assert 0.92 <= np.mean(inside) <= 0.98


def test_strengths_stay_finite_and_need_a_chain_of_pairs() -> None:
    found = bradley_terry(np.array([[0.0, 9.0], [0.0, 0.0]]))
    assert found is not None
    assert np.isfinite([found[0].low, found[0].high]).all()
    apart = np.zeros((4, 4))
    apart[0, 1] = apart[1, 0] = apart[2, 3] = 3
    assert bradley_terry(apart) is None
    assert bradley_terry(np.zeros((2, 2))) is None


def test_a_mean_needs_two_values() -> None:
    assert mean([3.0]) is None
    found = mean([2.0, 4.0])
    assert found is not None
    assert (found.value, found.high) == pytest.approx((3, 3 + 1.96), abs=1e-3)
