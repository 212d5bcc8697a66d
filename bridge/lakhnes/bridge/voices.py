"""Which of a MIDI file's lines becomes which of the four voices, and how each is made monophonic."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from lakhnes.bridge import gm
from lakhnes.runtime.music.events import Voice, octave_shifted
from lakhnes.runtime.music.score import Note

MELODIC = (Voice.P1, Voice.P2, Voice.TR)

_NAMES = (
    (Voice.P1, r"\b(p|pu|pulse|sq|sqr|square)[\s_-]*(1|a|i|one)\b"),
    (Voice.P2, r"\b(p|pu|pulse|sq|sqr|square)[\s_-]*(2|b|ii|two)\b"),
    (Voice.TR, r"\b(tr|tri|triangle)\b"),
    (Voice.NO, r"\b(no|noise)\b"),
    (Voice.NO, r"\b(drums?|drum ?kit|percussion)\b"),
    (Voice.TR, r"\bbass\b"),
    (Voice.P1, r"\b(melody|lead|vocals?|solo)\b"),
)
"""What track names say, the chip's own names first."""

_MONOPHONIC = 0.9
"""Share of notes that must sound alone in a line that keeps its channel's voice."""


@dataclass(frozen=True, slots=True)
class Line:
    """The notes of one track on one channel; on the drum channel pitches are General MIDI's drums."""

    track: int
    """Place of the track in the file, from 0."""
    channel: int
    """0..15."""
    name: str
    """The track's name, may be empty."""
    notes: tuple[Note, ...] = field(repr=False)
    """By onset; may overlap."""

    @property
    def label(self) -> str:
        """How a user finds it."""
        return f"{self.name!r}" if self.name else f"track {self.track + 1}, channel {self.channel + 1}"

    @property
    def mean_pitch(self) -> float:
        """Mean pitch weighted by length."""
        return sum(n.pitch * n.length for n in self.notes) / sum(n.length for n in self.notes)

    @property
    def is_monophonic(self) -> bool:
        """Whether nearly all of its notes sound alone."""
        return len(monophonic(self.notes, highest=True)) >= _MONOPHONIC * len(self.notes)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The four voices and what was decided on the way."""

    notes: Mapping[Voice, tuple[Note, ...]]
    """Monophonic, within the vocabularies' ranges."""
    remarks: tuple[str, ...]
    """What became of the lines, a sentence each."""


def arrange(lines: Sequence[Line]) -> Arrangement:
    """Assigns lines to the four voices: by name, else by channel, else by pitch and drum role.

    Args:
        lines: none of them empty.
    """
    chosen = _by_name(lines)
    if not chosen:
        chosen = _by_channel(lines)
    chosen = {**chosen, **_by_role([line for line in lines if line not in chosen.values()], chosen)}
    remarks: list[str] = []
    notes: dict[Voice, tuple[Note, ...]] = {}
    for voice in sorted(chosen):
        line = chosen[voice]
        drums = line.channel == gm.DRUM_CHANNEL
        single, moved = fitted(
            monophonic(line.notes, highest=voice in (Voice.P1, Voice.P2)), voice, drums=drums
        )
        notes[voice] = tuple(single)
        remark = f"{voice.name} plays {line.label}"
        if len(single) < len(line.notes):
            remark += f", {len(line.notes) - len(single)} of {len(line.notes)} notes left out"
        if moved:
            remark += f", {moved} shifted by octaves into its range"
        remarks.append(remark + ".")
    used = {(line.track, line.channel) for line in chosen.values()}
    left = [line.label for line in lines if (line.track, line.channel) not in used]
    if left:
        more = f" and {len(left) - 8} more" if len(left) > 8 else ""
        remarks.append(f"Not used: {', '.join(left[:8])}{more}.")
    return Arrangement(notes, tuple(remarks))


def _by_name(lines: Sequence[Line]) -> dict[Voice, Line]:
    """The fullest line of each voice that track names speak of."""
    chosen: dict[Voice, Line] = {}
    for voice, pattern in _NAMES:
        named = [
            line
            for line in lines
            if line not in chosen.values()
            and re.search(pattern, line.name.lower())
            and (voice is Voice.NO or line.channel != gm.DRUM_CHANNEL)
        ]
        if voice not in chosen and named:
            chosen[voice] = max(named, key=lambda line: len(line.notes))
    return chosen


