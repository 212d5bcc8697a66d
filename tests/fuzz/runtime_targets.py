"""The readers of music, sessions, preferences and metadata of models."""

from __future__ import annotations

import gzip
import json
import struct
from dataclasses import replace
from functools import cache
from pathlib import Path

import onnxruntime as ort
from fuzz.harness import Target
from support import tune

from lakhnes.apu.register_log import MemoryBlock, Tags
from lakhnes.apu.registers import registers_of
from lakhnes.apu.sound_files import SoundSettings
from lakhnes.apu.vgm_writer import vgm_bytes
from lakhnes.bridge import MidiStyle, midi_bytes
from lakhnes.bridge.drawing import png_bytes, svg_bytes
from lakhnes.bridge.picture import PictureSettings, picture
from lakhnes.runtime import BeatGrid, Model, Provenance, find_model, tx1_text, tx2_text
from lakhnes.runtime.model.model_file import check_model
from lakhnes.runtime.model.onnx_file import parse_onnx
from lakhnes.runtime.model.onnx_runtime import open_session
from lakhnes.studio.music_files import Forms, Music, read_music, write_music
from lakhnes.studio.opening import open_file
from lakhnes.studio.preferences import PreferenceStore, PresetStore
from lakhnes.studio.records import read_records
from lakhnes.studio.session_file import write_session
from lakhnes.studio.state import SongState

# --- MIDI


def make_midi(folder: Path) -> list[Path]:
    """Files of both our manners, and others with all that a reader may meet."""
    score = tune()
    tempo, meter = b"\0\xff\x51\x03\x07\xa1\x20", b"\0\xff\x58\x04\x06\x03\x18\x08"
    name = b"\0\xff\x03\x06" + "Ba\xdf".encode("utf-16-le")
    running = b"\0\xb0\x40\x7f\0\x90\x3c\x40\x60\x3e\x40\x60\x3c\0\0\x3e\0"
    others = b"\0\xf0\x03\x7e\x7f\xf7\0\xe0\0\x50\0\xc1\x05\0\xd1\x10\0\xa1\x40\x40"
    others += b"\x81\x40\x99\x24\x60\x60\x89\x24\x40"
    track = name + tempo + meter + running + others + b"\x60" + tempo[1:-3] + b"\x03\0\0\0\xff\x2f\0"
    files = {
        "daw.mid": midi_bytes(score, MidiStyle.DAW),
        "nes.mid": midi_bytes(score, MidiStyle.NES),
        "one.mid": _midi(0, 96, track),
        "two.mid": _midi(2, 480, track, track),
        "smpte.mid": _midi(1, 0xE728, track, b"\0\xff\x2f\0"),
        "riff.rmi": b"RIFF\0\0\0\0RMIDdata\0\0\0\0" + _midi(1, 480, track),
        "clip.midi2": _clip(),
        "twice.mid.gz": gzip.compress(_midi(1, 480, track), mtime=0),
    }
    return _written(folder, files)


def _midi(kind: int, division: int, *tracks: bytes) -> bytes:
    head = b"MThd" + struct.pack(">IHHH", 6, kind, len(tracks), division)
    return head + b"".join(b"MTrk" + struct.pack(">I", len(track)) + track for track in tracks)


def _clip() -> bytes:
    """A clip of MIDI 2.0: tempo, meter, a program with its bank, notes of both kinds of messages."""
    delta, end = 0x0040_0000, (0xF021_0000, 0, 0, 0)
    words = [delta, 0x0030_0060, delta, 0xD010_0000, 40_000_000, 0, 0, delta, 0xD010_0001, 0x0603_0800, 0, 0]
    words += [delta, 0xF020_0000, 0, 0, 0, delta, 0x40C3_0001, 120 << 8]
    for place in range(8):
        pitch = 0x3C + place << 8
        words += [delta, 0x4090_0000 | pitch, 0xFFFF_0000, delta + 96, 0x4080_0000 | pitch, 0]
        words += [delta, 0x2191_007F | pitch, delta + 48, 0x2181_0000 | pitch]
    return b"SMF2CLIP" + b"".join(word.to_bytes(4) for word in (*words, delta, *end))


# --- texts


def make_texts(folder: Path) -> list[Path]:
    """One of each kind."""
    score = tune()
    files = {"a.tx1.txt": tx1_text(score), "a.tx2.txt": tx2_text(score)}
    return _written(folder, {name: text.encode() for name, text in files.items()})


# --- VGM


