"""Notes as they come, as writes to the sound chip's registers.

The way is that of a score (`registers`), a block at a time and without knowing how long a note will be.
"""

from __future__ import annotations

from bisect import insort
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.instruments import InstrumentSet
from lakhnes.apu.register_writer import RegisterWriter, VoiceState
from lakhnes.apu.registers import SWEEP, RegisterMode, VoiceEvent, VoiceSteps
from lakhnes.runtime.music.events import VALUES, Kind, Voice

_sample = attrgetter("sample")


class LiveRegisters:
    """Plays four voices with instruments, from sample 0 on without an end.

    A score without changes of its own gives the writes that `registers_of` makes of it, in blocks of any
    sizes. Where the music brings changes of volume or timbre, the voice's instrument keeps off those from the
    first one on, until silence; a score as a whole has its instruments changed from its start.

    Attributes:
        position: samples at 44.1 kHz that are played.
    """

    def __init__(self, instruments: InstrumentSet | None = None) -> None:
        """Begin at sample 0.

        Args:
            instruments: how notes are played; None as LakhNES does, held at their velocity.
        """
        self._steps = [
            VoiceSteps(voice, RegisterMode.IMPROVED, instruments or InstrumentSet()) for voice in Voice
        ]
        self._moments: tuple[list[VoiceEvent], ...] = tuple([] for _ in Voice)  # to come, in time
        self._writer = RegisterWriter(SWEEP)
        self.position = 0

    def play_with(self, instruments: InstrumentSet) -> None:
        """Play notes that begin from now on with other instruments."""
        for steps in self._steps:
            steps.play_with(instruments)

    def note_on(self, voice: Voice, pitch: int, velocity: int, sample: int) -> None:
        """Begin a note; a note that still sounds in the voice ends.

        Args:
            voice: any.
            pitch: MIDI pitch 1..127; for the noise 1 to 16.
            velocity: 1..15; says nothing for the triangle.
            sample: when, at 44.1 kHz; now if it is in the past.
        """
        self._add(voice, VoiceEvent(sample, Kind.NOTE_ON, pitch, velocity))

    def note_off(self, voice: Voice, sample: int) -> None:
        """End the voice's note; its release may continue."""
        self._add(voice, VoiceEvent(sample, Kind.NOTE_OFF))

    def change(self, voice: Voice, kind: Kind, value: int, sample: int) -> None:
        """Change a voice's volume or timbre; ignore a change that the voice does not have.

        Args:
            voice: any.
            kind: VELOCITY or TIMBRE.
            value: volume 1..15, duty 0..3 of a pulse, mode 0 or 1 of the noise.
            sample: when, at 44.1 kHz; now if it is in the past.
        """
        if value in VALUES.get((voice, kind), ()):
            self._add(voice, VoiceEvent(sample, kind, value))

    def silence(self, sample: int) -> None:
        """Silence all voices at once, with their releases, and drop later events."""
        sample = max(sample, self.position)
        for voice, moments in zip(Voice, self._moments, strict=True):
            moments[:] = [moment for moment in moments if moment.sample < sample]
            self._add(voice, VoiceEvent(sample, Kind.END))

    def advance(self, until: int) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8]]:
        """Play up to a sample.

        Args:
            until: sample at 44.1 kHz before which to stop; nothing happens if that is in the past.

        Returns:
            The writes from `position` on: samples, never decreasing, registers 0x00..0x17 and values, [n].
        """
        states: list[VoiceState] = []
        if until > self.position:
            for steps, moments in zip(self._steps, self._moments, strict=True):
                due = [moment for moment in moments if moment.sample < until]
                del moments[: len(due)]
                states += steps.states(due, until)
            states.sort(key=_sample)
            rows = list(self._writer.writes(states))
            self.position = until
        else:
            rows = []
        table = np.array(rows, np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1].astype(np.uint8), table[:, 2].astype(np.uint8)

    def _add(self, voice: Voice, moment: VoiceEvent) -> None:
        if moment.sample < self.position:
            moment = moment._replace(sample=self.position)
        insort(self._moments[voice], moment, key=_sample)