def _by_channel(lines: Sequence[Line]) -> dict[Voice, Line]:
    """The lines of a file that uses our channels and nothing else, each for itself and monophonic."""
    voices = {channel: voice for voice, channel in gm.CHANNELS.items()}
    channels = [line.channel for line in lines]
    ours = len(lines) > 1 and len(set(channels)) == len(channels) and set(channels) <= set(voices)
    if not ours or not all(line.is_monophonic for line in lines if line.channel != gm.DRUM_CHANNEL):
        return {}
    return {voices[line.channel]: line for line in lines}


def _by_role(lines: Sequence[Line], taken: Iterable[Voice]) -> dict[Voice, Line]:
    """Drums to the noise, the lowest line to the triangle, the highest and the next fullest to the pulses."""
    free = [voice for voice in MELODIC if voice not in taken]
    chosen: dict[Voice, Line] = {}
    drums = [line for line in lines if line.channel == gm.DRUM_CHANNEL]
    if drums and Voice.NO not in taken:
        together = tuple(sorted((n for line in drums for n in line.notes), key=attrgetter("onset")))
        first = drums[0]
        chosen[Voice.NO] = Line(first.track, first.channel, first.name, together)
    pool = [line for line in lines if line.channel != gm.DRUM_CHANNEL]
    if not pool:
        return chosen
    while len(pool) < len(free):
        dense = max(pool, key=lambda line: len(line.notes) - len(monophonic(line.notes, highest=True)))
        if dense.is_monophonic:
            break
        pool.remove(dense)
        pool += _peel(dense, highest=len(pool) > 0)
    if Voice.TR in free and len(pool) > 1:
        chosen[Voice.TR] = min(pool, key=attrgetter("mean_pitch"))
        pool.remove(chosen[Voice.TR])
    left = [voice for voice in free if voice not in chosen]
    pool = sorted(pool, key=lambda line: len(line.notes), reverse=True)[: len(left)]
    pool.sort(key=attrgetter("mean_pitch"), reverse=True)
    return {**chosen, **dict(zip(left, pool, strict=False))}


def _peel(line: Line, *, highest: bool) -> list[Line]:
    """A polyphonic line as its outer voice and the rest."""
    outer = monophonic(line.notes, highest=highest)
    onsets = {(note.onset, note.pitch) for note in outer}
    rest = [note for note in line.notes if (note.onset, note.pitch) not in onsets]
    return [Line(line.track, line.channel, line.name, tuple(notes)) for notes in (outer, rest) if notes]


def monophonic(notes: Iterable[Note], *, highest: bool) -> list[Note]:
    """One line of notes that may overlap.

    Of notes that begin together the outermost stays, and one that lies wholly inside an outer one goes;
    else a note ends where the next begins.

    Args:
        notes: by onset.
        highest: whether the highest note is the outermost, or the lowest.
    """
    sign = 1 if highest else -1
    line: list[Note] = []
    for note in sorted(notes, key=lambda n: (n.onset, -sign * n.pitch)):
        if line and note.onset < line[-1].end:
            before = line[-1]
            inside = note.end <= before.end and sign * note.pitch < sign * before.pitch
            if inside or note.onset == before.onset:
                continue
            line[-1] = Note(before.onset, note.onset - before.onset, before.pitch, before.velocity)
        line.append(note)
    return line


def fitted(notes: Iterable[Note], voice: Voice, *, drums: bool) -> tuple[list[Note], int]:
    """Notes in a voice's range, and how many were shifted by octaves.

    Args:
        notes: of one line.
        voice: what plays them; the noise takes General MIDI drums by their kind, other pitches by height.
        drums: whether the pitches are General MIDI drums.
    """
    result: list[Note] = []
    moved = 0
    for note in notes:
        pitch = note.pitch
        if voice is Voice.NO:
            pitch = gm.noise_of_drum(pitch) if drums else 1 + pitch * 15 // 127
        else:
            pitch = octave_shifted(voice, pitch)
            moved += pitch != note.pitch
        result.append(Note(note.onset, note.length, pitch, 15 if voice is Voice.TR else note.velocity))
    return result, moved
