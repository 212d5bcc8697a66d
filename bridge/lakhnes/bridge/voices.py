"""Which of a MIDI file's lines becomes which of the four voices."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter, itemgetter
from types import MappingProxyType

from lakhnes.bridge import gm
from lakhnes.bridge.arpeggio import arpeggiated
from lakhnes.bridge.drums import merged, tally
from lakhnes.bridge.kits import drum_lines
from lakhnes.bridge.lines import Line, LineNote
from lakhnes.bridge.monophony import WINDOW, outline, share_alone, spaced
from lakhnes.bridge.passages import Filled, filled
from lakhnes.bridge.roles import Role, by_tune, by_worth, lead_and_bass, roles_of
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Kind, Voice, octave_shifted
from lakhnes.runtime.music.score import FULL_VELOCITY, Change, Note, Part

MELODIC = (Voice.P1, Voice.P2, Voice.TR)

_CHIP_NAMES = {
    Voice.P1: re.compile(r"\b(p|pu|pulse|sq|sqr|square)[\s_-]*(1|a|i|one)\b"),
    Voice.P2: re.compile(r"\b(p|pu|pulse|sq|sqr|square)[\s_-]*(2|b|ii|two)\b"),
    Voice.TR: re.compile(r"\b(tr|tri|triangle)\b(?!-\d0\d)"),
    Voice.NO: re.compile(r"\b(no|noise)\b"),
}

_MONOPHONIC = 0.9
"""Share of notes that must sound alone in a line of which no second voice is made."""

_DOUBLED = 0.8
"""Share of its moments from which on a line says nothing that another one does not."""

_VOLUMES = [gm.volume_of_midi(velocity) for velocity in range(128)]

_MOST_NAMED = 8
"""Lines that a remark lists."""


@dataclass(frozen=True, slots=True)
class Voicing:
    """The four voices and what was decided on the way."""

    parts: Mapping[Voice, Part]
    """Monophonic, within the vocabularies' ranges; volumes that change within notes too."""
    remarks: tuple[str, ...]
    """What became of the lines, a sentence each; none on a line that is the voice it is called."""


@dataclass(frozen=True, slots=True)
class _Playing:
    """What a voice plays."""

    lines: tuple[Line, ...]
    notes: list[LineNote]
    """One after the other, a frame long at least."""
    how: str = ""
    """Which notes of its lines, "the highest notes of {}"; empty for all."""
    filled: Filled | None = None
    """What other lines play in its rests; `notes` has it too."""

    @property
    def others(self) -> tuple[Line, ...]:
        """The lines of which it plays passages."""
        return self.filled.lines if self.filled is not None else ()


def arrange(
    lines: Sequence[Line],
    *,
    window: int = WINDOW,
    wanted: Mapping[Voice, Sequence[Line]] = MappingProxyType({}),
    arpeggio: bool = False,
) -> Voicing:
    """Assigns lines to the four voices: as it is wanted, else by the chip's own names, else by musical role.

    Args:
        lines: none of them empty.
        window: samples within which notes are struck together.
        wanted: lines that voices are to play, whatever they are called; no line for a silent voice.
        arpeggio: whether a chord part that has one voice becomes an arpeggio at the rate of frames.
    """
    chosen = {voice: list(its) for voice, its in wanted.items()}
    taken = [line for its in chosen.values() for line in its]
    named = _by_chip_name([line for line in lines if line not in taken])
    chosen |= {voice: [line] for voice, line in named.items() if voice not in chosen}
    taken = [line for its in chosen.values() for line in its]
    left = [line for line in lines if line not in taken]
    left = [line for line in left if not line.is_silent] or left
    drums = drum_lines(left)
    playing = _playing(chosen, window, arpeggio=arpeggio)
    if Voice.NO not in chosen and drums:
        playing[Voice.NO] = _drum_voice(drums, window)
    melodic = [line for line in left if line not in drums]
    if not chosen and (by_channel := _by_channel(melodic, window)):
        playing |= _playing(by_channel, window, arpeggio=False)
    else:
        free = [voice for voice in MELODIC if voice not in chosen]
        playing |= _by_role(roles_of(melodic, window), free, window, arpeggio=arpeggio)
    parts: dict[Voice, Part] = {}
    moved: dict[Voice, int] = {}
    for voice in sorted(playing):
        parts[voice], moved[voice] = _part(voice, playing[voice])
    return Voicing(parts, tuple(_remarks(lines, playing, moved)))


