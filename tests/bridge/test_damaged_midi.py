"""Files that are damaged, wrapped, or odd: what can be read is read, and the rest is said."""

import gzip
import io
from pathlib import Path

import mido
import pytest

from lakhnes.bridge import import_midi, midi_bytes
from lakhnes.bridge.midi_names import decoded_names
from lakhnes.bridge.smf import parse
from lakhnes.runtime import FormatError, Voice


def a_track(channel: int, pitches: list[int], name: str = "") -> mido.MidiTrack:
    track = mido.MidiTrack([mido.MetaMessage("track_name", name=name)] if name else [])
    for pitch in pitches:
        track.append(mido.Message("note_on", channel=channel, note=pitch, velocity=100))
        track.append(mido.Message("note_off", channel=channel, note=pitch, time=240))
    return track


HIGH, LOW = [72, 74, 76, 77], [40, 41, 43, 45]


def whole() -> bytes:
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks += [a_track(0, HIGH), a_track(1, LOW)]
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return buffer.getvalue()


WHOLE = whole()
RIFF = b"RIFF" + (len(WHOLE) + 12).to_bytes(4, "little") + b"RMIDdata" + len(WHOLE).to_bytes(4, "little")
MAC_BINARY = b"\0\4song" + b"\0" * 77 + len(WHOLE).to_bytes(4) + b"\0" * 41
SECOND = WHOLE.index(b"MTrk", 20)


def played(path: Path) -> tuple[list[int], list[int]]:
    parts = import_midi(path).score.parts
    return [note.pitch for note in parts[Voice.P1].notes], [note.pitch for note in parts[Voice.TR].notes]


