"""Composing with music that is there: continuing it, accompanying it, composing a part of it anew.

What stays is a constraint on the song that is composed. Where the model hears clean frames, kept music comes
out as it went in, sample for sample, and new music is put in time with it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

import numpy as np

from lakhnes.runtime.decode.composer import Composer, compose_together
from lakhnes.runtime.decode.constraints import MELODIC, Constraint
from lakhnes.runtime.decode.kept import Kept, Template
from lakhnes.runtime.decode.sampling import USUAL_SAMPLING, Sampling, log_softmax
from lakhnes.runtime.decode.song import Song
from lakhnes.runtime.decode.time_constraints import Grid
from lakhnes.runtime.errors import MusicError, OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import SAMPLE_RATE, Event, Kind, Voice, octave_shifted
from lakhnes.runtime.music.score import Part, Score, events_of_score
from lakhnes.runtime.music.timing import Heard, heard
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.time.grid import BeatGrid
from lakhnes.runtime.time.quantise import snapped

MAX_SECONDS = 180
"""What is new is cut here, if neither the user nor the model ends it."""


PERPLEXITY_TOKENS = 4096
"""Most tokens of a prompt that its perplexity is measured on; that takes some two seconds."""


_TOLD_TOKENS = 4


@dataclass(frozen=True, slots=True)
class Settings:
    """How something is composed, whatever it is."""

    rng: np.random.Generator
    """The source of chance."""
    sampling: Sampling = USUAL_SAMPLING
    """Temperature and cuts."""
    constraints: Sequence[Constraint] = ()
    """What the user asks for; new ones for each song, since they hear it."""
    grid: BeatGrid | None = None
    """Of the music that is there: what is new falls on its rows. None for free time."""


class Arrangement:
    """Music in the making; iterate over it to compose, ask `score` for what there is.

    Attributes:
        composer: what composes what is new.
    """

    def __init__(self, composer: Composer, finish: Callable[[Score], Score]) -> None:
        """Takes a composer, and what makes the whole of the score that it hears."""
        self.composer = composer
        self._finish = finish

    def __iter__(self) -> Iterator[Event]:
        return iter(self.composer)

    def score(self) -> Score:
        """The whole: what was there, and what is new so far."""
        return self._finish(self.composer.score())


def fit_to_vocabulary(score: Score) -> tuple[Score, int]:
    """Shifts notes outside the vocabularies' ranges into them by octaves; returns how many were."""
    moved = 0
    parts = {}
    for voice in Voice:
        old = score.parts[voice].notes
        notes = tuple(replace(note, pitch=octave_shifted(voice, note.pitch)) for note in old)
        moved += sum(a.pitch != b.pitch for a, b in zip(old, notes, strict=True))
        parts[voice] = replace(score.parts[voice], notes=notes)
    return _with(score, parts), moved


def last_seconds(score: Score, seconds: float) -> Score:
    """The end of a score; notes that ring into it begin with it."""
    start = max(0, score.length - round(seconds * SAMPLE_RATE))
    parts = {voice: _moved(score.parts[voice], -start, 0, score.length - start) for voice in Voice}
    return _with(Score(length=score.length - start), parts)


def prompt_perplexity(model: Model, prompt: Score) -> float:
    """How well a model foresees a score, of a long one its last 4,096 tokens: exp of nats a token.

    Raises:
        MusicError: if the score has no note.

    Source: LakhNES `continuations.ipynb`.
    """
    tokens = model.codec.encode(_with_notes(prompt))[-PERPLEXITY_TOKENS:]
    model.reset()
    likelihoods = log_softmax(model.prefill([END_TOKEN, *tokens[:-1]]))[np.arange(len(tokens)), tokens]
    return float(np.exp(-likelihoods.mean()))


def continue_score(
    model: Model, prompt: Score, settings: Settings, seconds: float | None = None
) -> Arrangement:
    """Goes on where a score ends.

    Args:
        model: what composes; of the prompt it hears what its memory holds.
        prompt: what is there; it comes out as it went in.
        settings: chance, sampling and constraints.
        seconds: length of what is new; None lets the model end it.

    Raises:
        MusicError: if the prompt has no note, or a pitch outside the vocabulary.
    """
    ear = heard(_with_notes(prompt), model.codec.timing)
    events = list(events_of_score(ear.score, expression=model.codec.vocabulary.has_expression))
    length = None if seconds is None else max(1, round(seconds * SAMPLE_RATE))
    end = ear.score.length + (length or MAX_SECONDS * SAMPLE_RATE)
    rows = _rows(model, settings, ear, prompt.length)
    song = _song(model, settings, *rows, length_samples=end if length else None, max_samples=end)
    song.hear(events)

    def finish(whole: Score) -> Score:
        end = prompt.length + whole.length - ear.score.length
        span = prompt.length, end
        new = {v: _since(whole.parts[v], ear.score.length, ear.shift, span, settings.grid) for v in Voice}
        return _joined(replace(prompt, length=end), new)

    return Arrangement(Composer(model, song, model.codec.tokens(events)), finish)


