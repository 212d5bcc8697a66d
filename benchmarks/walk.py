"""Walks through the app from outside, as a newcomer does, with mouse and keys, and takes pictures.

    python benchmarks/walk.py FOLDER [--size 1366x768] [--scale 1] [--theme light]

Start, hear, set the key, lock the bass, compose the lead anew, fix two notes by hand, copy two bars,
transpose them, compose around them, undo all, redo all, save, quit, reopen, drag out.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import ImageGrab

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from x_screen import Screen  # noqa: E402

PATIENCE_SECONDS = 300.0
SEED = 4151243041
"""Of the song: its first bar has notes in both pulses."""

_APP = """
import json, os, sys, time
from pathlib import Path
from PySide6.QtCore import QPoint
from PySide6.QtWidgets import QWidget
from lakhnes.gui import main_window
from lakhnes.gui.roll_geometry import HEADER, TOP
from lakhnes.runtime import Voice
from lakhnes.studio.session import asked
import secrets
secrets.randbelow = lambda most: int(os.environ["WALK_SEED"]) % most
report, theme = Path(os.environ["WALK_REPORT"]), os.environ["WALK_THEME"]
seen = [0.0]
refresh = main_window.MainWindow.refresh
def middle(widget):
    place = widget.mapToGlobal(widget.rect().center())
    return place.x(), place.y()
