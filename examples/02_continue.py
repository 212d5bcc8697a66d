"""Continue a tune of your own: the model reads it, and composes three seconds that follow it.

Run `python 02_continue.py [FOLDER]`; it writes continued.mid.
"""

import sys
from pathlib import Path

from lakhnes.bridge import write_midi
from lakhnes.runtime import BeatGrid, Model, Note, Part, Request, Score, continue_score

grid = BeatGrid.steady(120)
beat = grid.sample(grid.bar_ticks) // 4  # samples at 44.1 kHz
melody = [Note(i * beat, beat * 3 // 4, pitch) for i, pitch in enumerate([69, 72, 76, 74, 72, 71, 69, 64])]
bass = [Note(i * beat // 2, beat // 3, 45 if i < 8 else 40) for i in range(16)]
tune = Score((Part(tuple(melody)), Part(), Part(tuple(bass)), Part()), 8 * beat)

song = continue_score(Model.load(), tune, Request(seed=1), seconds=3, grid=grid)
for event in song:
    print(f"{song.progress:4.0%}  {event}")  # of the new music
whole = song.score()
print(f"{tune.seconds:.1f} s became {whole.seconds:.1f} s with {whole.n_notes} notes")
write_midi(whole, Path(*sys.argv[1:2]) / "continued.mid", grid=grid)
