"""Events: the tokens of TX1 and TX2, in musical terms.

One event is one line of text: `WT_735`, `P1_NOTEON_60`, `NO_NOTEOFF`, `P2_VELOCITY_9`, `NO_TIMBRE_1`.
Source: LakhNES README, "TX1 format" and "TX2 format".
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import NamedTuple

SAMPLE_RATE = 44_100
"""Samples per second, for every time in events and scores."""

MAX_WAIT = 3600 * SAMPLE_RATE
"""Longest wait in a text, in samples: one hour; it also fits into a MIDI file."""

MAX_SAMPLES = 24 * 3600 * SAMPLE_RATE
"""Longest song that lakhnes reads from a file, in samples: one day."""


class Voice(IntEnum):
    """The four voices of the 2A03 that LakhNES composes for, in the order of texts."""

    P1 = 0
    P2 = 1
    TR = 2
    NO = 3


class Kind(StrEnum):
    """Kind of event."""

    END = "<S>"
    WAIT = "WT"
    NOTE_OFF = "NOTEOFF"
    NOTE_ON = "NOTEON"
    VELOCITY = "VELOCITY"
    TIMBRE = "TIMBRE"
    BAR = "BAR"
    POSITION = "POS"
    METER = "METER"
    TEMPO = "TEMPO"
    SWING = "SWING"
    KEY = "KEY"
    LENGTH = "LENGTH"
    DENSITY = "DENSITY"
    ARTICULATION = "ART"
    CHORD = "CHORD"
    GIVEN = "GIVEN"
    AHEAD = "AHEAD"
    BACK = "BACK"
    RELATION = "RELATION"


class Event(NamedTuple):
    """One event."""

    kind: Kind
    voice: Voice | None = None
    """None for WAIT, END and events of the whole song."""
    value: int = 0
    """WAIT: samples; NOTE_ON: MIDI pitch or noise 1..16; VELOCITY: 1..15; TIMBRE: 0..3; else 0. Events of
    bars have the values of `BAR_VALUES` and `VOICE_VALUES`."""

    def __str__(self) -> str:
        if self.voice is None:
            return "<S>" if self.kind is Kind.END else f"{self.kind.value}_{self.value}"
        if self.kind is Kind.NOTE_OFF:
            return f"{self.voice.name}_NOTEOFF"
        return f"{self.voice.name}_{self.kind.value}_{self.value}"


END = Event(Kind.END)

VOCABULARY_PITCHES: dict[Voice, range] = {
    Voice.P1: range(33, 109),
    Voice.P2: range(33, 109),
    Voice.TR: range(21, 109),
    Voice.NO: range(1, 17),
}
"""Pitches of the vocabularies: MIDI pitch; for NO 1 (lowest) to 16 (highest noise)."""


def octave_shifted(voice: Voice, pitch: int) -> int:
    """Return a pitch, moved by the fewest octaves into a melodic voice's vocabulary range."""
    known = VOCABULARY_PITCHES[voice]
    if pitch in known:
        return pitch
    edge = known[0] if pitch < known[0] else known[-1] - 11
    return edge + (pitch - edge) % 12


VALUES: dict[tuple[Voice, Kind], range] = {
    **{(voice, Kind.NOTE_ON): range(1, 128) for voice in (Voice.P1, Voice.P2, Voice.TR)},
    (Voice.NO, Kind.NOTE_ON): range(1, 17),
    **{(voice, Kind.NOTE_OFF): range(1) for voice in Voice},
    **{(voice, Kind.VELOCITY): range(1, 16) for voice in (Voice.P1, Voice.P2, Voice.NO)},
    **{(voice, Kind.TIMBRE): range(4) for voice in (Voice.P1, Voice.P2)},
    (Voice.NO, Kind.TIMBRE): range(2),
}
"""Values that a text may contain, for each voice and kind; missing pairs do not exist."""

BAR_VALUES: dict[Kind, range] = {
    Kind.LENGTH: range(3),
    Kind.METER: range(2, 8),
    Kind.TEMPO: range(32),
    Kind.SWING: range(3),
    Kind.KEY: range(24),
    Kind.BAR: range(16),
    Kind.POSITION: range(1, 168),
}
"""Values of the events of the whole song in a vocabulary of bars, in the order of a song.

LENGTH: under 8 bars, under 16, more. METER: beats of a bar. TEMPO: classes of 4.4 %, see `bars.codec`. SWING:
straight, light, heavy. KEY: tonic 0 to 11, plus 12 for minor. BAR: number of the bar modulo 16. POSITION:
tick in the bar of the next events; tick 0 needs none.
"""

VOICE_VALUES: dict[Kind, range] = {Kind.DENSITY: range(6), Kind.ARTICULATION: range(3)}
"""Values of the events that describe a voice in the whole song, in a vocabulary of bars.

DENSITY: notes a beat, from none to more than three, see `bars.codec`. ARTICULATION: legato, detached, short.
"""

AFTER_BAR_VALUES: dict[Kind, range] = {
    Kind.AHEAD: range(1, 17),
    Kind.GIVEN: range(1, 15),
    Kind.BACK: range(1),
    Kind.CHORD: range(26),
}
"""Values of the events that may follow BAR before its notes, in a vocabulary of bars.

AHEAD: the events up to BACK happen this number of bars later, in all voices. GIVEN: the events up to BACK
are everything that some voices, named as bits, play in this bar; the others follow. CHORD: see `bars.chords`.
"""


BAR_VOICE_VALUES: dict[Kind, range] = {Kind.RELATION: range(19)}
"""Values of the events that describe a voice in one bar, before its notes, in a vocabulary of bars.

RELATION: to earlier bars of the voice, see `bars.relations`.
"""

_BY_TEXT = {
    str(event): event
    for event in [
        END,
        *(Event(kind, voice, value) for (voice, kind), r in VALUES.items() for value in r),
        *(Event(kind, None, value) for kind, r in BAR_VALUES.items() for value in r),
        *(
            Event(kind, voice, value)
            for voice in Voice
            for kind, values in (VOICE_VALUES | BAR_VOICE_VALUES).items()
            for value in values
        ),
        *(Event(kind, None, value) for kind, r in AFTER_BAR_VALUES.items() for value in r),
    ]
}
_RANGES = {
    f"{voice.name}_{kind.value}": r for (voice, kind), r in VALUES.items() if kind is not Kind.NOTE_OFF
}


def parse_event(text: str) -> Event:
    """Read one event.

    Args:
        text: one line, without surrounding blanks.

    Raises:
        ValueError: with the reason, if the text is no event.
    """
    event = _BY_TEXT.get(text)
    if event is not None:
        return event
    head, _, number = text.rpartition("_")
    shown = repr(text if len(text) <= 40 else f"{text[:40]}…")
    if head == "WT":
        if number.isdecimal() and number.isascii() and len(number) <= 10 and 1 <= int(number) <= MAX_WAIT:
            return Event(Kind.WAIT, None, int(number))
        raise ValueError(f"{shown} is no wait: expected WT_ and a number of samples from 1 to {MAX_WAIT}")
    if head in _RANGES:
        low, high = _RANGES[head][0], _RANGES[head][-1]
        raise ValueError(f"{shown} is out of range: {head} goes from {low} to {high}")
    raise ValueError(f"unknown event {shown}: expected one like WT_735, P1_NOTEON_60 or NO_NOTEOFF")
