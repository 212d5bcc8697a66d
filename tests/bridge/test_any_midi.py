import gzip
import io
import random
from functools import reduce
from pathlib import Path

import mido
import pytest

from lakhnes.bridge import MidiImport, import_midi
from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.smf import MidiFile, parse
from lakhnes.bridge.tempo_map import tempo_map
from lakhnes.runtime import FormatError, Note, Score, Voice

Hit = tuple[int, int, int]  # tick, pitch, length in ticks


def a_track(name: str, channel: int, notes: list[Hit], velocity: int = 100) -> mido.MidiTrack:
    timed = []
    for tick, pitch, length in notes:
        timed.append((tick, 1, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        timed.append((tick + length, 0, mido.Message("note_off", channel=channel, note=pitch)))
    timed.sort(key=lambda item: item[:2])
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    now = 0
    for tick, _, message in timed:
        track.append(message.copy(time=tick - now))
        now = tick
    return track


def file_bytes(*tracks: mido.MidiTrack, kind: int = 1) -> bytes:
    midi = mido.MidiFile(type=kind, ticks_per_beat=480)
    midi.tracks.extend(tracks)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


def a_file(*tracks: mido.MidiTrack, kind: int = 1) -> MidiFile:
    return parse(file_bytes(*tracks, kind=kind))


def pitches(score: Score) -> dict[str, list[int]]:
    return {voice.name: [note.pitch for note in score.parts[voice].notes] for voice in Voice}


def scale(start: int, n: int = 4, length: int = 240) -> list[Hit]:
    return [(i * 480, start + i, length) for i in range(n)]


def test_tracks_are_known_by_name_whatever_their_channels() -> None:
    midi = a_file(
        a_track("Triangle", 5, scale(72)),
        a_track("Noise", 9, [(0, 36, 10), (480, 42, 10)]),
        a_track("Square 2", 0, scale(60)),
        a_track("pulse_1", 7, scale(48)),
    )
    score, remarks = score_from_midi(midi)
    assert pitches(score) == {
        "P1": [48, 49, 50, 51],
        "P2": [60, 61, 62, 63],
        "TR": [72, 73, 74, 75],
        "NO": [2, 15],
    }
    assert remarks[0] == "Pulse 1 plays 'pulse_1'."


def test_without_names_our_channels_say_the_voices() -> None:
    midi = a_file(a_track("", 2, scale(72)), a_track("", 0, scale(40)), a_track("", 1, scale(60)))
    score, _ = score_from_midi(midi)
    assert pitches(score) == {
        "P1": [40, 41, 42, 43],
        "P2": [60, 61, 62, 63],
        "TR": [72, 73, 74, 75],
        "NO": [],
    }


def test_else_pitch_and_drums_decide() -> None:
    midi = a_file(
        a_track("", 4, scale(30)),
        a_track("", 5, scale(80)),
        a_track("", 6, scale(60, 8)),
        a_track("", 7, scale(65, 2)),
        a_track("", 9, [(0, 36, 10), (0, 42, 10), (480, 38, 10)]),
    )
    score, remarks = score_from_midi(midi)
    assert pitches(score)["P1"] == [80, 81, 82, 83]
    assert pitches(score)["TR"] == [30, 31, 32, 33]
    assert pitches(score)["P2"] == list(range(60, 68))
    assert pitches(score)["NO"] == [2, 10]  # the kick and not the hi-hat, then the snare
    assert remarks[-1] == "Not used: track 4, channel 8."


def test_a_piano_becomes_top_bass_and_middle() -> None:
    chords = [(i * 480, pitch, 400) for i in range(4) for pitch in (40 + i, 60 + i, 76 + i)]
    score, _ = score_from_midi(a_file(a_track("", 3, chords), kind=0))
    assert pitches(score) == {
        "P1": [76, 77, 78, 79],
        "P2": [60, 61, 62, 63],
        "TR": [40, 41, 42, 43],
        "NO": [],
    }


def test_one_melody_stays_one_voice() -> None:
    score, _ = score_from_midi(a_file(a_track("", 3, scale(60))))
    assert pitches(score) == {"P1": [60, 61, 62, 63], "P2": [], "TR": [], "NO": []}


def test_legato_overlaps_keep_every_note() -> None:
    legato = [(0, 67, 500), (480, 65, 500), (960, 64, 500)]
    score, _ = score_from_midi(a_file(a_track("Lead", 0, legato), a_track("Bass", 1, scale(30, 3))))
    assert pitches(score)["P1"] == [67, 65, 64]
    assert pitches(score)["TR"] == [30, 31, 32]


def test_notes_outside_a_range_are_shifted_by_octaves_and_said() -> None:
    score, remarks = score_from_midi(a_file(a_track("Pulse 1", 0, [(0, 20, 99), (480, 127, 99)])))
    assert pitches(score)["P1"] == [44, 103]
    assert "2 notes were shifted by octaves" in " ".join(remarks)


def test_tempo_changes_move_what_follows() -> None:
    conductor = mido.MidiTrack(
        [
            mido.MetaMessage("set_tempo", tempo=500_000, time=0),
            mido.MetaMessage("set_tempo", tempo=1_000_000, time=480),
            mido.MetaMessage("set_tempo", tempo=250_000, time=480),
        ]
    )
    score, _ = score_from_midi(a_file(conductor, a_track("", 0, [(i * 240, 60, 240) for i in range(8)])))
    onsets = [note.onset / 44_100 for note in score.parts[0].notes]
    assert onsets == pytest.approx([0, 0.25, 0.5, 1.0, 1.5, 1.625, 1.75, 1.875], abs=1e-4)


def test_smpte_time_needs_no_tempo() -> None:
    division = -(25 << 8) + 40  # 25 frames of 40 ticks: a tick is a millisecond
    tempo = tempo_map([], division)
    assert tempo.to_samples(1000) == 44_100


def test_type_2_plays_its_tracks_one_after_the_other() -> None:
    first = a_track("", 0, scale(60))
    first.insert(0, mido.MetaMessage("set_tempo", tempo=250_000))
    score, _ = score_from_midi(a_file(first, a_track("", 0, scale(70)), kind=2))
    assert pitches(score)["P1"] == [60, 61, 62, 63, 70, 71, 72, 73]
    assert score.parts[0].notes[4].onset == pytest.approx((3 * 480 + 240) * 44_100 / 1920, abs=2)


def test_running_status_and_note_on_with_velocity_0(tmp_path: Path) -> None:
    body = bytes.fromhex("00 90 3C 64 83 60 3C 00 00 3E 64 83 60 3E 00 00 FF 2F 00".replace(" ", ""))
    data = b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + len(body).to_bytes(4, "big") + body
    path = tmp_path / "running.mid"
    path.write_bytes(data)
    assert pitches(import_midi(path).score)["P1"] == [60, 62]
    path.write_bytes(b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + data)
    assert pitches(import_midi(path).score)["P1"] == [60, 62]


def one_track(body: bytes, *, before: bytes = b"") -> bytes:
    head = b"MThd\0\0\0\6\0\0\0\1\1\xe0"
    return head + before + b"MTrk" + len(body).to_bytes(4) + body


NOTE = bytes.fromhex("00 90 3C 64 83 60 80 3C 00")


@pytest.mark.parametrize(
    "data",
    [
        one_track(NOTE),
        one_track(NOTE, before=b"XFIH\0\0\0\3abc"),
        one_track(bytes.fromhex("00 FF 59 02 7F 05") + NOTE),  # a key that there is not
        one_track(bytes.fromhex("00 FF 58 01 04") + NOTE),  # half a time signature
        one_track(bytes.fromhex("00 FF 51 00") + NOTE),  # an empty tempo
        one_track(bytes.fromhex("00 FF 51 03 00 00 00") + NOTE),  # a tempo of nothing
        one_track(bytes.fromhex("00 F0 03 43 12 F7 00 F4 00 FF 7F 01 00") + NOTE),
        one_track(bytes.fromhex("00 FF 03 02 C3 28") + NOTE),  # a name that is no UTF-8
        one_track(NOTE + bytes.fromhex("00 90 3C")),  # half an event at the end
        one_track(NOTE + bytes.fromhex("00 FF 2F 00") + b"whatever"),
    ],
)
def test_odd_messages_cost_nobody_the_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "odd.mid"
    path.write_bytes(data)
    assert pitches(import_midi(path).score)["P1"] == [60]


def test_a_note_that_nothing_ends_lasts_to_the_end_of_its_track(tmp_path: Path) -> None:
    path = tmp_path / "hanging.mid"
    path.write_bytes(one_track(bytes.fromhex("00 90 3C 64 87 40 FF 2F 00")))
    assert import_midi(path).score.parts[0].notes == (Note(0, 44_100, 60, 12),)


def test_doubled_notes_are_one() -> None:
    doubled = [hit for hit in scale(60) for _ in range(2)]
    score, _ = score_from_midi(a_file(a_track("", 3, doubled)))
    assert pitches(score) == {"P1": [60, 61, 62, 63], "P2": [], "TR": [], "NO": []}


def test_a_song_of_more_than_a_day_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.mid"
    slow = bytes.fromhex("00 FF 51 03 FF FF FF")
    path.write_bytes(one_track(slow + bytes.fromhex("00 90 3C 64 FF FF FF 7F 80 3C 00")))
    with pytest.raises(FormatError, match="longer than a day"):
        import_midi(path)


def test_a_file_without_notes_is_a_silent_score(tmp_path: Path) -> None:
    path = tmp_path / "silent.mid"
    path.write_bytes(file_bytes(a_track("Pulse 1", 0, [])))
    assert import_midi(path) == MidiImport(Score(), ("The file has no notes.",))


def whole_file() -> bytes:
    return file_bytes(a_track("Pulse 1", 0, scale(60, 20)), a_track("Noise", 9, scale(36, 20)))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"GIF89a", "not a MIDI file"),
        (b"PK\x03\x04....", "a ZIP archive"),
        (b"SMF2CON1....", "MIDI 2.0 container"),
        (whole_file()[:10], "cut off"),
        (whole_file()[:30], "no note can be read"),
        (b"\x1f\x8b\x08\0....", "damaged gzip"),
        (
            reduce(lambda data, _: gzip.compress(data, mtime=0), range(4), b"MThd"),
            "compressed again and again",
        ),
    ],
)
def test_bad_files_are_named_with_the_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "bad.mid"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"bad\.mid: .*{reason}"):
        import_midi(path)


