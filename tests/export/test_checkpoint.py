"""Importing checkpoints, good and evil."""

import collections
import contextlib
import gzip
import os
import pickle
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from small_lakhnes import lakhnes_models, saved

torch = pytest.importorskip("torch")

from lakhnes.export import load_checkpoint, open_checkpoint  # noqa: E402
from lakhnes.export.checkpoints import read_checkpoint  # noqa: E402
from lakhnes.export.safe_pickle import load_torch_file  # noqa: E402
from lakhnes.runtime import CheckpointError  # noqa: E402

pytestmark = pytest.mark.train


@pytest.fixture
def lakhnes_modules() -> Iterator[Callable[..., Any]]:
    """What makes models that pickle as those of the LakhNES code do."""
    with lakhnes_models() as model:
        yield model


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("d_embed", [8, 6])
def test_both_containers_and_projected_embeddings(
    lakhnes_modules: Callable[..., Any], tmp_path: Path, legacy: bool, d_embed: int
) -> None:
    original = lakhnes_modules(d_embed, pre_lnorm=True, clamp_len=7, same_length=True)
    checkpoint = load_checkpoint(saved(original, tmp_path / "model.pt", legacy=legacy))
    config = checkpoint.model.config
    assert (config.n_layer, config.n_head, config.d_model, config.d_head) == (2, 2, 8, 4)
    assert (config.d_inner, config.d_embed, config.clamp_len) == (12, d_embed, 7)
    assert (config.pre_lnorm, config.same_length, config.tie_embedding) == (True, True, True)
    assert checkpoint.vocabulary.name == "tx1"
    attention = original.layers[1].dec_attn
    torch.testing.assert_close(checkpoint.model.layers[1].attention.relative.weight, attention.r_net.weight)
    torch.testing.assert_close(checkpoint.model.position_bias, original.r_r_bias)
    if d_embed != 8:
        torch.testing.assert_close(checkpoint.model.output_projection, original.crit.out_projs[0])


@pytest.mark.parametrize("folder", ["tiny", "tiny_legacy"])
def test_the_references_weights(shared: Path, folder: str) -> None:
    """Also of a file whose storages say 'cuda:0'."""
    weights = np.load(shared / "fixtures/lakhnes/tiny/weights.npz")
    model = load_checkpoint(shared / "fixtures/lakhnes" / folder).model
    np.testing.assert_array_equal(model.embedding.weight.detach(), weights["word_emb.emb_layers.0.weight"])
    feed_forward = model.layers[2].feed_forward  # type: ignore[union-attr]
    np.testing.assert_array_equal(
        feed_forward.narrow.weight.detach(), weights["layers.2.pos_ff.CoreNet.3.weight"]
    )


def test_an_archive_of_a_checkpoint(lakhnes_modules: Callable[..., Any], tmp_path: Path) -> None:
    from lakhnes.runtime import tx1

    folder = tmp_path / "LakhNES"
    folder.mkdir()
    saved(lakhnes_modules(), folder / "model.pt")
    (folder / "vocab.txt").write_text(tx1().to_text())
    with tarfile.open(tmp_path / "LakhNES.tar.gz", "w:gz") as archive:
        archive.add(folder, "LakhNES")
    checkpoint = load_checkpoint(tmp_path / "LakhNES.tar.gz")
    assert checkpoint.source == "LakhNES.tar.gz"
    assert checkpoint.model.config == load_checkpoint(folder).model.config


@pytest.mark.parametrize(
    ("variant", "reason"),
    [
        ({"n_clusters": 3}, "adaptive softmax"),
        ({"sample_softmax": 5}, "sampled softmax"),
        ({"attn_type": 2}, "attention type 2"),
        ({"n_layer": 3}, "weights do not fit"),
    ],
)
def test_unsupported_variants_say_so(
    lakhnes_modules: Callable[..., Any], tmp_path: Path, variant: dict[str, int], reason: str
) -> None:
    with pytest.raises(CheckpointError, match=rf"model\.pt cannot be imported: .*{reason}"):
        load_checkpoint(saved(lakhnes_modules(**variant), tmp_path / "model.pt"))


def test_a_vocabulary_of_another_size_is_refused(lakhnes_modules: Callable[..., Any], tmp_path: Path) -> None:
    path = saved(lakhnes_modules(), tmp_path / "model.pt")
    (tmp_path / "vocab.txt").write_text("WT_1\nP1_NOTEOFF\nP2_NOTEOFF\nTR_NOTEOFF\nNO_NOTEOFF\n")
    with pytest.raises(CheckpointError, match=r"vocab\.txt has 6 tokens with <S>, but the model 631"):
        load_checkpoint(path)
    (tmp_path / "vocab.txt").write_text("hello\n")
    with pytest.raises(CheckpointError, match=r"vocab\.txt cannot be read .*no vocabulary of TX1"):
        load_checkpoint(path)


