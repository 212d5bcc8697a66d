import io
from pathlib import Path

import mido
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.bridge import gm, read_midi, write_midi
from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.daw_midi import daw_midi_bytes
from lakhnes.bridge.smf import parse
from lakhnes.runtime import Kind, Note, Part, Score, Voice


def midi_of(score: Score) -> mido.MidiFile:
    return mido.MidiFile(file=io.BytesIO(daw_midi_bytes(score)))


def test_tracks_channels_and_programs() -> None:
    midi = midi_of(tune())
    assert (midi.type, midi.ticks_per_beat) == (1, 480)
    assert [track.name for track in midi.tracks[1:]] == ["Pulse 1", "Pulse 2", "Triangle", "Noise"]
    for track, channel in zip(midi.tracks[1:], (0, 1, 2, 9), strict=True):
        assert {m.channel for m in track if not m.is_meta} == {channel}
    assert [m.program for track in midi.tracks for m in track if m.type == "program_change"] == [80, 80, 38]
    assert midi.length == pytest.approx(4.0, abs=0.002)


def test_velocities_can_be_heard() -> None:
    loud = Score(
        (Part((Note(0, 100, 60, 15), Note(100, 100, 60, 1))), Part(), Part((Note(0, 99, 40),)), Part()), 200
    )
    midi = midi_of(loud)
    velocities = [[m.velocity for m in t if m.type == "note_on"] for t in midi.tracks[1:4]]
    assert velocities == [[127, 8], [], [127]]


def test_volume_in_notes_is_cc11_and_timbre_cc12() -> None:
    part = Part((Note(0, 44_100, 60, 5),), tune().parts[0].changes[:1])
    timbre_only = midi_of(Score((part, Part(), Part(), Part()), 44_100))
    assert [(m.control, m.value) for m in timbre_only.tracks[1] if m.type == "control_change"] == [(12, 85)]
    controls = [m.control for m in midi_of(tune()).tracks[1] if m.type == "control_change"]
    assert controls.count(11) == 16
    assert controls.count(12) == 1


@given(scores())
def test_every_message_is_in_range_and_every_note_closed(score: Score) -> None:
    for track in midi_of(score).tracks:
        sounding: list[int] = []
        for message in track:
            if message.type == "note_on":
                assert not sounding
                sounding.append(message.note)
            elif message.type == "note_off":
                sounding.remove(message.note)
        assert not sounding


@given(scores(vocabulary=True, unit=735))
def test_what_a_daw_plays_reads_back(score: Score) -> None:
    back, _ = score_from_midi(parse(daw_midi_bytes(score)))
    for voice in Voice:
        ours, theirs = score.parts[voice], back.parts[voice]
        assert [(n.pitch, n.velocity) for n in theirs.notes] == [(n.pitch, n.velocity) for n in ours.notes]
        assert [(c.kind, c.value) for c in theirs.changes] == [(c.kind, c.value) for c in ours.changes]
        for note, same in zip(ours.notes, theirs.notes, strict=True):
            assert abs(note.onset - same.onset) <= 23  # half a tick
            assert abs(note.end - same.end) <= 23


@given(st.sampled_from(list(Voice)), st.integers(0, 127))
def test_scales_are_one_to_one_where_they_come_from_the_chip(voice: Voice, value: int) -> None:
    assert 1 <= gm.volume_of_midi(value) <= 15
    assert 0 <= gm.timbre_of_midi(voice, value) <= gm.timbre_steps(voice)
    assert 1 <= gm.noise_of_drum(value) <= 16
    for volume in range(1, 16):
        assert gm.volume_of_midi(gm.midi_of_volume(volume)) == volume
    for noise, drum in gm.DRUM_OF_NOISE.items():
        assert gm.noise_of_drum(drum) == noise


def test_a_tune_reads_back_from_the_file(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "tune.mid")
    back = read_midi(tmp_path / "tune.mid")
    for voice in Voice:
        assert [n.pitch for n in back.parts[voice].notes] == [n.pitch for n in tune().parts[voice].notes]
    assert any(change.kind is Kind.VELOCITY for change in back.parts[0].changes)
