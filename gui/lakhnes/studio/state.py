"""What a session is at one moment: the song, what is asked of it, and how it is played."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from lakhnes.bridge.midi_outlet import DEFAULT_CHANNELS
from lakhnes.runtime import (
    DEFAULT_MODEL,
    BeatGrid,
    OptionError,
    Request,
    Sampling,
    Score,
    Voice,
    parse_scale,
)
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING
from lakhnes.runtime.music.events import VOCABULARY_PITCHES

AHEAD_BARS = (0.5, 16.0)
"""Fewest and most bars that are composed ahead."""


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """What a user has set for one voice."""

    channel: int
    """MIDI channel, 1..16."""
    muted: bool = False
    """Whether it is not heard."""
    solo: bool = False
    """Whether only voices with this are heard."""
    locked: bool = False
    """Whether its notes stay, whatever is composed anew."""
    lowest: int | None = None
    """Lowest MIDI pitch that is composed; None for the chip's."""
    highest: int | None = None
    """Highest MIDI pitch that is composed; None for the chip's."""
    instrument: str = "lead"
    """Name of the instruments that its own is taken from."""
    volume: float = 1.0
    """Of the built-in sound, 0..1."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """What is known of a song beside its state, so that it comes back as it was left."""

    place: int = 0
    """Tick where it was played."""
    path: str = ""
    """The session file that it belongs to; empty for none."""
    stamp: int = 0
    """When that file was written, in nanoseconds, as it was last read or written here; 0 if unknown."""
    name: str = ""
    """What it is called while it has no session file; empty for nothing."""


@dataclass(frozen=True, slots=True)
class SongState:
    """All that a session file holds, and that undoing brings back."""

    score: Score = field(default_factory=Score)
    """What is composed, in the time of `composed_bpm`."""
    kept: int = 0
    """Ticks up to which the song was asked for or heard; the rest was composed ahead, and may change."""
    composed_bpm: float = 120.0
    """The tempo that the model composes at."""
    bpm: float = 120.0
    """The tempo that is played."""
    beats_per_bar: int = 4
    """1..16."""
    seed: int = 0
    """Of the song."""
    model: str = DEFAULT_MODEL
    """A model's name, or its folder."""
    temperature: float = USUAL_SAMPLING.temperature
    """0 or 0.01..100."""
    top_k: int | None = USUAL_SAMPLING.top_k
    """None for all tokens."""
    top_p: float | None = USUAL_SAMPLING.top_p
    """0..1; None for all tokens."""
    surprise: float | None = USUAL_SAMPLING.surprise
    """Nats an event below which the music grows wilder; None for never."""
    density: float = 0.0
    """-5..5."""
    drones: bool = False
    """Whether voices may hold a note, repeat pitches or rest for as long as the model likes."""
    scale: str = ""
    """As `parse_scale` reads it; empty for none."""
    ahead_bars: float = 2.0
    """How much is composed in front of what is played."""
    endless: bool = True
    """Whether composing goes on when the end of the song comes near."""
    voices: tuple[VoiceSettings, VoiceSettings, VoiceSettings, VoiceSettings] = field(
        default_factory=lambda: _default_voices()
    )
    """In the order of `Voice`."""
    volume: float = 0.8
    """Of the built-in sound, 0..1."""
    song: int = 0
    """Number of the song among those of this run; files do not hold it."""

    @property
    def grid(self) -> BeatGrid:
        """Where the beats of the score lie."""
        return _steady(self.composed_bpm, self.beats_per_bar)

    @property
    def end(self) -> int:
        """The tick at which the score ends."""
        return self.grid.tick(self.score.length)

    @property
    def request(self) -> Request:
        """What is asked of the music.

        Raises:
            OptionError: if a value is out of range.
        """
        ranges = {}
        for voice, state in zip(Voice, self.voices, strict=True):
            pitches = VOCABULARY_PITCHES[voice]
            if state.lowest is not None or state.highest is not None:
                lowest = pitches[0] if state.lowest is None else state.lowest
                ranges[voice] = (lowest, pitches[-1] if state.highest is None else state.highest)
        return Request(
            seed=self.seed,
            sampling=Sampling(self.temperature, self.top_k, self.top_p, self.surprise),
            scale=parse_scale(self.scale) if self.scale else None,
            ranges=ranges,
            density=self.density,
            repetition_penalty=0.0 if self.drones else 1.0,
        )

    def audible(self, voice: Voice) -> bool:
        """Whether a voice is heard: not muted, and with solo if any has it."""
        if any(state.solo for state in self.voices):
            return self.voices[voice].solo
        return not self.voices[voice].muted

    def unlocked(self, voices: Collection[Voice]) -> frozenset[Voice]:
        """Those of the voices that are selected which are not locked.

        Raises:
            OptionError: if all are.
        """
        free = frozenset(voice for voice in voices if not self.voices[voice].locked)
        if not free:
            raise OptionError("What is selected is locked, so it stays; unlock a voice or select another.")
        return free

    def with_voice(self, voice: Voice, **fields: Any) -> SongState:
        """The same with other settings of a voice."""
        voices = list(self.voices)
        voices[voice] = replace(voices[voice], **fields)
        return replace(self, voices=(voices[0], voices[1], voices[2], voices[3]))


def song_name(state: SongState, whereabouts: Whereabouts) -> str:
    """Return what a song is called: as its file, as the music it came from, or by its seed."""
    if whereabouts.path:
        return Path(whereabouts.path).stem
    return whereabouts.name or f"LakhNES {state.seed}"


def _default_voices() -> tuple[VoiceSettings, VoiceSettings, VoiceSettings, VoiceSettings]:
    p1, p2, tr, no = map(VoiceSettings, DEFAULT_CHANNELS)
    return p1, p2, tr, no


@lru_cache(64)
def _steady(bpm: float, beats_per_bar: int) -> BeatGrid:
    return BeatGrid.steady(bpm, beats_per_bar)
