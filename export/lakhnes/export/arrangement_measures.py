"""How well a model composes with music that is there: figures beside those of people's music."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.compose.arrange import accompany_voices, continue_score
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.decode.processors import MELODIC
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling
from lakhnes.runtime.errors import DataError, OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import extract, fit_to_vocabulary
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Note, Score
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.model_time import beat_of

SECONDS = 20
"""Length of what is composed, and of a prompt."""

KEPT = ((Voice.P1,), (Voice.TR, Voice.NO))
"""Voices that are kept, in one task and in another."""

_DISSONANT = (1, 2, 6, 10, 11)
"""Intervals in semitones, whatever the octave: seconds, sevenths and the tritone."""

_MOTIF = 4
"""Notes of a motif."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of music that was composed with other music; None where nothing tells."""

    notes_per_second: float | None
    """Of the new voices, or of all in a continuation."""
    phase: float | None
    """How well new onsets lie on the rows of the music that is there, 0 (anywhere) to 1 (all alike)."""
    dissonance: float | None
    """Share of the time in which a new melodic voice sounds a dissonance with another melodic voice."""
    pitch_class_cosine: float | None
    """How alike the pitch classes of what is new and of what is there are, 0..1."""
    motifs: float | None
    """Share of the motifs of four notes that occur in the prompt; for continuations."""


@dataclass(frozen=True, slots=True)
class Task:
    """One kind of task, over some songs."""

    name: str
    songs: int
    failed: int
    """Songs in which nothing could be composed."""
    composed: Figures
    """Medians over the songs."""
    human: Figures
    """Of what the songs have in the same place."""


def measure_arrangements(
    model: Model,
    songs: Iterable[Score],
    count: int,
    *,
    seed: int = 0,
    sampling: Sampling = USUAL_SAMPLING,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Task]:
    """Accompanies and continues songs, and measures what comes beside what the songs have there.

    No beat is stated: it has to be found.

    Args:
        model: what composes.
        songs: of people.
        count: how many of them at most, for each task.
        seed: of the first song; the next has the next.
        sampling: temperature and cuts.
        progress: takes songs done and all of them.

    Raises:
        DataError: if no song is long enough.
    """
    chosen = chosen_songs(songs, count)
    total, done = len(chosen) * (len(KEPT) + 1), 0
    tasks = []
    for keep in (*KEPT, None):
        pairs: list[tuple[Figures, Figures]] = []
        failed = 0
        for number, song in enumerate(chosen):
            request = Request(seed + number, sampling)
            try:
                pairs.append(
                    _continued(model, song, request)
                    if keep is None
                    else _accompanied(model, song, keep, request)
                )
            except OptionError:
                failed += 1
            done += 1
            progress(done, total)
        name = "continue" if keep is None else f"keep {','.join(voice.name for voice in keep)}"
        composed, human = (_median([pair[side] for pair in pairs]) for side in (0, 1))
        tasks.append(Task(name, len(chosen), failed, composed, human))
    return tasks


def chosen_songs(songs: Iterable[Score], count: int) -> list[Score]:
    """Songs, spread over all of them, that are long enough, play in all voices, and have a sure beat.

    Raises:
        DataError: if there is none.
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
    model: Model, song: Score, keep: Sequence[Voice], request: Request
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


def figures_of(new: Score, there: Score, grid: BeatGrid | None, start: int | None = None) -> Figures:
    """Measures what is new against what is there.

    Args:
        new: the new voices, or what follows a prompt; its sample 0 lies at `start`.
        there: the kept voices, or the prompt.
        grid: of what is there; None for no beat.
        start: of a continuation; None for new voices at the same time.
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
    """Of new voices with kept ones; of a continuation, which keeps none, between its own."""
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
    """Motifs are intervals, and distances in half rows, of notes that follow one another in a voice."""
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
    """A task as plain data for JSON."""
    return asdict(task)
