from pathlib import Path

import pytest
from hypothesis import given
from support import scores, tune, without_expression

from lakhnes.runtime import FormatError, Score, parse_text, read_text, tx1_text, tx2_text
from lakhnes.runtime.music.score import score_from_events


@given(scores())
def test_tx2_reads_back_and_tx1_keeps_the_notes(score: Score) -> None:
    assert score_from_events(parse_text(tx2_text(score))) == score
    assert score_from_events(parse_text(tx1_text(score))) == without_expression(score)


def test_the_beginning_of_a_tune() -> None:
    assert tx1_text(tune()).split()[:6] == [
        "P1_NOTEON_69",
        "P2_NOTEON_57",
        "TR_NOTEON_33",
        "NO_NOTEON_2",
        "WT_3000",
        "NO_NOTEOFF",
    ]
    assert tx2_text(tune()).split()[:3] == ["P1_NOTEON_69", "P1_VELOCITY_12", "P1_TIMBRE_2"]


@pytest.mark.parametrize("name", ["own_tx1", "own_tx2", "fuzz0", "fuzz1", "fuzz2"])
def test_the_originals_texts_read(shared: Path, name: str) -> None:
    score = read_text(shared / f"fixtures/apu/tx/{name}.txt")
    assert score_from_events(parse_text(tx2_text(score))) == score
    assert score.n_notes > 10


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "bad.tx1.txt: empty"),
        (b"WT_10\nP1_NOTEON_60\nP1_NOTEONE_5\n", r"bad.tx1.txt, line 3: unknown event 'P1_NOTEONE_5'"),
        (b"WT_10\n\nP1_NOTEON_200", "bad.tx1.txt, line 3: 'P1_NOTEON_200' is out of range"),
        (b"<S>\nWT_10\n", "line 1: <S> does not belong"),
        (b"WT_10\n\xff\xfe", "byte 6"),
        ("WT_10\n".encode("utf-16-le"), r"not a text \(character 2 is 0\); give a text in UTF-8"),
        (b"WT_10\n" * (1 << 21), "larger than 8 MiB"),
    ],
)
def test_bad_texts_name_file_line_and_reason(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "bad.tx1.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_text(path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_texts_are_read_as_editors_save_them(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "saved.tx2.txt"
    path.write_text(tx2_text(tune()), encoding, newline="\r\n")
    assert read_text(path) == tune()