def _by_chip_name(lines: Sequence[Line]) -> dict[Voice, Line]:
    """The fullest line of each voice that is called by the chip's name; the drum channel beats such names."""
    chosen: dict[Voice, Line] = {}
    has_drums = any(line.drums for line in lines)
    for voice, pattern in _CHIP_NAMES.items():
        named = [
            line
            for line in lines
            if pattern.search(line.name.lower())
            and (line.drums or not has_drums if voice is Voice.NO else not line.drums)
            and line not in chosen.values()
        ]
        if named:
            chosen[voice] = max(named, key=lambda line: len(line.notes))
    return chosen


def _by_channel(lines: Sequence[Line], window: int) -> dict[Voice, list[Line]]:
    """The lines of a file that uses our three melodic channels, each for itself and monophonic."""
    voices = {channel: voice for voice, channel in gm.CHANNELS.items() if voice in MELODIC}
    if len(lines) != len(voices) or {line.channel for line in lines} != set(voices):
        return {}
    ours = all(line.program in (None, gm.PROGRAMS[voices[line.channel]]) for line in lines)
    if not ours or any(share_alone(line.notes, window) < _MONOPHONIC for line in lines):
        return {}
    return {voices[line.channel]: [line] for line in lines}


def _playing(chosen: Mapping[Voice, Sequence[Line]], window: int, *, arpeggio: bool) -> dict[Voice, _Playing]:
    """What voices play that know their lines."""
    playing: dict[Voice, _Playing] = {}
    for voice, lines in chosen.items():
        if not lines:
            continue
        if len(lines) > 1:  # each is as loud as it says
            lines = [line.levelled() for line in lines]
        hits = [line for line in drum_lines(lines) if not _is_chip(voice, line)]
        if voice is Voice.NO and hits:
            playing[voice] = _drum_voice(hits, window)
            continue
        notes = sorted(note for line in lines for note in line.notes)
        highest = voice is not Voice.TR
        single = outline(notes, highest=highest, window=window)
        if all(_is_chip(voice, line) for line in lines):  # as it is, however short
            playing[voice] = _Playing(tuple(lines), _cut(single))
        else:
            playing[voice] = _voice(lines, notes, single, window, arpeggio=arpeggio and highest)
    return playing


def _is_chip(voice: Voice, line: Line) -> bool:
    return bool(_CHIP_NAMES[voice].search(line.name.lower()))


def _voice(
    lines: Sequence[Line],
    notes: Sequence[LineNote],
    single: Sequence[LineNote],
    window: int,
    *,
    arpeggio: bool = False,
    how: str = "",
) -> _Playing:
    """One voice of notes that may overlap, and of the line that an ear follows in them."""
    if arpeggio and len(single) < _MONOPHONIC * len(notes):
        return _Playing(tuple(lines), spaced(arpeggiated(notes, window)), "the chords of {} as arpeggios")
    return _Playing(tuple(lines), spaced(single), how)


def _cut(notes: Sequence[LineNote]) -> list[LineNote]:
    """Notes that end where the next begins, if not before; of two that begin together the first."""
    line: list[LineNote] = []
    for note in notes:
        if line and line[-1].onset == note.onset:
            continue
        if line and line[-1].ring > note.onset:
            line[-1] = line[-1]._replace(end=note.onset, ring=note.onset)
        line.append(note._replace(end=note.ring))
    return line


def _drum_voice(lines: Sequence[Line], window: int) -> _Playing:
    hits = merged(lines, window)
    return _Playing(tuple(lines), hits, f"the drums of {{}} ({tally(hits)})")


