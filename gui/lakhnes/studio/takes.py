"""Takes: parts of a song composed anew, several to choose from, each heard in its place."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

from lakhnes.bridge.gm import TRACK_NAMES
from lakhnes.runtime import OptionError, Score, Voice
from lakhnes.runtime.compose.regenerate import regenerate
from lakhnes.studio.jobs import Job
from lakhnes.studio.studio import Studio

TAKES = 4
"""How many there are to choose from."""


class Takes:
    """Composes a selection anew in the background, and puts the take that is chosen into the song.

    Choosing is one step of the session, however often another take is chosen.

    Attributes:
        active: whether there is something to choose from, or coming.
        count: takes that were asked for.
        ready: takes that are there.
        chosen: which of them is in the song; None for what was there before.
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
        self._edits = 0  # of the session, when a take was chosen last

    @property
    def ready(self) -> int:
        """How many takes are there."""
        return len(self._scores)

    def regenerate(self, span: tuple[int, int], voices: Collection[Voice]) -> None:
        """Composes a span of some voices anew; those that are locked stay.

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
            raise OptionError("Nothing is composed there yet; select a part of the song.")
        self._begin(state.score, (start, end), free)

    def again(self) -> None:
        """Asks for as many again."""
        if self.active:
            self.count += TAKES
            self._compose()

    def choose(self, index: int | None) -> None:
        """Puts a take into the song; None for what was there before."""
        self.refresh()  # the song may be another one since
        if not self.active or (index is not None and not 0 <= index < self.ready):
            return
        score = self._before if index is None else self._scores[index]
        self._studio.session.edit("Regenerate", score, self._span, self._voices, key=self._key)
        self._edits = self._studio.session.edits
        self.chosen = index

    def done(self) -> None:
        """What is chosen stays; the rest is forgotten."""
        self.cancel()
        self.active, self.chosen = False, None
        self.count = 0
        self._scores = []

    def cancel(self) -> None:
        """Composes no more; what is there can be chosen."""
        if self._job is not None:
            self._job.cancel()
            self._job = None
        self.count = self.ready
        self.active = self.active and self.ready > 0

    def refresh(self) -> None:
        """Closes where notes have been changed otherwise since, or no take can come; called often."""
        if self.active and self._studio.session.edits != self._edits:
            self.done()
        elif self._job is not None and self._job not in self._studio.jobs.running:
            self.cancel()  # it is done, or broke down, or somebody ended it elsewhere

    def _begin(self, score: Score, span: tuple[int, int], voices: frozenset[Voice]) -> None:
        self._studio.models.current()  # refuses now what it would refuse later
        self.done()
        self._before, self._span, self._voices = score, span, voices
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

        names = ", ".join(TRACK_NAMES[voice].lower() for voice in sorted(voices))
        job = Job(f"Composing {names} anew")
        self._job = self._studio.jobs.start(job, work, lane="compose")

    def _arrived(self, score: Score) -> None:
        self.refresh()
        if not self.active:
            return
        self._scores.append(score)
        if self.chosen is None and self.ready == 1:
            self.choose(0)
