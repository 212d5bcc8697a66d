import tarfile
import zipfile
from pathlib import Path

import pytest
from songs_of_ours import march
from support import tune

from lakhnes.bridge import MidiStyle, write_midi
from lakhnes.export.measure.songs import (
    SongSet,
    composed_length,
    cut_alike,
    games_of,
    human_songs,
    read_songs,
)
from lakhnes.export.prepared import write_prepared
from lakhnes.runtime import Codec, DataError, Timing, tx1, tx1_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for split, seeds in (("train", (1, 2)), ("valid", (3, 4, 5))):
        (tmp_path / "music" / split).mkdir(parents=True)
        for seed in seeds:
            write_midi(march(12, seed), tmp_path / "music" / split / f"{seed}_a.mid", MidiStyle.NES)
    return tmp_path


def test_songs_of_folders_and_archives_are_the_same(folder: Path) -> None:
    music = folder / "music"
    with tarfile.open(folder / "music.tar.xz", "w:xz") as tar:
        tar.add(music, "music")
    with zipfile.ZipFile(folder / "music.zip", "w") as archive:
        for path in sorted(music.rglob("*.mid")):
            archive.write(path, path.relative_to(folder))
    expected = read_songs(music, "valid")
    assert [Path(name).name for name in expected.names] == ["3_a.mid", "4_a.mid", "5_a.mid"]
    for packed in ("music.tar.xz", "music.zip"):
        found = read_songs(folder / packed, "valid")
        assert set(zip((Path(name).name for name in found.names), found.scores, strict=True)) == set(
            zip((Path(name).name for name in expected.names), expected.scores, strict=True)
        )
    assert len(read_songs(music).names) == 5
    assert read_songs(music / "valid", "valid").scores == expected.scores  # no folder of that name inside


def test_songs_of_prepared_data(folder: Path) -> None:
    codec = Codec(tx1(), Timing.FRAMES)
    songs = {f"{seed}_a.mid": codec.encode(march(12, seed)) for seed in (3, 4)}
    write_prepared(folder / "data", codec, {"valid": songs})
    found = read_songs(folder / "data", "valid")
    assert found.names == ("3_a.mid", "4_a.mid")
    assert found.scores[0].n_notes == march(12, 3).n_notes


def test_other_midi_and_texts_and_what_cannot_be_read(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid", MidiStyle.DAW)
    (tmp_path / "b.tx1.txt").write_text(tx1_text(tune()))
    (tmp_path / "c.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\0")
    (tmp_path / "d.tx1.txt").write_text("P1_NOTEON_60\nnothing\n")
    told: list[tuple[int, int]] = []
    found = read_songs(tmp_path, "valid", progress=lambda done, total: told.append((done, total)))
    assert found.names == ("a.mid", "b.tx1.txt")
    assert [reason.partition(":")[0] for reason in found.skipped] == ["c.mid", "d.tx1.txt"]
    assert all(0 <= done <= total for done, total in told)
    assert told[-1][0] == told[-1][1]
    with pytest.raises(DataError, match="can be read; give another one"):
        read_songs(tmp_path / "c.mid")
    with pytest.raises(DataError, match="nowhere is not there"):
        read_songs(tmp_path / "nowhere")


def test_games_take_turns() -> None:
    names = (
        *(f"001_Big_{k}.mid" for k in range(9)),
        "002_Small_0.mid",
        "003_Little_0.mid",
        "003_Little_1.mid",
    )
    songs = SongSet(names, tuple(march(44, seed) for seed in range(len(names))))
    chosen = human_songs(songs, 42, most=5)
    assert sorted(chosen.groups) == ["001", "001", "002", "003", "003"]
    assert chosen.games == 3
    assert all(score.seconds == pytest.approx(42, abs=0.1) for score in chosen.scores)
    assert human_songs(songs, 42, most=5) == chosen
    assert len(human_songs(songs, 42).scores) == len(names)


def test_short_songs_are_left_out() -> None:
    songs = SongSet(("a", "b", "c"), (march(20), march(45), march(50)))
    assert [round(score.seconds) for score in human_songs(songs, 48).scores] == [45, 48]
    assert len(human_songs(songs, 15).scores) == 3  # composed ones are as short
    with pytest.raises(DataError, match="Only 1 of the 2 songs to compare with last 40 s or more"):
        human_songs(SongSet(("a", "b"), (march(20), march(45))), 60)


def test_what_a_game_is() -> None:
    assert games_of(["valid/012_A_01.mid", "valid/012_A_02.mid", "valid/013_B.mid"]) == ["012", "012", "013"]
    assert games_of(["x/a/1.mid", "x/a/2.mid", "x/b/1.mid"]) == ["x/a", "x/a", "x/b"]
    assert games_of(["Me - One.mid", "Me - Two.mid", "You - One.mid"]) == ["Me", "Me", "You"]
    assert games_of(["songs/1.mid", "songs/2.mid"]) == ["songs/1.mid", "songs/2.mid"]


def test_composed_songs_get_the_lengths_of_the_others() -> None:
    composed = [march(52, seed) for seed in range(4)]
    assert composed_length(composed, 60) == pytest.approx(52, abs=0.1)
    assert composed_length(composed, 30) == 30
    human = [march(seconds) for seconds in (40, 44, 48, 52)]
    lengths = sorted(score.seconds for score in cut_alike(composed, human))
    assert lengths[0] < 43
    assert lengths[-1] > 49
    assert sum(lengths) == pytest.approx(sum(score.seconds for score in human), rel=0.03)
