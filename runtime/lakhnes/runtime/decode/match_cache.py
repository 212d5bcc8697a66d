"""The match cache: a logits processor that remembers the song so far.

A network sees only its memory, and copies it imperfectly. The cache searches the whole song for the last
events, in four views of different detail. The longer a passage agrees with the end of the song, the more the
cache expects its continuation. A small gate decides how far to trust this, from its success so far. For
existing music, two corrections of the network come first: a temperature for a network that is too sure, and a
bias that learns which events this music prefers.

`lakhnes calibrate` fits all numbers on songs that the network was not trained on.

Sources:
- Mahoney 2005, "Adaptive weighing of context models for lossless data compression": the match model.
- Grave et al. 2017, "Improving neural language models with a continuous cache"; Merity et al. 2017, "Pointer
  sentinel mixture models": predicting the continuation again, and the gate.
- Guo et al. 2017, "On calibration of modern neural networks": the temperature.
- Krause et al. 2018, "Dynamic evaluation of neural sequence models": learning from the music that is read.
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
from lakhnes.runtime.music.timing import Codec, Timing

REMEMBERED = 8192
"""Events that the cache remembers: about three minutes of music."""

DECAY = 0.997
"""Fraction of the bias that remains after each learning step."""

MEMORY = 0.95
"""Fraction of the matches' success that remains after each event."""

OWN_TRUST = 0.5
"""Fraction of the fitted trust that matches get in the model's own music. With all of it, songs would repeat
more than human music does, because they hear only themselves."""

_SHORT_SAMPLES = 150
"""Shortest wait outside a frame; shorter ones are a sound driver's own time between two writes."""

_LEAST = 1e-4
"""Lowest probability that the gate distinguishes."""

_TINY = 1e-30
"""Replacement for a probability of 0 in a logarithm."""


class Matches(NamedTuple):
    """Earlier places that end as the song does now."""

    lengths: NDArray[np.uint8]
    """uint8 [VIEWS, n]: number of events that agree, in each view."""
    distance: NDArray[np.int64]
    """int64 [n]: events between that place and now."""
    next: NDArray[np.int64]
    """int64 [n]: the token that followed there."""


