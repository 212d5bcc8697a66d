"""A tempo from taps."""

from __future__ import annotations

from lakhnes.runtime.time.grid import TEMPI_BPM

_PAUSE_SECONDS = 60 / TEMPI_BPM[0] + 0.1
"""After such a rest another tempo begins."""
_TAPS = 9
"""The latest taps that count."""
_UNLIKE = 1.6
"""An interval that differs from the others by this factor starts another tempo."""


class TapTempo:
    """Listens to taps."""

    def __init__(self) -> None:
        """Has heard none."""
        self._taps: list[float] = []

    def tap(self, now: float) -> float | None:
        """Takes a tap in.

        Args:
            now: its time in seconds.

        Returns:
            Beats a minute, a tenth exact and in the range of tempi; None before the second tap.
        """
        if self._taps and not 0 < now - self._taps[-1] < _PAUSE_SECONDS:
            self._taps.clear()
        if len(self._taps) > 1:
            usual = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1)
            if not 1 / _UNLIKE < (now - self._taps[-1]) / usual < _UNLIKE:
                del self._taps[:-1]
        self._taps = [*self._taps[-_TAPS + 1 :], now]
        if len(self._taps) < 2:
            return None
        interval = (self._taps[-1] - self._taps[0]) / (len(self._taps) - 1)
        slowest, fastest = TEMPI_BPM
        return round(max(slowest, min(60 / interval, fastest)), 1)
