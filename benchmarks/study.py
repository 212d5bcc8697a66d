"""How often the intervals of a study's report hold the truth.

    python benchmarks/study.py [--key STUDY/key.json] [--listeners 30] [--rounds 200] [--seed 0]

Simulated listeners choose by Bradley and Terry's model with known strengths. Without a key they take twelve
pairs of three sources; with a key they take that study, where the strengths fall evenly from the first source
to the last. The script prints the report of the first round, and the share of intervals of all rounds that
hold the truth; 0.95 is right.
"""

import argparse
import json
import sys
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from studies import key_of, simulated

from lakhnes.study.key import StudyKey, read_key
from lakhnes.study.report import ChoiceTable, StudyReport, report_of
from lakhnes.study.report_page import report_text
from lakhnes.study.results import FoundResults, parse_result


def report(
    key: StudyKey, listeners: int, strengths: dict[str, float], rng: np.random.Generator
) -> StudyReport:
    """The report of some listeners."""
    results = [json.dumps(simulated(key, number, strengths, rng)).encode() for number in range(listeners)]
    return report_of(key, FoundResults([parse_result(r, key, "a result") for r in results], {}))


def held(table: ChoiceTable, strengths: dict[str, float]) -> tuple[list[bool], list[bool]]:
    """Whether each share's interval, and each strength's, holds the truth."""
    shares = []
    for pair in table.pairs:
        truth = 1 / (1 + np.exp(strengths[pair.against] - strengths[pair.source]))
        shares.append(pair.share is not None and bool(pair.share.low <= truth <= pair.share.high))
    rows = table.strengths or ()
    middle = float(np.mean([strengths[row.source] for row in rows])) if rows else 0.0
    return shares, [row.strength.low <= strengths[row.source] - middle <= row.strength.high for row in rows]


def main() -> None:
    """Print a report and the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--key", type=Path)
    parser.add_argument("--listeners", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    sources = {"people": True, "new": False, "old": False}
    key = (
        read_key(asked.key)
        if asked.key
        else key_of("preference", sources, list(combinations(sources, 2)) * 4)
    )
    strengths = {
        name: float(s) for name, s in zip(key.sources, np.linspace(0.5, -0.5, len(key.sources)), strict=True)
    }
    rng = np.random.default_rng(asked.seed)
    shares: list[bool] = []
    ranks: list[bool] = []
    for number in range(asked.rounds):
        made = report(key, asked.listeners, strengths, rng)
        if number == 0:
            print(report_text(made))
            print("true strengths", strengths)
        for table in filter(None, (made.turing, made.preference)):
            one, other = held(table, strengths)
            shares += one
            ranks += other
    print(f"intervals of shares that hold the truth     {np.mean(shares):.3f} of {len(shares)}")
    print(f"intervals of strengths that hold the truth  {np.mean(ranks):.3f} of {len(ranks)}")


if __name__ == "__main__":
    main()
