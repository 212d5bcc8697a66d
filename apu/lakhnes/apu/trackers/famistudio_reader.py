"""FamiStudio's text as a score: its first song, in either kind of tempo.

Read are notes, releases, volumes, duties, delays, cuts and the order of patterns. Instruments are not: notes
are played with ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from lakhnes.apu.instruments import FRAME_SAMPLES
from lakhnes.apu.register_log import Tags
from lakhnes.apu.trackers.famistudio import CHANNEL_NAMES, NOISE_OFFSET
from lakhnes.apu.trackers.rows import LOWEST, NAMES
from lakhnes.apu.trackers.tracker_music import TimedEvent, TrackerMusic, score_of_events
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.music.events import MAX_SAMPLES, VALUES, Event, Kind, Voice
from lakhnes.runtime.provenance import record_in
from lakhnes.runtime.time.grid import TEMPI_BPM, BeatGrid

MAGIC = "Project"

_VOICES = {name: voice for voice, name in CHANNEL_NAMES.items()}
_ATTRIBUTE = re.compile(r'(?<![^\s="])([^\s="]+)="((?:""|[^"])*)"')  # looks at each word once, from its start
_NOTE = re.compile(r"([A-G]#?)(\d)")
_MAX_NOTES = 1_000_000
"""Most notes of a song, those of a repeated pattern counted each time."""
_LEFT_OUT = ("Arpeggio", "SlideTarget", "VibratoSpeed", "VolumeSlideTarget", "FinePitch", "Speed")
_PITCHES = {name.rstrip("-"): number for number, name in enumerate(NAMES)}

Attributes = Mapping[str, str]


@dataclass(slots=True)
class _ProjectSong:
    """The first song."""

    said: Attributes
    by_rows: bool
    """True if it has FamiTracker's tempo."""
    settings: dict[int, Attributes] = field(default_factory=dict)
    """Settings of patterns with their own length, by place."""
    patterns: dict[Voice, dict[str, list[Attributes]]] = field(default_factory=dict)
    orders: dict[Voice, dict[int, str]] = field(default_factory=dict)

    @property
    def unit_samples(self) -> float:
        """Return the samples of the unit in which notes are placed: a row or a frame."""
        if not self.by_rows:
            return FRAME_SAMPLES
        speed, tempo = (_number(self.said, f"FamiTracker{what}", usual) for what, usual in _USUAL.items())
        return FRAME_SAMPLES * speed * 150 / tempo

    def starts(self) -> list[int]:
        """Return the units before each pattern, and the total."""
        starts = [0]
        for place in range(_number(self.said, "Length", 1)):
            said = {**self.said, "Length": self.said.get("PatternLength", "16")}
            if place in self.settings:
                said |= self.settings[place]
            unit = 1 if self.by_rows else _number(said, "NoteLength", 10)
            starts.append(starts[-1] + _number(said, "Length", 16) * unit)
        return starts


_USUAL = {"Speed": 6, "Tempo": 150}


def parse_famistudio(text: str, source: str | Path) -> TrackerMusic:
    """Read the first song of a text.

    Args:
        text: all of it.
        source: the file, or a name for it in errors.

    Raises:
        FormatError: if it is no such text, or a line of it cannot be read.
    """
    lines = text.lstrip("\ufeff").splitlines()
    if not lines or lines[0].split()[:1] != [MAGIC]:
        raise FormatError(
            source, "not a text of FamiStudio (it does not begin with 'Project'); export it anew as text"
        )
    song, tags, n_songs = _read(lines, source)
    if song is None:
        raise FormatError(source, "no song in it; export it anew")
    try:
        music = _play(song)
    except ValueError as error:
        raise FormatError(source, f"{error}; export it anew") from None
    events, length, left_out = music
    remarks = ["The tracker's instruments are left out; notes have their own volumes."]
    remarks += [f"{', '.join(left_out)} of notes are left out."] if left_out else []
    remarks += ["Only the first song is read."] if n_songs > 1 else []
    return TrackerMusic(score_of_events(events, length), _grid(song), tags, tuple(remarks))


def _read(lines: list[str], source: str | Path) -> tuple[_ProjectSong | None, Tags, int]:
    project: Attributes = {}
    song: _ProjectSong | None = None
    voice: Voice | None = None
    notes: list[Attributes] = []
    n_songs = 0
    for number, line in enumerate(lines, 1):
        kind, _, rest = line.strip().partition(" ")
        said = {key: value.replace('""', '"') for key, value in _ATTRIBUTE.findall(rest)}
        try:
            if kind == "Project":
                project = said
            elif kind == "Song":
                n_songs += 1
                if n_songs == 1:
                    song = _ProjectSong(said, project.get("TempoMode") == "FamiTracker")
            if song is None or n_songs > 1:
                continue
            if kind == "PatternCustomSettings":
                song.settings[int(said["Time"])] = said
            elif kind == "Channel":
                voice = _VOICES.get(said["Type"])
            elif voice is not None and kind == "Pattern":
                notes = song.patterns.setdefault(voice, {}).setdefault(said["Name"], [])
            elif voice is not None and kind == "Note":
                notes.append(said)
            elif voice is not None and kind == "PatternInstance":
                song.orders.setdefault(voice, {})[int(said["Time"])] = said["Pattern"]
        except (KeyError, ValueError):
            raise FormatError(source, f"line {number}: something is missing; export it anew") from None
    texts = (project.get(key, "") for key in ("Name", "Author", "Copyright", "Provenance"))
    title, author, licence, record = texts
    return song, Tags(title, author=author, licence=licence, record=record_in(record)), n_songs


