from pathlib import Path

import numpy as np
import pytest
from support import tune

from lakhnes.bridge import MidiStyle, write_midi
from lakhnes.export.evaluation_songs import read_split
from lakhnes.export.prepared import write_prepared
from lakhnes.runtime import Codec, Timing, parse_text, tx1, tx1_text, tx2, tx2_text
from lakhnes.runtime.errors import DataError

FRAMES = Codec(tx1(), Timing.FRAMES)
SAMPLES = Codec(tx1(), Timing.SAMPLES)


def test_files_of_all_kinds_become_the_models_tokens(tmp_path: Path) -> None:
    valid = tmp_path / "valid"
    (valid / "game").mkdir(parents=True)
    write_midi(tune(), valid / "b.MID", MidiStyle.NES)
    (valid / "a.tx2.txt").write_text(tx2_text(tune()))
    (valid / "game" / "c.tx1.txt").write_text(tx1_text(tune()))
    (valid / "broken.mid").write_bytes(b"MThd")
    (valid / "notes.doc").write_text("no music")
    told: list[tuple[int, int]] = []
    for codec in (FRAMES, SAMPLES):
        found = read_split(tmp_path, "valid", codec, progress=lambda done, total: told.append((done, total)))
        assert found.names == ("a.tx2.txt", "b.MID", "game/c.tx1.txt")
        for song in found.tokens:
            assert song.dtype == np.uint16
            assert song.tolist() == codec.encode(tune())
        assert len(found.skipped) == 1
        assert "broken.mid" in found.skipped[0]
    assert told[-1] == (4, 4)


def test_raw_texts_are_read_event_by_event(tmp_path: Path) -> None:
    (tmp_path / "valid").mkdir()
    text = "P1_NOTEOFF\nWT_5\nTR_NOTEON_70\nP1_NOTEON_60\nWT_1"
    (tmp_path / "valid" / "a.txt").write_text(text)
    expected = [tx1().token(event) for event in parse_text(text)]
    assert read_split(tmp_path, "valid", SAMPLES).tokens[0].tolist() == expected
    # A model of TX2 has never seen notes without velocity.
    expressive = Codec(tx2(), Timing.SAMPLES)
    events = [str(event) for event in expressive.events(read_split(tmp_path, "valid", expressive).tokens[0])]
    assert "P1_VELOCITY_15" in events


def test_prepared_songs_come_in_the_order_of_names(tmp_path: Path) -> None:
    song = FRAMES.encode(tune())
    write_prepared(tmp_path / "p", FRAMES, {"valid": {"b": song, "a": song[:30]}, "test": {}})
    found = read_split(tmp_path / "p", "valid", FRAMES)
    assert found.names == ("a", "b")
    assert [song.tolist() for song in found.tokens] == [song[:30], song]
    with pytest.raises(DataError, match="no songs"):
        read_split(tmp_path / "p", "test", FRAMES)
    with pytest.raises(DataError, match="prepared in timing frames, but the model's is samples"):
        read_split(tmp_path / "p", "valid", SAMPLES)
    with pytest.raises(DataError, match="prepared in vocabulary tx1, but the model's is tx2"):
        read_split(tmp_path / "p", "valid", Codec(tx2(), Timing.FRAMES))


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no folder"):
        read_split(tmp_path / "nowhere", "valid", FRAMES)
    with pytest.raises(DataError, match="no split 'valid'"):
        read_split(tmp_path, "valid", FRAMES)
    (tmp_path / "valid").mkdir()
    with pytest.raises(DataError, match="no MIDI, TX1 or TX2 files"):
        read_split(tmp_path, "valid", FRAMES)
    (tmp_path / "valid" / "a.mid").write_bytes(b"")
    with pytest.raises(DataError, match=r"None of the 1 files .* can be read"):
        read_split(tmp_path, "valid", FRAMES)
