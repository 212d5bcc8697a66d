"""Clicks on the beats, in the built-in sound: while the song plays, and before it begins."""

from __future__ import annotations

import math
from typing import Protocol

from lakhnes.bridge.beat_clock import BeatClock, ClockState

AHEAD_SECONDS = 0.3
"""How long before its time a click is told, so that an interface that is busy does not hold it up."""


_LATE_SECONDS = 0.1
"""How late it may be looked at a clock that was started on a beat."""

_NEAR = 1e-6  # beats


class Clicker(Protocol):
    """Plays clicks; `lakhnes.apu.synth.Synth` implements it."""

    def click(self, at: float, *, strong: bool) -> None:
        """Clicks.

        Args:
            at: when, in seconds of `time.perf_counter`.
            strong: whether it is the first beat of a bar.
        """

    def forget_clicks(self) -> None:
        """Leaves out the clicks that are not heard yet."""


class Metronome:
    """Tells clicks a little before their time; `poll` is to be called often.

    Attributes:
        on: whether there are clicks while the song plays.
    """

    def __init__(self) -> None:
        """Is silent."""
        self.on = False
        self._jumps = -1
        self._told: float = math.inf  # the first beat that was not told yet
        self._round = False  # whether the first click of the loop's next round was told

    def count_in(self, clicker: Clicker, start: float, bpm: float, beats: int) -> None:
        """Counts the beats of a bar before a time.

        Args:
            clicker: where.
            start: when the song begins.
            bpm: its tempo.
            beats: of a bar.
        """
        for beat in range(beats):
            clicker.click(start - (beats - beat) * 60 / bpm, strong=beat == 0)

    def poll(
        self, clicker: Clicker | None, clock: BeatClock, state: ClockState, now: float, beats_per_bar: int
    ) -> None:
        """Tells the clicks that are due soon.

        Args:
            clicker: where; None for no sound.
            clock: when the beats are.
            state: what the clock says now.
            now: the time.
            beats_per_bar: of the song.
        """
        if clicker is None or not self.on or not state.running:
            if self._told < math.inf and clicker is not None:
                clicker.forget_clicks()
            self._told = math.inf
            return
        if state.jumps != self._jumps or self._told == math.inf:
            self._begin(clicker, state)
        end = math.inf if state.loop is None else state.loop[1]
        soon = now + AHEAD_SECONDS
        while self._told < end - _NEAR and (at := clock.time_of(self._told)) < soon:
            clicker.click(at, strong=self._told % beats_per_bar == 0)
            self._told += 1
        if state.loop is not None and not self._round and (at := clock.time_of(end)) < soon:
            start = state.loop[0]
            if abs(start - round(start)) < _NEAR:  # the next round begins on a beat
                clicker.click(at, strong=round(start) % beats_per_bar == 0)
            self._round = True

    def _begin(self, clicker: Clicker, state: ClockState) -> None:
        """Finds the first beat after the clock was started or moved, or has gone round its loop."""
        wrapped = state.wrapped and state.loop is not None and self._told < math.inf
        if state.loop is not None and wrapped:
            start = state.loop[0]
            self._told = math.floor(start + _NEAR) + 1 if self._round else math.ceil(start - _NEAR)
        else:
            clicker.forget_clicks()
            self._told = math.ceil(state.position - _LATE_SECONDS * state.bpm / 60)
            self._told = max(0, self._told)
        self._jumps, self._round = state.jumps, False


__all__ = ["AHEAD_SECONDS", "Clicker", "Metronome"]
