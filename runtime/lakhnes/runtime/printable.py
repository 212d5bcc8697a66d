"""Printable text from files."""

from __future__ import annotations


def printable(text: str, most: int | None = None) -> str:
    r"""Return a text on one line, without control characters.

    A file can contain characters that move a terminal's cursor or turn the writing direction. They become
    escapes such as `\x1b`. Each run of spaces and line breaks becomes one space.

    Args:
        text: any text, also one with lone surrogates.
        most: longest result in characters; a longer text loses its middle. None for no limit.
    """
    if most is not None and len(text) > 2 * most:
        text = text[:most] + text[-most:]  # the rest would be cut anyway
    shown = "".join(map(_shown, text))
    if most is None or len(shown) <= most:
        return shown
    tail = most * 2 // 5
    return f"{shown[: most - tail - 4]} .. {shown[len(shown) - tail :]}"


def _shown(letter: str) -> str:
    if letter.isprintable():
        return letter
    return " " if letter.isspace() else letter.encode("unicode_escape").decode("ascii")
