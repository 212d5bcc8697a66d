"""The lines of a MIDI file: what each track plays on each channel, in samples."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge import gm
from lakhnes.bridge.mpe import mpe_channels
from lakhnes.bridge.note_pairs import note_spans
from lakhnes.bridge.smf import ControlChange, MidiFile, NoteMessage, Track
from lakhnes.bridge.tempo_map import TempoMap, tempo_map

CHANNEL_VOLUME, EXPRESSION, PEDAL = 7, 11, 64
_USUAL_VOLUME, _USUAL_EXPRESSION = 100, 127
_BANK, _DRUM_BANK, _XG_DRUM_BANK = 0, 120, 127  # of General MIDI 2; another synthesizer has melodies in 127

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
    others: tuple[int, ...] = ()
    """Further channels that it is played on, as a guitar with one for each string."""
    other_tracks: tuple[int, ...] = ()
    """Further tracks that it is written in, as a guitar with one for each string."""

    @property
    def label(self) -> str:
        """How a user finds it."""
        name = f"'{self.name}'" if self.name else f"track {self.number}"
        if self.name and self.alone:
            return name
        channels = (self.channel, *self.others)
        others = f"s {min(channels) + 1} to {max(channels) + 1}" if self.others else f" {self.channel + 1}"
        return f"{name}, channel{others}"

    @property
    def end(self) -> int:
        """Where its last key is released."""
        return max([note.end for note in self.notes])

    def level(self, sample: int) -> float:
        """Its loudness at a sample."""
        place = bisect_right(self.levels, sample, key=itemgetter(0))
        return self.levels[place - 1][1] if place else 1.0

    @property
    def is_silent(self) -> bool:
        """Whether its volume is 0 from its first note to its last."""
        first = self.notes[0].onset
        return self.level(first) == 0 and not any(level for _, level in self.levels_between(first, self.end))

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


def channel_lines(midi: MidiFile) -> tuple[list[Line], int]:
    """The lines of a file that have notes, a line for each channel of a track, and its length in samples.

    Args:
        midi: of type 0 or 1.
    """
    lines: list[Line] = []
    length = 0
    times = tempo_map(midi.tracks, midi.division)
    drums = _drum_channels(midi.tracks)
    silent = [track for track in midi.tracks if not track.notes]  # what they say of a channel is for all
    for index, track in enumerate(midi.tracks):
        its_drums = drums - mpe_channels(track)
        its_lines = _lines(index, [*silent, track], times, its_drums, len(lines) + 1)
        length = max([length, times.to_samples(track.end), *(line.end for line in its_lines)])
        lines += its_lines
    return lines, length


def left_out(midi: MidiFile, lines: Iterable[Line]) -> str:
    """What lines say that the four voices cannot play, as a sentence, or nothing."""
    found: dict[str, None] = {}
    for line in lines:
        tracks = [midi.tracks[index] for index in (line.track, *line.other_tracks)]
        channels = {line.channel, *line.others}
        if any(channels & track.bent for track in tracks):
            found["pitch bend"] = None
        moved = {c.number for track in tracks for c in track.controls if c.value and c.channel in channels}
        found |= dict.fromkeys(what for number, what in _LEFT_OUT.items() if number in moved)
    return f"Left out, since the four voices have none: {', '.join(found)}." if found else ""


def _drum_channels(tracks: Sequence[Track]) -> set[int]:
    """The channels whose pitches are drums: 10, and those that a message says to be."""
    channels = {gm.DRUM_CHANNEL}
    banks = {_DRUM_BANK, _XG_DRUM_BANK} if any(track.xg for track in tracks) else {_DRUM_BANK}
    for track in tracks:
        channels |= track.drums
        channels |= {c.channel for c in track.controls if c.number == _BANK and c.value in banks}
    return channels


def _lines(index: int, tracks: Sequence[Track], times: TempoMap, drums: set[int], number: int) -> list[Line]:
    """The lines of the last of some tracks, one for each channel that has notes; the others have none."""
    track = tracks[-1]
    by_channel = _by_channel(track.notes)
    lines: list[Line] = []
    for channel, messages in sorted(by_channel.items()):
        spans = note_spans(messages, track.end)
        if not spans:
            continue
        controls = sorted(c for its in tracks for c in its.controls if c.channel == channel)
        columns = np.fromiter(chain.from_iterable(spans), np.int64, 4 * len(spans)).reshape(-1, 4)
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
                _program(tracks, channel, columns[:, 0]),
                channel in drums,
                len(by_channel) == 1,
                _levels(controls, times),
            )
        )
    return lines


def _by_channel(notes: list[NoteMessage]) -> Mapping[int, list[NoteMessage]]:
    """The messages of each channel; most tracks have one."""
    channels = {channel for _, channel, _, _ in notes}
    if len(channels) == 1:
        return {channels.pop(): notes}
    by_channel: defaultdict[int, list[NoteMessage]] = defaultdict(list)
    for message in notes:
        by_channel[message.channel].append(message)
    return by_channel


def _pedalled(
    notes: tuple[LineNote, ...], controls: Iterable[ControlChange], times: TempoMap
) -> tuple[LineNote, ...]:
    """Notes that ring on while the pedal is down, until they are struck again."""
    moves = [(control.ticks, control.value >= 64) for control in controls if control.number == PEDAL]
    if not any(down for _, down in moves):
        return notes
    moments = times.all_to_samples(np.array([ticks for ticks, _ in moves]))
    ends = np.array([note.end for note in notes])
    last = int(ends.max())
    lifts: list[
        int
    ] = []  # where the pedal comes up after each move, as far as there are notes; 0 where it is up
    lift = last
    for moment, (_, is_down) in zip(reversed(moments.tolist()), reversed(moves), strict=True):
        lift = lift if is_down else moment
        lifts.append(min(lift, last) if is_down else 0)
    lifts.reverse()
    held = np.array([0, *lifts])[np.searchsorted(moments, ends, "right")].tolist()
    struck: dict[int, int] = {}  # pitch, and where it is struck next
    rung = []
    for (onset, end, pitch, velocity, ring), until in zip(reversed(notes), reversed(held), strict=True):
        if until > end:
            ring = max(end, min(until, struck.get(pitch, last)))
        struck[pitch] = onset
        rung.append(fast_note((onset, end, pitch, velocity, ring)))
    return tuple(reversed(rung))


def _program(tracks: Iterable[Track], channel: int, onsets: NDArray[np.int64]) -> int | None:
    """The program of most notes of a channel, of their onsets in ticks."""
    changes = sorted(
        (ticks, program)
        for track in tracks
        for ticks, its_channel, program in track.programs
        if its_channel == channel
    )
    if len(changes) < 2:
        return changes[0][1] if changes else None
    ticks, programs = np.array(changes).T
    counts: Counter[int] = Counter(
        programs[np.maximum(np.searchsorted(ticks, onsets, "right") - 1, 0)].tolist()
    )
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
