"""Garbage collection on the thread of the window.

Python collects cycles on whichever thread happens to make the next object. A cycle that holds a widget is
then destroyed on a thread of the composer or the player, which Qt does not allow, and the process dies. So
the automatic collection is switched off, and a timer of the window's thread collects what is due.

The notes of a song of two hours would hold the window up for half a second each time. They are in no cycle,
and go by themselves when nobody needs them: so where very many objects have come at once, or a collection
took long, later collections leave out the existing objects.
"""

from __future__ import annotations

import gc
import time

from PySide6.QtCore import QObject, QTimer

_EVERY_MS = 500
_MANY = 100_000
"""Objects that came since the last time from which on they are not looked through: that would be felt."""
_LONG_SECONDS = 0.02
"""Time of a collection from which on what is left is not looked through again."""


class Collector(QObject):
    """Collects garbage on the thread that made it, from now until it is stopped."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._thresholds = gc.get_threshold()
        gc.disable()
        self._timer = QTimer(self)
        self._timer.timeout.connect(self.collect)
        self._timer.start(_EVERY_MS)

    def collect(self) -> None:
        """Collect the generations that are due."""
        counts = gc.get_count()
        if counts[0] > _MANY:
            gc.freeze()
            return
        due = [generation for generation in range(3) if counts[generation] > self._thresholds[generation]]
        if due:
            began = time.perf_counter()
            gc.collect(due[-1])
            if time.perf_counter() - began > _LONG_SECONDS:
                gc.freeze()

    def stop(self) -> None:
        """Let Python collect all garbage by itself again."""
        self._timer.stop()
        gc.unfreeze()
        gc.enable()


__all__ = ["Collector"]