def accompany_voices(model: Model, score: Score, keep: Collection[Voice], settings: Settings) -> Arrangement:
    """Composes new voices around kept ones, which come out as they went in.

    Raises:
        OptionError: if no voice is free, or no kept one has a note.
    """
    free = [voice for voice in Voice if voice not in keep]
    if not free:
        raise OptionError("All four voices are kept, so nothing is left to compose; keep fewer.")
    kept = _with(score, {voice: Part() for voice in free})
    if not kept.n_notes:
        raise OptionError("None of the kept voices has a note; keep one that has.")
    ear = heard(kept, model.codec.timing)
    kept_music = Kept(model.codec, ear.score, dict.fromkeys(free, 0))
    song = _song(model, settings, *_rows(model, settings, ear, 0), kept_music)

    def finish(whole: Score) -> Score:
        span = 0, score.length
        return _joined(kept, {v: _since(whole.parts[v], 0, ear.shift, span, settings.grid) for v in free})

    return Arrangement(Composer(model.without_recall(), song), finish)


def accompany_rhythm(model: Model, score: Score, settings: Settings) -> Arrangement:
    """Keeps a score's rhythm and its noise; the model chooses the pitches of the other voices.

    Raises:
        MusicError: if no melodic voice has a note.

    Source: LakhNES `accompany_rhythm.ipynb`.
    """
    if not any(score.parts[voice].notes for voice in MELODIC):
        raise MusicError("There is no note of P1, P2 or TR to find a pitch for; give a score that has one.")
    ear = heard(score, model.codec.timing)
    song = _song(model, settings, Template(model.codec, ear.score, MELODIC))
    noise = _with(score, {voice: Part() for voice in MELODIC})

    def finish(whole: Score) -> Score:
        span = 0, score.length
        return _joined(noise, {v: _since(whole.parts[v], 0, ear.shift, span, settings.grid) for v in MELODIC})

    return Arrangement(Composer(model.without_recall(), song), finish)


def regenerate(
    model: Model,
    score: Score,
    span: tuple[int, int],
    voices: Collection[Voice],
    takes: Iterable[Settings],
    *,
    width: int = 4,
    progress: Callable[[float], None] = lambda done: None,
) -> Iterator[Score]:
    """Composes a span of some voices anew, several times at once, while everything else stays.

    Notes of these voices that begin in the span go; one that rings into it stays. New notes end with it.

    Args:
        model: what composes.
        score: the song.
        span: first sample and the one after the last.
        voices: those that are composed anew.
        takes: chance, sampling and constraints of each.
        width: how many takes are composed at once.
        progress: told every few tokens how much of all takes is composed, 0 to 1. What it raises ends the
            work.

    Yields:
        A score for each take, in the order in which they are ready.

    Raises:
        OptionError: if the span is empty or lies outside the song, or there is no voice.
    """
    start, end = span
    if not 0 <= start < end <= score.length:
        raise OptionError(
            f"The span from {start / SAMPLE_RATE:.2f} to {end / SAMPLE_RATE:.2f} s is not within the "
            f"{score.seconds:.2f} s of the song; give one that is."
        )
    if not voices:
        raise OptionError("No voice is to be composed anew; give one at least.")
    kept = _with(score, {voice: _without(score.parts[voice], span) for voice in voices})
    ear = heard(kept if kept.n_notes else score, model.codec.timing)
    stays = ear.score if kept.n_notes else Score(length=ear.score.length)
    first, last = ear.time(start), max(ear.time(start) + 1, ear.time(end))
    stays = _around(stays, first, last + int(model.codec.wait_samples.max()), model.info.mem_len)
    before, time = list[Event](), 0
    for event in events_of_score(stays, expression=model.codec.vocabulary.has_expression):
        wait = min(event.value, first - time) if event.kind is Kind.WAIT else 0
        if event.kind is not Kind.WAIT or wait:
            before.append(Event(Kind.WAIT, None, wait) if wait else event)
        time += wait
        if time == first:
            break
    rings = {v: max([first, *(n.end for n in stays.parts[v].notes if n.onset < first)]) for v in voices}

    takes, songs = list(takes), list[Song]()

    def song(settings: Settings) -> Song:
        rows = _rows(model, settings, ear, start)
        fresh = _song(model, settings, *rows, Kept(model.codec, stays, rings), length_samples=last)
        fresh.hear(before)
        songs.append(fresh)
        return fresh

    def told(composing: Song) -> None:
        if composing.over or composing.n_tokens % _TOLD_TOKENS == 0:
            done = sum(begun.time_samples - first for begun in songs)
            progress(min(1.0, done / (len(takes) * (last - first))))

    progress(0.0)
    prompt = model.codec.tokens(before)
    for composed in compose_together(
        model.without_recall(), map(song, takes), width=width, prompt=prompt, progress=told
    ):
        whole, grid = composed.score(), takes[songs.index(composed)].grid
        yield _joined(kept, {v: _since(whole.parts[v], rings[v], ear.shift, span, grid) for v in voices})


