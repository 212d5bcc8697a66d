"""Figures of arrangements, against music of which they are known."""

import numpy as np
import pytest

from lakhnes.export.arrangement_measures import chosen_songs, figures_of, measure_arrangements
from lakhnes.runtime import SAMPLE_RATE, BeatGrid, DataError, Model, Note, Part, Score

ROW = 6 * 735
GRID = BeatGrid.steady(150)


def band(seconds: float = 44.0) -> Score:
    """A lead and a second voice over bass and drums, in C."""
    count = round(seconds * SAMPLE_RATE / ROW)
    scale = (60, 62, 64, 65, 67, 69, 71, 72)
    lead = [Note(i * ROW, ROW, scale[(i * 3 + i // 16) % 8]) for i in range(0, count, 2)]
    second = [Note(i * ROW, 2 * ROW, scale[(i // 4) % 8] - 5) for i in range(0, count - 4, 4)]
    bass = [Note(i * ROW, 3 * ROW, (36, 41, 43, 36)[i // 16 % 4]) for i in range(0, count - 4, 4)]
    drums = [Note(i * ROW, 735, 2 if i % 8 == 0 else 14 if i % 8 == 4 else 12) for i in range(0, count, 2)]
    return Score.of((Part(tuple(part)) for part in (lead, second, bass, drums)), count * ROW)


def line(pitches: list[int], *, first: int = 0) -> Score:
    notes = tuple(Note(first + i * ROW, ROW, pitch) for i, pitch in enumerate(pitches))
    return Score((Part(notes), Part(), Part(), Part()), 4 * SAMPLE_RATE)


def bass_of(pitch: int) -> Score:
    return Score((Part(), Part(), Part((Note(0, 4 * SAMPLE_RATE, pitch),)), Part()), 4 * SAMPLE_RATE)


def test_figures_are_those_of_their_definitions() -> None:
    new = line([60, 61, 64, 66])
    figures = figures_of(new, bass_of(36), GRID)
    assert figures.notes_per_second == 1
    assert figures.phase == pytest.approx(1, abs=1e-3)
    assert figures.dissonance == pytest.approx(0.5, abs=0.02)  # a semitone and a tritone over C
    assert figures.motifs is None
    assert figures_of(line([60, 72]), bass_of(36), GRID).pitch_class_cosine == pytest.approx(1)
    assert figures_of(line([61]), bass_of(36), GRID).pitch_class_cosine == 0
    assert figures_of(line([60], first=ROW // 2), bass_of(36), GRID).phase == pytest.approx(1, abs=1e-3)
    halves = Score((Part((Note(0, 99, 60), Note(ROW // 2, 99, 60))), Part(), Part(), Part()), SAMPLE_RATE)
    assert figures_of(halves, bass_of(36), GRID).phase == pytest.approx(0, abs=0.01)
    assert figures_of(Score(length=SAMPLE_RATE), bass_of(36), None).phase is None


def test_motifs_count_wherever_they_are_transposed_to() -> None:
    prompt = line([60, 62, 64, 60, 67])
    same = figures_of(line([65, 67, 69, 65, 72]), prompt, GRID, prompt.length)
    assert same.motifs == 1
    other = figures_of(line([65, 66, 69, 65, 72]), prompt, GRID, prompt.length)
    assert other.motifs == 0


def test_songs_are_arranged_and_measured_beside_themselves(small_model: Model) -> None:
    told: list[tuple[int, int]] = []
    songs = [band(), band(46.0), band(10.0)]
    tasks = measure_arrangements(small_model, songs, 2, progress=lambda *done: told.append(done))
    assert [task.name for task in tasks] == ["keep P1", "keep TR,NO", "continue", "4 bars anew"]
    assert told[-1] == (2 * len(tasks), 2 * len(tasks))
    for task in tasks:
        assert (task.songs, task.failed) == (2, 0)
        assert task.human.phase == pytest.approx(1, abs=0.05)
        assert task.composed.phase is not None
        assert task.composed.phase > 0.8
        assert task.composed.notes_per_second is not None
    assert tasks[2].human.motifs is not None
    assert tasks[3].human.seam_density == pytest.approx(1, abs=0.3)
    assert tasks[3].human.seam_interval is not None
    assert tasks[3].composed.seam_density >= 1
    assert np.isfinite(tasks[0].human.dissonance)


def test_songs_that_are_too_short_are_refused() -> None:
    with pytest.raises(DataError, match="lasts 40 s"):
        chosen_songs([band(10.0)], 3)
