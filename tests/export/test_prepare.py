"""Preparing data: sources in, shards out, whoever does it and however often it is interrupted."""

import bz2
import gzip
import io
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from support import tune

from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.export.blocks import kept_block, read_block, write_block
from lakhnes.export.cluster import Cluster, Processes, Serial
from lakhnes.export.prepare import UNFINISHED, Preparation, PreparationProgress, prepare
from lakhnes.export.prepared import open_prepared, read_shard
from lakhnes.export.songs import Recipe, songs_of_file, songs_of_files
from lakhnes.export.sources import MAX_FILE_BYTES, Item, Sources
from lakhnes.export.splits import SplitRule, read_split_list
from lakhnes.runtime import Note, OptionError, OutputError, Part, Score, Voice, tx1_text, tx2_text
from lakhnes.runtime.errors import DataError, LakhnesError
from lakhnes.runtime.music.vocabulary import END_TOKEN


def song(number: int, length: int = 24) -> Score:
    """A tune of our own, another one for each number, for P1 and TR."""
    beat = 11_025
    rng = np.random.default_rng(number)
    lead = [Note(i * beat, beat - 735, int(rng.integers(60, 84))) for i in range(length)]
    bass = [Note(i * 2 * beat, 2 * beat, int(rng.integers(36, 48))) for i in range(length // 2)]
    return Score((Part(tuple(lead)), Part(), Part(tuple(bass)), Part()), length * beat)


def nes_file(number: int) -> bytes:
    return midi_bytes(song(number), MidiStyle.NES)


def daw_file(number: int) -> bytes:
    return midi_bytes(song(number), MidiStyle.DAW)


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def many(folder: Path, count: int = 140) -> Path:
    """A folder of several blocks, with arbitrary MIDI, copies and broken files among it."""
    files = {f"{i % 3}/{i:03d}.mid": (daw_file if i % 4 else nes_file)(i) for i in range(count)}
    files["0/copy.mid"] = daw_file(1)
    files["1/broken.mid"] = b"MThd, or maybe not"
    return folder_of(folder, files)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def made(paths: Iterable[Path], output: Path, recipe: Recipe | None = None, **rule: Any) -> Preparation:
    return prepare(list(paths), output, recipe or Recipe(), SplitRule(**rule), Serial())


def test_songs_come_back_as_the_codec_says_them(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", {"train/a.mid": nes_file(1), "valid/b.mid": nes_file(2)})
    data = made([folder], tmp_path / "out").data
    train = data.songs("train")
    assert train.names == ("train/a.mid",)
    assert train[0].tolist() == data.codec.encode(song(1))
    assert train[-1].dtype == np.uint16
    assert data.codec.decode(train[0].tolist()).n_notes == song(1).n_notes
    assert data.songs("valid")[0].tolist() == data.codec.encode(song(2))
    info = data.splits["train"]
    assert (info.songs, info.tokens, info.seconds) == (1, len(train.tokens), song(1).seconds)
    assert info.notes == {"P1": 24, "P2": 0, "TR": 12, "NO": 0}
    assert (tmp_path / "out" / "skipped.tsv").read_text() == "file\treason\n"
    assert sorted(tree(tmp_path / "out")) == [
        "info.json",
        "skipped.tsv",
        "train-00000.npz",
        "valid-00000.npz",
    ]


@pytest.mark.parametrize("events", ["tx1", "tx2"])
@pytest.mark.parametrize("timing", ["frames", "samples"])
def test_texts_and_nes_midi_say_the_same(tmp_path: Path, events: str, timing: str) -> None:
    texts = {"tx1": ("a.tx1.txt", tx1_text(tune())), "tx2": ("a.tx2.txt", tx2_text(tune()))}
    name, text = texts[events]
    folder = folder_of(
        tmp_path / "in",
        {name: text.encode(), "a.mid": midi_bytes(tune(), MidiStyle.NES), "b.txt": b"no music"},
    )
    data = made([folder], tmp_path / "out", Recipe(events=events, timing=timing), valid=0).data
    assert (data.vocabulary.name, data.timing) == (events, timing)
    midi, tx = data.songs("train")
    assert midi.tolist() == tx.tolist() == data.codec.encode(tune())


def test_folders_zips_and_tars_give_the_same_songs(tmp_path: Path) -> None:
    files = {f"x/{i}.mid": daw_file(i) for i in range(6)}
    folder = folder_of(tmp_path / "in", files)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in reversed(files):
            archive.writestr(name, files[name])
        archive.writestr("__MACOSX/x/._0.mid", b"a shadow")
    for kind in ("", "gz", "xz", "bz2"):
        name = f"a.tar.{kind}".rstrip(".")
        with tarfile.open(tmp_path / name, f"w:{kind}") as archive:  # type: ignore[call-overload]
            archive.add(folder, ".")
    wanted = made([folder], tmp_path / "wanted").data.songs("train")
    for name in ("a.zip", "a.tar", "a.tar.gz", "a.tar.xz", "a.tar.bz2"):
        songs = made([tmp_path / name], tmp_path / f"out-{name}").data.songs("train")
        order = songs.order_by_name()
        assert [songs.names[i] for i in order] == list(wanted.names)
        assert all((songs[int(i)] == song).all() for i, song in zip(order, wanted, strict=True))
    both = made([folder, tmp_path / "a.zip"], tmp_path / "both", valid=0)
    assert both.copies == 6
    assert set(both.data.songs("train").names) == {f"in/x/{i}.mid#0" for i in range(6)}


def test_what_cannot_be_read_is_listed_with_its_reason(tmp_path: Path) -> None:
    files = {
        "good.mid": nes_file(0),
        "bad/empty.mid": b"",
        "bad/text.mid": b"hello",
        "bad/cut.mid": nes_file(1)[:60],
        "bad/silent.mid": midi_bytes(Score(length=44_100), MidiStyle.NES),
        "bad/event.tx1.txt": b"WT_10\nP9_NOTEON_60\n",
        "bad/bytes.tx2.txt": b"\xff\xfe",
        "bad/high.tx1.txt": b"P1_NOTEON_120\nWT_735\nP1_NOTEOFF",
        "bad/huge.mid": b"MThd" + bytes(MAX_FILE_BYTES),
        "bad/short.mid": midi_bytes(song(3, length=4), MidiStyle.DAW),
        "bad/broken.zip": b"PK not",
        "bad/broken.tar.gz": b"\x1f\x8b not",
    }
    done = made([folder_of(tmp_path / "in", files)], tmp_path / "out", valid=0)
    lines = (tmp_path / "out" / "skipped.tsv").read_text().splitlines()
    reasons = dict(line.split("\t") for line in lines)
    assert set(reasons) - {"file"} == set(files) - {"good.mid"}
    assert (done.files, done.skipped) == (len(files), len(files) - 1)
    assert "line 2" in reasons["bad/event.tx1.txt"]
    assert "120" in reasons["bad/high.tx1.txt"]
    assert reasons["bad/silent.mid"] == "no notes"
    assert "8 MB" in reasons["bad/huge.mid"]


def lying_zips() -> dict[str, bytes]:
    """Zips with one good file, and one member that cannot be unpacked."""

    def packed(name: str, data: bytes, method: int = zipfile.ZIP_STORED) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("good.mid", nes_file(0))
            info = zipfile.ZipInfo("x")
            info.filename, info.compress_type = name, method
            archive.writestr(info, data)
        return file.getvalue()

    plain = packed("bad.mid", nes_file(1))
    second = plain.rindex(b"PK\x01\x02")
    content = plain.index(nes_file(1))
    return {
        "without a name": packed("", b"hello"),
        "encrypted": plain[: second + 8] + b"\x01\x00" + plain[second + 10 :],
        "of an unknown method": plain[: second + 10] + b"\x63\x00" + plain[second + 12 :],
        "with a wrong checksum": plain[:content] + b"?" + plain[content + 1 :],
        "that unpacks to too much": packed("bad.mid", bytes(64 << 20), zipfile.ZIP_BZIP2),
        "that is somewhere else": plain[: second + 42] + b"\x03\x00\x00\x00" + plain[second + 46 :],
    }


@pytest.mark.parametrize("kind", sorted(lying_zips()))
def test_a_bad_member_of_an_archive_is_listed_and_ends_nothing(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.zip").write_bytes(lying_zips()[kind])
    (tmp_path / "in" / "b.mid").write_bytes(nes_file(2))
    for _ in range(2):
        done = made([tmp_path / "in"], tmp_path / "out", valid=0)
        assert set(done.data.songs("train").names) == {"a.zip/good.mid", "b.mid"}
        assert done.skipped == 1
        assert (tmp_path / "out" / "skipped.tsv").read_text("utf-8").count("a.zip") == 1
        shutil.rmtree(tmp_path / "out")


def test_a_tar_that_lies_ends_nothing(tmp_path: Path) -> None:
    def member(name: str, data: bytes, **lies: object) -> bytes:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        for key, value in lies.items():
            setattr(info, key, value)
        return info.tobuf(tarfile.PAX_FORMAT) + data + bytes(-len(data) % 512)

    good = member("good.mid", nes_file(0))
    sparse = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "9"}
    lies = {
        "endless": member("x.bin", b"", size=1 << 62),
        "a header": member("x", b"", type=tarfile.XHDTYPE, size=1 << 40),
        "no number": member("x.mid", b"x", pax_headers={"size": "many"}),
        "a sparse file": member("x.mid", b"no map", pax_headers=sparse),
        "a link": member("x.mid", b"", type=tarfile.SYMTYPE, linkname="/etc/hostname"),
    }
    for kind, lie in lies.items():
        folder = tmp_path / kind
        folder.mkdir()
        for packed, name in (
            (gzip.compress, "a.tar.gz"),
            (lzma.compress, "a.tar.xz"),
            (bz2.compress, "a.tbz2"),
        ):
            (folder / name).write_bytes(packed(good + lie + bytes(1024)))
        done = made([folder], tmp_path / f"{kind} out", valid=0)
        assert len(done.data.songs("train")) == 3, kind


def test_a_block_that_is_broken_is_not_kept(tmp_path: Path) -> None:
    items = [Item("a.mid", nes_file(0)), Item("b.mid", problem="no file"), Item("c.mid", daw_file(1))]
    path, digest = tmp_path / "block.npz", bytes(16)
    files = songs_of_files((items, Recipe()))
    write_block(path, digest, files)
    kept = kept_block(path, digest)
    assert kept is not None
    assert [(file.name, file.content, file.problem) for file in kept] == [
        (file.name, file.content, file.problem) for file in files
    ]
    assert [song.tokens.tolist() for file in kept for song in file.songs] == [
        song.tokens.tolist() for file in files for song in file.songs
    ]
    assert kept_block(path, b"another") is None
    whole = path.read_bytes()
    for place in range(0, len(whole), 97):
        path.write_bytes(whole[:place])
        assert kept_block(path, digest) is None
        with pytest.raises(DataError, match=r"block\.npz cannot be read .*run the same command again"):
            read_block(path)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("tokens", np.zeros(3, np.int64)),
        ("tokens", np.zeros((2, 2), np.uint16)),
        ("tokens", np.array([{}], object)),
        ("names", np.array([b"x"])),
        ("names", np.zeros(0, "<U0")),
        ("names", np.full(3, 0x7FFFFFFF, "<u4").view("<U1")),
        ("tokens", np.zeros(0, np.uint16)),
        ("offsets", np.array([0, -5, 10], np.int64)),
        ("offsets", np.zeros(0, np.int64)),
        ("offsets", np.array([1 << 62] * 4, np.int64)),
    ],
)
def test_a_shard_of_other_arrays_is_refused_by_name(tmp_path: Path, name: str, array: NDArray[Any]) -> None:
    source = folder_of(tmp_path / "in", {f"{number}.mid": nes_file(number) for number in range(3)})
    data = made([source], tmp_path / "out", valid=0).data
    shard = tmp_path / "out" / "train-00000.npz"
    with np.load(shard) as arrays:
        kept = dict(arrays)
    np.savez(shard, **(kept | {name: array}))
    with pytest.raises(DataError, match=r"train-00000\.npz .*[Pp]repare it again"):
        data.songs("train")


def test_a_song_with_an_end_inside_is_refused(tmp_path: Path) -> None:
    data = made([folder_of(tmp_path / "in", {"0.mid": nes_file(0)})], tmp_path / "out", valid=0).data
    shard = tmp_path / "out" / "train-00000.npz"
    with np.load(shard) as arrays:
        kept = dict(arrays)
    kept["tokens"][5] = END_TOKEN
    np.savez(shard, **kept)
    with pytest.raises(DataError, match=r"train-00000\.npz has <S> inside a song"):
        data.songs("train")


@pytest.mark.parametrize("size", [1 << 40, (1 << 63) - 1, 1 << 80, -1])
def test_a_shard_that_says_more_than_it_has_is_refused(tmp_path: Path, size: int) -> None:
    data = made([folder_of(tmp_path / "in", {"0.mid": nes_file(0)})], tmp_path / "out", valid=0).data
    shard = tmp_path / "out" / "train-00000.npz"
    with zipfile.ZipFile(shard) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    header = f"{{'descr': '<u2', 'fortran_order': False, 'shape': ({size},), }}".ljust(117).encode() + b"\n"
    members["tokens.npy"] = b"\x93NUMPY\x01\x00\x76\x00" + header + bytes(100)
    with zipfile.ZipFile(shard, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(DataError, match=r"train-00000\.npz cannot be read \(its array tokens"):
        data.songs("train")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", [1]),
        ("format", "x" * 5000),
        ("events", []),
        ("timing", None),
        ("splits", []),
        ("splits", {"train": []}),
        ("splits", {"train": {"songs": -1}}),
        ("splits", {"train": {"songs": 1.5}}),
        ("splits", {"train": {"seconds": "x"}}),
        ("splits", {"train": {"shards": "train"}}),
        ("splits", {"train": {"shards": ["../train"]}}),
        ("splits", {"train": {"shards": [["x"]]}}),
        ("splits", {"train": {"notes": {"P1": []}}}),
        ("splits", {"\x1b[2J": {}}),
        ("splits", {"train": {"unknown": 1}}),
        ("options", 3),
        ("created_by", {}),
    ],
)
def test_what_prepared_data_state_is_checked(tmp_path: Path, key: str, value: object) -> None:
    made([folder_of(tmp_path / "in", {"0.mid": nes_file(0)})], tmp_path / "out", valid=0)
    path = tmp_path / "out" / "info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(DataError, match=r"info\.json .*[Pp]repare it again") as refused:
        open_prepared(tmp_path / "out")
    assert len(str(refused.value)) < 500
    path.write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"info\.json cannot be read"):
        open_prepared(tmp_path / "out")


