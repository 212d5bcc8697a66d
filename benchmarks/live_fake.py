"""Parts of `live.py` in a time of our own: following a tempo, thousands of actions, half an hour."""

import gc
import random
import time

import numpy as np
from live_rigs import CHANNELS, FakeTime, Figure, note, resident_megabytes, spread
from numpy.typing import NDArray

from lakhnes.bridge.beat_clock import CLOCK, CONTINUE, SONG_POSITION, START, STOP, InternalClock
from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.player import Player
from lakhnes.runtime import BeatGrid, Codec, Event, Kind, Model, Moment, Timeline, Timing, Voice, tx1

JITTER_SECONDS = 0.001
STEP_BPM = (90.0, 150.0)
STEP_BEAT = 32
BEATS = 96
BAR_BEATS = 4
_ROWS = 4


class Onsets:
    """An outlet that writes down when P1 begins a note."""

    def __init__(self) -> None:
        """Nothing was played."""
        self.now = 0.0
        self.times: list[float] = []

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Writes down the time."""
        self.times.append(self.now)

    def note_off(self, voice: Voice, at: float) -> None:
        """Nothing."""

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Nothing."""

    def silence(self, at: float) -> None:
        """Nothing."""

    def close(self) -> None:
        """Nothing."""


def _beat_time(beat: float) -> float:
    """When a beat of the other machine is."""
    before, after = STEP_BPM
    return min(beat, STEP_BEAT) * 60 / before + max(0.0, beat - STEP_BEAT) * 60 / after


