"""Standard MIDI files: a forgiving reader, and what the writers share.

The reader takes what the four voices can use and passes over everything else, so that no odd message costs a
user the file; of a damaged file it takes what can be read, and remarks on the rest. mido writes files.
Source: Standard MIDI File Format 1.1; Roland GS for `40 1x 15`; Yamaha XG for `4C`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

import mido

from lakhnes.bridge.midi_names import decoded_names
from lakhnes.runtime.errors import FormatError
from lakhnes.runtime.reading import read_at_most, reading

MAX_BYTES = 8 << 20
"""Largest MIDI file, also after decompression, in bytes."""

MAX_TRACKS = 1000
MAX_EVENTS = 1_000_000
"""Most events of a file that are kept: notes, controls and the like."""


class NoteMessage(NamedTuple):
    """A note-on or note-off."""

    ticks: int
    """From the start of the track."""
    channel: int
    """0..15."""
    pitch: int
    """0..127."""
    velocity: int
    """0 for a note-off, else 1..127."""


_fast_note = partial(tuple.__new__, NoteMessage)  # what `_make` calls; files have tens of thousands


class ControlChange(NamedTuple):
    """A control change."""

    ticks: int
    channel: int
    number: int
    value: int


@dataclass(slots=True)
class Track:
    """What one track holds; all times are ticks from its start."""

    name: str = ""
    notes: list[NoteMessage] = field(default_factory=list)
    controls: list[ControlChange] = field(default_factory=list)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    """Ticks and microseconds a beat."""
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    """Ticks, numerator and denominator of time signatures."""
    end: int = 0
    programs: list[tuple[int, int, int]] = field(default_factory=list)
    """Ticks, channel and program of program changes."""
    keys: list[tuple[int, int, bool]] = field(default_factory=list)
    """Ticks, sharps (flats are negative) and whether it is minor, of key signatures."""
    bent: set[int] = field(default_factory=set)
    """Channels whose pitch wheel leaves its middle."""
    drums: set[int] = field(default_factory=set)
    """Channels that a message to a GS or XG synthesizer makes drums."""
    xg: bool = False
    """Whether it turns on XG, in which a bank of its own holds drum kits."""
    texts: list[str] = field(default_factory=list)
    """Its text events."""
    raw_name: bytes = b""
    """Its name as it stands in the file, until all of the file is read."""
    raw_texts: list[bytes] = field(default_factory=list)

    @property
    def n_events(self) -> int:
        """Number of its events."""
        changes = len(self.tempi) + len(self.signatures) + len(self.programs) + len(self.keys)
        return len(self.notes) + len(self.controls) + changes

    def cut(self, end: int) -> None:
        """Takes away what it says of later times."""
        self.notes = [note for note in self.notes if note.ticks <= end]
        self.controls = [control for control in self.controls if control.ticks <= end]
        self.tempi = [tempo for tempo in self.tempi if tempo[0] <= end]
        self.signatures = [signature for signature in self.signatures if signature[0] <= end]
        self.programs = [program for program in self.programs if program[0] <= end]
        self.keys = [key for key in self.keys if key[0] <= end]
        self.end = min(self.end, end)

    def append(self, other: Track) -> None:
        """Adds what another track says after its own end, in its own name and with all its channels."""
        start = self.end
        self.name = self.name or other.name
        self.notes += [note._replace(ticks=start + note.ticks) for note in other.notes]
        self.controls += [control._replace(ticks=start + control.ticks) for control in other.controls]
        self.tempi += [(start + ticks, tempo) for ticks, tempo in other.tempi]
        self.signatures += [(start + ticks, top, bottom) for ticks, top, bottom in other.signatures]
        self.programs += [(start + ticks, channel, program) for ticks, channel, program in other.programs]
        self.keys += [(start + ticks, sharps, minor) for ticks, sharps, minor in other.keys]
        self.bent |= other.bent
        self.drums |= other.drums
        self.xg |= other.xg
        self.texts += other.texts
        self.end += other.end


@dataclass(frozen=True, slots=True)
class MidiFile:
    """A file."""

    kind: int
    """0, 1 or 2."""
    division: int
    """Ticks a beat; negative for SMPTE time, as the file format has it."""
    tracks: tuple[Track, ...]
    remarks: tuple[str, ...] = ()
    """What is damaged, a sentence each."""


class BrokenFileError(Exception):
    """Why and at which byte a file cannot be read."""


_USUAL_DIVISION = 480
_SMPTE_RATES = (24, 25, 29, 30)
_MOST_BYTES = 8  # of a number
_MOST_WORK_BYTES = 2 * MAX_BYTES  # that tracks claim, which may overlap in a broken file
MAX_NAME_BYTES = 200
_MAX_TEXTS = 4  # of a track
_MAX_TEXT_BYTES = 1 << 16  # of one, which may say how the music was made
_LONGEST_DELTA = 0x0FFFFFFF  # what the four bytes hold that a number may have
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}  # data bytes of messages that do not belong in files
_HEADER, _TRACK = b"MThd", b"MTrk"


def load(path: Path) -> MidiFile:
    """Loads a MIDI file in whatever wrapper it comes.

    Raises:
        FormatError: if no music can be read from it.
        OSError: if it cannot be opened.
    """
    from lakhnes.bridge.midi_wrappers import parse_any

    with reading(path, FormatError, "Get the file again"):
        try:
            return parse_any(read_at_most(path, MAX_BYTES))
        except BrokenFileError as error:
            raise FormatError(path, str(error)) from None


def parse(data: bytes) -> MidiFile:
    """Reads the content of a file, from its header on.

    Raises:
        BrokenFileError: if no music can be read from it.
    """
    remarks: list[str] = []
    kind, said, division, place = _header(data, remarks)
    tracks: list[Track] = []
    damaged: list[Track] = []
    work = n_events = 0
    while place < len(data):
        if not _is_track(data[place : place + 4]):
            place = _after_alien(data, place, remarks)
            continue
        if len(tracks) == MAX_TRACKS:
            raise BrokenFileError(f"more than {MAX_TRACKS} tracks; give a file with fewer")
        work += min(int.from_bytes(data[place + 4 : place + 8]), len(data) - place)
        if work > _MOST_WORK_BYTES:
            raise BrokenFileError("damaged, its tracks overlap; get the file again")
        track, place, problem = _chunk(data, place)
        n_events += track.n_events
        if n_events > MAX_EVENTS:
            raise BrokenFileError(f"more than {MAX_EVENTS:,} events; give a shorter piece")
        tracks.append(track)
        if problem:
            damaged.append(track)
            remarks.append(f"Track {len(tracks)} {problem}")
    _cut_damaged(tracks, damaged)
    _decode(tracks)
    if len(tracks) != said and data[:4] == _HEADER:
        there = "1 is" if len(tracks) == 1 else f"{len(tracks)} are"
        remarks.append(f"Its header speaks of {said} track{'s' * (said != 1)}; {there} there.")
    if remarks and not any(track.notes for track in tracks):
        raise BrokenFileError(f"damaged, and no note can be read ({remarks[0][:-1]}); get the file again")
    return MidiFile(kind, division, tuple(tracks), tuple(remarks))


def _decode(tracks: Iterable[Track]) -> None:
    """Reads the names and texts of all tracks, which are in one encoding."""
    texts = iter(decoded_names([text for track in tracks for text in (track.raw_name, *track.raw_texts)]))
    for track in tracks:
        track.name = next(texts)
        track.texts = [next(texts) for _ in track.raw_texts]


def _is_track(name: bytes) -> bool:
    """Whether a chunk is a track; one letter of its name may be damaged."""
    return name == _TRACK or sum(a == b for a, b in zip(name, _TRACK, strict=False)) == 3


def _cut_damaged(tracks: list[Track], damaged: list[Track]) -> None:
    """Takes from damaged tracks what they say of times long after the others are over."""
    bad = {id(track) for track in damaged}
    whole = max((track.end for track in tracks if id(track) not in bad), default=0)
    for track in damaged if whole else []:
        if track.end > 2 * whole:
            track.cut(whole)


def _header(data: bytes, remarks: list[str]) -> tuple[int, int, int, int]:
    """Type, number of tracks, division, and the place of the first chunk."""
    if data[:4] != _HEADER:
        remarks.append(f"Its header is missing; {_USUAL_DIVISION} ticks a beat are assumed.")
        return 1, 0, _USUAL_DIVISION, max(0, data.find(_TRACK))
    if len(data) < 14:
        raise BrokenFileError("cut off in its header; get the file again")
    kind, said = int.from_bytes(data[8:10]), int.from_bytes(data[10:12])
    division = int.from_bytes(data[12:14], signed=True)
    if kind > 2:
        remarks.append(f"Its header says type {kind}, which does not exist; its tracks are played together.")
        kind = 1
    if division == 0 or (division < 0 and -(division >> 8) not in _SMPTE_RATES):
        remarks.append(f"Its header says no time; {_USUAL_DIVISION} ticks a beat are assumed.")
        division = _USUAL_DIVISION
    first = 8 + int.from_bytes(data[4:8])
    return kind, said, division, first if first >= 14 and first < len(data) else 14


def _after_alien(data: bytes, place: int, remarks: list[str]) -> int:
    """The place after a chunk of an unknown kind, or of the next track after bytes that are no chunk."""
    after = place + 8 + int.from_bytes(data[place + 4 : place + 8])
    if data[place : place + 4].isalnum() and (after == len(data) or data[after : after + 4].isalnum()):
        return after
    following = data.find(_TRACK, place)
    end = len(data) if following < 0 else following
    if data[place:end].strip(b"\0\x1a\r\n "):  # what some programs fill files up with
        remarks.append(
            f"{end - place} bytes at byte {place} are no part of its tracks; they are passed over."
        )
    return end


def _chunk(data: bytes, place: int) -> tuple[Track, int, str]:
    """A track, the place after its chunk, and what is wrong with it."""
    start = place + 8
    end = start + int.from_bytes(data[place + 4 : start])
    track, stop, problem = _track(data, start, min(end, len(data)))
    after_end = data[end : end + 4]
    if problem is None:  # it says its end
        trusted = end == len(data) or (after_end.isalnum() and data[stop : stop + 4] != _TRACK)
        return track, end if trusted else stop, ""
    if end <= len(data) and (end == len(data) or after_end == _TRACK):
        return track, end, problem  # some leave their end out
    following = data.find(_TRACK, start)
    limit = len(data) if following < 0 else following
    if limit <= end:
        return track, limit, problem or "is cut off; what comes after is missing."
    if stop >= end:
        longer, after, its_problem = _track(data, start, limit)
        if its_problem is None or end == start:
            return (
                longer,
                after if its_problem is None else limit,
                "is longer than it says; it is read to its end.",
            )
    return track, end, problem or "does not say where it ends."


def _track(data: bytes, start: int, size: int) -> tuple[Track, int, str | None]:
    """Reads the events of a track in `data[start:size]`.

    Returns:
        The track; the place after its last event; and None if it says its end, else what is wrong.
    """
    data = data[:size]
    track = Track()
    notes = track.notes.append
    place = start
    ticks = status = 0
    problem: str | None = ""
    damage = ""
    try:
        while place < size:
            delta = data[place]
            if delta < 0x80:  # most are; a call for each costs a quarter of the time
                place += 1
            else:
                delta, place = _number(data, place)
                if delta > _LONGEST_DELTA:
                    problem = f"is damaged at byte {place}; the rest of it is missing."
                    break
            ticks += delta
            new = data[place]
            if new >= 0x80:
                place += 1
            elif status:
                new = status
            else:  # data that belong to nothing
                damage = damage or f"is damaged at byte {place}; some of it is missing."
                place = _next_note(data, place)
                new = data[place]
                place += 1
            if new < 0xA0:
                status = new
                one, two = data[place], data[place + 1]
                place += 2
                if one | two > 127:
                    one, two = min(one, 127), min(two, 127)
                notes(_fast_note((ticks, new & 15, one, two if new >= 0x90 else 0)))
            elif new < 0xF0:
                status = new
                one, two = data[place], 0
                place += 1
                if not 0xC0 <= new < 0xE0:
                    two = data[place]
                    place += 1
                _channel_message(track, new, ticks, min(one, 127), min(two, 127))
            else:
                place, over = _system_message(track, new, data, place, ticks)
                if over:
                    problem = None
                    break
    except IndexError:
        problem = "is cut off; what comes after is missing."
    track.end = ticks
    return track, place, damage or problem


def _next_note(data: bytes, place: int) -> int:
    """The place of the next note message from a place on."""
    while not (0x80 <= data[place] < 0xA0 and data[place + 1] < 0x80 and data[place + 2] < 0x80):
        place += 1
    return place


def _channel_message(track: Track, status: int, ticks: int, one: int, two: int) -> None:
    """Takes a message of a channel that is no note, with its data bytes."""
    channel = status & 15
    if 0xB0 <= status < 0xC0:
        track.controls.append(ControlChange(ticks, channel, one, two))
    elif 0xC0 <= status < 0xD0:
        track.programs.append((ticks, channel, one))
    elif status >= 0xE0 and (one, two) != (0, 64):
        track.bent.add(channel)


def _system_message(track: Track, status: int, data: bytes, place: int, ticks: int) -> tuple[int, bool]:
    """Reads a meta event or a system message; returns the place after it, and whether it ends the track."""
    if status == 0xFF:
        meta = data[place]
        length, place = _number(data, place + 1)
        if meta == 0x2F:
            return place, True
        _meta(track, meta, data[place : place + length], ticks)
        return place + length, False
    if status in (0xF0, 0xF7):
        length, place = _number(data, place)
        _exclusive(track, data[place : place + length])
        return place + length, False
    return place + _SYSTEM_DATA.get(status, 0), False


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A variable-length number, and the place after it; some programs fill it up to more than four bytes."""
    value = 0
    while True:
        byte = data[place]
        place += 1
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value & 0xFFFFFFF, place


