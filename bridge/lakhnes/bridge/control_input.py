"""What comes in from a DAW or a keyboard: clock, controllers, and notes to play along with."""

from __future__ import annotations

from collections.abc import Sequence

from lakhnes.bridge import gm
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.performance import Performance
from lakhnes.runtime.music.events import Voice

_NOTE_OFF, _NOTE_ON, _CONTROL, _SYSTEM = 0x80, 0x90, 0xB0, 0xF0


class ControlInput:
    """Hands messages to whom they concern; `receive` is an input port's callback.

    Of several notes held on one channel the last one sounds, and after it those that are still held.
    """

    def __init__(
        self,
        performance: Performance,
        clock: MidiClock | None,
        channels: Sequence[int],
        *,
        notes: bool = True,
    ) -> None:
        """Takes the receivers.

        Args:
            performance: what is steered.
            clock: what follows MIDI clock; None to pass it over.
            channels: 1..16 for each voice, whose notes are that voice's.
            notes: whether notes are played along with, or passed over.
        """
        self._performance = performance
        self._clock = clock
        self._voices = {channel - 1: voice for voice, channel in zip(Voice, channels, strict=True)}
        self._notes = notes
        self._held: dict[Voice, list[tuple[int, int]]] = {voice: [] for voice in Voice}

    def receive(self, data: bytes, now: float) -> None:
        """Takes one message.

        Args:
            data: its bytes; what is no whole message is passed over.
            now: when it came.
        """
        status = data[0] & 0xF0 if data else 0
        if status == _SYSTEM:
            if self._clock is not None:
                self._clock.receive(data, now)
                self._performance.wake()
        elif len(data) == 3 and max(data[1:]) < 0x80:
            voice = self._voices.get(data[0] & 0x0F)
            if status == _CONTROL:
                if data[1] in (120, 123):
                    self.let_go()
                self._performance.control(data[1], data[2])
            elif voice is not None and self._notes and status in (_NOTE_ON, _NOTE_OFF):
                self._note(voice, data[1], data[2] if status == _NOTE_ON else 0)

    def let_go(self) -> None:
        """Ends every note that is held: its end will not come, as when a keyboard is unplugged."""
        for voice, held in self._held.items():
            if held:
                held.clear()
                self._performance.hands.release(voice)

    def _note(self, voice: Voice, key: int, velocity: int) -> None:
        held = self._held[voice]
        sounding = held[-1] if held else None
        held[:] = [note for note in held if note[0] != key]
        if velocity:
            held.append((key, velocity))
        if not held:
            self._performance.hands.release(voice)
        elif held[-1] != sounding or velocity:
            key, velocity = held[-1]
            pitch = gm.noise_of_drum(key) if voice is Voice.NO else max(1, key)
            self._performance.hands.press(voice, pitch, gm.volume_of_midi(velocity))
