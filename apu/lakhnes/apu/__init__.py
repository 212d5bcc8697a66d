"""The 2A03: registers, channels, mixer, band-limited rendering, VGM and sound files.

A score becomes register writes (`registers_of`), those become sound (`render`, `Renderer`, `write_sound`) or
a VGM file (`vgm_bytes`), and can be read back (`read_vgm`, `score_of_registers`). It may import
`lakhnes.runtime` and nothing else of the project. Nothing is compiled before the first sound.
"""

from lakhnes.apu.instruments import Instrument, InstrumentSet, instrument_names, instrument_set
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, PAL_CLOCK_HZ, MemoryBlock, RegisterLog
from lakhnes.apu.registers import RegisterMode, registers_of
from lakhnes.apu.render import Filters, Mixer, Renderer, Writes, render
from lakhnes.apu.sound_files import SoundSettings, stems, write_sound
from lakhnes.apu.transcribe import score_of_registers
from lakhnes.apu.vgm import VgmFile, parse_vgm, read_vgm
from lakhnes.apu.vgm_writer import vgm_bytes

__all__ = [
    "NTSC_CLOCK_HZ",
    "PAL_CLOCK_HZ",
    "Filters",
    "Instrument",
    "InstrumentSet",
    "MemoryBlock",
    "Mixer",
    "RegisterLog",
    "RegisterMode",
    "Renderer",
    "SoundSettings",
    "VgmFile",
    "Writes",
    "instrument_names",
    "instrument_set",
    "parse_vgm",
    "read_vgm",
    "registers_of",
    "render",
    "score_of_registers",
    "stems",
    "vgm_bytes",
    "write_sound",
]
