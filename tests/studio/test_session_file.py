"""Session files: everything comes back, and what is broken is said."""

import io
import json
import struct
import zipfile
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.apu.instruments import instrument_names
from lakhnes.bridge import read_midi
from lakhnes.runtime import FormatError, Note, OutputError, Part, Score
from lakhnes.runtime.music.events import MAX_SAMPLES
from lakhnes.studio import session_file
from lakhnes.studio.session_file import MAX_BYTES, read_session, read_song, session_bytes, write_session
from lakhnes.studio.state import SongState, VoiceSettings, Whereabouts

PITCHES = st.none() | st.integers(0, 127)
VOICE_STATES = st.builds(
    VoiceSettings,
    st.integers(1, 16),
    muted=st.booleans(),
    solo=st.booleans(),
    locked=st.booleans(),
    lowest=PITCHES,
    highest=PITCHES,
    instrument=st.sampled_from(instrument_names()),
    volume=st.floats(0, 1),
)
STATES = st.builds(
    SongState,
    scores(),
    kept=st.integers(0, 10**6),
    composed_bpm=st.floats(20, 400),
    bpm=st.floats(20, 400),
    beats_per_bar=st.integers(1, 16),
    seed=st.integers(0, (1 << 32) - 1),
    model=st.text(min_size=1, max_size=20),
    temperature=st.just(0.0) | st.floats(0.01, 100),
    top_k=st.none() | st.integers(1, 1000),
    top_p=st.none() | st.floats(0.01, 1),
    surprise=st.none() | st.floats(0.01, 3),
    density=st.floats(-5, 5),
    drones=st.booleans(),
    scale=st.sampled_from(("", "a minor", "F# dorian", "0,2,4")) | st.text(max_size=10),
    ahead_bars=st.floats(0.5, 16),
    endless=st.booleans(),
    voices=st.tuples(VOICE_STATES, VOICE_STATES, VOICE_STATES, VOICE_STATES),
    volume=st.floats(0, 1),
)
FULL = SongState(tune(), kept=960, bpm=97.5, seed=7, scale="a minor", top_p=0.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "song.lakhnes"


def repacked(path: Path, members: dict[str, bytes | None]) -> Path:
    """A good session with some members replaced or left out."""
    with zipfile.ZipFile(io.BytesIO(session_bytes(path, FULL))) as archive:
        kept = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**kept, **members}.items():
            if data is not None:
                archive.writestr(name, data)
    return path


def with_settings(path: Path, **changes: Any) -> Path:
    """A good session with other settings."""
    with zipfile.ZipFile(io.BytesIO(session_bytes(path, FULL))) as archive:
        given = json.loads(archive.read("session.json"))
    return repacked(path, {"session.json": json.dumps({**given, **changes}).encode()})


@settings(max_examples=60, deadline=None)
@given(STATES)
def test_every_state_comes_back_exactly(tmp_path_factory: pytest.TempPathFactory, state: SongState) -> None:
    path = tmp_path_factory.mktemp("sessions") / "a.lakhnes"
    write_session(path, state)
    assert read_session(path) == state


@settings(max_examples=60, deadline=None)
@given(scores())
def test_a_song_that_is_too_long_for_midi_comes_back_exactly(score: Score) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session_file, "_MIDI_SAMPLES", 1)
        patch.setattr(session_file, "MAX_WAIT", 1000)
        data = session_bytes(Path("a"), SongState(score))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert ("song.mid" in archive.namelist()) == (score.length == 0)
        if score.length:
            assert session_file._score(archive) == score


def test_hours_of_music_come_back(path: Path) -> None:
    hours = 3 * 3600 * 44_100
    notes = (Note(0, 100, 60), Note(hours - 500, 400, 62))
    state = SongState(Score((Part(notes), Part(), Part(), Part()), hours))
    write_session(path, state)
    assert read_session(path) == state


def test_a_day_is_the_limit(path: Path) -> None:
    with pytest.raises(OutputError, match=r"song\.lakhnes cannot be written: .* longer than a day"):
        write_session(path, SongState(Score(length=MAX_SAMPLES + 1)))
    assert not path.exists()


def test_the_notes_are_a_midi_file_for_everybody(path: Path, tmp_path: Path) -> None:
    write_session(path, FULL)
    with zipfile.ZipFile(path) as archive:
        archive.extract("song.mid", tmp_path)
    assert read_midi(tmp_path / "song.mid") == FULL.score


def test_one_state_is_always_the_same_file(path: Path) -> None:
    assert session_bytes(path, FULL) == session_bytes(path, FULL)


def test_where_a_session_lies_is_not_in_it_unless_it_is_said(path: Path) -> None:
    write_session(path, FULL)
    assert read_song(path) == (FULL, Whereabouts())
    there = Whereabouts(place=960, path="/somewhere/else.lakhnes", stamp=1 << 60, name="Night Walk")
    write_session(path, FULL, there)
    assert read_song(path) == (FULL, there)


def test_what_a_session_does_not_say_is_as_usual(path: Path) -> None:
    head = {"format": "lakhnes-session", "version": 1}
    repacked(path, {"session.json": json.dumps(head).encode()})
    assert read_session(path) == SongState(FULL.score)


def test_what_is_unknown_in_a_session_is_passed_over(path: Path) -> None:
    voices = [{"channel": 5, "reverb": True}, {}, {}, {"muted": True}]
    state = read_session(with_settings(path, reverb=[1, 2], voices=voices))
    p1, p2, tr, no = SongState().voices
    assert state == replace(FULL, voices=(replace(p1, channel=5), p2, tr, replace(no, muted=True)))


