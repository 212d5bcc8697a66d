"""Takes: several versions of a regenerated part of a song, each heard in its place."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from lakhnes.runtime import OptionError, Score, Voice
from lakhnes.runtime.compose.regenerate import regenerate
from lakhnes.runtime.music.note_editing import notes_in
from lakhnes.studio.jobs import Job
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message
from lakhnes.studio.voice_names import voice_names

TAKES = 4
"""How many there are to choose from."""


class Takes:
    """Regenerates a selection in the background and puts the chosen take into the song.

    Choosing is one step of the session, however often another take is chosen. Undoing it, or an edit
    elsewhere, leaves the choice open; it is over once the span has other notes than any take, or than before.

    Attributes:
        active: whether there is something to choose from, or coming.
        count: takes that were asked for.
        ready: number of finished takes.
        chosen: index of the take in the song; None for the old notes.
    """

    def __init__(self, studio: Studio) -> None:
        """Begins with nothing to choose from."""
        self.active = False
        self.count = 0
        self.chosen: int | None = None
        self._studio = studio
        self._asked = 0
        self._job: Job | None = None
        self._before = Score()
        self._scores: list[Score] = []
        self._span = (0, 0)  # samples
        self._voices: frozenset[Voice] = frozenset()
        self._key = ""
        self._edits = 0  # of the session, when it was looked at last
        self._song = 0

    @property
    def ready(self) -> int:
        """Number of finished takes."""
        return len(self._scores)

    def regenerate(self, span: tuple[int, int], voices: Collection[Voice]) -> None:
        """Regenerate a span of some voices; locked ones stay.

        Args:
            span: first tick and the one after the last.
            voices: what is selected.

        Raises:
            OptionError: if all of them are locked, nothing is composed there, or no model is loaded yet.
        """
        state = self._studio.session.state
        free = state.unlocked(voices)
        start, end = (state.grid.sample(tick) for tick in span)
        end = min(end, state.score.length)
        if not 0 <= start < end:
            raise OptionError("Nothing has been composed there yet. Select a part of the song.")
        self._begin(state.score, (start, end), free)

    def again(self) -> None:
        """Asks for as many again."""
        if self.active:
            self.count += TAKES
            self._compose()

    def choose(self, index: int | None) -> None:
        """Put a take into the song; None for the old notes."""
        self.refresh()  # the song may be another one since
        if not self.active or (index is not None and not 0 <= index < self.ready):
            return
        score = self._before if index is None else self._scores[index]
        self._studio.session.edit("Regenerate", score, self._span, self._voices, key=self._key)
        self._studio.session.amend(composed=True)
        self._edits = self._studio.session.edits
        self.chosen = index

    def done(self) -> None:
        """Keep the chosen take and discard the rest."""
        self.cancel()
        self.active, self.chosen = False, None
        self.count = 0
        self._scores = []

    def cancel(self) -> None:
        """Stop composing; finished takes can still be chosen."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self.count = self.ready
        self.active = self.active and self.ready > 0

    def refresh(self) -> None:
        """Sees which take is in the song; closes where none is, or no take can come. Called often."""
        if self.active and self._studio.session.edits != self._edits:
            self._edits = self._studio.session.edits
            self._find_chosen()
        if self._job is not None and self._job not in self._studio.jobs.running:
            self.cancel()  # it is done, or broke down, or somebody ended it elsewhere

    def _find_chosen(self) -> None:
        """Finds the take that is in the song, for it may have been undone; closes where there is none."""
        score, same = self._studio.session.state.score, self._studio.session.state.song == self._song
        for index, take in ((None, self._before), *enumerate(self._scores)):
            if same and score.length >= self._span[1] and self._has(score, take):
                self.chosen = index
                return
        self.done()
        if same:
            self._studio.say(Message("The takes were closed because their notes were changed."))

    def _has(self, score: Score, take: Score) -> bool:
        """Return whether a score has the notes of a take in the span."""
        return all(
            notes_in(score.parts[voice], self._span) == notes_in(take.parts[voice], self._span)
            for voice in self._voices
        )

    def _begin(self, score: Score, span: tuple[int, int], voices: frozenset[Voice]) -> None:
        self._studio.models.current()  # refuses now what it would refuse later
        self.done()
        self._before, self._span, self._voices = score, span, voices
        self._song = self._studio.session.state.song
        self._asked += 1
        self._key = f"takes {self._asked}"
        self._edits = self._studio.session.edits
        self.chosen, self.count, self.active = None, TAKES, True
        self._compose()

    def _compose(self) -> None:
        """Composes the takes that are asked for and not there."""
        state, model = self._studio.session.state, self._studio.models.current()
        first, last = self.ready, self.count
        seed, number = state.seed, self._asked
        before, span, voices = self._before, self._span, self._voices
        post, key = self._studio.jobs.post, self._key

        takes = [replace(state.request, seed=(seed, number, take)) for take in range(first, last)]

        def arrived(score: Score) -> Callable[[], None]:
            return lambda: self._arrived(score) if self.active and self._key == key else None

        def work(job: Job) -> None:
            scores = regenerate(
                model, before, span, voices, takes, grid=state.grid, width=TAKES, progress=job.tell
            )
            for score in scores:
                job.tell(job.progress or 0.0)
                post(arrived(score))

        job = Job(f"Regenerating {voice_names(voices).lower()}")
        self._job = self._studio.jobs.start(job, work, lane="compose")

    def _arrived(self, score: Score) -> None:
        self.refresh()
        if not self.active:
            return
        self._scores.append(score)
        if self.chosen is None and self.ready == 1:
            self.choose(0)
