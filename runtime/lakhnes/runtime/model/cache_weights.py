"""The fitted numbers of a match cache, as stored in a model's metadata; see `decode/match_cache.py`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 32
"""Longest match that counts, in events; longer matches count as this long."""

VIEWS = 4
"""Views of an event: unchanged; without its pitch; with waits as short or long only; both reductions."""

FEATURES = 14
"""Features that the gate reads."""

HIDDEN = 16
"""Hidden units of the gate."""

_LARGEST, _COLDEST = 1e4, 0.01
"""Limits for the numbers and the temperature; values beyond fit no music and would overflow."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CacheWeights:
    """The numbers of a fitted match cache."""

    temperature: float
    """Temperature: the divisor of the network's logits."""
    rate: float
    """Learning rate of the bias, in logits per event."""
    scores: Floats
    """[VIEWS, LONGEST + 1]: weight of a match of each length, in nats."""
    recency: float
    """Nats that a match loses per unit of the logarithm of its distance."""
    hidden: Floats
    """[HIDDEN, FEATURES + 1]: weights of the gate's units; their biases last."""
    gate: Floats
    """[HIDDEN + 1]: weights of the gate; its bias last."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {name: np.round(value, 5).tolist() for name, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, plain: dict[str, Any]) -> CacheWeights:
        """Read the data of `to_dict`.

        Raises:
            ValueError: if an array has another shape, or a number is out of range.
            Exception: any, if the data are not numbers.
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
