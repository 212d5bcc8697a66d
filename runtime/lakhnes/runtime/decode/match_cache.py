"""The match cache: what a song did before, remembered for as long as it lasts, as a logits processor.

A network sees no further than its memory, and copies what it sees imperfectly. Here the last events are
looked for among all that came before, in four views that leave out more or less; the longer a passage there
ends like the song does now, the more what followed it is expected again. A small gate says how far to trust
that, by how well it has done so far. Where music is given, two corrections of the network come before: a
temperature for one that is surer than it should be, and a bias that learns which events this music likes.

All numbers are fitted on songs that the network was not trained on, by `lakhnes calibrate`.

Sources:
- Mahoney 2005, "Adaptive weighing of context models for lossless data compression": the match model.
- Grave et al. 2017, "Improving neural language models with a continuous cache"; Merity et al. 2017, "Pointer
  sentinel mixture models": expecting again what followed, and the gate.
- Guo et al. 2017, "On calibration of modern neural networks": the temperature.
- Krause et al. 2018, "Dynamic evaluation of neural sequence models": learning from the music that is heard.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.decode.processors import Bias, LogitsProcessor, Order
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.model.cache_weights import LONGEST, VIEWS, CacheWeights, Floats
from lakhnes.runtime.model.model import Logits, Model
from lakhnes.runtime.music.events import Event, Kind
from lakhnes.runtime.music.timing import Codec

REMEMBERED = 8192
"""Events that are remembered: about three minutes of music."""

DECAY = 0.997
"""What stays of the bias each time that it learns."""

MEMORY = 0.95
"""What stays of how well the matches did, an event later."""

OWN_TRUST = 0.5
"""How far matches are trusted in what the model composes itself, against music that is given. Trusted as far,
its songs return more than music does, for they hear themselves."""

_SHORT_SAMPLES = 150
"""Shorter waits lie inside a frame: a sound driver's own time between two of its writes."""

_LEAST = 1e-4
"""Probabilities below this look alike to the gate."""

_TINY = 1e-30
"""Stands for no probability where a logarithm is taken."""


class Matches(NamedTuple):
    """Where what came before ends as the song does now."""

    lengths: NDArray[np.uint8]
    """uint8 [VIEWS, n]: events that agree, in each view."""
    distance: NDArray[np.int64]
    """int64 [n]: events from there to now."""
    next: NDArray[np.int64]
    """int64 [n]: the token that followed there."""


class Views:
    """The views of a vocabulary's tokens.

    Attributes:
        tokens: int16 [VIEWS, V], the number of each token in each view.
        kinds: how many numbers the last view has.
        waits: int64 [V]: 0 for what is no wait, 1 for a short wait, 2 for a long one.
    """

    def __init__(self, codec: Codec) -> None:
        events = codec.vocabulary.events
        lasts = codec.wait_samples
        self.waits = np.where(lasts == 0, 0, np.where(lasts < _SHORT_SAMPLES, 1, 2))

        def voice(event: Event) -> object:
            return event.kind, event.voice

        def wait(token: int) -> object:
            return int(self.waits[token])

        keys: list[list[object]] = [
            list(range(len(events))),
            [token if event.kind is Kind.WAIT else voice(event) for token, event in enumerate(events)],
            [wait(token) if event.kind is Kind.WAIT else event for token, event in enumerate(events)],
            [wait(token) if event.kind is Kind.WAIT else voice(event) for token, event in enumerate(events)],
        ]
        numbers = [{key: number for number, key in enumerate(dict.fromkeys(row))} for row in keys]
        self.tokens = np.array(
            [[known[key] for key in row] for known, row in zip(numbers, keys, strict=True)], np.int16
        )
        self.kinds = len(numbers[-1])


@lru_cache(maxsize=16)
def _views(codec: Codec) -> Views:
    return Views(codec)


