"""Songs with repeated sections, such as AABA and AA'BA."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np

from lakhnes.runtime.compose.arrange import Arrangement, Composed, compose_song, continue_score
from lakhnes.runtime.compose.regenerate import regenerate
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.errors import OptionError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.editing import extract, with_tail
from lakhnes.runtime.music.events import SAMPLE_RATE, Voice
from lakhnes.runtime.music.score import Score, events_of_score
from lakhnes.runtime.time.grid import BeatGrid

MAX_SECTIONS = 64
"""Most sections of a form."""

VARIED = (Voice.P1, Voice.P2)
"""Voices that are new in a varied section; bass and drums stay."""


def parse_form(text: str) -> tuple[str, ...]:
    """Read a form: a letter for each section, and an apostrophe for each earlier variation.

    Args:
        text: such as `AABA` or `AA'BA`, in any case.

    Returns:
        The sections' names: `("A", "A'", "B", "A")`.

    Raises:
        OptionError: if the text is no form, or varies a section before it occurs.
    """
    plain = text.strip().upper().replace("\u2019", "'")  # as word processors write it
    if not re.fullmatch(r"(?:[A-Z]'*)+", plain):
        raise OptionError(f"{text!r} is no form: give a letter for each section, such as AABA or AA'BA.")
    form = tuple(re.findall(r"[A-Z]'*", plain))
    if len(form) > MAX_SECTIONS:
        raise OptionError(f"A form of {len(form)} sections is too long; give {MAX_SECTIONS} at most.")
    for place, name in enumerate(form):
        if name.endswith("'") and name[0] not in form[:place]:
            raise OptionError(
                f"{name} in {text!r} varies {name[0]}, which has not come yet; begin with that."
            )
    return form


def compose_form(
    model: Model,
    form: Sequence[str],
    grid: BeatGrid,
    bars: int,
    request: Request,
    *,
    progress: Callable[[float, int], None] = lambda done, n_tokens: None,
) -> Composed:
    """Compose a song in sections.

    A repeated section is the same note for note. A varied one has new pulses over its bass and drums. Any
    other section continues the song.

    Args:
        model: the composing model; its memory is reset.
        form: names of the sections, as `parse_form` returns them.
        grid: tempo and meter.
        bars: bars of a section.
        request: the user's settings.
        progress: called with the fraction done, 0..1, and the number of composed tokens.

    Raises:
        OptionError: if a setting is impossible.
    """
    variation = next((name for name in form if name.endswith("'")), None)
    if variation is not None and request.muted.issuperset(VARIED):
        raise OptionError(
            f"{variation} gives its section new pulses, and P1 and P2 are muted; leave one "
            "of them unmuted, or leave out the apostrophe."
        )
    rng = request.rng()
    starts = [grid.sample(place * bars * grid.bar_ticks) for place in range(len(form) + 1)]
    first: dict[str, int] = {}
    score, n_tokens = Score(), 0
    for place, name in enumerate(form):
        start, end = starts[place : place + 2]
        known = first.get(name, first.get(name[0]))
        if known is None:
            arrangement = _going_on(model, score, grid, end, request, rng)
            for _ in arrangement:
                done = (start + (end - start) * arrangement.progress) / starts[-1]
                progress(done, n_tokens + arrangement.composer.n_tokens)
            score = extract(arrangement.score(), (0, end))
            n_tokens += arrangement.composer.n_tokens
        else:
            before = starts[known]
            score = with_tail(score, extract(score, (before, before + end - start)), start)
        if name not in first:
            if known is not None:
                (score,) = regenerate(
                    model, score, (start, end), VARIED, [request], grid=grid, width=1, rng=rng
                )
                varied = extract(score, (start, end), VARIED)
                n_tokens += sum(1 for _ in events_of_score(varied, expression=False))
            first[name] = place
        progress(end / starts[-1], n_tokens)
    return Composed(score, n_tokens, grid)


def _going_on(
    model: Model, score: Score, grid: BeatGrid, end: int, request: Request, rng: np.random.Generator
) -> Arrangement:
    """Return the continuation of a score up to a sample."""
    if not score.n_notes:
        return compose_song(model, request, grid, length_samples=end, rng=rng)
    seconds = (end - score.length) / SAMPLE_RATE
    return continue_score(model, score, request, seconds, grid=grid, own=True, rng=rng)
