"""Changes of songs in bars for training, on arrays of token ids.

Melodic voices are transposed and the key with them, P1 and P2 change places, voices are left out, the tempo
moves by a class, and beats are counted twice or half as fast, since nobody can tell the two apart for sure.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.export.augment import MAX_TRANSPOSE, Augmenter, Changes, Tokens
from lakhnes.runtime.bars.bars import TICKS_PER_BEAT
from lakhnes.runtime.bars.codec import TEMPO_OCTAVE, density_class, length_class
from lakhnes.runtime.music.events import BAR_VALUES, Event, Kind, Voice, octave_shifted
from lakhnes.runtime.music.timing import Codec, Timing

Ints = NDArray[np.int64]

_SWAPPED = {Voice.P1: Voice.P2, Voice.P2: Voice.P1}


@dataclass(frozen=True, slots=True)
class BarSong:
    """A song in bars, taken apart."""

    head: dict[Kind, int]
    """Value of each event of the head that concerns the whole song."""
    ends: Ints
    """int64 [4], the token of each voice's articulation."""
    tokens: Ints
    """int64 [n]: NOTEONs and NOTEOFFs."""
    ticks: Ints
    """int64 [n]: when each happens, from the first bar line."""
    n_bars: int
    first: int
    """Number of the first bar, modulo 16."""

    @property
    def bar_ticks(self) -> int:
        """Ticks of a bar."""
        return self.head[Kind.METER] * TICKS_PER_BEAT


class BarAugmenter:
    """Changes songs in bars; made once, for its tables."""

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

    def changed(self, song: Tokens, changes: Changes, rng: np.random.Generator) -> Tokens:
        """Return a song after changes that chance chooses.

        Args:
            song: uint16 [n] as `BarCodec.encode` gives it.
            changes: what may happen, and how probably.
            rng: the source of chance.
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
        return self.together(apart)

    def apart(self, song: Tokens) -> BarSong:
        """Take a song apart."""
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

    def together(self, song: BarSong) -> Tokens:
        """Return the tokens of a song that is taken apart."""
        head = [
            self._codec.token(Event(kind, None, song.head[kind])) for kind in BAR_VALUES if kind in song.head
        ]
        bars = self._bars[(np.arange(song.n_bars) + song.first) % len(self._bars)]
        moments = np.unique(song.ticks)
        moments = moments[moments % song.bar_ticks > 0]
        tokens = np.concatenate([bars, self._positions[moments % song.bar_ticks], song.tokens])
        ticks = np.concatenate([np.arange(song.n_bars) * song.bar_ticks, moments, song.ticks])
        ranks = np.concatenate([np.full(len(bars), -2), np.full(len(moments), -1), self._voice[song.tokens]])
        body = tokens[np.lexsort((ranks, ticks))]
        return np.concatenate([np.array(head, np.int64), self._of_voices(song), body]).astype(np.uint16)

    def _of_voices(self, song: BarSong) -> Ints:
        """The tokens of the head that concern single voices."""
        n_beats = song.n_bars * song.head[Kind.METER]
        counts = np.bincount(self._voice[song.tokens[self._begins[song.tokens]]], minlength=len(Voice))
        densities = [
            self._codec.token(Event(Kind.DENSITY, voice, density_class(int(counts[voice]), n_beats)))
            for voice in Voice
        ]
        return np.stack([np.array(densities, np.int64), song.ends], 1).ravel()

    def transposed(self, song: BarSong, semitones: int) -> BarSong:
        """Return a song with the melodic voices higher or lower; notes out of range move by octaves."""
        head = dict(song.head)
        if Kind.KEY in head:
            mode, tonic = divmod(head[Kind.KEY], 12)
            head[Kind.KEY] = mode * 12 + (tonic + semitones) % 12
        return replace(song, head=head, tokens=self._moved[semitones][song.tokens])

    def swapped(self, song: BarSong) -> BarSong:
        """Return a song in which P1 plays what P2 did, and P2 what P1 did."""
        ends = self._swap[song.ends]
        return replace(song, ends=ends[np.argsort(self._voice[ends])], tokens=self._swap[song.tokens])

    def subset(self, song: BarSong, voices: Ints) -> BarSong:
        """Return a song of which only some voices sound; of no voices, the song as it is."""
        kept = np.isin(self._voice[song.tokens], voices)
        return replace(song, tokens=song.tokens[kept], ticks=song.ticks[kept]) if kept.any() else song

    def faster(self, song: BarSong, classes: int) -> BarSong:
        """Return a song whose tempo is some classes faster, within what there are."""
        tempo = min(max(song.head[Kind.TEMPO] + classes, 0), len(BAR_VALUES[Kind.TEMPO]) - 1)
        return replace(song, head={**song.head, Kind.TEMPO: tempo})

    def recounted(self, song: BarSong, *, twice: bool) -> BarSong:
        """Return a song whose beats are counted twice or half as fast; as it is if that cannot be written."""
        tempo = song.head[Kind.TEMPO] + (TEMPO_OCTAVE if twice else -TEMPO_OCTAVE)
        fits = tempo in BAR_VALUES[Kind.TEMPO] and song.head[Kind.SWING] == 0
        if not fits or not (twice or not (song.ticks % 2).any()):
            return song
        n_bars = song.n_bars * 2 if twice else -(-song.n_bars // 2)
        head = {**song.head, Kind.TEMPO: tempo, Kind.LENGTH: length_class(n_bars)}
        return replace(song, head=head, ticks=song.ticks * 2 if twice else song.ticks // 2, n_bars=n_bars)


def make_augmenter(codec: Codec) -> Augmenter | BarAugmenter:
    """Return what changes songs of a codec."""
    return BarAugmenter(codec) if codec.timing is Timing.BARS else Augmenter(codec)


def _swapped(event: Event) -> Event:
    return event if event.voice not in _SWAPPED else event._replace(voice=_SWAPPED[event.voice])


def _moved(event: Event, semitones: int) -> Event:
    if event.kind is Kind.NOTE_ON and event.voice is not None and event.voice is not Voice.NO:
        return event._replace(value=octave_shifted(event.voice, event.value + semitones))
    return event
