"""Composes eight bars in A minor, writes them as MIDI for a DAW, and plays them on the sound chip."""

from lakhnes.apu import SoundSettings, instrument_set, registers_of, write_sound
from lakhnes.bridge import write_midi
from lakhnes.runtime import BeatGrid, Model, Request, compose_song, parse_scale

model = Model.load()
grid = BeatGrid.steady(140)
request = Request(seed=7, scale=parse_scale("a minor"), density=0.5)
song = compose_song(model, request, grid, length_samples=grid.sample(8 * grid.bar_ticks))
for event in song:
    print(event)  # P2_NOTEON_69, WT_5514, and so on

write_midi(song.score(), "song.mid", grid=grid)
writes = registers_of(song.score(), instruments=instrument_set("lead"))
with open("song.wav", "wb") as file:
    write_sound(file, writes, SoundSettings(sample_rate=48_000))
