"""Take a MIDI file apart: find its bars, list the notes of each voice, and write each voice as a sound file.

Run `python 04_take_apart.py [FOLDER]`; it first composes before.mid, the file that it takes apart.
"""

import sys
from pathlib import Path

from lakhnes.apu import SoundSettings, registers_of, stems, write_sound
from lakhnes.bridge import import_midi, write_midi
from lakhnes.runtime import BeatGrid, Model, Request, Voice, compose_song

folder = Path(*sys.argv[1:2])
grid = BeatGrid.steady(150)
song = compose_song(Model.load(), Request(seed=2), grid, length_samples=grid.sample(4 * grid.bar_ticks))
for _ in song:
    pass
write_midi(song.score(), folder / "before.mid", grid=grid)

found = import_midi(folder / "before.mid")
score, bars = found.score, found.grid or BeatGrid.steady(120)
print(f"{score.seconds:.1f} s at {bars.bpm:.0f} BPM")
for voice in Voice:
    for note in score.parts[voice].notes[:3]:
        place = bars.position(bars.tick(note.onset))
        print(f"{voice.name}  bar {place.bar} beat {place.beat}  pitch {note.pitch}")

writes = registers_of(score)
for name, settings in stems(writes, SoundSettings()).items():
    with (folder / f"stem-{name}.wav").open("wb") as file:
        write_sound(file, writes, settings)
