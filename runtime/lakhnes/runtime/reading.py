"""The boundary around every reader of outside data.

A parser may raise anything for a broken file, so no list of exceptions is complete. `reading` turns each one
into the reader's own error. The exception stays as its cause, where tests look for our own mistakes.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lakhnes.runtime.errors import FormatError, LakhnesError

_MAX_REASON = 160


@contextmanager
def reading(source: str | Path, refusal: type[LakhnesError], step: str) -> Iterator[None]:
    """Turn any exception of a parser into the reader's own error.

    Errors of this project pass unchanged. So does `MemoryError`: a reader compares sizes with the bytes of
    the file before it allocates memory, so the machine itself has too little.

    Args:
        source: the file, or a name for the data.
        refusal: class of the reader's own error.
        step: the user's next step, as a sentence.

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


def read_at_most(path: Path, most_bytes: int) -> bytes:
    """Return the content of a file that has a size that its format can have.

    Unlike the size that the system gives, this also holds for pipes and devices.

    Args:
        path: the file.
        most_bytes: largest size in bytes.

    Raises:
        ValueError: if it is larger; `reading` adds the name.
        OSError: if it cannot be opened.
    """
    with path.open("rb") as file:
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        size = f"{most_bytes >> 20} MiB" if most_bytes >> 20 else f"{most_bytes >> 10} KiB"
        raise ValueError(f"it is larger than {size}")
    return data


def reason_of(error: BaseException) -> str:
    """Return an exception's message on one short line, or its class name if it has none."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    said = " ".join(str(error).split())
    if isinstance(error, KeyError) and error.args:  # a key, or a library's sentence in quotes
        key = str(error.args[0])
        said = " ".join(key.split()) if " " in key else f"{said} is missing"
    if len(said) > _MAX_REASON:
        said = f"{said[:_MAX_REASON]}.."
    return said.rstrip(".") or type(error).__name__
