"""Fixtures that several folders share."""

import signal
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tiny import export_tiny, tiny_model_of

from lakhnes.runtime import Model, Vocabulary, tx1, tx2

settings.register_profile("lakhnes", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lakhnes")  # how fast an example runs says nothing about what it does

# Ctrl-C is ignored in what a shell runs in the background, and would be by all that the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

LONG = ("frozen", "jack")
"""Marks of what takes long."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that processes that share the tests end together."""
    first = {item.path for item in items if any(map(item.get_closest_marker, LONG))}
    items.sort(key=lambda item: item.path not in first)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout; tests that need it skip only where it is not."""
    if not SHARED.is_dir():
        pytest.skip(f"the reference data are not there ({SHARED})")
    return SHARED


@pytest.fixture(scope="session")
def nesmdb(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked NES-MDB MIDI files: train/ and valid/."""
    folder = tmp_path_factory.mktemp("nesmdb")
    with tarfile.open(shared / "data" / "nesmdb_midi.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(scope="session")
def builtin_model() -> Model:
    """The model in the package."""
    return Model.load()


@pytest.fixture(scope="session")
def tiny_model(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """The reference's tiny checkpoint (random weights, memory 64), exported by our code."""
    pytest.importorskip("torch")
    from lakhnes.export import export_model, load_checkpoint

    folder = tmp_path_factory.mktemp("tiny")
    export_model(load_checkpoint(shared / "fixtures/lakhnes/tiny"), folder, mem_len=64)
    return Model.load(folder)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of TX1 with random weights, exported by our code: `--model` of commands."""
    return exported(tmp_path_factory.mktemp("models") / "small", tx1())


@pytest.fixture(scope="session")
def dynamic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a small model of TX2."""
    return exported(tmp_path_factory.mktemp("models") / "dynamic", tx2())


def exported(folder: Path, vocabulary: Vocabulary) -> Path:
    pytest.importorskip("torch")
    export_tiny(folder, vocabulary)
    return folder


@pytest.fixture(scope="session")
def dynamic_model(dynamic: Path) -> Model:
    """A small model of TX2 with random weights, exported by our code."""
    return Model.load(dynamic)


@pytest.fixture(scope="session")
def small_model() -> Model:
    """A tiny model of TX1 in frames, with a match cache; made here, with random weights."""
    return tiny_model_of()


@pytest.fixture(scope="session")
def small_dynamic_model() -> Model:
    """The same with dynamics."""
    return tiny_model_of(expression=True)
