"""Unsaved songs: kept from time to time, found again, restored or thrown away.

A song is kept from the moment when somebody could miss it: when music of it was asked for, heard or edited
and no file has it. Another song in its place, or the end of the program, does not change that; only saving it
or throwing it away does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TypeVar

from lakhnes.runtime import SAMPLE_RATE, LakhnesError
from lakhnes.studio.autosave import Autosave, Unsaved, left_behind, remove
from lakhnes.studio.jobs import Job
from lakhnes.studio.session import asked
from lakhnes.studio.session_file import read_song
from lakhnes.studio.state import SongState, song_name
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

T = TypeVar("T")

AUTOSAVE_SECONDS = 15.0
"""From one writing of what is not saved to the next; a song's first one does not wait."""

MOST_LEFT = 100
"""Songs that are offered again and again; older ones go at the end of the run that offered them."""

_MUSIC = tuple(field.name for field in fields(SongState) if field.name != "song")


@dataclass(frozen=True, slots=True)
class LeftSong:
    """A song that is in no file of the user's and not in the window."""

    name: str
    """For people."""
    when: float
    """Seconds since the epoch: when it was changed last."""
    seconds: float = 0.0
    """How long it plays."""
    problem: str = ""
    """Why it cannot be had back; empty if it can."""
    file: Path | None = None
    """Where another run of the program left it; None for a song of this run."""
    song: int = 0
    """Its number, if it is of this run."""


class Keeping:
    """Keeps what a studio could lose. Its methods are called from the interface's thread.

    Attributes:
        folder: where unsaved songs lie.
    """

    def __init__(
        self,
        studio: Studio,
        folder: Path,
        *,
        now: Callable[[], float],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Takes part in a studio.

        Args:
            studio: whose songs they are.
            folder: where unsaved songs are kept.
            now: the time, in seconds.
            clock: seconds since the epoch.
        """
        self.folder = folder
        self._studio, self._now = studio, now
        self._autosave = Autosave(folder, clock=clock)
        self._revision = studio.session.revision
        self._written = now()  # when it was written last
        self._job: Job | None = None
        self._complaint = ""
        self._offered: list[Path] = []  # what other runs left, the latest first
        studio.session.left = self._leave

    def tick(self) -> None:
        """Keeps what is not saved from time to time; to be called often."""
        if self._studio.session.revision != self._revision:
            self._revision = self._studio.session.revision
            self._tell(self._studio.session.state)
        due = self._now() - self._written >= AUTOSAVE_SECONDS
        if due or (self._autosave.urgent and not self._complaint):
            self._write()

    def keep(self) -> dict[str, str]:
        """Keeps everything at once, and waits for it.

        Returns:
            Names of songs that could not be kept, and why.
        """
        self._tell(self._studio.session.state)
        songs = self._autosave.songs
        wrong = self._autosave.settle()
        return {song_name(songs[song].state, songs[song].whereabouts): why for song, why in wrong.items()}

    def saved(self, song: int) -> None:
        """Note that the user saved a song: it is no longer kept, unless it changed in the meantime."""
        unsaved = self._autosave.songs.get(song)
        if unsaved is not None and not self._studio.session.could_be_missed(unsaved.state):
            self._autosave.forget(song)

    def find(self, then: Callable[[list[LeftSong]], None]) -> None:
        """Looks for songs that are in no file of the user's and not in the window.

        Args:
            then: takes them, the latest first.
        """

        def work(job: Job) -> list[LeftSong]:
            return [left for path in left_behind(self.folder) if (left := _of_file(path)) is not None]

        def done(left: list[LeftSong]) -> None:
            self._offered = [song.file for song in left if song.file is not None]
            now = self._studio.session.state.song
            own = [_of_run(unsaved) for song, unsaved in self._autosave.songs.items() if song != now]
            then(sorted((*left, *own), key=lambda song: song.when, reverse=True))

        self._start("Looking for unsaved songs", work, done)

    def recover(self, left: LeftSong) -> None:
        """Puts a song that was found into the window, as one step; it is on the disk all the time."""

        def done(unsaved: Unsaved) -> None:
            state, whereabouts = unsaved.state, unsaved.whereabouts
            self._studio.begin(
                f"Restore {song_name(state, whereabouts)}",
                place=whereabouts.place,
                song=state.song,
                whereabouts=whereabouts,
                unsaved=True,
                **{name: getattr(state, name) for name in _MUSIC},
            )

        if left.file is None:
            mine = self._autosave.songs.get(left.song)
            if mine is not None:
                done(mine)
            return
        path, song = left.file, self._studio.session.number()
        self._start(f"Restoring {left.name}", lambda job: self._autosave.take(path, song), done)

    def discard(self, songs: Iterable[LeftSong]) -> None:
        """Throws songs away that were found."""
        files = []
        for left in songs:
            if left.file is None:
                self._autosave.forget(left.song)
            else:
                files.append(left.file)

        def work(job: Job) -> None:
            for file in files:
                remove(file)

        self._start("Throwing away", work)

    def close(self) -> dict[str, str]:
        """Keeps everything for the next start, and lets other runs of the program find it.

        Returns:
            Names of songs that could not be kept, and why.
        """
        wrong = self.keep()
        for path in self._offered[MOST_LEFT:]:
            remove(path)
        self._autosave.release()
        return wrong

    def _leave(self, state: SongState) -> None:
        """Another song comes in the place of one: it is written soon as it is now."""
        self._tell(state)
        self._written = float("-inf")

    def _tell(self, state: SongState) -> None:
        session = self._studio.session
        if session.could_be_missed(state):
            whereabouts = replace(session.whereabouts(state.song), place=self._studio.playback.place)
            self._autosave.tell(state, whereabouts)
        else:
            self._autosave.forget(state.song)

    def _write(self) -> None:
        if self._job in self._studio.jobs.running or not self._autosave.behind:
            return
        self._written = self._now()
        self._job = self._start(
            "Keeping the unsaved songs", lambda job: self._autosave.settle(), self._complain
        )

    def _complain(self, wrong: dict[int, str]) -> None:
        """Says once, and not every 15 seconds, what is wrong."""
        text = next(iter(wrong.values()), "")
        if text and text != self._complaint:
            said = f"Unsaved work cannot be kept for the next start: {text} Save it yourself."
            self._studio.say(Message(said, error=True))
        self._complaint = text

    def _start(
        self, label: str, work: Callable[[Job], T], done: Callable[[T], None] = lambda result: None
    ) -> Job:
        return self._studio.jobs.start(Job(label, quiet=True), work, done)


def _of_file(path: Path) -> LeftSong | None:
    """Return a song that another run left; None if it no longer exists."""
    try:
        when = path.stat().st_mtime
        state, whereabouts = read_song(path)
    except FileNotFoundError:
        return None
    except (LakhnesError, OSError) as error:
        return LeftSong(path.name, 0.0, problem=str(error), file=path)
    return LeftSong(song_name(state, whereabouts), when, _seconds(state), file=path)


def _of_run(unsaved: Unsaved) -> LeftSong:
    state = unsaved.state
    name = song_name(state, unsaved.whereabouts)
    return LeftSong(name, unsaved.when, _seconds(state), song=state.song)


def _seconds(state: SongState) -> float:
    return asked(state).length / SAMPLE_RATE * state.composed_bpm / state.bpm


__all__ = ["AUTOSAVE_SECONDS", "MOST_LEFT", "Keeping", "LeftSong"]
