"""Files that other libraries write, there and back: notes, tempi, meters and keys stay."""

from collections.abc import Callable
from pathlib import Path

import mido
import pytest

from lakhnes.bridge import import_midi, write_midi
from lakhnes.runtime import Voice

symusic = pytest.importorskip("symusic")

TEMPI = [(0, 100.0), (8, 140.0), (12, 90.5)]
METERS = [(0, 4, 4), (8, 6, 8), (14, 3, 4)]
KEYS = [(0, 2, 0, "D"), (14, -5, 1, "Bbm")]
"""Beat, sharps, whether minor, and name."""

MELODY = [(i / 2, 72 + i % 7, 0.45) for i in range(64)]
BASS = [(i, 40 + i % 5, 0.9) for i in range(32)]
TRACKS = [("Lead", 80, False, MELODY), ("Bass", 33, False, BASS)]
DIVISION = 960


def by_mido(path: Path, tempi: list[tuple[float, float]] = TEMPI) -> None:
    stated = [(beat, mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(bpm))) for beat, bpm in tempi]
    stated += [(b, mido.MetaMessage("time_signature", numerator=n, denominator=d)) for b, n, d in METERS]
    stated += [(beat, mido.MetaMessage("key_signature", key=name)) for beat, _, _, name in KEYS]
    midi = mido.MidiFile(ticks_per_beat=DIVISION)
    midi.tracks.append(in_deltas(stated))
    for channel, (name, program, _, notes) in enumerate(TRACKS):
        events = [(0, mido.MetaMessage("track_name", name=name))]
        events.append((0, mido.Message("program_change", program=program, channel=channel)))
        for onset, pitch, length in notes:
            events.append((onset, mido.Message("note_on", note=pitch, channel=channel)))
            events.append((onset + length, mido.Message("note_off", note=pitch, channel=channel)))
        midi.tracks.append(in_deltas(events))
    midi.save(path)


def in_deltas(events: list[tuple[float, mido.Message]]) -> mido.MidiTrack:
    track, now = mido.MidiTrack(), 0
    for beat, message in sorted(events, key=lambda event: event[0]):
        track.append(message.copy(time=round(beat * DIVISION) - now))
        now = round(beat * DIVISION)
    return track


def by_mido_with_a_ramp(path: Path) -> None:
    by_mido(path, [(step * 137 / DIVISION, 100.0 + step) for step in range(100)])


def by_symusic(path: Path) -> None:
    score = symusic.Score(DIVISION)
    for beat, bpm in TEMPI:
        score.tempos.append(symusic.Tempo(beat * DIVISION, bpm))
    for beat, beats, unit in METERS:
        score.time_signatures.append(symusic.TimeSignature(beat * DIVISION, beats, unit))
    for beat, sharps, minor, _ in KEYS:
        score.key_signatures.append(symusic.KeySignature(beat * DIVISION, sharps, minor))
    for name, program, drums, notes in TRACKS:
        track = symusic.Track(name, program, drums)
        for onset, pitch, length in notes:
            track.notes.append(symusic.Note(int(onset * DIVISION), int(length * DIVISION), pitch, 90))
        score.tracks.append(track)
    score.dump_midi(path)


def by_pretty_midi(path: Path) -> None:
    pretty_midi = pytest.importorskip("pretty_midi")
    beat = 0.6
    midi = pretty_midi.PrettyMIDI(initial_tempo=100, resolution=DIVISION)
    for name, program, drums, notes in TRACKS:
        instrument = pretty_midi.Instrument(program, drums, name)
        instrument.notes += [pretty_midi.Note(90, p, o * beat, (o + n) * beat) for o, p, n in notes]
        midi.instruments.append(instrument)
    midi.time_signature_changes += [pretty_midi.TimeSignature(n, d, b * beat) for b, n, d in METERS[:2]]
    midi.key_signature_changes += [pretty_midi.KeySignature(2, 0), pretty_midi.KeySignature(22, 14 * beat)]
    midi.write(str(path))


def by_music21(path: Path) -> None:
    music21 = pytest.importorskip("music21")
    score = music21.stream.Score()
    for name, instrument, notes in (("Lead", "Flute", MELODY), ("Bass", "ElectricBass", BASS)):
        part = music21.stream.Part(partName=name)
        part.insert(0, getattr(music21.instrument, instrument)())
        for beat, bpm in TEMPI if name == "Lead" else ():
            part.insert(beat, music21.tempo.MetronomeMark(number=bpm))
        for beat, beats, unit in METERS:
            part.insert(beat, music21.meter.TimeSignature(f"{beats}/{unit}"))
        for beat, sharps, _, _ in KEYS:
            part.insert(beat, music21.key.KeySignature(sharps))
        for onset, pitch, length in notes:
            part.insert(onset, music21.note.Note(pitch, quarterLength=length))
        score.insert(0, part)
    score.write("midi", str(path))


@pytest.mark.parametrize("write", [by_mido, by_mido_with_a_ramp, by_symusic, by_pretty_midi, by_music21])
def test_what_another_library_writes_comes_back(write: Callable[[Path], None], tmp_path: Path) -> None:
    theirs, ours = tmp_path / "theirs.mid", tmp_path / "ours.mid"
    write(theirs)
    music = import_midi(theirs)
    assert [len(music.score.parts[voice].notes) for voice in Voice] == [len(MELODY), 0, len(BASS), 0]
    write_midi(music.score, ours, grid=music.grid)
    source, back = symusic.Score(theirs), symusic.Score(ours)
    per_beat = source.ticks_per_quarter / back.ticks_per_quarter

    def stated(score: "symusic.Score", scale: float) -> list[set[tuple[float, ...]]]:
        return [
            {(round(e.time * scale), e.mspq) for e in score.tempos},
            {(round(e.time * scale), e.numerator, e.denominator) for e in score.time_signatures},
            {(round(e.time * scale), e.key, e.tonality) for e in score.key_signatures},
        ]

    for its, wanted in zip(stated(back, 1), stated(source, 1 / per_beat), strict=True):
        assert its == wanted
    played = [[(n.time, n.pitch) for n in t.notes] for t in back.to("second").tracks if t.notes]
    meant = [[(n.time, n.pitch) for n in t.notes] for t in source.to("second").tracks if t.notes]
    for its_notes, wanted_notes in zip(played, meant, strict=True):
        assert [pitch for _, pitch in its_notes] == [pitch for _, pitch in wanted_notes]
        assert [t for t, _ in its_notes] == pytest.approx([t for t, _ in wanted_notes], abs=0.002)
