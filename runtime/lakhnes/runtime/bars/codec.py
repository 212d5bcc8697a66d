"""Bars as tokens, row by row, and the conversion back.

    <S> LENGTH_2 METER_4 TEMPO_22 SWING_0 KEY_12 P1_DENSITY_4 P1_ART_0 .. NO_DENSITY_3 NO_ART_2
    BAR_0 P1_NOTEON_72 TR_NOTEON_36 NO_NOTEON_12 POS_12 NO_NOTEON_5 POS_24 P1_NOTEON_75 TR_NOTEON_48 ..
    BAR_1 .. <S>

The head describes the whole song. Its tokens come in this order, and KEY may be missing. BAR starts a bar,
and the events of tick 0 follow it. POS names another tick of the bar. At one tick the voices come in order.

Between BAR and the notes there may be bars to come (AHEAD to BACK), the music of some voices in this bar
(GIVEN to BACK), the chord of the bar (CHORD), and for each voice its relation to earlier bars (RELATION).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.bar_time import score_of
from lakhnes.runtime.bars.bars import TICKS_PER_BEAT, BarNote, Bars, bars_of
from lakhnes.runtime.bars.grammar import N_BARS, bar_tables
from lakhnes.runtime.bars.relations import KnownRelations
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import BAR_VALUES, VOICE_VALUES, Event, Kind, Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.timing import TICK_SAMPLES, Codec, Timing, Waits, clean_frames, has_timing
from lakhnes.runtime.music.vocabulary import Vocabulary
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.tempo import track_beats

TEMPI_BPM = (56.0, 215.0)
"""Middle of the first and of the last class of TEMPO; the other classes are evenly spaced in octaves."""

_TEMPO_STEP = math.log(TEMPI_BPM[1] / TEMPI_BPM[0]) / (len(BAR_VALUES[Kind.TEMPO]) - 1)

TEMPO_OCTAVE = round(math.log(2) / _TEMPO_STEP)
"""Number of TEMPO classes per octave of tempo."""

SWINGS = (0.5, 0.58, 0.667)
"""Swing of each class of SWING."""

LENGTHS = (8, 16)
"""Number of bars from which a song is of LENGTH 1 and of LENGTH 2."""

DENSITIES = (0.5, 1.0, 2.0, 3.0)
"""Highest number of notes per beat for DENSITY 1, 2, 3 and 4; DENSITY 5 is above, and 0 is silent."""

HEAD: tuple[tuple[Kind, Voice | None], ...] = (
    *((kind, None) for kind in BAR_VALUES if kind not in (Kind.BAR, Kind.POSITION)),
    *((kind, voice) for voice in Voice for kind in VOICE_VALUES),
)
"""Kind and voice of each event of the head, in order."""

_MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
_MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
_CLEAR_KEY = (0.75, 0.05)  # least correlation, and least lead over the second key


def tempo_class(bpm: float) -> int:
    """Return the class of TEMPO nearest to a tempo in beats a minute."""
    place = round(math.log(bpm / TEMPI_BPM[0]) / _TEMPO_STEP)
    return min(max(place, 0), len(BAR_VALUES[Kind.TEMPO]) - 1)


def tempo_of_class(number: int) -> float:
    """Return the tempo in the middle of a class of TEMPO, in beats a minute."""
    return TEMPI_BPM[0] * math.exp(_TEMPO_STEP * number)


def swing_class(swing: float) -> int:
    """Return the class of SWING nearest to a swing."""
    return min(range(len(SWINGS)), key=lambda number: abs(SWINGS[number] - swing))


def length_class(n_bars: int) -> int:
    """Return the class of LENGTH of a number of bars."""
    return sum(n_bars >= least for least in LENGTHS)


def density_class(n_notes: int, n_beats: int) -> int:
    """Return the class of DENSITY of a number of notes in a number of beats."""
    return int(n_notes > 0) + sum(n_notes > most * n_beats for most in DENSITIES)


def key_of(bars: Bars) -> int | None:
    """Return the key of a song, 0 to 11 major and 12 to 23 minor, or None if it is not clear.

    Source: the key profiles of Krumhansl and Kessler, correlated with the duration of each pitch class.
    """
    weights = np.zeros(12)
    for voice in (Voice.P1, Voice.P2, Voice.TR):
        line = bars.parts[voice]
        for note, after in zip(line, (*line[1:], None), strict=False):
            end = note.end if note.end is not None else bars.length if after is None else after.onset
            weights[note.pitch % 12] += min(end - note.onset, 2 * TICKS_PER_BEAT)
    if not weights.std():
        return None
    fits = _key_fits(weights)
    second, best = np.sort(fits)[-2:]
    least, lead = _CLEAR_KEY
    return int(np.argmax(fits)) if best >= least and best - second >= lead else None


def likeliest_key(weights: NDArray[np.float64]) -> int:
    """Return the key that fits best, as `key_of` counts; C major for weights that are all the same.

    Args:
        weights: float64 [12], how long each pitch class sounds.
    """
    return int(np.argmax(_key_fits(weights))) if weights.std() else 0


def _key_fits(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the correlation of the durations of pitch classes, [12], with the profile of each key, [24]."""
    profiles = [np.roll(profile, tonic) for profile in (_MAJOR, _MINOR) for tonic in range(12)]
    return np.array([np.corrcoef(weights, profile)[0, 1] for profile in profiles])


