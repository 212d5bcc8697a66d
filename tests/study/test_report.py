"""Results of listeners, good and bad, and what the report makes of them."""

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from studies import key_of, simulated

from lakhnes.runtime.errors import StudyError
from lakhnes.study.key import StudyKey
from lakhnes.study.report import StudyReport, report_of
from lakhnes.study.report_page import report_html, report_text
from lakhnes.study.results import MAX_RESULT_BYTES, parse_result, read_results

SOURCES = {"people <&>": True, "new": False, "old": False}
STRENGTHS = {"people <&>": 0.9, "new": 0.1, "old": -1.0}
LISTENERS = 30


def reported(key: StudyKey, folder: Path, strengths: dict[str, float], seed: int = 1) -> StudyReport:
    rng = np.random.default_rng(seed)
    for number in range(LISTENERS):
        result = simulated(key, number, strengths, rng)
        (folder / f"{number}.json").write_text(json.dumps(result))
    return report_of(key, read_results(folder, key))


def test_thirty_listeners_prefer_what_they_prefer(tmp_path: Path) -> None:
    """Twelve pairs, as many of each two sources."""
    key = key_of("preference", SOURCES, list(combinations(SOURCES, 2)) * 4)
    report = reported(key, tmp_path, STRENGTHS)
    assert (report.listeners, report.excluded) == (LISTENERS, {})
    table = report.preference
    assert table is not None
    assert table.strengths is not None
    for row in table.strengths:
        assert row.strength.low <= STRENGTHS[row.source] <= row.strength.high
        assert row.strength.high - row.strength.low < 0.8
    for pair in table.pairs:
        assert pair.trials == 4 * LISTENERS
        truth = 1 / (1 + np.exp(STRENGTHS[pair.against] - STRENGTHS[pair.source]))
        assert pair.share is not None
        assert pair.share.low <= truth <= pair.share.high
    assert table.agreement is not None
    assert 0 < table.agreement < 0.5


def test_the_turing_test_counts_machines_taken_for_people(tmp_path: Path) -> None:
    key = key_of("turing", SOURCES, [("people <&>", "new"), ("old", "people <&>")] * 6)
    table = reported(key, tmp_path, STRENGTHS).turing
    assert table is not None
    assert [(pair.source, pair.against) for pair in table.pairs] == [
        ("new", "people <&>"),
        ("old", "people <&>"),
    ]
    for pair in table.pairs:
        truth = 1 / (1 + np.exp(STRENGTHS["people <&>"] - STRENGTHS[pair.source]))
        assert pair.share is not None
        assert pair.share.low <= truth <= pair.share.high < 0.5


def test_ratings_are_means_of_their_sources(tmp_path: Path) -> None:
    key = key_of("rating", SOURCES, [(name,) for name in SOURCES] * 4)
    table = reported(key, tmp_path, {"people <&>": 4.0, "new": 3.0, "old": 2.0}).rating
    assert table is not None
    for row in table.means:
        assert row.mean is not None
        assert row.mean.value == pytest.approx({"people <&>": 4, "new": 3, "old": 2}[row.source], abs=0.25)
        assert row.ratings == 4 * LISTENERS
    assert all(alpha is not None and alpha > 0.3 for alpha in table.agreement.values())


def test_sources_without_a_chain_of_pairs_have_no_strengths(tmp_path: Path) -> None:
    sources = dict.fromkeys("abcd", False)
    key = key_of("preference", sources, [("a", "b"), ("c", "d")])
    report = reported(key, tmp_path, dict.fromkeys("abcd", 0.0))
    assert report.preference is not None
    assert report.preference.strengths is None
    assert "no chain of pairs" in report_text(report)


def test_text_json_and_page_say_the_same(tmp_path: Path) -> None:
    key = key_of("preference", SOURCES, list(combinations(SOURCES, 2)))
    (tmp_path / "x.json").write_text("<b>")
    report = reported(key, tmp_path, STRENGTHS)
    facts = json.loads(report.to_json())
    share = facts["preference"]["pairs"][0]["share"]
    shown = f"{share['value']:.2f} [{share['low']:.2f}, {share['high']:.2f}]"
    page = report_html(report).decode()
    assert shown in report_text(report)
    assert shown in page
    assert page.count("<svg") == 2
    assert "people &lt;&amp;&gt;" in page
    assert "people <&>" not in page
    assert not re.search(r"(?:src|href)=", page)
    assert "x.json" in page


