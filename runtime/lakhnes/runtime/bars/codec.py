"""Bars as tokens, row by row, and back.

    <S> LENGTH_2 METER_4 TEMPO_22 SWING_0 KEY_12 P1_DENSITY_4 P1_ART_0 .. NO_DENSITY_3 NO_ART_2
    BAR_0 P1_NOTEON_72 TR_NOTEON_36 NO_NOTEON_12 POS_12 NO_NOTEON_5 POS_24 P1_NOTEON_75 TR_NOTEON_48 ..
    BAR_1 .. <S>

The head says what the whole song is like; its tokens come in this order, and KEY may be missing. BAR begins a
bar, and what happens at its tick 0 follows at once; POS names another tick of the bar. At one tick the voices
come in order.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np

from lakhnes.runtime.bars.bar_time import score_of
from lakhnes.runtime.bars.bars import TICKS_PER_BEAT, BarNote, Bars, bars_of
from lakhnes.runtime.bars.grammar import N_BARS, bar_tables
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import BAR_VALUES, VOICE_VALUES, Event, Kind, Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import TICK_SAMPLES, Codec, Timing, Waits, clean_frames, has_timing
from lakhnes.runtime.music.vocabulary import Vocabulary
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.tempo import track_beats

TEMPI_BPM = (56.0, 215.0)
"""Middle of the first and of the last class of TEMPO; the classes between are even in octaves."""

_TEMPO_STEP = math.log(TEMPI_BPM[1] / TEMPI_BPM[0]) / (len(BAR_VALUES[Kind.TEMPO]) - 1)

TEMPO_OCTAVE = round(math.log(2) / _TEMPO_STEP)
"""Classes of TEMPO from one tempo to twice as fast."""

SWINGS = (0.5, 0.58, 0.667)
"""Swing of each class of SWING."""

LENGTHS = (8, 16)
"""Bars from which on a song is of LENGTH 1 and of LENGTH 2."""

DENSITIES = (0.5, 1.0, 2.0, 3.0)
"""Notes a beat up to which a voice that plays at all is of DENSITY 1, 2, 3 and 4; of more it is 5."""

HEAD: tuple[tuple[Kind, Voice | None], ...] = (
    *((kind, None) for kind in BAR_VALUES if kind not in (Kind.BAR, Kind.POSITION)),
    *((kind, voice) for voice in Voice for kind in VOICE_VALUES),
)
"""Kind and voice of the events of the head, in order."""

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_CLEAR_KEY = (0.75, 0.05)  # least correlation, and least lead over the second key


def tempo_class(bpm: float) -> int:
    """Return the class of TEMPO that is nearest to a tempo."""
    place = round(math.log(bpm / TEMPI_BPM[0]) / _TEMPO_STEP)
    return min(max(place, 0), len(BAR_VALUES[Kind.TEMPO]) - 1)


def tempo_of_class(number: int) -> float:
    """Return the tempo in the middle of a class of TEMPO, in beats a minute."""
    return TEMPI_BPM[0] * math.exp(_TEMPO_STEP * number)


def swing_class(swing: float) -> int:
    """Return the class of SWING that is nearest to a swing."""
    return min(range(len(SWINGS)), key=lambda number: abs(SWINGS[number] - swing))


def length_class(n_bars: int) -> int:
    """Return the class of LENGTH of a number of bars."""
    return sum(n_bars >= least for least in LENGTHS)


def density_class(n_notes: int, n_beats: int) -> int:
    """Return the class of DENSITY of a number of notes in a number of beats."""
    return int(n_notes > 0) + sum(n_notes > most * n_beats for most in DENSITIES)


def key_of(bars: Bars) -> int | None:
    """Return the key of a song, 0 to 11 major and 12 to 23 minor, or None if it is not clear.

    Source: the profiles of Krumhansl and Kessler, correlated with how long each pitch class sounds.
    """
    weights = np.zeros(12)
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        line = bars.parts[voice]
        for note, after in zip(line, (*line[1:], None), strict=False):
            end = note.end if note.end is not None else bars.length if after is None else after.onset
            weights[note.pitch % 12] += min(end - note.onset, 2 * TICKS_PER_BEAT)
    if not weights.std():
        return None
    profiles = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    fits = np.array([np.corrcoef(weights, profile)[0, 1] for profile in profiles])
    second, best = np.sort(fits)[-2:]
    least, lead = _CLEAR_KEY
    return int(np.argmax(fits)) if best >= least and best - second >= lead else None


def head_of(bars: Bars) -> list[Event]:
    """Return the events that say what a whole song is like."""
    key = key_of(bars)
    values = [
        (Kind.LENGTH, length_class(bars.n_bars)),
        (Kind.METER, bars.beats_per_bar),
        (Kind.TEMPO, tempo_class(bars.bpm)),
        (Kind.SWING, swing_class(bars.swing)),
        *([] if key is None else [(Kind.KEY, key)]),
    ]
    n_beats = bars.n_bars * bars.beats_per_bar
    voices = [
        event
        for voice in Voice
        for event in (
            Event(Kind.DENSITY, voice, density_class(len(bars.parts[voice]), n_beats)),
            Event(Kind.ARTICULATION, voice, bars.articulation[voice]),
        )
    ]
    return [*(Event(kind, None, value) for kind, value in values), *voices]


def moments_of(bars: Bars) -> list[tuple[int, Event]]:
    """Return the notes and rests of a song with their ticks, in time, on one tick by voice."""
    moments = []
    for voice in Voice:
        for note in bars.parts[voice]:
            moments.append((note.onset, Event(Kind.NOTE_ON, voice, note.pitch)))
            if note.end is not None and note.end < bars.length:
                moments.append((note.end, Event(Kind.NOTE_OFF, voice)))
    return sorted(moments, key=lambda moment: (moment[0], moment[1].voice))


def events_of_bars(bars: Bars) -> Iterator[Event]:
    """Yield the events of a song, without `<S>`."""
    yield from head_of(bars)
    moments: dict[int, list[Event]] = {}
    for tick, event in moments_of(bars):
        moments.setdefault(tick, []).append(event)
    first = -1 if bars.pick_up else 0
    for bar in range(bars.n_bars):
        yield Event(Kind.BAR, None, (bar + first) % len(BAR_VALUES[Kind.BAR]))
        start = bar * bars.bar_ticks
        for tick in sorted(tick for tick in range(start, start + bars.bar_ticks) if tick in moments):
            if tick > start:
                yield Event(Kind.POSITION, None, tick - start)
            yield from moments[tick]


def bars_of_events(events: Iterable[Event]) -> Bars:
    """Return the song that events say, up to `<S>`; what the head leaves out is as usual."""
    meter, bpm, swing = 4, 120.0, 0.5
    articulation = [0] * len(Voice)
    parts: tuple[list[BarNote], ...] = tuple([] for _ in Voice)
    n_bars, place = 0, 0
    for event in events:
        voice = event.voice
        if event.kind is Kind.END:
            break
        if event.kind is Kind.METER:
            meter = event.value
        elif event.kind is Kind.TEMPO:
            bpm = tempo_of_class(event.value)
        elif event.kind is Kind.SWING:
            swing = SWINGS[event.value]
        elif event.kind is Kind.BAR:
            n_bars, place = n_bars + 1, 0
        elif event.kind is Kind.POSITION:
            place = event.value
        elif voice is not None:
            tick = max(n_bars - 1, 0) * meter * TICKS_PER_BEAT + place
            if event.kind is Kind.ARTICULATION:
                articulation[voice] = event.value
            elif event.kind is Kind.NOTE_ON:
                parts[voice].append(BarNote(tick, None, event.value))
            elif parts[voice] and parts[voice][-1].end is None and parts[voice][-1].onset < tick:
                parts[voice][-1] = replace(parts[voice][-1], end=tick)
    return Bars(tuple(map(tuple, parts)), max(n_bars, 1), meter, bpm, swing, tuple(articulation))


class BarCodec(Codec):
    """Scores to tokens of bars and back."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Takes a vocabulary that has bars."""
        super().__init__(vocabulary, Timing.BARS)

    def encode(self, score: Score) -> list[int]:
        """Return the tokens of a score on the beats that are tracked in it, without `<S>`.

        Raises:
            ValueError: if a bar has a number of beats that the vocabulary lacks.
        """
        clean = clean_frames(score)
        return self.tokens(events_of_bars(bars_of(clean, track_beats(clean))))

    def decode(self, tokens: Iterable[int]) -> Score:
        """Return the score of a token stream, at the tempo that its head names."""
        bars = bars_of_events(self.events(tokens))
        return score_of(bars, BeatGrid.steady(bars.bpm, bars.beats_per_bar))


