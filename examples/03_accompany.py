"""Keep a bass line, and let the model compose a lead, a harmony and drums around it.

Run `python 03_accompany.py [FOLDER]`; it writes accompanied.mid.
"""

import sys
from pathlib import Path

from lakhnes.bridge import write_midi
from lakhnes.runtime import (
    BeatGrid,
    Model,
    Note,
    Part,
    Request,
    Score,
    Voice,
    accompany_voices,
    parse_chords,
)

grid = BeatGrid.steady(130)
half_beat = grid.sample(grid.bar_ticks) // 8
roots = [45, 41, 48, 43]  # A, F, C, G: a bar each
bass = [Note(i * half_beat, half_beat * 3 // 4, roots[i // 8] + 12 * (i % 2)) for i in range(32)]
line = Score((Part(), Part(), Part(tuple(bass)), Part()), grid.sample(4 * grid.bar_ticks))

request = Request(seed=6, chords=parse_chords("Am F C G"))
song = accompany_voices(Model.load(), line, {Voice.TR}, request, grid=grid)
for _ in song:
    pass
score = song.score()
assert score.parts[Voice.TR] == line.parts[Voice.TR]  # kept, sample for sample
print({voice.name: len(score.parts[voice].notes) for voice in Voice})
write_midi(score, Path(*sys.argv[1:2]) / "accompanied.mid", grid=grid)
