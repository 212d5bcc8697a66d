"""The 2A03: registers, channels, mixer, band-limited rendering, VGM and sound files.

A score becomes register writes (`registers_of`), those become sound (`render`, `Renderer`, `write_sound`) or
a VGM file (`vgm_bytes`), and can be read back (`read_vgm`, `score_of_registers`). It may import
`lakhnes.runtime` and nothing else of the project. Live, notes go to a `Synth`, heard through `open_sound`.
The chip itself is C, in `apu/src`, compiled when the project is installed.
"""

from lakhnes.apu.instruments import (
    Drum,
    Instrument,
    InstrumentSet,
    Sequence,
    Slide,
    Vibrato,
    instrument_names,
    instrument_set,
    mixed_set,
)
from lakhnes.apu.live_registers import LiveRegisters
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, PAL_CLOCK_HZ, MemoryBlock, RegisterLog, Tags
from lakhnes.apu.registers import RegisterMode, registers_of
from lakhnes.apu.render import Filters, Mixer, Renderer, Writes, render
from lakhnes.apu.sound_device import SoundDevice, SoundOutput, find_sound_output, open_sound
from lakhnes.apu.sound_files import SoundSettings, stems, write_sound
from lakhnes.apu.synth import Synth
from lakhnes.apu.transcribe import score_of_registers
from lakhnes.apu.vgm import VgmFile, parse_vgm, read_vgm
from lakhnes.apu.vgm_writer import vgm_bytes

__all__ = [
    "NTSC_CLOCK_HZ",
    "PAL_CLOCK_HZ",
    "Drum",
    "Filters",
    "Instrument",
    "InstrumentSet",
    "LiveRegisters",
    "MemoryBlock",
    "Mixer",
    "RegisterLog",
    "RegisterMode",
    "Renderer",
    "Sequence",
    "Slide",
    "SoundDevice",
    "SoundOutput",
    "SoundSettings",
    "Synth",
    "Tags",
    "VgmFile",
    "Vibrato",
    "Writes",
    "find_sound_output",
    "instrument_names",
    "instrument_set",
    "mixed_set",
    "open_sound",
    "parse_vgm",
    "read_vgm",
    "registers_of",
    "render",
    "score_of_registers",
    "stems",
    "vgm_bytes",
    "write_sound",
]
