"""The fitted numbers of a match cache, as a model's metadata hold them; see `decode/match_cache.py`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 32
"""Matches of more events count as this long."""

VIEWS = 4
"""Of an event: as it is; without its pitch; with waits as short or long only; without pitch and so."""

FEATURES = 14
"""That the gate looks at."""

HIDDEN = 16
"""Units of the gate."""

_LARGEST, _COLDEST = 1e4, 0.01
"""Numbers beyond this, and temperatures below that, fit no music; they would overflow."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CacheWeights:
    """The numbers of a fitted match cache."""

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
    def from_dict(cls, plain: dict[str, Any]) -> CacheWeights:
        """Reads `to_dict`.

        Raises:
            ValueError: if an array has another shape, or a number that no fit gives.
            Exception: for what is no numbers at all.
        """
        arrays: dict[str, Any] = {f.name: np.array(plain[f.name], np.float64) for f in fields(cls)}
        for name, value in arrays.items():
            if value.shape != _SHAPES[name] or not (np.abs(value) <= _LARGEST).all():
                raise ValueError(f"{name} of its match cache is broken: calibrate it again")
        if arrays["temperature"] < _COLDEST:
            raise ValueError(f"the temperature of its match cache is below {_COLDEST}: calibrate it again")
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
