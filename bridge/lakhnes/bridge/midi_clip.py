"""MIDI clip files (SMF2CLIP, `.midi2`): universal MIDI packets with times.

Notes, controllers, programs, tempo, meter, key and names are taken, of MIDI 1.0 and 2.0 messages alike; each
group of 16 channels is a track.
Source: MIDI Clip File Specification M2-116-U; Universal MIDI Packet M2-104-UM.
"""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict

from lakhnes.bridge.smf import (
    MAX_EVENTS,
    MAX_NAME_BYTES,
    BrokenFileError,
    ControlChange,
    MidiFile,
    NoteMessage,
    Track,
)

MAGIC = b"SMF2CLIP"

_WORDS = (1, 1, 1, 2, 2, 4, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4)
"""32-bit words of a packet of each message type."""

_USUAL_DIVISION = 96
_DELTA_TICKS, _TICKS_PER_BEAT = 4, 3
_START_OF_CLIP, _END_OF_CLIP = 0x20, 0x21
_SET_UP, _METADATA = 0, 1  # banks of flex data
_NAMES = (0x01, 0x02, 0x03)  # of project, composition, clip


class _ClipReader:
    """The state of reading one clip."""

    def __init__(self) -> None:
        self.tracks: defaultdict[int, Track] = defaultdict(Track)
        self.conductor = Track()
        self.division = _USUAL_DIVISION
        self.ticks = 0
        self.over = False

    def utility(self, word: int) -> None:
        status, value = word >> 20 & 15, word & 0xFFFFF
        if status == _DELTA_TICKS:
            self.ticks += value
        elif status == _TICKS_PER_BEAT and value & 0x7FFF:
            self.division = value & 0x7FFF

    def stream(self, word: int) -> None:
        status = word >> 16 & 0x3FF
        if status == _START_OF_CLIP:
            self.ticks = 0
        self.over = status == _END_OF_CLIP

    def voice_1(self, word: int) -> None:
        """A MIDI 1.0 message."""
        status, one, two = word >> 20 & 15, word >> 8 & 127, word & 127
        self._voice(word, status, one, two if status != 8 else 0, bent=two != 64 or one != 0)

    def voice_2(self, word: int, value: int) -> None:
        """A MIDI 2.0 message; its values of 16 and 32 bits are scaled down to 7."""
        status, one = word >> 20 & 15, word >> 8 & 127
        two = value >> 25
        if status == 9:
            two = max(1, two)  # velocity 0 is a note here
        elif status == 8:
            two = 0
        elif status == 12:
            one = value >> 24 & 127
            if word & 1:  # it says its bank too
                self._voice(word, 11, 0, value >> 8 & 127, bent=False)
        self._voice(word, 14 if status == 6 else status, one, two, bent=value != 1 << 31)

    def _voice(self, word: int, status: int, one: int, two: int, *, bent: bool) -> None:
        track, channel = self.tracks[word >> 24 & 15], word >> 16 & 15
        track.end = self.ticks
        if status in (8, 9):
            track.notes.append(NoteMessage(self.ticks, channel, one, two))
        elif status == 11:
            track.controls.append(ControlChange(self.ticks, channel, one, two))
        elif status == 12:
            track.programs.append((self.ticks, channel, one))
        elif status == 14 and bent:
            track.bent.add(channel)

    def flex(self, words: array[int]) -> None:
        """Tempo, meter, key or name."""
        bank, status = words[0] >> 8 & 255, words[0] & 255
        if bank == _SET_UP and status == 0 and words[1]:
            self.conductor.tempi.append((self.ticks, max(1, round(words[1] / 100))))
        elif bank == _SET_UP and status == 1 and words[1] >> 24:
            self.conductor.signatures.append((self.ticks, words[1] >> 24, 1 << min(words[1] >> 16 & 255, 7)))
        elif bank == _SET_UP and status == 5:
            self._key(words[1] >> 28, words[1] >> 24 & 15)
        elif bank == _METADATA and status in _NAMES and self.ticks == 0:
            text = b"".join(word.to_bytes(4) for word in words[1:]).replace(b"\0", b"")
            track = self.tracks[words[0] >> 24 & 15]
            if len(track.name) < MAX_NAME_BYTES:
                track.name += text.decode("utf-8", "replace")

    def _key(self, sharps: int, tonic: int) -> None:
        """A key: sharps, of 4 bits with a sign, and its tonic, 1 for A to 7 for G; others say no mode."""
        sharps -= 16 if sharps > 7 else 0
        if -7 <= sharps <= 7:
            letters = "FCGDAEB"
            minor = 1 <= tonic <= 7 and letters[(sharps + 4) % 7] == "ABCDEFG"[tonic - 1]
            self.conductor.keys.append((self.ticks, sharps, minor))


def parse(data: bytes) -> MidiFile:
    """Reads the content of a clip file.

    Raises:
        BrokenFileError: if it is cut off before any note.
    """
    body = data[len(MAGIC) :]
    words = array("I", body[: len(body) // 4 * 4])
    if words.itemsize != 4:
        raise BrokenFileError("a MIDI clip file, which this machine cannot read")
    if sys.byteorder == "little":
        words.byteswap()
    reader = _ClipReader()
    place = 0
    while place < len(words) and not reader.over:
        kind = words[place] >> 28
        packet = words[place : place + _WORDS[kind]]
        place += len(packet)
        if len(packet) < _WORDS[kind]:
            break
        if kind == 0:
            reader.utility(packet[0])
        elif kind == 2:
            reader.voice_1(packet[0])
        elif kind == 4:
            reader.voice_2(packet[0], packet[1])
        elif kind == 13:
            reader.flex(packet)
        elif kind == 15:
            reader.stream(packet[0])
    reader.conductor.end = reader.ticks
    tracks = (reader.conductor, *(reader.tracks[group] for group in sorted(reader.tracks)))
    if sum(track.n_events for track in tracks) > MAX_EVENTS:
        raise BrokenFileError(f"more than {MAX_EVENTS:,} events; give a shorter piece")
    remarks = () if reader.over or not words else ("The clip is cut off; what comes after is missing.",)
    return MidiFile(1, reader.division, tracks, remarks)


__all__ = ["MAGIC", "parse"]