def _number(said: Attributes, key: str, usual: int) -> int:
    """Return a number of 1 or more.

    Raises:
        ValueError: if it is none.
    """
    text = said.get(key, str(usual))
    if not text.isdecimal() or not 1 <= int(text) <= 100_000:
        raise ValueError(f"{key} is {text!r}, which is no length")
    return int(text)


def _grid(song: _ProjectSong) -> BeatGrid | None:
    """Return the beats: four rows, or the lengths of four notes, are one beat."""
    row = song.unit_samples * (1 if song.by_rows else _number(song.said, "NoteLength", 10))
    bpm = 60 * 44_100 / (4 * row)
    usual = song.said.get("NoteLength")
    steady = all(said.get("NoteLength", usual) == usual for said in song.settings.values())
    return BeatGrid.steady(bpm) if steady and TEMPI_BPM[0] <= bpm <= TEMPI_BPM[1] else None


def _play(song: _ProjectSong) -> tuple[list[TimedEvent], int, list[str]]:
    """Return sample, order and event of everything, the length, and the attributes left out."""
    starts, unit = song.starts(), song.unit_samples
    length = round(starts[-1] * unit)
    if length > MAX_SAMPLES:
        raise ValueError("it is longer than a day")
    events: list[TimedEvent] = []
    left_out: dict[str, None] = {}
    patterns = {
        voice: {name: sorted(notes, key=_time) for name, notes in named.items()}
        for voice, named in song.patterns.items()
    }
    n_notes = 0
    for voice, order in song.orders.items():
        level = 15
        for place in sorted(order):
            if place >= len(starts) - 1:
                break
            for said in patterns.get(voice, {}).get(order[place], []):
                if starts[place] + _time(said) >= starts[place + 1]:
                    break
                n_notes += 1
                if n_notes > _MAX_NOTES:
                    raise ValueError(f"it has more than {_MAX_NOTES:,} notes")
                left_out |= dict.fromkeys(key for key in _LEFT_OUT if key in said)
                level = min(15, _size(said, "Volume", level))
                begin = round((starts[place] + _time(said)) * unit)
                events += _events(voice, said, begin, unit, level)
    return events, length, [*left_out]


def _time(said: Attributes) -> int:
    return _size(said, "Time", 0)


def _size(said: Attributes, key: str, usual: int) -> int:
    text = said.get(key, "")
    return int(text) if text.isdecimal() else usual


def _events(voice: Voice, said: Attributes, begin: int, unit: float, level: int) -> Iterator[TimedEvent]:
    """Yield the events of a note, with their samples."""
    at = begin + _size(said, "NoteDelay", 0) * FRAME_SAMPLES
    off = Event(Kind.NOTE_OFF, voice)
    if said.get("Value") == "Stop":
        yield TimedEvent(at, 0, off)
    elif (pitch := _pitch(voice, said.get("Value", ""))) is not None:
        end = _size(said, "Release", _size(said, "Duration", 1))
        yield TimedEvent(at, 1, Event(Kind.NOTE_ON, voice, pitch))
        if voice is not Voice.TR:
            yield TimedEvent(at, 2, Event(Kind.VELOCITY, voice, max(1, level)))
        yield TimedEvent(max(begin + round(end * unit), at + FRAME_SAMPLES), 0, off)
    elif "Volume" in said and level and voice is not Voice.TR:
        yield TimedEvent(at, 2, Event(Kind.VELOCITY, voice, level))
    if "CutDelay" in said:
        yield TimedEvent(begin + _size(said, "CutDelay", 0) * FRAME_SAMPLES, 0, off)
    duty = _size(said, "DutyCycle", -1)
    if duty in VALUES.get((voice, Kind.TIMBRE), ()):
        yield TimedEvent(at, 3, Event(Kind.TIMBRE, voice, duty))


def _pitch(voice: Voice, name: str) -> int | None:
    """Return the pitch of a note's name, or None."""
    match = _NOTE.fullmatch(name)
    if match is None or match[1] not in _PITCHES:
        return None
    offset = _PITCHES[match[1]] + 12 * int(match[2])
    if voice is Voice.NO:
        return (offset - NOISE_OFFSET) % 16 + 1
    pitch = LOWEST[voice] + offset
    return pitch if pitch in VALUES[voice, Kind.NOTE_ON] else None


__all__ = ["MAGIC", "parse_famistudio"]
