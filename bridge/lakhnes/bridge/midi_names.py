"""Names in MIDI files, in whatever encoding their program wrote them."""

from __future__ import annotations

import codecs

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))

_CONTROLS = frozenset(range(32)) - frozenset(b"\0\t\n\r")


def decoded_name(content: bytes) -> str:
    """Return the text of a name.

    The file format asks for ASCII; programs write UTF-8, UTF-16, Shift-JIS or Latin-1, and do not say which.
    """
    return _decoded(content).replace("\0", "").strip()


def _decoded(content: bytes) -> str:
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    if 0 in content.rstrip(b"\0") and len(content) % 2 == 0:
        big = content[::2].count(0) > content[1::2].count(0)
        return content.decode("utf-16-be" if big else "utf-16-le", "replace")
    if any(byte in _CONTROLS for byte in content) and (text := _decoded_utf_16(content)):
        return text
    for encoding in ("utf-8", "shift_jis"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if encoding == "utf-8" or not _is_western(content):
            return text
    return _decoded_utf_16(content) or content.decode("cp1252", "replace")


def _decoded_utf_16(content: bytes) -> str:
    """UTF-16 of one alphabet without a mark: every second byte is the same; empty for anything else."""
    for encoding, alphabet in (("utf-16-be", content[::2]), ("utf-16-le", content[1::2])):
        if len(content) >= 6 and len(content) % 2 == 0 and len(set(alphabet)) == 1:
            text = content.decode(encoding, "replace")
            if text.isprintable():
                return text
    return ""


def _is_western(content: bytes) -> bool:
    """Whether the bytes beyond ASCII are letters of Latin-1, few and each beside plain text."""
    others = [byte for byte in content if byte >= 0x80]
    letters = all(byte >= 0xC0 and byte not in (0xD7, 0xF7) for byte in others)
    return letters and 2 * len(others) < len(content)
