import numpy as np
import pytest
from songs_of_ours import even, song

from lakhnes.export.measure.notes import in_figures, note_figures
from lakhnes.export.measure.tracked_song import TrackedSong


def test_figures_that_come_six_times() -> None:
    def share(pitches: list[int], times: int = 6) -> float:
        return in_figures(np.array(pitches), times) / len(pitches)

    assert share([60, 64] * 6) == 1
    assert share([60, 64] * 5) == 0
    assert share([60] * 12) == 1
    assert share([60] * 11) == 0
    assert share([60, 62, 64, 65] * 6 + [70, 72, 59, 58]) == pytest.approx(24 / 28)
    assert share(list(range(60, 76)) * 6) == 1  # 16 notes
    assert share(list(range(60, 77)) * 6) == 0
    assert share([60, 64, 67] * 3, times=3) == 1
    rng = np.random.default_rng(0)
    assert share(rng.integers(48, 84, 400).tolist()) == 0
    assert in_figures(np.zeros(0, np.int64), 6) == 0


def test_long_notes_and_rests() -> None:
    held = [(0, 180, 60), (240, 60, 62)]  # 3 s, a rest of 1 s, 1 s; then 5 s to the end
    figures = note_figures(TrackedSong(song(held, seconds=10)))
    assert figures["time in notes over 2 s"] == pytest.approx(180 / (3 * 600))
    assert figures["longest rest of a voice"] == pytest.approx(5)
    assert figures["longest note"] == pytest.approx(np.log2(180))
    assert figures["time sounding, P1"] == pytest.approx(0.4)
    assert figures["time sounding, NO"] == 0
    assert figures["silence"] == pytest.approx(0.6)
    both = note_figures(TrackedSong(song(held, even([50] * 10, 60), seconds=10)))
    assert both["longest rest of a voice"] == pytest.approx(2.5)  # the mean of 5 s and none
    assert both["longest rest of all voices"] == pytest.approx(5)


def test_articulation() -> None:
    legato = note_figures(TrackedSong(song(even([60, 62] * 10, 20), seconds=8)))
    assert legato["legato"] == 1
    assert legato["filled time of pulse notes"] == 1
    short = [(20 * k, 5, 60 + k % 2) for k in range(20)]
    assert note_figures(TrackedSong(song(short, seconds=8)))["filled time of pulse notes"] == pytest.approx(
        0.25
    )


def test_intervals() -> None:
    figures = note_figures(TrackedSong(song(even([60, 62, 60, 72, 72], 20), seconds=3)))
    assert figures["repeated pitches"] == pytest.approx(1 / 4)
    assert figures["steps of a second"] == pytest.approx(2 / 4)
    assert figures["leaps"] == pytest.approx(1 / 4)
    assert figures["octaves"] == pytest.approx(1 / 4)
    assert figures["turns of a line"] == pytest.approx(2 / 3)
    assert figures["pitch of P1"] == pytest.approx(65.2)


def test_an_empty_song_has_no_notes() -> None:
    figures = note_figures(TrackedSong(song(seconds=10)))
    assert np.isnan(figures["notes in figures of six and more"])
    assert np.isnan(figures["longest rest of a voice"])
    assert figures["time in notes over 2 s"] == 0
