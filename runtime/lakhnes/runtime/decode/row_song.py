"""A song in bars as it is composed: from the model's logits to events, a bar at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.bars.bars import METERS, BarNote, Bars, BarWriter
from lakhnes.runtime.bars.codec import (
    SWINGS,
    length_class,
    moments_of,
    swing_class,
    tempo_class,
    tempo_of_class,
)
from lakhnes.runtime.bars.grammar import RowGrammar
from lakhnes.runtime.decode.processors import FORBIDDEN, LogitsProcessor
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Mirostat, Sampling, draw
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.music.events import BAR_VALUES, END, Event, Kind, Voice
from lakhnes.runtime.music.score import Score, ScoreBuilder
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.grid import BeatGrid


@dataclass(frozen=True, slots=True)
class Head:
    """What is asked of a whole song; None is left to the model."""

    n_bars: int | None = None
    """Length; None for as long as the model likes, but a song rather than a jingle."""
    beats_per_bar: int | None = None
    bpm: float | None = None
    swing: float | None = 0.5
    """Fraction of a pair of sixteenths that the first one takes."""
    key: int | None = None
    """Tonic 0 to 11, plus 12 for minor."""

    def values(self) -> dict[Kind, int]:
        """Return the value of each event of the head that is asked for.

        Raises:
            OptionError: if the meter or the key is not known.
        """
        values = {Kind.LENGTH: length_class(1 << 16 if self.n_bars is None else self.n_bars)}
        if self.beats_per_bar is not None:
            if self.beats_per_bar not in METERS:
                raise OptionError(
                    f"A bar of {self.beats_per_bar} beats: give {METERS[0]} to {METERS[-1]} to this model."
                )
            values[Kind.METER] = self.beats_per_bar
        if self.bpm is not None:
            values[Kind.TEMPO] = tempo_class(self.bpm)
        if self.swing is not None:
            values[Kind.SWING] = swing_class(self.swing)
        if self.key is not None:
            if self.key not in BAR_VALUES[Kind.KEY]:
                raise OptionError(f"A key of {self.key} is out of range; give 0 to 23.")
            values[Kind.KEY] = self.key
        return values


class RowSong:
    """One song in bars: it takes logits, draws, and gives the events of each bar when it is whole.

    Attributes:
        state: what has happened so far; processors see it, each event as soon as its token is drawn.
        n_tokens: tokens composed so far.
        over: whether it has ended.
    """

    def __init__(
        self,
        codec: Codec,
        rng: np.random.Generator,
        *,
        sampling: Sampling | None = None,
        head: Head | None = None,
        grid: BeatGrid | None = None,
        length_samples: int | None = None,
        max_samples: int | None = None,
        max_tokens: int | None = None,
        min_bars: int = 0,
        processors: Sequence[LogitsProcessor] = (),
        kept: Bars | None = None,
        keep: Sequence[Voice] = (),
    ) -> None:
        """Begin a song.

        Args:
            codec: of the model whose logits come.
            rng: the source of chance: one number a token.
            sampling: temperature and cuts; None for the defaults.
            head: what is asked of the whole song.
            grid: at which the song is played; None for the tempo that the model gives it.
            length_samples: length of the song, exactly; its last bar is cut there.
            max_samples: the song ends with the bar in which this is reached, if the model has not ended it.
            max_tokens: most tokens; the song is cut after the last whole bar.
            min_bars: the model cannot end the song before.
            processors: what is asked for besides.
            kept: music that is there, of the voices in `keep`.
            keep: voices that play what is kept, and nothing else.
        """
        self.state = DecodeState(codec)
        self.n_tokens = 0
        self.over = False
        self._codec = codec
        self._rng = rng
        self._head = head or Head()
        self._forced = self._head.values()
        self._mirostat = Mirostat(sampling or USUAL_SAMPLING)
        self._grid = grid
        self._length = length_samples
        self._max_samples = max_samples
        self._max_tokens = max_tokens
        self._min_bars = min_bars
        self._processors = sorted(processors, key=attrgetter("order"))
        self._grammar = RowGrammar(codec.vocabulary)
        self._builder = ScoreBuilder()
        self._writer: BarWriter | None = None
        self._now = 0
        self._notes: list[list[BarNote]] = [[] for _ in Voice]
        self._rests: list[int | None] = [None] * len(Voice)
        self._keep = None if kept is None else frozenset(keep)
        self._kept = [] if kept is None else [(t, e) for t, e in moments_of(kept) if e.voice in keep]
        self._of_kept = np.array([event.voice in keep for event in codec.vocabulary.events])

    @property
    def time_samples(self) -> int:
        """Length of what is composed so far."""
        return self._now

    @property
    def grid(self) -> BeatGrid | None:
        """The grid at which the song is played; None while the model has not named a tempo."""
        return self._grid

    def score(self) -> Score:
        """Return what is composed so far, up to the last whole bar."""
        return self._builder.score()

    def read(self, tokens: Sequence[int], logits: NDArray[np.float32], *, given: bool = True) -> None:
        """Take tokens that the model has read before the song goes on; see `Song.read`."""
        self.state.tokens.extend(tokens)

    def replay(self, tokens: Sequence[int]) -> list[Event]:
        """Take tokens of music that is there as the beginning of the song; return their events."""
        said: list[Event] = []
        for token in tokens:
            said += self._say(self._codec.event(token))
        return said

    def take(self, logits: NDArray[np.float32]) -> tuple[int, list[Event]]:
        """Draw the next token.

        Args:
            logits: float32 [V], for the next token.

        Returns:
            The token for the model to read next, and the events of the bar that it ends, if it ends one; at
            the end also END.

        Raises:
            OptionError: if the processors leave nothing.
        """
        shaped = np.where(self._allowed(), logits, FORBIDDEN)
        for processor in self._processors:
            shaped = processor(self.state, shaped)
        if not shaped.max() > -np.inf:
            raise OptionError("Nothing is left to compose: loosen what you ask for.")
        token = draw(shaped, self._mirostat.sampling, self._rng)
        self._mirostat.observe(shaped, token)
        self.n_tokens += 1
        self.state.tokens.append(token)
        return token, self._say(self._codec.event(token))

    def _allowed(self) -> NDArray[np.bool_]:
        """Bool [V]: what grammar, head, length and kept voices let come next."""
        grammar = self._grammar
        allowed = grammar.allowed()
        events = self._codec.vocabulary.events
        if grammar.bar < 0:
            for kind, value in self._forced.items():
                token = self._codec.token(Event(kind, None, value))
                if allowed[token]:
                    return np.asarray(np.arange(len(events)) == token)
            return allowed
        if self._head.n_bars is not None or self._length is not None or grammar.bar + 1 < self._min_bars:
            allowed[END_TOKEN] = False
        return allowed if self._keep is None else self._around_kept(allowed)

    def _around_kept(self, allowed: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Bool [V]: of what may come, what leaves the kept voices as they are."""
        grammar, tables = self._grammar, self._grammar.tables
        allowed = allowed & ~self._of_kept
        if not self._kept:
            return allowed
        tick, event = self._kept[0]
        bar_starts = grammar.tick - grammar.place
        if tick == grammar.tick:  # it comes now, or after events of the voices before its own
            allowed &= (tables.voice >= 0) & (tables.voice < int(event.voice or 0))
            allowed[self._codec.token(event)] = True
        elif tick < bar_starts + grammar.bar_ticks:
            allowed[tables.bars] = False
            allowed &= tables.position <= tick - bar_starts
        allowed[END_TOKEN] = False
        return allowed

    def _say(self, event: Event) -> list[Event]:
        """Take an event; return the events of a bar that it ends."""
        grammar = self._grammar
        said: list[Event] = []
        if event.kind is Kind.BAR and grammar.bar < 0:
            self._begin()
        elif event.kind in (Kind.BAR, Kind.END) and grammar.bar >= 0:
            said = self._close()
            last = self._head.n_bars is not None and grammar.bar + 1 >= self._head.n_bars
            cut = self._length is not None and self._builder.time >= self._length
            cut |= self._max_samples is not None and self._builder.time >= self._max_samples
            if event.kind is Kind.END or last or cut or self.n_tokens == self._max_tokens:
                self.over = True
                return [*said, END]
        elif event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            self._play(event)
        grammar.hear(event)
        if self._writer is not None:
            now = self._writer.sample(grammar.tick) - self._writer.sample(0)
            if now > self._now:
                self.state.add(Event(Kind.WAIT, None, now - self._now))
                self._now = now
        if event.voice is not None and event.kind in (Kind.NOTE_ON, Kind.NOTE_OFF):
            self.state.add(event)
        return said

    def _begin(self) -> None:
        """Make the grid and what writes bars, when the head is whole."""
        head = self._grammar.head
        if self._grid is None:
            self._grid = BeatGrid.steady(tempo_of_class(head[Kind.TEMPO]), head[Kind.METER])
        swing = SWINGS[head.get(Kind.SWING, 0)]
        self._writer = BarWriter(self._grid, self._grammar.bar_ticks, self._grammar.articulation, swing)

    def _play(self, event: Event) -> None:
        """Take a note or a rest into the bar."""
        voice, tick = event.voice, self._grammar.tick
        assert voice is not None
        if self._kept and self._kept[0] == (tick, event):
            self._kept.pop(0)
        line = self._notes[voice]
        if event.kind is Kind.NOTE_ON:
            line.append(BarNote(tick, None, event.value))
        elif line:
            line[-1] = replace(line[-1], end=tick)
        else:
            self._rests[voice] = tick

    def _close(self) -> list[Event]:
        """Write the bar that is whole."""
        assert self._writer is not None
        said = self._writer.write(self._notes, self._rests)
        self._notes, self._rests = [[] for _ in Voice], [None] * len(Voice)
        if self._length is not None:
            said = _cut(said, self._length - self._builder.time)
        for event in said:
            self._builder.add(event)
        return said


def _cut(events: Sequence[Event], samples: int) -> list[Event]:
    """Events of at most so many samples."""
    result: list[Event] = []
    for event in events:
        if event.kind is Kind.WAIT:
            event = event._replace(value=min(event.value, samples))
            samples -= event.value
        if event.kind is not Kind.WAIT or event.value:
            result.append(event)
        if samples <= 0:
            break
    return result