def midi_of(*tracks: bytes, sizes: int | None = None) -> bytes:
    """Tracks behind a header; all claim one size, if it is given."""
    chunks = (b"MTrk" + (len(track) if sizes is None else sizes).to_bytes(4) + track for track in tracks)
    return b"MThd" + bytes.fromhex("00000006 0001 0001 0060") + b"".join(chunks)


NOTE = bytes.fromhex("00 90 3C 40 01 3C 00")
FILLED = NOTE + (bytes.fromhex("00 FF 7F 7F") + bytes(127)) * 60


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (midi_of(*[NOTE] * 1001), "more than 1000 tracks"),
        (midi_of(*[FILLED] * 900, sizes=1 << 23), "its tracks overlap"),
        (
            midi_of(bytes.fromhex("00 90") + bytes.fromhex("3C 40 01") * 1_000_001),
            "more than 1,000,000 events",
        ),
        (
            b"SMF2CLIP" + bytes.fromhex("40903C00 FFFF0000") * 1_000_001,
            "more than 1,000,000 events",
        ),
        (midi_of(bytes(8 << 20)), "larger than 8 MiB"),
        (gzip.compress(midi_of(bytes(8 << 20))), "a gzip file of more than 8 MiB"),
    ],
    ids=["tracks", "overlap", "events", "clip", "size", "gzip"],
)
def test_a_file_that_would_take_the_machine_is_refused(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "bomb.mid"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=rf"bomb\.mid: .*{reason}"):
        import_midi(path)


def test_names_and_texts_are_read_up_to_a_length() -> None:
    name = b"\x00\xff\x03" + bytes.fromhex("87 68") + b"x" * 1000
    texts = b"\x00\xff\x01\x03abc" * 100
    (track,) = parse(midi_of(name + texts + NOTE)).tracks
    assert (track.name, len(track.texts), len(track.notes)) == ("x" * 200, 4, 2)


def test_noise_in_a_file_never_makes_another_error(tmp_path: Path) -> None:
    rng = random.Random(4)
    whole = whole_file()
    path = tmp_path / "noise.mid"
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 6)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(bytes(data))
        try:
            assert import_midi(path).score.length >= 0
        except FormatError as error:
            assert "noise.mid" in str(error)  # noqa: PT017
