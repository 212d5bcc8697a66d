"""Composing around existing music in the background: new voices around others, and dynamics for notes."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from lakhnes.runtime import EXPRESSIVE_MODEL, Model, OptionError, Score, Voice
from lakhnes.runtime.compose.arrange import Arrangement, accompany_voices
from lakhnes.runtime.compose.dynamics import compose_dynamics
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.music.editing import with_span
from lakhnes.studio.jobs import Job
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message
from lakhnes.studio.voice_names import voice_names


@dataclass(frozen=True, slots=True)
class _Destination:
    """A place in the song for composed music."""

    label: str
    """Name of the step."""
    span: tuple[int, int]
    """First sample and the one after the last."""
    voices: frozenset[Voice]
    edits: int
    """The session's `edits` at the time of the request."""


class Arranging:
    """Composes around the song and puts the result into it as one step."""

    def __init__(self, studio: Studio) -> None:
        """Start without a task."""
        self._studio = studio

    def new_song(self, seed: int | None = None, bars: int | None = None) -> None:
        """Start a new song; locked voices stay, and the others are composed around them.

        Args:
            seed: of the song; None for any.
            bars: how long a song without locked voices is, as `Studio.new` takes it.

        Raises:
            OptionError: if all voices with music are locked, or no model is loaded yet.
        """
        state = self._studio.session.state
        locked = [v for v in Voice if state.voices[v].locked and state.score.parts[v].notes]
        free = frozenset(voice for voice in Voice if not state.voices[voice].locked)
        if not locked:
            self._studio.new(seed, bars)
            return
        if not free:
            raise OptionError("All voices are locked, so there is nothing to compose. Unlock one.")
        model = self._studio.models.current()
        number = secrets.randbelow(1 << 32) if seed is None else seed
        request = replace(state.request, seed=number)
        self._compose(
            f"Composing {voice_names(free).lower()}",
            lambda: accompany_voices(model, state.score, locked, request, grid=state.grid),
            _Destination("New voices", (0, state.score.length), free, self._studio.session.edits),
            seed=number,
        )

    def dynamics(self, span: tuple[int, int] | None = None, voices: Collection[Voice] = tuple(Voice)) -> None:
        """Compose the volume and timbre of notes; the notes stay.

        It uses the song's model if that knows dynamics, else the `expressive` model.

        Args:
            span: first tick and the one after the last; None for the whole song.
            voices: what is selected; those that are locked stay as they are.

        Raises:
            OptionError: if all of them are locked, or there are no notes.
        """
        state = self._studio.session.state
        free = state.unlocked(voices)
        start, end = (0, state.score.length) if span is None else map(state.grid.sample, span)
        end = min(end, state.score.length)
        if not any(start <= note.onset < end for voice in free for note in state.score.parts[voice].notes):
            raise OptionError("There are no notes here to give dynamics to. Select some notes.")
        models = self._studio.models
        knows = models.composing in models and models.current().codec.vocabulary.has_expression
        name = state.model if knows else EXPRESSIVE_MODEL
        place = _Destination("Dynamics", (start, end), free, self._studio.session.edits)

        def loaded(model: Model) -> None:
            request = Request(secrets.randbelow(1 << 32), state.request.sampling)
            self._compose("Composing dynamics", lambda: compose_dynamics(model, state.score, request), place)

        models.fetch(name, loaded, quiet=False)

    def _compose(
        self,
        label: str,
        arrange: Callable[[], Arrangement],
        place: _Destination,
        **new: Any,
    ) -> None:
        """Compose in the background.

        Args:
            label: of the job.
            arrange: begins to compose.
            place: where in the song it goes.
            new: what else another song has, by field of `SongState`; without it the song stays the same.
        """
        session = self._studio.session

        def work(job: Job) -> Score:
            arrangement = arrange()
            for _ in arrangement:
                job.tell(arrangement.progress)
            return arrangement.score()

        def done(score: Score) -> None:
            if session.edits != place.edits:
                text = (
                    "The song changed while this was being composed, so the result was discarded. Try again."
                )
                self._studio.say(Message(text))
                return
            if not new:
                session.edit(place.label, score, place.span, place.voices)
                session.amend(composed=True)
                return
            score = with_span(session.state.score, score, place.span, place.voices)
            kept = max(session.state.kept, session.state.grid.tick(place.span[1]))
            session.begin(place.label, unsaved=True, score=score, kept=kept, composed=True, **new)

        self._studio.jobs.start(Job(label), work, done, lane="compose")
