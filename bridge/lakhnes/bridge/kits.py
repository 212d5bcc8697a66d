"""Which lines of a file are drums, by their channel, their names, and what they play."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise

from lakhnes.bridge import gm
from lakhnes.bridge.gm import DrumRole
from lakhnes.bridge.lines import Line, LineNote
from lakhnes.runtime.music.timing import FRAME_SAMPLES

_NAMED = re.compile(
    r"\b(drums?|drum ?(kit|set|machine)s?|kit|percussions?|perc|schlagzeug|schlagwerk|batterie|bater[ií]a|"
    r"batteria|percusi[oó]n|percuss[aã]o|percussie|perkusja|bic[ií]|trummor|slagverk|drummer|\w+drummer|bfd\d?|"
    r"tr[- ]?[5-9]0[5-9]|ударн\w+|барабан\w*|ντραμς)\b|ドラム|パーカッション|打楽器|鼓|打击|打擊|드럼"
)
_PITCHED = re.compile(
    r"steel|hang ?drum|hand ?pan|tongue|drum ?(&|\+|and|'?n'?) ?bass|tuned|mallet|chromatic|timpani|定音鼓"
)
"""Of names that speak of drums, those of instruments that play tunes."""
_DRUM_NAMES = {
    36: r"kick|bass ?drum|[bk]d",
    38: r"snare|rim ?shots?|sd",
    39: r"(hand)?claps?",
    42: r"hi-? ?hats?|hats?|[co]?hh[co]?|[co]h ?[5-9]0[5-9]",
    45: r"toms|tom-?toms?|floor tom",
    49: r"cymbals?|crash",
    51: r"ride",
    54: r"tambourine",
    56: r"cowbell",
    61: r"bongos?",
    63: r"congas?",
    70: r"shaker|maracas",
}
"""Drums, and how a track is called that has this one only."""
_AROUND = (
    r"(acoustic|electric|drums?|cymbals?|open|closed|high|low|mid|left|right|top|bottom|main|in|out|sub|[lr]|"
    r"\W|\d)*"
)
_ONE_DRUM = {drum: re.compile(f"{_AROUND}({name}){_AROUND}") for drum, name in _DRUM_NAMES.items()}
_BEAT = re.compile(r"(drum ?)?beats?\W*\d*")  # nothing else, as songs are called so too

_UNPITCHED = (None, 0, 113, 115, 116, 117, 118)
"""Programs of tracks that are called drums: none or 0, as where nobody chose one, and what is a drum."""
_NOTHING_CHOSEN = (None, 0)

_TUNE_PITCHES = 5
_KIT_SHARE, _BEATS_SHARE, _ABOVE_KIT_SHARE = 0.42, 0.6, 0.7
"""Share of the three most frequent pitches, at least: of 99 % of recorded kits; of those that strike one drum
after the other; of drums above a kit, such as congas."""
_ABOVE_KIT = 59
_ALONE = 0.05
"""Share of notes that come with the one before, up to which a line strikes one after the other."""

_FEWEST_HITS = 8
_KIT_SHARES = {(DrumRole.KICK,): 0.05, (DrumRole.SNARE,): 0.05, (DrumRole.HAT, DrumRole.CYMBAL): 0.2}
"""Shares of the hits of a kit, at least."""
_KIT_OTHERS = {(DrumRole.TOM,): 0.25, (DrumRole.OTHER,): 0.05}
"""Shares of the hits of a kit, at most; chords in the bass have more of what would be toms."""
_STRUCK_TOGETHER = 0.1
"""Share of the hits of a kit that come with another one, at least."""


def drum_lines(lines: Sequence[Line]) -> list[Line]:
    """The lines that are drums: those of the drum channel, and those called so; else what sounds like a kit.

    What is called a drum but has a program of its own is one only where there is no drum channel: General
    MIDI plays it at pitches, which say nothing of a kit. What is called a drum but plays a tune is none.
    """
    programs = _NOTHING_CHOSEN if any(line.drums for line in lines) else _UNPITCHED
    drums = [line for line in lines if line.drums or (line.program in programs and _is_called_drums(line))]
    return drums or [line for line in lines if line.program in _NOTHING_CHOSEN and _sounds_like_a_kit(line)]


def _is_called_drums(line: Line) -> bool:
    name = line.name.lower()
    called = _NAMED.search(name) or _BEAT.fullmatch(name) or _drum_called(line) is not None
    return line.alone and bool(called) and not _PITCHED.search(name) and not _is_a_tune(line)


def _is_a_tune(line: Line) -> bool:
    """Whether a line spreads over more pitches than drummers do, who mostly strike the same few."""
    drum = _drum_called(line)
    if drum is not None and _share_of(line, (gm.role_of_drum(drum),)) >= 0.5:
        return False
    pitches = Counter(note.pitch for note in line.notes)
    most = sum(count for _, count in pitches.most_common(3)) / len(line.notes)
    if _share_together(line) > _ALONE:
        return len(pitches) >= _TUNE_PITCHES and most < _KIT_SHARE
    high = sum(count for pitch, count in pitches.items() if pitch > _ABOVE_KIT) > len(line.notes) / 2
    return len(pitches) >= _TUNE_PITCHES and most < (_ABOVE_KIT_SHARE if high else _BEATS_SHARE)


def _sounds_like_a_kit(line: Line) -> bool:
    """Whether a line that nothing calls drums has kicks, snares and hats, some of them together."""
    return (
        len(line.notes) >= _FEWEST_HITS
        and all(_share_of(line, roles) >= least for roles, least in _KIT_SHARES.items())
        and all(_share_of(line, roles) <= most for roles, most in _KIT_OTHERS.items())
        and _share_together(line) >= _STRUCK_TOGETHER
    )


def _share_of(line: Line, roles: Collection[DrumRole]) -> float:
    """Share of notes whose pitches are drums of some roles."""
    return sum(gm.role_of_drum(note.pitch) in roles for note in line.notes) / len(line.notes)


def _share_together(line: Line) -> float:
    """Share of notes that are struck with the one before."""
    return sum(b.onset - a.onset < FRAME_SAMPLES for a, b in pairwise(line.notes)) / len(line.notes)


def _drum_called(line: Line) -> int | None:
    """The one drum that a track is called after; None for a kit and for the drum channel."""
    if line.drums:
        return None
    name = line.name.lower()
    return next((drum for drum, pattern in _ONE_DRUM.items() if pattern.fullmatch(name)), None)


def hits_of(line: Line) -> Iterator[LineNote]:
    """The notes of a line as hits of General MIDI drums, as loud as they are heard."""
    drum = _drum_called(line)
    for note in line.levelled().notes:
        if drum is None or gm.role_of_drum(note.pitch) is gm.role_of_drum(drum):
            yield note
        else:
            yield note._replace(pitch=drum)
