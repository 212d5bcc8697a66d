"""Compose four bars in A minor, write them as MIDI for a DAW, and render them with the sound chip.

Run `python 01_generate.py [FOLDER]`; it writes song.mid and song.wav.
"""

import sys
from pathlib import Path

from lakhnes.apu import SoundSettings, instrument_set, registers_of, write_sound
from lakhnes.bridge import write_midi
from lakhnes.runtime import BeatGrid, Model, Request, compose_song, parse_scale

folder = Path(*sys.argv[1:2])
grid = BeatGrid.steady(140)  # beats per minute
request = Request(seed=7, scale=parse_scale("a minor"), density=0.5)
song = compose_song(Model.load(), request, grid, length_samples=grid.sample(4 * grid.bar_ticks))
for event in song:
    print(event)  # P2_NOTEON_69, WT_5514, and so on

write_midi(song.score(), folder / "song.mid", grid=grid)
writes = registers_of(song.score(), instruments=instrument_set("lead"))
with (folder / "song.wav").open("wb") as file:
    write_sound(file, writes, SoundSettings(sample_rate=48_000))
