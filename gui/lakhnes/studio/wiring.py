"""Where live music goes, and where orders come from: what a user asks of the outside of a stage."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from lakhnes.bridge.controls import ControlMap
from lakhnes.bridge.midi_clock import Joining
from lakhnes.bridge.midi_outlet import DEFAULT_CHANNELS, Channels
from lakhnes.bridge.osc import OscAddress
from lakhnes.bridge.performance import AHEAD_BARS
from lakhnes.bridge.ports import Backend
from lakhnes.bridge.rtmidi_backend import rtmidi_backend
from lakhnes.bridge.song_position import SongPositionUnit


class Sync(StrEnum):
    """Whose time it is."""

    INTERNAL = "internal"
    """Ours."""
    MIDI = "midi"
    """That of the MIDI clock which comes in."""
    JACK = "jack"
    """That of the JACK server's transport."""
    LINK = "link"
    """That of the Ableton Link session on the network, which is ours too."""


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
    sync: Sync = Sync.INTERNAL
    """Whose time it is."""
    joining: Joining = Joining.BAR
    """What is done about a MIDI clock that runs and has not said Start."""
    song_position: SongPositionUnit = SongPositionUnit.AUTO
    """What the other machine counts song position in."""
    clock_out: bool = False
    """Whether MIDI clock is sent."""
    offset_seconds: float = 0.0
    """How much later everything is sent."""
    controls: ControlMap = field(default_factory=ControlMap)
    """Which controllers steer what."""
    osc: OscAddress | None = None
    """Where OSC messages are heard; None for nowhere."""
    osc_to: OscAddress | None = None
    """Where it is told by OSC what is played; None for nowhere."""
    synth: bool = False
    """Whether it is heard on the built-in 2A03, too."""
    instrument: str | None = None
    """Of that and of what is saved as sound."""
    ahead_bars: float = AHEAD_BARS
    """How much is composed in front of what is played."""
    anew: bool = False
    """Whether what was composed ahead and nobody has heard is composed anew when steering changes."""

    def midi(self) -> Backend:
        """Return what opens MIDI ports.

        Raises:
            MissingExtraError: without what MIDI needs.
            PortError: if nothing answers.
        """
        return rtmidi_backend(self.backend)
