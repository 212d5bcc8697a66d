"""Guitars, basses and MPE with a MIDI channel or a track for each string or finger, as one line each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from lakhnes.bridge.lines import Line, channel_lines
from lakhnes.bridge.monophony import share_alone
from lakhnes.bridge.mpe import mpe_channels
from lakhnes.bridge.smf import MidiFile, Track
from lakhnes.bridge.string_tracks import name_of_strings, string_groups

_PLUCKED = (*range(24, 40), *range(104, 108))
"""General MIDI programs of guitars, basses, sitar, banjo, shamisen and koto."""
_CALLED_PLUCKED = re.compile(
    r"\bg(ui)?ta?r|\bgita|\bchitarra|\bviol[aã]o|\bbass?\b|banjo|ukulele|ギター|吉他|гитар"
)

_STRINGS = 4
"""Channels of a file of a single track from which on they are strings: fewer may be as many guitars."""
_ALONE = 0.9
"""Share of notes that a string plays one after the other; the rest are releases that come late."""


def read_lines(midi: MidiFile) -> tuple[list[Line], int]:
    """The lines of a file that have notes, in the order of its tracks, and its length in samples.

    Args:
        midi: of type 0 or 1.
    """
    lines, length = channel_lines(midi)
    return _joined(lines, midi.tracks), length


def _joined(lines: Sequence[Line], tracks: Sequence[Track]) -> list[Line]:
    """Lines of which those that are strings of one instrument are one.

    They are where each is a track that is named as one, see `string_groups`; and where a track plays them at
    one plucked program. Where all notes of the file are in one track, which then may hold a whole band, there
    must be four of them at least, each one note after the other.

    The lines of a zone of MPE are one too. All are numbered anew.
    """
    instruments = string_groups(lines, tracks, _is_plucked)
    strings = {line.number for its in instruments for line in its}
    found = [_of_tracks(its) for its in instruments]
    groups: defaultdict[tuple[int, ...], list[Line]] = defaultdict(list)
    single = len({line.track for line in lines}) == 1
    zones = [mpe_channels(track) for track in tracks]
    for line in lines:
        if line.number in strings:
            continue
        if line.channel in zones[line.track]:
            key: tuple[int, ...] = (line.track,)
        elif _is_plucked(line) and not (single and (line.program is None or _chords(line))):
            key = (line.track, -1 if line.program is None else line.program)
        else:
            key = (line.track, line.channel, line.number)
        groups[key].append(line)
    for key, group in groups.items():
        if len(key) == 2 and single and len(group) < _STRINGS:
            found += group
        else:
            found.append(_one(group, lines) if len(group) > 1 else group[0])
    found.sort(key=lambda line: line.number)
    return [replace(line, number=place) for place, line in enumerate(found, 1)]


def _is_plucked(line: Line) -> bool:
    if line.drums:
        return False
    return line.program in _PLUCKED or (not line.program and bool(_CALLED_PLUCKED.search(line.name.lower())))


def _chords(line: Line) -> bool:
    return share_alone(line.notes) < _ALONE


def _one(group: Sequence[Line], lines: Iterable[Line]) -> Line:
    """Several lines of a track as one."""
    alone = sum(line.track == group[0].track for line in lines) == len(group)
    return replace(_together(group), alone=alone, others=tuple(line.channel for line in group[1:]))


def _of_tracks(strings: Sequence[Line]) -> Line:
    """The strings of an instrument that have a track each as one."""
    others = sorted({line.channel for line in strings} - {strings[0].channel})
    return replace(
        _together(strings),
        name=name_of_strings([line.name for line in strings]),
        others=tuple(others),
        other_tracks=tuple(line.track for line in strings[1:]),
    )


def _together(group: Sequence[Line]) -> Line:
    """The first of several lines with the notes of all; each is as loud as it says."""
    if any(line.levels != group[0].levels for line in group):
        group = [line.levelled() for line in group]
    return replace(group[0], notes=tuple(sorted(note for line in group for note in line.notes)))
