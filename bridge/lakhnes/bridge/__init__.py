"""The way into DAWs: MIDI files, ports, clocks and the live player.

It may import `lakhnes.runtime` and nothing else of the project. For files start at `midi.py`, then
`nes_midi.py` (the exact form), `daw_midi.py` (the audible one), `any_midi.py` (what others wrote; on its way
`smf.py`, `lines.py`, `voices.py`). For live music start at `performance.py`, then `player.py`, which sends,
`beat_clock.py` and `ports.py`.
"""

from lakhnes.bridge.beat_clock import BeatClock, InternalClock
from lakhnes.bridge.control_input import ControlInput
from lakhnes.bridge.controls import Control, ControlMap
from lakhnes.bridge.interpreter import keep_time
from lakhnes.bridge.midi import (
    MIDI_ENDINGS,
    MidiImport,
    MidiStyle,
    import_midi,
    midi_bytes,
    midi_lines,
    read_midi,
    write_midi,
)
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.performance import Performance, Status
from lakhnes.bridge.ports import list_ports, open_input, open_output, open_voice_outputs
from lakhnes.bridge.recorder import Recorder

__all__ = [
    "MIDI_ENDINGS",
    "BeatClock",
    "Control",
    "ControlInput",
    "ControlMap",
    "InternalClock",
    "MidiClock",
    "MidiImport",
    "MidiOutlet",
    "MidiStyle",
    "Outlet",
    "Performance",
    "Recorder",
    "Status",
    "import_midi",
    "keep_time",
    "list_ports",
    "midi_bytes",
    "midi_lines",
    "open_input",
    "open_output",
    "open_voice_outputs",
    "read_midi",
    "write_midi",
]
