"""The repetition penalty: keeps a voice from doing one thing for ever, as models do on their own."""

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
"""Last notes of a voice that are looked at."""

_USUAL_REPEATS = (15, 20, 22)
"""So many of them may be of one pitch, of two, of three. In NES-MDB's songs there are more in 2, 5 and 7 % of
all places in a pulse, and 8, 17 and 22 % in the triangle."""

_REPEAT_NATS = 0.3
"""What such pitches lose for each note more."""

_USUAL_LOOPS = 4
"""So often a figure of two or more notes may come once more. In NES-MDB's songs one of two does so more often
in 3 % of all places, any longer one in less than 2 %."""

_LOOP_NATS = 0.5
"""What the note that goes on with a figure loses for each time more, up to `_MOST_NATS`."""

_USUAL_SECONDS = 1.5
"""So long a note may last. Notes of more than 2 s fill 4 % of the time of NES-MDB's songs."""

_HELD_NATS = 1.0
"""What the end of a note gains for each second more, up to `_MOST_NATS`."""

_MOST_NATS = 6.0

_USUAL_REST_SECONDS = 8.0
"""So long a voice may be silent. Longer rests fill 2 to 3 % of the time of the voices in NES-MDB's songs."""

_RESTED_NATS = 0.3
"""What the voice's notes gain for each second more, up to `_MOST_RESTED_NATS`."""

_MOST_RESTED_NATS = 3.0


class RepetitionPenalty(LogitsProcessor):
    """A voice that holds a note, circles, keeps to few pitches or rests grows likelier to do something else.

    The longer it lasts, the likelier; what is usual in music is left alone. The noise may repeat itself. A
    model in bars circles no more than people do, so of its voices only long notes and long rests count.
    """

    label = "the repetition penalty"

    def __init__(self, codec: Codec, strength: float = 1.0, voices: Collection[Voice] = tuple(Voice)) -> None:
        """Takes what it needs to know.

        Args:
            codec: of the model that composes.
            strength: factor of all its biases; 1 as measured on NES music, more forbids more.
            voices: those that are composed.
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
        self._judged: dict[Voice, tuple[RecentNotes, int, Mapping[int, float]]] = {}  # of what came last

    def bias(self, state: DecodeState) -> Bias | None:
        """Nats for what ends long notes and long rests, and against what comes all the time."""
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
        """What tokens lose for coming all the time; judged anew only where a voice has played since."""
        known = self._judged.get(voice)
        if known is None or known[0] is not line or known[1] != line.version:
            known = self._judged[voice] = line, line.version, _judged(line)
        return known[2]


def _judged(line: RecentNotes) -> Mapping[int, float]:
    """What tokens of a voice lose, in nats, for coming all the time."""
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
