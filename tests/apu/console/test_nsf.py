"""NSF files: on a 6502 they write, frame by frame, what the register log says."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nes_machines import Nsf, differing, log_frames, log_of_march, nsf_frames, nsf_frames_on_py65

from lakhnes.apu import Tags, instrument_names
from lakhnes.apu.console import frames_of, nsf_bytes, nsfe_bytes
from lakhnes.apu.console.frames import Frames
from lakhnes.runtime import MusicError

MOST_CYCLES = 6000
"""What a frame may take of the console's time, a fifth."""


@pytest.mark.parametrize("seed", range(20))
def test_a_song_writes_what_the_log_says(seed: int) -> None:
    log = log_of_march(12, seed, instrument_names()[seed % len(instrument_names())])
    song = frames_of(log)
    frames, longest = nsf_frames(nsf_bytes([song]), len(song.frames))
    assert differing(frames, log_frames(log, len(song.frames))) == []
    assert longest < MOST_CYCLES


def test_two_processors_write_the_same() -> None:
    log = log_of_march(6, 3, "lead")
    data = nsf_bytes([frames_of(log)])
    assert nsf_frames_on_py65(data, 360) == nsf_frames(data, 360)[0]


def test_a_loop_goes_on_for_ever() -> None:
    log = replace(log_of_march(8, 1, "arcade"), loop=735 * 100)
    inside = log.samples < log.length  # what ends the notes is not heard where the song goes on
    log = replace(
        log, samples=log.samples[inside], registers=log.registers[inside], values=log.values[inside]
    )
    song = frames_of(log)
    n_frames = len(song.frames)
    frames, _ = nsf_frames(nsf_bytes([song]), n_frames + 2 * (n_frames - 100))
    assert differing(frames, log_frames(log.unrolled(3), len(frames))) == []


def test_a_song_that_ends_stays_silent() -> None:
    log = log_of_march(3, 1, "plain")
    song = frames_of(log)
    frames, _ = nsf_frames(nsf_bytes([song]), len(song.frames) + 300)
    assert {write for frame in frames[len(song.frames) :] for write in frame} == {(0x15, 0)}


def test_an_album_has_all_its_songs() -> None:
    logs = [log_of_march(4 + number, number, "lead") for number in range(5)]
    songs = [replace(frames_of(log), tags=Tags(f"Song {number}")) for number, log in enumerate(logs)]
    data = nsf_bytes(songs, Tags("Album", author="Ada", licence="CC0"))
    nsf = Nsf(data)
    assert (nsf.n_songs, nsf.title, nsf.author, nsf.licence) == (5, "Album", "Ada", "CC0")
    for number, (log, song) in enumerate(zip(logs, songs, strict=True)):
        frames, _ = nsf_frames(data, len(song.frames), number)
        assert differing(frames, log_frames(log, len(song.frames))) == []
    alone = [len(nsf_bytes([song])) for song in songs]
    assert len(data) < sum(alone)


writes = st.tuples(
    st.integers(0, 0x17).filter(lambda r: r not in (0x09, 0x0D, 0x14, 0x16)), st.integers(0, 255)
)


@settings(max_examples=25)
@given(
    st.lists(st.lists(writes, max_size=5).map(tuple), min_size=1, max_size=300),
    st.integers(0, 400),
    st.booleans(),
)
def test_any_frames_come_back(frames: list[tuple[tuple[int, int], ...]], loop: int, again: bool) -> None:
    body = frames * (3 if again else 1)
    song = Frames(tuple(body), loop if loop < len(body) else None)
    played, _ = nsf_frames(nsf_bytes([song]), len(body))
    assert played == [list(frame) for frame in body]


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of NSFe data."""
    found, place = {}, 0
    while place < len(data):
        size, name = struct.unpack_from("<I4s", data, place)
        found[name] = data[place + 8 : place + 8 + size]
        place += 8 + size
    return found


def test_the_header_names_the_song_and_its_length() -> None:
    tags = Tags("A very long title of a song that has no end, ä", author="Zoë", licence="CC BY 4.0")
    song = replace(frames_of(log_of_march(5, 1, "plain")), tags=tags)
    for looped in (song, replace(song, loop=100)):
        nsf = Nsf(nsf_bytes([looped]))
        assert nsf.title == tags.title[:31]
        assert (nsf.author, nsf.licence) == ("Zoë", "CC BY 4.0")
        assert (nsf.ntsc_us, nsf.pal_us, nsf.pal) == (16639, 0, 0)
        told = chunks(nsf.rest)
        assert [*told][-1] == b"NEND"
        assert told[b"auth"].decode().split("\0")[:3] == [tags.title, "Zoë", "CC BY 4.0"]
        assert told[b"tlbl"].decode() == tags.title + "\0"
        frames = len(song.frames) + (0 if looped.loop is None else len(song.frames) - 100)
        assert struct.unpack("<I", told[b"time"])[0] == round(1000 * frames / 60.0988139)
        assert struct.unpack("<I", told[b"fade"])[0] == (0 if looped.loop is None else 5000)


def test_nsfe_holds_the_same() -> None:
    song = frames_of(log_of_march(5, 1, "plain"))
    nsf, data = Nsf(nsf_bytes([song, song])), nsfe_bytes([song, song])
    assert data[:4] == b"NSFE"
    told = chunks(data[4:])
    load, init, play, pal, extra, count, first = struct.unpack("<HHHBBBB", told[b"INFO"])
    assert (load, init, play, pal, extra, count, first) == (nsf.load, nsf.init, nsf.play, 0, 0, 2, 0)
    assert told[b"DATA"] == nsf.program
    assert tuple(told[b"BANK"]) == nsf.windows
    assert chunks(nsf.rest).items() <= told.items()


def test_too_much_is_an_error() -> None:
    song = Frames(((),))
    with pytest.raises(MusicError, match="256 songs are too many"):
        nsf_bytes([song] * 256)
    with pytest.raises(MusicError, match="Europe and of America"):
        nsf_bytes([song, replace(song, pal=True)])
    rng = np.random.default_rng(1)
    noise = rng.integers(0, 256, (10_000, 60)).tolist()
    with pytest.raises(MusicError, match="too long for one file"):
        nsf_bytes([Frames(tuple(tuple((0, value) for value in frame) for frame in noise))])
