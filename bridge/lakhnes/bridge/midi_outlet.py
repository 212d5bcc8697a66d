"""The four voices as MIDI messages, sent as they sound: to one port's four channels, or to four ports.

Values are scaled as in the files for DAWs (`daw_midi`): velocities that can be heard, CC11 for the volume
within notes, CC12 for the timbre, noise on the General MIDI drums.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

from lakhnes.bridge import gm
from lakhnes.bridge.daw_midi import TIMBRE_CONTROL, VOLUME_CONTROL
from lakhnes.bridge.ports import MidiOutput
from lakhnes.runtime.errors import OptionError, PortLostError
from lakhnes.runtime.music.events import VALUES, Kind, Voice

Channels = tuple[int, int, int, int]

DEFAULT_CHANNELS: Channels = (1, 2, 3, 10)
"""MIDI channels of P1, P2, TR and NO, counted from 1."""

_NOTE_OFF, _NOTE_ON, _CONTROL, _PROGRAM = 0x80, 0x90, 0xB0, 0xC0
_RELEASE_VELOCITY = 64
_SUSTAIN, _ALL_SOUND_OFF, _ALL_NOTES_OFF = 64, 120, 123


def checked_channels(channels: Channels) -> Channels:
    """Four channels as they are.

    Raises:
        OptionError: if one is not 1 to 16.
    """
    if len(channels) != len(Voice) or not all(1 <= channel <= 16 for channel in channels):
        raise OptionError(f"MIDI channels are four numbers from 1 to 16, not {channels}.")
    return channels


class Sender(Protocol):
    """What messages are sent to; a `MidiOutput`."""

    def send(self, data: Sequence[int]) -> None:
        """Sends one message; PortLostError if it cannot."""

    def alive(self) -> bool:
        """Whether it is still there."""

    def close(self) -> None:
        """Closes it."""


class MidiOutlet:
    """Sends what the voices play; an `Outlet`.

    At any moment a voice sounds at most one note, and every note that was begun is ended. Methods may be
    called from several threads. When a port is lost, the rest is dropped until `reopen`; see `lost`.

    Attributes:
        channels: of the voices, 1 to 16; see `set_channels`.
    """

    def __init__(
        self,
        outputs: Sender | Sequence[Sender],
        *,
        channels: Channels = DEFAULT_CHANNELS,
        expression: bool = False,
        programs: bool = False,
        sent: Callable[[Sequence[int]], None] = lambda data: None,
    ) -> None:
        """Sends to open ports.

        Args:
            outputs: one for all voices, or four in the order of `Voice`. They are closed with the outlet.
            channels: of the voices, 1 to 16.
            expression: CC11 at every note, for songs whose volume changes within notes; else only from a
                voice's first such change on.
            programs: sends General MIDI programs first.
            sent: is told of every message that is sent.

        Raises:
            OptionError: if a channel is not 1 to 16, or there are neither one nor four outputs.
        """
        self.channels = checked_channels(channels)
        self._expression = expression
        self._programs = programs
        self._sent = sent
        self._lock = threading.Lock()
        self._sounding: dict[Voice, int] = {}  # MIDI pitches
        self._volumes: dict[Voice, int] = {}  # CC11 where we have moved it
        self._timbres: dict[Voice, int] = {}  # CC12 likewise
        self._lost = False
        self._at: float | None = None  # when what is sent now is due; None for at once
        self._outputs = _four(outputs)
        self._greet()

    @property
    def lost(self) -> bool:
        """A port has gone away; nothing is sent any more."""
        return self._lost

    def alive(self) -> bool:
        """Asks the ports whether they are there; to be called about once a second."""
        outputs = self._outputs
        if not self._lost and not all(output.alive() for output in dict.fromkeys(outputs)):
            with self._lock:
                if outputs is self._outputs:  # and not yet reopened by somebody else
                    self._lose()
        return not self._lost

    def hold(self) -> None:
        """Sends nothing until `reopen`, as after a loss: what is sent now would wait and come late."""
        with self._lock:
            self._lost = True
            self._sounding.clear()

    def reopen(self, outputs: Sender | Sequence[Sender]) -> None:
        """Goes on with other ports, after those before were lost; these are closed.

        Args:
            outputs: as in the constructor. What sounded is over; programs and timbres are sent anew.
        """
        four = _four(outputs)
        with self._lock:
            for output in set(self._outputs) - set(four):
                output.close()
            self._outputs = four
            self._sounding.clear()
            self._volumes.clear()
            self._lost = False
            self._quiet()  # a port that stayed may still hold what was begun before the loss
            self._greet()
            for voice, value in self._timbres.items():
                self._control(voice, TIMBRE_CONTROL, value)

    def set_channels(self, channels: Channels) -> None:
        """Sends on other channels from now on; what sounds on those before ends at once.

        Args:
            channels: of the voices, 1 to 16.

        Raises:
            OptionError: if one is not.
        """
        new = checked_channels(channels)
        with self._lock:
            self._silence()
            self.channels = new
            self._greet()
            for voice, value in self._timbres.items():
                self._control(voice, TIMBRE_CONTROL, value)

    def note_on(self, voice: Voice, pitch: int, velocity: int, at: float) -> None:
        """Begins a note, and ends the one that sounds.

        Args:
            voice: which voice.
            pitch: MIDI pitch; of the noise 1 to 16.
            velocity: chip volume 1 to 15; the triangle's counts for nothing.
            at: the time that is now.
        """
        key = gm.DRUM_OF_NOISE[pitch] if voice is Voice.NO else pitch
        volume = gm.TRIANGLE_VELOCITY if voice is Voice.TR else max(1, gm.midi_of_volume(velocity))
        with self._due(at):
            self._end(voice)
            wanted = self._expression and (voice, Kind.VELOCITY) in VALUES
            if wanted or self._volumes.get(voice, volume) != volume:
                self._volumes[voice] = volume
                self._control(voice, VOLUME_CONTROL, volume)
            if not self._lost:
                # Noted first: should the port go away in the middle, an end too many does no harm.
                self._sounding[voice] = key
                self._send(voice, _NOTE_ON, key, volume)

    def note_off(self, voice: Voice, at: float) -> None:
        """Ends the note of a voice, if one sounds."""
        with self._due(at):
            self._end(voice)

    def change(self, voice: Voice, kind: Kind, value: int, at: float) -> None:
        """Changes a voice's volume (1 to 15) or timbre; what a voice does not have is left out."""
        if (voice, kind) not in VALUES:
            return
        with self._due(at):
            if kind is Kind.VELOCITY:
                self._volumes[voice] = gm.midi_of_volume(value)
                self._control(voice, VOLUME_CONTROL, self._volumes[voice])
            elif kind is Kind.TIMBRE:
                self._timbres[voice] = gm.midi_of_timbre(voice, value)
                self._control(voice, TIMBRE_CONTROL, self._timbres[voice])

    def silence(self, at: float) -> None:
        """Ends every note and lets nothing ring on, on every channel that is used."""
        with self._due(at):
            self._silence()

    def raw(self, data: Sequence[int], at: float | None = None) -> None:
        """Sends a message that is no voice's, such as clock, to the first port: a DAW follows one.

        Args:
            data: its bytes.
            at: when it is due; None for at once.
        """
        with self._due(at):
            self._try(self._outputs[0], data)

    def close(self) -> None:
        """Silences everything and closes the ports; may be called twice."""
        with self._lock:
            self._silence()
            self._lost = True
            for output in dict.fromkeys(self._outputs):
                output.close()

    @contextmanager
    def _due(self, at: float | None) -> Iterator[None]:
        """What is sent within is due at a time."""
        with self._lock:
            self._at = at
            try:
                yield
            finally:
                self._at = None

    def _greet(self) -> None:
        for voice, program in gm.PROGRAMS.items() if self._programs else ():
            self._send(voice, _PROGRAM, program)

    def _end(self, voice: Voice) -> None:
        key = self._sounding.pop(voice, None)
        if key is not None:
            self._send(voice, _NOTE_OFF, key, _RELEASE_VELOCITY)

    def _silence(self) -> None:
        for voice in Voice:
            self._end(voice)
        for voice in self._volumes:  # nobody else's notes shall be left quiet
            self._control(voice, VOLUME_CONTROL, 127)
        self._volumes.clear()
        self._quiet()

    def _quiet(self) -> None:
        places = {(id(self._outputs[voice]), self.channels[voice]): voice for voice in reversed(Voice)}
        for voice in sorted(places.values()):
            for control in (_SUSTAIN, _ALL_SOUND_OFF, _ALL_NOTES_OFF):
                self._control(voice, control, 0)

    def _control(self, voice: Voice, control: int, value: int) -> None:
        self._send(voice, _CONTROL, control, value)

    def _send(self, voice: Voice, status: int, *values: int) -> None:
        self._try(self._outputs[voice], (status | self.channels[voice] - 1, *values))

    def _try(self, output: Sender, data: Sequence[int]) -> None:
        if self._lost:
            return
        self._sent(data)  # first, for it may be back before `send` returns
        try:
            if self._at is not None and isinstance(output, MidiOutput):
                output.send(data, self._at)
            else:
                output.send(data)
        except PortLostError:
            self._lose()

    def _lose(self) -> None:
        """Notes the loss, and ends what sounds on ports that are still there."""
        self._lost = True
        sounding, self._sounding = self._sounding, {}
        for voice, key in sounding.items():
            with suppress(PortLostError):
                self._outputs[voice].send((_NOTE_OFF | self.channels[voice] - 1, key, _RELEASE_VELOCITY))


def _four(outputs: Sender | Sequence[Sender]) -> tuple[Sender, ...]:
    """The output of each voice."""
    given = tuple(outputs) if isinstance(outputs, Sequence) else (outputs,)
    if len(given) not in (1, len(Voice)):
        raise OptionError(f"Four voices need one MIDI port or four, not {len(given)}.")
    return given * (len(Voice) // len(given))
