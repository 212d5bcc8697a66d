"""How the four voices look in a DAW: names, channels, programs, drums, and the scales of values.

| voice | track | channel | General MIDI program |
|---|---|---|---|
| P1 | Pulse 1 | 1 | 81 Lead 1 (square) |
| P2 | Pulse 2 | 2 | 81 Lead 1 (square) |
| TR | Triangle | 3 | 39 Synth Bass 1 |
| NO | Noise | 10 | drum kit, see `DRUM_OF_NOISE` |
"""

from __future__ import annotations

from enum import IntEnum

from lakhnes.runtime.music.events import Voice

TRACK_NAMES = {Voice.P1: "Pulse 1", Voice.P2: "Pulse 2", Voice.TR: "Triangle", Voice.NO: "Noise"}

CHANNELS = {Voice.P1: 0, Voice.P2: 1, Voice.TR: 2, Voice.NO: 9}
"""MIDI channels counted from 0; DAWs show them from 1."""

PROGRAMS = {Voice.P1: 80, Voice.P2: 80, Voice.TR: 38}
"""General MIDI programs counted from 0."""

DRUM_CHANNEL = 9

TRIANGLE_VELOCITY = 127
"""The triangle has no volume of its own."""

DRUM_OF_NOISE = {
    1: 35,  # acoustic bass drum
    2: 36,  # bass drum 1
    3: 41,  # low floor tom
    4: 43,  # high floor tom
    5: 45,  # low tom
    6: 47,  # low-mid tom
    7: 48,  # hi-mid tom
    8: 50,  # high tom
    9: 40,  # electric snare
    10: 38,  # acoustic snare
    11: 39,  # hand clap
    12: 37,  # side stick
    13: 46,  # open hi-hat
    14: 44,  # pedal hi-hat
    15: 42,  # closed hi-hat
    16: 69,  # cabasa
}
"""Noise 1 (lowest) to 16 as General MIDI drums; one to one, so that it reads back."""

_NOISE_OF_OTHER_DRUMS = {
    22: 15,  # hi-hat edges of electronic drums
    26: 13,
    27: 16,  # high Q, slap, scratches, sticks, clicks and bells
    28: 12,
    29: 14,
    30: 14,
    31: 12,
    32: 12,
    33: 12,
    34: 16,
    83: 16,  # jingle bell, bell tree, castanets
    84: 16,
    85: 12,
    86: 4,  # surdos
    87: 3,
    49: 13,  # crash cymbals, splash, chinese
    52: 13,
    55: 13,
    57: 13,
    51: 14,  # rides
    53: 15,
    59: 14,
    54: 15,  # tambourine
    56: 12,  # cowbell
    58: 11,  # vibraslap
    60: 8,  # bongos, congas, timbales, agogos
    61: 7,
    62: 8,
    63: 7,
    64: 6,
    65: 8,
    66: 7,
    67: 12,
    68: 12,
    70: 16,  # maracas
    71: 16,  # whistles
    72: 16,
    73: 14,  # guiros
    74: 13,
    75: 12,  # claves, wood blocks
    76: 12,
    77: 11,
    78: 9,  # cuicas
    79: 9,
    80: 15,  # triangles
    81: 14,
    82: 16,  # shaker
}

NOISE_OF_DRUM = {**{drum: noise for noise, drum in DRUM_OF_NOISE.items()}, **_NOISE_OF_OTHER_DRUMS}
"""General MIDI drums as noise pitches; for a drum that is not here see `noise_of_drum`."""


_NOISES = [
    NOISE_OF_DRUM[min(NOISE_OF_DRUM, key=lambda known: (abs(known - drum), known))] for drum in range(128)
]


def noise_of_drum(drum: int) -> int:
    """Noise 1..16 for a drum-channel pitch 0..127; what General MIDI does not name goes by its nearest."""
    return _NOISES[drum]


class DrumRole(IntEnum):
    """The role of a drum in a rhythm; a later one wins over an earlier one."""

    OTHER = 0
    HAT = 1
    TOM = 2
    CYMBAL = 3
    KICK = 4
    SNARE = 5


_DRUMS_OF_ROLE = {
    DrumRole.HAT: (22, 26, 42, 44, 46),
    DrumRole.TOM: (41, 43, 45, 47, 48, 50),
    DrumRole.CYMBAL: (49, 51, 52, 53, 55, 57, 59),
    DrumRole.KICK: (35, 36),
    DrumRole.SNARE: (37, 38, 39, 40),
}
_ROLES = [
    next((role for role, drums in _DRUMS_OF_ROLE.items() if drum in drums), DrumRole.OTHER)
    for drum in range(128)
]


def role_of_drum(drum: int) -> DrumRole:
    """Return the role of a drum-channel pitch, 0 to 127."""
    return _ROLES[drum]


def midi_of_volume(volume: int) -> int:
    """Chip volume 1..15 as MIDI velocity or CC11 1..127; one to one."""
    return round(volume * 127 / 15)


def volume_of_midi(value: int) -> int:
    """MIDI velocity or CC11 0..127 as chip volume 1..15."""
    return max(1, round(value * 15 / 127))


def timbre_steps(voice: Voice) -> int:
    """Highest timbre of a voice: duty 3 of a pulse, mode 1 of the noise."""
    return 1 if voice is Voice.NO else 3


def midi_of_timbre(voice: Voice, timbre: int) -> int:
    """Timbre as CC12 0..127; one to one."""
    return round(timbre * 127 / timbre_steps(voice))


def timbre_of_midi(voice: Voice, value: int) -> int:
    """CC12 0..127 as timbre."""
    return round(value * timbre_steps(voice) / 127)
