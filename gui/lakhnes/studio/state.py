"""The state of a session: the song, the settings for composing, and the settings for playing."""

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
    parse_chords,
    parse_scale,
)
from lakhnes.runtime.decode.sampling import MAX_SURPRISE, USUAL_SAMPLING
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE, VOCABULARY_PITCHES
from lakhnes.runtime.time.grid import PPQ, TEMPI_BPM
from lakhnes.studio.field_readers import (
    hashes,
    instrument,
    number,
    read_by,
    steering_fields,
    switch,
    whole,
    words,
)

AHEAD_BARS = (0.5, 16.0)
"""Fewest and most bars that are composed ahead."""

_TICKS_OF_A_DAY = int(MAX_SAMPLES / SAMPLE_RATE / 60 * TEMPI_BPM[1]) * PPQ


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """The settings of one voice."""

    channel: int = read_by(whole(1, 16))
    """MIDI channel, 1..16."""
    muted: bool = read_by(switch, False)
    """Whether it is muted."""
    solo: bool = read_by(switch, False)
    """Whether it is solo."""
    locked: bool = read_by(switch, False)
    """Whether its notes stay when other music is regenerated."""
    lowest: int | None = read_by(whole(0, 127, none=True), None)
    """Lowest MIDI pitch that is composed; None for the chip's."""
    highest: int | None = read_by(whole(0, 127, none=True), None)
    """Highest MIDI pitch that is composed; None for the chip's."""
    instrument: str = read_by(instrument, "lead")
    """Name of the instruments that its own is taken from."""
    volume: float = read_by(number(0, 1), 1.0)
    """Volume of the built-in sound, 0..1."""


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Where a song belongs, so that it reopens as it was left."""

    place: int = read_by(whole(0, _TICKS_OF_A_DAY), 0)
    """Tick where it was played."""
    path: str = read_by(words, "")
    """The session file that it belongs to; empty for none."""
    stamp: int = read_by(whole(0, (1 << 63) - 1), 0)
    """When that file was written, in nanoseconds, as it was last read or written here; 0 if unknown."""
    name: str = read_by(words, "")
    """Its name while it has no session file; empty for none."""


@dataclass(frozen=True, slots=True)
class SongState:
    """Everything that a session file holds and undo restores."""

    score: Score = field(default_factory=Score)
    """The composed music, at the tempo `composed_bpm`."""
    kept: int = read_by(whole(0, _TICKS_OF_A_DAY), 0)
    """Tick up to which the song was requested or heard; the rest was composed ahead and may change."""
    composed_bpm: float = read_by(number(*TEMPI_BPM), 120.0)
    """Tempo at which the model composes."""
    bpm: float = read_by(number(*TEMPI_BPM), 120.0)
    """Playback tempo."""
    beats_per_bar: int = read_by(whole(1, 16), 4)
    """1..16."""
    seed: int = read_by(whole(0, (1 << 64) - 1), 0)
    """Random seed of the song."""
    model: str = read_by(words, DEFAULT_MODEL)
    """A model's name, or its folder."""
    temperature: float = read_by(number(0.01, 100, also=(0,)), USUAL_SAMPLING.temperature, steering=True)
    """0 or 0.01..100."""
    top_k: int | None = read_by(whole(1, 1 << 20, none=True), USUAL_SAMPLING.top_k, steering=True)
    """None for all tokens."""
    top_p: float | None = read_by(number(1e-9, 1, also=(None,)), USUAL_SAMPLING.top_p, steering=True)
    """0..1; None for all tokens."""
    surprise: float | None = read_by(
        number(1e-9, MAX_SURPRISE, also=(None,)), USUAL_SAMPLING.surprise, steering=True
    )
    """Nats an event below which the music grows wilder; None for never."""
    density: float = read_by(number(-5, 5), 0.0, steering=True)
    """-5..5."""
    repetition: float = read_by(number(-5, 5), 0.0, steering=True)
    """-5..5: more makes more bars take up earlier ones."""
    drones: bool = read_by(switch, False, steering=True)
    """Whether voices may hold a note, repeat pitches or rest for as long as the model likes."""
    scale: str = read_by(words, "", steering=True)
    """As `parse_scale` reads it, or as somebody is typing it; empty for none."""
    chords: str = read_by(words, "", steering=True)
    """Chords of the bars, repeated, as `parse_chords` reads them; empty for none."""
    ahead_bars: float = read_by(number(*AHEAD_BARS), 2.0)
    """Bars composed ahead of the playhead."""
    endless: bool = read_by(switch, True)
    """Whether composing goes on when the end of the song comes near."""
    voices: tuple[VoiceSettings, VoiceSettings, VoiceSettings, VoiceSettings] = field(
        default_factory=lambda: _default_voices()
    )
    """In the order of `Voice`."""
    volume: float = read_by(number(0, 1), 0.8)
    """Volume of the built-in sound, 0..1."""
    composed: bool = read_by(switch, False)
    """Whether the model composed any of its notes."""
    edits: int = read_by(whole(0, 1 << 53), 0)
    """Number of changes of its notes by hand."""
    sources: tuple[str, ...] = read_by(hashes, ())
    """SHA-256 of each file that music of it comes from."""
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
        """The settings for composing.

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
            chords=parse_chords(self.chords) if self.chords else (),
            ranges=ranges,
            density=self.density,
            repetition=self.repetition,
            repetition_penalty=0.0 if self.drones else 1.0,
        )

    def audible(self, voice: Voice) -> bool:
        """Return whether a voice is audible: not muted, and solo if any voice is."""
        if any(state.solo for state in self.voices):
            return self.voices[voice].solo
        return not self.voices[voice].muted

    def unlocked(self, voices: Collection[Voice]) -> frozenset[Voice]:
        """Return the unlocked ones of the selected voices.

        Raises:
            OptionError: if all are.
        """
        free = frozenset(voice for voice in voices if not self.voices[voice].locked)
        if not free:
            raise OptionError("All selected voices are locked. Unlock one, or select another.")
        return free

    def with_voice(self, voice: Voice, **fields: Any) -> SongState:
        """Return the state with other settings of a voice."""
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


STEERING_FIELDS = steering_fields(SongState)
"""Fields that control composing; presets hold them."""


def differently_steered(old: SongState, new: SongState) -> bool:
    """Return whether two states ask for different music."""
    return any(getattr(old, name) != getattr(new, name) for name in STEERING_FIELDS) or any(
        (before.lowest, before.highest) != (after.lowest, after.highest)
        for before, after in zip(old.voices, new.voices, strict=True)
    )
