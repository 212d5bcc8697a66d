"""Quality of composing with existing music: figures next to those of human music."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.compose.arrange import accompany_voices, continue_score
from lakhnes.runtime.compose.regenerate import regenerate
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.errors import DataError, OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import extract, fit_to_vocabulary, without_span
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Note, Score
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import beat_of

SECONDS = 20
"""Length of composed music, and of a prompt, in seconds."""

KEPT = ((Voice.P1,), (Voice.TR, Voice.NO))
"""Voices that are kept, in one task and in another."""

_DISSONANT = (1, 2, 6, 10, 11)
"""Dissonant intervals in semitones, modulo an octave: seconds, sevenths and the tritone."""

BARS = 4
"""Bars inside a song that are composed again."""

_MOTIF = 4
"""Notes of a motif."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of music composed with other music; None if undefined."""

    notes_per_second: float | None
    """Notes a second, of the new voices, or of all in a continuation."""
    phase: float | None
    """How well new onsets lie on the rows of the existing music, 0 (anywhere) to 1 (all equal)."""
    dissonance: float | None
    """Share of time in which a new melodic voice is dissonant with another melodic voice."""
    pitch_class_cosine: float | None
    """Similarity of the pitch classes of new and existing music, 0..1."""
    motifs: float | None
    """Share of the motifs of four notes that occur in the prompt, for continuations."""
    seam_interval: float | None = None
    """Mean semitones that a voice moves across a seam, for bars composed again."""
    seam_density: float | None = None
    """Notes in the bars on both sides of a seam: the larger count divided by the smaller one."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of task, over several songs."""

    name: str
    songs: int
    failed: int
    """Number of songs in which nothing could be composed."""
    composed: Figures
    """Medians over the songs."""
    human: Figures
    """Medians of the original music at the same place."""


def measure_arrangements(
    model: Model,
    songs: Iterable[Score],
    count: int,
    *,
    seed: int = 0,
    sampling: Sampling = USUAL_SAMPLING,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Task]:
    """Accompany songs, continue them and recompose some bars, and compare the results with the originals.

    The beat is not stated; lakhnes must find it.

    Args:
        model: the composing model.
        songs: human songs.
        count: most songs for each task.
        seed: seed of the first song; the next songs have the next seeds.
        sampling: temperature, top-k and top-p.
        progress: called with the songs done and their total.

    Raises:
        DataError: if no song is long enough.
    """
    chosen = chosen_songs(songs, count)
    kinds: dict[str, Callable[[Score, Request], tuple[Figures, Figures]]] = {
        **{
            f"keep {','.join(voice.name for voice in keep)}": partial(_accompanied, model, keep)
            for keep in KEPT
        },
        "continue": partial(_continued, model),
        f"{BARS} bars anew": partial(_anew, model),
    }
    total, done = len(chosen) * len(kinds), 0
    tasks = []
    for name, arrange in kinds.items():
        pairs: list[tuple[Figures, Figures]] = []
        failed = 0
        for number, song in enumerate(chosen):
            try:
                pairs.append(arrange(song, Request(seed + number, sampling)))
            except OptionError:
                failed += 1
            done += 1
            progress(done, total)
        composed, human = (_median([pair[side] for pair in pairs]) for side in (0, 1))
        tasks.append(Task(name, len(chosen), failed, composed, human))
    return tasks


def chosen_songs(songs: Iterable[Score], count: int) -> list[Score]:
    """Return songs, evenly chosen, that are long enough, use all voices and have a sure beat.

    Raises:
        DataError: if none is suitable.
    """
    whole, half = 2 * SECONDS * SAMPLE_RATE, SECONDS * SAMPLE_RATE
    fit = []
    for song in songs:
        if song.length < whole:
            continue
        parts = extract(song, (0, half)).parts
        if all(part.notes for part in parts):
            fit.append(fit_to_vocabulary(extract(song, (0, whole)))[0])
    places = np.unique(np.linspace(0, max(0, len(fit) - 1), min(4 * count, len(fit))).round().astype(int))
    sure = [fit[place] for place in np.random.default_rng(0).permutation(places)]
    chosen: list[Score] = []
    for song in sure:
        if len(chosen) < count and beat_of(extract(song, (0, half))) is not None:
            chosen.append(song)
    if not chosen:
        raise DataError(
            f"No song lasts {2 * SECONDS} s, plays in all voices and has a steady beat; give more songs."
        )
    return chosen


def _accompanied(
    model: Model, keep: Sequence[Voice], song: Score, request: Request
) -> tuple[Figures, Figures]:
    score = extract(song, (0, SECONDS * SAMPLE_RATE))
    arrangement = accompany_voices(model, score, keep, request)
    for _ in arrangement:
        pass
    new = [voice for voice in Voice if voice not in keep]
    grid = beat_of(score)
    kept = score.only(keep)
    made, own = (whole.only(new) for whole in (arrangement.score(), score))
    return figures_of(made, kept, grid), figures_of(own, kept, grid)


def _continued(model: Model, song: Score, request: Request) -> tuple[Figures, Figures]:
    samples = SECONDS * SAMPLE_RATE
    prompt = extract(song, (0, samples))
    arrangement = continue_score(model, prompt, request, SECONDS)
    for _ in arrangement:
        pass
    grid, whole = beat_of(prompt), (samples, 2 * samples)
    return tuple(  # type: ignore[return-value]
        figures_of(extract(one, whole), prompt, grid, samples) for one in (arrangement.score(), song)
    )