def _around(score: Score, first: int, end: int, n_notes: int) -> Score:
    """A score without what is too far away for a model that composes in a span to know of.

    Args:
        score: any.
        first: the span's first sample.
        end: cut there, beyond the span by the longest wait that a model can say.
        n_notes: so many notes before the span stay, which take as many tokens at least.
    """
    onsets = sorted(note.onset for part in score.parts for note in part.notes if note.onset < first)
    low, high = ([0] * n_notes + onsets)[-n_notes], min(score.length, end)
    parts = {voice: _moved(score.parts[voice], 0, low, high) for voice in Voice}
    return _with(Score(length=high), parts)


def _song(
    model: Model,
    settings: Settings,
    *constraints: Constraint,
    length_samples: int | None = None,
    max_samples: int | None = None,
) -> Song:
    return Song(
        model.codec,
        settings.rng,
        sampling=settings.sampling,
        length_samples=length_samples,
        max_samples=max_samples,
        constraints=[*settings.constraints, *constraints],
    )


def _rows(model: Model, settings: Settings, ear: Heard, sample: int) -> list[Constraint]:
    """Keeps what is new on the rows that the music's grid has from a sample on, as the model hears them."""
    grid = settings.grid
    if grid is None:
        return []
    row = round(grid.tick(sample) / grid.row_ticks) * grid.row_ticks
    many = grid.sample(row + 1000 * grid.row_ticks)
    return [Grid(model.codec, (many - grid.sample(row)) / 1000, grid.sample(row) - ear.shift)]


def _with_notes(prompt: Score) -> Score:
    if not prompt.n_notes:
        raise MusicError("The prompt has no notes; give one that has, or compose from nothing.")
    return prompt


def _with(score: Score, parts: Mapping[Voice, Part]) -> Score:
    """A score with other parts for some voices."""
    p1, p2, tr, no = (parts.get(voice, score.parts[voice]) for voice in Voice)
    return Score((p1, p2, tr, no), score.length)


def _without(part: Part, span: tuple[int, int]) -> Part:
    """A part without the notes that begin in a span, and without its automation there."""
    notes = tuple(note for note in part.notes if not span[0] <= note.onset < span[1])
    changes = tuple(change for change in part.changes if not span[0] <= change.sample < span[1])
    return Part(notes, changes if notes else ())


def _moved(part: Part, shift: int, low: int, high: int) -> Part:
    """A part moved in time, then cut to the samples from `low` to `high`."""
    notes = []
    for note in part.notes:
        onset, end = max(low, note.onset + shift), min(high, note.end + shift)
        if onset < end:
            notes.append(replace(note, onset=onset, length=end - onset))
    changes = [replace(change, sample=change.sample + shift) for change in part.changes]
    inside = [change for change in changes if low <= change.sample < high]
    return Part(tuple(notes), tuple(inside) if notes else ())


def _since(part: Part, start: int, shift: int, span: tuple[int, int], grid: BeatGrid | None) -> Part:
    """What a part plays from a heard time on in a span of the music's own time, on its rows if it has any."""
    notes = tuple(note for note in part.notes if note.onset >= start)
    changes = tuple(change for change in part.changes if change.sample >= start)
    new = _moved(Part(notes, changes), shift, *span)
    return new if grid is None else _moved(snapped(new, grid), 0, *span)


def _joined(kept: Score, new: Mapping[Voice, Part]) -> Score:
    """A score with new notes and automation in some voices, between the kept ones."""
    parts = {}
    for voice, part in new.items():
        old = kept.parts[voice]
        old_onsets = [note.onset for note in old.notes]
        notes = []
        for note in part.notes:  # each between the kept ones that are before and after it
            after = bisect_right(old_onsets, note.onset)
            onset = max(note.onset, old.notes[after - 1].end) if after else note.onset
            end = min(note.end, old_onsets[after]) if after < len(old_onsets) else note.end
            if onset < end:
                notes.append(replace(note, onset=onset, length=end - onset))
        onsets = {note.onset for note in notes}
        taken = {(change.sample, change.kind) for change in old.changes}
        added = [
            change
            for change in part.changes
            if (change.sample, change.kind) not in taken
            and not (change.kind is Kind.VELOCITY and change.sample in onsets)
        ]
        together = sorted([*old.notes, *notes], key=attrgetter("onset"))
        automation = sorted([*old.changes, *added], key=attrgetter("order"))
        parts[voice] = Part(tuple(together), tuple(automation) if together else ())
    return _with(kept, parts)
