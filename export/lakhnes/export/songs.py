"""Files of music to songs as token ids: the work that `prepare` spreads over cores and machines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from lakhnes.bridge import MIDI_ENDINGS
from lakhnes.bridge.midi_wrappers import parse_any
from lakhnes.bridge.nes_midi import score_from_nes_midi
from lakhnes.bridge.smf import BrokenFileError
from lakhnes.export.adapt import Adapted, adapt
from lakhnes.export.adapt_legacy import MAX_FILE_BYTES, UnfitError, adapt_legacy
from lakhnes.export.sources import Item
from lakhnes.runtime.bars.bars import METERS, BarLines, Bars, bars_of
from lakhnes.runtime.bars.codec import events_of_bars, make_codec
from lakhnes.runtime.errors import LakhnesError, OptionError
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.music.texts import score_from_text
from lakhnes.runtime.music.timing import Codec, Timing, clean_frames
from lakhnes.runtime.music.vocabulary import NAMED
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reason_of
from lakhnes.runtime.time.grid import PPQ
from lakhnes.runtime.time.tempo import SURE, track_beats

ADAPTATIONS = ("better", "legacy")
"""Ways to adapt MIDI that is not NES-MDB's."""

_FEWEST_BARS = 4
"""Songs in bars have at least so many."""

_ON_GRID = 0.7
"""Least fraction of onsets on subdivisions of the beat, for songs in bars."""

_MAX_PROBLEM = 300
"""Characters of why a file gave no song."""

_SAME_TIME = 882
"""Onsets this many samples apart are the same when songs are compared: 20 ms."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How files become songs.

    Raises:
        OptionError: if a setting is not known or out of its range.
    """

    events: str = "tx1"
    """`tx1`; `tx2` with dynamics and timbre; `bars`."""
    timing: str = "frames"
    """`frames`, `samples` or `bars`; see `lakhnes.runtime.music.timing`."""
    adapt: str = "better"
    """How MIDI that is not NES-MDB's is adapted to the four voices: `better` or `legacy`."""
    arrangements: int = 8
    """Songs that an adapted file gives at most."""
    max_seconds: float = 600.0
    """Where `better` cuts songs."""

    def __post_init__(self) -> None:
        if self.events not in NAMED or self.adapt not in ADAPTATIONS or self.timing not in list(Timing):
            raise OptionError(
                f"Not known: format {self.events!r} (tx1, tx2, bars), timing {self.timing!r} (frames, "
                f"samples, bars) or adaptation {self.adapt!r} (better, legacy)."
            )
        if (self.events == "bars") != (self.timing == Timing.BARS):
            raise OptionError("Format and timing `bars` belong together: give both, or neither.")
        if not 1 <= self.arrangements <= 1000:
            raise OptionError(f"{self.arrangements} arrangements a file: give 1 to 1000, such as 8.")
        if not 5 <= self.max_seconds <= 86_400:
            raise OptionError(f"Songs of up to {self.max_seconds:g} s: give 5 to 86400, such as 600.")

    @property
    def codec(self) -> Codec:
        """What encodes the songs."""
        return _codec(self.events, self.timing)

    def to_dict(self) -> dict[str, str | int | float]:
        """As plain data."""
        return asdict(self)


@cache
def _codec(events: str, timing: str) -> Codec:
    return make_codec(NAMED[events](), Timing(timing))


@dataclass(frozen=True, slots=True)
class EncodedSong:
    """A song."""

    name: str
    """Of its file; with `#k` for its arrangement k."""
    tokens: NDArray[np.uint16]
    """uint16 [n], without `<S>`."""
    seconds: float
    notes: tuple[int, int, int, int]
    """Number of notes of each voice."""
    content: bytes
    """Hash of its notes, the same in every key; empty for a song that must not be taken for a copy."""


@dataclass(frozen=True, slots=True)
class FileSongs:
    """What a file gave."""

    name: str
    content: bytes
    """Hash of the file."""
    songs: tuple[EncodedSong, ...] = ()
    problem: str = ""
    """Why it gave none, without a full stop."""


def songs_of_file(item: Item, recipe: Recipe) -> FileSongs:
    """Makes the songs of a file. It depends on nothing but the file, not even on its name.

    Args:
        item: the file.
        recipe: how.
    """
    content = blake2b(item.data, digest_size=16).digest()
    try:
        if item.problem:
            raise UnfitError(item.problem)
        return FileSongs(item.name, content, _songs(item, recipe, content))
    except (UnfitError, BrokenFileError, LakhnesError) as error:
        problem = str(error).removeprefix(f"{item.name}: ").rstrip(".")
    except Exception as error:  # one odd file of 170,000 must not end the rest; it is listed with the others
        problem = f"it cannot be read ({type(error).__name__}: {reason_of(error)})"
    return FileSongs(item.name, content, problem=printable(problem, _MAX_PROBLEM))


