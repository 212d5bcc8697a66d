"""Render a song with instruments of your own: a plucked lead with vibrato, a bright harmony, a short bass.

Run `python 08_own_instrument.py [FOLDER]`; it writes one song as
plain.wav, without them, and as shaped.wav.
"""

import sys
from pathlib import Path

from lakhnes.apu import (
    Drum,
    Instrument,
    InstrumentSet,
    Sequence,
    Slide,
    SoundSettings,
    Vibrato,
    registers_of,
    write_sound,
)
from lakhnes.runtime import Model, Request, compose_song

lead = Instrument(
    volume=Sequence((15, 13, 11, 9, 8, 7)),  # one value per frame, 60 a second; the last one holds
    release=(4, 2, 1),  # after the note's end
    timbre=Sequence((2, 1)),  # the duty: a square, then a quarter
    vibrato=Vibrato(depth_cents=20, rate_hz=6, delay_frames=12),
)
harmony = Instrument(volume=Sequence((7, 8, 9, 8), loop=1), timbre=Sequence((0,)))
bass = Instrument(gate_frames=9, slide=Slide(semitones=12, frames=3))  # the triangle has no volume
drums = (
    Drum(8, Instrument(volume=Sequence((15, 8, 3, 0)))),
    Drum(16, Instrument(volume=Sequence((9, 2, 0)))),
)
sounds = InstrumentSet(lead, harmony, bass, drums)

song = compose_song(Model.load(), Request(seed=4), length_samples=3 * 44_100)
for _ in song:
    pass
for name, instruments in (("plain", InstrumentSet()), ("shaped", sounds)):
    with (Path(*sys.argv[1:2]) / f"{name}.wav").open("wb") as file:
        write_sound(file, registers_of(song.score(), instruments=instruments), SoundSettings())
    print(f"wrote {name}.wav")
