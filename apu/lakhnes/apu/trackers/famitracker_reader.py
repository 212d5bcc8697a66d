"""FamiTracker's text export as a score.

Read are notes, their volumes and ends, duties, delays and cuts, tempi, speeds and jumps. Instruments are not:
notes are played with ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lakhnes.apu.instruments import FRAME_SAMPLES
from lakhnes.apu.register_log import Tags
from lakhnes.apu.trackers.rows import LOWEST, NAMES
from lakhnes.apu.trackers.tracker_music import TimedEvent, TrackerMusic, score_of_events
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.events import MAX_SAMPLES, VALUES, Event, Kind, Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.provenance import record_in
from lakhnes.runtime.time.grid import TEMPI_BPM, BeatGrid

MAGIC = "# FamiTracker text export"
MAX_ROWS = 200_000
"""Most rows of a song, jumps counted."""

_TEXT = re.compile(r'^(TITLE|AUTHOR|COPYRIGHT|COMMENT)\s+"(.*)"\s*$')
_TEMPO_FROM = 0x20  # of Fxx; below is a speed
_KNOWN = "GSVFBCD"
_MAX_CHANNELS, _MAX_WORDS = 32, 3 + 4
"""Most channels of a song, and most words of a cell: note, instrument, volume and effects."""


@dataclass(slots=True)
class _ModuleTrack:
    """The first track of a text."""

    length: int = 64
    speed: int = 6
    tempo: int = 150
    orders: list[list[int]] = field(default_factory=list)
    patterns: dict[int, dict[int, list[list[str]]]] = field(default_factory=dict)
    """By number and row, the words of each channel."""


class _BrokenTextError(Exception):
    """Why a line cannot be read."""


def parse_famitracker(text: str, source: str | Path) -> TrackerMusic:
    """Read the first track of a text export.

    Args:
        text: all of it.
        source: the file, or a name for it in errors.

    Raises:
        FormatError: if it is no such text, or a line of it cannot be read.
    """
    if not text.lstrip("\ufeff").startswith(MAGIC):
        raise FormatError(
            source, f"not a text of FamiTracker (its first line is not {MAGIC!r}); export it anew"
        )
    track, tags, more = _read(text, source)
    if not track.orders:
        raise FormatError(source, "no track in it; export it anew")
    player = _PatternPlayer(track)
    score = player.play()
    remarks = [*player.remarks()]
    if more:
        remarks.append("Only the first track is read.")
    bpm = track.tempo * 6 / track.speed
    slowest, fastest = TEMPI_BPM
    steady = not player.tempo_changes and slowest <= bpm <= fastest
    return TrackerMusic(score, BeatGrid.steady(bpm) if steady else None, tags, tuple(remarks))


def _read(text: str, source: str | Path) -> tuple[_ModuleTrack, Tags, bool]:
    track, tracks = _ModuleTrack(), 0
    told: dict[str, str] = {}
    pattern: dict[int, list[list[str]]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.strip().partition(" ")
        try:
            if word == "TRACK":
                tracks += 1
                if tracks > 1:
                    break
                track.length, track.speed, track.tempo = (int(value) for value in rest.split(maxsplit=3)[:3])
                if not (1 <= track.length <= 256 and track.speed > 0 and track.tempo > 0):
                    raise _BrokenTextError("a length, a speed or a tempo is out of range")
            elif word == "ORDER":
                numbers = rest.partition(":")[2].split(maxsplit=_MAX_CHANNELS)[:_MAX_CHANNELS]
                track.orders.append([int(value, 16) for value in numbers])
            elif word == "PATTERN":
                pattern = track.patterns.setdefault(int(rest, 16), {})
            elif word == "ROW":
                place, _, cells = rest.partition(":")
                parts = cells.split(":", _MAX_CHANNELS)[:_MAX_CHANNELS]
                pattern[int(place, 16)] = [part.split(maxsplit=_MAX_WORDS)[:_MAX_WORDS] for part in parts]
            elif match := _TEXT.match(line.strip()):
                said = match[2].replace('""', '"')
                told[match[1]] = said if match[1] != "COMMENT" else told.get("COMMENT") or record_in(said)
        except (ValueError, _BrokenTextError) as error:
            reason = str(error) if isinstance(error, _BrokenTextError) else "a number is missing or is none"
            raise FormatError(source, f"line {number}: {reason}; export it anew") from None
    title, author, licence, record = (
        told.get(key, "") for key in ("TITLE", "AUTHOR", "COPYRIGHT", "COMMENT")
    )
    tags = Tags(title, author=author, licence=licence, record=record)
    return track, tags, tracks > 1


class _PatternPlayer:
    """Plays a track as the tracker does, row by row, up to its end or to where it has been.

    Attributes:
        tempo_changes: whether its tempo changes.
    """

    def __init__(self, track: _ModuleTrack) -> None:
        self.tempo_changes = False
        self._track = track
        self._happens: list[TimedEvent] = []
        self._volumes = dict.fromkeys(Voice, 15)
        self._skipped: set[str] = set()
        self._samples = False
        self._envelopes = False

    def remarks(self) -> Iterator[str]:
        """Yield what is left out."""
        if self._envelopes:
            yield "The tracker's instruments are left out; notes have the volumes of their column."
        if self._skipped:
            yield f"The effects {', '.join(sorted(self._skipped))} are left out."
        if self._samples:
            yield "The DMC's samples are left out."

    def play(self) -> Score:
        """Return the score of one pass."""
        track = self._track
        speed, tempo, time = track.speed, track.tempo, 0.0
        frame, row = 0, 0
        seen: set[tuple[int, int]] = set()
        while frame < len(track.orders) and (frame, row) not in seen and len(seen) < MAX_ROWS:
            seen.add((frame, row))
            cells = self._cells(frame, row)
            effects = [effect for cell in cells for effect in cell[3:] if effect != "..."]
            for effect in effects:
                value = _hex(effect[1:])
                if effect[0] == "F" and value:
                    changed = (value, tempo) if value < _TEMPO_FROM else (speed, value)
                    self.tempo_changes |= changed != (speed, tempo)
                    speed, tempo = changed
            begin = round(time * FRAME_SAMPLES)
            for voice, cell in zip(Voice, cells, strict=False):
                self._cell(voice, cell, begin)
            self._samples |= len(cells) > 4 and cells[4][0] not in ("...", "---", "===")
            time += speed * 150 / tempo
            if time * FRAME_SAMPLES > MAX_SAMPLES:
                break
            frame, row = self._after(frame, row, effects)
        return score_of_events(self._happens, round(time * FRAME_SAMPLES))

    def _cells(self, frame: int, row: int) -> list[list[str]]:
        """Return the words of each channel in a row: note, instrument, volume, effects."""
        track = self._track
        found = []
        for channel, number in enumerate(track.orders[frame]):
            channels = track.patterns.get(number, {}).get(row, [])
            cell = channels[channel] if channel < len(channels) else []
            found.append([*cell, *["...", "..", "."][len(cell) :]])
        return found

    def _after(self, frame: int, row: int, effects: list[str]) -> tuple[int, int]:
        """Return the next frame and row; the song ends beyond the last frame."""
        for effect in effects:
            if effect[0] == "C":
                return len(self._track.orders), 0
            if effect[0] == "B":
                return _hex(effect[1:]), 0
            if effect[0] == "D":
                return frame + 1, min(_hex(effect[1:]), self._track.length - 1)
        return (frame, row + 1) if row + 1 < self._track.length else (frame + 1, 0)

    def _cell(self, voice: Voice, cell: list[str], begin: int) -> None:
        note, instrument, volume, *effects = cell
        delay = next((_hex(effect[1:]) for effect in effects if effect[0] == "G"), 0)
        at = begin + delay * FRAME_SAMPLES
        self._skipped |= {effect[0] + "xx" for effect in effects if effect[0] not in _KNOWN + "."}
        if volume != "." and voice is not Voice.TR:
            self._volumes[voice] = _hex(volume)
        level = self._volumes[voice]
        if note in ("---", "==="):
            self._say(at, 0, Event(Kind.NOTE_OFF, voice))
        elif note != "..." and (pitch := _pitch(voice, note)) is not None:
            self._envelopes |= instrument != ".."
            self._say(at, 1, Event(Kind.NOTE_ON, voice, pitch))
            if voice is not Voice.TR:
                self._say(at, 2, Event(Kind.VELOCITY, voice, max(1, level)))
        elif volume != "." and level and voice is not Voice.TR:
            self._say(at, 2, Event(Kind.VELOCITY, voice, level))
        for effect in effects:
            if effect[0] == "S":
                cut = at + _hex(effect[1:]) * FRAME_SAMPLES  # a delayed note brings its effects along
                self._say(cut, 0, Event(Kind.NOTE_OFF, voice))
            elif effect[0] == "V" and (value := _hex(effect[1:])) in VALUES.get((voice, Kind.TIMBRE), ()):
                self._say(at, 3, Event(Kind.TIMBRE, voice, value))

    def _say(self, sample: int, order: int, event: Event) -> None:
        self._happens.append(TimedEvent(sample, order, event))


def _hex(text: str) -> int:
    """Return a hexadecimal number; 0 for any other text."""
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _pitch(voice: Voice, note: str) -> int | None:
    """Return the pitch of a row, or None."""
    if len(note) != 3:
        return None
    if voice is Voice.NO:
        return _hex(note[0]) + 1 if note[1:] == "-#" else None
    if note[:2] not in NAMES or not note[2].isdecimal():
        return None
    pitch = LOWEST[voice] + NAMES.index(note[:2]) + 12 * int(note[2])
    return pitch if pitch in VALUES[voice, Kind.NOTE_ON] else None


__all__ = ["MAGIC", "parse_famitracker"]