def head_of(bars: Bars) -> list[Event]:
    """Return the events that describe a whole song."""
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
    """Return the notes and rests of a song with their ticks, in order of time and voice."""
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
    """Return the song of some events, up to `<S>`; default values replace what the head leaves out.

    Music that is shown early occurs again in its own time.
    """
    head: dict[tuple[Kind, Voice | None], int] = {}
    parts: tuple[list[BarNote], ...] = tuple([] for _ in Voice)
    n_bars = place = 0
    for event in _in_their_time(events):
        if event.kind is Kind.BAR:
            n_bars, place = n_bars + 1, 0
        elif event.kind is Kind.POSITION:
            place = event.value
        elif event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            bar = max(n_bars - 1, 0) * head.get((Kind.METER, None), 4)
            _play(parts[event.voice], event, bar * TICKS_PER_BEAT + place)
        else:
            head[event.kind, event.voice] = event.value
    tempo, swing = head.get((Kind.TEMPO, None)), head.get((Kind.SWING, None))
    return Bars(
        tuple(map(tuple, parts)),
        max(n_bars, 1),
        head.get((Kind.METER, None), 4),
        120.0 if tempo is None else tempo_of_class(tempo),
        0.5 if swing is None else SWINGS[swing],
        tuple(head.get((Kind.ARTICULATION, voice), 0) for voice in Voice),
    )


def _in_their_time(events: Iterable[Event]) -> Iterator[Event]:
    """Yield the events of a song up to `<S>`, without music that is shown early."""
    early = False
    for event in events:
        if event.kind is Kind.END:
            return
        if early or event.kind in (Kind.AHEAD, Kind.GIVEN):
            early = event.kind is not Kind.BACK
        else:
            yield event


def _play(line: list[BarNote], event: Event, tick: int) -> None:
    """Add a note to the notes of a voice, or let a rest end the last one."""
    if event.kind is Kind.NOTE_ON:
        line.append(BarNote(tick, None, event.value))
    elif line and line[-1].end is None and line[-1].onset < tick:
        line[-1] = replace(line[-1], end=tick)


