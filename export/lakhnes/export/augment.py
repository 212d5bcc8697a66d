"""Augmentation of songs for training, on arrays of token ids.

A song is split into events and their times, changed, and joined again as in `Codec.encode`: events of one
moment in order, waits merged and split, no NOTEOFF of a silent voice. The changes are LakhNES's
(transposition, tempo, P1 and P2 swapped, a subset of the voices) and our own: loops, which teach a model
early to copy.

Source: LakhNES `model/data_utils.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Event, Kind, Voice
from lakhnes.runtime.music.timing import FRAME_SAMPLES, FRAME_WAITS, Codec, Timing, split_frames

Tokens = NDArray[np.uint16]
Ints = NDArray[np.int64]

MAX_TRANSPOSE = 6
"""Largest transposition in semitones, up and down."""

_DROPPED = -1
_NO_VOICE = len(Voice)

_LONGEST = FRAME_WAITS[-1]
"""Frames of the longest wait; a table gives the split of the rest."""

_KINDS = {Kind.END: 0, Kind.WAIT: 1, Kind.NOTE_OFF: 2, Kind.NOTE_ON: 3, Kind.VELOCITY: 4, Kind.TIMBRE: 5}
_OFF, _ON, _VELOCITY, _TIMBRE = (
    _KINDS[kind] for kind in (Kind.NOTE_OFF, Kind.NOTE_ON, Kind.VELOCITY, Kind.TIMBRE)
)


@dataclass(frozen=True, slots=True)
class Happenings:
    """A song as events with times."""

    tokens: Ints
    """int64 [n]: all events except waits."""
    times: Ints
    """int64 [n]: time of each event, in units: frames of 735 samples, or samples."""
    length: int
    """Length of the song in units."""

    def __len__(self) -> int:
        return len(self.tokens)

    def only(self, kept: NDArray[np.bool_]) -> Happenings:
        """Return the events that a mask keeps."""
        return replace(self, tokens=self.tokens[kept], times=self.times[kept])


@dataclass(frozen=True, slots=True)
class Changes:
    """The augmentations of a training run; a probability of 0 switches one off."""

    transpose: float = 1.0
    """Probability that the melodic voices move by -6..+6 semitones; notes out of range are removed."""
    stretch: float = 1.0
    """Probability that time is stretched by 0.95..1.05; in bars, that the tempo moves by up to a class."""
    swap: float = 0.5
    """Probability that P1 and P2 are swapped."""
    subset: float = 0.5
    """Probability that only some voices stay."""
    loop: float = 0.0
    """Probability that a snippet repeats before the song continues after it."""
    recount: float = 0.05
    """In bars: probability that beats are counted twice or half as fast."""
    keyless: float = 0.25
    """In bars: probability that the key is not stated."""
    given: float = 0.0
    """In bars: probability that some voices are shown at the start of each bar."""
    gap: float = 0.0
    """In bars: probability that bars are shown before the bars that lead to them."""
    chords: float = 0.0
    """In bars: probability that the chords of the bars are named."""
    relations: float = 0.0
    """In bars: probability that the relations of bars to earlier ones are named."""
    max_stretch: float = 0.05
    """Largest difference of the time factor from 1."""
    loop_tokens: tuple[int, int] = (24, 110)
    """Shortest and longest snippet, in tokens."""
    loop_times: tuple[int, int] = (2, 4)
    """Fewest and most repetitions of a snippet."""


class Augmenter:
    """Augmentation of songs of one codec; create it once, because it builds tables."""

    def __init__(self, codec: Codec) -> None:
        events = codec.vocabulary.events
        self.frames = codec.timing is Timing.FRAMES
        self._kind = np.array([_KINDS[event.kind] for event in events])
        self._voice = np.array([_NO_VOICE if e.voice is None else e.voice for e in events])
        self._value = np.array([event.value for event in events])
        self._unit = FRAME_SAMPLES if self.frames else 1
        self._wait_units = codec.wait_samples // self._unit
        self._is_wait = self._kind == _KINDS[Kind.WAIT]
        self._off = np.array([codec.token(Event(Kind.NOTE_OFF, voice)) for voice in Voice])
        self._swapped = np.array([codec.token(_swapped(event)) for event in events])
        self._moved = {
            semitones: np.array([_moved(codec, event, semitones) for event in events])
            for semitones in range(-MAX_TRANSPOSE, MAX_TRANSPOSE + 1)
        }
        self._rank = self._voice * 3 + np.maximum(self._kind - _ON, 0)  # order at one moment
        if self.frames:
            split = [split_frames(frames) for frames in range(_LONGEST)]
            self._n_tokens = np.array([len(waits) for waits in split])
            self._split = np.zeros((_LONGEST, self._n_tokens.max()), np.int64)
            for frames, waits in enumerate(split):
                self._split[frames, : len(waits)] = [codec.wait_token(w * FRAME_SAMPLES) for w in waits]
            self._longest = codec.wait_token(_LONGEST * FRAME_SAMPLES)
        else:
            self._wait_values = np.array(codec.vocabulary.waits)
            self._wait_ids = np.array([codec.wait_token(wait) for wait in codec.vocabulary.waits])

    def apart(self, song: Tokens) -> Happenings:
        """Split a song into events and times."""
        tokens = song.astype(np.int64)
        clock = np.cumsum(self._wait_units[tokens])
        events = ~self._is_wait[tokens]
        return Happenings(tokens[events], clock[events], int(clock[-1]) if len(clock) else 0)

    def together(self, song: Happenings) -> Tokens:
        """Return the tokens of a split song: its events with the waits between them."""
        before = np.diff(song.times, prepend=0, append=song.length)  # units before each event, and at the end
        if self.frames:
            whole, rest = np.divmod(before, _LONGEST)
            waits = whole + self._n_tokens[rest]
        else:
            waits = (before > 0).astype(np.int64)
        place = np.cumsum(waits) + np.arange(len(before))  # for each event; the last one does not exist
        made = np.empty(int(place[-1]), np.uint16)
        made[place[:-1]] = song.tokens
        first = place - waits  # waits of each event
        if self.frames:
            at = np.repeat(first, whole) + _counted(whole)
            made[at] = self._longest
            count = self._n_tokens[rest]
            number = _counted(count)
            made[np.repeat(first + whole, count) + number] = self._split[np.repeat(rest, count), number]
        else:
            gaps = before > 0
            made[first[gaps]] = self._wait_ids[_nearest(self._wait_values, before[gaps])]
        return made

    def changed(self, song: Tokens, changes: Changes, rng: np.random.Generator) -> Tokens:
        """Return a song with random changes.

        Args:
            song: uint16 [n], as `Codec.encode` returns it.
            changes: the possible changes and their probabilities.
            rng: the random generator.
        """
        happenings = self.apart(song)
        if rng.random() < changes.subset:
            happenings = self.subset(happenings, self._some_voices(happenings, rng))
        if rng.random() < changes.swap:
            happenings = self.swapped(happenings)
        if rng.random() < changes.transpose:
            happenings = self.transposed(happenings, int(rng.integers(-MAX_TRANSPOSE, MAX_TRANSPOSE + 1)))
        if rng.random() < changes.stretch:
            happenings = self.stretched(happenings, 1 + changes.max_stretch * rng.uniform(-1, 1))
        if rng.random() < changes.loop:
            snippet = self._snippet(happenings, changes.loop_tokens, rng)
            if snippet is not None:
                fewest, most = changes.loop_times
                happenings = self.looped(happenings, *snippet, int(rng.integers(fewest, most + 1)))
        return self.together(happenings)

    def transposed(self, song: Happenings, semitones: int) -> Happenings:
        """Move the melodic voices; a note that leaves its voice's range is removed."""
        moved = self._moved[semitones][song.tokens]
        gone = moved == _DROPPED
        loud = self._kind[song.tokens] == _VELOCITY
        pulse = gone & (self._voice[song.tokens] != Voice.TR)
        follows = np.roll(pulse, 1) & loud  # the volume of a note follows its NOTEON
        off = self._off[np.minimum(self._voice[song.tokens], len(Voice) - 1)]
        tokens = np.where(gone, off, moved)  # ends the note before, if any
        return self._settled(replace(song, tokens=tokens).only(~follows))

    def stretched(self, song: Happenings, factor: float) -> Happenings:
        """Stretch time; moments that would fall together stay one unit apart."""
        moments, which = np.unique(song.times, return_inverse=True)
        count = np.arange(len(moments))
        new = np.rint(moments * factor).astype(np.int64) - count
        new = np.maximum.accumulate(new) + count
        last = int(new[-1]) if len(new) else 0
        tail = song.length - int(moments[-1]) if len(moments) else song.length
        length = max(round(song.length * factor), last + (tail > 0))
        return Happenings(song.tokens, new[which], length if tail else last)

    def swapped(self, song: Happenings) -> Happenings:
        """Swap P1 and P2."""
        tokens = self._swapped[song.tokens]
        order = np.lexsort((self._rank[tokens], song.times))
        return Happenings(tokens[order], song.times[order], song.length)

    def subset(self, song: Happenings, voices: list[Voice]) -> Happenings:
        """Keep some voices only; silence that this leaves at the ends is removed."""
        kept = song.only(np.isin(self._voice[song.tokens], voices))
        if not len(kept):
            return replace(kept, length=0)
        late = int(kept.times[0] - song.times[0])
        early = int(song.times[-1] - kept.times[-1])
        return Happenings(kept.tokens, kept.times - late, song.length - late - early)

    def looped(self, song: Happenings, start: int, stop: int, times: int) -> Happenings:
        """Repeat a snippet, then continue the song after it.

        Args:
            song: any song.
            start: first event of the snippet, the first of its moment.
            stop: event after the snippet, the first of a later moment.
            times: number of repetitions.
        """
        begin, end = song.times[start], song.times[stop]
        again = np.arange(times)[:, None] * (end - begin)
        tokens = np.concatenate([np.tile(song.tokens[start:stop], times), song.tokens[stop:]])
        snippets = (song.times[start:stop] - begin + again).ravel()
        moved = times * (end - begin) - end
        looped = Happenings(
            tokens, np.concatenate([snippets, song.times[stop:] + moved]), int(song.length + moved)
        )
        return self._settled(looped)

    def _snippet(
        self, song: Happenings, tokens: tuple[int, int], rng: np.random.Generator
    ) -> tuple[int, int] | None:
        """Return the start and the end of a random snippet of some tokens, if the song is long enough."""
        starts = np.flatnonzero(np.diff(song.times, prepend=-1))  # the first event of each moment
        place = starts + np.arange(len(starts))  # its token, if a wait is one token
        shortest, longest = tokens
        possible = int(np.searchsorted(place, place[-1] - shortest, "right")) if len(place) else 0
        if possible < 1:
            return None
        first = int(rng.integers(possible))
        wanted = int(rng.integers(shortest, longest + 1))
        last = int(np.searchsorted(place, place[first] + wanted, "right")) - 1
        if place[last] - place[first] < shortest:
            last += 1
        return int(starts[first]), int(starts[last])

    def _some_voices(self, song: Happenings, rng: np.random.Generator) -> list[Voice]:
        """Return a random choice of one or more of the playing voices."""
        playing = np.unique(self._voice[song.tokens])
        if not len(playing):
            return []
        kept = rng.permutation(playing)[: int(rng.integers(1, len(playing) + 1))]
        return [Voice(int(voice)) for voice in kept]

    def _settled(self, song: Happenings) -> Happenings:
        """Remove events without effect, as `Codec.encode` does.

        It removes a NOTEOFF of a silent voice, and everything from a voice without notes. In frames it also
        removes a volume of a silent voice, and a volume or timbre that repeats the current one.
        """
        kept = np.zeros(len(song), np.bool_)
        voice_of, kind_of = self._voice[song.tokens], self._kind[song.tokens]
        for voice in Voice:
            mine = np.flatnonzero(voice_of == voice)
            kinds, values = kind_of[mine], self._value[song.tokens[mine]]
            notes = np.flatnonzero((kinds == _ON) | (kinds == _OFF))
            on = kinds[notes] == _ON
            if not on.any():
                continue
            good = np.ones(len(mine), np.bool_)
            good[notes] = on | np.roll(on, 1)
            good[notes[0]] = on[0]
            if self.frames:
                current = np.searchsorted(notes, np.arange(len(mine)), "right") - 1  # last note event
                loud = np.flatnonzero(kinds == _VELOCITY)
                sounding = (current[loud] >= 0) & on[current[loud]]
                good[loud[~sounding]] = False
                loud = loud[sounding]
                same = (values[loud[1:]] == values[loud[:-1]]) & (current[loud[1:]] == current[loud[:-1]])
                good[loud[1:][same]] = False
                duty = np.flatnonzero(kinds == _TIMBRE)
                good[duty[1:][values[duty[1:]] == values[duty[:-1]]]] = False
            kept[mine[good]] = True
        return song.only(kept)


def _swapped(event: Event) -> Event:
    other = {Voice.P1: Voice.P2, Voice.P2: Voice.P1}
    return event if event.voice not in other else event._replace(voice=other[event.voice])


def _moved(codec: Codec, event: Event, semitones: int) -> int:
    voice = event.voice
    if event.kind is Kind.NOTE_ON and voice is not None and voice is not Voice.NO:
        event = event._replace(value=event.value + semitones)
        if event.value not in VOCABULARY_PITCHES[voice]:
            return _DROPPED
    return codec.token(event)


def _counted(counts: Ints) -> Ints:
    """Return 0, 1, .. within each of several counts, one after the other."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) - np.repeat(ends - counts, counts)


def _nearest(values: Ints, wanted: Ints) -> Ints:
    """Return the index of the ascending value nearest to each wanted one, the lower on a tie."""
    above = np.clip(np.searchsorted(values, wanted), 1, len(values) - 1)
    return above - (wanted - values[above - 1] <= values[above] - wanted)
