"""Drums of any number of tracks as one voice of noise: which hits are heard, and for how long."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence

from lakhnes.bridge import gm
from lakhnes.bridge.gm import DrumRole
from lakhnes.bridge.lines import Line, LineNote
from lakhnes.bridge.monophony import NEAR, WINDOW, spaced
from lakhnes.runtime.music.timing import FRAME_SAMPLES

_NAMED = re.compile(
    r"\b(drums?|drum ?kit|percussions?|perc|beats?|schlagzeug|batterie|bater[ií]a|batteria)\b"
    r"|ドラム|パーカッション"
)

_FRAMES = {
    DrumRole.HAT: 3,
    DrumRole.OTHER: 5,
    DrumRole.TOM: 8,
    DrumRole.CYMBAL: 24,
    DrumRole.KICK: 5,
    DrumRole.SNARE: 7,
}
"""Frames of a sixtieth of a second for which each role rings, since note-offs say nothing of drums."""

_OPEN_HATS = (26, 46)
_OPEN_FRAMES = 12

_BACKBEAT = (DrumRole.KICK, DrumRole.SNARE)
_STRONG = (*_BACKBEAT, DrumRole.TOM)
_NAMES = {
    DrumRole.KICK: "kick",
    DrumRole.SNARE: "snare",
    DrumRole.TOM: "tom",
    DrumRole.CYMBAL: "cymbal",
    DrumRole.HAT: "hat",
    DrumRole.OTHER: "other",
}


def drum_lines(lines: Sequence[Line]) -> list[Line]:
    """The lines that are drums: those of the drum channel, or where there is none, those called so."""
    by_channel = [line for line in lines if line.drums]
    return by_channel or [line for line in lines if line.alone and _NAMED.search(line.name.lower())]


def merged(lines: Iterable[Line], window: int = WINDOW) -> list[LineNote]:
    """The hits of drum lines that one voice plays; their pitches are still General MIDI drums.

    A hit is an onset. Of hits that come together the weightier role is heard, of one role the louder. Kicks,
    snares and then toms yield to no hat or cymbal, and to each other only where they are simultaneous.

    Args:
        lines: of drums.
        window: samples within which hits come together.
    """
    window = max(window, FRAME_SAMPLES)
    hits = [note for line in lines for note in line.levelled().notes]
    hits.sort(key=_weight, reverse=True)
    strong: list[int] = []
    heard: list[int] = []
    kept: list[LineNote] = []
    for hit in hits:
        if gm.role_of_drum(hit.pitch) in _STRONG:
            free = not _near(strong, hit.onset, FRAME_SAMPLES - NEAR)
            if free:
                insort(strong, hit.onset)
        else:
            free = not _near(heard, hit.onset, window)
        if free:
            insort(heard, hit.onset)
            kept.append(hit._replace(ring=hit.onset + _ring(hit.pitch)))
    return spaced(sorted(kept))


def tally(hits: Iterable[LineNote]) -> str:
    """Return the number of hits of each role, in words."""
    counts = Counter(gm.role_of_drum(hit.pitch) for hit in hits)
    return ", ".join(f"{_NAMES[role]} {counts[role]}" for role in _NAMES if counts[role])


def _weight(hit: LineNote) -> tuple[int, int, int, int]:
    """Rank a hit: kicks and snares win, the louder first; then toms; then role and loudness."""
    role = gm.role_of_drum(hit.pitch)
    strong = role in _BACKBEAT
    return (
        2 * strong + (role in _STRONG),
        hit.velocity if strong else role,
        role if strong else hit.velocity,
        -hit.onset,
    )


def _near(onsets: list[int], onset: int, window: int) -> bool:
    place = bisect_left(onsets, onset - window + 1)
    return place < len(onsets) and onsets[place] < onset + window


def _ring(drum: int) -> int:
    frames = _OPEN_FRAMES if drum in _OPEN_HATS else _FRAMES[gm.role_of_drum(drum)]
    return frames * FRAME_SAMPLES