class MatchCache(LogitsProcessor):
    """One stream of tokens, remembered.

    As a processor it reads the tokens of the state that it has not read yet, and mixes what followed the same
    before into the network's logits. What it keeps follows from the tokens and from the network's logits for
    them.

    Attributes:
        success: how much better the matches foresaw the recent events than the network, -3..3 nats.
    """

    order = Order.CACHE
    label = "the match cache"

    def __init__(self, weights: CacheWeights, views: Views, trust: float = OWN_TRUST) -> None:
        """Begins with nothing.

        Args:
            weights: the fitted numbers.
            views: of the model's tokens.
            trust: how far matches are trusted in what the model composes itself: 1 as in music that is given,
                more for music that keeps closer to what was.
        """
        self._weights, self._views, self._trust = weights, views, trust
        self._seen = np.zeros((VIEWS, 0), np.int16)
        self._lengths = np.zeros((VIEWS, 0), np.uint8)
        self._bias = np.zeros((views.kinds, views.tokens.shape[1]), np.float32)
        self._given = False
        self._expected: tuple[Floats, Floats] | None = None
        self._count = 0  # tokens read
        self.success = 0.0

    @classmethod
    def of(cls, model: Model, trust: float = OWN_TRUST) -> MatchCache | None:
        """An empty one for a model; None for a model that is not calibrated."""
        weights = model.info.recall
        return None if weights is None else cls(weights, _views(model.codec), trust)

    def copy(self) -> MatchCache:
        """The same so far, to go on by itself."""
        twin = copy.copy(self)
        twin._bias = self._bias.copy()  # the other arrays are replaced, never changed
        return twin

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Logarithms of the mixed probabilities, float32 [V]."""
        self.catch_up(state)
        return self.mix(logits)

    def catch_up(self, state: DecodeState) -> None:
        """Reads the tokens of the state that it has not read yet."""
        for token in state.tokens[self._count :]:
            self.read(token)

    def read_all(self, tokens: Sequence[int], logits: Logits, *, given: bool) -> Logits:
        """Reads tokens together with what the network expects after each.

        Args:
            tokens: their ids [n].
            logits: the network's, float32 [n, V].
            given: as for `read`.

        Returns:
            What comes after each, mixed: float32 [n, V].
        """
        mixed = np.empty_like(logits)
        for place, token in enumerate(tokens):
            self.read(int(token), given=given)
            mixed[place] = self.mix(logits[place])
        return mixed

    def read(self, token: int, *, given: bool = False) -> None:
        """Takes the next token of the stream.

        Args:
            token: its id.
            given: whether it is of music that is given, not of what the model composes: for that alone the
                network is corrected. A song that only hears itself would drift.
        """
        self._count += 1
        if self._expected is not None:
            network, expected = self._expected
            self.success += (1 - MEMORY) * (float(gain(network[token], expected[token])) - self.success)
            if given:
                rate, bias = self._weights.rate, self._bias[self._kind]
                bias *= DECAY
                bias -= rate * network
                bias[token] += rate
            self._expected = None
        self._given = given
        new = self._views.tokens[:, token : token + 1]
        same = (self._seen == new).view(np.uint8)  # uint8 [VIEWS, n]
        same[:, 1:] *= np.minimum(self._lengths, LONGEST - 1) + 1
        self._lengths = same[:, -REMEMBERED:]
        self._seen = np.concatenate([self._seen, new], 1)[:, -REMEMBERED - 1 :]

    def matches(self) -> Matches:
        """The places before that are at least of the kind of event that came last."""
        (places,) = self._lengths[-1].nonzero()
        following = self._seen[0][places + 1].astype(np.int64)
        return Matches(self._lengths[:, places], self._lengths.shape[1] - places, following)

    def network(self, logits: NDArray[np.float32]) -> Floats:
        """Probabilities [V] of the network alone, corrected: of its logits [V]."""
        temperature = self._weights.temperature if self._given else 1.0
        scores = logits / temperature + self._bias[self._kind]
        return np.asarray(_softmax(scores.astype(np.float64)))

    def mix(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """What comes next, of the network's logits [V]: logarithms of probabilities, float32 [V]."""
        network = self.network(logits)
        found = self.matches()
        expected, trust = self._matched(found, network) if found.next.size else (np.zeros_like(network), 0.0)
        self._expected = network, expected
        trust = min(1.0, trust * (1.0 if self._given else self._trust))
        mixed = network + trust * (expected - network)
        return np.log(np.maximum(mixed, _TINY)).astype(np.float32)

    def _matched(self, found: Matches, network: Floats) -> tuple[Floats, float]:
        """What matches expect, probabilities [V], and how far to trust that, 0..1."""
        r = self._weights
        scores = -r.recency * np.log(found.distance)
        for view, lengths in zip(r.scores, found.lengths, strict=True):
            scores += view[lengths]
        most = scores.max()
        weights = np.exp(scores - most)
        total = weights.sum()
        expected = np.bincount(found.next, weights, len(network)) / total
        likeliest = expected.argmax()
        seen = np.array(
            [
                expected[likeliest],
                log_feature(network[likeliest]),
                (np.log(total) + max(most, -5.0)) / 4,
                log_feature(expected @ network),
                *np.log1p(found.lengths.max(1)),
                -(network @ np.log(network + _TINY)),
                np.log(network.max()),
                *(self._views.waits[self._seen[0, -1]] == np.arange(3)),
                2 * self.success,
                1.0,
            ]
        )
        units = np.tanh(r.hidden @ seen)
        return expected, float(1 / (1 + np.exp(-(r.gate[:-1] @ units + r.gate[-1]))))

    @property
    def _kind(self) -> int:
        """Of the last event: its number in the last view."""
        return int(self._seen[-1, -1])


def gain(network: Floats, expected: Floats) -> Floats:
    """How much better the matches foresaw what came than the network did, in nats, -3..3."""
    return np.clip(np.log((0.7 * expected + 0.3 * network + 1e-6) / (network + 1e-6)), -3, 3)


def _softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def log_feature(probability: Floats) -> Floats:
    """Probabilities as the gate sees them."""
    return np.asarray(np.log(probability + _LEAST) / 4)


class Reader:
    """A stream of tokens that a model reads, match cache and all: what is likely next."""

    def __init__(self, model: Model, *, cache: bool = True) -> None:
        """Lets the model forget everything.

        Args:
            model: what reads; it belongs to the reader from now on.
            cache: whether a calibrated model remembers what came before; else the network is alone.
        """
        self._model = model
        self._cache = MatchCache.of(model) if cache else None
        model.reset()

    def read(self, tokens: Sequence[int] | NDArray[np.int64], *, given: bool = False) -> Logits:
        """Reads tokens.

        Args:
            tokens: their ids [n].
            given: whether they are of music that is given, rather than composed by the model itself; a
                calibrated model foresees that with corrections of its own.

        Returns:
            float32 [n, V]: row i for the token after token i.
        """
        logits = self._model.prefill(tokens)
        return logits if self._cache is None else self._cache.read_all(list(tokens), logits, given=given)
