"""What comes in from a DAW or a keyboard: clock, controllers, and notes to play along with."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence

from lakhnes.bridge import gm
from lakhnes.bridge.echo import Echo
from lakhnes.bridge.midi_clock import MidiClock
from lakhnes.bridge.performance import Performance
from lakhnes.runtime.music.events import Voice

HELD_SECONDS = 20.0
"""How long a key sounds at most: its end may never come, as when a keyboard is unplugged."""

_STORM_SECONDS = 0.1
"""Between messages of one all-notes-off storm, as a DAW sends it on all channels when it starts."""
_START_SECONDS = 0.25
"""After a start in which such a storm is the DAW's, and nobody's panic."""

_PANIC = (120, 123)
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
        echo: Echo | None = None,
    ) -> None:
        """Takes the receivers.

        Args:
            performance: what is steered.
            clock: what follows MIDI clock; None to pass it over.
            channels: 1..16 for each voice, whose notes are that voice's.
            notes: whether notes are played along with, or passed over.
            echo: knows what we sent, which is passed over when it comes back.
        """
        self._performance = performance
        self._clock = clock
        self._voices = {channel - 1: voice for voice, channel in zip(Voice, channels, strict=True)}
        self._notes = notes
        self._echo = echo
        self._held: dict[Voice, list[tuple[int, int]]] = {voice: [] for voice in Voice}
        self._pressed: dict[Voice, float] = {}  # when a key of the voice was pressed last
        self._storm = -math.inf  # when an all-notes-off came last
        self._lock = threading.Lock()  # keys come on one thread, and are let go by others

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
        elif len(data) == 3 and max(data[1:]) < 0x80 and not (self._echo and self._echo.is_ours(data)):
            voice = self._voices.get(data[0] & 0x0F)
            if status == _CONTROL and data[1] in _PANIC:
                self._panic(data[1])
            elif status == _CONTROL:
                self._performance.control(data[1], data[2])
            elif voice is not None and self._notes and status in (_NOTE_ON, _NOTE_OFF):
                with self._lock:
                    self._note(voice, data[1], data[2] if status == _NOTE_ON else 0, now)

    def let_go(self, pressed_before: float = math.inf) -> None:
        """Ends notes that are held: their end will not come, as when a keyboard is unplugged.

        Args:
            pressed_before: only of voices of which no key was pressed since then.
        """
        with self._lock:
            for voice, held in self._held.items():
                if held and self._pressed[voice] < pressed_before:
                    held.clear()
                    self._performance.hands.release(voice)

    def _panic(self, controller: int) -> None:
        """Ends everything, once for a storm of such messages, and not for a DAW that begins with one."""
        now, started = self._performance.now(), self._performance.player.started
        ours = now - self._storm > _STORM_SECONDS and now - started > _START_SECONDS
        self._storm = now
        if ours:
            self.let_go()
            self._performance.control(controller, 0)

    def _note(self, voice: Voice, key: int, velocity: int, now: float) -> None:
        held = self._held[voice]
        if not velocity and all(note[0] != key for note in held):
            return
        sounding = held[-1] if held else None
        held[:] = [note for note in held if note[0] != key]
        if velocity:
            held.append((key, velocity))
            self._pressed[voice] = now
        if not held:
            self._performance.hands.release(voice)
        elif held[-1] != sounding or velocity:
            key, velocity = held[-1]
            pitch = gm.noise_of_drum(key) if voice is Voice.NO else max(1, key)
            self._performance.hands.press(voice, pitch, gm.volume_of_midi(velocity))
