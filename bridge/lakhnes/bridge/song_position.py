"""What a song position is counted in: sixteenths, or the clocks that Ardour 7 sends in their place."""

from __future__ import annotations

from enum import StrEnum

from lakhnes.bridge.beat_clock import CLOCKS_PER_UNIT


class SongPositionUnit(StrEnum):
    """What a song position is counted in."""

    AUTO = "auto"
    """Sixteenths, until the other machine is found to count clocks."""
    SIXTEENTHS = "sixteenths"
    """As the MIDI specification has it."""
    CLOCKS = "clocks"
    """Six for each sixteenth, as Ardour 7 does."""


class SongPosition:
    """Reads song positions, and finds out what they are counted in.

    A machine that stops and goes on says where: at the first sixteenth from the last clock on, most often.
    The clocks that it sent since it last said a place tell which of the two units that is.
    """

    def __init__(self, unit: SongPositionUnit = SongPositionUnit.AUTO) -> None:
        """Begins at the song's start.

        Args:
            unit: what positions are counted in.
        """
        self._auto = unit is SongPositionUnit.AUTO
        self.unit = SongPositionUnit.SIXTEENTHS if self._auto else unit
        """What positions are counted in, as far as is known."""
        self._told = 0  # the last position, as it was said
        self._since = 0  # clocks since

    def count(self) -> None:
        """A clock was heard while the machine runs."""
        self._since += 1

    def located(self, told: int) -> None:
        """The machine goes on from a position, as it was said."""
        self._told, self._since = told, 0

    def clocks(self, told: int, *, standing: bool) -> int:
        """Returns a position in clocks.

        Args:
            told: the position as it was said, 0 to 16383.
            standing: the machine does not run, so that it may go on where it is.
        """
        if self._auto and standing and self._since > CLOCKS_PER_UNIT:
            as_clocks = told - self._told - self._since
            as_sixteenths = (told - self._told) * CLOCKS_PER_UNIT - self._since
            if 0 <= as_clocks <= CLOCKS_PER_UNIT and told % CLOCKS_PER_UNIT == 0:
                self.unit = SongPositionUnit.CLOCKS
            elif abs(as_sixteenths) <= CLOCKS_PER_UNIT:
                self.unit = SongPositionUnit.SIXTEENTHS
        if self._auto and told % CLOCKS_PER_UNIT:
            self.unit = SongPositionUnit.SIXTEENTHS
        self.located(told)
        return told if self.unit is SongPositionUnit.CLOCKS else told * CLOCKS_PER_UNIT
