"""Files in and out of a studio: opening, saving, exporting, dragging out.

Everything is read and written in the background. Sessions and autosaves take turns;
exports, which may take long, hold up none of them. No file of the user's is replaced unless somebody agreed:
a window asks, and says so.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import platformdirs

from lakhnes.bridge import midi_lines
from lakhnes.bridge.lines import Line
from lakhnes.runtime import LakhnesError, Voice
from lakhnes.studio import exports
from lakhnes.studio.exports import ExportRequest, playing
from lakhnes.studio.jobs import Job
from lakhnes.studio.keeping import AUTOSAVE_SECONDS, Keeping
from lakhnes.studio.made import record_of
from lakhnes.studio.opening import Opened, open_file
from lakhnes.studio.preferences import PreferenceStore
from lakhnes.studio.session_file import ENDING, write_session
from lakhnes.studio.state import SongState, Whereabouts, song_name
from lakhnes.studio.studio import Studio
from lakhnes.studio.view import Message

PROGRAM = "LakhNES"

_ALL = tuple(field.name for field in fields(SongState) if field.name != "song")
_MUSIC = ("score", "kept", "composed_bpm", "bpm", "beats_per_bar", "composed", "edits", "sources")
"""Fields of a state that a file of music says, rather than a session."""


@dataclass(slots=True, eq=False)
class _Save:
    """A session on its way into a file, which one of several threads writes."""

    target: Path
    state: SongState
    place: int
    replaces: bool
    """Whether an existing file may be replaced."""
    record: str
    """How the song was made."""
    job: Job
    stamp: int = 0
    """When the file was written, in nanoseconds; 0 before."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def write(self) -> None:
        """Writes it, unless that is done."""
        with self.lock:
            if self.stamp:
                return
            if not self.replaces:
                exports.refuse_to_replace((self.target,))
            write_session(self.target, self.state, Whereabouts(self.place), record=self.record)
            self.stamp = self.target.stat().st_mtime_ns