def with_size(data: bytes, track: int, size: int) -> bytes:
    return data[: track + 4] + size.to_bytes(4) + data[track + 8 :]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (WHOLE[:10] + b"\0\1" + WHOLE[12:], "speaks of 1 track;"),
        (WHOLE[:10] + b"\0\5" + WHOLE[12:], "speaks of 5 tracks"),
        (WHOLE[:9] + b"\7" + WHOLE[10:], "says type 7"),
        (WHOLE[:12] + b"\0\0" + WHOLE[14:], "says no time"),
        (WHOLE[14:], "header is missing"),
        (WHOLE[:SECOND] + b"MTsk" + WHOLE[SECOND + 4 :], ""),
        (WHOLE[:SECOND] + b"#!??\1" + WHOLE[SECOND:], "5 bytes at byte"),
        (b"whatever" + WHOLE, "8 bytes in front"),
        (with_size(WHOLE, SECOND, 0), "longer than it says"),
        (with_size(WHOLE, SECOND, 10), "longer than it says"),
        (with_size(WHOLE, SECOND, 10_000), ""),
        (with_size(WHOLE, 14, 10_000), ""),
        (with_size(WHOLE, 14, SECOND - 14), ""),
        (WHOLE[:SECOND] + b"XFIH\0\0\0\3abc" + WHOLE[SECOND:], ""),
        (WHOLE + b"\0\0\x1a\0", ""),
        (RIFF + WHOLE, ""),
        (RIFF[:-4] + b"\x20\0\0\0" + WHOLE, ""),  # its size is wrong
        (RIFF[:-4] + b"\x0f\0\0\0" + WHOLE, ""),
        (RIFF + WHOLE + b"RIFF\x08\0\0\0DLS colh", ""),
        (MAC_BINARY + WHOLE + b"resources", ""),
        (gzip.compress(WHOLE, mtime=0), ""),
        (gzip.compress(gzip.compress(WHOLE, mtime=0), mtime=0), ""),
        (gzip.compress(WHOLE[:SECOND], mtime=0) + gzip.compress(WHOLE[SECOND:], mtime=0) + b"\0\0", ""),
        (gzip.compress(WHOLE, mtime=0)[:-8] + b"\0" * 8, "gzip file around it is damaged"),  # its checksum
        (gzip.compress(WHOLE, mtime=0)[:-6], "gzip file around it is damaged"),
    ],
)
def test_all_of_the_music_is_read(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "odd.mid"
    path.write_bytes(data)
    assert played(path) == (HIGH, LOW)
    damage = [remark for remark in import_midi(path).remarks if " plays " not in remark]
    assert len(damage) == bool(said)
    assert said in "".join(damage)


def test_what_comes_before_a_cut_is_read(tmp_path: Path) -> None:
    path = tmp_path / "cut.mid"
    for size in range(SECOND + 20, len(WHOLE)):
        path.write_bytes(WHOLE[:size])
        high, low = played(path)
        assert high == HIGH
        assert low == LOW[: len(low)]
        assert low
        if size < len(WHOLE) - 4:  # only its end is missing
            assert "Track 2 is cut off; what comes after is missing." in import_midi(path).remarks


def test_damage_inside_a_track_costs_only_what_comes_after(tmp_path: Path) -> None:
    path = tmp_path / "damaged.mid"
    path.write_bytes(WHOLE[: SECOND + 8] + b"\0\1\2\3" + WHOLE[SECOND + 12 :])
    music = import_midi(path)
    assert [note.pitch for note in music.score.parts[Voice.P1].notes] == HIGH
    assert [note.pitch for note in music.score.parts[Voice.TR].notes] == LOW[1:], (
        "the first has lost its beginning"
    )
    assert any("Track 2 is damaged at byte" in remark for remark in music.remarks)
    path.write_bytes(
        WHOLE[:SECOND].replace(b"\0\x90", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x90") + WHOLE[SECOND:]
    )
    assert [note.pitch for note in import_midi(path).score.parts[Voice.P1].notes] == LOW


def test_numbers_may_be_filled_up_to_more_than_four_bytes(tmp_path: Path) -> None:
    body = bytes.fromhex("80 80 80 80 00 90 3C 64 80 80 80 83 60 80 3C 00 00 FF 2F 00")
    path = tmp_path / "long-numbers.mid"
    path.write_bytes(b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + len(body).to_bytes(4) + body)
    (note,) = import_midi(path).score.parts[Voice.P1].notes
    assert (note.onset, note.length) == (0, 22_050)


def test_a_header_that_hides_the_notes_makes_no_empty_song(tmp_path: Path) -> None:
    path = tmp_path / "hidden.mid"
    path.write_bytes(WHOLE[:14] + b"MTrk\0\0\0\4\0\xff\x2f\0" + b"XXrk" + WHOLE[18:SECOND])
    with pytest.raises(FormatError, match="no note can be read"):
        import_midi(path)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"Bass", "Bass"),
        (b"Bass\0", "Bass"),
        ("Flöte".encode(), "Flöte"),
        ("\ufeffFlöte".encode(), "Flöte"),
        ("Flöte".encode("latin-1"), "Flöte"),
        ("Größe".encode("latin-1"), "Größe"),
        ("Clé été".encode("latin-1"), "Clé été"),
        ("ベース".encode("shift_jis"), "ベース"),
        ("歌".encode("shift_jis"), "歌"),
        ("ﾍﾞｰｽ".encode("shift_jis"), "ﾍﾞｰｽ"),
        ("bass".encode("utf-16"), "bass"),
        ("bass".encode("utf-16-le"), "bass"),
        ("ベース 2".encode("utf-16-be"), "ベース 2"),
        ("メロディ".encode("utf-16-be"), "メロディ"),
        ("Мелодия".encode("utf-16-le"), "Мелодия"),
        ("ギター左".encode("euc_jp"), "ギター左"),
        ("ﾄﾞﾗﾑ".encode("euc_jp"), "ﾄﾞﾗﾑ"),
        ("贝斯".encode("gbk"), "贝斯"),
        ("萨克斯".encode("gbk"), "萨克斯"),
        ("貝斯".encode("big5"), "貝斯"),
        ("바이올린".encode("cp949"), "바이올린"),
        ("Барабаны".encode("cp1251"), "Барабаны"),
        ("БАС 2".encode("cp1251"), "БАС 2"),
        ("Барабаны".encode("koi8_r"), "Барабаны"),
        ("БАС 2".encode("koi8_r"), "БАС 2"),
        ("Φωνή".encode("cp1253"), "Φωνή"),
        ("Für Elise".encode("latin-1"), "Für Elise"),
        ("Äänet".encode("latin-1"), "Äänet"),
        ("Piano “left”".encode("cp1252"), "Piano “left”"),
        ("À deux".encode("cp1252"), "À deux"),
        ("“Solo” été".encode("cp1252"), "“Solo” été"),
        ("Flûte".encode("mac_roman"), "Flûte"),
        ("Größe “1”".encode("mac_roman"), "Größe “1”"),
        ("Percusión".encode("mac_roman"), "Percusión"),
        ("Flûte".encode("cp850"), "Flûte"),
        ("Körner".encode("cp850"), "Körner"),
        ("Señor".encode("cp850"), "Señor"),
        ("Zpěv".encode("cp1250"), "Zpěv"),
        ("Perkusja: dźwięk".encode("cp1250"), "Perkusja: dźwięk"),
        ("Скрипка".encode("cp866"), "Скрипка"),
        ("メロディ".encode("iso2022_jp"), "メロディ"),
        (b"", ""),
    ],
)
def test_names_are_read_in_any_encoding(content: bytes, text: str) -> None:
    assert decoded_names([content]) == [text]


@pytest.mark.parametrize(
    ("encoding", "names"),
    [
        ("euc_jp", ["ピアノ", "尺八", "Bass"]),  # the second alone would be Japanese in half-width letters
        ("gbk", ["钢琴", "铺底", "背景"]),
        ("koi8_r", ["Баян", "Гитара", "Аккордеон"]),
        ("cp1252", ["Flöte", "à", "Æ"]),
    ],
)
def test_all_names_of_a_file_are_in_one_encoding(encoding: str, names: list[str]) -> None:
    contents = [name.encode(encoding) for name in names]
    assert decoded_names(contents) == names
    assert any(decoded_names([content]) != [name] for content, name in zip(contents, names, strict=True))
    assert decoded_names(["Flöte ♪".encode(), *contents]) == ["Flöte ♪", *names], "UTF-8 is certain"