class Runs:
    """Pickles to a call of any function."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def container(data: bytes, path: Path, *, legacy: bool, compress: bool = False) -> Path:
    """Puts a pickle where `torch.save` puts the model."""
    if legacy:
        head = [0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}]
        path.write_bytes(b"".join(pickle.dumps(part, 2) for part in head) + data + pickle.dumps([], 2))
    else:
        kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", kind) as archive:
            archive.writestr("model/data.pkl", data)
    return path


def evil_pickles(marker: Path) -> dict[str, bytes]:
    touch = f"touch {marker}"
    code = f"open({str(marker)!r}, 'w')"
    by_instruction = b"".join(  # (I) INST os system: an opcode that torch never writes
        [b"(S'", touch.encode(), b"'\nios\nsystem\n."]
    )
    return {
        "os.system": pickle.dumps(Runs(os.system, touch), 2),
        "os.system, protocol 4": pickle.dumps(Runs(os.system, touch), 4),
        "builtins.eval": pickle.dumps(Runs(eval, code), 2),
        "builtins.exec": pickle.dumps(Runs(exec, code), 2),
        "builtins.getattr": pickle.dumps(Runs(getattr, dict, "get"), 2),
        "subprocess.Popen": pickle.dumps(Runs(subprocess.Popen, ["touch", str(marker)]), 2),
        "another class": pickle.dumps(Runs(collections.Counter, "abc"), 2),
        "functools.partial": b"cfunctools\npartial\n(cos\nsystem\nS'" + touch.encode() + b"'\ntR(tR.",
        "torch.load": pickle.dumps(Runs(torch.load, "x"), 2),
        "a module's helper": b"cmem_transformer.os\nsystem\n(S'" + touch.encode() + b"'\ntR.",
        "an import": b"cantigravity\ngeohash\n.",
        "inside a list": pickle.dumps([1, {"a": Runs(os.system, touch)}], 2),
        "INST": by_instruction,
    }


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("name", sorted(evil_pickles(Path("x"))))
def test_malicious_pickles_are_refused_and_run_nothing(tmp_path: Path, name: str, legacy: bool) -> None:
    marker = tmp_path / "it-ran"
    path = container(evil_pickles(marker)[name], tmp_path / "model.pt", legacy=legacy)
    with pytest.raises(CheckpointError, match=r"model\.pt is refused: .*Only checkpoints of lakhnes"):
        load_checkpoint(path)
    assert not marker.exists()
    assert "antigravity" not in sys.modules


def raw(program: bytes, path: Path) -> Path:
    return container(b"\x80\x02" + program + b".", path, legacy=False)


def a_tensor(size: bytes = b"K\x04\x85", stride: bytes = b"K\x01\x85") -> bytes:
    """A pickle program that makes a tensor over four numbers."""
    storage = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x04tQ"
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage + b"K\x00" + size + stride + b"\x89}tR"


@pytest.mark.parametrize(
    ("name", "program", "reason"),
    [
        ("state of a tensor", a_tensor() + b"}X\x04\x00\x00\x00sizeK\x09sb", "state of what has none"),
        (
            "state of a class",
            b"cmem_transformer\nX\nN}X\x01\x00\x00\x00aK\x01s\x86b",
            "state of what has none",
        ),
        ("a tuple as key", b"}" + b"K\x01\x85" * 1 + b"2\x86" + b"K\x01s", "DUP"),
        ("a nested key", b"}K\x01" + b"\x85" * 100_000 + b"K\x01s", "keys of an unknown kind"),
        ("a set of classes", b"cbuiltins\nset\n)R", "no whole model"),
        ("protocol 4", pickle.dumps({"a": 1}, 4)[2:-1], "FRAME"),
        ("a memo of two thousand million places", b"Nr\xff\xff\xff\x7f", "no whole model"),
        ("negative sizes", a_tensor(b"J\xff\xff\xff\xff\x85"), "broken shape"),
        ("too many arguments popped", b"\x87", "broken"),
        ("pops below a mark", b"NN(\x86", "broken"),
        ("a missing mark", b"t", "broken"),
    ],
)
def test_tricks_with_the_stack_machine_are_refused(
    tmp_path: Path, name: str, program: bytes, reason: str
) -> None:
    with pytest.raises(CheckpointError, match=reason):
        load_checkpoint(raw(program, tmp_path / "model.pt"))


def test_bombs_are_refused_before_they_unfold(lakhnes_modules: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    container(b"\x80\x02" + b"N0" * (40 << 20) + b"N.", path, legacy=False, compress=True)
    assert path.stat().st_size < 1 << 20
    with pytest.raises(CheckpointError, match="compressed"):
        load_checkpoint(path)
    laughs: list[Any] = []
    for _ in range(60):
        laughs = [laughs, laughs]
    container(pickle.dumps(laughs, 2), path, legacy=False)
    with pytest.raises(CheckpointError, match="without end"):
        load_checkpoint(path)
    torch.save(torch.zeros(1).expand(1 << 20, 1 << 20), path)
    with pytest.raises(CheckpointError, match="do not lie one after the other"):
        load_torch_file(path)
    original = lakhnes_modules()
    numbers = torch.zeros(1 << 22)
    for layer in original.layers:
        layer.dec_attn.extra = torch.nn.ParameterList(
            [torch.nn.Parameter(numbers[place:]) for place in range(10)]
        )
    with pytest.raises(CheckpointError, match="far more than the file"):
        load_checkpoint(saved(original, path))


LAUGHS = b"(t" + b"2\x86" * 40  # a tuple of a tuple of .., each twice: endless when it is printed
MEMOED = b")q\x00" + b"h\x00h\x00\x86q\x00" * 40  # the same without an instruction that torch never writes


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        (MEMOED, "inside each other without end"),
        (b"}X\x04\x00\x00\x00name(" + MEMOED + b"ts", "inside each other without end"),
        (b"]q\x00h\x00a", "inside each other without end"),
        (b")" + b"\x85" * 100, "inside each other without end"),
        (LAUGHS, "DUP"),
        (a_tensor(b"(" + b"K\x01" * 70 + b"t", b"(" + b"K\x01" * 70 + b"t"), "70 dimensions"),
        (a_tensor(b"K\x02K\x02\x86", b"K\x01K\x02\x86"), "do not lie one after the other"),
        (a_tensor(b"\x8a\x05\x00\x00\x00\x00\x01\x85", b"K\x01\x85"), "beyond its storage"),
        (b"\x8a\xff" + b"\xff" * 255 + b"X\x01\x00\x00\x00", "its pickle is broken"),
        (b"G1", "its pickle is broken"),
    ],
)
def test_values_that_have_no_end_or_no_numbers_are_refused(
    tmp_path: Path, program: bytes, reason: str
) -> None:
    for read in (load_checkpoint, open_checkpoint, read_checkpoint):
        with pytest.raises(CheckpointError, match=rf"model\.pt is refused: .*{reason}"):
            read(raw(program, tmp_path / "model.pt"))


def test_a_value_of_a_model_is_not_printed_whole(lakhnes_modules: Callable[..., Any], tmp_path: Path) -> None:
    for name, value, shown in (
        ("attn_type", ["x" * 1000], "attention type a list"),
        ("attn_type", "\x1b[2J" * 100, r"attention type '\\x1b\[2J"),
        ("n_head", {"a": 1}, "its n_head is a dict"),
        ("d_model", 1 << 200, "its d_model is a int"),
    ):
        original = lakhnes_modules()
        setattr(original, name, value)
        with pytest.raises(CheckpointError, match=shown) as refused:
            load_checkpoint(saved(original, tmp_path / "model.pt"))
        assert len(str(refused.value)) < 500
        assert str(refused.value).isprintable()


def test_zips_that_lie_are_refused_by_name(lakhnes_modules: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    whole = saved(lakhnes_modules(), path).read_bytes()
    directory = whole.index(b"PK\x01\x02")
    lies = {
        "encrypted": (directory + 8, b"\x01\x00"),
        "of an unknown method": (directory + 10, b"\x63\x00"),
        "of another place": (directory + 42, b"\xff\xff\xff\x7f"),
        "of no name": (directory + 28, b"\x00\x00"),
    }
    for place, lie in lies.values():
        path.write_bytes(whole[:place] + lie + whole[place + len(lie) :])
        for read in (load_checkpoint, open_checkpoint):
            with pytest.raises(CheckpointError, match=r"model\.pt (is refused|cannot be read)"):
                read(path)


@pytest.mark.parametrize(
    "lie",
    [
        {"n_layer": 10**8},
        {"n_layer": 0},
        {"n_layer": "2"},
        {"n_layer": None},
        {"n_token": 10**13},
        {"n_token": -5},
        {"d_head": 10**7},
        {"d_embed": 10**9},
        {"n_head": True},
        {"d_model": 4.0},
        {"clamp_len": "x"},
        {"clamp_len": float("inf")},
        {"sample_softmax": "x"},
        {"layers": None},
    ],
)
def test_sizes_that_the_weights_do_not_have_are_not_believed(
    lakhnes_modules: Callable[..., Any], tmp_path: Path, lie: dict[str, Any]
) -> None:
    original = lakhnes_modules()
    for name, value in lie.items():
        setattr(original, name, value)
    with pytest.raises(CheckpointError) as refused:
        load_checkpoint(saved(original, tmp_path / "model.pt"))
    assert len(str(refused.value)) < 300


def test_broken_archives_are_refused(lakhnes_modules: Callable[..., Any], tmp_path: Path) -> None:
    saved(lakhnes_modules(), tmp_path / "model.pt")
    for ending, mode in ((".tar.gz", "w:gz"), (".tar.xz", "w:xz"), (".tar", "w")):
        path = tmp_path / f"a{ending}"
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "model.pt", "x/model.pt")
        whole = path.read_bytes()
        load_checkpoint(path)
        for data in (whole[: len(whole) // 2], whole[:300] + bytes(40) + whole[340:]):
            path.write_bytes(data)
            with contextlib.suppress(CheckpointError):
                load_checkpoint(path)

    def packed(member: tarfile.TarInfo, content: bytes = b"") -> Path:
        path = tmp_path / "lies.tar.gz"
        with gzip.open(path, "wb") as file:
            file.write(member.tobuf() + content + bytes(-len(content) % 512) + bytes(1024))
        return path

    link = tarfile.TarInfo("model.pt")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/hostname"
    with pytest.raises(CheckpointError, match=r"lies\.tar\.gz cannot be read .*not found"):
        load_checkpoint(packed(link))
    long = tarfile.TarInfo("model.pt")
    long.size = 1 << 60
    with pytest.raises(CheckpointError, match=r"lies\.tar\.gz cannot be read"):
        load_checkpoint(packed(long, b"short"))
    header = tarfile.TarInfo("header")
    header.type, header.size = tarfile.XHDTYPE, 8 << 20
    with pytest.raises(CheckpointError, match=r"lies\.tar\.gz cannot be read .*too long"):
        load_checkpoint(packed(header, bytes(8 << 20)))
    zeros = tarfile.TarInfo("model.pt")
    zeros.size = 70 << 20
    with pytest.raises(CheckpointError, match="unpacks to far more than it is"):
        load_checkpoint(packed(zeros, bytes(70 << 20)))
    (tmp_path / "cut.tar.gz").write_bytes(packed(zeros).read_bytes()[:40])
    with pytest.raises(CheckpointError, match=r"cut\.tar\.gz cannot be read"):
        load_checkpoint(tmp_path / "cut.tar.gz")
    with tarfile.open(tmp_path / "none.tar", "w"):
        pass
    with pytest.raises(CheckpointError, match="no model"):
        load_checkpoint(tmp_path / "none.tar")


def test_what_is_cut_off_or_no_checkpoint_is_refused(
    lakhnes_modules: Callable[..., Any], tmp_path: Path
) -> None:
    path = tmp_path / "model.pt"
    for legacy in (False, True):
        whole = saved(lakhnes_modules(), path, legacy=legacy).read_bytes()
        for size in (0, 10, 1000, len(whole) // 2, len(whole) - 500):
            path.write_bytes(whole[:size])
            with pytest.raises(CheckpointError, match=r"model\.pt is refused"):
                load_checkpoint(path)
    torch.save({"weights": torch.zeros(3)}, path)
    with pytest.raises(CheckpointError, match="no whole model of the LakhNES code"):
        load_checkpoint(path)
    with pytest.raises(CheckpointError, match="is not there"):
        load_checkpoint(tmp_path / "nope")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"has no model\.pt"):
        load_checkpoint(tmp_path / "empty")


def test_noise_in_a_file_never_makes_another_error(
    lakhnes_modules: Callable[..., Any], tmp_path: Path
) -> None:
    rng = np.random.default_rng(0)
    path = tmp_path / "model.pt"
    for legacy in (False, True):
        whole = saved(lakhnes_modules(), path, legacy=legacy).read_bytes()
        for _ in range(150):
            data = bytearray(whole)
            for place in rng.integers(0, 12_000, 3):
                data[place] = rng.integers(256)
            path.write_bytes(bytes(data))
            try:
                load_checkpoint(path)
            except CheckpointError as error:
                assert "model.pt" in str(error)  # noqa: PT017
