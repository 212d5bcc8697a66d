"""Zones of MIDI Polyphonic Expression, in which each note that sounds has a channel of its own.

Source: MIDI Polyphonic Expression 1.0.
"""

from __future__ import annotations

from lakhnes.bridge.smf import Track

_RPN_HIGH, _RPN_LOW, _DATA = 101, 100, 6
_MPE = (0, 6)  # the registered parameter that makes a zone; its value is the number of channels


def mpe_channels(track: Track) -> frozenset[int]:
    """The channels of the zones that a track sets up; empty where it sets up none."""
    channels: set[int] = set()
    parameter: dict[tuple[int, int], int] = {}
    for _, channel, number, value in track.controls:
        if number in (_RPN_HIGH, _RPN_LOW):
            parameter[channel, number] = value
        elif number == _DATA and channel in (0, 15):
            chosen = (parameter.get((channel, _RPN_HIGH)), parameter.get((channel, _RPN_LOW)))
            if chosen == _MPE and value:
                channels |= {abs(channel - member) for member in range(min(value, 15) + 1)}
    return frozenset(channels)