def test_names_of_any_encoding_say_the_role(tmp_path: Path) -> None:
    for bass, lead, encodings in (
        ("ベース", "メロディ", ("utf-8", "utf-16", "shift_jis", "euc_jp", "iso2022_jp")),
        ("bass", "lead", ("utf-8", "utf-16")),
        ("贝斯", "主旋律", ("utf-8", "gbk")),
        ("Бас", "Мелодия", ("utf-8", "cp1251", "koi8_r", "cp866")),
        ("Basse", "Mélodie", ("utf-8", "cp1252", "cp850", "mac_roman")),
        ("Baskytara", "Zpěv", ("utf-8", "cp1250")),
        ("베이스", "멜로디", ("utf-8", "cp949")),
        ("Μπάσο", "Μελωδία", ("utf-8", "cp1253")),
    ):
        for encoding in encodings:
            midi = mido.MidiFile(ticks_per_beat=480, charset="latin-1")
            for channel, (name, pitches) in enumerate([(bass, HIGH), (lead, LOW)]):
                midi.tracks.append(a_track(channel, pitches, name.encode(encoding).decode("latin-1")))
            path = tmp_path / "names.mid"
            midi.save(path)
            assert played(path) == (LOW, HIGH)
            assert import_midi(path).remarks == (f"Pulse 1 plays '{lead}'.", f"Triangle plays '{bass}'.")


def test_a_name_of_several_lines_is_on_one() -> None:
    assert decoded_names([b"Voice\r\n\t(Soprano)\0"]) == ["Voice (Soprano)"]
    assert decoded_names(["\x1b[31mred \u202eback".encode()]) == [r"\x1b[31mred \u202eback"]


def clip(*words: int, magic: bytes = b"SMF2CLIP") -> bytes:
    return magic + b"".join(word.to_bytes(4) for word in words)


DELTA, TICKS, END = 0x0040_0000, 0x0030_0060, (0xF021_0000, 0, 0, 0)
SET_UP = (DELTA, TICKS, DELTA, 0xD010_0000, 40_000_000, 0, 0, DELTA, 0xD010_0001, 0x0603_0800, 0, 0)
START = (DELTA, 0xF020_0000, 0, 0, 0)


def test_a_clip_says_drums_by_its_bank(tmp_path: Path) -> None:
    path = tmp_path / "a.midi2"
    program, bank = 0x40C3_0001, 120 << 8  # of channel 4, with its bank
    hits = (0x4093_2400, 1 << 31, DELTA + 96, 0x4083_2400, 0)
    path.write_bytes(clip(*SET_UP, *START, DELTA, program, bank, DELTA, *hits, DELTA, *END))
    assert [note.pitch for note in import_midi(path).score.parts[Voice.NO].notes] == [2]


@pytest.mark.parametrize(
    "notes",
    [
        (DELTA, 0x2190_3C7F, DELTA + 96, 0x2180_3C00),
        (DELTA, 0x4190_3C00, 0xFFFF_0000, DELTA + 96, 0x4180_3C00, 0),
        (DELTA, 0x1021_0000, DELTA, 0x3016_1234, 0, DELTA, 0x2190_3C7F, DELTA + 96, 0x2190_3C00),
    ],
)
def test_midi_clip_files_are_read(tmp_path: Path, notes: tuple[int, ...]) -> None:
    path = tmp_path / "a.midi2"
    path.write_bytes(clip(*SET_UP, *START, *notes, DELTA, *END))
    music = import_midi(path)
    (note,) = music.score.parts[Voice.P1].notes
    assert (note.onset, note.length, note.pitch) == (0, 17_640, 60)
    assert music.grid is not None
    assert (music.grid.tempi, music.grid.signatures[0][1:]) == (((0, 150.0),), (6, 8))
    path.write_bytes(clip(*SET_UP, *START, *notes))
    assert any("cut off" in remark for remark in import_midi(path).remarks)


def test_a_tempo_that_no_file_can_say_is_the_slowest(tmp_path: Path) -> None:
    path = tmp_path / "slow.midi2"
    slow = (DELTA, TICKS, DELTA, 0xD010_0000, 0xFFFF_FFFF, 0, 0)
    path.write_bytes(clip(*slow, *START, DELTA, 0x2190_3C7F, DELTA + 96, 0x2180_3C00, DELTA, *END))
    music = import_midi(path)
    assert music.grid is not None
    written = mido.MidiFile(file=io.BytesIO(midi_bytes(music.score, grid=music.grid)))
    assert [m.tempo for m in written.tracks[0] if m.type == "set_tempo"] == [0xFFFFFF]


def test_gs_messages_say_which_channels_are_drums() -> None:
    body = bytes.fromhex("00 F0 0A 41 10 42 12 40 12 15 01 18 F7 00 91 24 64 60 81 24 00 00 FF 2F 00")
    midi = parse(b"MThd\0\0\0\6\0\0\0\1\1\xe0MTrk" + len(body).to_bytes(4) + body)
    assert midi.tracks[0].drums == {1}
