"""A studio as tests sit before it: no window, no model, and time that passes when they say so."""

import time
from pathlib import Path

from support import tune

from lakhnes.runtime import Note, Part, Score
from lakhnes.runtime.music.editing import with_tail
from lakhnes.studio.filing import AUTOSAVE_SECONDS, Filing
from lakhnes.studio.keeping import LeftSong
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

PATIENCE = 20.0
KEPT = SongState(tune(), kept=8 * 480, seed=77)
TAIL = Score((Part((Note(0, 20_000, 60),)), Part(), Part(), Part()), 88_200)
"""A bar of music."""


class Desk:
    """A studio without a model, its filing, and what it said."""

    def __init__(self, folder: Path, state: SongState = KEPT) -> None:
        self.time = 100.0
        self.studio = Studio(state)
        self.said: list[Message] = []
        self.studio.say = self.said.append
        self.store = PreferenceStore(folder / "settings" / "app.json")
        self.kept = folder / "kept"
        self.filing = Filing(self.studio, self.store, folder=self.kept, now=lambda: self.time)

    @property
    def state(self) -> SongState:
        return self.studio.session.state

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.said]

    def settle(self) -> None:
        """Waits for all jobs."""
        end = time.monotonic() + PATIENCE
        while self.studio.jobs.running:
            assert time.monotonic() < end
            self.studio.poll()
            time.sleep(0.001)

    def frame(self, seconds: float = 0.0) -> None:
        """Lets time pass, and looks as a window does."""
        self.time += seconds
        self.studio.poll()
        self.filing.tick()
        self.settle()

    def later(self) -> None:
        """Looks again when an autosave is due."""
        self.frame(AUTOSAVE_SECONDS)

    def hear(self, tail: Score = TAIL) -> None:
        """Has music composed after what is there, and heard."""
        session = self.studio.session
        score = with_tail(session.state.score, tail, session.state.score.length)
        session.amend(score=score, kept=session.state.grid.tick(score.length))

    def left(self) -> list[LeftSong]:
        """What can be had back."""
        found: list[list[LeftSong]] = []
        self.filing.keeping.find(found.append)
        self.settle()
        return found[0]

    def recover(self, song: LeftSong) -> None:
        self.filing.keeping.recover(song)
        self.settle()

    def autosaves(self) -> list[Path]:
        return sorted(self.kept.glob("*.lakhnes"))

    def close(self) -> None:
        self.filing.close()
        self.studio.close()
