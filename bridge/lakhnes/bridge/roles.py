"""What a line of a MIDI file does in the music: how much it is a lead, a bass, or a second voice."""

# ruff: noqa: RUF001 (letters of other alphabets are meant)
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from statistics import fmean

from lakhnes.bridge.lines import Line, LineNote
from lakhnes.bridge.monophony import WINDOW, outline
from lakhnes.runtime.music.events import SAMPLE_RATE

_LEADS = re.compile(
    r"m[eé]lod|\b(lead|vocals?|vox|voice|voix|voz|solo|sing(er|stimme)?|gesang|stimme|canto|chant|sopran\w*|"
    r"mezzo\w*|alto?|tenor\w*|baritone?|bariton\w*|zpěv|śpiew|sång|"
    r"мелод\w+|вокал|голос|соло|μελωδ\w+|φων\w+)\b|メロディ|リード|ボーカル|歌|旋律|主唱|人声|人聲|멜로디|보컬"
)
_PATCHES = re.compile(
    r"\b(square|sawtooth|calliope|chiff|charang|voice|fifths|bass( ?[&+])?) lead\b|\blead \d \(|"
    r"\b(synth voice|voice oohs|solo vox)\b"
)
"""General MIDI's names of sounds, which any part may be played with."""
_BASSES = re.compile(
    r"\b(\w*bass(?!\W*clef)\w*|baß|basse|basso|bajo|baixo|contraba\w+|tuba|kontrabass|bas|basgit\w+|baskyt\w+|"
    r"бас\w*|контрабас\w*|μπ[αά]σο)\b|ベース|低音|贝斯|貝斯|베이스"
)
_BACKINGS = re.compile(
    r"\b(back\w*|bg|bgv|choirs?|chorus|pads?|chords?|accomp\w*|comp|rhythm|strings?|harmon\w+|echo|delay|"
    r"аккорд\w*|хор|аккомпанемент)\b|コード|コーラス|和弦|和声|伴奏|合唱|코드"
)


def _families() -> list[tuple[float, float]]:
    """How much each General MIDI program is a lead, and a bass."""
    kinds = {
        range(0, 8): (0.0, 0.0),  # pianos
        range(8, 16): (0.1, -0.5),  # chromatic percussion
        range(16, 24): (-0.2, 0.0),  # organs, accordions
        range(24, 32): (0.1, 0.0),  # guitars
        range(32, 40): (-2.0, 2.5),  # basses
        range(40, 44): (0.6, 0.0),  # strings, each alone
        range(44, 52): (-0.6, -0.3),  # strings together
        range(52, 56): (0.1, -0.5),  # voices
        range(56, 64): (0.5, 0.0),  # brass
        range(64, 72): (1.0, 0.0),  # reeds
        range(72, 80): (1.0, -0.5),  # pipes
        range(80, 88): (1.0, 0.0),  # leads
        range(88, 96): (-1.0, -0.3),  # pads
        range(96, 104): (-2.0, -1.5),  # effects
        range(104, 112): (0.4, -0.3),  # plucked and piped elsewhere
        range(112, 120): (-2.0, -2.0),  # percussion
        range(120, 128): (-4.0, -4.0),  # sounds of things
    }
    table = [values for programs, values in kinds.items() for _ in programs]
    for program, values in {
        22: (0.8, 0.0),  # harmonica
        42: (0.4, 0.5),  # cello
        43: (-1.0, 1.5),  # contrabass
        47: (-2.0, -1.0),  # timpani
        55: (-2.0, -1.0),  # orchestra hit
        58: (0.0, 1.0),  # tuba
        70: (0.3, 0.5),  # bassoon
        87: (0.0, 1.5),  # bass and lead
    }.items():
        table[program] = values
    return table


_FAMILIES = _families()
_DEEP = 40  # mean pitch of lines below any lead
_SUNG = 48  # mean pitch of what is called a bass, above which it may be a man's voice
_LOW = 60  # mean pitch of lines that can stand in for a bass
_SAME = SAMPLE_RATE // 20  # onsets in one of these are together, as lines that double each other are
_SAID = 0.9
"""Share of its moments from which on a line says nothing that others do not say together."""
_ECHO = 5  # slots of `_SAME` by which an echo comes later at most
_SAMPLED = 200  # notes of a line, more or less, that stand for all of it


