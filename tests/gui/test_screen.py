"""The app in a real window, on an X server without a screen: what is seen is what plays."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtGui import QColor

from lakhnes.gui.theme import DARK, LIGHT, Theme

pytestmark = pytest.mark.gui

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="there is no Xvfb")
def test_a_playing_session_is_seen(tmp_path: Path) -> None:
    pytest.importorskip("rtmidi")
    screen = ["xvfb-run", "-a", "-s", "-screen 0 1400x900x24"]
    script = [sys.executable, str(ROOT / "scripts/screenshots"), str(tmp_path), "--seed", "6"]
    done = subprocess.run([*screen, *script], capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    for name, theme in (("dark", DARK), ("light", LIGHT)):
        picture = np.asarray(Image.open(tmp_path / f"app-{name}.png").convert("RGB")).astype(int)
        assert picture.shape == (800, 1280, 3)
        _look_at(picture, theme)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can lack a screen")
@pytest.mark.parametrize(("display", "reason"), [("", "No display was found"), (":987", "does not answer")])
def test_without_a_screen_it_says_so(display: str, reason: str) -> None:
    unwanted = ("QT_QPA_PLATFORM", "WAYLAND_DISPLAY")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    done = subprocess.run(
        [sys.executable, "-m", "lakhnes.cli", "app"],
        env={**environment, "DISPLAY": display},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1


def _look_at(picture: np.ndarray, theme: Theme) -> None:
    """A playhead as high as the roll, a background, and notes of some voice beside its header."""
    playhead = _near(picture, theme.playhead)
    assert playhead.sum(axis=0).max() > 300, "no playhead"
    assert _near(picture, theme.window).mean() > 0.05
    x = int(playhead.sum(axis=0).argmax())
    lanes = picture[90:590, 120:x]
    seen = [_near(lanes, colour).sum() for colour in theme.voices]
    assert max(seen) > 200, "no notes before the playhead"


def _near(picture: np.ndarray, colour: QColor) -> np.ndarray:
    """Which pixels have a colour, but for rounding."""
    wanted = np.array([colour.red(), colour.green(), colour.blue()])
    return np.abs(picture - wanted).max(axis=-1) <= 3
