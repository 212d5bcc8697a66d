"""The frozen programs and the wheel: how large they are; how soon the programs answer.

    python benchmarks/frozen.py [FOLDER] [--json]

FOLDER is where `packaging/build` and `python -m build` put them, `dist` if it is left out. Sizes: of the
programs unpacked, the wheel where there is one, and the models. Seconds from the start of the process to the
end of `lakhnes --help`, and to the app's window on an X server without a screen (Xvfb, xdotool); medians of
nine starts, after one that fills the caches.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from statistics import median

from live import machine, show
from live_rigs import Figure
from x_screen import Screen

from lakhnes.runtime.model.catalog import list_models

ROUNDS = 9


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).parents[1] / "dist")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    command, app = asked.folder / "lakhnes", asked.folder / "lakhnes-app"
    figures = [
        Figure("size", "command", megabytes(command), "MB", 160),
        Figure("size", "app", megabytes(app), "MB", 300),
        *(
            Figure("size", "wheel", path.stat().st_size / 1e6, "MB", 60)
            for path in asked.folder.glob("*.whl")
        ),
        *(
            Figure("size", f"model {name}", megabytes(path.parent), "MB")
            for name, path in list_models().items()
        ),
        Figure("start", "lakhnes --help, median", median(helped(command / "lakhnes")), "s", 0.3),
        Figure("start", "the app's window, median", median(shown(app / "lakhnes-app")), "s", 1.0),
    ]
    if asked.json:
        print(json.dumps({"machine": machine(), "figures": [asdict(figure) for figure in figures]}, indent=1))
    else:
        print(machine())
        show(figures)


def megabytes(folder: Path) -> float:
    """Size of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()) / 1e6


def helped(program: Path) -> list[float]:
    """Seconds of `--help`."""
    return [_seconds(program) for _ in range(ROUNDS + 1)][1:]


def _seconds(program: Path) -> float:
    began = time.perf_counter()
    subprocess.run([program, "--help"], stdout=subprocess.DEVNULL, check=True, env={})
    return time.perf_counter() - began


def shown(program: Path) -> list[float]:
    """Seconds until the window is seen."""
    found = []
    with Screen() as screen, tempfile.TemporaryDirectory() as home:
        environment = {"DISPLAY": screen.name, "HOME": home, "JACK_NO_START_SERVER": "1", "LANG": "C.UTF-8"}
        for _ in range(ROUNDS + 1):
            began = time.perf_counter()
            app = subprocess.Popen([os.fspath(program)], env=environment, stderr=subprocess.DEVNULL)
            screen.window("LakhNES", pause=0.005)
            found.append(time.perf_counter() - began)
            app.terminate()
            app.wait()
    return found[1:]


if __name__ == "__main__":
    main()
