"""Augmentation of songs in bars for training, on arrays of token ids.

It transposes melodic voices and the key, swaps P1 and P2, leaves voices out, moves the tempo by a class, and
counts beats twice or half as fast, because both counts are valid.

Some songs then become tasks: some voices are shown at the start of each bar, before all play it, or bars are
shown before a gap that leads to them. The model thus learns to compose around existing music. Most songs name
the relation of each bar to earlier ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.export.augment import MAX_TRANSPOSE, Augmenter, Changes, Tokens
from lakhnes.runtime.bars.bars import TICKS_PER_BEAT
from lakhnes.runtime.bars.chords import chords
from lakhnes.runtime.bars.codec import TEMPO_OCTAVE, density_class, length_class
from lakhnes.runtime.bars.relations import relations
from lakhnes.runtime.music.events import (
    AFTER_BAR_VALUES,
    BAR_VALUES,
    BAR_VOICE_VALUES,
    Event,
    Kind,
    Voice,
    octave_shifted,
)
from lakhnes.runtime.music.timing import Codec, Timing

Ints = NDArray[np.int64]

_SWAPPED = {Voice.P1: Voice.P2, Voice.P2: Voice.P1}

_ALL = (1 << len(Voice)) - 1

_FARTHEST = AFTER_BAR_VALUES[Kind.AHEAD][-1]

_GIVEN_BARS = (4, 16)  # fewest and most bars with given voices, if not the whole song
_GAP_BARS = (1, 8)
_SHOWN_BARS = 2  # after a gap
_GAP_ALL = 2 / 3  # share of gaps in which all voices are free
_GAP_BLIND = 0.1  # share of gaps after which nothing is shown
_CHORD_LEFT_OUT = 0.1  # share of the bars with a named chord, in a song with chords
_VOICE_LEFT_OUT = 0.1  # share of the voices without relations, in a song with relations
_SOME_FIRST = 0.25  # share of the songs in which the relations of some voices come before those of the others

# Parts of a bar, in order.
_BAR_LINE, _AHEAD, _GIVEN, _CHORD, _RELATION, _PLAYED = range(6)


@dataclass(frozen=True, slots=True)
class BarSong:
    """A song in bars, split into events."""

    head: dict[Kind, int]
    """Value of each event of the head for the whole song."""
    ends: Ints
    """int64 [4]: token of each voice's articulation."""
    tokens: Ints
    """int64 [n]: NOTEONs and NOTEOFFs."""
    ticks: Ints
    """int64 [n]: tick of each event, from the first bar line."""
    n_bars: int
    first: int
    """Number of the first bar, modulo 16."""

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        return self.head[Kind.METER] * TICKS_PER_BEAT


@dataclass(frozen=True, slots=True)
class Shown:
    """Extra information in the bars of a song, besides its notes in time."""

    given: Ints
    """int64 [n_bars]: the voices of each bar that are shown before it, as bits."""
    ahead: dict[int, int]
    """Bars before which later ones are shown, with the distance in bars."""
    chords: Ints
    """int64 [n_bars]: the named chord of each bar; -1 for none."""
    related: Ints
    """int64 [n]: the voices whose relations to earlier bars are named, in order."""

    @classmethod
    def nothing(cls, n_bars: int) -> Shown:
        """Return no extra information."""
        return cls(np.zeros(n_bars, np.int64), {}, np.full(n_bars, -1), np.zeros(0, np.int64))


