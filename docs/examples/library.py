"""Composes eight bars in A minor, writes them as MIDI for a DAW, and plays them on the sound chip."""

import numpy as np

from lakhnes.apu import SoundSettings, instrument_set, registers_of, write_sound
from lakhnes.bridge import write_midi
from lakhnes.runtime import BeatGrid, Composer, Model, Song, Steering, parse_scale

model = Model.load()
grid = BeatGrid.steady(140)
rules = Steering(scale=parse_scale("a minor"), density=0.5).constraints(model.codec, grid)
length = grid.sample(8 * grid.bar_ticks)
song = Song(model.codec, np.random.default_rng(7), length_samples=length, constraints=rules)
for event in Composer(model, song):
    print(event)  # P2_NOTEON_69, WT_4725, and so on

write_midi(song.score(), "song.mid", grid=grid)
writes = registers_of(song.score(), instruments=instrument_set("lead"))
with open("song.wav", "wb") as file:
    write_sound(file, writes, SoundSettings(sample_rate=48_000))
