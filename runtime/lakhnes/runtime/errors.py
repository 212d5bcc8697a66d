"""The errors of the project, in one tree.

LakhnesError            an error that a user can cause and fix
├── FormatError         a music file that cannot be read; names the file, the line or byte, and the reason
├── MusicError          music that does not suit the task
├── ModelError          a model that cannot be found or used
├── CheckpointError     a training checkpoint that is refused or not supported
├── DataError           prepared training data that cannot be read or made
├── StudyError          a plan, a page or a results file of a listening study that cannot be used
├── TrainingError       a training run that cannot go on
├── OptionError         a setting out of its range; the command exits with 2, for all others with 1
├── OutputError         a file that cannot be written
├── ScreenError         a missing screen, or a missing library for windows
├── SoundError          a sound output that is missing or fails
├── PortError           a MIDI port that cannot be found or opened
│   └── PortLostError   a MIDI port that was open and disappeared
├── MissingLibraryError the compiled part of the sound chip is missing
└── MissingExtraError   an optional dependency that is not installed

A message says what is wrong, where, and what to do next. It is one printable line of under 500 characters.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lakhnes.runtime.printable import printable

_MAX_MESSAGE = 499
"""Characters of a message. A longer one loses its middle: the file comes first, the next step last."""


class LakhnesError(Exception):
    """Root of every error that a user can cause and fix."""

    def __init__(self, message: str = "") -> None:
        """Make the message printable, whatever a file put into it.

        Args:
            message: what is wrong, where, and the next step.
        """
        super().__init__(printable(message, _MAX_MESSAGE))


class FormatError(LakhnesError):
    """A music file that cannot be read."""

    def __init__(self, source: str | Path, reason: str, *, line: int | None = None) -> None:
        """Name the place and the reason.

        Args:
            source: the file, or a name for the text.
            reason: what is wrong and the next step, without a final full stop.
            line: 1-based line, if the format has lines.
        """
        where = f"{source}, line {line}" if line is not None else str(source)
        super().__init__(f"{where}: {reason}.")


class MusicError(LakhnesError):
    """Music that is missing or does not suit the task."""


class ModelError(LakhnesError):
    """A model that cannot be found, read or used."""


class CheckpointError(LakhnesError):
    """A training checkpoint that is refused or not supported."""


class DataError(LakhnesError):
    """Prepared training data that cannot be read or made."""


class StudyError(LakhnesError):
    """A plan, a page or a results file of a listening study that cannot be used."""


class TrainingError(LakhnesError):
    """A training run that cannot continue; its last checkpoint is unchanged."""


class OptionError(LakhnesError):
    """A setting out of its range."""


class OutputError(LakhnesError):
    """A file that cannot be written; no part of it is left behind."""


class PortError(LakhnesError):
    """A MIDI port that cannot be found or opened."""


class PortLostError(PortError):
    """A MIDI port that was open and disappeared; open it again to go on."""


class SoundError(LakhnesError):
    """A sound output that is missing or fails; everything else works without sound."""


class ScreenError(LakhnesError):
    """A missing screen, or a missing library for windows."""


class MissingLibraryError(LakhnesError):
    """A missing compiled part of the sound chip."""

    def __init__(self) -> None:
        """Explain how to compile it."""
        super().__init__(
            "The sound chip was not compiled when lakhnes was installed, so there is no sound; all else "
            "works. Install a C compiler (Debian, Ubuntu: apt install gcc libc6-dev), then lakhnes once more."
        )


def step_to_extra(extra: str) -> str:
    """Return the next step for an extra that is not installed.

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
        """Name the command that installs it.

        Args:
            extra: name of the extra in `pip install "lakhnes[extra]"`.
            need: the part that needs it.
        """
        if getattr(sys, "frozen", False):
            super().__init__(
                f"{need} is not in this program; it is in Python's lakhnes: {step_to_extra(extra)}"
            )
        else:
            super().__init__(f"{need} needs an extra: {step_to_extra(extra)}")
