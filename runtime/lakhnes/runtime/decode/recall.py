"""What a song did before, remembered for as long as it lasts: a match model beside the network.

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
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lakhnes.runtime.music.events import Event, Kind
from lakhnes.runtime.music.timing import Codec

HEARD = 8192
"""Events that are remembered: about three minutes of music."""

LONGEST = 32
"""Matches of more events count as this long."""

VIEWS = 4
"""Of an event: as it is; without its pitch; with waits as short or long only; without pitch and so."""

FEATURES = 14
"""That the gate looks at."""

HIDDEN = 16
"""Units of the gate."""

DECAY = 0.997
"""What stays of the bias each time that it learns."""

MEMORY = 0.95
"""What stays of how well recalling did, an event later."""

_OWN_TRUST = 0.5
"""How far matches are trusted in what the model composes itself, against music that is given. Trusted as far,
its songs return more than music does, for they hear themselves."""

_SHORT_SAMPLES = 150
"""Shorter waits lie inside a frame: a sound driver's own time between two of its writes."""

_LEAST = 1e-4
"""Probabilities below this look alike to the gate."""

_LARGEST, _COLDEST = 1e4, 0.01
"""Numbers beyond this, and temperatures below that, fit no music; they would overflow."""

_TINY = 1e-30
"""Stands for no probability where a logarithm is taken."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Recall:
    """The numbers of a fitted match model."""

    temperature: float
    """That the network's logits are divided by."""
    rate: float
    """Of the bias, logits an event."""
    scores: Floats
    """[VIEWS, LONGEST + 1]: what a match of each length is worth, in nats."""
    recency: float
    """Nats that a match loses with the logarithm of its distance."""
    hidden: Floats
    """[HIDDEN, FEATURES + 1]: weights of the gate's units; their biases last."""
    gate: Floats
    """[HIDDEN + 1]: weights of the gate; its bias last."""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        return {name: np.round(value, 5).tolist() for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> Recall:
        """Reads `to_dict`.

        Raises:
            ValueError: if an array has another shape, or a number that no fit gives.
            Exception: for what is no numbers at all.
        """
        arrays: dict[str, Any] = {f.name: np.array(plain[f.name], np.float64) for f in fields(cls)}
        for name, value in arrays.items():
            if value.shape != _SHAPES[name] or not (np.abs(value) <= _LARGEST).all():
                raise ValueError(f"{name} of its recall is broken: calibrate it again")
        if arrays["temperature"] < _COLDEST:
            raise ValueError(f"the temperature of its recall is below {_COLDEST}: calibrate it again")
        plain_numbers = {name: value if value.shape else value.item() for name, value in arrays.items()}
        return cls(**plain_numbers)


_SHAPES: dict[str, tuple[int, ...]] = {
    "temperature": (),
    "rate": (),
    "scores": (VIEWS, LONGEST + 1),
    "recency": (),
    "hidden": (HIDDEN, FEATURES + 1),
    "gate": (HIDDEN + 1,),
}


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


class Recollection:
    """One stream of tokens, remembered.

    Call `hear` with each token, then `mix` with the network's logits for the next one.

    Attributes:
        success: how much better recalling foresaw the recent events than the network, -3..3 nats.
    """

    def __init__(self, recall: Recall, views: Views, strength: float = 1.0) -> None:
        """Begins with nothing.

        Args:
            recall: the numbers.
            views: of the model's tokens.
            strength: 1 as it was fitted; less, and matches are trusted less and the bias learns less.
        """
        self._recall, self._views, self._strength = recall, views, strength
        self._seen = np.zeros((VIEWS, 0), np.int16)
        self._lengths = np.zeros((VIEWS, 0), np.uint8)
        self._bias = np.zeros((views.kinds, views.tokens.shape[1]), np.float32)
        self._given = False
        self._expected: tuple[Floats, Floats] | None = None
        self.success = 0.0

    def copy(self) -> Recollection:
        """The same so far, to go on by itself."""
        twin = copy.copy(self)
        twin._bias = self._bias.copy()  # the other arrays are replaced, never changed
        return twin

    def hear(self, token: int, *, given: bool = False) -> None:
        """Takes the next token of the stream.

        Args:
            token: its id.
            given: whether it is of music that is given, not of what the model composes: for that alone the
                network is corrected. A song that only hears itself would drift.
        """
        if self._expected is not None:
            network, recalled = self._expected
            self.success += (1 - MEMORY) * (float(gain(network[token], recalled[token])) - self.success)
            if given:
                rate, bias = self._strength * self._recall.rate, self._bias[self._kind]
                bias *= DECAY
                bias -= rate * network
                bias[token] += rate
            self._expected = None
        self._given = given
        new = self._views.tokens[:, token : token + 1]
        same = (self._seen == new).view(np.uint8)  # uint8 [VIEWS, n]
        same[:, 1:] *= np.minimum(self._lengths, LONGEST - 1) + 1
        self._lengths = same[:, -HEARD:]
        self._seen = np.concatenate([self._seen, new], 1)[:, -HEARD - 1 :]

    def matches(self) -> Matches:
        """The places before that are at least of the kind of event that came last."""
        (places,) = self._lengths[-1].nonzero()
        following = self._seen[0][places + 1].astype(np.int64)
        return Matches(self._lengths[:, places], self._lengths.shape[1] - places, following)

    def network(self, logits: NDArray[np.float32]) -> Floats:
        """Probabilities [V] of the network alone, corrected: of its logits [V]."""
        temperature = self._recall.temperature if self._given else 1.0
        scores = logits / temperature + self._bias[self._kind]
        return np.asarray(_softmax(scores.astype(np.float64)))

    def mix(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """What comes next, of the network's logits [V]: logarithms of probabilities, float32 [V]."""
        network = self.network(logits)
        found = self.matches()
        recalled, trust = self._recalled(found, network) if found.next.size else (np.zeros_like(network), 0.0)
        self._expected = network, recalled
        trust *= self._strength * (1.0 if self._given else _OWN_TRUST)
        mixed = network + trust * (recalled - network)
        return np.log(np.maximum(mixed, _TINY)).astype(np.float32)

    def _recalled(self, found: Matches, network: Floats) -> tuple[Floats, float]:
        """What matches expect, probabilities [V], and how far to trust that, 0..1."""
        r = self._recall
        scores = -r.recency * np.log(found.distance)
        for view, lengths in zip(r.scores, found.lengths, strict=True):
            scores += view[lengths]
        most = scores.max()
        weights = np.exp(scores - most)
        total = weights.sum()
        recalled = np.bincount(found.next, weights, len(network)) / total
        likeliest = recalled.argmax()
        seen = np.array(
            [
                recalled[likeliest],
                log_feature(network[likeliest]),
                (np.log(total) + max(most, -5.0)) / 4,
                log_feature(recalled @ network),
                *np.log1p(found.lengths.max(1)),
                -(network @ np.log(network + _TINY)),
                np.log(network.max()),
                *(self._views.waits[self._seen[0, -1]] == np.arange(3)),
                2 * self.success,
                1.0,
            ]
        )
        units = np.tanh(r.hidden @ seen)
        return recalled, float(1 / (1 + np.exp(-(r.gate[:-1] @ units + r.gate[-1]))))

    @property
    def _kind(self) -> int:
        """Of the last event: its number in the last view."""
        return int(self._seen[-1, -1])


def gain(network: Floats, recalled: Floats) -> Floats:
    """How much better recalling foresaw what came than the network did, in nats, -3..3."""
    return np.clip(np.log((0.7 * recalled + 0.3 * network + 1e-6) / (network + 1e-6)), -3, 3)


def _softmax(scores: Floats) -> Floats:
    weights = np.exp(scores - scores.max())
    return np.asarray(weights / weights.sum())


def log_feature(probability: Floats) -> Floats:
    """Probabilities as the gate sees them."""
    return np.asarray(np.log(probability + _LEAST) / 4)