def watched(window):
    refresh(window)
    if time.monotonic() - seen[0] < 0.1:
        return
    if not seen[0]:
        window.use_theme(theme)
    seen[0] = time.monotonic()
    session, roll, ratio = window.studio.session, window.roll, window.devicePixelRatioF()
    named = [w for w in window.findChildren(QWidget) if w.objectName() and w.isVisible()]
    notes = []
    for voice in Voice:
        lane = roll.lanes[voice]
        for note in roll.state.score.parts[voice].notes[:200]:
            left, right = (roll.axis.x(roll.state.grid.tick(t)) for t in (note.onset, note.end))
            top, height = lane.row(note.pitch)
            at = roll.viewport().mapToGlobal(QPoint(round((left + right) / 2), top + height // 2))
            notes.append((int(voice), note.onset, note.pitch, at.x() * ratio, at.y() * ratio))
    bars = [roll.viewport().mapToGlobal(QPoint(round(roll.axis.x(bar * 1920)), 8)) for bar in range(12)]
    corners = (QPoint(HEADER, TOP), QPoint(roll.viewport().width(), roll.viewport().height()))
    sight = [(at.x() * ratio, at.y() * ratio) for at in map(roll.viewport().mapToGlobal, corners)]
    lanes = [roll.viewport().mapToGlobal(QPoint(0, lane.top + 1)).y() * ratio for lane in roll.lanes]
    state = {
        "ready": window.studio.view().ready, "playing": window.studio.view().playing,
        "place": window.studio.view().place, "end": session.state.end, "kept": session.state.kept,
        "scale": session.state.scale,
        "locked": [v.locked for v in session.state.voices], "takes": window.takes.ready,
        "undo": session.undo_label, "redo": session.redo_label, "changed": session.changed,
        "title": window.windowTitle(), "size": (window.width() * ratio, window.height() * ratio),
        "widgets": {w.objectName(): [round(c * ratio) for c in middle(w)] for w in named},
        "notes": notes, "sight": sight,
        "bars": [(b.x() * ratio, b.y() * ratio) for b in bars], "lanes": lanes,
        "score": [[(n.onset, n.pitch) for n in p.notes] for p in asked(session.state).parts],
    }
    report.with_suffix(".new").write_text(json.dumps(state))
    report.with_suffix(".new").replace(report)
main_window.MainWindow.refresh = watched
from lakhnes.gui import run
sys.exit(run([Path(name) for name in sys.argv[1:]]))
"""

_TARGET = """
import sys
from PySide6.QtWidgets import QApplication, QLabel
class Target(QLabel):
    def dragEnterEvent(self, event):
        event.acceptProposedAction()
    def dropEvent(self, event):
        event.acceptProposedAction()
        print("\\n".join(url.toLocalFile() for url in event.mimeData().urls()), flush=True)
        QApplication.quit()
app = QApplication([])
target = Target("Drop here")
target.setAcceptDrops(True)
target.setWindowTitle("Target")
target.setGeometry(0, 0, 120, 60)
target.show()
app.exec()
"""


class Walk:
    """A screen with the app on it, and hands."""

    def __init__(self, screen: Screen, folder: Path, home: Path, *, scale: float, theme: str) -> None:
        """Nothing runs yet."""
        self._screen, self._folder, self._report = screen, folder, home / "report.json"
        self._count = 0
        places = {f"XDG_{name}_HOME": str(home) for name in ("CONFIG", "STATE", "DATA")}
        self.environment = {
            **os.environ, **places, "DISPLAY": screen.name, "QT_QPA_PLATFORM": "xcb",
            "QT_SCALE_FACTOR": str(scale), "WALK_REPORT": str(self._report), "WALK_THEME": theme,
            "WALK_SEED": str(SEED),
        }  # fmt: skip
        self._app: subprocess.Popen[bytes] | None = None

    def start(self, *files: Path) -> None:
        """Starts the app, and waits until it composes."""
        self._report.unlink(missing_ok=True)
        self._app = subprocess.Popen(
            [sys.executable, "-c", _APP, *map(str, files)], env=self.environment, cwd=ROOT
        )
        self.until("ready", lambda now: now["ready"])
        self.focus("LakhNES|walk")

    def now(self) -> dict[str, Any]:
        """The state that the app reports."""
        try:
            found: dict[str, Any] = json.loads(self._report.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            return {"ready": False}
        return found

    def until(self, what: str, over: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits until something is so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            now = self.now()
            if now.get("ready") and over(now):
                return now
            time.sleep(0.1)
        self.picture("stuck")
        raise SystemExit(f"It never came to this: {what}.")

    def picture(self, name: str) -> None:
        """Takes a picture."""
        self._count += 1
        time.sleep(0.4)
        ImageGrab.grab(xdisplay=self._screen.name).save(self._folder / f"{self._count:02}-{name}.png")
        print(f"{self._count:2} {name}", flush=True)

    def keys(self, *keys: str) -> None:
        """Presses keys."""
        self._screen.tool("key", "--delay", "60", *keys)

    def focus(self, title: str) -> None:
        """Gives a window the keyboard, as a window manager would."""
        self._screen.tool("windowfocus", "--sync", self._screen.window(title))

    def click(self, x: float, y: float) -> None:
        """Clicks."""
        self._screen.tool("mousemove", str(round(x)), str(round(y)), "sleep", "0.1", "click", "1")

    def drag(self, *places: tuple[float, float]) -> None:
        """Presses at the first place, goes through the others and lets go at the last."""
        words = ["mousemove", *(str(round(c)) for c in places[0]), "sleep", "0.1", "mousedown", "1"]
        for x, y in places[1:]:
            words += ["sleep", "0.1", "mousemove", str(round(x)), str(round(y))]
        self._screen.tool(*words, "sleep", "0.2", "mouseup", "1")

    def press(self, name: str) -> None:
        """Clicks a widget."""
        x, y = self.now()["widgets"][name]
        self.click(x, y)

    def wait_closed(self) -> None:
        """Waits until the app has ended."""
        assert self._app is not None
        if self._app.wait(30):
            raise SystemExit(f"The app ended with {self._app.returncode}.")

    def end(self) -> None:
        """Ends the app if it runs."""
        if self._app is not None and self._app.poll() is None:
            self._app.terminate()
            self._app.wait(30)


def walk(hand: Walk, home: Path) -> None:
    """All of it."""
    hand.start()
    now = hand.until("notes to see", lambda now: bool(now["notes"]))
    hand.picture("start")
    width, height = now["size"]
    hand.keys("ctrl+Return")  # so that a busy machine need not compose while it plays
    hand.until("eight bars", lambda now: now["end"] >= 8 * 1920)
    hand.keys("space")
    hand.until("four bars were heard", lambda now: now["place"] > 4 * 1920)
    hand.picture("hear")
    hand.keys("space")
    hand.until("it stands", lambda now: not now["playing"])
    if "key" in now["widgets"]:
        hand.press("key")
        hand.keys("a", "Return")  # the entry that begins with an A
        hand.until("a key", lambda now: bool(now["scale"]))
    hand.picture("key")
    hand.keys("Escape", "Escape", "ctrl+3")
    hand.until("the bass is locked", lambda now: now["locked"][2])
    hand.keys("ctrl+0")
    time.sleep(1)
    now = hand.now()
    bass = now["score"][2]
    top = now["lanes"][0]
    hand.drag((now["bars"][1][0] + 4, top), (now["bars"][2][0], top), (now["bars"][3][0] - 4, top))
    hand.keys("ctrl+r")
    hand.until("four takes", lambda now: now["takes"] == 4)
    hand.picture("takes")
    hand.keys("F3")
    fix(hand)
    hand.picture("fixed")
    copy(hand)
    if hand.now()["score"][2][: len(bass)] != bass:
        raise SystemExit("The locked bass is not what it was.")
    time.sleep(1)
    last = hand.until("all is composed", lambda now: now["end"] >= now["kept"])["score"]
    hand.keys(*["ctrl+z"] * 60)
    hand.until("all undone", lambda now: now["undo"] is None)
    hand.picture("undone")
    hand.keys(*["ctrl+shift+z"] * 60)
    now = hand.until("all done again", lambda now: now["redo"] is None and now["end"] >= now["kept"])
    if now["score"] != last:
        raise SystemExit("Redone is not what it was.")
    hand.keys("ctrl+s")
    hand.focus("Save the session")
    hand.picture("save")
    file = home / "walk.lakhnes"
    hand._screen.tool("type", "--delay", "20", str(file))
    hand.keys("Return")
    hand.until("saved", lambda now: "walk" in now["title"] and not now["changed"])
    hand.focus("walk")
    hand.keys("ctrl+q")
    hand.wait_closed()
    hand.start(file)
    now = hand.until("it is open", lambda now: "walk" in now["title"] and any(now["score"]))
    if now["score"] != last:
        raise SystemExit("Reopened is not what it was.")
    hand.picture("reopened")
    drag_out(hand)
    hand.focus("walk")
    hand.keys("ctrl+q")
    hand.wait_closed()
    print(f"window {width:.0f} x {height:.0f}")


def fix(hand: Walk) -> None:
    """Moves one note of the lead up with the mouse, and the next one down with the keys."""
    time.sleep(1)  # until the take is shown
    now = hand.now()
    # In sight, outside the takes, and with room above.
    (_, top), (right, bottom) = now["sight"]
    takes = now["bars"][1][0], now["bars"][3][0]
    free = [
        note
        for note in now["notes"]
        if note[0] != 2 and note[3] < right and top + 26 < note[4] < bottom - 8
        and not takes[0] - 20 < note[3] < takes[1] + 20
    ]  # fmt: skip
    voice = next(v for v in (0, 1, 3) if sum(note[0] == v for note in free) > 1)
    here = [note for note in free if note[0] == voice]
    _, onset, pitch, x, y = here[0]
    hand.drag((x, y), (x, y - 10), (x, y - 20), (x, y - 26))
    now = hand.until("a note went up", lambda now: dict(now["score"][voice]).get(onset, 0) > pitch)
    hand.keys("alt+Right")
    before = now["undo"]
    hand.keys("Down")
    hand.until("the next one went down", lambda now: now["undo"] == "Transpose" and before == "Move")


def copy(hand: Walk) -> None:
    """Copies two bars of all voices to bar 7, transposes the copy, and composes the bar before it anew."""
    now = hand.now()
    bars = now["bars"]
    hand.drag((bars[0][0] + 4, bars[0][1]), (bars[1][0], bars[1][1]), (bars[2][0] - 4, bars[2][1]))
    hand.keys("ctrl+c")
    hand.click(bars[6][0] + 4, bars[6][1])
    hand.until("it stands at bar 7", lambda now: abs(now["place"] - 6 * 1920) < 10)
    hand.keys("ctrl+v")
    hand.until("two bars are pasted", lambda now: now["undo"] == "Paste")
    hand.picture("pasted")
    hand.keys("ctrl+Up", "ctrl+Up")
    hand.until("the copy is transposed", lambda now: now["undo"] == "Transpose")
    bars = hand.now()["bars"]
    hand.drag((bars[5][0] + 4, bars[5][1]), (bars[5][0] + 30, bars[5][1]))
    hand.press("keep")
    hand.until("the take is kept", lambda now: now["takes"] == 0)
    hand.keys("ctrl+r")
    hand.until("four takes around it", lambda now: now["takes"] == 4)
    hand.picture("around")


def drag_out(hand: Walk) -> None:
    """Drags the song into another window."""
    target = subprocess.Popen(
        [sys.executable, "-c", _TARGET],
        env={**hand.environment, "QT_SCALE_FACTOR": "1"},
        stdout=subprocess.PIPE,
    )
    hand._screen.window("Target")
    time.sleep(1)
    x, y = hand.now()["widgets"]["drag-out"]
    words = ["mousemove", str(x), str(y), "mousedown", "1"]
    for step in range(8):
        words += ["sleep", "0.15", "mousemove", str(x - 6 * step), str(y - 4 * step)]
    hand._screen.tool(*words)
    time.sleep(1.5)
    hand._screen.tool("mousemove", "300", "200", "sleep", "0.3", "mousemove", "60", "30", "sleep", "0.3")
    hand.picture("drag")
    hand._screen.tool("mousemove", "62", "32", "sleep", "0.3", "mouseup", "1")
    try:
        files, _ = target.communicate(timeout=15)
    except subprocess.TimeoutExpired:
        target.terminate()
        raise SystemExit("Nothing came out of the window.") from None
    names = files.decode().split("\n")[:-1]
    if not names or not Path(names[0]).read_bytes().startswith(b"MThd"):
        raise SystemExit(f"What was dragged out is no MIDI file: {names}")


def main() -> None:
    """Walks."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="1366x768")
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home, Screen(asked.size) as screen:
        hand = Walk(screen, asked.folder, Path(home), scale=asked.scale, theme=asked.theme)
        try:
            walk(hand, Path(home))
        finally:
            hand.end()


if __name__ == "__main__":
    main()
