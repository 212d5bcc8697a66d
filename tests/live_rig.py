"""A performance in a time of our own: player and composer take turns, and no thread runs."""

from collections import Counter

from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.performance import Performance
from lakhnes.bridge.player import Player
from lakhnes.bridge.recorder import Recorder
from lakhnes.runtime import (
    BeatGrid,
    Codec,
    Event,
    Kind,
    LiveComposer,
    Model,
    Moment,
    Timeline,
    Timing,
    Voice,
    tx1,
)
from lakhnes.runtime.time.grid import PPQ


def timeline_of(bars: int) -> Timeline:
    """A bass note on every beat and a long lead note in every bar."""
    timeline = Timeline(Codec(tx1(), Timing.SAMPLES), BeatGrid.steady(120))
    span = timeline.begin(0, [])
    moments = []
    for beat in range(4 * bars):
        moments.append(Moment(480 * beat, Event(Kind.NOTE_ON, Voice.TR, 40 + beat % 12)))
        moments.append(Moment(480 * beat + 240, Event(Kind.NOTE_OFF, Voice.TR)))
        if beat % 4 == 0:
            moments.append(Moment(480 * beat, Event(Kind.NOTE_ON, Voice.P1, 60 + beat % 12)))
    span.end = bars * 4 * PPQ
    timeline.insert(span, moments)
    return timeline


def play(player: Player, start: float, end: float) -> None:
    now = start
    while now < end:
        now = max(now + 1e-6, min(end, player.step(now)))


class Log:
    """An outlet that writes down what it is sent."""

    def __init__(self) -> None:
        self.said: list[tuple[float, Voice, int | None]] = []
        self.balance: Counter[tuple[Voice, int]] = Counter()
        self.sounding: dict[Voice, int] = {}

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        self.note_off(voice, at)
        self.sounding[voice] = pitch
        self.balance[voice, pitch] += 1
        self.said.append((at, voice, pitch))

    def note_off(self, voice: Voice, at: float) -> None:
        pitch = self.sounding.pop(voice, None)
        if pitch is not None:
            self.balance[voice, pitch] -= 1
            self.said.append((at, voice, None))

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        pass

    def silence(self, at: float) -> None:
        for voice in list(self.sounding):
            self.note_off(voice, at)

    def close(self) -> None:
        self.silence(0)

    def notes(self) -> list[tuple[Voice, int]]:
        """Every note that was begun, in order."""
        return [(voice, pitch) for _, voice, pitch in self.said if pitch is not None]


class Rig:
    """A performance whose time goes on when it is told to."""

    def __init__(
        self,
        model: Model,
        seed: int = 7,
        bpm: float = 120.0,
        ahead_bars: float = 2.0,
        offset_seconds: float = 0.0,
        anew: bool = False,
    ) -> None:
        self.now = 0.0
        self.clock = InternalClock(bpm)
        self.log = Log()
        self.recorder = Recorder(lambda: self.performance.player.tick, lambda: self.clock.state(self.now).bpm)
        self.performance = Performance(
            LiveComposer(model, BeatGrid.steady(bpm), seed=seed),
            self.clock,
            [self.log, self.recorder],
            ahead_bars=ahead_bars,
            offset_seconds=offset_seconds,
            anew=anew,
            now=lambda: self.now,
        )

    def arm(self) -> None:
        """Composes what is to be ahead."""
        while self.performance.compose_once():
            pass

    def start(self, position: float | None = None) -> None:
        """Composes what is to be ahead, and starts the clock."""
        if position is not None:
            self.clock.seek(position, self.now)
            self.performance.player.step(self.now)
        self.arm()
        self.clock.start(self.now)

    def play(self, seconds: float, *, composing: bool = True) -> None:
        """Lets time go on."""
        end = self.now + seconds
        while self.now < end:
            deadline = self.performance.player.step(self.now)
            if composing:
                self.arm()
            self.now = max(self.now + 1e-6, min(end, deadline))
