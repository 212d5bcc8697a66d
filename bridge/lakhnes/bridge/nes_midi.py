"""MIDI files as NES-MDB has them: one tick is one sample, nothing is lost.

22,050 ticks a beat at 120 BPM; tracks p1, p2, tr, no; note velocity is the chip's volume 1..15 (1 for the
triangle), CC11 a later change of it, CC12 the timbre; a second time signature marks the end of the song.
Source: nesmdb `score/midi.py` and `lm/tx1.py`.
"""

from __future__ import annotations

from itertools import zip_longest
from operator import attrgetter, itemgetter

import mido

from lakhnes.bridge.note_pairs import TickNote, paired_notes
from lakhnes.bridge.smf import ControlChange, MidiFile, Track
from lakhnes.bridge.track_bytes import file_bytes, track_bytes
from lakhnes.runtime.music.events import VALUES, Event, Kind, Voice
from lakhnes.runtime.music.score import FULL_VELOCITY, Change, Note, Part, Score, rank

TICKS_PER_BEAT = 22_050
"""At 120 BPM one tick is one sample at 44.1 kHz."""

_TEMPO = 500_000  # microseconds a beat
_VOICES = {"p1": Voice.P1, "p2": Voice.P2, "tr": Voice.TR, "no": Voice.NO}
_CHANNELS = {Voice.P1: 0, Voice.P2: 1, Voice.TR: 2, Voice.NO: 9}
_PROGRAMS = {Voice.P1: 80, Voice.P2: 81, Voice.TR: 38, Voice.NO: 121}
_CONTROLS = {Kind.VELOCITY: 11, Kind.TIMBRE: 12}
_NOTE_ON, _CONTROL_CHANGE, _PROGRAM_CHANGE = 0x90, 0xB0, 0xC0
_KINDS = {control: kind for kind, control in _CONTROLS.items()}


def score_from_nes_midi(midi: MidiFile, *, expression: bool = True) -> Score | None:
    """Reads a file of this kind, or returns None if it is of another.

    Args:
        midi: any file.
        expression: whether volumes and timbres are wanted; without them notes are at full velocity and
            reading is faster.
    """
    tracks = {_VOICES[track.name]: track for track in midi.tracks[1:] if track.name in _VOICES}
    if midi.division != TICKS_PER_BEAT or len(midi.tracks) != 1 + len(tracks):
        return None
    conductor = midi.tracks[0]
    if len(conductor.signatures) < 2 or [tempo for _, tempo in conductor.tempi] != [_TEMPO]:
        return None
    length = conductor.signatures[-1][0]
    parts = [Part()] * len(Voice)
    for voice, track in tracks.items():
        notes = _cut(paired_notes(track.notes))
        if not _in_range(voice, track, notes):
            return None
        controls = [control for control in track.controls if control.number in _KINDS]
        length = max([length, *(note.end for note in notes), *(control.ticks for control in controls)])
        parts[voice] = _part(voice, notes, controls, expression=expression)
    return Score.of(parts, length)


def _cut(notes: list[TickNote]) -> list[TickNote]:
    """Notes that end where the next begins, if not before."""
    return [
        note if after is None or note.end <= after.onset else note._replace(end=after.onset)
        for note, after in zip_longest(notes, notes[1:])
    ]


def _in_range(voice: Voice, track: Track, notes: list[TickNote]) -> bool:
    """Whether all values of a track are such as the chip has."""
    values = {(_CONTROLS[Kind.VELOCITY], note.velocity) for note in notes} if voice is not Voice.TR else set()
    values |= {(c.number, c.value) for c in track.controls if c.number in _KINDS}
    pitches = VALUES[voice, Kind.NOTE_ON]
    return all(note.pitch in pitches for note in notes) and all(
        value in VALUES.get((voice, _KINDS[number]), ()) for number, value in values
    )


def _part(voice: Voice, notes: list[TickNote], controls: list[ControlChange], *, expression: bool) -> Part:
    """What a track plays; of several values at one sample the last counts, whatever the file's order."""
    volumes: dict[int, int] = {}
    timbres: dict[int, int] = {}
    if expression:
        for control in controls:
            (volumes if _KINDS[control.number] is Kind.VELOCITY else timbres)[control.ticks] = control.value
    single: list[Note] = []
    for note in notes:
        if note.end > note.onset:
            loud = expression and voice is not Voice.TR
            velocity = volumes.pop(note.onset, note.velocity) if loud else FULL_VELOCITY
            single.append(Note(note.onset, note.end - note.onset, note.pitch, velocity))
    if not single:
        return Part()
    changes = [Change(sample, Kind.VELOCITY, value) for sample, value in volumes.items()]
    changes += [Change(sample, Kind.TIMBRE, value) for sample, value in timbres.items()]
    changes.sort(key=attrgetter("order"))
    return Part(tuple(single), tuple(changes))


def nes_midi_bytes(score: Score, *, text: str = "") -> bytes:
    """Return a score as such a file, with a text if given; reading it back gives the same score."""
    tempo, four = mido.MetaMessage("set_tempo", tempo=_TEMPO), mido.MetaMessage("time_signature", numerator=4)
    the_end = mido.MetaMessage("time_signature", numerator=1, denominator=1)
    texts = [mido.MetaMessage("text", text=text)] if text else []
    start = [(0, bytes(message.bytes())) for message in (*texts, tempo, four)]
    conductor = [*start, (score.length, bytes(the_end.bytes()))]
    tracks = [track_bytes(conductor, score.length + 1)]
    for name, voice in _VOICES.items():
        head = [
            (0, bytes(mido.MetaMessage("track_name", name=name).bytes())),
            (0, bytes((_PROGRAM_CHANGE | _CHANNELS[voice], _PROGRAMS[voice]))),
        ]
        tracks.append(track_bytes([*head, *_messages(score, voice)], score.length + 1))
    return file_bytes(tracks, TICKS_PER_BEAT)


def _messages(score: Score, voice: Voice) -> list[tuple[int, bytes]]:
    """Return the messages of a voice with their ticks, in order."""
    note_on, control_change = _NOTE_ON | _CHANNELS[voice], _CONTROL_CHANGE | _CHANNELS[voice]
    part = score.parts[voice]
    timed: list[tuple[int, int, bytes]] = []
    for note in part.notes:
        velocity = 1 if voice is Voice.TR else note.velocity
        timed.append((note.onset, 0, bytes((note_on, note.pitch, velocity))))
        timed.append((note.end, -1, bytes((note_on, note.pitch, 0))))
    for change in part.changes:
        order = 1 + rank(Event(change.kind, voice))
        timed.append((change.sample, order, bytes((control_change, _CONTROLS[change.kind], change.value))))
    timed.sort(key=itemgetter(0, 1))
    return [(sample, message) for sample, _, message in timed]