def _by_role(
    roles: Sequence[Role], free: Sequence[Voice], window: int, *, arpeggio: bool
) -> dict[Voice, _Playing]:
    """The lead for the first free pulse, the bass for the triangle, the others as they deserve it."""
    if not roles or not free:
        return {}
    lead, bass = lead_and_bass(roles)
    if Voice.TR not in free:
        lead, bass = lead or bass, None
    chosen: dict[Voice, _Playing] = {}
    if bass is not None:
        chosen[Voice.TR] = _sung(bass, Voice.TR, window)
    first = next((voice for voice in free if voice is not Voice.TR), None)
    if first is not None and lead is not None:
        chosen[first] = _sung(lead, first, window)
    given = [role for role in (lead, bass) if role is not None]
    pool = [role for role in by_worth(roles, given) if role not in given and _says_something(role, roles)]
    doubling = [role for role in pool if _is_doubled(role, given)]
    pool = [role for role in pool if role not in doubling]
    for voice in [voice for voice in free if voice not in chosen]:
        second = next(iter(pool), None)
        if second is not None:
            pool.remove(second)
            chosen[voice] = _sung(second, voice, window, arpeggio=arpeggio)
    left = [voice for voice in free if voice not in chosen]
    for voice in reversed(left):  # the bass of a single part first, then what is between
        rests = [(role, _without(role.line, chosen.values())) for role in given if role.alone < _MONOPHONIC]
        role, notes = max(rests, key=lambda rest: len(rest[1]), default=(None, []))
        if role is None or not notes:
            break
        highest = voice is not Voice.TR
        single = outline(notes, highest=highest, window=window)
        how = "the notes between of {}" if highest else "the lowest notes of {}"
        alone = arpeggio and highest and len(left) == 1
        chosen[voice] = _voice([role.line], notes, single, window, arpeggio=alone, how=how)
    for voice, role in zip([voice for voice in free if voice not in chosen], doubling, strict=False):
        chosen[voice] = _sung(role, voice, window, arpeggio=arpeggio)
    return _filled(chosen, [role for role in by_tune(roles) if role not in doubling], window)


def _filled(chosen: dict[Voice, _Playing], order: Sequence[Role], window: int) -> dict[Voice, _Playing]:
    """Voices whose rests are filled with what the others leave out, the pulses first.

    Args:
        chosen: what they play.
        order: lines that may play there, the most melodious first; for the triangle the lowest comes first.
        window: samples within which notes are struck together.
    """
    played = {(note.onset, note.pitch) for its in chosen.values() for note in its.notes}
    for voice, playing in sorted(chosen.items(), key=itemgetter(0)):
        low = voice is Voice.TR
        if low:
            takes = sorted((role for role in order if role.is_bass or role.is_low), key=attrgetter("depth"))
        else:
            takes = [role for role in order if not role.is_bass]
        passages = filled(
            playing.notes, (role.line for role in takes), played, highest=not low, window=window
        )
        if passages.lines:
            chosen[voice] = replace(playing, notes=passages.notes, filled=passages)
            played |= {(note.onset, note.pitch) for note in passages.notes}
    return chosen


def _sung(role: Role, voice: Voice, window: int, *, arpeggio: bool = False) -> _Playing:
    """The line of a role, of which a pulse plays the top and the triangle the bottom."""
    low = voice is Voice.TR
    how = f"the {'lowest' if low else 'highest'} notes of {{}}" if role.alone < _MONOPHONIC else ""
    single = role.bottom if low else role.top
    return _voice([role.line], role.line.notes, single, window, arpeggio=arpeggio and not low, how=how)


def _is_doubled(role: Role, given: Sequence[Role]) -> bool:
    """Whether a line says nothing that those which have a voice do not say."""
    return any(role.doubles(other) > _DOUBLED for other in given) or role.is_said_by(given)


def _says_something(role: Role, roles: Sequence[Role]) -> bool:
    """Whether a line is more than a few notes beside the fullest."""
    return len(role.line.notes) >= 0.05 * max(len(other.line.notes) for other in roles)


def _without(line: Line, playing: Iterable[_Playing]) -> list[LineNote]:
    """The notes of a line that no voice plays yet."""
    played = {(note.onset, note.pitch) for its in playing if line in its.lines for note in its.notes}
    return [note for note in line.notes if (note.onset, note.pitch) not in played]


