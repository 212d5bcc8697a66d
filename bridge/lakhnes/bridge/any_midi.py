"""Reading any MIDI file into the four voices."""

from __future__ import annotations

from dataclasses import replace
from operator import attrgetter

from lakhnes.bridge import gm
from lakhnes.bridge.daw_midi import TIMBRE_CONTROL, VOLUME_CONTROL
from lakhnes.bridge.instruments import read_lines
from lakhnes.bridge.lines import left_out
from lakhnes.bridge.monophony import window_of_beat
from lakhnes.bridge.smf import MidiFile
from lakhnes.bridge.tempo_map import TempoMap, one_after_the_other, tempo_map
from lakhnes.bridge.voice_choice import lines_of_voices
from lakhnes.bridge.voices import arrange
from lakhnes.runtime.music.events import MAX_SAMPLES, Kind, Voice
from lakhnes.runtime.music.score import Change, Note, Part, Score

_OURS = set(gm.TRACK_NAMES.values())


def in_one_time(midi: MidiFile) -> MidiFile:
    """A file whose tracks play together; those of a type 2 file follow each other in one track."""
    return replace(midi, kind=1, tracks=(one_after_the_other(midi.tracks),)) if midi.kind == 2 else midi


def score_from_midi(
    midi: MidiFile, voices: str = "", *, arpeggio: bool = False
) -> tuple[Score, tuple[str, ...]]:
    """Arranges a file of any kind for the four voices.

    Args:
        midi: of type 0 or 1 all tracks play together, of type 2 one after the other, each in its own tempo.
        voices: which tracks voices are to play, as `lines_of_voices` reads it; empty for what seems best.
        arpeggio: whether a chord part that has one voice becomes an arpeggio.

    Returns:
        The score, and what became of the file's lines, a sentence each.

    Raises:
        ValueError: if it is longer than a day.
        OptionError: if a voice is to play a track that there is not.
    """
    midi = in_one_time(midi)
    lines, length = read_lines(midi)
    if length > MAX_SAMPLES:
        raise ValueError("it is longer than a day; check its tempo")
    if not lines:
        return Score(length=length), (*midi.remarks, "The file has no notes.")
    ours = {line.name for line in lines} <= _OURS
    if ours:  # its controllers are the chip's own values
        lines = [replace(line, levels=()) for line in lines]
    times = tempo_map(midi.tracks, midi.division)
    wanted = lines_of_voices(voices, lines) if voices else {}
    window = window_of_beat(times.beat_rate * max(1, midi.division))
    arrangement = arrange(lines, window=window, wanted=wanted, arpeggio=arpeggio)
    parts = dict(arrangement.parts)
    if ours and not wanted:
        parts |= {v: _automation(v, midi, times, parts[v]) for v in parts if v is not Voice.TR}
    length = max([length, *(part.notes[-1].end for part in parts.values() if part.notes)])
    remarks = [*midi.remarks, *arrangement.remarks, left_out(midi, lines)]
    return Score.of((parts.get(voice, Part()) for voice in Voice), length), tuple(filter(None, remarks))


def _automation(voice: Voice, midi: MidiFile, tempo: TempoMap, part: Part) -> Part:
    """A part of a file that `daw_midi` wrote, with what CC11 and CC12 say of volume and timbre."""
    values: dict[int, list[tuple[int, int]]] = {VOLUME_CONTROL: [], TIMBRE_CONTROL: []}
    for track in midi.tracks:
        for control in track.controls if track.name == gm.TRACK_NAMES[voice] else ():
            if control.number in values:
                values[control.number].append((tempo.to_samples(control.ticks), control.value))
    onsets = {note.onset for note in part.notes}
    volumes = {sample: gm.volume_of_midi(value) for sample, value in values[VOLUME_CONTROL]}
    timbres = {sample: gm.timbre_of_midi(voice, value) for sample, value in values[TIMBRE_CONTROL]}
    notes = [Note(n.onset, n.length, n.pitch, volumes.get(n.onset, n.velocity)) for n in part.notes]
    changes = [Change(s, Kind.VELOCITY, v) for s, v in volumes.items() if s not in onsets]
    changes += [Change(s, Kind.TIMBRE, v) for s, v in timbres.items()]
    changes.sort(key=attrgetter("order"))
    return Part(tuple(notes), tuple(changes))
