"""The vocabularies of TX1, TX2 and bars: the token id of each event."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from functools import cache

from lakhnes.runtime.errors import MusicError
from lakhnes.runtime.music.events import (
    AFTER_BAR_VALUES,
    BAR_VALUES,
    BAR_VOICE_VALUES,
    END,
    VALUES,
    VOCABULARY_PITCHES,
    VOICE_VALUES,
    Event,
    Kind,
    Voice,
    parse_event,
)

END_TOKEN = 0
"""Id of `<S>`, the first and last token of a song."""


class Vocabulary:
    """A list of events; the token id of an event is its place in it.

    Attributes:
        events: event of each id; id 0 is `<S>`.
        waits: its waits, in samples, ascending.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        """Make a vocabulary.

        Args:
            events: every event but `<S>`, in the order of their ids from 1.

        Raises:
            ValueError: if an event occurs twice, or a wait or a voice's NOTEOFF is missing.
        """
        self.events: tuple[Event, ...] = (END, *events)
        self._ids = {event: token for token, event in enumerate(self.events)}
        if len(self._ids) != len(self.events):
            raise ValueError("an event stands twice in the vocabulary")
        self.waits = sorted(event.value for event in self.events if event.kind is Kind.WAIT)
        if not self.waits and not self.has_bars:
            raise ValueError("the vocabulary has no waits")
        for voice in Voice:
            if Event(Kind.NOTE_OFF, voice) not in self._ids:
                raise ValueError(f"the vocabulary has no {voice.name}_NOTEOFF")

    def __len__(self) -> int:
        return len(self.events)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.events == other.events

    def __hash__(self) -> int:
        return hash(self.events)

    @property
    def has_expression(self) -> bool:
        """Whether it has VELOCITY or TIMBRE events, as TX2 has."""
        return any(event.kind in (Kind.VELOCITY, Kind.TIMBRE) for event in self.events)

    @property
    def has_bars(self) -> bool:
        """Whether it counts time in bars and positions, not in waits."""
        return any(event.kind is Kind.BAR for event in self.events)

    @property
    def shows(self) -> bool:
        """Whether it can show some voices before the others play; see `bars.shown`."""
        return any(event.kind is Kind.GIVEN for event in self.events)

    @property
    def relates(self) -> bool:
        """Whether it can name the relation of a bar to earlier ones; see `bars.relations`."""
        return any(event.kind is Kind.RELATION for event in self.events)

    @property
    def name(self) -> str:
        """`tx1`, `tx2`, `rows`, `bars`, or `custom` for any other list."""
        return next((name for name, make in NAMED.items() if make() == self), "custom")

    def token(self, event: Event) -> int:
        """Return the id of an event; an unknown wait becomes the nearest one, the lower on a tie.

        Raises:
            MusicError: for an event that the vocabulary does not have.
        """
        token = self._ids.get(event)
        if token is not None:
            return token
        if event.kind is Kind.WAIT:
            return self._ids[Event(Kind.WAIT, None, self.nearest_wait(event.value))]
        raise MusicError(
            f"The model's vocabulary has no {event}: transpose the part into its range "
            f"({_ranges()}) or use another model."
        )

    def find(self, event: Event) -> int | None:
        """Return the id of an event; None if the vocabulary does not have it."""
        return self._ids.get(event)

    def nearest_wait(self, samples: int) -> int:
        """Return the wait of the vocabulary nearest to a number of samples, the lower on a tie."""
        place = bisect_left(self.waits, samples)
        around = self.waits[max(0, place - 1) : place + 1]
        return min(around, key=lambda wait: (abs(wait - samples), wait))

    def to_text(self) -> str:
        """Return the vocabulary as LakhNES stores it: one event a line, without `<S>`."""
        return "\n".join(map(str, self.events[1:])) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Vocabulary:
        """Read the text of `to_text` or LakhNES's `vocab.txt`.

        Raises:
            ValueError: with line and reason.
        """
        events = []
        for number, line in enumerate(text.split("\n"), start=1):
            try:
                if line.strip():
                    events.append(parse_event(line.strip()))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from None
        if END in events:
            raise ValueError("<S> is no line of a vocabulary; remove it")
        return cls(events)


def _ranges() -> str:
    return ", ".join(f"{voice.name} {r[0]}..{r[-1]}" for voice, r in VOCABULARY_PITCHES.items())


def _waits() -> list[Event]:
    """Return waits in steps of 1 up to 100, 10 up to 1000, 100 up to 10000, 1000 up to 100000 samples."""
    steps = [*range(1, 100), *range(100, 1000, 10), *range(1000, 10000, 100), *range(10000, 100001, 1000)]
    return [Event(Kind.WAIT, None, wait) for wait in steps]


def _voice_events(voice: Voice, kinds: tuple[Kind, ...]) -> list[Event]:
    notes = [Event(Kind.NOTE_ON, voice, pitch) for pitch in VOCABULARY_PITCHES[voice]]
    automation = [Event(kind, voice, value) for kind in kinds for value in VALUES.get((voice, kind), ())]
    return [Event(Kind.NOTE_OFF, voice), *notes, *automation]


@cache
def tx1() -> Vocabulary:
    """Return the 631 tokens of LakhNES: waits, then for each voice NOTEOFF and its NOTEONs.

    Source: LakhNES `data/tx1_vocab_gen.py`.
    """
    return Vocabulary([*_waits(), *(event for voice in Voice for event in _voice_events(voice, ()))])


@cache
def tx2() -> Vocabulary:
    """Return TX1 with VELOCITYs and TIMBREs after each voice's NOTEONs.

    Source: LakhNES `data/tx2_vocab_gen.py`.
    """
    kinds = (Kind.VELOCITY, Kind.TIMBRE)
    return Vocabulary([*_waits(), *(event for voice in Voice for event in _voice_events(voice, kinds))])


@cache
def rows() -> Vocabulary:
    """Return bars row by row: events of the whole song, then for each voice NOTEOFF and its NOTEONs."""
    song = [Event(kind, None, value) for kind, values in BAR_VALUES.items() for value in values]
    voices = [Event(kind, v, value) for v in Voice for kind, r in VOICE_VALUES.items() for value in r]
    return Vocabulary([*song, *voices, *(event for voice in Voice for event in _voice_events(voice, ()))])


@cache
def bars() -> Vocabulary:
    """Return the events of `rows`, then marks for music that is shown early, chords, and relations."""
    after_bar = [Event(kind, None, value) for kind, values in AFTER_BAR_VALUES.items() for value in values]
    voices = [Event(kind, v, value) for v in Voice for kind, r in BAR_VOICE_VALUES.items() for value in r]
    return Vocabulary([*rows().events[1:], *after_bar, *voices])


NAMED = {"tx1": tx1, "tx2": tx2, "rows": rows, "bars": bars}
"""The named vocabularies."""
