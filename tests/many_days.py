"""Days of a user who composes, edits, opens, saves, quits and is cut off, and what is left of the songs.

Run as a program, it plays many such days and prints what was lost, as JSON. Every run of the studio is a
process of its own, and is cut off by a SIGKILL. The composer is a fake: a few notes at once.

Each version of a song has a number, which is in its first note. A version that was kept must be on the disk
afterwards, in a file of the user's or an unsaved one; or else a later version of the same song.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ClassVar

from studio_desk import Desk

from lakhnes.runtime import Note, Part, Score, Voice, tx2_text
from lakhnes.studio import jobs
from lakhnes.studio.keeping import Keeping
from lakhnes.studio.session_file import read_session
from lakhnes.studio.state import SongState

ACTIONS = 24
"""What a user does in one run, at most."""

_BASE = 1000  # length of the first note of version 0


def _first_bar(version: int) -> Score:
    parts = Part((Note(0, _BASE + version, 69),)), Part((Note(0, 9_000, 60),)), Part(), Part()
    return Score(parts, 88_200)


def version_of(state: SongState) -> int | None:
    """The number in a song's first note; None for a song that nobody has composed or edited."""
    notes = state.score.parts[Voice.P1].notes
    number = notes[0].length - _BASE if notes and notes[0].onset == 0 else -1
    return number if 0 <= number < _BASE and state.kept else None