class Filing:
    """Connects a studio with files. Its methods are called from the interface's thread and never wait.

    Attributes:
        keeping: what is kept of songs that are not saved.
    """

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
        self._studio, self._store = studio, store
        self.keeping = Keeping(
            studio, folder or platformdirs.user_state_path("lakhnes", appauthor=False), now=now
        )
        self._store_saving = False
        self._saves: list[_Save] = []
        self._exports: dict[Job, list[Path]] = {}
        self._awaiting: tuple[Callable[[], None], Callable[[], None]] | None = None
        self._dragged: Path | None = None
        self._closed = False

    @property
    def path(self) -> Path | None:
        """The session's file; None while it has none."""
        path = self._studio.session.whereabouts().path
        return Path(path) if path else None

    @property
    def changed(self) -> bool:
        """Whether anything is not saved."""
        return self._studio.session.changed

    @property
    def name(self) -> str:
        """The name of the song, as part of a file's name."""
        return song_name(self._studio.session.state, self._studio.session.whereabouts())

    @property
    def title(self) -> str:
        """The title of the window."""
        whereabouts = self._studio.session.whereabouts()
        return f"{self.name if whereabouts.path or whereabouts.name else 'New song'} — {PROGRAM}"

    def suggested(self, ending: str) -> str:
        """Return a suggested path for the song.

        Args:
            ending: with its point, such as `.mid`.
        """
        path = self.path
        folder = Path(self._store.value.folder) if self._store.value.folder else Path.home()
        return str((path.parent if path and ending == ENDING else folder) / f"{self.name}{ending}")

    # In

    def list_tracks(self, path: Path, done: Callable[[list[Line]], None]) -> None:
        """Finds the tracks of a MIDI file that have notes; says so where there are none."""

        def listed(lines: list[Line]) -> None:
            if lines:
                done(lines)
            else:
                self._studio.say(Message(f"{path.name} has no notes."))

        self._start(Job(f"Reading {path.name}"), lambda job: midi_lines(path), listed)

    def open(self, path: Path, voices: str = "", *, arpeggio: bool = False) -> None:
        """Opens a session or music, as one step that can be undone.

        Args:
            path: the file.
            voices: which tracks of a MIDI file voices play, such as `P1=Flute,TR=3`; empty for what seems
                best.
            arpeggio: whether chords of a MIDI file become arpeggios where one voice plays them.
        """
        state = self._studio.session.state

        def done(opened: Opened) -> None:
            names = _ALL if opened.session else _MUSIC
            self._studio.begin(
                f"Open {path.name}",
                place=opened.whereabouts.place,
                whereabouts=opened.whereabouts,
                **{name: getattr(opened.state, name) for name in names},
            )
            self._store.remember(path)
            text = " ".join((f"Opened {path.name}.", *opened.remarks))
            self._studio.say(Message(text))

        self._start(
            Job(f"Opening {path.name}"), lambda job: open_file(path, state, voices, arpeggio=arpeggio), done
        )

    # Out

    def session_file(self, path: Path) -> Path:
        """Return where a session is saved that is to be saved as a path: with its ending."""
        return path if path.name.lower().endswith(ENDING) else path.with_name(path.name + ENDING)

    def there(self, paths: Iterable[Path]) -> list[Path]:
        """Return those of some files that exist, or will exist after the running tasks."""
        coming = {save.target.absolute() for save in self._running_saves()}
        coming.update(path.absolute() for job in self.exporting for path in self._exports[job])
        return [path for path in paths if exports.is_there(path) or path.absolute() in coming]

    @property
    def altered(self) -> bool:
        """Whether another program has written the session's file since it was opened or saved here."""
        whereabouts = self._studio.session.whereabouts()
        if not (whereabouts.path and whereabouts.stamp):
            return False
        try:
            return (
                Path(whereabouts.path).stat().st_mtime_ns != whereabouts.stamp and not self._running_saves()
            )
        except OSError:  # it is gone, so nothing is replaced
            return False

    def save(
        self, path: Path | None = None, *, replaces: bool = False, then: Callable[[], None] = lambda: None
    ) -> bool:
        """Saves the session.

        Args:
            path: where; None for where it was saved or opened.
            replaces: whether an existing file may be replaced; the session's own may, unless `altered`.
            then: is called when it is saved, and not if it cannot be.

        Returns:
            Whether it is being saved; False if there is no path, so that somebody has to ask for one.
        """
        own = self.path
        if path is None and own is None:
            return False
        target = self.session_file(path or own or Path())
        replaces = replaces or (path is None and not self.altered)
        job = Job(f"Saving {target.name}", quiet=True)
        state = self._studio.session.state
        record = record_of(state, self._studio.models)
        save = _Save(target, state, self._studio.playback.place, replaces, record, job)

        def done(_: None) -> None:
            self._note_saved(save)
            self._studio.say(Message(f"Saved {target.name}."))
            then()

        self._saves.append(save)
        self._start(job, lambda job: save.write(), done)
        return True

    def export(self, request: ExportRequest) -> Job:
        """Writes the song into other files; what comes of it is a message."""
        state = self._studio.session.state
        record = record_of(state, self._studio.models)

        def work(job: Job) -> tuple[list[Path], tuple[str, ...]]:
            try:
                return exports.export(state, request, job.tell, record)
            except BaseException:
                self._studio.jobs.post(lambda: self._give_up_waiting(job))
                raise

        def done(result: tuple[list[Path], tuple[str, ...]]) -> None:
            files, remarks = result
            self._store.change(folder=str(request.path.absolute().parent))
            written = ", ".join(map(str, files))
            self._studio.say(Message(" ".join((f"Wrote {written}.", *remarks))))

        job = Job(f"Exporting {request.path.name}")
        self._exports = {job: self._exports[job] for job in self.exporting}
        self._exports[job] = exports.targets(request)
        return self._start(job, work, done, lane="export")

    @property
    def exporting(self) -> list[Job]:
        """Exports that are not done."""
        return [job for job in self._studio.jobs.running if job in self._exports and not job.cancelled]

    def when_exported(self, then: Callable[[], None], failed: Callable[[], None]) -> None:
        """Has something done by `tick` when all exports are done.

        Args:
            then: what is done.
            failed: is called instead if one of them fails.
        """
        self._awaiting = then, failed

    def wait_no_more(self) -> None:
        """Forgets what was to be done when all exports are done."""
        self._awaiting = None

    def stop_exports(self) -> None:
        """Ends the exports; of those that are not done no file is left."""
        self._awaiting = None
        for job in self.exporting:
            job.cancel()

    def drag_files(
        self,
        voices: Collection[Voice],
        span: tuple[int, int] | None,
        *,
        each: bool,
        done: Callable[[list[Path]], None],
        failed: Callable[[], None] = lambda: None,
    ) -> Job:
        """Write MIDI files that can be dragged into a DAW; they exist until `close`.

        Args:
            voices: those that are wanted.
            span: first tick and the one after the last; None for the whole song.
            each: a file for each voice, rather than one for all.
            done: takes the files.
            failed: is called if there are none.
        """
        state, name = self._studio.session.state, self.name
        record = record_of(state, self._studio.models)

        def work(job: Job) -> list[Path]:
            try:
                if self._dragged is None:
                    self._dragged = Path(tempfile.mkdtemp(prefix="lakhnes-"))
                # Files of an earlier drag may be in use, so they are not overwritten.
                folder = Path(tempfile.mkdtemp(dir=self._dragged))
                return exports.write_for_daw(state, folder, name, voices, span, each=each, record=record)
            except BaseException:
                self._studio.jobs.post(failed)
                raise
            finally:
                if self._closed and self._dragged is not None:
                    shutil.rmtree(self._dragged, ignore_errors=True)

        return self._start(Job("Dragging out", quiet=True), work, done, lane="drag")

    # From time to time, and at the end

    def tick(self) -> None:
        """Keeps what is not saved from time to time, and the preferences; to be called often."""
        if self._awaiting is not None and not self.exporting:
            (then, _), self._awaiting = self._awaiting, None
            then()
        if self._store.changed and not self._store_saving:
            self._save_store()
        self.keeping.tick()

    def keep(self) -> dict[str, str]:
        """Saves what is being saved and keeps what is not, so that the end may come; waits for it.

        Returns:
            Names of songs that could not be kept, and why.
        """
        for save in self._running_saves():
            with suppress(LakhnesError, OSError):  # then it is unsaved, and kept
                save.write()
                self._note_saved(save)
        return self.keeping.keep()

    def close(self) -> None:
        """Keeps what is not saved for the next start, and removes everything else that was made."""
        if self._closed:
            return
        self._closed = True
        self.keep()
        for name, why in self.keeping.close().items():
            self._studio.say(Message(f"{name} is not saved and could not be kept: {why}", error=True))
        with suppress(LakhnesError, OSError):  # the window is gone, and the song matters more
            self._store.save()
        if self._dragged is not None:
            shutil.rmtree(self._dragged, ignore_errors=True)

    def _running_saves(self) -> list[_Save]:
        running = self._studio.jobs.running
        self._saves = [save for save in self._saves if save.job in running]
        return self._saves

    def _note_saved(self, save: _Save) -> None:
        """Note that a song is saved, whether it is still in the window or not."""
        whereabouts = Whereabouts(path=str(save.target.absolute()), stamp=save.stamp)
        self._studio.session.saved(save.state, whereabouts)
        self._store.remember(save.target)
        self.keeping.saved(save.state.song)

    def _give_up_waiting(self, job: Job) -> None:
        """Note that an export failed; a cancelled one did not."""
        if self._awaiting is not None and not job.cancelled:
            (_, failed), self._awaiting = self._awaiting, None
            failed()

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