class BarCodec(Codec):
    """Converter between scores and tokens of bars."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        """Take a vocabulary that has bars."""
        super().__init__(vocabulary, Timing.BARS)

    def encode(self, score: Score) -> list[int]:
        """Return the tokens of a score on its tracked beats, without `<S>`.

        Raises:
            ValueError: if a bar has a number of beats that the vocabulary lacks.
        """
        clean = clean_frames(score)
        return self.tokens(events_of_bars(bars_of(clean, track_beats(clean))))

    def decode(self, tokens: Iterable[int]) -> Score:
        """Return the score of a token stream, at the tempo of its head."""
        bars = bars_of_events(self.events(tokens))
        return score_of(bars, BeatGrid.steady(bars.bpm, bars.beats_per_bar))


class BarredCodec(BarCodec):
    """The codec of one song in bars. It knows the bar lines, so the time determines the possible tokens.

    Model time counts ticks of `TICK_SAMPLES` from the first bar line.

    Attributes:
        head: events that describe the whole song.
        bar_ticks: ticks of a bar.
        articulation: articulation of each `Voice`, as in `Bars`.
    """

    def __init__(
        self,
        vocabulary: Vocabulary,
        head: Iterable[Event],
        *,
        pick_up: bool = False,
        after_bars: Mapping[int, tuple[int, ...]] | None = None,
        known: KnownRelations | None = None,
    ) -> None:
        """Take what is known about the song.

        Args:
            vocabulary: a vocabulary with bars.
            head: in the order of `HEAD`.
            pick_up: whether the first bar is incomplete, before the first downbeat.
            after_bars: tokens that follow BAR, by the number of the bar from 0 on; see `bars.shown`.
            known: the relations of existing bars; None if the model does not read them.
        """
        super().__init__(vocabulary)
        self.pick_up = pick_up
        self._after_bars = after_bars or {}
        self._known = known
        self.head = tuple(head)
        values = {(event.kind, event.voice): event.value for event in self.head}
        self.bar_ticks = values.get((Kind.METER, None), 4) * TICKS_PER_BEAT
        self.articulation = tuple(values.get((Kind.ARTICULATION, voice), 0) for voice in Voice)
        self._tables = bar_tables(vocabulary)
        self._first = -1 if pick_up else 0

    def says_as(self, other: Codec) -> bool:
        """Return whether equal tokens mean the same to another codec, apart from the head of a song."""
        if not isinstance(other, BarredCodec):
            return False
        mine, theirs = ((c.bar_ticks, c.pick_up, c._after_bars, c._known) for c in (self, other))
        return mine == theirs and super().says_as(other)

    def later(self, tokens: Sequence[int], samples: int) -> Sequence[int] | None:
        """Return the tokens of the same music some bars later; None if this is impossible."""
        bars, rest = divmod(samples, self.bar_ticks * TICK_SAMPLES)
        if rest or self._after_bars:
            return None
        said = np.arange(len(self.vocabulary.events))
        said[self._tables.bars] = np.roll(self._tables.bars, -bars)
        return [int(token) for token in said[np.asarray(tokens, np.int64)]]

    @property
    def longest_wait(self) -> int:
        """Longest wait of one token, in samples: a bar."""
        return self.bar_ticks * TICK_SAMPLES

    def place_at(self, time: int) -> int:
        """Return the tick in the bar."""
        return time // TICK_SAMPLES % self.bar_ticks

    def waits_at(self, time: int) -> Waits:
        """Return the later positions in the bar, and the next bar."""
        place = self.place_at(time)
        left = self.bar_ticks - place
        following = self._following(time)
        samples = np.maximum(self._tables.ticks - place, 0) * TICK_SAMPLES
        samples[self._tables.positions[self.bar_ticks - 1 :]] = 0
        samples[following] = left * TICK_SAMPLES
        tokens = np.append(self._tables.positions[place : self.bar_ticks - 1], following)
        return Waits(samples, tokens, list(range(TICK_SAMPLES, (left + 1) * TICK_SAMPLES, TICK_SAMPLES)))

    def event_at(self, token: int, time: int) -> Event:
        """Return the event of a token: a wait for BAR and POSITION."""
        event = self.event(token)
        if event.kind is Kind.BAR:
            return Event(Kind.WAIT, None, (self.bar_ticks - self.place_at(time)) * TICK_SAMPLES)
        if event.kind is Kind.POSITION:
            return Event(Kind.WAIT, None, (event.value - self.place_at(time)) * TICK_SAMPLES)
        return event

    def token_at(self, event: Event, time: int) -> int:
        """Return the token that says an event, or the first of those that say a wait."""
        return self.wait_at(time, event.value)[0] if event.kind is Kind.WAIT else self.token(event)

    def wait_at(self, time: int, samples: int) -> tuple[int, int]:
        """Return the first token of a wait, and its samples: no further than the next bar."""
        place, ticks = self.place_at(time), max(1, samples // TICK_SAMPLES)
        left = self.bar_ticks - place
        if ticks >= left:
            return self._following(time), left * TICK_SAMPLES
        return int(self._tables.positions[place + ticks - 1]), ticks * TICK_SAMPLES

    def telling(
        self, after_bars: Mapping[int, tuple[int, ...]], known: KnownRelations | None = None
    ) -> BarredCodec:
        """Return the codec of the same song with other tokens after bar lines."""
        return BarredCodec(
            self.vocabulary, self.head, pick_up=self.pick_up, after_bars=after_bars, known=known
        )

    def knowing(self, score: Score, end: int, stay: Collection[Voice] = ()) -> BarredCodec:
        """Return the codec of the same song with the relations of existing bars, if the model reads them.

        Args:
            score: in model time.
            end: the model time from which the voices may change.
            stay: voices that do not change, up to the end of the score.
        """
        if not self._tables.relating:
            return self
        bar = self.longest_wait
        whole = score.length // bar + 1  # with the bar that begins where the score ends
        n_bars = {voice: whole if voice in stay else end // bar for voice in Voice}
        return self.telling(self._after_bars, KnownRelations(score, n_bars, self.bar_ticks))

    def bar_token(self, bar: int) -> int:
        """Return the token of a bar."""
        return self._tables.bars[(bar + self._first) % N_BARS]

    def told_at(self, time: int) -> tuple[int, ...]:
        """Return the tokens that show music after BAR, if a bar begins at a time."""
        return () if self.place_at(time) else self._after_bars.get(self.bar_at(time), ())

    def known_at(self, time: int) -> dict[Voice, int]:
        """Return the token of each known relation of the bar of a time."""
        known = {} if self._known is None else self._known.of(self.bar_at(time))
        return {voice: self._tables.relations[voice][relation] for voice, relation in known.items()}

    def relation_tokens(self, voice: Voice) -> list[int]:
        """Return the token of each relation of a voice."""
        return self._tables.relations[voice]

    def relations_of(self, tokens: Sequence[int]) -> dict[Voice, int]:
        """Return the relations that the last bar of some tokens names."""
        named: dict[Voice, int] = {}
        for token in reversed(tokens):
            if token in self._tables.before_chord:
                break
            if token in self._tables.relating:
                voice, relation = self._tables.relating[token]
                named[voice] = relation
        return named

    def relation_due(self, last: int) -> bool:
        """Return whether a relation may come next, after the last token; it may not after the first note."""
        return last in self._tables.before_relation

    def chord_due(self, last: int) -> bool:
        """Return whether the chord of a bar comes next, after the last token."""
        return bool(self._tables.chords) and last in self._tables.before_chord

    @property
    def chord_tokens(self) -> list[int]:
        """Token of each chord."""
        return self._tables.chords

    def arriving_at(self, time: int) -> list[int]:
        """Return the bar of a time, the tokens after it, and the position in it.

        At a bar line the relations are missing: the song names them itself.
        """
        place, bar = self.place_at(time), self.bar_at(time)
        arrived = [self.bar_token(bar), *self._after_bars.get(bar, ())]
        if not place:
            return arrived
        return [*arrived, *self.known_at(time).values(), int(self._tables.positions[place - 1])]

    def beginning_at(self, time: int) -> list[int]:
        """Return the head of the song, and the place in it where music begins."""
        return [*self.tokens(self.head), *self.arriving_at(time)]

    def events_of(self, score: Score) -> Iterator[Event]:
        """Yield the events of a score in model time.

        The noise does not end its notes, and neither does the end of the song.
        """
        time = 0
        for event in super().events_of(score):
            time += event.value if event.kind is Kind.WAIT else 0
            if event.kind is not Kind.NOTE_OFF or (event.voice is not Voice.NO and time < score.length):
                yield event

    def _say_wait(self, samples: int, time: int) -> tuple[int, ...]:
        said: list[int] = []
        for token in self._waits_of(samples, time):
            said.append(token)
            time += self.event_at(token, time).value
            if not self.place_at(time):
                said += [*self.told_at(time), *self.known_at(time).values()]
        return tuple(said)

    def _following(self, time: int) -> int:
        """Return the token of the next bar."""
        return self.bar_token(self.bar_at(time) + 1)

    def bar_at(self, time: int) -> int:
        """Return the number of the bar, from 0."""
        return time // TICK_SAMPLES // self.bar_ticks


def names_relations(codec: Codec) -> TypeGuard[BarredCodec]:
    """Return whether a codec names the relations of bars, before their notes."""
    return isinstance(codec, BarredCodec) and codec.vocabulary.relates


def make_codec(vocabulary: Vocabulary, timing: Timing) -> Codec:
    """Return the codec of a vocabulary in one timing.

    Raises:
        OptionError: if the vocabulary has another timing.
    """
    if not has_timing(vocabulary, timing):
        raise OptionError(f"Format {vocabulary.name} has no timing {timing.value!r}; give another.")
    return BarCodec(vocabulary) if timing is Timing.BARS else Codec(vocabulary, timing)
