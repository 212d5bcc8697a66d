"""Reading any MIDI file into the four voices."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

import mido

from lakhnes.bridge import gm
from lakhnes.bridge.daw_midi import TIMBRE_CONTROL, VOLUME_CONTROL
from lakhnes.bridge.smf import absolute, paired_notes
from lakhnes.bridge.voices import Line, arrange
from lakhnes.runtime.events import SAMPLE_RATE, Kind, Voice
from lakhnes.runtime.score import Change, Note, Part, Score

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


def tempo_map(tracks: list[mido.MidiTrack], ticks_per_beat: int) -> TempoMap:
    """The tempo map of tracks that play together.

    Args:
        tracks: any of them may change the tempo.
        ticks_per_beat: of the file's header; negative for SMPTE frames, as the file format has it.
    """
    if ticks_per_beat < 0:
        frames_per_second, ticks_per_frame = -(ticks_per_beat >> 8), ticks_per_beat & 0xFF
        frame_rate = 30 / 1.001 if frames_per_second == 29 else frames_per_second
        return TempoMap((0,), (0.0,), (SAMPLE_RATE / (frame_rate * max(1, ticks_per_frame)),))
    tempi = {0: _DEFAULT_TEMPO}
    for track in tracks:
        tempi |= {ticks: message.tempo for ticks, message in absolute(track) if message.type == "set_tempo"}
    starts = sorted(tempi)
    rates = [tempi[start] * SAMPLE_RATE / (1_000_000 * ticks_per_beat) for start in starts]
    samples = [0.0]
    for before, start, rate in zip(starts, starts[1:], rates, strict=False):
        samples.append(samples[-1] + (start - before) * rate)
    return TempoMap(tuple(starts), tuple(samples), tuple(rates))


def score_from_midi(midi: mido.MidiFile) -> tuple[Score, tuple[str, ...]]:
    """Arranges a file of any kind for the four voices.

    Type 0 and 1: all tracks together. Type 2: one track after the other, each in its own tempo.

    Returns:
        The score, and what became of the file's lines, a sentence each.
    """
    lines: list[Line] = []
    automation: dict[Voice, Part] = {}
    length = 0
    together = tempo_map(midi.tracks, midi.ticks_per_beat)
    for index, track in enumerate(midi.tracks):
        start = length if midi.type == 2 else 0
        tempo = tempo_map([track], midi.ticks_per_beat) if midi.type == 2 else together
        messages = absolute(track)
        lines += _lines(index, track.name.strip(), messages, tempo, start)
        length = max(length, start + tempo.to_samples(messages[-1][0] if messages else 0))
    lines = [line for line in lines if line.notes]
    if not lines:
        return Score(length=length), ("The file has no notes.",)
    if midi.type == 2:
        lines = _joined(lines)
    arrangement = arrange(lines)
    parts = {voice: Part(notes) for voice, notes in arrangement.notes.items()}
    if {line.name for line in lines} <= set(gm.TRACK_NAMES.values()) and midi.type == 1:
        automation = {v: _automation(v, midi, together, parts[v]) for v in parts if v is not Voice.TR}
    parts |= automation
    every = [parts.get(voice, Part()) for voice in Voice]
    length = max([length, *(part.notes[-1].end for part in every if part.notes)])
    return Score((every[0], every[1], every[2], every[3]), length), arrangement.remarks


def _lines(
    index: int, name: str, messages: list[tuple[int, mido.Message]], tempo: TempoMap, start: int
) -> list[Line]:
    by_channel: defaultdict[int, list[tuple[int, mido.Message]]] = defaultdict(list)
    for ticks, message in messages:
        if message.type in ("note_on", "note_off"):
            by_channel[message.channel].append((ticks, message))
    lines = []
    for channel, its_messages in sorted(by_channel.items()):
        notes = []
        for note in paired_notes(its_messages):
            onset = start + tempo.to_samples(note.onset)
            end = start + tempo.to_samples(max(note.end, note.onset + 1))
            volume = gm.volume_of_midi(note.velocity)
            notes.append(Note(onset, max(1, end - onset), max(1, note.pitch), volume))
        lines.append(Line(index, channel, name, tuple(notes)))
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


def _automation(voice: Voice, midi: mido.MidiFile, tempo: TempoMap, part: Part) -> Part:
    """A part of a file that `daw_midi` wrote, with what CC11 and CC12 say of volume and timbre."""
    values: dict[int, list[tuple[int, int]]] = {VOLUME_CONTROL: [], TIMBRE_CONTROL: []}
    for track in midi.tracks:
        if track.name.strip() == gm.TRACK_NAMES[voice]:
            for ticks, message in absolute(track):
                if message.type == "control_change" and message.control in values:
                    values[message.control].append((tempo.to_samples(ticks), message.value))
    onsets = {note.onset for note in part.notes}
    volumes = {sample: gm.volume_of_midi(value) for sample, value in values[VOLUME_CONTROL]}
    timbres = {sample: gm.timbre_of_midi(voice, value) for sample, value in values[TIMBRE_CONTROL]}
    notes = [Note(n.onset, n.length, n.pitch, volumes.get(n.onset, n.velocity)) for n in part.notes]
    changes = [Change(s, Kind.VELOCITY, v) for s, v in volumes.items() if s not in onsets]
    changes += [Change(s, Kind.TIMBRE, v) for s, v in timbres.items()]
    changes.sort(key=lambda change: (change.sample, change.kind is Kind.TIMBRE))
    return Part(tuple(notes), tuple(changes))