class BarAugmenter:
    """Augmentation of songs in bars; create it once, because it builds tables."""

    def __init__(self, codec: Codec) -> None:
        events = codec.vocabulary.events
        self._codec = codec
        self._events = events
        kinds = [event.kind for event in events]
        self._note = np.array([kind in (Kind.NOTE_ON, Kind.NOTE_OFF) for kind in kinds])
        self._begins = np.array([kind is Kind.NOTE_ON for kind in kinds])
        self._bar = np.array([kind is Kind.BAR for kind in kinds])
        self._position = np.array([kind is Kind.POSITION for kind in kinds])
        self._value = np.array([event.value for event in events])
        self._voice = np.array([-1 if event.voice is None else event.voice for event in events])
        self._swap = np.array([codec.token(_swapped(event)) for event in events])
        self._moved = {
            semitones: np.array([codec.token(_moved(event, semitones)) for event in events])
            for semitones in range(-MAX_TRANSPOSE, MAX_TRANSPOSE + 1)
        }
        self._bars = np.array([codec.token(Event(Kind.BAR, None, number)) for number in BAR_VALUES[Kind.BAR]])
        positions = [codec.token(Event(Kind.POSITION, None, tick)) for tick in BAR_VALUES[Kind.POSITION]]
        self._positions = np.array([0, *positions])
        self._back = codec.token(Event(Kind.BACK))
        self._aheads, self._gives, self._chords = (
            np.array([codec.token(Event(kind, None, max(value, values[0]))) for value in range(values.stop)])
            for kind, values in AFTER_BAR_VALUES.items()
            if kind is not Kind.BACK
        )
        self._relations = np.array(
            [
                [codec.token(Event(Kind.RELATION, voice, value)) for value in BAR_VOICE_VALUES[Kind.RELATION]]
                for voice in Voice
            ]
        )

    def changed(self, song: Tokens, changes: Changes, rng: np.random.Generator) -> Tokens:
        """Return a song with random changes.

        Args:
            song: uint16 [n], as `BarCodec.encode` returns it.
            changes: the possible changes and their probabilities.
            rng: the random generator.
        """
        apart = self.apart(song)
        if rng.random() < changes.subset:
            apart = self.subset(apart, np.flatnonzero(rng.random(len(Voice)) < 0.5))
        if rng.random() < changes.swap:
            apart = self.swapped(apart)
        if rng.random() < changes.transpose:
            apart = self.transposed(apart, int(rng.integers(-MAX_TRANSPOSE, MAX_TRANSPOSE + 1)))
        if rng.random() < changes.stretch:
            apart = self.faster(apart, int(rng.integers(-1, 2)))
        if rng.random() < changes.recount:
            apart = self.recounted(apart, twice=bool(rng.random() < 0.5))
        if rng.random() < changes.keyless:
            apart = replace(
                apart, head={kind: value for kind, value in apart.head.items() if kind is not Kind.KEY}
            )
        return self.together(apart, self.shown(apart, changes, rng))

    def apart(self, song: Tokens) -> BarSong:
        """Split a song into events."""
        tokens = song.astype(np.int64)
        begin = int(np.argmax(self._bar[tokens]))
        head, body = [self._events[token] for token in tokens[:begin]], tokens[begin:]
        bar = np.cumsum(self._bar[body]) - 1
        says = np.flatnonzero(self._bar[body] | self._position[body])
        place = np.where(self._bar[body], 0, self._value[body])[
            says[np.searchsorted(says, np.arange(len(body)), "right") - 1]
        ]
        values = {event.kind: event.value for event in head if event.voice is None}
        ends = [self._codec.token(event) for event in head if event.kind is Kind.ARTICULATION]
        notes = self._note[body]
        ticks = bar * values[Kind.METER] * TICKS_PER_BEAT + place
        return BarSong(
            values,
            np.array(ends, np.int64),
            body[notes],
            ticks[notes],
            int(bar[-1]) + 1,
            int(self._value[body[0]]),
        )

    def shown(self, song: BarSong, changes: Changes, rng: np.random.Generator) -> Shown:
        """Return random extra information: music shown early, and named chords."""
        shown = replace(Shown.nothing(song.n_bars), related=_related(changes.relations, rng))
        playing = self.voices(song)
        task = rng.random()
        if task < changes.given and len(playing):
            self._give(song, shown, playing, rng)
        elif task < changes.given + changes.gap and song.n_bars > _GAP_BARS[0] + 1 and len(playing):
            self._leave_gaps(song, shown, playing, rng)
        if rng.random() < changes.chords:
            named = rng.random(song.n_bars) >= _CHORD_LEFT_OUT
            shown.chords[named] = self.chords(song)[named]
        return shown

    def _give(self, song: BarSong, shown: Shown, playing: Ints, rng: np.random.Generator) -> None:
        voices = _some_voices(playing, rng)
        if song.n_bars <= _GIVEN_BARS[0] or rng.random() < 0.5:
            shown.given[:] = voices
            return
        length = int(rng.integers(_GIVEN_BARS[0], min(_GIVEN_BARS[1], song.n_bars) + 1))
        first = int(rng.integers(0, song.n_bars - length + 1))
        shown.given[first : first + length] = voices

    def _leave_gaps(self, song: BarSong, shown: Shown, playing: Ints, rng: np.random.Generator) -> None:
        shortest, longest = _GAP_BARS
        bar = int(rng.integers(0, 9))
        while bar < song.n_bars - shortest:
            length = int(rng.integers(shortest, min(longest, song.n_bars - 1 - bar) + 1))
            if rng.random() >= _GAP_ALL:
                shown.given[bar : bar + length] = _some_voices(playing, rng)
            if rng.random() >= _GAP_BLIND:
                shown.ahead[bar] = length
            bar += length + int(rng.integers(4, 16))

    def chords(self, song: BarSong) -> Ints:
        """Return the chord of each bar of a song, int64 [n_bars]."""
        lines = []
        for voice in (Voice.P1, Voice.P2, Voice.TR):
            mine = np.flatnonzero(self._voice[song.tokens] == voice)
            tokens, ticks = song.tokens[mine], song.ticks[mine]
            ends = np.append(ticks, song.n_bars * song.bar_ticks)[1:]
            bass = np.full(len(mine), voice is Voice.TR)
            lines.append(np.stack([ticks, ends, self._value[tokens], bass])[:, self._begins[tokens]])
        onsets, ends, pitches, bass = np.concatenate(lines, axis=1)
        return chords(onsets, ends, pitches, bass > 0, song.n_bars, song.bar_ticks)

    def together(self, song: BarSong, shown: Shown | None = None) -> Tokens:
        """Return the tokens of a split song.

        Args:
            song: the song.
            shown: extra information; None for none.
        """
        shown = shown or Shown.nothing(song.n_bars)
        head = [
            self._codec.token(Event(kind, None, song.head[kind])) for kind in BAR_VALUES if kind in song.head
        ]
        bars = np.arange(song.n_bars)
        in_bar = song.ticks // song.bar_ticks
        voices = self._voice[song.tokens]
        given = (shown.given[in_bar] >> voices) & 1 > 0
        named, gives = bars[shown.chords >= 0], bars[shown.given > 0]
        pieces = [
            _Piece.of(self._bars[(bars + song.first) % len(self._bars)], bars, _BAR_LINE),
            _Piece.of(self._gives[shown.given[gives]], gives, _GIVEN),
            _Piece.of(np.full(len(gives), self._back), gives, _GIVEN, song.bar_ticks),
            _Piece.of(self._chords[shown.chords[named]], named, _CHORD),
            *self._played(song, given, _GIVEN),
            *self._related(song, shown.related),
            *self._played(song, np.ones(len(song.tokens), np.bool_), _PLAYED),
            *(piece for bar, later in shown.ahead.items() for piece in self._look_ahead(song, bar, later)),
        ]
        tokens, *keys = (np.concatenate(column) for column in zip(*pieces, strict=True))
        body = tokens[np.lexsort(keys[::-1])]
        return np.concatenate([np.array(head, np.int64), self._of_voices(song), body]).astype(np.uint16)

    def _played(self, song: BarSong, which: NDArray[np.bool_], section: int) -> list[_Piece]:
        """Return some events of a song, with their positions."""
        tokens, bar, place = (
            song.tokens[which],
            song.ticks[which] // song.bar_ticks,
            song.ticks[which] % song.bar_ticks,
        )
        moments = np.unique(song.ticks[which])
        moments = moments[moments % song.bar_ticks > 0]
        at, where = np.divmod(moments, song.bar_ticks)
        return [
            _Piece.of(self._positions[where], at, section, where, -1),
            _Piece.of(tokens, bar, section, place, self._voice[tokens]),
        ]

    def _related(self, song: BarSong, voices: Ints) -> list[_Piece]:
        """Return the relations of the bars of some voices, in this order."""
        pieces = []
        for place, voice in enumerate(voices):
            mine = self._begins[song.tokens] & (self._voice[song.tokens] == voice)
            found = relations(song.ticks[mine], self._value[song.tokens[mine]], song.n_bars, song.bar_ticks)
            pieces.append(
                _Piece.of(self._relations[voice, found], np.arange(song.n_bars), _RELATION, int(place))
            )
        return pieces

    def _look_ahead(self, song: BarSong, bar: int, later: int) -> list[_Piece]:
        """Return the block that shows, before a bar, later bars at some distance."""
        first = bar + later
        last = min(first + _SHOWN_BARS, song.n_bars)
        inside = (song.ticks >= first * song.bar_ticks) & (song.ticks < last * song.bar_ticks)
        lines = np.arange(first, last)
        pieces = [
            _Piece.of(self._bars[(lines + song.first) % len(self._bars)], lines, _BAR_LINE),
            *self._played(song, inside, _PLAYED),
        ]
        tokens, *keys = (np.concatenate(column) for column in zip(*pieces, strict=True))
        block = tokens[np.lexsort(keys[::-1])]
        block = np.concatenate([[self._aheads[later]], block, [self._back]])
        return [_Piece.of(block, np.full(len(block), bar), _AHEAD, np.arange(len(block)))]

    def _of_voices(self, song: BarSong) -> Ints:
        """Return the tokens of the head that describe single voices."""
        n_beats = song.n_bars * song.head[Kind.METER]
        counts = np.bincount(self._voice[song.tokens[self._begins[song.tokens]]], minlength=len(Voice))
        densities = [
            self._codec.token(Event(Kind.DENSITY, voice, density_class(int(counts[voice]), n_beats)))
            for voice in Voice
        ]
        return np.stack([np.array(densities, np.int64), song.ends], 1).ravel()

    def transposed(self, song: BarSong, semitones: int) -> BarSong:
        """Return a song with its melodic voices moved; notes out of range move by octaves."""
        head = dict(song.head)
        if Kind.KEY in head:
            mode, tonic = divmod(head[Kind.KEY], 12)
            head[Kind.KEY] = mode * 12 + (tonic + semitones) % 12
        return replace(song, head=head, tokens=self._moved[semitones][song.tokens])

    def swapped(self, song: BarSong) -> BarSong:
        """Return a song with P1 and P2 swapped."""
        ends = self._swap[song.ends]
        return replace(song, ends=ends[np.argsort(self._voice[ends])], tokens=self._swap[song.tokens])

    def subset(self, song: BarSong, voices: Ints) -> BarSong:
        """Return a song with some voices only; the unchanged song if none is given."""
        kept = np.isin(self._voice[song.tokens], voices)
        return replace(song, tokens=song.tokens[kept], ticks=song.ticks[kept]) if kept.any() else song

    def voices(self, song: BarSong) -> Ints:
        """Return the playing voices."""
        return np.unique(self._voice[song.tokens])

    def first_bars(self, song: BarSong, n_bars: int) -> BarSong:
        """Return the beginning of a song."""
        there = song.ticks < n_bars * song.bar_ticks
        return replace(song, tokens=song.tokens[there], ticks=song.ticks[there], n_bars=n_bars)

    def joined(self, song: BarSong, other: BarSong, voices: int) -> BarSong:
        """Return a song with some voices, as bits, taken from another song of the same meter."""
        theirs = (voices >> self._voice[other.tokens]) & 1 > 0
        mine = (voices >> self._voice[song.tokens]) & 1 == 0
        tokens = np.concatenate([song.tokens[mine], other.tokens[theirs]])
        ticks = np.concatenate([song.ticks[mine], other.ticks[theirs]])
        order = np.lexsort((self._voice[tokens], ticks))
        return replace(song, tokens=tokens[order], ticks=ticks[order])

    def faster(self, song: BarSong, classes: int) -> BarSong:
        """Return a song some tempo classes faster, within the existing classes."""
        tempo = min(max(song.head[Kind.TEMPO] + classes, 0), len(BAR_VALUES[Kind.TEMPO]) - 1)
        return replace(song, head={**song.head, Kind.TEMPO: tempo})

    def recounted(self, song: BarSong, *, twice: bool) -> BarSong:
        """Return a song with beats counted twice or half as fast.

        The unchanged song if that is impossible.
        """
        tempo = song.head[Kind.TEMPO] + (TEMPO_OCTAVE if twice else -TEMPO_OCTAVE)
        fits = tempo in BAR_VALUES[Kind.TEMPO] and song.head[Kind.SWING] == 0
        if not fits or not (twice or not (song.ticks % 2).any()):
            return song
        n_bars = song.n_bars * 2 if twice else -(-song.n_bars // 2)
        head = {**song.head, Kind.TEMPO: tempo, Kind.LENGTH: length_class(n_bars)}
        return replace(song, head=head, ticks=song.ticks * 2 if twice else song.ticks // 2, n_bars=n_bars)


def _related(chance: float, rng: np.random.Generator) -> Ints:
    """Return the voices whose relations a song names, in order; none by one minus a chance."""
    voices = np.arange(len(Voice))
    there = (rng.random(len(Voice)) >= _VOICE_LEFT_OUT) & (rng.random() < chance)
    first = (rng.random(len(Voice)) < 0.5) & (rng.random() < _SOME_FIRST)
    return np.concatenate([voices[there & first], voices[there & ~first]])


def _some_voices(playing: Ints, rng: np.random.Generator) -> int:
    """Return a random choice of the playing voices as bits: at least one, never all."""
    while True:
        voices = int(rng.integers(1, _ALL))
        if any(voices >> int(voice) & 1 for voice in playing):
            return voices


class _Piece(NamedTuple):
    """Tokens and their sort keys: five arrays of one length."""

    tokens: Ints
    bar: Ints
    section: Ints
    place: Ints
    rank: Ints

    @classmethod
    def of(
        cls, tokens: Ints, bar: Ints, section: int, place: Ints | int = -1, rank: Ints | int = -1
    ) -> _Piece:
        """Return the tokens of one section of bars."""
        return cls(tokens, *(np.broadcast_to(key, len(tokens)) for key in (bar, section, place, rank)))


def make_augmenter(codec: Codec) -> Augmenter | BarAugmenter:
    """Return the augmentation for a codec."""
    return BarAugmenter(codec) if codec.timing is Timing.BARS else Augmenter(codec)


def _swapped(event: Event) -> Event:
    return event if event.voice not in _SWAPPED else event._replace(voice=_SWAPPED[event.voice])


def _moved(event: Event, semitones: int) -> Event:
    if event.kind is Kind.NOTE_ON and event.voice is not None and event.voice is not Voice.NO:
        return event._replace(value=octave_shifted(event.voice, event.value + semitones))
    return event