def test_a_model_that_is_not_there_is_kept_by_name(path: Path) -> None:
    assert read_session(with_settings(path, model="of-somebody-else")).model == "of-somebody-else"


def test_a_newer_session_asks_for_a_newer_program(path: Path) -> None:
    newer = with_settings(path, version=2, voices="as nobody knows them")
    expected = r"song\.lakhnes: it was saved by a newer lakhnes \(session version 2\); update lakhnes to open"
    with pytest.raises(FormatError, match=expected):
        read_session(newer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kept", -1),
        ("kept", 1.5),
        ("kept", 10**300),
        ("bpm", 19.9),
        ("bpm", float("nan")),
        ("composed_bpm", float("inf")),
        ("composed_bpm", "120"),
        ("beats_per_bar", 0),
        ("beats_per_bar", True),
        ("seed", -1),
        ("model", None),
        ("model", "x" * 5000),
        ("temperature", 0.005),
        ("temperature", None),
        ("top_k", 0),
        ("top_p", 0),
        ("surprise", 0),
        ("density", 6),
        ("drones", 1),
        ("scale", ["a", "minor"]),
        ("ahead_bars", 17),
        ("endless", 1),
        ("volume", 1.01),
        ("voices", {}),
        ("voices", [{}, {}]),
        ("voices", [1, 2, 3, 4]),
        ("voices", [{"channel": 17}, {}, {}, {}]),
        ("voices", [{"lowest": 128}, {}, {}, {}]),
        ("voices", [{"solo": "yes"}, {}, {}, {}]),
        ("voices", [{"instrument": "kazoo"}, {}, {}, {}]),
        ("whereabouts", []),
        ("whereabouts", {"place": -1}),
        ("whereabouts", {"stamp": 1.5}),
        ("whereabouts", {"path": 7}),
        ("whereabouts", {"name": None}),
    ],
)
def test_values_out_of_range_are_said(path: Path, name: str, value: object) -> None:
    expected = r"song\.lakhnes: in its session\.json, .*(expected|choose)"
    with pytest.raises(FormatError, match=expected) as caught:
        read_session(with_settings(path, **{name: value}))
    assert name in str(caught.value) or "of P1" in str(caught.value)


def encrypted(path: Path) -> None:
    """Says that the members need a password."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + offset] |= 1
            place = data.find(mark, place + 4)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"session.json": None}, r"it has no session\.json"),
        ({"session.json": b"{"}, r"session\.json cannot be read"),
        ({"session.json": b"[" * 100_000}, r"session\.json cannot be read"),
        ({"session.json": b"\xff\xfe\xff"}, r"session\.json cannot be read"),
        ({"session.json": b"[]"}, r"session\.json is of something else"),
        ({"session.json": b'{"format": "zip"}'}, r"session\.json is of something else"),
        ({"session.json": b'{"format": "lakhnes-session"}'}, r"version is None"),
        ({"session.json": b'{"format": "lakhnes-session", "version": 0}'}, r"version is 0"),
        ({"song.mid": None}, r"it has no song\.mid"),
        ({"song.mid": b""}, r"song\.mid: empty"),
        ({"song.mid": b"MThd"}, r"song\.mid: cut off"),
        ({"song.mid": None, "song.tx2.txt": b"P9_NOTEON_1"}, r"song\.tx2\.txt, line 1: unknown event"),
    ],
)
def test_broken_members_are_said(path: Path, members: dict[str, bytes | None], reason: str) -> None:
    expected = rf"song\.lakhnes: not a session, or a broken one \(.*{reason}.*\); open another file\.$"
    with pytest.raises(FormatError, match=expected):
        read_session(repacked(path, members))


@pytest.mark.parametrize("member", ["session.json", "song.mid"])
def test_a_bomb_is_not_unpacked(path: Path, member: str) -> None:
    repacked(path, {member: b" " * (MAX_BYTES + 1)})
    assert path.stat().st_size < 100_000
    with pytest.raises(FormatError, match="too large"):
        read_session(path)


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(path: Path) -> None:
    repacked(path, {"song.mid": b" " * (MAX_BYTES + 1)})
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<I", MAX_BYTES + 1), struct.pack("<I", 10)))
    with pytest.raises(FormatError, match="broken"):
        read_session(path)


def test_a_file_larger_than_any_session_is_not_read(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(FormatError, match="larger than any session"):
        read_session(path)


def test_a_session_with_a_password_is_said(path: Path) -> None:
    encrypted(repacked(path, {}))
    with pytest.raises(FormatError, match="password"):
        read_session(path)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255), st.booleans())
def test_no_broken_file_is_anything_but_said(
    tmp_path_factory: pytest.TempPathFactory, place: int, value: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("broken") / "a.lakhnes"
    data = bytearray(session_bytes(path, FULL))
    place %= len(data)
    data[place] = value
    path.write_bytes(data[:place] if cut else data)
    with suppress(FormatError):
        assert read_session(path) == FULL


def test_every_field_is_in_the_file(path: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(session_bytes(path, FULL))) as archive:
        names = json.loads(archive.read("session.json")).keys()
    every = {field.name for field in fields(SongState)} - {"score", "song"}
    assert names == {"format", "version", "program", "whereabouts", *every}
