"""The errors of the project, all in one tree.

LakhnesError            whatever a user can cause and mend
├── FormatError         a music file that cannot be read: names file, line or byte, reason
├── MusicError          music that does not allow what is asked of it
├── ModelError          a model that cannot be found or used
├── CheckpointError     a training checkpoint that is refused or not supported
├── DataError           prepared training data that cannot be read or made
├── TrainingError       a training run that cannot go on
├── OptionError         a setting out of its range; the command ends with code 2, with 1 for all others
├── OutputError         a file that cannot be written
├── ScreenError         no screen for a window, or a library missing that windows need
├── SoundError          no sound output, or one that fails
├── PortError           a MIDI port that cannot be found or opened
│   └── PortLostError   a MIDI port that was open and is gone
├── MissingLibraryError the compiled part of the sound chip is not there
└── MissingExtraError   an optional dependency that is not installed

Messages say what was wrong, where, and the next step, on one line of under 500 characters, all of them
printable.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakhnes.runtime.printable import printable

_MAX_MESSAGE = 499
"""Characters of a message; a longer one loses its middle: the file comes first, the next step last."""


class LakhnesError(Exception):
    """Root of every error that a user can cause and mend."""

    def __init__(self, message: str = "") -> None:
        """Keeps the message fit to print, whatever a file put into it.

        Args:
            message: what was wrong, where, and the next step.
        """
        super().__init__(printable(message, _MAX_MESSAGE))


class FormatError(LakhnesError):
    """A music file that cannot be read."""

    def __init__(self, source: str | Path, reason: str, *, line: int | None = None) -> None:
        """Says where and why.

        Args:
            source: the file, or a name for the text.
            reason: what is wrong and the next step, without a final full stop.
            line: 1-based line, where the format has lines.
        """
        where = f"{source}, line {line}" if line is not None else str(source)
        super().__init__(f"{where}: {reason}.")


class MusicError(LakhnesError):
    """Music that is not there, or does not allow what is asked of it."""


class ModelError(LakhnesError):
    """A model that cannot be found, read or used."""


class CheckpointError(LakhnesError):
    """A training checkpoint that is refused or not supported."""


class DataError(LakhnesError):
    """Prepared training data that cannot be read, or of which there is none to make."""


class TrainingError(LakhnesError):
    """A training run that cannot go on; its last checkpoint is as it was."""


class OptionError(LakhnesError):
    """A setting out of its range."""


class OutputError(LakhnesError):
    """A file that cannot be written; nothing is left behind."""


class PortError(LakhnesError):
    """A MIDI port that cannot be found or opened."""


class PortLostError(PortError):
    """A MIDI port that was open and is gone; opening it again is the way back."""


class SoundError(LakhnesError):
    """No sound output, or one that fails; everything else goes on without sound."""


class ScreenError(LakhnesError):
    """There is no screen for a window, or a library is missing that windows need."""


class MissingLibraryError(LakhnesError):
    """The compiled part of the sound chip, which is not there."""

    def __init__(self) -> None:
        """Says how to get it."""
        super().__init__(
            "The sound chip was not compiled when lakhnes was installed, so there is no sound; all else "
            "works. Install a C compiler (Debian, Ubuntu: apt install gcc libc6-dev), then lakhnes once more."
        )


def step_to_extra(extra: str) -> str:
    """Return what to do to get an extra that is not installed.

    Args:
        extra: its name in `pip install "lakhnes[extra]"`.
    """
    if extra == "live" and sys.version_info >= (3, 13):
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return (
            f"python-rtmidi has no wheel for Python {version}; use Python 3.12, or compile it: run  "
            "pip install python-rtmidi"
        )
    return f'run  pip install "lakhnes[{extra}]"'


class MissingExtraError(LakhnesError):
    """An optional dependency that is not installed."""

    def __init__(self, extra: str, need: str) -> None:
        """Says what to install.

        Args:
            extra: name of the extra in `pip install "lakhnes[extra]"`.
            need: what asked for it.
        """
        if getattr(sys, "frozen", False):
            super().__init__(
                f"{need} is not in this program; it is in Python's lakhnes: {step_to_extra(extra)}"
            )
        else:
            super().__init__(f"{need} needs an extra: {step_to_extra(extra)}")
