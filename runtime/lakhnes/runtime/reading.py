"""The boundary around every reader of outside data.

Parsers raise what they like for a broken file, so no list of their exceptions is complete. What is raised
inside `reading` becomes the reader's own error, and the exception stays behind it as its cause, where tests
look for mistakes of our own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakhnes.runtime.errors import FormatError, LakhnesError

_MAX_REASON = 160


@contextmanager
def reading(source: str | Path, refusal: type[LakhnesError], step: str) -> Iterator[None]:
    """Turn whatever a parser raises into the reader's own error.

    Errors of ours pass as they are. So does `MemoryError`: a reader compares sizes with the bytes that are
    there before it takes memory, so it is the machine that has too little.

    Args:
        source: the file, or a name for the data.
        refusal: class of the reader's own error.
        step: what the user does next, a sentence.

    Raises:
        LakhnesError: of class `refusal`, with the file's name, the reason and the next step.
    """
    try:
        yield
    except (LakhnesError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.filename is not None:
            step = "Check the path and its permissions."
        if issubclass(refusal, FormatError):
            raise refusal(source, f"it cannot be read ({reason_of(error)}). {step.rstrip('.')}") from error
        raise refusal(f"{source} cannot be read ({reason_of(error)}). {step}") from error


def reason_of(error: BaseException) -> str:
    """Return what an exception says, on one line and short; its class where it says nothing."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = " ".join(str(error).split())
    if isinstance(error, KeyError) and error.args:  # a key, or a library's sentence in quotes
        key = str(error.args[0])
        said = " ".join(key.split()) if " " in key else f"{said} is missing"
    if len(said) > _MAX_REASON:
        said = f"{said[:_MAX_REASON]}.."
    return said.rstrip(".") or type(error).__name__