class Diary:
    """What happened, on the disk, for whoever comes after."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.versions = sum(1 for line in path.read_text().splitlines() if '"new"' in line)

    def write(self, what: str, *versions: int) -> None:
        os.write(self._file, json.dumps([what, *versions]).encode() + b"\n")

    def new(self) -> int:
        self.versions += 1
        self.write("new", self.versions)
        return self.versions


class Later:
    """Work of all lanes, done when somebody waits for it: threads would only cost time."""

    waiting: ClassVar[list[Callable[[], object]]] = []

    def __init__(self, *_: object, **__: object) -> None: ...

    def submit(self, work: Callable[..., object], *arguments: object) -> None:
        self.waiting.append(partial(work, *arguments))

    def shutdown(self, **_: object) -> None: ...

    @classmethod
    def do(cls) -> None:
        while cls.waiting:
            cls.waiting.pop(0)()


class Window(Desk):
    """A desk whose work is done later."""

    def settle(self) -> None:
        while self.studio.jobs.running:
            Later.do()
            self.studio.poll()


class User:
    """Somebody with one or two windows, who does anything."""

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.diary = Diary(folder / "diary")
        self.desks: list[Desk] = []
        self.seen: dict[tuple[Desk, int], int] = {}  # version of each song when it was seen last
        self.kept: set[tuple[Desk, int]] = set()
        self.open_window()

    def open_window(self) -> None:
        self.desks.append(Window(self.folder, SongState(seed=self.chance.randrange(1 << 30))))

    def act(self) -> bool:
        """Does something; whether there is a window left."""
        names = ("compose", "edit", "set", "new", "open", "save", "save_as", "undo", "redo", "wait")
        weights = (4, 4, 1, 4, 3, 2, 2, 2, 1, 2)
        more, few = ("restore", "discard", "quit", "window"), (3, 1, 2, 1)
        (name,) = self.chance.choices(names + more, weights + few)
        desk = self.chance.choice(self.desks)
        getattr(self, name)(desk)
        if desk not in self.desks:
            return bool(self.desks)
        self.look(desk)
        if self.chance.random() < 0.9:
            desk.frame(self.chance.choice((0.0, 1.0, 5.0)))
            self.look(desk)
            song = desk, desk.state.song
            if song in self.seen and song not in self.kept:
                self.settled(desk)
        return True

    def look(self, desk: Desk) -> None:
        """Notes which version of a song there is now."""
        version, song = version_of(desk.state), (desk, desk.state.song)
        before = self.seen.get(song)
        if version is None or version == before:
            return
        if before is not None:
            self.diary.write("instead", before, version)
        self.seen[song] = version

    def settled(self, desk: Desk) -> None:
        """Whatever a window has seen must be kept by now."""
        for song, version in self.seen.items():
            if song[0] is desk:
                self.kept.add(song)
                self.diary.write("kept", version)

    # What a user does

    def compose(self, desk: Desk) -> None:
        state = desk.state
        if state.score.length == 0:
            score = _first_bar(self.diary.new())
            desk.studio.session.amend(score=score, kept=state.grid.tick(score.length))
        elif version_of(state) is None:  # music of a file, which goes on
            self.edit(desk)
        else:
            desk.hear()

    def edit(self, desk: Desk) -> None:
        if desk.state.score.length:
            score = _first_bar(self.diary.new())
            desk.studio.session.edit("Edit", score, (0, 44_100), (Voice.P1,))

    def set(self, desk: Desk) -> None:
        if version_of(desk.state) is not None:
            desk.studio.session.change("Temperature", temperature=self.chance.choice((0.5, 1.0, 1.5)))

    def new(self, desk: Desk) -> None:
        desk.studio.new(self.chance.randrange(1 << 30))
        self.after_leaving(desk)

    def open(self, desk: Desk) -> None:
        desk.filing.open(self.chance.choice(sorted((self.folder / "songs").iterdir())))
        if self.chance.random() < 0.5:
            desk.settle()
        else:  # something else happens while it is read
            self.edit(desk)
            self.look(desk)
            desk.settle()
        self.after_leaving(desk)

    def save(self, desk: Desk) -> None:
        if desk.filing.save() and self.chance.random() < 0.5:
            desk.settle()

    def save_as(self, desk: Desk) -> None:
        # At times a name that is taken: nobody agreed to that, so nothing may come of it.
        desk.filing.save(self.folder / "songs" / f"song {self.chance.randrange(9)}")
        if self.chance.random() < 0.5:
            desk.settle()

    def undo(self, desk: Desk) -> None:
        song = desk.state.song
        desk.studio.session.undo()
        if desk.state.song == song and version_of(desk.state) is None and (desk, song) in self.seen:
            self.diary.write("discarded", self.seen[desk, song])  # it is again as its file is
        self.after_leaving(desk)

    def redo(self, desk: Desk) -> None:
        desk.studio.session.redo()
        self.after_leaving(desk)

    def wait(self, desk: Desk) -> None:
        desk.later()
        self.settled(desk)

    def restore(self, desk: Desk) -> None:
        left = desk.left()
        if left:
            desk.recover(self.chance.choice(left))
            self.after_leaving(desk)

    def discard(self, desk: Desk) -> None:
        left = desk.left()
        if left:
            song = self.chance.choice(left)
            file = song.file
            state = read_session(file) if file else desk.filing.keeping._autosave.songs[song.song].state
            version = version_of(state)
            if version is not None:
                self.diary.write("discarded", version)
            desk.filing.keeping.discard([song])
            desk.frame()

    def window(self, desk: Desk) -> None:
        if len(self.desks) < 2:
            self.open_window()

    def quit(self, desk: Desk) -> None:
        self.look(desk)
        desk.close()
        self.settled(desk)
        self.desks.remove(desk)

    def after_leaving(self, desk: Desk) -> None:
        """Another song may be in the window: the one before is written at once."""
        self.look(desk)
        desk.frame()
        self.look(desk)


def run(folder: Path, chance: random.Random, actions: int, *, forgetful: bool) -> None:
    """One run of the studio, in a process of its own, which a SIGKILL ends at some moment."""
    os.fsync = lambda file: None  # what a process has written outlives it; only the machine must not stop
    if forgetful:
        Keeping._leave = lambda self, state: self._autosave.forget(state.song)  # type: ignore[method-assign]
    jobs.ThreadPoolExecutor = Later  # type: ignore[assignment, misc]
    user = User(folder, chance)
    for _ in range(chance.randint(1, actions)):
        if not user.act():
            user.open_window()
    if chance.random() < 0.5:
        # In the middle of whatever is written.
        desk = chance.choice(user.desks)
        user.edit(desk)
        user.look(desk)
        desk.time += 60
        desk.filing.tick()
        threading.Thread(target=Later.do, daemon=True).start()
        time.sleep(chance.random() * 0.004)
    os.kill(os.getpid(), signal.SIGKILL)


def lost(folder: Path) -> list[int]:
    """Versions of songs that were kept, not thrown away, and are nowhere, nor is what came after them."""
    kept, discarded = set(), set()
    after: dict[int, set[int]] = {}
    for line in (folder / "diary").read_text().splitlines():
        what, first, *rest = json.loads(line)
        if what == "kept":
            kept.add(first)
        elif what == "discarded":
            discarded.add(first)
        elif what == "instead":
            after.setdefault(first, set()).update(rest)
    there = {version_of(read_session(path)) for path in folder.rglob("*.lakhnes")} | discarded

    def survives(version: int, passed: frozenset[int]) -> bool:
        later = after.get(version, set()) - passed
        return version in there or any(survives(one, passed | {version}) for one in later)

    return sorted(version for version in kept if not survives(version, frozenset()))


def play(folder: Path, number: int, *, forgetful: bool) -> list[int]:
    """A sequence of several runs of the studio; what was lost in it."""
    songs = folder / "songs"
    songs.mkdir(parents=True)
    (songs / "found.tx2.txt").write_text(tx2_text(_first_bar(5000)))
    for day in range(3):
        child = os.fork()
        if child == 0:
            try:
                run(folder, random.Random(f"{number} {day}"), ACTIONS, forgetful=forgetful)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        if not (os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL):
            raise RuntimeError(f"sequence {number}, day {day} failed")
        losses = lost(folder)
        if losses:
            return losses
    return []


def main() -> None:
    folder, count, forgetful = Path(sys.argv[1]), int(sys.argv[2]), "forgetful" in sys.argv[3:]
    losses = {number: play(folder / str(number), number, forgetful=forgetful) for number in range(count)}
    versions = sum(Diary(folder / str(number) / "diary").versions for number in range(count))
    lost_in = {str(number): versions for number, versions in losses.items() if versions}
    sys.stdout.write(json.dumps({"versions": versions, "lost": lost_in}) + "\n")


if __name__ == "__main__":
    main()
