"""Preferences: kept, never in the way, and what cannot be read is set aside."""

import json
from collections.abc import Callable
from pathlib import Path

import platformdirs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lakhnes.runtime import OptionError, OutputError
from lakhnes.studio.preferences import (
    MOST_RECENT,
    Preferences,
    PreferenceStore,
    PresetStore,
    steering_of,
)
from lakhnes.studio.state import SongState

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings" / "app.json"


def written(path: Path, content: bytes | dict[str, object]) -> PreferenceStore:
    path.parent.mkdir(parents=True)
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return PreferenceStore(path)


def test_without_a_file_everything_is_as_usual(path: Path) -> None:
    store = PreferenceStore(path)
    assert (store.value, store.remark, store.changed) == (Preferences(), None, False)
    store.save()
    assert not path.exists()


def test_the_usual_place_is_the_platform_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_config_path", lambda name, appauthor: tmp_path / name)
    store = PreferenceStore()
    store.change(theme="dark")
    store.save()
    assert PreferenceStore(tmp_path / "lakhnes" / "app.json").value.theme == "dark"


@pytest.mark.parametrize("ports", [None, (), ("a", "b")])
def test_everything_comes_back(path: Path, ports: tuple[str, ...] | None) -> None:
    store = PreferenceStore(path)
    store.change(theme="light", ports=ports, sound=False, geometry="g", layout="l", folder="/f")
    store.remember(Path("/music/a.mid"))
    PresetStore(store).put("wild", {"temperature": 1.5, "scale": "a minor"})
    assert store.changed
    store.save()
    assert not store.changed
    assert PreferenceStore(path).value == store.value


def test_what_another_version_keeps_stays(path: Path) -> None:
    store = written(path, {"theme": "dark", "colour": {"of": "the moon"}})
    store.change(theme="light")
    store.save()
    assert json.loads(path.read_bytes())["colour"] == {"of": "the moon"}


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\x00", b"[" * 100_000])
def test_a_broken_file_is_set_aside(path: Path, content: bytes) -> None:
    store = written(path, content)
    assert store.value == Preferences()
    assert store.remark is not None
    assert "app.json.broken" in store.remark
    assert path.with_name("app.json.broken").read_bytes() == content
    store.change(theme="dark")
    store.save()
    assert PreferenceStore(path).value.theme == "dark"


def test_a_place_that_cannot_be_read_is_said(path: Path) -> None:
    path.mkdir(parents=True)
    store = PreferenceStore(path)
    assert store.remark is not None
    assert str(path) in store.remark
    store.change(theme="dark")
    with pytest.raises(OutputError, match="cannot be written"):
        store.save()
    assert store.changed


@pytest.mark.parametrize(
    "wrong",
    [
        {"theme": "pink"},
        {"theme": []},
        {"ports": "one"},
        {"ports": [1]},
        {"sound": 1},
        {"recent": {}},
        {"recent": [None]},
        {"folder": 3},
        {"presets": []},
        {"presets": {"a": 1}},
    ],
)
def test_a_wrong_value_is_as_usual_and_the_others_stay(path: Path, wrong: dict[str, object]) -> None:
    store = written(path, {"geometry": "g", **wrong})
    assert store.value == Preferences(geometry="g")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(("theme", "ports", "recent", "presets", "new")), ANY))
def test_no_file_is_too_odd_to_be_read_and_kept(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, object]
) -> None:
    path = tmp_path_factory.mktemp("odd") / "settings" / "app.json"
    store = written(path, content)
    names = PresetStore(store).names()
    assert all(PresetStore(store).get(name) is not None for name in names)
    store.change(sound=False)
    store.save()
    assert PreferenceStore(path).value == store.value


def test_recent_files_are_few_and_the_last_is_first(tmp_path: Path) -> None:
    store = PreferenceStore(tmp_path / "app.json")
    paths = [tmp_path / f"{number}.mid" for number in range(MOST_RECENT + 2)]
    for path in (*paths, paths[5]):
        store.remember(path)
    assert store.value.recent[:2] == (str(paths[5]), str(paths[-1]))
    assert len(store.value.recent) == len(set(store.value.recent)) == MOST_RECENT
    assert store.value.folder == str(tmp_path)


def test_a_change_to_the_same_changes_nothing(path: Path) -> None:
    store = PreferenceStore(path)
    store.change(theme="system", ports=())
    assert not store.changed


def test_presets_are_kept_by_name(path: Path) -> None:
    presets = PresetStore(PreferenceStore(path))
    state = SongState(temperature=1.2, top_k=None, scale="c dorian")
    presets.put(" wild ", steering_of(state))
    presets.put("Calm", {"temperature": 0.7, "seed": 5})
    assert presets.names() == ("Calm", "wild")
    assert presets.get("wild") == steering_of(state)
    assert presets.get("Calm") == {"temperature": 0.7}
    presets.delete("wild")
    presets.delete("wild")
    assert presets.names() == ("Calm",)


def test_a_preset_gives_only_what_a_song_can_have(path: Path) -> None:
    values = {"temperature": -1, "top_k": "many", "density": 2, "seed": 5, "top_p": None}
    presets = PresetStore(written(path, {"presets": {"odd": values}}))
    assert presets.get("odd") == {"density": 2.0, "top_p": None}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda presets: presets.get("gone"), "The preset 'gone' no longer exists"),
        (lambda presets: presets.put("  ", {}), "Type a name for the preset"),
    ],
)
def test_wrong_names_are_said(path: Path, wrong: Callable[[PresetStore], object], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        wrong(PresetStore(PreferenceStore(path)))
