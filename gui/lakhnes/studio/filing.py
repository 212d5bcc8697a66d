"""Files in and out of a studio: opening, saving, exporting, dragging out, and what is kept unsaved.

Everything is read and written beside the interface. Sessions and what is kept of unsaved ones take turns;
exports, which may take long, hold up none of them.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from lakhnes.runtime import LakhnesError, Voice
from lakhnes.studio import autosave, exports
from lakhnes.studio.autosave import Autosave
from lakhnes.studio.exports import ExportRequest, playing
from lakhnes.studio.jobs import Job
from lakhnes.studio.opening import Opened, open_file
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.session import asked
from lakhnes.studio.session_file import ENDING, read_session, write_session
from lakhnes.studio.state import SongState
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

AUTOSAVE_SECONDS = 15.0
"""From one look at what is not saved to the next."""

PROGRAM = "LakhNES"

_ALL = tuple(field.name for field in fields(SongState))
_MUSIC = ("score", "kept", "composed_bpm", "bpm", "beats_per_bar", "path")
"""Fields of a state that a file of music says, rather than a session."""


class Filing:
    """What joins a studio to files. Its methods are called from the interface's thread and never wait."""

    def __init__(
        self,
        studio: Studio,
        store: PreferenceStore,
        *,
        folder: Path | None = None,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Takes part in a studio.

        Args:
            studio: whose song it is.
            store: where recent files are remembered; what changes in it is saved here.
            folder: where unsaved songs are kept; None for the platform's place.
            now: the time.
        """
        self._studio, self._store, self._now = studio, store, now
        self._folder = folder or platformdirs.user_state_path("lakhnes", appauthor=False)
        self._autosave = Autosave(self._folder)
        self._looked = now()
        self._looked_at = studio.session.state
        self._kept = False  # whether an autosave of this song is, or will be, on the disk
        self._complaint = ""
        self._store_saving = False
        self._restored: Path | None = None
        self._saving: tuple[Job, Path, SongState] | None = None  # the latest
        self._passed: set[Path] = set()  # what was left behind and is not to be offered again
        self._dragged: Path | None = None
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The session's file; None while it has none."""
        path = self._studio.session.state.path
        return Path(path) if path else None

    @property
    def changed(self) -> bool:
        """Whether anything is not saved."""
        return self._studio.session.changed

    @property
    def title(self) -> str:
        """What a window is called."""
        path = self.path
        return f"{path.stem if path else 'New song'} — {PROGRAM}"

    def suggested(self, ending: str) -> str:
        """A file that the song might be written to.

        Args:
            ending: with its point, such as `.mid`.
        """
        path = self.path
        folder = Path(self._store.value.folder) if self._store.value.folder else Path.home()
        name = path.stem if path else f"{PROGRAM} {self._studio.session.state.seed}"
        return str((path.parent if path and ending == ENDING else folder) / f"{name}{ending}")

    # In

    def open(self, path: Path) -> None:
        """Opens a session or music, as one step that can be undone."""
        state = self._studio.session.state

        def done(opened: Opened) -> None:
            self._replace(f"Open {path.name}", opened.state, _ALL if opened.session else _MUSIC)
            if opened.session:
                self._studio.session.saved(self._studio.session.state)
            self._store.remember(path)
            text = " ".join((f"Opened {path.name}.", *opened.remarks))
            self._studio.say(Message(text))

        self._start(Job(f"Opening {path.name}"), lambda job: open_file(path, state), done)

    # Out

    def save(self, path: Path | None = None, *, then: Callable[[], None] = lambda: None) -> bool:
        """Saves the session.

        Args:
            path: where; None for where it was saved or opened.
            then: is called when it is saved, and not if it cannot be.

        Returns:
            Whether it is being saved; False if there is no path, so that somebody has to ask for one.
        """
        target = path or self.path
        if target is None:
            return False
        if not target.name.lower().endswith(ENDING):
            target = target.with_name(target.name + ENDING)
        state = self._studio.session.state

        def done(_: None) -> None:
            session = self._studio.session
            session.amend(path=str(target.absolute()))
            session.saved(replace(state, path=session.state.path))
            self._store.remember(target)
            self._forget_restored()
            self._look()
            self._studio.say(Message(f"Saved {target.name}."))
            then()

        job = Job(f"Saving {target.name}", quiet=True)
        self._saving = job, target, state
        self._start(job, lambda job: write_session(target, state), done)
        return True

    def export(self, request: ExportRequest) -> Job:
        """Writes the song into other files; what comes of it is a message."""
        state = self._studio.session.state

        def done(result: tuple[list[Path], tuple[str, ...]]) -> None:
            files, remarks = result
            self._store.change(folder=str(request.path.absolute().parent))
            written = ", ".join(map(str, files))
            self._studio.say(Message(" ".join((f"Wrote {written}.", *remarks))))

        return self._start(
            Job(f"Exporting {request.path.name}"),
            lambda job: exports.export(state, request, job.tell),
            done,
            lane="export",
        )

    def drag_files(
        self,
        voices: Collection[Voice],
        span: tuple[int, int] | None,
        *,
        each: bool,
        done: Callable[[list[Path]], None],
        failed: Callable[[], None] = lambda: None,
    ) -> Job:
        """Writes MIDI files that can be dragged into a DAW; they are there until `close`.

        Args:
            voices: those that are wanted.
            span: first tick and the one after the last; None for the whole song.
            each: a file for each voice, rather than one for all.
            done: takes the files.
            failed: is called if there are none.
        """
        state = self._studio.session.state

        def work(job: Job) -> list[Path]:
            try:
                if self._dragged is None:
                    self._dragged = Path(tempfile.mkdtemp(prefix="lakhnes-"))
                # What was dragged before may be in use, so nothing of it is written over.
                folder = Path(tempfile.mkdtemp(dir=self._dragged))
                return exports.write_for_daw(state, folder, voices, span, each=each)
            except BaseException:
                self._studio.jobs.post(failed)
                raise
            finally:
                if self._closed and self._dragged is not None:
                    shutil.rmtree(self._dragged, ignore_errors=True)

        return self._start(Job("Dragging out", quiet=True), work, done, lane="drag")

    # What is not saved

    def recoverable(self) -> Path | None:
        """The latest song that another run of the program left unsaved."""
        path = autosave.left_behind(self._folder)
        return None if path in self._passed else path

    def recover(self, path: Path) -> None:
        """Opens what was left unsaved, as one step; it is on the disk until it is kept anew."""
        self._passed.add(path)

        def done(state: SongState) -> None:
            self._replace("Restore the unsaved song", state, _ALL)
            self._forget_restored()
            self._restored = path
            self._look()

        self._start(Job("Restoring the unsaved song"), lambda job: read_session(path), done)

    def discard(self, path: Path) -> None:
        """Throws away what was left unsaved."""
        self._passed.add(path)
        self._start(Job("Throwing away", quiet=True), lambda job: autosave.remove(path))

    def tick(self) -> None:
        """Keeps what is not saved from time to time, and the preferences; to be called often."""
        if self._store.changed and not self._store_saving:
            self._save_store()
        if self._now() - self._looked >= AUTOSAVE_SECONDS:
            self._look()

    def close(self) -> None:
        """Keeps what is not saved for the next start, and removes everything else that was made."""
        if self._closed:
            return
        self._closed = True
        state = self._studio.session.state
        with suppress(LakhnesError, OSError):  # then it is unsaved, and kept
            self._finish_saving()
        try:
            if self._worth_keeping(state):
                self._autosave.write(state, last=True)
                self._remove_restored()
            else:
                self._autosave.remove(last=True)
        except (LakhnesError, OSError) as error:
            self._studio.say(Message(f"The unsaved song could not be kept: {error}", error=True))
        self._autosave.release()
        with suppress(LakhnesError, OSError):  # the window is gone, and the song matters more
            self._store.save()
        if self._dragged is not None:
            shutil.rmtree(self._dragged, ignore_errors=True)

    def _finish_saving(self) -> None:
        """Saves what somebody wanted saved just before the end, for its job will not be waited for."""
        if self._saving is None or self._saving[0] not in self._studio.jobs.running:
            return
        _, target, state = self._saving
        write_session(target, state)
        session = self._studio.session
        session.amend(path=str(target.absolute()))
        session.saved(replace(state, path=session.state.path))
        self._store.remember(target)

    def _look(self) -> None:
        """Keeps the song if it is not saved and not kept; removes what is kept of a saved one."""
        self._looked = self._now()
        state = self._studio.session.state
        worth = self._worth_keeping(state)
        if (state is self._looked_at and worth == self._kept) or not (worth or self._kept):
            return
        self._looked_at, self._kept = state, worth
        work = self._keep if worth else self._drop
        self._start(Job("Keeping the unsaved song", quiet=True), lambda job: work(state), self._complain)

    def _worth_keeping(self, state: SongState) -> bool:
        return self.changed and asked(state).n_notes > 0

    def _keep(self, state: SongState) -> str:
        """Writes the autosave; what went wrong."""
        try:
            self._autosave.write(state)
        except (LakhnesError, OSError) as error:
            return f"The unsaved song cannot be kept from time to time: {error} Save it yourself."
        self._remove_restored()
        return ""

    def _drop(self, _: SongState) -> str:
        self._autosave.remove()
        return ""

    def _complain(self, text: str) -> None:
        """Says once, and not every 15 seconds, what is wrong."""
        if text and text != self._complaint:
            self._studio.say(Message(text, error=True))
        self._complaint = text

    def _forget_restored(self) -> None:
        if self._restored is not None:
            self._start(Job("Tidying up", quiet=True), lambda job: self._remove_restored())

    def _remove_restored(self) -> None:
        path, self._restored = self._restored, None
        if path is not None:
            autosave.remove(path)

    # Means

    def _save_store(self) -> None:
        def work(job: Job) -> str:
            try:
                self._store.save()
            except (LakhnesError, OSError) as error:
                return f"The settings cannot be saved: {error}"
            return ""

        def done(text: str) -> None:
            # After a failure nothing is tried again before `close`, or it would be tried at every tick.
            self._store_saving = bool(text)
            if text:
                self._studio.say(Message(text, error=True))

        self._store_saving = True
        self._start(Job("Saving the settings", quiet=True), work, done)

    def _replace(self, label: str, state: SongState, names: Collection[str]) -> None:
        """Another song, as one step, from its start; what else was set meanwhile stays."""
        changes: dict[str, Any] = {name: getattr(state, name) for name in names}
        self._studio.session.change(label, **changes)
        self._studio.set_loop(None)
        if not self._studio.following:
            self._studio.seek(0)

    def _start(
        self,
        job: Job,
        work: Callable[[Job], Any],
        done: Callable[[Any], None] = lambda result: None,
        *,
        lane: str = "files",
    ) -> Job:
        return self._studio.jobs.start(job, work, done, lane=lane)


__all__ = ["AUTOSAVE_SECONDS", "ExportRequest", "Filing", "playing"]
