"""Notes of MIDI files, of the messages that begin and end them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lakhnes.bridge.smf import NoteMessage


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
    """The notes of one channel by onset; see `note_spans`."""
    return [TickNote(*span) for span in note_spans(messages, end)]


def note_spans(messages: Iterable[NoteMessage], end: int | None = None) -> list[tuple[int, int, int, int]]:
    """The fields of the `TickNote`s of one channel, by onset: files have tens of thousands.

    A note-off ends the notes of its pitch that began before its tick; only where there is none, the one that
    began at it: so notes that touch read right in either order of their messages.

    Args:
        messages: in file order.
        end: where notes end that no note-off ends; None leaves them out.
    """
    sounding: dict[int, list[NoteMessage]] = {}
    notes: list[tuple[int, int, int, int]] = []
    for message in messages:
        ticks, _, pitch, velocity = message
        open_notes = sounding.get(pitch)
        if velocity > 0:
            if open_notes is None:
                sounding[pitch] = [message]
            else:
                open_notes.append(message)
        elif open_notes and len(open_notes) == 1:
            onset, _, _, its_velocity = open_notes.pop()
            notes.append((onset, ticks, pitch, its_velocity))
        elif open_notes:
            before = [note for note in open_notes if note.ticks < ticks]
            notes += [(note.ticks, ticks, pitch, note.velocity) for note in before or open_notes]
            sounding[pitch] = [note for note in open_notes if note.ticks == ticks] if before else []
    if end is not None:
        for left in sounding.values():
            notes += [(note.ticks, max(end, note.ticks), note.pitch, note.velocity) for note in left]
    notes.sort()
    return notes
