"""The repetition penalty: it penalises repetition, long notes and long rests within a voice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from itertools import accumulate

import numpy as np

from lakhnes.runtime.decode.processors import MELODIC, Bias, LogitsProcessor, begins
from lakhnes.runtime.decode.state import LONGEST_PERIOD, DecodeState, RecentNotes
from lakhnes.runtime.music.events import SAMPLE_RATE, Kind, Voice
from lakhnes.runtime.music.timing import Codec, Timing

_NOTES = 24
"""Number of last notes of a voice that it reads."""

_USUAL_REPEATS = (15, 20, 22)
"""Normal number of these notes on one pitch, on two and on three. NES-MDB's songs exceed it in 2, 5 and 7 %
of all places in a pulse, and in 8, 17 and 22 % in the triangle."""

_REPEAT_NATS = 0.3
"""Penalty of such pitches for each further note, in nats."""

_USUAL_LOOPS = 4
"""Normal number of repetitions of a figure of two or more notes. In NES-MDB's songs figures of two notes
exceed it in 3 % of all places, and longer ones in less than 2 %."""

_LOOP_NATS = 0.5
"""Penalty of a figure's next note for each further repetition, in nats, up to `_MOST_NATS`."""

_USUAL_SECONDS = 1.5
"""Normal length of a note. Notes of more than 2 s fill 4 % of the time of NES-MDB's songs."""

_HELD_NATS = 1.0
"""Bonus of a note's end for each further second, in nats, up to `_MOST_NATS`."""

_MOST_NATS = 6.0

_USUAL_REST_SECONDS = 8.0
"""Normal length of a rest. Longer rests fill 2 to 3 % of the time of the voices in NES-MDB's songs."""

_RESTED_NATS = 0.3
"""Bonus of the voice's notes for each further second, in nats, up to `_MOST_RESTED_NATS`."""

_MOST_RESTED_NATS = 3.0


class RepetitionPenalty(LogitsProcessor):
    """A penalty on a voice that holds a note, circles, stays on few pitches, or rests.

    It rises with time and starts only beyond what is normal in music. The noise may repeat itself. A model in
    bars circles no more than human music does, so only its long notes and long rests count.
    """

    label = "the repetition penalty"

    def __init__(self, codec: Codec, strength: float = 1.0, voices: Collection[Voice] = tuple(Voice)) -> None:
        """Take the codec, the strength and the voices.

        Args:
            codec: codec of the composing model.
            strength: factor of all biases; 1 as measured on NES music. A higher value penalises more.
            voices: the generated voices.
        """
        events = codec.vocabulary.events
        turning = (Kind.NOTE_ON, Kind.NOTE_OFF)
        self._strength = np.float32(strength)
        self._voices = sorted(voices)
        self._circles = codec.timing is not Timing.BARS
        self._turns = {
            voice: np.array([event.voice is voice and event.kind in turning for event in events])
            for voice in Voice
        }
        self._starts = {voice: begins(codec.vocabulary, voice) for voice in Voice}
        self._size = len(events)
        self._judged: dict[Voice, tuple[RecentNotes, int, Mapping[int, float]]] = {}  # of the last notes

    def bias(self, state: DecodeState) -> Bias | None:
        """Return the nats for ends of long notes and rests, and against repeated pitches and figures."""
        bias: Bias | None = None
        for voice in self._voices:
            seconds = (state.time - state.since[voice]) / SAMPLE_RATE
            sounds = state.sounds(voice)
            if sounds and seconds > _USUAL_SECONDS:
                bias = np.zeros(self._size, np.float32) if bias is None else bias
                bias[self._turns[voice]] += min(_MOST_NATS, _HELD_NATS * (seconds - _USUAL_SECONDS))
            elif not sounds and seconds > _USUAL_REST_SECONDS:
                bias = np.zeros(self._size, np.float32) if bias is None else bias
                gain = _RESTED_NATS * (seconds - _USUAL_REST_SECONDS)
                bias[self._starts[voice]] += min(_MOST_RESTED_NATS, gain)
            if self._circles and voice in MELODIC:
                for token, nats in self._losses(voice, state.lines[voice]).items():
                    bias = np.zeros(self._size, np.float32) if bias is None else bias
                    bias[token] -= nats
        return None if bias is None else bias * self._strength

    def _losses(self, voice: Voice, line: RecentNotes) -> Mapping[int, float]:
        """Return the penalties of a voice's tokens, in nats.

        They are computed again only after the voice has played.
        """
        known = self._judged.get(voice)
        if known is None or known[0] is not line or known[1] != line.version:
            known = self._judged[voice] = line, line.version, _judged(line)
        return known[2]


def _judged(line: RecentNotes) -> Mapping[int, float]:
    """Return the penalties of a voice's tokens for repetition, in nats."""
    last = line.last(_NOTES)
    losses: defaultdict[int, float] = defaultdict(float)
    said = Counter(last[::-1]).most_common(len(_USUAL_REPEATS))
    together = accumulate(times for _, times in said)
    for k, (times, usual) in enumerate(zip(together, _USUAL_REPEATS, strict=False), 1):
        if times > usual:
            for token, _ in said[:k]:
                losses[token] += _REPEAT_NATS * (times - usual)
    for period in range(2, LONGEST_PERIOD + 1):
        again = line.run(period) / period
        if again > _USUAL_LOOPS and len(set(last[:period])) > 1:
            loss = min(_MOST_NATS, _LOOP_NATS * (again - _USUAL_LOOPS))
            losses[last[period - 1]] = max(losses[last[period - 1]], loss)
    return losses