class BarredCodec(BarCodec):
    """The codec of one song in bars: it knows the bar lines, so time says which tokens may come.

    Model time counts ticks of `TICK_SAMPLES` from the first bar line on.

    Attributes:
        head: events that say what the whole song is like.
        bar_ticks: ticks of a bar.
        articulation: of each `Voice`, as in `Bars`.
    """

    def __init__(self, vocabulary: Vocabulary, head: Iterable[Event], *, pick_up: bool = False) -> None:
        """Takes what is known of the song.

        Args:
            vocabulary: that has bars.
            head: in the order of `HEAD`.
            pick_up: whether the first bar is an incomplete one before the first downbeat.
        """
        super().__init__(vocabulary)
        self.head = tuple(head)
        values = {(event.kind, event.voice): event.value for event in self.head}
        self.bar_ticks = values.get((Kind.METER, None), 4) * TICKS_PER_BEAT
        self.articulation = tuple(values.get((Kind.ARTICULATION, voice), 0) for voice in Voice)
        self._tables = bar_tables(vocabulary)
        self._first = -1 if pick_up else 0

    @property
    def longest_wait(self) -> int:
        """Samples of a bar."""
        return self.bar_ticks * TICK_SAMPLES

    def place_at(self, time: int) -> int:
        """The tick in the bar."""
        return time // TICK_SAMPLES % self.bar_ticks

    def waits_at(self, time: int) -> Waits:
        """The later positions in the bar, and the next bar."""
        place = self.place_at(time)
        left = self.bar_ticks - place
        following = self._following(time)
        samples = np.maximum(self._tables.ticks - place, 0) * TICK_SAMPLES
        samples[self._tables.positions[self.bar_ticks - 1 :]] = 0
        samples[following] = left * TICK_SAMPLES
        tokens = np.append(self._tables.positions[place : self.bar_ticks - 1], following)
        return Waits(samples, tokens, list(range(TICK_SAMPLES, (left + 1) * TICK_SAMPLES, TICK_SAMPLES)))

    def event_at(self, token: int, time: int) -> Event:
        """What a token means: a wait for BAR and POSITION."""
        event = self.event(token)
        if event.kind is Kind.BAR:
            return Event(Kind.WAIT, None, (self.bar_ticks - self.place_at(time)) * TICK_SAMPLES)
        if event.kind is Kind.POSITION:
            return Event(Kind.WAIT, None, (event.value - self.place_at(time)) * TICK_SAMPLES)
        return event

    def token_at(self, event: Event, time: int) -> int:
        """The token that says an event, or the first of those that say a wait."""
        return self.wait_at(time, event.value)[0] if event.kind is Kind.WAIT else self.token(event)

    def wait_at(self, time: int, samples: int) -> tuple[int, int]:
        """The first of the tokens that say a wait, and its samples: no further than the next bar."""
        place, ticks = self.place_at(time), max(1, samples // TICK_SAMPLES)
        left = self.bar_ticks - place
        if ticks >= left:
            return self._following(time), left * TICK_SAMPLES
        return int(self._tables.positions[place + ticks - 1]), ticks * TICK_SAMPLES

    def arriving_at(self, time: int) -> list[int]:
        """The bar of a time, and the position in it."""
        place = self.place_at(time)
        bar = self._tables.bars[(self._bar_at(time) + self._first) % N_BARS]
        return [bar, int(self._tables.positions[place - 1])] if place else [bar]

    def beginning_at(self, time: int) -> list[int]:
        """The head of the song, and where in it music begins."""
        return [*self.tokens(self.head), *self.arriving_at(time)]

    def events_of(self, score: Score) -> Iterator[Event]:
        """The events of a score in model time; the noise does not end its notes, nor does the song's end."""
        time = 0
        for event in super().events_of(score):
            time += event.value if event.kind is Kind.WAIT else 0
            if event.kind is not Kind.NOTE_OFF or (event.voice is not Voice.NO and time < score.length):
                yield event

    def _say_wait(self, samples: int, time: int) -> tuple[int, ...]:
        return tuple(self._waits_of(samples, time))

    def _following(self, time: int) -> int:
        """Token of the next bar."""
        return self._tables.bars[(self._bar_at(time) + self._first + 1) % N_BARS]

    def _bar_at(self, time: int) -> int:
        return time // TICK_SAMPLES // self.bar_ticks


def make_codec(vocabulary: Vocabulary, timing: Timing) -> Codec:
    """Return the codec of a vocabulary in one timing.

    Raises:
        OptionError: if the vocabulary has another timing.
    """
    if not has_timing(vocabulary, timing):
        raise OptionError(f"Format {vocabulary.name} has no timing {timing.value!r}; give another.")
    return BarCodec(vocabulary) if timing is Timing.BARS else Codec(vocabulary, timing)
