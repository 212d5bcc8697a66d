"""Ogg Vorbis files and the comments that tell engines of a loop."""

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import soundfile
from nes_machines import log_of_march

from lakhnes.apu import RegisterLog, SoundSettings, write_sound
from lakhnes.apu.ogg_tags import with_comments


def ogg(log: RegisterLog, **settings: int) -> bytes:
    file = BytesIO()
    write_sound(file, log, SoundSettings(**settings), file_format="OGG")
    return file.getvalue()


def comments(data: bytes) -> dict[str, str]:
    """Those of a file, found by the magic of their packet; all of it in the second page."""
    at = data.index(b"\x03vorbis") + 7

    def text() -> bytes:
        nonlocal at
        size = int.from_bytes(data[at : at + 4], "little")
        at += 4 + size
        return data[at - size : at]

    text()
    count = int.from_bytes(data[at : at + 4], "little")
    at += 4
    return dict(text().decode().split("=", 1) for _ in range(count))


@pytest.fixture(scope="module")
def log() -> RegisterLog:
    return log_of_march(4, 2, "lead")


@pytest.mark.parametrize("rate", [44_100, 48_000])
def test_a_loop_is_in_the_comments_in_samples_of_the_file(log: RegisterLog, rate: int) -> None:
    data = ogg(replace(log, loop=44_100), sample_rate=rate)
    said = comments(data)
    assert said["LOOPSTART"] == str(rate)
    assert int(said["LOOPSTART"]) + int(said["LOOPLENGTH"]) == len(soundfile.read(BytesIO(data))[0])
    assert "LOOPSTART" not in comments(ogg(log))


def test_comments_change_no_sound(log: RegisterLog) -> None:
    plain = ogg(log)
    for size in (3, 200, 70_000):  # of more than a page, too
        tagged = with_comments(plain, {"TEXT": "ä" * size})
        assert np.array_equal(soundfile.read(BytesIO(tagged))[0], soundfile.read(BytesIO(plain))[0])
    assert comments(with_comments(plain, {"A": "ä", "B": ""}))["A"] == "ä"


def test_the_sound_is_that_of_a_wav_file(log: RegisterLog) -> None:
    file = BytesIO()
    write_sound(file, log, SoundSettings())
    file.seek(0)
    exact, coded = soundfile.read(file)[0], soundfile.read(BytesIO(ogg(log)))[0]
    assert len(exact) == len(coded)
    assert np.corrcoef(exact, coded)[0, 1] > 0.98


@pytest.mark.parametrize("data", [b"OggS", b"RIFF" * 20, b"OggS" + bytes(40)])
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="Ogg"):
        with_comments(data, {})