def test_no_results_make_an_empty_report(tmp_path: Path) -> None:
    key = key_of("preference", SOURCES, [("new", "old")])
    report = report_of(key, read_results(tmp_path, key))
    assert "0 listeners count" in report_text(report)
    assert b"too few answers" in report_html(report)


KEY = key_of("preference", SOURCES, [("new", "old")] * 2)


def result() -> dict[str, Any]:
    return simulated(KEY, 7, STRENGTHS, np.random.default_rng(0))


def changed(**fields: object) -> Callable[[dict[str, Any]], object]:
    return lambda facts: facts["answers"][0].update(fields)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda facts: facts.update(format="x"), "no result"),
        (lambda facts: facts.update(study="x"), "another study"),
        (lambda facts: facts.update(listener="../../etc/passwd"), "hexadecimal"),
        (lambda facts: facts.update(listener="0" * 32 + "\n"), "hexadecimal"),
        (lambda facts: facts.update(listener=3), "hexadecimal"),
        (lambda facts: facts.pop("answers"), "answers"),
        (lambda facts: facts.update(answers={}), "not a list"),
        (lambda facts: facts["answers"].append(facts["answers"][0]), "not a list"),
        (lambda facts: facts["answers"].__setitem__(1, facts["answers"][0]), "belongs to no question"),
        (lambda facts: facts["answers"].__setitem__(0, 3), "belongs to no question"),
        (changed(trial=[]), "cannot be read"),
        (changed(trial="x"), "belongs to no question"),
        (changed(shown=["00a"]), "other clips"),
        (changed(shown=[1, 2]), "does not list"),
        (changed(heard=[1]), "how long"),
        (changed(heard=[True, 1]), "impossible time"),
        (changed(seconds=float("nan")), "impossible time"),
        (changed(seconds=-1), "impossible time"),
        (changed(choice="02a"), "none of its clips"),
        (changed(ratings={"melody": 1}), "none of its clips"),
    ],
)
def test_a_bad_result_is_refused(spoil: Callable[[dict[str, Any]], object], said: str) -> None:
    facts = result()
    spoil(facts)
    with pytest.raises(StudyError, match=f"r.json cannot be read.*{said}.*Ask the listener|{said}"):
        parse_result(json.dumps(facts).encode(), KEY, "r.json")


@pytest.mark.parametrize("content", [b"", b"[" * 100_000, b"\xff", b"3", b" " * (MAX_RESULT_BYTES + 1)])
def test_what_is_no_json_is_refused(content: bytes) -> None:
    with pytest.raises(StudyError, match=r"r\.json"):
        parse_result(content, KEY, "r.json")


@pytest.mark.parametrize(
    "grades", [{}, {"melody": 3}, dict.fromkeys(("melody", "harmony", "rhythm"), 3) | {"structure": 6}]
)
def test_a_bad_rating_is_refused(grades: dict[str, int]) -> None:
    key = key_of("rating", SOURCES, [("new",)])
    facts: dict[str, Any] = simulated(key, 1, {"new": 3.0}, np.random.default_rng(0))
    facts["answers"][0]["ratings"] = grades
    with pytest.raises(StudyError, match="each aspect from 1 to 5"):
        parse_result(json.dumps(facts).encode(), key, "r.json")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda facts: facts["answers"].pop(), "1 of 3 questions have no answer"),
        (lambda facts: facts["answers"][2].update(choice="02b"), "attention check"),
        (changed(heard=[6.0, 0.3]), "without hearing"),
        (changed(seconds=1.0), "without hearing"),
    ],
)
def test_careless_listeners_do_not_count(
    spoil: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    facts = result()
    spoil(facts)
    (tmp_path / "careless.json").write_text(json.dumps(facts))
    (tmp_path / "good.json").write_text(json.dumps(result()))
    (tmp_path / "good-twice.json").write_text(json.dumps(result()))
    found = read_results(tmp_path, KEY)
    assert len(found.results) == 1
    assert said in found.excluded["careless.json"]
    assert "another result" in found.excluded["good.json"]


def test_results_that_are_not_there_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="is no folder"):
        read_results(tmp_path / "none", KEY)
