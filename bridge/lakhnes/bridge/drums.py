"""Drums of any number of tracks as one voice of noise: which hits are heard, and for how long."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise

from lakhnes.bridge import gm
from lakhnes.bridge.gm import DrumRole
from lakhnes.bridge.kits import hits_of
from lakhnes.bridge.lines import Line, LineNote, fast_note
from lakhnes.bridge.monophony import NEAR, WINDOW, spaced
from lakhnes.runtime.music.timing import FRAME_SAMPLES

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
_SNARE_FIRST = 1.25
"""How much louder than a snare a kick must be to win over it."""
_NAMES = {
    DrumRole.KICK: "kick",
    DrumRole.SNARE: "snare",
    DrumRole.TOM: "tom",
    DrumRole.CYMBAL: "cymbal",
    DrumRole.HAT: "hat",
    DrumRole.OTHER: "other",
}


def merged(lines: Iterable[Line], window: int = WINDOW) -> list[LineNote]:
    """The hits of drum lines that one voice plays; their pitches are still General MIDI drums.

    A hit is an onset. Of hits that come together the weightier role is heard, of one role the louder. Kicks,
    snares and then toms yield to no hat or cymbal, and to each other only where they find no frame of their
    own.

    Args:
        lines: of drums.
        window: samples within which hits come together.
    """
    window = max(window, FRAME_SAMPLES)
    hits = [hit for line in lines for hit in hits_of(line)]
    hits.sort(key=_weight, reverse=True)
    heard: list[int] = []
    kept: list[LineNote] = []
    for hit in hits:
        strong = gm.role_of_drum(hit.pitch) in _STRONG
        if (strong or not _near(heard, hit.onset, window)) and _fits(heard, hit.onset):
            insort(heard, hit.onset)
            kept.append(fast_note((*hit[:4], hit.onset + _ring(hit.pitch))))
    return spaced(sorted(kept))


def tally(hits: Iterable[LineNote]) -> str:
    """Return the number of hits of each role, in words."""
    counts = Counter(gm.role_of_drum(hit.pitch) for hit in hits)
    return ", ".join(f"{_NAMES[role]} {counts[role]}" for role in _NAMES if counts[role])


def _weight(hit: LineNote) -> tuple[int, float, int, int]:
    """Rank a hit: kicks and snares win, the louder first; then toms; then role and loudness.

    A snare wins over a kick that is not much louder: kicks on all four beats are heard as such without those
    under the snare, while a rhythm without its snare is another one.
    """
    role = gm.role_of_drum(hit.pitch)
    if role in _BACKBEAT:
        loudness = hit.velocity * (_SNARE_FIRST if role is DrumRole.SNARE else 1)
        return 3, loudness, role, -hit.onset
    return int(role in _STRONG), role, hit.velocity, -hit.onset


def _near(onsets: list[int], onset: int, window: int) -> bool:
    place = bisect_left(onsets, onset - window + 1)
    return place < len(onsets) and onsets[place] < onset + window


def _fits(onsets: list[int], onset: int) -> bool:
    """Whether every hit still gets a frame of its own near its onset after one more is added."""
    place = bisect_left(onsets, onset)
    run = [onset]  # the hits that may delay each other
    for before in reversed(range(place)):
        if run[0] - onsets[before] >= FRAME_SAMPLES + NEAR:
            break
        run.insert(0, onsets[before])
    for after in range(place, len(onsets)):
        if onsets[after] - run[-1] >= FRAME_SAMPLES + NEAR:
            break
        run.append(onsets[after])
    late = 0
    for one, following in pairwise(run):
        late = max(0, late + FRAME_SAMPLES - (following - one))
        if late > NEAR:
            return False
    return True


def _ring(drum: int) -> int:
    frames = _OPEN_FRAMES if drum in _OPEN_HATS else _FRAMES[gm.role_of_drum(drum)]
    return frames * FRAME_SAMPLES