class Views:
    """The views of a vocabulary's tokens.

    Attributes:
        tokens: int16 [VIEWS, V], the number of each token in each view.
        kinds: number of different values in the last view.
        waits: int64 [V]: 0 for other tokens, 1 for a short wait, 2 for a long one.
        aside: tokens that say how the music goes on, and are no part of it.
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
        self.aside = {token for token, event in enumerate(events) if event.kind is Kind.RELATION}


@lru_cache(maxsize=16)
def _views(codec: Codec) -> Views:
    return Views(codec)


class MatchCache(LogitsProcessor):
    """A remembered stream of tokens.

    As a processor it reads the new tokens of the state, and mixes the continuations of earlier matches into
    the network's logits. Its state follows from the tokens and the network's logits for them.

    Attributes:
        success: how much better the matches predicted recent events than the network, -3..3 nats.
    """

    order = Order.CACHE
    label = "the match cache"

    def __init__(self, weights: CacheWeights, views: Views, trust: float = OWN_TRUST) -> None:
        """Start empty.

        Args:
            weights: the fitted numbers.
            views: views of the model's tokens.
            trust: trust in matches in the model's own music: 1 as in existing music, and more for
                music that stays closer to the earlier part.
        """
        self._weights, self._views, self._trust = weights, views, trust
        self._seen = np.zeros((VIEWS, 0), np.int16)
        self._lengths = np.zeros((VIEWS, 0), np.uint8)
        self._bias = np.zeros((views.kinds, views.tokens.shape[1]), np.float32)
        self._given = False
        self._expected: tuple[Floats, Floats] | None = None
        self._count = 0  # number of tokens read
        self.success = 0.0

    @classmethod
    def of(cls, model: Model, trust: float | None = None) -> MatchCache | None:
        """Return an empty cache for a model; None if the model is not calibrated.

        Args:
            model: its metadata contain the fitted numbers.
            trust: as in the constructor; None for the model's own music. A model in bars then gets no cache,
                because without one it repeats as much as human music does.
        """
        weights = model.info.recall
        if weights is None or (trust is None and model.codec.timing is Timing.BARS):
            return None
        return cls(weights, _views(model.codec), OWN_TRUST if trust is None else trust)

    def copy(self) -> MatchCache:
        """Return an independent copy."""
        twin = copy.copy(self)
        twin._bias = self._bias.copy()  # the other arrays are replaced, never changed
        return twin

    def __call__(self, state: DecodeState, logits: Bias) -> Bias:
        """Return the logarithms of the mixed probabilities, float32 [V]."""
        self.catch_up(state)
        return self.mix(logits)

    def catch_up(self, state: DecodeState) -> None:
        """Read the new tokens of the state."""
        for token in state.tokens[self._count :]:
            self.read(token)

    def read_all(self, tokens: Sequence[int], logits: Logits, *, given: bool) -> Logits:
        """Read tokens together with the network's logits after each.

        Args:
            tokens: their ids [n].
            logits: the network's, float32 [n, V].
            given: as for `read`.

        Returns:
            Mixed logarithms of probabilities after each token: float32 [n, V].
        """
        mixed = np.empty_like(logits)
        for place, token in enumerate(tokens):
            self.read(int(token), given=given)
            mixed[place] = self.mix(logits[place])
        return mixed

    def read(self, token: int, *, given: bool = False) -> None:
        """Take the next token of the stream.

        Args:
            token: its id.
            given: whether it belongs to existing music, not to the model's own. Only existing music corrects
                the network; a song that hears only itself would drift.
        """
        self._count += 1
        if token in self._views.aside and self._seen.shape[1]:
            return
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
        """Return the earlier places that match at least the kind of the last event."""
        (places,) = self._lengths[-1].nonzero()
        following = self._seen[0][places + 1].astype(np.int64)
        return Matches(self._lengths[:, places], self._lengths.shape[1] - places, following)

    def network(self, logits: NDArray[np.float32]) -> Floats:
        """Return the corrected probabilities [V] of the network alone, from its logits [V]."""
        temperature = self._weights.temperature if self._given else 1.0
        scores = logits / temperature + self._bias[self._kind]
        return np.asarray(_softmax(scores.astype(np.float64)))

    def mix(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mixed logarithms of probabilities, float32 [V], from the network's logits [V]."""
        network = self.network(logits)
        found = self.matches()
        expected, trust = self._matched(found, network) if found.next.size else (np.zeros_like(network), 0.0)
        self._expected = network, expected
        trust = min(1.0, trust * (1.0 if self._given else self._trust))
        mixed = network + trust * (expected - network)
        return np.log(np.maximum(mixed, _TINY)).astype(np.float32)

    def _matched(self, found: Matches, network: Floats) -> tuple[Floats, float]:
        """Return the probabilities [V] from matches, and the trust in them, 0..1."""
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
        """Kind of the last event: its number in the last view."""
        return int(self._seen[-1, -1])


def gain(network: Floats, expected: Floats) -> Floats:
    """Return how much better matches predicted the event than the network, in nats, -3..3."""
    return np.clip(np.log((0.7 * expected + 0.3 * network + 1e-6) / (network + 1e-6)), -3, 3)


def _softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def log_feature(probability: Floats) -> Floats:
    """Return probabilities as features of the gate."""
    return np.asarray(np.log(probability + _LEAST) / 4)


class Reader:
    """A stream of tokens that a model reads, with its match cache; it predicts the next token."""

    def __init__(self, model: Model, *, cache: bool = True) -> None:
        """Clear the model's memory.

        Args:
            model: the reading model; the reader owns it from now on.
            cache: whether a calibrated model uses its match cache; False for the network alone.
        """
        self._model = model
        self._cache = MatchCache.of(model, OWN_TRUST) if cache else None
        model.reset()

    def read(self, tokens: Sequence[int] | NDArray[np.int64], *, given: bool = False) -> Logits:
        """Read tokens.

        Args:
            tokens: their ids [n].
            given: whether they belong to existing music, rather than to the model's own; a calibrated model
                applies its corrections to existing music.

        Returns:
            float32 [n, V]: row i for the token after token i.
        """
        logits = self._model.prefill(tokens)
        return logits if self._cache is None else self._cache.read_all(list(tokens), logits, given=given)
