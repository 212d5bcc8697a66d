import numpy as np
import pytest
from songs_of_ours import even, march, song

from lakhnes.export.measure.harmony import harmony_figures
from lakhnes.export.measure.tracked_song import TrackedSong


def test_dissonance_is_of_the_time_in_which_both_sound() -> None:
    bass = even([36] * 4, 60)
    fifth, second = [(0, 60, 67), (60, 60, 62)], [(120, 30, 61), (150, 90, 72)]
    figures = harmony_figures(TrackedSong(song([*fifth, *second], tr=bass, seconds=4)))
    assert figures["dissonance P1-TR"] == pytest.approx((60 + 30) / 240)  # a major and a minor second
    assert figures["unison P1-TR"] == pytest.approx(90 / 240)
    assert np.isnan(figures["dissonance P2-TR"])
    tritone = harmony_figures(TrackedSong(song([(0, 60, 66)], tr=bass, seconds=4)))
    assert tritone["dissonance P1-TR"] == 1


def test_the_bass_is_on_the_root_or_not() -> None:
    roots = [48, 53, 55, 48] * 4
    third, fifth = [root + 16 for root in roots], [root + 19 for root in roots]
    chords = [(even(third, 120), even(fifth, 120))]
    for upper, middle in chords:
        drums = [(15 * k, 3, 3) for k in range(128)]
        on = harmony_figures(TrackedSong(song(upper, middle, even(roots, 120), drums, seconds=32)))
        assert on["bass on the root"] == 1
        assert on["notes in triads"] == pytest.approx(1)
    fifths_below = even([root + 7 for root in roots], 120)
    off = harmony_figures(
        TrackedSong(song(even(third, 120), even([r + 12 for r in roots], 120), fifths_below, seconds=32))
    )
    assert off["bass on the root"] < on["bass on the root"]


def test_keys() -> None:
    figures = harmony_figures(TrackedSong(march(32)))
    assert figures["scale consistency"] == 1
    assert figures["key clarity"] > 0.6
    chromatic = harmony_figures(TrackedSong(song(even(list(range(48, 96)) * 2, 20), seconds=32)))
    assert chromatic["pitch-class entropy"] == pytest.approx(np.log2(12), abs=0.01)
    assert chromatic["key clarity"] < figures["key clarity"]
    one = harmony_figures(TrackedSong(song(even([60] * 96, 20), seconds=32)))
    assert one["pitch-class entropy"] == one["pitch-class entropy of a bar"] == 0


def test_an_empty_song_has_no_harmony() -> None:
    assert all(np.isnan(value) for value in harmony_figures(TrackedSong(song(seconds=10))).values())
