"""The `lakhnes` command: one module for each family of subcommands, which imports its needs when it runs.

Start at `app.py`. Nothing imports this package.
"""

import signal
import sys
from types import FrameType
from typing import NoReturn

__all__ = ["main"]


def _terminate(number: int, _frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def main() -> int:
    """Run the command line; return the exit code."""
    for name in ("SIGTERM", "SIGHUP"):  # so that half-written files are cleaned up
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _terminate)
    try:
        from lakhnes.cli.app import run
    except KeyboardInterrupt:
        return 130
    return run()
