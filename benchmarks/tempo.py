"""How well beats are found, and how fast.

    python benchmarks/tempo.py [--songs 400] [--kind KIND] [--nesmdb FOLDER] [--json]

On simulated songs of every kind (tests/simulated.py), whose rows are known: the share with the right tempo
(within 0.5 %; half and double are right, for music in threes or swung also 3 and 3/2; with a change of tempo
both have to be found), the share of onsets on the right row (up to a constant shift and the same factors),
the share of songs whose first bar line is one (where bars are read as half or a third as long, true bar
lines have to be among theirs), and the share with bars of the right length. On a folder of
NES-MDB MIDI files: how many songs of 15 s and more are sure, how many of the onsets of those lie within
12 ms of a row, and the same of onsets at random times. At last the time that a song of 3 and of 40 minutes
takes, the median of some rounds.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from simulated import KINDS, Kind, Simulated, simulate

from lakhnes.bridge.midi import read_midi
from lakhnes.runtime import SAMPLE_RATE, Note, Part, Score
from lakhnes.runtime.time.tempo import SURE, Beats, track_beats

ROUNDS = 7
DOUBLE = (0.25, 0.5, 1, 2, 4)
TRIPLE = (1 / 3, 2 / 3, 4 / 3, 3 / 4, 3 / 2, 3)


def tempo_right(song: Simulated, beats: Beats, swung: bool) -> bool:
    """Whether every tempo of a song is found."""
    found = [bpm for _, bpm in beats.sections]
    factors = DOUBLE + (TRIPLE if song.triple or swung else ())
    return all(any(abs(f * bpm / true - 1) < 0.005 for f in factors for bpm in found) for true in song.bpms)


def rows_right(true: NDArray[np.int64], found: NDArray[np.int64]) -> tuple[float, float, int]:
    """Share of onsets on the right row, at the best of the factors, with (true rows a row, row of row 0)."""
    best = (0.0, 1.0, 0)
    for up, down in ((1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 3), (3, 2)):
        shift, count = np.unique(true * up - found * down, return_counts=True)
        k = int(np.argmax(count))
        best = max(best, (count[k] / len(true), down / up, int(shift[k]) / up), key=lambda b: b[0])
    return best


def judged(song: Simulated, kind: Kind) -> dict[str, float]:
    """What is right of one song."""
    beats = track_beats(song.score)
    found = np.array([round(beats.place(s)) for s in song.onsets[:, 0].tolist()])
    before = song.onsets[:, 0] < song.change
    shares, first = [], (0.0, 1.0, 0)
    for part in (before, ~before):
        if part.any():
            own = rows_right(song.onsets[part, 1], found[part])
            if song.triple and kind.feel == "swung":  # 8-4 in thirds
                thirds = song.onsets[part, 1] // 2 * 3 + song.onsets[part, 1] % 2 * 2
                other = rows_right(thirds, found[part])
                own = own if own[0] >= other[0] else (other[0], other[1] / 1.5, other[2] / 1.5)
            shares.append((own[0], int(part.sum())))
            first = own if part is before else first
    bar = song.rows_per_beat * song.beats_per_bar
    length = beats.rows_per_beat * beats.beats_per_bar * first[1]
    apart = length if abs(bar / length - round(bar / length)) < 0.01 else bar  # half bars have more bar lines
    off = (beats.downbeat * first[1] + first[2] - song.downbeat) % apart
    return {
        "tempo": tempo_right(song, beats, kind.feel == "swung"),
        "rows": sum(share * n for share, n in shares) / len(found),
        "songs with 99 % of rows": sum(share * n for share, n in shares) / len(found) >= 0.99,
        "downbeat": min(off, apart - off) < 0.3,
        "bar length": abs(length / bar - 1) < 0.01,
        "bar length or its double or half": any(abs(length / bar / f - 1) < 0.01 for f in (0.5, 1, 2)),
        "sure": beats.confidence >= SURE,
    }


def of_files(folder: Path, rng: np.random.Generator) -> dict[str, float]:
    """What can be said of songs without a truth."""
    sure, near, chance, rest, songs, bars, moved = 0, [], [], [], 0, [], []
    for path in sorted(folder.rglob("*.mid")):
        score = read_midi(path)
        if score.seconds < 15:
            continue
        songs += 1
        beats = track_beats(score)
        onsets = np.array([note.onset for part in score.parts for note in part.notes])
        share = within(beats, onsets)
        if beats.confidence >= SURE:
            sure += 1
            near.append(share)
            chance.append(within(beats, rng.integers(0, score.length, len(onsets))))
            bars.append(beats.beats_per_bar)
            moved.append(len(beats.sections) > 1)
        else:
            rest.append(share)
    return {
        "songs": songs,
        "sure": sure / songs,
        "onsets near a row in sure songs": float(np.mean(near)),
        "random onsets near a row": float(np.mean(chance)),
        "onsets near a row in other songs": float(np.mean(rest)) if rest else 0.0,
        "sure songs in four": float(np.mean(np.array(bars) == 4)),
        "sure songs with more than one tempo": float(np.mean(moved)),
    }


def within(beats: Beats, onsets: NDArray[np.int64], seconds: float = 0.012) -> float:
    """Share of onsets within some time of a row."""
    k = np.searchsorted(beats.rows, onsets).clip(1, len(beats.rows) - 1)
    apart = np.minimum(np.abs(beats.rows[k] - onsets), np.abs(beats.rows[k - 1] - onsets))
    return float(np.mean(apart <= seconds * SAMPLE_RATE))


def repeated(score: Score, seconds: float) -> Score:
    """A song again and again, until it is so long."""
    times = int(np.ceil(seconds / score.seconds))
    parts = [
        Part(
            tuple(
                Note(n.onset + k * score.length, n.length, n.pitch) for k in range(times) for n in part.notes
            )
        )
        for part in score.parts
    ]
    return Score.of(parts, times * score.length)


def milliseconds(score: Score) -> float:
    """Time to find the beats of a song, the median of some rounds."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        track_beats(score)
        times.append(1000 * (time.perf_counter() - began))
    return median(times)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--songs", type=int, default=400, help="simulated songs of each kind")
    parser.add_argument("--kind", action="append", choices=list(KINDS), help="only this kind")
    parser.add_argument("--nesmdb", type=Path, help="folder of NES-MDB MIDI files")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    result: dict[str, dict[str, float]] = {}
    for number, (name, kind) in enumerate(KINDS.items()):
        if asked.kind and name not in asked.kind:
            continue
        songs = [judged(simulate(kind, 100_000 * number + seed), kind) for seed in range(asked.songs)]
        result[name] = {key: float(np.mean([song[key] for song in songs])) for key in songs[0]}
    if asked.nesmdb:
        result["NES-MDB"] = of_files(asked.nesmdb, np.random.default_rng(0))
    song = simulate(KINDS["straight"], 1).score
    three, forty = repeated(song, 180), repeated(song, 2400)
    result["milliseconds"] = {"3 minutes": milliseconds(three), "40 minutes": milliseconds(forty)}
    if asked.json:
        print(json.dumps(result, indent=1))
        return
    for name, figures in result.items():
        print(f"{name}: " + ", ".join(f"{key} {value:.4g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