def _songs(item: Item, recipe: Recipe, content: bytes) -> tuple[EncodedSong, ...]:
    expression = recipe.codec.vocabulary.has_expression
    adapted = False
    if item.name.lower().endswith(MIDI_ENDINGS):
        midi = parse_any(item.data)
        score = score_from_nes_midi(midi, expression=expression)
        adapted = score is None
        if score is not None:
            given = [Adapted(score, None, False)]
        elif recipe.adapt == "legacy":
            if len(item.data) > MAX_FILE_BYTES:
                raise UnfitError(f"larger than {MAX_FILE_BYTES >> 10} KB")
            given = [Adapted(s, None, False) for s in adapt_legacy(midi, _rng(content), recipe.arrangements)]
        else:
            given = adapt(
                midi, _rng(content), arrangements=recipe.arrangements, max_seconds=recipe.max_seconds
            )
    else:
        given = [Adapted(score_from_text(item.data, item.name), None, False)]
    if not any(song.score.n_notes for song in given):
        raise UnfitError("no notes")
    encode = _bars_encoded if recipe.codec.timing is Timing.BARS else _encoded
    unlike = adapted and recipe.adapt == "better"
    songs = tuple(
        EncodedSong(
            f"{item.name}#{number}" if adapted else item.name,
            tokens,
            song.score.seconds,
            (len(song.score.parts[0].notes), *(len(part.notes) for part in song.score.parts[1:])),  # type: ignore[arg-type]
            content_of(song.score) if unlike else b"",
        )
        for number, song in enumerate(given)
        if len(tokens := encode(song, recipe.codec))
    )
    if not songs:
        raise UnfitError("no beat is found in it")
    return songs


def _encoded(song: Adapted, codec: Codec) -> NDArray[np.uint16]:
    return np.array(codec.encode(song.score), np.uint16)


def _bars_encoded(song: Adapted, codec: Codec) -> NDArray[np.uint16]:
    """The tokens of a song in bars; none if it is short, or has no beat that is worth learning.

    The bars that a file states come first, if its notes keep to them; then those that are heard. A file that
    states no meter is heard first.
    """
    ways = (_stated_bars, _heard_bars) if song.states_meter else (_heard_bars, _stated_bars)
    for way in ways:
        bars = way(song)
        if bars is not None and bars.n_bars >= _FEWEST_BARS and bars.on_grid >= _ON_GRID:
            return np.array(codec.tokens(events_of_bars(bars)), np.uint16)
    return np.zeros(0, np.uint16)


def _stated_bars(song: Adapted) -> Bars | None:
    """A song in the bars of its grid; None without one, or if its meter changes."""
    grid = song.grid
    if grid is None or len(grid.signatures) > (2 if grid.pick_up_ticks else 1):
        return None
    rows = replace(grid, row_ticks=grid.row_ticks or PPQ // 4)  # by hand, nearly on sixteenths
    return BarLines.of(rows).bars(song.score)


def _heard_bars(song: Adapted) -> Bars | None:
    """A song in the bars that are heard; None where the beat is not sure."""
    clean = clean_frames(song.score)
    beats = track_beats(clean)
    sure = clean.n_notes and beats.confidence >= SURE and beats.beats_per_bar in METERS
    return bars_of(clean, beats) if sure else None


def _rng(content: bytes) -> np.random.Generator:
    """Chance that comes from the file alone, whoever reads it and when."""
    return np.random.default_rng(int.from_bytes(content))


def content_of(score: Score) -> bytes:
    """A hash of a song's notes that is the same in every key, and wherever the song begins."""
    melodic = [note for voice in (Voice.P1, Voice.P2, Voice.TR) for note in score.parts[voice].notes]
    key = min(melodic, key=lambda note: (note.onset, note.pitch)).pitch if melodic else 0
    start = min(part.notes[0].onset for part in score.parts if part.notes)
    rows = [
        (voice, (note.onset - start + _SAME_TIME // 2) // _SAME_TIME, note.pitch - key * (voice != Voice.NO))
        for voice in Voice
        for note in score.parts[voice].notes
    ]
    return blake2b(np.array(rows, np.int64).tobytes(), digest_size=16).digest()


def songs_of_files(task: tuple[Sequence[Item], Recipe]) -> list[FileSongs]:
    """The songs of some files: one task of an executor."""
    items, recipe = task
    return [songs_of_file(item, recipe) for item in items]
