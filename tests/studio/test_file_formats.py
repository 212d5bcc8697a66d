"""The formats that songs are written in: one list, for commands and window alike."""

from pathlib import Path

import pytest
from studio_desk import Desk
from support import lakhnes_here

from lakhnes.apu.sound_files import SOUND_FORMATS
from lakhnes.studio.exports import ExportRequest
from lakhnes.studio.file_formats import ENDINGS, SOUNDS, WRITTEN, FileFormat, format_of, usual_endings
from lakhnes.studio.file_names import check_outputs, is_album, name_of, named, written_files


@pytest.mark.parametrize("form", WRITTEN, ids=usual_endings().replace(" or ", ", ").split(", "))
def test_each_is_written_under_each_ending(tmp_path: Path, form: FileFormat) -> None:
    desk = Desk(tmp_path)
    for ending in form.endings:
        path = tmp_path / f"Night Walk{ending.upper()}"
        assert format_of(path.name) is form
        check_outputs([path])
        desk.filing.export(ExportRequest(path))
        desk.settle()
        assert path.stat().st_size > 20
        assert name_of(path) == "Night Walk"
    desk.close()


def test_an_ending_stands_for_one_format() -> None:
    assert len(set(ENDINGS)) == len(ENDINGS)
    assert format_of("a.gif") is format_of("mid") is None


def test_sound_is_what_the_sound_files_are() -> None:
    assert [form.ending for form in SOUNDS] == list(SOUND_FORMATS)
    assert usual_endings(SOUNDS) == ".wav, .flac or .ogg"
    assert usual_endings(SOUNDS[:1]) == ".wav"


def test_one_file_holds_an_album_and_several_hold_stems() -> None:
    for form in WRITTEN:
        path = Path(f"a{form.ending}")
        assert is_album(path) is form.album
        assert named(path, "b") == (path if form.album else Path(f"a-b{form.ending}"))
        assert len(written_files(path, stems=True, voices=None)) == (4 if form.sound else 1)


def test_the_commands_name_every_one(tmp_path: Path) -> None:
    told = lakhnes_here("generate", "--help", cwd=tmp_path).stdout
    assert all(form.ending in told for form in WRITTEN)