def _anew(model: Model, song: Score, request: Request) -> tuple[Figures, Figures]:
    score = extract(song, (0, SECONDS * SAMPLE_RATE))
    grid = beat_of(score) or BeatGrid.steady(120)
    middle = grid.bars_later(grid.tick(score.length // 2), -BARS // 2)
    first, last = (grid.sample(grid.bars_later(middle, bars)) for bars in (0, BARS))
    span = max(0, first), min(last, score.length)
    (made,) = regenerate(model, score, span, tuple(Voice), [request], grid=grid, width=1)
    bar = (span[1] - span[0]) // BARS
    return tuple(_beside(whole, span, bar, grid) for whole in (made, score))  # type: ignore[return-value]


def _beside(whole: Score, span: tuple[int, int], bar: int, grid: BeatGrid) -> Figures:
    """Return the figures of a span of a score, compared with the rest of it."""
    rest = without_span(whole, span, tuple(Voice))
    return replace(
        figures_of(extract(whole, span), rest, grid, span[0]),
        seam_interval=_seam_interval(whole, span),
        seam_density=_seam_density(whole, span, bar),
    )


def _seam_interval(score: Score, seams: Sequence[int]) -> float | None:
    moves = []
    for voice in MELODIC:
        notes = score.parts[voice].notes
        for one, other in pairwise(notes):
            if any(one.onset < seam <= other.onset for seam in seams):
                moves.append(abs(other.pitch - one.pitch))
    return float(np.mean(moves)) if moves else None


def _seam_density(score: Score, seams: Sequence[int], bar: int) -> float:
    onsets = np.array([note.onset for part in score.parts for note in part.notes])
    ratios = []
    for seam in seams:
        before, after = (
            1 + int(((onsets >= start) & (onsets < start + bar)).sum()) for start in (seam - bar, seam)
        )
        ratios.append(max(before, after) / min(before, after))
    return float(np.mean(ratios))


def figures_of(new: Score, there: Score, grid: BeatGrid | None, start: int | None = None) -> Figures:
    """Measure new music against existing music.

    Args:
        new: the new voices, or what follows a prompt; its sample 0 lies at `start`.
        there: the kept voices, or the prompt.
        grid: grid of the existing music; None for no beat.
        start: start of a continuation; None for new voices at the same time.
    """
    onsets = [note.onset + (start or 0) for part in new.parts for note in part.notes]
    seconds = new.length / SAMPLE_RATE
    return Figures(
        len(onsets) / seconds if seconds else None,
        None if grid is None or not onsets else _phase(onsets, grid),
        _dissonance(new, there if start is None else None),
        _cosine(_pitch_classes(new), _pitch_classes(there)),
        None if start is None or grid is None else _motifs(new, there, grid),
    )


def _phase(onsets: Sequence[int], grid: BeatGrid) -> float:
    places = np.array([grid.exact_tick(onset) for onset in onsets]) / grid.row_ticks
    return float(abs(np.exp(2j * np.pi * places).mean()))


def _dissonance(new: Score, kept: Score | None) -> float | None:
    """Return the dissonance of new voices with kept ones; for a continuation, among its own voices."""
    frame = SAMPLE_RATE // 60
    count = new.length // frame

    def line(notes: Sequence[Note]) -> NDArray[np.int64]:
        pitches = np.full(count, -1)
        for note in notes:
            pitches[note.onset // frame : max(note.onset // frame + 1, note.end // frame)] = note.pitch
        return pitches

    mine = [line(new.parts[voice].notes) for voice in MELODIC if new.parts[voice].notes]
    if kept is None:
        pairs = [(a, b) for place, a in enumerate(mine) for b in mine[:place]]
    else:
        theirs = [line(kept.parts[voice].notes) for voice in MELODIC if kept.parts[voice].notes]
        pairs = [(a, b) for a in mine for b in theirs]
    together = [(a - b)[(a >= 0) & (b >= 0)] % 12 for a, b in pairs]
    both = np.concatenate(together) if together else np.zeros(0)
    return float(np.isin(both, _DISSONANT).mean()) if both.size else None


def _pitch_classes(score: Score) -> NDArray[np.float64]:
    classes = np.zeros(12)
    for voice in MELODIC:
        for note in score.parts[voice].notes:
            classes[note.pitch % 12] += note.length
    return classes


def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    norm = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norm if norm else None


def _motifs(new: Score, prompt: Score, grid: BeatGrid) -> float | None:
    """Return the share of motifs in the prompt.

    A motif is the intervals and steps of successive notes of a voice.
    """
    samples = grid.sample(1000 * grid.row_ticks) - grid.sample(0)

    def motifs(score: Score) -> list[tuple[int, ...]]:
        found = []
        for voice in MELODIC:
            notes = score.parts[voice].notes
            pitches = np.array([note.pitch for note in notes])
            onsets = np.array([note.onset for note in notes]) * 2000 / samples
            if len(notes) < _MOTIF:
                continue
            steps = np.stack([np.diff(pitches), np.diff(onsets).round().astype(int)], 1)  # [n - 1, 2]
            found += [
                tuple(np.ravel(steps[place : place + _MOTIF - 1]).tolist())
                for place in range(len(notes) - _MOTIF + 1)
            ]
        return found

    known, made = set(motifs(prompt)), motifs(new)
    return sum(motif in known for motif in made) / len(made) if made else None


def _median(figures: Sequence[Figures]) -> Figures:
    def middle(name: str) -> float | None:
        values = [value for one in figures if (value := getattr(one, name)) is not None]
        return float(np.median(values)) if values else None

    return Figures(**{field.name: middle(field.name) for field in fields(Figures)})


def task_facts(task: Task) -> dict[str, object]:
    """Return a task as plain data for JSON."""
    return asdict(task)
