"""Text from files, made fit to print."""

from __future__ import annotations


def printable(text: str, most: int | None = None) -> str:
    r"""Return a text on one line, without control characters.

    A file can hold what moves a terminal's cursor or turns the direction of writing; here it becomes an
    escape such as `\x1b`. Spaces and line breaks become one space each.

    Args:
        text: any text, also one with lone surrogates.
        most: longest result, in characters; what is longer loses its middle. None for no limit.
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
