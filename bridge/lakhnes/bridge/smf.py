"""Standard MIDI files: a forgiving reader, and what the writers share.

The reader takes what the four voices can use, notes, controllers, programs, tempi, time signatures and names,
and passes over everything else, so that no odd meta message costs a user the file. mido writes files.
Source: Standard MIDI File Format 1.1.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import mido

from lakhnes.runtime.errors import FormatError


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


class Control(NamedTuple):
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
    controls: list[Control] = field(default_factory=list)
    tempi: list[tuple[int, int]] = field(default_factory=list)
    """Ticks and microseconds a beat."""
    signatures: list[tuple[int, int, int]] = field(default_factory=list)
    """Ticks, numerator and denominator of time signatures."""
    end: int = 0
    programs: list[tuple[int, int, int]] = field(default_factory=list)
    """Ticks, channel and program of program changes."""


@dataclass(frozen=True, slots=True)
class MidiFile:
    """A file."""

    kind: int
    """0, 1 or 2."""
    division: int
    """Ticks a beat; negative for SMPTE time, as the file format has it."""
    tracks: tuple[Track, ...]


class BrokenFileError(Exception):
    """Why and at which byte a file cannot be read."""


def load(path: Path) -> MidiFile:
    """Loads a MIDI file, also in a RIFF (.rmi) wrapper.

    Raises:
        FormatError: if it is empty, cut off, or no MIDI file.
        OSError: if it cannot be opened.
    """
    data = path.read_bytes()
    try:
        return parse(data)
    except BrokenFileError as error:
        raise FormatError(path, str(error)) from None


def parse(data: bytes) -> MidiFile:
    """Reads the content of a file."""
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[max(0, data.find(b"MThd")) :]
    if not data:
        raise BrokenFileError("empty; give a MIDI file")
    if data[:4] != b"MThd":
        raise BrokenFileError("not a MIDI file (it does not begin with MThd)")
    if len(data) < 14:
        raise BrokenFileError("cut off in its header; get the file again")
    kind, n_tracks = int.from_bytes(data[8:10]), int.from_bytes(data[10:12])
    division = int.from_bytes(data[12:14], signed=True)
    if kind > 2 or division == 0:
        raise BrokenFileError("broken MIDI header; export it again")
    tracks: list[Track] = []
    place = 8 + int.from_bytes(data[4:8])
    while len(tracks) < n_tracks:
        size = int.from_bytes(data[place + 4 : place + 8])
        if place + 8 + size > len(data):
            raise BrokenFileError(f"cut off in track {len(tracks) + 1} of {n_tracks}; get the file again")
        if data[place : place + 4] == b"MTrk":  # others are to be passed over
            tracks.append(_track(data[place + 8 : place + 8 + size], place + 8))
        place += 8 + size
    return MidiFile(kind, division, tuple(tracks))


def _track(data: bytes, start: int) -> Track:
    """Reads the content of a track that begins at byte `start` of the file."""
    track = Track()
    size = len(data)
    place = ticks = status = 0
    try:
        while place < size:
            delta = data[place]
            if delta < 0x80:  # most are; a call for each costs a quarter of the time
                place += 1
            else:
                delta, place = _number(data, place)
            ticks += delta
            track.end = ticks
            new = data[place]
            if new >= 0x80:
                place += 1
            elif status:
                new = status
            else:
                raise BrokenFileError(f"broken MIDI data at byte {start + place}; export it again")
            if new < 0xF0:
                status = new
                one = data[place] if data[place] < 127 else 127
                two = 0
                place += 1
                if not 0xC0 <= new < 0xE0:
                    two = data[place] if data[place] < 127 else 127
                    place += 1
                if new < 0xA0:
                    track.notes.append(NoteMessage(ticks, new & 15, one, two if new >= 0x90 else 0))
                elif 0xB0 <= new < 0xC0:
                    track.controls.append(Control(ticks, new & 15, one, two))
                elif 0xC0 <= new < 0xD0:
                    track.programs.append((ticks, new & 15, one))
            elif new == 0xFF:
                meta = data[place]
                length, place = _number(data, place + 1)
                if meta == 0x2F:
                    break
                _meta(track, meta, data[place : place + length], ticks)
                place += length
            elif new in (0xF0, 0xF7):
                length, place = _number(data, place)
                place += length
            else:  # system common and real time do not belong in files; they have this many data bytes
                place += {0xF1: 1, 0xF2: 2, 0xF3: 1}.get(new, 0)
    except IndexError:
        pass  # the last event is incomplete: what came before it counts
    return track


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A variable-length number, and the place after it."""
    value = 0
    for length in range(4):
        byte = data[place + length]
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, place + length + 1
    raise BrokenFileError("broken MIDI data (a number of more than four bytes); export it again")


def _meta(track: Track, meta: int, content: bytes, ticks: int) -> None:
    if meta == 0x03 and not track.name:
        try:
            track.name = content.decode("utf-8").strip()
        except UnicodeDecodeError:
            track.name = content.decode("latin-1").strip()
    elif meta == 0x51 and int.from_bytes(content) > 0:
        track.tempi.append((ticks, int.from_bytes(content)))
    elif meta == 0x58:
        numerator, power = content[:2] if len(content) >= 2 else (4, 2)
        track.signatures.append((ticks, numerator, 1 << min(power, 7)))


class TickNote(NamedTuple):
    """A note of a MIDI file."""

    onset: int
    """Ticks."""
    end: int
    """Ticks; may equal the onset."""
    pitch: int
    """0..127."""
    velocity: int
    """1..127."""


def paired_notes(messages: Iterable[NoteMessage], end: int | None = None) -> list[TickNote]:
    """The notes of one channel by onset.

    A note-off ends the notes of its pitch that began before its tick; only where there is none, the one that
    began at it: so notes that touch read right in either order of their messages.

    Args:
        messages: in file order.
        end: where notes end that no note-off ends; None leaves them out.
    """
    sounding: dict[int, list[NoteMessage]] = {}
    notes: list[TickNote] = []
    for message in messages:
        open_notes = sounding.setdefault(message.pitch, [])
        if message.velocity > 0:
            open_notes.append(message)
            continue
        before = [note for note in open_notes if note.ticks < message.ticks]
        ended = before or open_notes
        notes += [TickNote(note.ticks, message.ticks, note.pitch, note.velocity) for note in ended]
        sounding[message.pitch] = [n for n in open_notes if n.ticks == message.ticks] if before else []
    if end is not None:
        for left in sounding.values():
            notes += [TickNote(note.ticks, max(end, note.ticks), note.pitch, note.velocity) for note in left]
    return sorted(notes)


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
