"""MIDI files as NES-MDB has them: one tick is one sample, nothing is lost.

22,050 ticks a beat at 120 BPM; tracks p1, p2, tr, no; note velocity is the chip's volume 1..15 (1 for the
triangle), CC11 a later change of it, CC12 the timbre; a second time signature marks the end of the song.
Source: nesmdb `score/midi.py` and `lm/tx1.py`.
"""

from __future__ import annotations

from itertools import zip_longest
from operator import itemgetter

import mido

from lakhnes.bridge.smf import MidiFile, Track, paired_notes, to_bytes, to_track
from lakhnes.runtime.events import END, VALUES, Event, Kind, Voice
from lakhnes.runtime.score import Score, ScoreBuilder, rank

TICKS_PER_BEAT = 22_050
"""At 120 BPM one tick is one sample at 44.1 kHz."""

_TEMPO = 500_000  # microseconds a beat
_VOICES = {"p1": Voice.P1, "p2": Voice.P2, "tr": Voice.TR, "no": Voice.NO}
_CHANNELS = {Voice.P1: 0, Voice.P2: 1, Voice.TR: 2, Voice.NO: 9}
_PROGRAMS = {Voice.P1: 80, Voice.P2: 81, Voice.TR: 38, Voice.NO: 121}
_CONTROLS = {Kind.VELOCITY: 11, Kind.TIMBRE: 12}
_KINDS = {control: kind for kind, control in _CONTROLS.items()}


def score_from_nes_midi(midi: MidiFile) -> Score | None:
    """Reads a file of this kind, or returns None if it is of another."""
    tracks = {_VOICES[track.name]: track for track in midi.tracks[1:] if track.name in _VOICES}
    if midi.division != TICKS_PER_BEAT or len(midi.tracks) != 1 + len(tracks):
        return None
    conductor = midi.tracks[0]
    timed = [happening for voice, track in tracks.items() for happening in _events(voice, track)]
    in_range = all(event.value in VALUES.get((voice, event.kind), ()) for _, voice, event in timed)
    if len(conductor.signatures) < 2 or [tempo for _, tempo in conductor.tempi] != [_TEMPO] or not in_range:
        return None
    timed.sort(key=itemgetter(0))
    builder = ScoreBuilder()
    for sample, _, event in [*timed, (conductor.signatures[-1][0], Voice.NO, END)]:
        if sample > builder.time:
            builder.add(Event(Kind.WAIT, None, sample - builder.time))
        builder.add(event)
    return builder.score()


def _events(voice: Voice, track: Track) -> list[tuple[int, Voice, Event]]:
    """The events of one track with their samples; at one tick the note first, whatever the file's order."""
    notes = paired_notes(track.notes)
    events: list[tuple[int, Voice, Event]] = []
    for note, after in zip_longest(notes, notes[1:]):
        events.append((note.onset, voice, Event(Kind.NOTE_ON, voice, note.pitch)))
        if voice is not Voice.TR:
            events.append((note.onset, voice, Event(Kind.VELOCITY, voice, note.velocity)))
        if after is None or note.end <= after.onset:
            events.append((note.end, voice, Event(Kind.NOTE_OFF, voice)))
    events += [
        (control.ticks, voice, Event(_KINDS[control.number], voice, control.value))
        for control in track.controls
        if control.number in _KINDS
    ]
    return events


def nes_midi_bytes(score: Score) -> bytes:
    """A score as such a file; reading it back gives the same score."""
    conductor = [
        (0, mido.MetaMessage("set_tempo", tempo=_TEMPO)),
        (0, mido.MetaMessage("time_signature", numerator=4, denominator=4)),
        (score.length, mido.MetaMessage("time_signature", numerator=1, denominator=1)),
    ]
    tracks = [to_track(conductor, score.length + 1)]
    for name, voice in _VOICES.items():
        head = [
            (0, mido.MetaMessage("track_name", name=name)),
            (0, mido.Message("program_change", channel=_CHANNELS[voice], program=_PROGRAMS[voice])),
        ]
        tracks.append(to_track([*head, *_messages(score, voice)], score.length + 1))
    return to_bytes(tracks, TICKS_PER_BEAT)


def _messages(score: Score, voice: Voice) -> list[tuple[int, mido.Message]]:
    channel = _CHANNELS[voice]
    part = score.parts[voice]
    timed: list[tuple[int, int, mido.Message]] = []
    for note in part.notes:
        velocity = 1 if voice is Voice.TR else note.velocity
        on = mido.Message("note_on", channel=channel, note=note.pitch, velocity=velocity)
        off = mido.Message("note_on", channel=channel, note=note.pitch, velocity=0)
        timed += [(note.onset, 0, on), (note.end, -1, off)]
    for change in part.changes:
        control = mido.Message(
            "control_change", channel=channel, control=_CONTROLS[change.kind], value=change.value
        )
        timed.append((change.sample, 1 + rank(Event(change.kind, voice)), control))
    timed.sort(key=itemgetter(0, 1))
    return [(sample, message) for sample, _, message in timed]
