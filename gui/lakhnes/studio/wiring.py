"""Where live music goes, and where orders come from: what a user asks of the outside of a stage."""

from __future__ import annotations

from dataclasses import dataclass

from lakhnes.bridge.midi_outlet import DEFAULT_CHANNELS, Channels
from lakhnes.bridge.performance import AHEAD_BARS
from lakhnes.bridge.ports import Backend
from lakhnes.bridge.rtmidi_backend import rtmidi_backend


@dataclass(frozen=True, slots=True)
class Wiring:
    """Where music goes, and where orders come from."""

    ports: tuple[str, ...] | None = ()
    """Existing ports to send to; empty for a new one, None for no MIDI at all."""
    virtual: str | None = None
    """Name of the new port; None for the usual one."""
    four: bool = False
    """Whether each voice gets a new port of its own."""
    channels: Channels = DEFAULT_CHANNELS
    """1..16 of each voice."""
    control: str | None = None
    """Existing port to hear; None for a new one."""
    play_along: bool = True
    """Whether notes that come in are played along with."""
    backend: str | None = None
    """`alsa`, `jack`, `coremidi` or `winmm`; None for the first that answers."""
    midi_sync: bool = False
    """Whether MIDI clock says when and how fast."""
    clock_out: bool = False
    """Whether MIDI clock is sent."""
    offset_seconds: float = 0.0
    """How much later everything is sent."""
    synth: bool = False
    """Whether it is heard on the built-in 2A03, too."""
    instrument: str | None = None
    """Of that and of what is saved as sound."""
    ahead_bars: float = AHEAD_BARS
    """How much is composed in front of what is played."""

    def midi(self) -> Backend:
        """Return what opens MIDI ports.

        Raises:
            MissingExtraError: without what MIDI needs.
            PortError: if nothing answers.
        """
        return rtmidi_backend(self.backend)