def _part(voice: Voice, playing: _Playing) -> tuple[Part, int]:
    """The part of a voice in its range, and how many notes were shifted by octaves."""
    drums = voice is Voice.NO and bool(drum_lines(playing.lines))
    notes: list[Note] = []
    changes: list[Change] = []
    moved = 0
    line = playing.lines[0]
    filled_onsets = playing.filled.onsets if playing.filled is not None else frozenset()
    levelled = bool(line.levels) and voice is not Voice.TR and not drums
    pitches = _pitches(voice, drums=drums)
    for onset, _, source_pitch, velocity, ring in playing.notes:
        pitch = pitches[source_pitch]
        moved += pitch != source_pitch
        volume = FULL_VELOCITY if voice is Voice.TR else _VOLUMES[velocity]
        if levelled and onset not in filled_onsets:
            volume = _volume(velocity, line.level(onset))
            changes += _swell(line, LineNote(onset, ring, pitch, velocity, ring), volume)
        notes.append(Note(onset, ring - onset, pitch, volume))
    if voice is Voice.NO:  # its pitches are no octaves
        moved = 0
    return Part(tuple(notes), tuple(sorted(changes, key=attrgetter("order")))), moved


@cache
def _pitches(voice: Voice, *, drums: bool) -> list[int]:
    """What a voice plays for each MIDI pitch, 0..127."""
    if voice is Voice.NO:
        return [gm.noise_of_drum(pitch) if drums else 1 + pitch * 15 // 127 for pitch in range(128)]
    known = VOCABULARY_PITCHES[voice]
    return [pitch if pitch in known else octave_shifted(voice, pitch) for pitch in range(128)]


def _swell(line: Line, note: LineNote, volume: int) -> list[Change]:
    """How a note's volume changes while it sounds."""
    changes: dict[int, Change] = {}
    for sample, level in line.levels_between(note.onset, note.ring):
        now = _volume(note.velocity, level)
        if now != volume:
            changes[sample] = Change(sample, Kind.VELOCITY, now)
            volume = now
    return list(changes.values())


def _volume(velocity: int, level: float) -> int:
    return _VOLUMES[min(127, round(velocity * level))]


def _remarks(
    lines: Sequence[Line], playing: Mapping[Voice, _Playing], moved: Mapping[Voice, int]
) -> Iterator[str]:
    """What became of the lines, a sentence each; nothing on a voice that is what its line is called."""
    played: defaultdict[tuple[int, int], int] = defaultdict(int)
    for voice, its in sorted(playing.items()):
        for line in its.lines:
            played[line.track, line.channel] += len(its.notes) - len(its.filled.onsets if its.filled else ())
        for line, count in zip(its.others, its.filled.counts if its.filled else (), strict=True):
            played[line.track, line.channel] += count
        if [line.name for line in its.lines] != [gm.TRACK_NAMES[voice]]:
            what = _listed([line.label for line in its.lines])
            others = (
                f", and in its rests {_listed([line.label for line in its.others])}" if its.others else ""
            )
            yield f"{gm.TRACK_NAMES[voice]} plays {its.how.format(what) if its.how else what}{others}."
        if moved[voice]:
            notes = "note was" if moved[voice] == 1 else "notes were"
            yield f"{moved[voice]} {notes} shifted by octaves into the range of {gm.TRACK_NAMES[voice]}."
    for its in {id(its.lines[0]): its for its in playing.values()}.values():
        there = sum(len(line.notes) for line in its.lines)
        left = there - played[its.lines[0].track, its.lines[0].channel]
        if left > 0:
            what = _listed([line.label for line in its.lines])
            yield f"Left out: {left} of {there} notes of {what}, which sound together with others."
    unused = [line for line in lines if (line.track, line.channel) not in played]
    for why, idle in (
        (", since the file has its volume at 0", [line.label for line in unused if line.is_silent]),
        ("", [line.label for line in unused if not line.is_silent]),
    ):
        if idle:
            yield f"Not used{why}: {_listed(idle)}."


def _listed(labels: Sequence[str]) -> str:
    """Labels in a row, of many the first ones."""
    shown = list(labels[:_MOST_NAMED])
    if len(labels) > _MOST_NAMED:
        shown.append(f"{len(labels) - _MOST_NAMED} more")
    return " and ".join(filter(None, [", ".join(shown[:-1]), shown[-1]]))


__all__ = ["MELODIC", "Line", "Voicing", "arrange"]
