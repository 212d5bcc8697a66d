"""Music for the console itself: NSF files and ROMs.

`frames_of` turns a register log into frames, `score_on_frames` moves a score onto frames; `nsf_bytes`,
`nsfe_bytes` and `rom_bytes` make files of one or more songs. The console runs `player.s`,
and in ROMs also `screen.s`. `read_nsf` reads any NSF file, `play_nsf` plays one of its songs into a log.
"""

from lakhnes.apu.console.frames import Frames, frames_of, score_on_frames
from lakhnes.apu.console.nsf import MAX_SONGS, nsf_bytes, nsfe_bytes
from lakhnes.apu.console.nsf_player import PlayedNsf, play_nsf
from lakhnes.apu.console.nsf_reader import NsfFile, NsfSong, parse_nsf, read_nsf
from lakhnes.apu.console.rom import MAX_ROM_SONGS, rom_bytes

__all__ = [
    "MAX_ROM_SONGS",
    "MAX_SONGS",
    "Frames",
    "NsfFile",
    "NsfSong",
    "PlayedNsf",
    "frames_of",
    "nsf_bytes",
    "nsfe_bytes",
    "parse_nsf",
    "play_nsf",
    "read_nsf",
    "rom_bytes",
    "score_on_frames",
]