@pytest.mark.parametrize("cut", [100, 512 + 50])  # in the header of the third file, and in the file
def test_a_tar_that_breaks_off_gives_what_is_before(tmp_path: Path, cut: int) -> None:
    ends = []
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(4):
            info = tarfile.TarInfo(f"{number}.mid")
            info.size = len(nes_file(number))
            archive.addfile(info, io.BytesIO(nes_file(number)))
            ends.append(buffer.tell())
    (tmp_path / "a.tar").write_bytes(buffer.getvalue()[: ends[1] + cut])
    done = made([tmp_path / "a.tar"], tmp_path / "out", valid=0)
    assert done.data.songs("train").names[:2] == ("0.mid", "1.mid")
    assert "a broken tar" in (tmp_path / "out" / "skipped.tsv").read_text()


def test_no_music_is_a_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="There is no music"):
        made([tmp_path / "empty"], tmp_path / "out")
    with pytest.raises(DataError, match=r"One|The one file .* x.mid: not a MIDI file"):
        made([folder_of(tmp_path / "bad", {"x.mid": b"hello"})], tmp_path / "out")
    with pytest.raises(DataError, match="not there"):
        made([tmp_path / "nowhere"], tmp_path / "out")
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(DataError, match="neither a folder nor an archive"):
        made([tmp_path / "a.pdf"], tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_with_something_else_is_left_alone(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", {"a.mid": nes_file(0)})
    made([folder], tmp_path / "out")
    before = tree(tmp_path / "out")
    with pytest.raises(OutputError, match="holds prepared data already"):
        made([folder], tmp_path / "out")
    with pytest.raises(OutputError, match="not empty"):
        made([folder], folder)
    assert tree(tmp_path / "out") == before


def test_the_result_is_the_same_on_one_core_and_on_many(tmp_path: Path) -> None:
    folder = many(tmp_path / "in")
    one = made([folder], tmp_path / "one")
    assert one.copies > 0
    executor = Processes(2)
    try:
        prepare([folder], tmp_path / "two", Recipe(), SplitRule(), executor)
    finally:
        executor.close()
    assert tree(tmp_path / "one") == tree(tmp_path / "two")


def test_an_interrupted_preparation_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    folder = many(tmp_path / "in")
    made([folder], tmp_path / "wanted")
    calls = 0

    def interrupt(progress: PreparationProgress) -> None:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([folder], tmp_path / "out", Recipe(), SplitRule(), Serial(), progress=interrupt)
    with pytest.raises(DataError, match="interrupted"):
        open_prepared(tmp_path / "out")
    kept = sorted((tmp_path / "out" / UNFINISHED).iterdir())
    assert len(kept) == 3
    times = [path.stat().st_mtime_ns for path in kept]
    (tmp_path / "out" / "train-00007.npz").write_bytes(b"left over")
    (tmp_path / "out" / ".lakhnes-half").write_bytes(b"left over")

    done_anew: list[int] = []

    class Counting(Serial):
        def map(self, work: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
            for task in tasks:
                done_anew.append(len(task[0]))
                yield work(task)

    prepare([folder], tmp_path / "out", Recipe(), SplitRule(), Counting())
    assert sum(done_anew) == 142 - 3 * 32
    assert times == sorted(times)
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")


def test_blocks_of_other_files_or_another_recipe_are_not_taken(tmp_path: Path) -> None:
    folder = many(tmp_path / "in")

    def interrupt(progress: PreparationProgress) -> None:
        if progress.files > 90:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare([folder], tmp_path / "out", Recipe(), SplitRule(), Serial(), progress=interrupt)
    (folder / "0/000.mid").write_bytes(nes_file(999))
    recipe = Recipe(timing="samples", adapt="legacy")
    made([folder], tmp_path / "out", recipe)
    made([folder], tmp_path / "wanted", recipe)
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")


@pytest.mark.slow
def test_killed_in_the_middle_by_sigkill_it_goes_on(tmp_path: Path) -> None:
    folder = many(tmp_path / "in", 500)
    made([folder], tmp_path / "wanted")
    command = [sys.executable, "-m", "lakhnes.cli", "prepare", str(folder), "-o", str(tmp_path / "out")]
    running = subprocess.Popen([*command, "--jobs", "2"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob(f"{UNFINISHED}/block-*3.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert running.returncode == -signal.SIGKILL
    assert not (tmp_path / "out" / "info.json").exists()
    subprocess.run([*command, "--jobs", "2"], check=True, capture_output=True)
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")


def test_a_worker_process_that_dies_takes_nothing_with_it(tmp_path: Path) -> None:
    folder = many(tmp_path / "in", 200)
    made([folder], tmp_path / "wanted")
    executor = Processes(2)
    killed: list[int] = []

    def kill(progress: PreparationProgress) -> None:
        if not killed and progress.files > 64:
            assert executor._pool is not None
            victim = next(iter(executor._pool._processes))
            killed.append(victim)
            os.kill(victim, signal.SIGKILL)

    try:
        prepare([folder], tmp_path / "out", Recipe(), SplitRule(), executor, progress=kill)
    finally:
        executor.close()
    assert killed
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")


def _die(task: int) -> int:
    if task == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return task


def test_a_task_that_kills_every_worker_is_a_sentence() -> None:
    executor = Processes(2)
    try:
        with pytest.raises(DataError, match="died 3 times"):
            list(executor.map(_die, range(8)))
    finally:
        executor.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_cluster_gives_the_same_though_a_worker_is_killed(tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    folder = many(tmp_path / "in", 250)
    made([folder], tmp_path / "wanted")
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as cluster:
        executor = Cluster(cluster.scheduler_address)

        def kill(progress: PreparationProgress) -> None:
            if not killed and progress.files > 64:
                victim = next(iter(executor._client.run(os.getpid).values()))
                killed.append(victim)
                os.kill(victim, signal.SIGKILL)

        try:
            prepare([folder], tmp_path / "out", Recipe(), SplitRule(), executor, progress=kill)
        finally:
            executor.close()
    assert killed
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")


@pytest.mark.filterwarnings("ignore")
def test_a_cluster_that_does_not_answer_is_a_sentence() -> None:
    pytest.importorskip("distributed")
    with pytest.raises(DataError, match=r"No Dask scheduler answers at tcp://127.0.0.1:9"):
        Cluster("tcp://127.0.0.1:9")


def test_a_full_disk_is_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = many(tmp_path / "in", 70)

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OutputError, match=r"No space left on device. Free some space"):
            made([folder], tmp_path / "out")
    made([folder], tmp_path / "out")
    made([folder], tmp_path / "wanted")
    assert tree(tmp_path / "out") == tree(tmp_path / "wanted")


def test_splits_by_folder_hash_composer_and_list(tmp_path: Path) -> None:
    names = [f"{composer}/{i}.mid" for composer in "abcdefgh" for i in range(30)]
    contents = {name: os.urandom(16) for name in names}

    def splits(rule: SplitRule) -> dict[str, str]:
        return {name: rule.split(name, contents[name]) for name in names}

    by_file = splits(SplitRule("file", valid=0.3, test=0.2))
    counts = [list(by_file.values()).count(split) for split in ("train", "valid", "test")]
    assert counts[0] > counts[1] > 20
    assert counts[2] > 20
    assert splits(SplitRule(valid=0.3, test=0.2)) == by_file
    by_composer = splits(SplitRule("composer", valid=0.4))
    for composer in "abcdefgh":
        assert len({split for name, split in by_composer.items() if name.startswith(composer)}) == 1
    assert len(set(by_composer.values())) == 2
    assert SplitRule("composer", valid=0.5).split("Bach_1.mid", b"1") == SplitRule(
        "composer", valid=0.5
    ).split("Bach_2.mid", b"2")
    assert SplitRule().split("x/Validation/y.mid", b"") == "valid"
    (tmp_path / "list").write_text("valid a/3.mid\ntest\t7.mid\n\n")
    listed = splits(SplitRule(listed=read_split_list(tmp_path / "list")))
    assert [name for name in names if listed[name] == "valid"] == ["a/3.mid"]
    assert [name for name in names if listed[name] == "test"] == [f"{c}/7.mid" for c in "abcdefgh"]
    for text, match in (("vali a.mid", "line 1"), ("", "empty"), ("valid", "line 1")):
        (tmp_path / "list").write_text(text)
        with pytest.raises(DataError, match=match):
            read_split_list(tmp_path / "list")
    with pytest.raises(OptionError, match="shares"):
        SplitRule(valid=0.6, test=0.5)


def test_a_song_depends_on_the_file_alone() -> None:
    for adapt in ("better", "legacy"):
        recipe = Recipe(adapt=adapt)
        one, two = (songs_of_file(Item(name, daw_file(5)), recipe) for name in ("a.mid", "z/b.mid"))
        assert one.songs
        assert [s.tokens.tolist() for s in one.songs] == [s.tokens.tolist() for s in two.songs]


def test_links_that_go_round_end(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", {"a/b.mid": nes_file(0)})
    (folder / "a" / "up").symlink_to(folder, target_is_directory=True)
    (folder / "gone.mid").symlink_to(folder / "nothing")
    for name in ("loop", "loop.mid", "loop.zip"):
        (folder / name).symlink_to(name)
    assert [(item.name, bool(item.problem)) for item in Sources([folder])] == [
        ("gone.mid", True),
        ("loop.mid", True),
        ("loop.zip", True),
        ("a/b.mid", False),
    ]


def test_recipes_out_of_range_are_refused() -> None:
    wrong: list[dict[str, Any]] = [
        {"events": "tx3"},
        {"timing": "bars"},
        {"adapt": "best"},
        {"arrangements": 0},
        {"max_seconds": 1},
    ]
    for settings in wrong:
        with pytest.raises(LakhnesError):
            Recipe(**settings)


@pytest.mark.slow
def test_all_of_nes_mdb_is_prepared(nesmdb: Path, tmp_path: Path) -> None:
    executor = Processes(2)
    try:
        done = prepare([nesmdb], tmp_path / "out", Recipe(), SplitRule(), executor)
    finally:
        executor.close()
    assert (done.files, done.skipped, done.copies) == (4905, 3, 0)
    data = done.data
    assert {name: split.songs for name, split in data.splits.items()} == {"train": 4500, "valid": 402}
    assert len(data.songs("train").tokens) == data.splits["train"].tokens
    from lakhnes.bridge import read_midi

    songs = data.songs("valid")
    for index in (0, 57, 400):
        score = read_midi(nesmdb / songs.names[index])
        assert songs[index].tolist() == data.codec.encode(score)


def test_voices_are_counted_in_their_order(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "in", {"a.mid": midi_bytes(tune(), MidiStyle.NES)})
    info = made([folder], tmp_path / "out", valid=0).data.splits["train"]
    assert info.notes == {voice.name: len(tune().parts[voice].notes) for voice in Voice}
    assert read_shard(tmp_path / "out" / info.shards[0]).names == ("a.mid",)
