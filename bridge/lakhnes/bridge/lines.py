"""The lines of a MIDI file: what each track plays on each channel, in samples."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np

from lakhnes.bridge import gm
from lakhnes.bridge.smf import ControlChange, MidiFile, NoteMessage, TickNote, Track, paired_notes
from lakhnes.bridge.tempo_map import TempoMap, tempo_map

CHANNEL_VOLUME, EXPRESSION, PEDAL = 7, 11, 64
_USUAL_VOLUME, _USUAL_EXPRESSION = 100, 127
_BANK, _DRUM_BANK = 0, 120  # of General MIDI 2

_LEFT_OUT = {1: "modulation", 65: "portamento", 66: "the sostenuto pedal"}
"""Controllers that say how notes sound, and that the four voices do not have."""


class LineNote(NamedTuple):
    """A note of a line, in samples at 44.1 kHz."""

    onset: int
    end: int
    """Where its key is released, at least a sample after its onset."""
    pitch: int
    """1..127; on drum lines the General MIDI drum."""
    velocity: int
    """1..127."""
    ring: int
    """Where it falls silent: later than its end where the pedal holds it."""


fast_note = partial(tuple.__new__, LineNote)
"""A note of its five fields as one tuple; what `_make` calls, in half the time."""


@dataclass(frozen=True, slots=True)
class Line:
    """The notes of one track on one channel."""

    track: int
    """Place of the track in the file, from 0."""
    channel: int
    """0..15."""
    name: str
    """The track's name, may be empty."""
    notes: tuple[LineNote, ...] = field(repr=False)
    """By onset; may overlap."""
    number: int = 1
    """Place among the file's lines that have notes, from 1: how a user names it."""
    program: int | None = None
    """The General MIDI program of most of its notes, 0..127; None where the file says none."""
    drums: bool = False
    """True if its pitches are General MIDI drums."""
    alone: bool = True
    """True if its track has no other line, so that the track's name is its name."""
    levels: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    """Sample and loudness from there on, by channel volume and expression; 1 where they say nothing."""

    @property
    def label(self) -> str:
        """How a user finds it."""
        name = f"'{self.name}'" if self.name else f"track {self.number}"
        return name if self.name and self.alone else f"{name}, channel {self.channel + 1}"

    @property
    def end(self) -> int:
        """Where its last key is released."""
        return max([note.end for note in self.notes])

    def level(self, sample: int) -> float:
        """Its loudness at a sample."""
        place = bisect_right(self.levels, sample, key=itemgetter(0))
        return self.levels[place - 1][1] if place else 1.0

    def levelled(self) -> Line:
        """The line with all of its loudness in the velocities of its notes."""
        if not self.levels:
            return self
        loud = [round(note.velocity * self.level(note.onset)) for note in self.notes]
        notes = [n._replace(velocity=max(1, min(127, v))) for n, v in zip(self.notes, loud, strict=True)]
        return replace(self, notes=tuple(notes), levels=())

    def levels_between(self, start: int, end: int) -> Sequence[tuple[int, float]]:
        """Its changes of loudness after `start` and before `end`."""
        first = bisect_right(self.levels, start, key=itemgetter(0))
        return self.levels[first : bisect_left(self.levels, end, key=itemgetter(0))]


def read_lines(midi: MidiFile) -> tuple[list[Line], int]:
    """The lines of a file that have notes, in the order of its tracks, and its length in samples.

    Args:
        midi: of type 0 or 1.
    """
    lines: list[Line] = []
    length = 0
    times = tempo_map(midi.tracks, midi.division)
    drums = _drum_channels(midi.tracks)
    silent = [track for track in midi.tracks if not track.notes]  # what they say of a channel is for all
    for index, track in enumerate(midi.tracks):
        its_lines = _lines(index, [*silent, track], times, drums, len(lines) + 1)
        length = max([length, times.to_samples(track.end), *(line.end for line in its_lines)])
        lines += its_lines
    return lines, length


def left_out(midi: MidiFile, lines: Iterable[Line]) -> str:
    """What lines say that the four voices cannot play, as a sentence, or nothing."""
    found: dict[str, None] = {}
    for line in lines:
        track = midi.tracks[line.track]
        if line.channel in track.bent:
            found["pitch bend"] = None
        moved = {c.number for c in track.controls if c.value and c.channel == line.channel}
        found |= dict.fromkeys(what for number, what in _LEFT_OUT.items() if number in moved)
    return f"Left out, since the four voices have none: {', '.join(found)}." if found else ""


