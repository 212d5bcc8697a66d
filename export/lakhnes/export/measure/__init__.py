"""Measuring composed songs against songs of people.

Start at `music.py`, a song as arrays. `rhythm.py`, `notes.py`, `harmony.py` and `repetition.py` have the
figures of a song; `figures.py` puts them together and divides those for the classifier in two halves.
`two_sample.py` is the classifier, `comparison.py` everything that is said of two sets of songs, `songs.py`
where they come from.
"""

from lakhnes.export.measure.comparison import Comparison, compare
from lakhnes.export.measure.figures import HELD, OPEN, figures_of
from lakhnes.export.measure.songs import HumanSongs, SongSet, human_songs, read_songs
from lakhnes.export.measure.two_sample import Area, two_sample_area

__all__ = [
    "HELD",
    "OPEN",
    "Area",
    "Comparison",
    "HumanSongs",
    "SongSet",
    "compare",
    "figures_of",
    "human_songs",
    "read_songs",
    "two_sample_area",
]
