"""Batches for training: streams filled with song after song, made by a thread while the model works.

As in LakhNES a stream continues from one song to the next, each between two `<S>`, and the model's memory
continues with it. The batches depend only on the seed and the number of the song. A run can therefore
continue where it stopped, and each of several processes makes the same batches and takes its own rows.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from lakhnes.export.augment import Changes, Tokens
from lakhnes.export.augment_bars import make_augmenter
from lakhnes.export.evaluation import MIN_SONG_TOKENS
from lakhnes.export.prepared import Songs
from lakhnes.runtime.errors import DataError
from lakhnes.runtime.music.timing import Codec
from lakhnes.runtime.music.vocabulary import END_TOKEN
from lakhnes.runtime.printable import printable
from lakhnes.runtime.reading import reading

_AHEAD = 8
"""Number of ready batches that wait."""

_MAX_EMPTY = 1000
"""Most successive songs that may be too short after augmentation."""


@dataclass(frozen=True, slots=True)
class StreamPosition:
    """Position of the streams."""

    drawn: int
    """Songs taken so far."""
    served: int
    """Tokens served so far, over all streams."""
    left: tuple[Tokens, ...]
    """Rest of each stream's song, including the final `<S>`."""
    names: tuple[str, ...]
    """Name of each stream's song."""
    read: tuple[int, ...] = ()
    """Tokens of that song served so far, including its first `<S>`."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data and a tensor for a checkpoint."""
        return {
            "drawn": self.drawn,
            "served": self.served,
            "left": torch.from_numpy(np.concatenate(self.left).astype(np.int32)),
            "lengths": [len(rest) for rest in self.left],
            "names": list(self.names),
            "read": list(self.read),
        }

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> StreamPosition:
        """Read the data of `to_dict`.

        Raises:
            ValueError: if its values are out of range or inconsistent.
        """
        left, lengths, names = plain["left"].numpy(), plain["lengths"], plain["names"]
        drawn, served = plain["drawn"], plain["served"]
        read = plain.get("read", [0] * len(lengths))
        fits = (
            all(type(count) is int and 0 <= count < 1 << 60 for count in (drawn, served, *lengths, *read))
            and all(lengths)
            and left.dtype == np.int32
            and left.shape == (sum(lengths),)
            and bool(((left >= 0) & (left < 1 << 16)).all())
            and len(names) == len(read) == len(lengths)
            and all(isinstance(name, str) for name in names)
        )
        if not fits:
            raise ValueError("the places of its streams do not fit together")
        parts = np.split(left.astype(np.uint16), np.cumsum(lengths)[:-1])
        return cls(drawn, served, tuple(parts), tuple(map(printable, names)), tuple(read))


@dataclass(frozen=True, slots=True)
class TrainingBatch:
    """One segment of every stream."""

    tokens: NDArray[np.int64]
    """int64 [streams, segment]."""
    targets: NDArray[np.int64]
    """int64 [streams, segment]: the token after each."""
    starts: NDArray[np.int64]
    """int64 [streams, segment]: start of each token's song, see `song_starts`."""
    songs: tuple[str, ...]
    """Names of the songs in it."""
    after: StreamPosition
    """Position of the streams after it."""


