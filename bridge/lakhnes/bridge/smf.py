"""Standard MIDI files as mido reads them: loading with clear errors, tracks in absolute ticks."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import mido

from lakhnes.runtime.errors import FormatError


def load(path: Path) -> mido.MidiFile:
    """Loads a MIDI file, also in a RIFF (.rmi) wrapper.

    Raises:
        FormatError: if it is empty, cut off, or no MIDI file.
        OSError: if it cannot be opened.
    """
    data = path.read_bytes()
    if data[:4] == b"RIFF" and data[8:12] == b"RMID":
        data = data[20:]
    if not data:
        raise FormatError(path, "empty; give a MIDI file")
    if data[:4] != b"MThd":
        raise FormatError(path, "not a MIDI file (it does not begin with MThd)")
    try:
        midi = mido.MidiFile(file=io.BytesIO(data), clip=True)
    except EOFError:
        raise FormatError(path, "cut off in the middle; get the file again") from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise FormatError(path, f"broken MIDI data ({error}); export it again") from None
    if not midi.ticks_per_beat or midi.type not in (0, 1, 2):
        raise FormatError(path, "broken MIDI header; export it again")
    return midi


def absolute(track: mido.MidiTrack) -> list[tuple[int, mido.Message]]:
    """The messages of a track with their absolute ticks."""
    ticks = 0
    messages = []
    for message in track:
        ticks += message.time
        messages.append((ticks, message))
    return messages


def to_track(messages: Iterable[tuple[int, mido.Message]], end: int) -> mido.MidiTrack:
    """A track of messages that are in time, with absolute ticks, ended at `end`."""
    track = mido.MidiTrack()
    before = 0
    for ticks, message in messages:
        track.append(message.copy(time=ticks - before))
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


def paired_notes(messages: Iterable[tuple[int, mido.Message]]) -> list[TickNote]:
    """The notes of one channel by onset; one that no note-off ends is left out.

    A note-off ends the notes of its pitch that began before its tick; only where there is none, the one that
    began at it: so notes that touch read right in either order of their messages.

    Args:
        messages: note messages of one channel with absolute ticks, in file order.
    """
    sounding: dict[int, list[tuple[int, int]]] = {}
    notes: list[TickNote] = []
    for ticks, message in messages:
        open_notes = sounding.setdefault(message.note, [])
        if message.type == "note_on" and message.velocity > 0:
            open_notes.append((ticks, message.velocity))
            continue
        before = [note for note in open_notes if note[0] < ticks]
        for onset, velocity in before or open_notes:
            notes.append(TickNote(onset, ticks, message.note, velocity))
        sounding[message.note] = [note for note in open_notes if note[0] == ticks] if before else []
    return sorted(notes)