def _meta(track: Track, meta: int, content: bytes, ticks: int) -> None:
    if meta == 0x03 and not track.raw_name:
        track.raw_name = content[:MAX_NAME_BYTES]
    elif meta == 0x01 and ticks == 0 and len(track.raw_texts) < _MAX_TEXTS:
        track.raw_texts.append(content[:_MAX_TEXT_BYTES])
    elif meta == 0x51 and int.from_bytes(content) > 0:
        track.tempi.append((ticks, int.from_bytes(content[:3])))
    elif meta == 0x58:
        numerator, power = content[:2] if len(content) >= 2 else (4, 2)
        if numerator:
            track.signatures.append((ticks, numerator, 1 << min(power, 7)))
    elif meta == 0x59 and len(content) >= 2:
        sharps = int.from_bytes(content[:1], signed=True)
        if -7 <= sharps <= 7 and content[1] < 2:
            track.keys.append((ticks, sharps, content[1] == 1))


def _exclusive(track: Track, content: bytes) -> None:
    """GS and XG synthesizers are told which parts are drums.

    GS: `41 .. 42 12 40 1x 15 map`. XG: `43 1x 4C 08 part 07 mode`, and `43 1x 4C 00 00 7E 00` turns it on.
    """
    if content[:1] == b"\x43" and content[2:3] == b"\x4c":
        track.xg |= content[3:6] == b"\x00\x00\x7e"
        if content[3:4] == b"\x08" and content[5:6] == b"\x07" and len(content) > 6:
            (track.drums.add if content[6] else track.drums.discard)(content[4] & 15)
    if (
        content[:1] == b"\x41"
        and content[2:5] == b"\x42\x12\x40"
        and content[6:7] == b"\x15"
        and len(content) > 7
    ):
        part = content[5] & 15
        channel = 9 if part == 0 else part - 1 if part <= 9 else part
        (track.drums.add if content[7] else track.drums.discard)(channel)


def to_track(messages: Iterable[tuple[int, mido.Message]], end: int) -> mido.MidiTrack:
    """A track of messages that are in time, with absolute ticks, ended at `end`; it takes them over."""
    track = mido.MidiTrack()
    before = 0
    for ticks, message in messages:
        message.time = ticks - before
        track.append(message)
        before = ticks
    track.append(mido.MetaMessage("end_of_track", time=max(0, end - before)))
    return track


def to_bytes(tracks: Iterable[mido.MidiTrack], ticks_per_beat: int) -> bytes:
    """A type 1 file."""
    midi = mido.MidiFile(type=1, ticks_per_beat=ticks_per_beat)
    midi.tracks.extend(tracks)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()