def _followed(seed: int) -> NDArray[np.float64]:
    """Seconds that the note on each row came after its true time."""
    rng = np.random.default_rng(seed)
    timeline = Timeline(Codec(tx1(), Timing.SAMPLES), BeatGrid.steady(120))
    span = timeline.begin(0, [])
    span.end = BEATS * 480
    on = Event(Kind.NOTE_ON, Voice.P1, 60)
    timeline.insert(span, [Moment(row * 480 // _ROWS, on) for row in range(BEATS * _ROWS)])
    clock, onsets = MidiClock(STEP_BPM[0]), Onsets()
    player = Player(timeline, clock, [onsets], now=lambda: onsets.now)
    true = np.array([_beat_time(number / 24) for number in range(BEATS * 24)])
    arrivals = np.maximum.accumulate(true + rng.normal(0, JITTER_SECONDS, len(true)))
    clock.receive(bytes([START]), arrivals[0] - 0.02)
    deadline = arrivals[0]
    for arrival in arrivals:
        while deadline < arrival:
            onsets.now = deadline
            deadline = max(player.step(deadline), deadline + 1e-5)
        onsets.now = arrival
        clock.receive(bytes([CLOCK]), arrival)
        deadline = max(player.step(arrival), arrival + 1e-5)
    rows = [_beat_time(row / _ROWS) for row in range(len(onsets.times))]
    return np.subtract(onsets.times, rows, dtype=np.float64)


def tempo(rounds: int) -> list[Figure]:
    """How far notes are off when a clock with jitter steps to another tempo."""
    note(f"following a tempo step: {rounds} times")
    runs = [_followed(seed) for seed in range(rounds)]
    steady, bars, bar = [], [], BAR_BEATS * _ROWS
    one_bar_after = (STEP_BEAT + BAR_BEATS) * _ROWS
    during = [np.abs(run[STEP_BEAT * _ROWS : one_bar_after]).max() for run in runs]
    for run in runs:
        steady.append(np.abs(run[one_bar_after:]))
        bars += list(np.abs(run[bar::bar]))
    lost = sum(len(run) < BEATS * _ROWS - 1 for run in runs)
    at_once = [float(np.abs(run[one_bar_after])) for run in runs]
    return [
        Figure("tempo", "worst error within the bar after the step", max(during) * 1e3, "ms"),
        *spread("tempo", "error one bar after the step", at_once, {"max": 5.0}),
        *spread("tempo", "error of every note from there", np.concatenate(steady), {"max": 5.0}),
        *spread("tempo", "error at bar lines", bars, {"p99": 3.0}),
        Figure("tempo", "runs that lost notes", lost, "", 0),
    ]


class Hands:
    """Somebody who does all that can be done, in any order."""

    def __init__(self, model: Model, seed: int, *, midi: bool) -> None:
        """A performance that stands still, with our own clock or one that follows MIDI."""
        self._random = random.Random(seed)
        self._clock = MidiClock() if midi else InternalClock()
        self._time = FakeTime(model, self._clock, seed)
        self.stamps = self._time.stamps
        followed = self._clock if isinstance(self._clock, MidiClock) else None
        self._router = ControlInput(self._time.performance, followed, CHANNELS)

    def act(self) -> None:
        """Does one thing, and lets a moment go by."""
        chance, performance, now = self._random, self._time.performance, self._time.now
        voice = chance.choice(list(Voice))
        match chance.randrange(12):
            case 0 | 1:
                self._start(now)
            case 2:
                self._stop(now)
            case 3:
                self._seek(now)
            case 4:
                performance.player.mute(voice, chance.random() < 0.5)
            case 5:
                performance.player.panic()
            case 6:
                performance.new_take()
            case 7 | 8:
                performance.hands.press(voice, chance.randrange(1, 17), chance.randrange(1, 16))
            case 9 | 10:
                performance.hands.release(voice)
            case 11:
                self._tempo(now)
        self._play(chance.choice((0.0, 0.001, 0.02, 0.2, 0.8)))

    def close(self) -> None:
        """Ends the performance."""
        self._time.performance.close()

    def _start(self, now: float) -> None:
        if isinstance(self._clock, InternalClock):
            self._clock.start(now)
        else:
            self._router.receive(bytes([self._random.choice((START, CONTINUE))]), now)

    def _stop(self, now: float) -> None:
        if isinstance(self._clock, InternalClock):
            self._clock.stop(now)
        else:
            self._router.receive(bytes([STOP]), now)

    def _seek(self, now: float) -> None:
        if isinstance(self._clock, InternalClock):
            self._clock.seek(self._random.uniform(0, 64), now)
        else:
            self._router.receive(
                bytes([SONG_POSITION, self._random.randrange(128), self._random.randrange(2)]), now
            )

    def _tempo(self, now: float) -> None:
        if isinstance(self._clock, InternalClock):
            self._clock.set_bpm(self._random.uniform(40, 300), now)
        else:
            self._time.play(self._random.uniform(0, 0.6))  # the clock falls silent, perhaps for good

    def _play(self, seconds: float) -> None:
        if isinstance(self._clock, InternalClock):
            self._time.play(seconds)
            return
        interval = 60 / self._random.uniform(60, 200) / 24
        for _ in range(round(seconds / interval) + 1):
            self._router.receive(bytes([CLOCK]), self._time.now)
            self._time.play(interval)


def actions(model: Model, count: int) -> list[Figure]:
    """Note-ons and note-offs after thousands of actions in any order."""
    figures = []
    for midi in (False, True):
        how = f"{count} actions, {'MIDI' if midi else 'our own'} clock"
        note(how)
        hands = Hands(model, 3 + midi, midi=midi)
        for _ in range(count):
            hands.act()
        hands.close()
        stamps = hands.stamps
        figures += [
            Figure("actions", f"{how}: note-ons", stamps.ons.total(), ""),
            Figure("actions", f"{how}: note-offs", stamps.offs.total(), ""),
            Figure("actions", f"{how}: channels and keys where they differ", stamps.unbalanced, "", 0),
            Figure("actions", f"{how}: most notes held of one key", stamps.most_held, "", 1),
        ]
    return figures


def soak(model: Model, minutes: float) -> list[Figure]:
    """Half an hour of music as fast as it goes: memory, gaps, balance."""
    note(f"soak in fake time: {minutes:g} minutes of music")
    clock = InternalClock(120)
    fake = FakeTime(model, clock)
    fake.arm()
    clock.start(0.0)
    began = time.perf_counter()
    fake.play(12 * minutes)
    gc.collect()
    first = resident_megabytes()
    fake.play(48 * minutes)
    took = time.perf_counter() - began
    gc.collect()
    last = resident_megabytes()
    status = fake.performance.status()
    fake.performance.close()
    late = fake.stamps.lateness(0.0)
    how = f"{minutes:g} minutes in fake time:"
    return [
        Figure("soak", f"{how} speed", 60 * minutes / took, "x real time"),
        Figure("soak", f"{how} memory at 20 %", first, "MB"),
        Figure("soak", f"{how} growth from there", 100 * max(0.0, last / first - 1), "%", 5),
        Figure("soak", f"{how} messages", len(late), ""),
        Figure(
            "soak", f"{how} late and not counted", max(0, fake.stamps.late_moments(late) - status.late), "", 0
        ),
        Figure("soak", f"{how} gaps", status.gaps, "", 0),
        Figure("soak", f"{how} unbalanced notes", fake.stamps.unbalanced, "", 0),
    ]
