"""Reading any MIDI file into the four voices."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from operator import attrgetter

from lakhnes.bridge import gm
from lakhnes.bridge.daw_midi import TIMBRE_CONTROL, VOLUME_CONTROL
from lakhnes.bridge.smf import MidiFile, NoteMessage, Track, paired_notes
from lakhnes.bridge.voices import Line, arrange
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE, Kind, Voice
from lakhnes.runtime.music.score import Change, Note, Part, Score

_DEFAULT_TEMPO = 500_000  # microseconds a beat, where a file says nothing


@dataclass(frozen=True, slots=True)
class TempoMap:
    """Ticks to samples."""

    ticks: tuple[int, ...]
    """Where each tempo begins, the first at 0."""
    samples: tuple[float, ...]
    """Samples at 44.1 kHz there."""
    samples_per_tick: tuple[float, ...]

    def to_samples(self, ticks: int) -> int:
        """Samples at 44.1 kHz, to the nearest."""
        segment = bisect_right(self.ticks, ticks) - 1
        return round(self.samples[segment] + (ticks - self.ticks[segment]) * self.samples_per_tick[segment])


def tempo_map(tracks: Iterable[Track], division: int) -> TempoMap:
    """The tempo map of tracks that play together.

    Args:
        tracks: any of them may change the tempo.
        division: of the file's header.
    """
    if division < 0:
        frames_per_second, ticks_per_frame = -(division >> 8), division & 0xFF
        frame_rate = 30 / 1.001 if frames_per_second == 29 else frames_per_second
        return TempoMap((0,), (0.0,), (SAMPLE_RATE / (frame_rate * max(1, ticks_per_frame)),))
    tempi = {0: _DEFAULT_TEMPO}
    for track in tracks:
        tempi |= dict(track.tempi)
    starts = sorted(tempi)
    rates = [tempi[start] * SAMPLE_RATE / (1_000_000 * division) for start in starts]
    samples = [0.0]
    for before, start, rate in zip(starts, starts[1:], rates, strict=False):
        samples.append(samples[-1] + (start - before) * rate)
    return TempoMap(tuple(starts), tuple(samples), tuple(rates))


def score_from_midi(midi: MidiFile) -> tuple[Score, tuple[str, ...]]:
    """Arranges a file of any kind for the four voices.

    Type 0 and 1: all tracks together. Type 2: one track after the other, each in its own tempo.

    Returns:
        The score, and what became of the file's lines, a sentence each.

    Raises:
        ValueError: if it is longer than a day.
    """
    lines, length = read_lines(midi)
    if length > MAX_SAMPLES:
        raise ValueError("it is longer than a day; check its tempo")
    if not lines:
        return Score(length=length), ("The file has no notes.",)
    arrangement = arrange(lines)
    parts = {voice: Part(notes) for voice, notes in arrangement.notes.items()}
    if {line.name for line in lines} <= set(gm.TRACK_NAMES.values()) and midi.kind == 1:
        tempo = tempo_map(midi.tracks, midi.division)
        parts |= {v: _automation(v, midi, tempo, parts[v]) for v in parts if v is not Voice.TR}
    return Score.of((parts.get(voice, Part()) for voice in Voice), length), arrangement.remarks


def read_lines(midi: MidiFile) -> tuple[list[Line], int]:
    """The lines of a file that have notes, in the order of its tracks, and its length in samples."""
    lines: list[Line] = []
    length = 0
    together = tempo_map(midi.tracks, midi.division)
    for index, track in enumerate(midi.tracks):
        start = length if midi.kind == 2 else 0
        tempo = tempo_map([track], midi.division) if midi.kind == 2 else together
        its_lines = _lines(index, track, tempo, start)
        ends = [note.end for line in its_lines for note in line.notes]
        length = max([length, start + tempo.to_samples(track.end), *ends])
        lines += its_lines
    return (_joined(lines) if midi.kind == 2 else lines), length


def _lines(index: int, track: Track, tempo: TempoMap, start: int) -> list[Line]:
    """The lines of one track, one for each channel that has notes."""
    by_channel: defaultdict[int, list[NoteMessage]] = defaultdict(list)
    for message in track.notes:
        by_channel[message.channel].append(message)
    lines = []
    for channel, messages in sorted(by_channel.items()):
        notes: dict[tuple[int, int], Note] = {}
        for note in paired_notes(messages, track.end):
            onset = start + tempo.to_samples(note.onset)
            end = start + tempo.to_samples(max(note.end, note.onset + 1))
            pitch = max(1, note.pitch)
            doubled = notes.get((onset, pitch))
            length = max(1, end - onset, doubled.length if doubled else 0)
            notes[onset, pitch] = Note(onset, length, pitch, gm.volume_of_midi(note.velocity))
        if notes:
            lines.append(Line(index, channel, track.name, tuple(notes.values())))
    return lines


def _joined(lines: list[Line]) -> list[Line]:
    """Lines of tracks that play one after the other, joined by channel."""
    by_channel: defaultdict[int, list[Line]] = defaultdict(list)
    for line in lines:
        by_channel[line.channel].append(line)
    return [
        Line(same[0].track, channel, same[0].name, tuple(note for line in same for note in line.notes))
        for channel, same in by_channel.items()
    ]


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