def song_starts(tokens: NDArray[np.int64], read: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the start of each token's song.

    Args:
        tokens: int64 [B, T], each song from its `<S>`.
        read: int64 [B]: earlier tokens of the song at the start of each row.

    Returns:
        int64 [B, T]: place in the row of the first token of each token's song; negative if it came before.
    """
    places = np.where(tokens == END_TOKEN, np.arange(tokens.shape[1]), -read[:, None])
    return np.maximum.accumulate(places, axis=1)


class SongOrder:
    """Folder and index of the songs number 0, 1, 2 and so on.

    All songs of a folder occur before one of them repeats.
    """

    def __init__(self, counts: Sequence[int], weights: Sequence[float], seed: int) -> None:
        """Plan the order.

        Args:
            counts: number of songs in each folder.
            weights: share of the songs from each folder; in proportion to their numbers if empty.
            seed: seed of the order.
        """
        self._counts = counts
        self._seed = seed
        shares = np.array(weights if weights else counts, float)
        self._shares = np.cumsum(shares / shares.sum())
        self._orders: dict[tuple[int, int], NDArray[np.int64]] = {}

    def song(self, number: int) -> tuple[int, int]:
        """Return the folder of a number, and the index in it."""
        if len(self._counts) == 1:
            return 0, self._place(0, number)
        before = np.floor(number * self._shares + 1e-9).astype(int)  # of the folders up to each one
        after = np.floor((number + 1) * self._shares + 1e-9).astype(int)
        before[-1], after[-1] = number, number + 1
        folder = int(np.argmax(after > before))
        earlier = int(before[folder] - (before[folder - 1] if folder else 0))
        return folder, self._place(folder, earlier)

    def _place(self, folder: int, number: int) -> int:
        epoch, place = divmod(number, self._counts[folder])
        order = self._orders.get((folder, epoch))
        if order is None:
            self._orders = {key: kept for key, kept in self._orders.items() if key[0] != folder}
            order = np.random.default_rng((self._seed, 1, folder, epoch)).permutation(self._counts[folder])
            self._orders[folder, epoch] = order
        return int(order[place])


class TrainingStreams:
    """Streams of songs, in segments."""

    def __init__(
        self,
        folders: Sequence[Songs],
        codec: Codec,
        changes: Callable[[int], Changes],
        *,
        streams: int,
        segment: int,
        seed: int,
        mixture: Sequence[float] = (),
        start: StreamPosition | None = None,
    ) -> None:
        """Prepare streams.

        Args:
            folders: the songs.
            codec: codec of their tokens.
            changes: returns the augmentations after a number of tokens.
            streams: number of streams.
            segment: tokens of each stream in a batch.
            seed: seed of the order and the augmentations.
            mixture: share of the songs from each folder; in proportion to their sizes if empty.
            start: position to continue from; None for the start.

        Raises:
            DataError: if a folder has no songs.
        """
        if not all(len(songs) for songs in folders):
            raise DataError("The train split has no songs; give data with songs in it.")
        self._folders = folders
        self._augmenter = make_augmenter(codec)
        self._is_wait = codec.wait_samples > 0
        self._changes = changes
        self._segment = segment
        self._seed = seed
        self._order = SongOrder([len(songs) for songs in folders], mixture, seed)
        ended = np.array([END_TOKEN], np.uint16)
        self.position = start or StreamPosition(0, 0, (ended,) * streams, ("",) * streams, (0,) * streams)

    def next(self) -> TrainingBatch:
        """Return the next segment of every stream."""
        at = self.position
        drawn, left, names = at.drawn, list(at.left), list(at.names)
        rows = np.empty((len(left), self._segment + 1), np.int64)
        changes = self._changes(at.served)
        songs = []
        for stream in range(len(left)):
            pieces, have = [left[stream]], len(left[stream])
            if have > 1:
                songs.append(names[stream])
            while have < self._segment + 1:
                song, names[stream], drawn = self._draw(drawn, changes)
                songs.append(names[stream])
                pieces.append(song)
                have += len(song)
            whole = np.concatenate(pieces) if len(pieces) > 1 else pieces[0]
            rows[stream] = whole[: self._segment + 1]
            left[stream] = whole[self._segment :]
        served = at.served + len(left) * self._segment
        starts = song_starts(rows[:, :-1], np.array(at.read))
        read = (self._segment - starts[:, -1]).tolist()
        self.position = StreamPosition(drawn, served, tuple(left), tuple(names), tuple(read))
        return TrainingBatch(rows[:, :-1], rows[:, 1:], starts, tuple(songs), self.position)

    def _draw(self, drawn: int, changes: Changes) -> tuple[Tokens, str, int]:
        """Return the next augmented song that is long enough, its name, and the number of songs drawn."""
        for number in range(drawn, drawn + _MAX_EMPTY):
            folder, place = self._order.song(number)
            rng = np.random.default_rng((self._seed, 2, number))
            songs = self._folders[folder]
            with reading(f"The song {songs.names[place]}", DataError, "Prepare the data again."):
                song = self._ended(self._augmenter.changed(songs[place], changes, rng))
            if len(song) + 1 >= MIN_SONG_TOKENS:
                return song, songs.names[place], number + 1
        raise DataError("The train split has no song of 10 tokens or more; give data with longer songs.")

    def _ended(self, song: Tokens) -> Tokens:
        """Return a song without one wait at each end, and `<S>`; the `<S>` before it ends the last song."""
        start = int(len(song) > 0 and self._is_wait[song[0]])
        stop = len(song) - int(len(song) > start and self._is_wait[song[-1]])
        return np.append(song[start:stop], np.uint16(END_TOKEN))


class Prefetched:
    """Batches that a thread makes in advance; use it as a context."""

    def __init__(self, streams: TrainingStreams) -> None:
        self._streams = streams
        self._ready: queue.Queue[TrainingBatch | BaseException] = queue.Queue(_AHEAD)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)

    def __enter__(self) -> Prefetched:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        while self._thread.is_alive():
            try:
                self._ready.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)

    def next(self) -> TrainingBatch:
        """Return the next batch.

        Raises:
            DataError: if no songs are available.
        """
        ready = self._ready.get()
        if isinstance(ready, BaseException):
            raise ready
        return ready

    def _work(self) -> None:
        try:
            while not self._closed.is_set():
                self._ready.put(self._streams.next())
        except BaseException as error:  # for the waiting thread
            self._ready.put(error)
