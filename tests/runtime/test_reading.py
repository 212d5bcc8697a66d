import errno
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime import DataError, FormatError, LakhnesError
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import read_at_most, reading


class OddError(Exception):
    """What no list of exceptions has."""


@pytest.mark.parametrize(
    ("raised", "message"),
    [
        (OddError("line 1\nline 2"), r"a\.npz cannot be read \(line 1 line 2\)\. Get it again\."),
        (OddError(), r"a\.npz cannot be read \(OddError\)\. Get it again\."),
        (RecursionError("too deep."), r"a\.npz cannot be read \(too deep\)\. Get it again\."),
        (KeyError("tokens"), r"a\.npz cannot be read \('tokens' is missing\)\. Get it again\."),
        (OSError(errno.EACCES, "Permission denied", "a.npz"), r"\(Permission denied\)\. Check the path"),
        (OSError(errno.EINVAL, "Invalid argument"), r"a\.npz cannot be read \(Invalid argument\)\. Get it"),
    ],
)
def test_whatever_a_parser_raises_is_the_readers_error(raised: Exception, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught, reading("a.npz", DataError, "Get it again."):
        raise raised
    assert caught.value.__cause__ is raised


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"x" * 2048)
    assert read_at_most(path, 2048) == b"x" * 2048
    with pytest.raises(ValueError, match="larger than 1 KiB"):
        read_at_most(path, 2047)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no endless device")
def test_an_endless_file_is_refused() -> None:
    with pytest.raises(ValueError, match="larger than 3 MiB"):
        read_at_most(Path("/dev/zero"), 3 << 20)


def test_a_music_files_error_names_it_first() -> None:
    with (
        pytest.raises(FormatError, match=r"^a\.mid: it cannot be read \(odd\)\. Export it again\.$"),
        reading(Path("a.mid"), FormatError, "Export it again."),
    ):
        raise OddError("odd")


@pytest.mark.parametrize("raised", [FormatError("a.mid", "no notes"), MemoryError()])
def test_our_own_errors_and_want_of_memory_pass(raised: Exception) -> None:
    with pytest.raises(type(raised)) as caught, reading("a.npz", DataError, "Get it again."):
        raise raised
    assert caught.value is raised


@given(st.text(), st.integers(20, 600))
def test_what_is_printable_is_one_short_line(text: str, most: int) -> None:
    shown = printable(text, most)
    assert shown.isprintable()
    assert len(shown) <= most
    assert printable(shown, most) == shown


def test_plain_text_stays_as_it_is() -> None:
    assert printable("Für Elise, 100 %, 音楽 ♪") == "Für Elise, 100 %, 音楽 ♪"
    assert printable("\x1b[31mred\u202e\ud800\tone\ntwo") == "\\x1b[31mred\\u202e\\ud800 one two"


def test_a_message_keeps_the_file_and_the_next_step() -> None:
    message = str(LakhnesError(f"song.mid has a title {'x' * 10_000}. Shorten it."))
    assert len(message) < 500
    assert message.startswith("song.mid has a title xxx")
    assert message.endswith("xxx. Shorten it.")