def _drum_channels(tracks: Sequence[Track]) -> set[int]:
    """The channels whose pitches are drums: 10, and those that a message says to be."""
    channels = {gm.DRUM_CHANNEL}
    for track in tracks:
        channels |= track.drums
        channels |= {c.channel for c in track.controls if c.number == _BANK and c.value == _DRUM_BANK}
    return channels


def _lines(index: int, tracks: Sequence[Track], times: TempoMap, drums: set[int], number: int) -> list[Line]:
    """The lines of the last of some tracks, one for each channel that has notes; the others have none."""
    track = tracks[-1]
    by_channel: defaultdict[int, list[NoteMessage]] = defaultdict(list)
    for message in track.notes:
        by_channel[message.channel].append(message)
    lines: list[Line] = []
    for channel, messages in sorted(by_channel.items()):
        paired = paired_notes(messages, track.end)
        if not paired:
            continue
        controls = sorted(c for its in tracks for c in its.controls if c.channel == channel)
        columns = np.fromiter(chain.from_iterable(paired), np.int64, 4 * len(paired)).reshape(-1, 4)
        onsets = times.all_to_samples(columns[:, 0])
        ends = np.maximum(times.all_to_samples(np.maximum(columns[:, 1], columns[:, 0] + 1)), onsets + 1)
        pitches = np.maximum(columns[:, 2], 1)
        order = np.lexsort((-ends, pitches, onsets))  # of doubled notes the longest comes first
        moments, tones = onsets[order], pitches[order]
        first = np.append(True, (np.diff(moments) > 0) | (np.diff(tones) > 0))
        order = order[first]
        fields = (column[order].tolist() for column in (onsets, ends, pitches, columns[:, 3], ends))
        together = tuple(map(fast_note, zip(*fields, strict=True)))
        lines.append(
            Line(
                index,
                channel,
                track.name,
                together if channel in drums else _pedalled(together, controls, times),
                number + len(lines),
                _program(tracks, channel, paired),
                channel in drums,
                len(by_channel) == 1,
                _levels(controls, times),
            )
        )
    return lines


def _pedalled(
    notes: tuple[LineNote, ...], controls: Iterable[ControlChange], times: TempoMap
) -> tuple[LineNote, ...]:
    """Notes that ring on while the pedal is down, until they are struck again."""
    moves = [(control.ticks, control.value >= 64) for control in controls if control.number == PEDAL]
    if not any(down for _, down in moves):
        return notes
    moments = times.all_to_samples(np.array([ticks for ticks, _ in moves])).tolist()
    down = [is_down for _, is_down in moves]
    lifts: list[float] = []  # for each move, where the pedal comes up next
    lift = float("inf")
    for moment, is_down in zip(reversed(moments), reversed(down), strict=True):
        lift = lift if is_down else moment
        lifts.append(lift)
    lifts.reverse()
    last = max(note.end for note in notes)
    struck: dict[int, int] = {}  # pitch, and where it is struck next
    rung = []
    for note in reversed(notes):
        place = bisect_right(moments, note.end) - 1
        ring = note.end
        if place >= 0 and down[place]:
            ring = max(note.end, int(min(lifts[place], struck.get(note.pitch, last), last)))
        struck[note.pitch] = note.onset
        rung.append(fast_note((note.onset, note.end, note.pitch, note.velocity, ring)))
    return tuple(reversed(rung))


def _program(tracks: Iterable[Track], channel: int, notes: Sequence[TickNote]) -> int | None:
    """The program of most notes of a channel."""
    changes = sorted(
        (ticks, program)
        for track in tracks
        for ticks, its_channel, program in track.programs
        if its_channel == channel
    )
    if len(changes) < 2:
        return changes[0][1] if changes else None
    counts = Counter(changes[max(0, bisect_right(changes, (note.onset, 128)) - 1)][1] for note in notes)
    return counts.most_common(1)[0][0]


def _levels(controls: Iterable[ControlChange], times: TempoMap) -> tuple[tuple[int, float], ...]:
    """Channel volume and expression as one loudness over time."""
    volume, expression = _USUAL_VOLUME, _USUAL_EXPRESSION
    levels: dict[int, float] = {}
    for control in controls:
        if control.number == CHANNEL_VOLUME:
            volume = control.value
        elif control.number == EXPRESSION:
            expression = control.value
        else:
            continue
        levels[control.ticks] = volume * expression / (_USUAL_VOLUME * _USUAL_EXPRESSION)
    if not levels:
        return ()
    moments = times.all_to_samples(np.array(list(levels))).tolist()
    return tuple(zip(moments, levels.values(), strict=True))
