"""The file formats that songs are written in: the one list for the commands and the export dialog.

It imports nothing, so that the help of the commands stays quick.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileFormat:
    """A file format that songs are written in."""

    name: str
    """For people."""
    endings: tuple[str, ...]
    """Of file names, in lower case; the usual one is first."""
    sound: bool = False
    """Whether it holds sound, which has a sample rate, channels and stems."""
    bit_depth: bool = False
    """Whether its sound has a number of bits per sample."""
    loops: bool = False
    """Whether it can say that its end leads into its beginning."""
    album: bool = False
    """Whether one file holds several songs."""

    @property
    def ending(self) -> str:
        """The usual ending."""
        return self.endings[0]


MIDI = FileFormat("MIDI", (".mid", ".midi"))
WAV = FileFormat("Sound", (".wav",), sound=True, bit_depth=True)
FLAC = FileFormat("Sound, compressed without loss", (".flac",), sound=True, bit_depth=True)
OGG = FileFormat("Sound, compressed, with loop tags for games", (".ogg",), sound=True, loops=True)
VGM = FileFormat("Chip music", (".vgm",), loops=True)
VGZ = FileFormat("Chip music, compressed", (".vgz",), loops=True)
NSF = FileFormat("Music for the console", (".nsf",), loops=True, album=True)
NSFE = FileFormat("Music for the console, with titles", (".nsfe",), loops=True, album=True)
ROM = FileFormat("Cartridge for the console", (".nes",), loops=True, album=True)
FAMITRACKER = FileFormat("FamiTracker text", (".ftm.txt",), loops=True)
FAMISTUDIO = FileFormat("FamiStudio text", (".fms.txt",), loops=True)
TX1 = FileFormat("Text without dynamics", (".tx1.txt", ".tx1"))
TX2 = FileFormat("Text with dynamics", (".tx2.txt", ".tx2"))

WRITTEN = (MIDI, WAV, FLAC, OGG, VGM, VGZ, NSF, NSFE, ROM, FAMITRACKER, FAMISTUDIO, TX1, TX2)
"""All formats that are written, in the order in which they are offered."""

ENDINGS = tuple(ending for form in WRITTEN for ending in form.endings)
"""The endings of all of them."""


def format_of(name: str) -> FileFormat | None:
    """Return the format that the ending of a file name stands for; None for no known one."""
    lower = name.lower()
    return next((form for form in WRITTEN if lower.endswith(form.endings)), None)


def usual_endings(formats: tuple[FileFormat, ...] = WRITTEN) -> str:
    """Return the usual endings of some formats in words, such as `.wav, .flac or .ogg`."""
    *first, last = (form.ending for form in formats)
    return f"{', '.join(first)} or {last}" if first else last


SOUNDS = tuple(form for form in WRITTEN if form.sound)
"""Those that hold sound."""


__all__ = [
    "ENDINGS",
    "FAMISTUDIO",
    "FAMITRACKER",
    "FLAC",
    "MIDI",
    "NSF",
    "NSFE",
    "OGG",
    "ROM",
    "SOUNDS",
    "TX1",
    "TX2",
    "VGM",
    "VGZ",
    "WAV",
    "WRITTEN",
    "FileFormat",
    "format_of",
    "usual_endings",
]
