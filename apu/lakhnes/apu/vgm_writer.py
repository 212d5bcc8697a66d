"""Writing VGM files, version 1.61.

Source: VGM specification 1.71 and GD3 specification 1.00 (vgmrips).
"""

from __future__ import annotations

import gzip
from dataclasses import replace
from math import log2
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.register_log import EXPANSIONS, NO_TAGS, RegisterLog
from lakhnes.apu.vgm import (
    CLOCK_AT,
    FDS_ADDRESSES,
    FDS_BIT,
    GD3_TEXTS,
    MAGIC,
    NES_RAM,
    TAG_MAGIC,
    VOLUME_AT,
    WAITS,
)
from lakhnes.runtime.errors import MusicError
from lakhnes.runtime.music.events import MAX_SAMPLES, SAMPLE_RATE

_FDS_REGISTERS = {address: register for register, address in FDS_ADDRESSES.items()}
_ONE_BYTE = {wait: bytes([command]) for command, wait in WAITS.items() if command < 0x80}
_SHORT_WAITS = {a + b: _ONE_BYTE[a] + _ONE_BYTE[b] for a in _ONE_BYTE for b in _ONE_BYTE} | _ONE_BYTE


def vgm_bytes(log: RegisterLog, *, compressed: bool = False) -> bytes:
    """Return a song as a VGM file of version 1.61; reading it back gives the same song.

    Args:
        log: any song; what lies in its memory after its end is left out, and so are chips other than the FDS.
        compressed: as a .vgz holds it.

    Raises:
        MusicError: if the song is longer than a file may be.
    """
    if log.length > MAX_SAMPLES:
        raise MusicError(
            f"A song of {log.seconds / 3600:.1f} hours is too long for a VGM file;"
            f" {MAX_SAMPLES // SAMPLE_RATE // 3600} hours at most."
        )
    header = bytearray(0xC0)
    commands, loop_at = _commands(log)
    tag = _tag_bytes(log)
    end = len(header) + len(commands)
    fields = {
        0x04: end + len(tag) - 0x04,
        0x08: 0x161,
        0x14: end - 0x14 if tag else 0,
        0x18: log.length,
        0x1C: 0 if log.loop is None else len(header) + loop_at - 0x1C,
        0x20: 0 if log.loop is None else log.length - log.loop,
        0x34: len(header) - 0x34,
        VOLUME_AT: round(32 * log2(log.gain)) & 0xFF,
        CLOCK_AT: log.clock_hz | (FDS_BIT if _disk_writes(log) is not None else 0),
    }
    header[:4] = MAGIC
    for place, value in fields.items():
        header[place : place + 4] = value.to_bytes(4, "little")
    data = bytes(header) + commands + tag
    return gzip.compress(data, mtime=0) if compressed else data


def _disk_writes(
    log: RegisterLog,
) -> tuple[NDArray[np.int64], NDArray[np.uint16], NDArray[np.uint8]] | None:
    """Return samples, addresses and values of the writes to the Disk System; None where there is none."""
    extra = log.expansion
    if extra is None or "FDS" not in extra.chips:
        return None
    ours = extra.numbers == EXPANSIONS.index("FDS")
    return extra.samples[ours], extra.addresses[ours], extra.values[ours]


def _commands(log: RegisterLog) -> tuple[bytes, int]:
    """Return all commands with their end mark, and the byte of the loop's start (0 without a loop)."""
    happens: list[tuple[int, int, bytes]] = [
        (sample, 2, bytes((0xB4, register, value)))
        for sample, register, value in zip(
            log.samples.tolist(), log.registers.tolist(), log.values.tolist(), strict=True
        )
    ]
    disk = _disk_writes(log)
    if disk is not None:
        happens += [
            (sample, 2, bytes((0xB4, _FDS_REGISTERS[address], value)))
            for sample, address, value in zip(*(array.tolist() for array in disk), strict=True)
        ]
    for block in log.memory:
        if block.sample <= log.length:
            size = (2 + len(block.data)).to_bytes(4, "little")
            content = size + block.address.to_bytes(2, "little") + block.data
            happens.append((block.sample, 1, bytes((0x67, 0x66, NES_RAM)) + content))
    if log.loop is not None:
        happens.append((log.loop, 0, b""))
    happens.sort(key=itemgetter(0, 1))
    out = bytearray()
    time = loop_at = 0
    for sample, order, command in [*happens, (log.length, 3, b"\x66")]:
        if sample > time:
            out += _wait(sample - time)
            time = sample
        if order == 0:
            loop_at = len(out)
        out += command
    return bytes(out), loop_at


def _wait(samples: int) -> bytes:
    """Return commands that wait for 1 sample or more."""
    long, rest = divmod(samples, 0xFFFF)
    last = _SHORT_WAITS.get(rest) or b"\x61" + rest.to_bytes(2, "little")
    return b"\x61\xff\xff" * long + (last if rest else b"")


def _tag_bytes(log: RegisterLog) -> bytes:
    """Return the GD3 tag; empty without texts."""
    tags = log.tags
    if tags == NO_TAGS:
        return b""
    notes = "\n".join(filter(None, (tags.notes or tags.licence, tags.record)))
    tags = replace(tags, notes=notes)
    texts = [getattr(tags, name) for name in GD3_TEXTS]
    content = "".join(text.replace("\0", "") + "\0" for text in texts).encode("utf-16-le", "replace")
    return TAG_MAGIC + (0x100).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content
