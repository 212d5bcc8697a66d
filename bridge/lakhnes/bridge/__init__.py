"""MIDI files, and later ports and clocks: the way into DAWs.

It may import `lakhnes.runtime` and nothing else of the project. Start at `midi.py`; `nes_midi.py` is the
exact form, `daw_midi.py` the audible one, `any_midi.py` and `voices.py` read what others wrote.
"""

from lakhnes.bridge.midi import MidiImport, MidiStyle, import_midi, midi_bytes, read_midi, write_midi

__all__ = ["MidiImport", "MidiStyle", "import_midi", "midi_bytes", "read_midi", "write_midi"]