def make_vgms(folder: Path) -> list[Path]:
    """A song with samples, tags and a loop, plain and compressed, and one with other chips' commands."""
    log = registers_of(tune())
    sampled = replace(
        log,
        loop=44_100,
        memory=(MemoryBlock(0, 0xC000, bytes(range(200))),),
        tags=Tags("A tune", game="A game", author="A B"),
    )
    data = vgm_bytes(sampled)
    commands = b"\x50\x9f\x52\x28\xf0\x4f\xff\xb3\x10\x05\xc0\0\0\0\xe0\0\0\0\0\x62\x63\x70\x81"
    commands += b"\x67\x66\x07\x04\0\0\0\1\2\3\4\x90\1\x14\0\x11\x91\1\7\1\0\x92\1\x40\x1f\0\0"
    commands += b"\x93\1\0\0\0\0\x81\3\0\0\0\x62\x94\1"
    commands += b"\x68\x66\x07" + bytes(9) + b"\x90\0\0\0\0\x95\0\0\0\0\xb4\x15\x10\xb4\x2f\x01\x61\xff\xff"
    other = data[:0xC0] + commands + data[0xC0 + 209 : 0xC0 + 509] + b"\x66"
    files = {"a.vgm": data, "a.vgz": vgm_bytes(sampled, compressed=True), "b.vgm": other}
    return _written(folder, files)


# --- what the app keeps


def make_sessions(folder: Path) -> list[Path]:
    """A song with settings of all kinds."""
    state = replace(SongState(), score=tune(), kept=100, bpm=140.0, scale="a minor", top_k=20, surprise=1.3)
    state = replace(state, chords="Am F | C G7/B")
    path = folder / "a.lakhnes"
    write_session(path, state)
    return [path]


def make_preferences(folder: Path) -> list[Path]:
    """All there are, with two presets."""
    store = PreferenceStore(folder / "app.json")
    store.change(theme="dark", ports=("a", "b"), folder="/x", geometry="AAA=", layout="BBB=")
    store.remember(folder / "a.mid")
    presets = PresetStore(store)
    presets.put("calm", {"temperature": 0.8, "scale": "a minor", "top_k": None})
    presets.put("wild", {"temperature": 1.4, "top_p": 0.9, "density": 2, "drones": True})
    store.save()
    return [store.path]


def read_preferences(path: Path) -> object:
    """Reading never fails; what was wrong is said, and the next write works."""
    store = PreferenceStore(path)
    presets = PresetStore(store)
    found = [presets.get(name) for name in presets.names()]
    store.change(folder="/elsewhere")
    store.save()
    return store.value, store.remark, found


def read_song(path: Path) -> object:
    """As the app does."""
    return open_file(path, SongState())


def read_log(path: Path) -> object:
    """As `lakhnes convert` and `lakhnes render` do, but for the sound itself."""
    music = read_music(path)
    return vgm_bytes(music.log(Forms())), music.score()


# --- how a piece was made


def make_records(folder: Path) -> list[Path]:
    """A record alone, and in a file of each kind that `read_records` reads."""
    record = Provenance(
        "generate", "1.0", "m", "ab" * 32, 7, {"bars": 4, "range": ("P1:60-84",), "loop": True}
    )
    text = record.to_text()
    music = Music(tune(), grid=BeatGrid.steady(120), record=text)
    endings = (".mid", ".wav", ".flac", ".ogg", ".vgm", ".nsf", ".ftm.txt", ".fms.txt")
    write_music({folder / f"a{ending}": music for ending in endings}, Forms(sound=SoundSettings(bits=16)))
    drawn = replace(picture(tune(), None, PictureSettings("a", 400, 0, 1)), comment=text)
    write_session(folder / "a.lakhnes", SongState(tune()), record=text)
    _written(folder, {"a.png": png_bytes(drawn), "a.svg": svg_bytes(drawn), "a.json": text.encode()})
    return sorted(folder.iterdir())


def read_record(path: Path) -> object:
    """As `lakhnes provenance` does, or the text alone."""
    if path.suffix == ".json":
        return Provenance.from_text(path.read_text("utf-8", "replace"), path)
    return read_records(path)


# --- metadata of models


def make_metadata(folder: Path) -> list[Path]:
    """Those of the built-in model, by themselves."""
    return _written(folder, {"model.json": json.dumps(Model.load().info.to_dict()).encode()})


def read_metadata(path: Path) -> object:
    """Compose an event with the built-in model, described by these."""
    graph, session = _built_in()
    entry = _field(0x72, _field(0x0A, b"lakhnes") + _field(0x12, path.read_bytes()))
    info = check_model(graph + entry, path)
    return Model(session, info).prefill([0, 5, 300, 80])


@cache
def _built_in() -> tuple[bytes, ort.InferenceSession]:
    """The built-in model without its metadata, and open."""
    data = find_model().read_bytes()
    graph = data[: data.rindex(b"\x72", 0, data.rindex(b"\x0a\x07lakhnes\x12"))]
    assert not parse_onnx(graph).metadata
    return graph, open_session(data)


def _field(tag: int, content: bytes) -> bytes:
    """A field of a protobuf message."""
    size, length = len(content), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([tag]) + length + bytes([size]) + content


def _written(folder: Path, files: dict[str, bytes]) -> list[Path]:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


TARGETS = (
    Target("midi", make_midi, read_song),
    Target("texts", make_texts, read_song),
    Target("vgm", make_vgms, read_log),
    Target("sessions", make_sessions, read_song),
    Target("preferences", make_preferences, read_preferences, names_file=False),
    Target("records", make_records, read_record),
    Target("metadata", make_metadata, read_metadata),
)
