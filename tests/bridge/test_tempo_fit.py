"""Tempi that are fitted to the times of what was played."""

from itertools import accumulate, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.recorder import Recorder
from lakhnes.bridge.tempo_fit import fit_tempi, joined
from lakhnes.runtime import Voice
from lakhnes.runtime.time.grid import PPQ

ROW = PPQ // 4


def times(bpms: list[float], jitter: float, seed: int = 0) -> tuple[list[int], list[float]]:
    """When the rows of some beats, each at its tempo, were played."""
    rng = np.random.default_rng(seed)
    steps = [60 / bpm / 4 for bpm in bpms for _ in range(4)]
    seconds = np.array(list(accumulate(steps, initial=3.0)))
    return [ROW * row for row in range(len(seconds))], list(seconds + rng.uniform(0, jitter, len(seconds)))


@given(bpm=st.integers(60, 220), jitter=st.sampled_from([0.0, 0.001, 0.012]), seed=st.integers(0, 99))
@settings(deadline=None, max_examples=40)
def test_a_steady_tempo_is_one(bpm: int, jitter: float, seed: int) -> None:
    found = joined(fit_tempi(*times([float(bpm)] * 64, jitter, seed), 1.0))
    assert [(one.tick, one.bpm) for one in found] == [(0, pytest.approx(bpm, abs=0.1 if jitter else 1e-9))]


@pytest.mark.parametrize("jitter", [0.0, 0.012])
@pytest.mark.parametrize(("before", "after"), [(90.0, 150.0), (150.0, 90.0), (120.0, 126.0)])
def test_a_step_is_two(before: float, after: float, jitter: float) -> None:
    first, second = joined(fit_tempi(*times([before] * 32 + [after] * 32, jitter), 1.0))
    assert (first.bpm, second.bpm) == (pytest.approx(before, rel=0.005), pytest.approx(after, rel=0.005))
    assert abs(second.tick - 32 * PPQ) <= 2 * PPQ


@given(st.lists(st.floats(60, 200), min_size=2, max_size=40), st.integers(0, 9))
@settings(deadline=None, max_examples=40)
def test_any_music_is_told_to_a_fraction_of_a_row(bpms: list[float], seed: int) -> None:
    ticks, seconds = times(bpms, 0.0, seed)
    found = fit_tempi(ticks, seconds, 1.0)
    assert found[0].tick == 0
    assert all(a.tick < b.tick for a, b in pairwise(found))
    ends = [*(one.tick for one in found[1:]), ticks[-1]]
    for one, end in zip(found, ends, strict=True):
        took = seconds[end // ROW] - seconds[one.tick // ROW]
        assert (end - one.tick) * 60 / one.bpm / PPQ == pytest.approx(took, abs=0.041)


def test_one_tick_tells_no_tempo() -> None:
    assert [(one.tick, one.bpm) for one in fit_tempi([480], [2.0], 97.0)] == [(480, 97.0)]
    assert fit_tempi([], [], 97.0) == []


@pytest.mark.parametrize(("bpm", "period"), [(174.0, 256), (120.0, 1024), (90.0, 256)])
def test_a_recording_under_a_steady_clock_has_its_tempo_also_over_a_stop(bpm: float, period: int) -> None:
    rng = np.random.default_rng(1)
    clock, now, tick = MidiClock(), [0.0], [0]
    recorder = Recorder(lambda: tick[0], lambda: clock.state(now[0]).bpm)
    clock.receive(b"\xfa", 9.999)
    for number in range(8 * 96):
        true = 10 + number * 60 / bpm / 24 + (5.0 if number > 400 else 0.0)
        now[0] = np.ceil(true * 48000 / period) * period / 48000 + rng.uniform(0, 0.001)
        if number == 401:
            recorder.silence(now[0])
        clock.receive(b"\xf8", now[0])
        if number % 6 == 0:
            tick[0] = number * 20
            recorder.note_on(Voice.P1, 60, 10, now[0])
    _, grid = recorder.music()
    assert grid.tempi == ((0, bpm),)


def test_a_tempo_of_our_own_is_written_as_it_is() -> None:
    bpm, tick = [240.0], [0]
    recorder = Recorder(lambda: tick[0], lambda: bpm[0], measured=lambda: False)
    for beat in range(12):
        bpm[0] = 240.0 + beat // 4
        tick[0] = beat * PPQ
        recorder.note_on(Voice.P1, 60, 10, 1.0)
    assert recorder.music()[1].tempi == ((0, 240.0), (4 * PPQ, 241.0), (8 * PPQ, 242.0))
