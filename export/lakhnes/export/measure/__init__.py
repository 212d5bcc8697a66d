"""Comparing composed songs with human songs.

Start at `tracked_song.py`, a song as arrays. `rhythm.py`, `notes.py`, `harmony.py` and `repetition.py`
compute the figures of a song. `figures.py` collects them and divides those for the classifier into two
halves. `two_sample.py` is the classifier, `comparison.py` the full comparison of two sets of songs, and
`songs.py` reads and chooses the songs.
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
