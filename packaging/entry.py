"""A frozen program starts here: the app if that is its name, else the command line."""

import multiprocessing
import os
import sys
from pathlib import Path


def main() -> int:
    """Runs what the program is."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # as in a windowed program
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    if sys.argv[1:] == ["--probe-sound"]:
        from lakhnes.apu.sound_probe import main as probe

        probe()
    if Path(sys.executable).stem == "lakhnes-app":
        from lakhnes.gui import run
        from lakhnes.runtime.errors import ScreenError

        try:
            return run([Path(name) for name in sys.argv[1:]])
        except ScreenError as error:
            print(f"lakhnes: {error}", file=sys.stderr)  # noqa: T201
            return 1
    from lakhnes.cli import main as command

    return command()


if __name__ == "__main__":
    multiprocessing.freeze_support()
    sys.exit(main())
