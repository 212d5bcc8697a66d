"""The readers of what consoles and trackers have, and of the chords that a user writes."""

from __future__ import annotations

from pathlib import Path

from fuzz.harness import Target
from fuzz.runtime_targets import read_log, read_song
from support import tune

from lakhnes.apu.console import play_nsf, read_nsf
from lakhnes.apu.console.assembler import assemble
from lakhnes.runtime import parse_chords
from lakhnes.runtime.bars.chords import triad_number
from lakhnes.runtime.music.chords import CHORDS, chord_names
from lakhnes.studio.music_files import Forms, Music, write_music

_DRIVER = """
        .org $8000
init:   tax
        lda #$0F
        sta $4015
        lda #$BF
        sta $4000
        stx $10
        rts
play:   inc $10
        lda $10
        sta $4002
        lda #8
        sta $4003
        rts
"""


def make_nsfs(folder: Path) -> list[Path]:
    """Albums of two songs in both forms, one of which loops, and a driver of another kind."""
    songs = [Music(tune(), name="first"), Music(tune(), loops=True, name="second")]
    paths = [folder / "a.nsf", folder / "a.nsfe"]
    write_music(dict.fromkeys(paths, songs), Forms())
    made = assemble(_DRIVER)
    header = bytearray(128)
    header[:14] = b"NESM\x1a\x01\x03\x01\x00\x80" + b"".join(
        made.symbols[name].to_bytes(2, "little") for name in ("init", "play")
    )
    paths.append(folder / "driver.nsf")
    paths[-1].write_bytes(bytes(header) + made.code)
    return paths


def read_last_song(path: Path) -> object:
    """Play the last song for five seconds, as `--song` and `--length` do."""
    file = read_nsf(path)
    return play_nsf(file, len(file.songs), 5.0)


def make_trackers(folder: Path) -> list[Path]:
    """A song as both trackers write it."""
    paths = [folder / "a.ftm.txt", folder / "a.fms.txt"]
    write_music(dict.fromkeys(paths, Music(tune())), Forms())
    return paths


def make_chords(folder: Path) -> list[Path]:
    """Charts with every kind of chord."""
    kinds = " ".join(f"F#{kind}/Bb" for kind in CHORDS)
    charts = {"a.txt": "Am F | C, G % N.C. Dm7b5/G | E\u266d6/9", "b.txt": kinds}
    for name, chart in charts.items():
        (folder / name).write_text(chart, "utf-8")
    return [folder / name for name in charts]


def read_chords(path: Path) -> object:
    """As `--chords` and the app's chord lane do; what is read can be written and read again."""
    chords = parse_chords(path.read_bytes().decode("utf-8", "surrogateescape"))
    assert parse_chords(chord_names(chords)) == chords
    return list(map(triad_number, chords))


TARGETS = (
    Target("nsf", make_nsfs, read_log, short_inputs=20),
    Target("nsf-song", make_nsfs, read_last_song),
    Target("trackers", make_trackers, read_song),
    Target("chords", make_chords, read_chords, names_file=False),
)
