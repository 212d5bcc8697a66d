import io
from pathlib import Path

import mido
import pytest
from hypothesis import given
from support import scores, tune, without_expression

from lakhnes.bridge import MidiStyle, import_midi, read_midi, write_midi
from lakhnes.bridge.nes_midi import nes_midi_bytes, score_from_nes_midi
from lakhnes.bridge.smf import load, parse
from lakhnes.runtime import Note, Part, Score, read_text, tx1_text, tx2_text


def read(data: bytes) -> Score | None:
    return score_from_nes_midi(parse(data))


@given(scores())
def test_any_score_comes_back_exactly(score: Score) -> None:
    assert read(nes_midi_bytes(score)) == score


def test_the_file_is_as_nes_mdb_has_it() -> None:
    midi = mido.MidiFile(file=io.BytesIO(nes_midi_bytes(tune())))
    assert (midi.type, midi.ticks_per_beat) == (1, 22_050)
    assert [track.name for track in midi.tracks] == ["", "p1", "p2", "tr", "no"]
    assert midi.length == pytest.approx(4.0, abs=1e-3)
    ons = [m for m in midi.tracks[3] if m.type == "note_on" and m.velocity]
    assert {m.velocity for m in ons} == {1}
    assert [m.time for m in midi.tracks[0] if m.type == "time_signature"] == [0, 4 * 44_100]


def test_notes_that_touch_read_right_in_either_order_of_messages() -> None:
    def track(*messages: tuple[str, int, int]) -> bytes:
        midi = mido.MidiFile(file=io.BytesIO(nes_midi_bytes(Score(length=1000))))
        midi.tracks[1][2:] = [
            mido.Message("note_on", note=pitch, velocity=9 if kind == "on" else 0, time=time)
            for kind, pitch, time in messages
        ]
        buffer = io.BytesIO()
        midi.save(file=buffer)
        return buffer.getvalue()

    def p1(*notes: Note) -> Score:
        return Score((Part(notes), Part(), Part(), Part()), 1000)

    two = p1(Note(0, 10, 60, 9), Note(10, 10, 62, 9))
    assert read(track(("on", 60, 0), ("off", 60, 10), ("on", 62, 0), ("off", 62, 10))) == two
    assert read(track(("on", 60, 0), ("on", 62, 10), ("off", 60, 0), ("off", 62, 10))) == two
    again = p1(Note(0, 10, 60, 9), Note(10, 10, 60, 9))
    assert read(track(("on", 60, 0), ("off", 60, 10), ("on", 60, 0), ("off", 60, 10))) == again
    assert read(track(("on", 60, 0), ("on", 60, 10), ("off", 60, 0), ("off", 60, 10))) == again
    no_length = p1(Note(0, 10, 60, 9))
    assert read(track(("on", 60, 0), ("off", 60, 10), ("on", 65, 5), ("off", 65, 0))) == no_length


@pytest.mark.parametrize("name", ["own_tx1", "fuzz1"])
def test_the_originals_midi_gives_the_originals_text(shared: Path, name: str) -> None:
    folder = shared / "fixtures/apu/tx"
    assert tx2_text(read_midi(folder / f"{name}.mid")) == tx2_text(read_text(folder / f"{name}.txt"))


def test_a_file_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "tune.mid"
    write_midi(tune(), path, MidiStyle.NES)
    imported = import_midi(path)
    assert imported.score == tune()
    assert imported.remarks == ()


@pytest.mark.parametrize(
    ("split", "n_files", "step"),
    [
        ("valid", 403, 5),
        pytest.param("valid", 403, 1, marks=pytest.mark.slow),
        pytest.param("train", 4502, 1, marks=pytest.mark.slow),
    ],
)
def test_nes_mdb_converts_and_comes_back(nesmdb: Path, split: str, n_files: int, step: int) -> None:
    """Every file to TX1 and TX2 without an unknown event, and back to the same notes."""
    from lakhnes.runtime import parse_text, tx1, tx2
    from lakhnes.runtime.music.events import Kind
    from lakhnes.runtime.music.score import score_from_events

    files = sorted((nesmdb / split).glob("*.mid"))
    assert len(files) == n_files
    known = {vocabulary: set(vocabulary.events) for vocabulary in (tx1(), tx2())}
    for path in files[::step]:
        midi = load(path)
        score = score_from_nes_midi(midi)
        assert score is not None, path.name
        events = [parse_text(text) for text in (tx1_text(score), tx2_text(score))]
        for stream, vocabulary in zip(events, (tx1(), tx2()), strict=True):
            unknown = {event for event in stream if event.kind is not Kind.WAIT} - known[vocabulary]
            assert not unknown, path.name
        assert score_from_events(events[0]) == without_expression(score), path.name
        assert score_from_events(events[1]) == score, path.name
        assert score.n_notes == sum(note.velocity > 0 for track in midi.tracks for note in track.notes), (
            path.name
        )
        assert read(nes_midi_bytes(score)) == score, path.name