@dataclass(frozen=True)
class Role:
    """What is known of a line among the others of its music."""

    line: Line
    slots: frozenset[int]
    """Seconds of the music in which a note of it begins."""
    window: int
    """Samples within which notes are struck together."""

    @cached_property
    def top(self) -> list[LineNote]:
        """Its highest notes."""
        return outline(self.line.notes, highest=True, window=self.window)

    @cached_property
    def bottom(self) -> list[LineNote]:
        """Its lowest notes."""
        if len(self.top) == len(self.line.notes) and not _overlap(self.line.notes):
            return self.top
        return outline(self.line.notes, highest=False, window=self.window)

    @cached_property
    def alone(self) -> float:
        """Share of its notes that sound alone, 0..1: by their number or their length, whichever is less.

        Nearly all notes of an arpeggio over a held bass are in the top, few in the bottom; the fewer count.
        """
        fewest = min(len(self.top), len(self.bottom))
        if fewest == len(self.line.notes):
            return 1.0
        by_length = _length(self.top) / _length(self.line.notes)
        return min(fewest / len(self.line.notes), by_length)

    @cached_property
    def _height(self) -> float:
        """Mean pitch of its highest notes."""
        return _mean_pitch(self.top)

    @cached_property
    def depth(self) -> float:
        """Mean pitch of its lowest notes."""
        return _mean_pitch(self.bottom)

    @cached_property
    def lows(self) -> Mapping[int, int]:
        """The lowest pitch that sounds in each second."""
        lows: dict[int, int] = {}
        for onset, end, pitch, _, _ in self.bottom:
            for second in range(onset // SAMPLE_RATE, -(-end // SAMPLE_RATE)):
                if pitch < lows.get(second, 128):
                    lows[second] = pitch
        return lows

    @cached_property
    def _sayings(self) -> frozenset[tuple[int, int]]:
        """When it plays which pitch class: what another line says too that doubles it."""
        return frozenset([(note.onset // _SAME, note.pitch % 12) for note in self.top])

    @cached_property
    def loudness(self) -> float:
        """Mean velocity, as its channel's volume lets it be heard; 0 and more."""
        some = self.line.notes[:: 1 + len(self.line.notes) // _SAMPLED]
        return fmean([note.velocity * self.line.level(note.onset) for note in some])

    @property
    def _family(self) -> tuple[float, float]:
        """How much its program is a lead, and a bass."""
        return (0.0, 0.0) if self.line.program is None else _FAMILIES[self.line.program]

    @property
    def _says(self) -> str:
        return self.line.name.lower() if self.line.alone else ""

    @property
    def _is_called_lead(self) -> bool:
        return bool(_LEADS.search(_PATCHES.sub("", self._says)))

    @property
    def is_bass(self) -> bool:
        """Whether it is called a bass, or played by one."""
        return self._family[1] >= 1 or bool(_BASSES.search(self._says))

    @property
    def is_deep(self) -> bool:
        """Whether it is too low for a lead."""
        return self.depth < _DEEP

    @property
    def is_low(self) -> bool:
        """Whether its lowest notes can stand in for a bass that rests."""
        return self.depth < _LOW

    def lead(self, most: Role, loudest: float) -> float:
        """How much it is the melody.

        Args:
            most: the line that plays in most seconds.
            loudest: loudness of the loudest line.
        """
        named = -2.0 if _BASSES.search(self._says) else 3.0 if self._is_called_lead else 0.0
        if _BACKINGS.search(self._says):
            named -= 2.0
        register = min(max((self._height - 60) / 24, -1), 1)
        fits = 1.5 * self.alone + 2 * self._cover(most) + 1.5 * register + 0.7 * self.loudness / loudest
        return named + self._family[0] + fits

    def bass(self, lowest: Mapping[int, int]) -> float:
        """How much it is the bass.

        Args:
            lowest: the lowest pitch that sounds in each second of the music.
        """
        named = -2.5 if self._is_called_lead else 0.0
        if _BASSES.search(self._says):
            named = 2.5 if self.depth < _SUNG else 1.0
        register = min(max((52 - self.depth) / 12, -2), 1.5)
        under = sum(pitch == lowest[second] for second, pitch in self.lows.items()) / len(lowest)
        return named + self._family[1] + 0.5 * self.alone + 3 * under + register

    def is_said_by(self, others: Iterable[Role]) -> bool:
        """Whether others play all of it together, as the two hands of a piano that has a track too."""
        sayings = frozenset[tuple[int, int]]().union(*(other._sayings for other in others))
        return len(self._sayings & sayings) > _SAID * len(self._sayings)

    def doubles(self, other: Role) -> float:
        """Share of its moments in which another line plays the same, or in octaves, 0..1.

        An echo doubles a line too: it says all of it again, always as much later.
        """
        mine, others = self._sayings, other._sayings
        at_once = len(mine & others) / len(mine)
        if not 0.8 < len(mine) / len(others) < 1.25:
            return at_once
        some = [(note.onset // _SAME, note.pitch % 12) for note in self.top[:: 1 + len(self.top) // _SAMPLED]]
        # what is as much later may be in either of two slots
        echoes = [
            sum((slot + late, pitch) in others or (slot + late + 1, pitch) in others for slot, pitch in some)
            for late in range(-_ECHO, _ECHO)
        ]
        return max(at_once, max(echoes) / len(some))

    def second(self, most: Role, loudest: float, given: Sequence[Role]) -> float:
        """How much it deserves the voice that is left, beside those that have one."""
        doubles = max([self.doubles(other) for other in given if other is not self], default=0.0)
        fits = 0.5 * self.alone + 2 * self._cover(most) + 0.5 * self.loudness / loudest
        low = max(0.0, (48 - self._height) / 12)  # where a pulse cannot follow
        return 0.5 * self._family[0] + fits - 2 * doubles - low

    def _cover(self, most: Role) -> float:
        """How much of the music it plays in, 0..1; a melody may rest for half of it."""
        return min(1.0, 2 * len(self.slots) / len(most.slots))


def roles_of(lines: Sequence[Line], window: int = WINDOW) -> list[Role]:
    """What is known of each line."""
    return [
        Role(line, frozenset([note.onset // SAMPLE_RATE for note in line.notes]), window) for line in lines
    ]


def lead_and_bass(roles: Sequence[Role]) -> tuple[Role | None, Role | None]:
    """The two different lines that are most a lead and a bass; of a single line only what it is more."""
    if not roles:
        return None, None
    if len(roles) == 1:
        only = roles[0]
        is_bass = only.alone > 0.9 and (only.is_bass or only.is_deep)
        return (None, only) if is_bass else (only, None)
    most = max(roles, key=lambda role: len(role.slots))
    loudest = max(role.loudness for role in roles) or 1.0
    lowest = _lowest(roles)
    leads = {id(role): role.lead(most, loudest) for role in roles}
    basses = {id(role): role.bass(lowest) for role in roles}
    pairs = ((lead, bass) for lead in roles for bass in roles if lead is not bass)
    return max(pairs, key=lambda pair: leads[id(pair[0])] + basses[id(pair[1])])


def by_worth(roles: Sequence[Role], given: Sequence[Role]) -> list[Role]:
    """Lines by how much they deserve to be heard beside those that are given a voice, the most first."""
    if not roles:
        return []
    most = max(roles, key=lambda role: len(role.slots))
    loudest = max(role.loudness for role in roles) or 1.0
    return sorted(roles, key=lambda role: role.second(most, loudest, given), reverse=True)


def by_tune(roles: Sequence[Role]) -> list[Role]:
    """Lines by how much each is a melody where it plays, the most first."""
    loudest = max((role.loudness for role in roles), default=0.0) or 1.0
    return sorted(roles, key=lambda role: role.lead(role, loudest), reverse=True)


def _overlap(notes: Sequence[LineNote]) -> bool:
    """Whether any note begins before the one before it ends."""
    return any(after.onset < before.end for before, after in pairwise(notes))


def _lowest(roles: Iterable[Role]) -> dict[int, int]:
    """The lowest pitch that sounds in each second."""
    lowest: dict[int, int] = {}
    for role in roles:
        for second, pitch in role.lows.items():
            if pitch < lowest.get(second, 128):
                lowest[second] = pitch
    return lowest


def _length(notes: Sequence[LineNote]) -> int:
    """Samples for which keys are held."""
    return sum([end - onset for onset, end, _, _, _ in notes])


def _mean_pitch(notes: Sequence[LineNote]) -> float:
    total = _length(notes)
    return sum([note.pitch * (note.end - note.onset) for note in notes]) / total
