"""Sound in files: WAV and FLAC, mono, stereo or a file for each voice.

Level: the chip's output, 0 to 1, is multiplied by a fixed gain at which all four voices at full volume just
do not clip; so every song comes out as loud as the console plays it beside the others. A song that would clip
even so, as loud samples on the DMC can make it, is rendered anew and turned down as a whole to -1 dBFS.

The console's mixer is not linear: voices that sound together are a little softer than the sum of each alone.
A stem is a voice alone, as the console would play it if the others were silent; so stems added up are a
little louder than the mono file. Stereo is made of the voices alone as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.register_log import RegisterLog
from lakhnes.apu.render import CHANNELS, Filters, Mixer, Samples, render
from lakhnes.runtime.errors import MusicError, OptionError

_Result = TypeVar("_Result")

SOUND_RATES = (44_100, 48_000, 96_000)
"""Sample rates of sound files, in Hz."""

BIT_DEPTHS = (16, 24)

SOUND_FORMATS = {".wav": "WAV", ".flac": "FLAC"}
"""Endings of file names, and what they mean."""

SPREAD = {"P1": -0.3, "P2": 0.3}
"""Places of channels that make a song wide and leave its bass and drums in the middle."""

_WAV_LIMIT = 0xFFFF_0000  # bytes; what is longer needs 64-bit sizes
_CEILING = 10 ** (-1 / 20)  # -1 dBFS

REFERENCE_GAIN = 1.35
"""What the chip's output is multiplied by: its four voices reach 0.632, and filters add 16 % at most."""

LOUDER_ALONE = 1.145
"""How much the four voices alone add up to at most, beside what the mixer makes of them together."""

MAX_SECONDS = 4 * 3600
"""Longest song that becomes a sound file."""


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """How a sound file is made.

    Raises:
        OptionError: for a setting out of range.
    """

    sample_rate: int = 44_100
    """One of `SOUND_RATES`."""
    bits: int = 16
    """One of `BIT_DEPTHS`."""
    mixer: Mixer = Mixer.HARDWARE
    filters: Filters = Filters.NES
    pan: Mapping[str, float] | None = None
    """Place of each channel from -1 (left) to 1 (right), 0 for those not named; None for a mono file."""
    volumes: Mapping[str, float] | None = None
    """How loud each channel is, 0..1, 1 for those not named: each is mixed alone, as in stereo. None for the
    console's own mix."""
    stem: str | None = None
    """A channel that is heard alone."""
    normalize: bool = False
    """Whether the loudest sample comes to -1 dBFS."""
    fade_seconds: float = 0.0
    """How long the end fades out."""

    def __post_init__(self) -> None:
        if self.sample_rate not in SOUND_RATES:
            rates = ", ".join(map(str, SOUND_RATES))
            raise OptionError(f"A sound file of {self.sample_rate} Hz is not made; give one of {rates}.")
        if self.bits not in BIT_DEPTHS:
            raise OptionError(f"A sound file of {self.bits} bits is not made; give 16 or 24.")
        for channel, place in (self.pan or {}).items():
            if channel not in CHANNELS:
                raise OptionError(f"There is no channel {channel!r} to pan; give {', '.join(CHANNELS)}.")
            if not -1 <= place <= 1:
                raise OptionError(f"{channel} cannot be panned to {place}; give -1 (left) to 1 (right).")
        for channel, volume in (self.volumes or {}).items():
            if channel not in CHANNELS or not 0 <= volume <= 1:
                raise OptionError(
                    f"{channel} cannot have volume {volume}; give {', '.join(CHANNELS)} 0 to 1."
                )
        if self.stem is not None and self.stem not in CHANNELS:
            raise OptionError(f"There is no channel {self.stem!r}; give {', '.join(CHANNELS)}.")
        if not 0 <= self.fade_seconds <= 3600:
            raise OptionError(f"The end cannot fade for {self.fade_seconds:g} s; give 0 to 3600.")

    @property
    def channels(self) -> int:
        """1 for mono, 2 for stereo."""
        return 1 if self.pan is None or self.stem is not None else 2

    @property
    def mixes_alone(self) -> bool:
        """Whether voices are rendered one by one and added up."""
        return self.stem is None and (self.pan is not None or self.volumes is not None)


def write_sound(
    file: BinaryIO,
    log: RegisterLog,
    settings: SoundSettings,
    *,
    file_format: str = "WAV",
    progress: Callable[[float], None] = lambda part: None,
) -> None:
    """Renders a log into a file, block by block, in as much memory as a block takes.

    Args:
        file: to write to, from its start; seekable.
        log: what is played.
        settings: how.
        file_format: `WAV` or `FLAC`.
        progress: takes how much is done, 0..1.

    Raises:
        MusicError: for a song of more than `MAX_SECONDS`.
        OSError: if the file takes no more.
    """
    if log.seconds > MAX_SECONDS:
        hours = MAX_SECONDS // 3600
        raise MusicError(
            f"{log.seconds / 3600:.1f} hours are too long for a sound file ({hours} at most). Cut the song."
        )
    frames = log.frames(settings.sample_rate)
    if file_format == "WAV" and frames * settings.channels * settings.bits // 8 > _WAV_LIMIT:
        file_format = "RF64"
    tell = _rising(progress)
    if settings.normalize:
        gain = 1.0
        peak = _play(log, settings, gain, lambda block: None, lambda part: tell(part / 2))
    else:
        gain = REFERENCE_GAIN / (LOUDER_ALONE if settings.mixes_alone else 1.0)
        with _opened(file, settings, file_format) as write:
            peak = _play(log, settings, gain, write, tell)
        if peak <= 1:
            return
        file.seek(0)  # it would clip, so what was written goes
        file.truncate()
    with _opened(file, settings, file_format) as write:
        _play(log, settings, gain * _CEILING / (peak or 1), write, lambda part: tell((1 + part) / 2))


def _rising(progress: Callable[[float], None]) -> Callable[[float], None]:
    """Progress that waits rather than going back."""
    most = 0.0

    def tell(part: float) -> None:
        nonlocal most
        most = max(most, part)
        progress(most)

    return tell


def _play(
    log: RegisterLog,
    settings: SoundSettings,
    gain: float,
    write: Callable[[Samples], None],
    progress: Callable[[float], None],
) -> float:
    """Renders a log once and writes it, unless a sample is beyond 1: from there on it is only measured.

    Args:
        log: what is played.
        settings: how.
        gain: what samples are multiplied by.
        write: takes blocks float32 [frames, channels], -1..1.
        progress: takes how much is done, 0..1.

    Returns:
        The loudest sample; of a stem, that of the loudest voice, as all stems get one gain.
    """
    frames = log.frames(settings.sample_rate)
    heard = [CHANNELS.index(settings.stem)] if settings.stem is not None else slice(None)
    done, peak = 0, 0.0
    for block in _blocks(log, settings):
        block = block * (gain * _fade(settings, frames, done, len(block)))[:, None]
        peak = max(peak, float(block.max(initial=0)), -float(block.min(initial=0)))
        if peak <= 1:
            write(block[:, heard])
        done += len(block)
        progress(done / max(1, frames))
    return peak


@contextmanager
def _opened(file: BinaryIO, settings: SoundSettings, file_format: str) -> Iterator[Callable[[Samples], None]]:
    """What writes blocks into a sound file, float32 [frames, channels]."""
    import soundfile

    sink = _Sink(file)
    with (
        sink.trouble(),
        soundfile.SoundFile(
            sink,
            "w",
            samplerate=settings.sample_rate,
            channels=settings.channels,
            format=file_format,
            subtype=f"PCM_{settings.bits}",
        ) as sound,
    ):

        def write(block: Samples) -> None:
            sound.write(_whole(block, settings.bits))
            sink.check()

        yield write


class _Sink:
    """A file that libsndfile writes to; it keeps what goes wrong, as nothing can be raised through C."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raises what went wrong."""
        if self._error is not None:
            raise self._error

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Raises what went wrong, rather than what libsndfile makes of it."""
        try:
            yield
        except Exception:
            self.check()
            raise
        self.check()

    def write(self, data: bytes) -> int:
        """Writes, or says that it did."""
        self._do(lambda: self._file.write(data))
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Reads."""
        return self._do(lambda: self._file.read(size)) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Moves."""
        return self._do(lambda: self._file.seek(offset, whence)) or 0

    def tell(self) -> int:
        """Where it is."""
        return self._do(self._file.tell) or 0

    def _do(self, action: Callable[[], _Result]) -> _Result | None:
        if self._error is None:
            try:
                return action()
            except BaseException as error:  # also an interruption
                self._error = error
        return None


def plays_samples(log: RegisterLog) -> bool:
    """Whether the DMC's level ever changes."""
    starts = (log.values[log.registers == 0x15] & 0x10).any()
    return bool(starts) or len(np.unique(log.values[log.registers == 0x11] & 0x7F)) > 1


def _whole(block: Samples, bits: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Samples from -1 to 1 as whole numbers, those of 24 bits in the upper part of 32."""
    if bits == 16:
        return np.rint(block * 32_767).astype(np.int16)
    return np.rint(block.astype(np.float64) * 8_388_607).astype(np.int32) << 8


def _fade(settings: SoundSettings, frames: int, start: int, count: int) -> NDArray[np.float32]:
    """The fade of a block, float32 [count] or [1]."""
    length = min(frames, round(settings.fade_seconds * settings.sample_rate))
    if start + count <= frames - length or not length:
        return np.ones(1, np.float32)
    left = (frames - start - np.arange(count)) / length
    return np.clip(left, 0, 1).astype(np.float32)


def _blocks(log: RegisterLog, settings: SoundSettings) -> Iterator[Samples]:
    """Blocks float32 [frames, channels]; for a stem [frames, 5], all voices."""
    blocks = render(
        log,
        sample_rate=settings.sample_rate,
        mixer=settings.mixer,
        filters=settings.filters,
        separate=settings.mixes_alone or settings.stem is not None,
    )
    volumes = np.array([(settings.volumes or {}).get(channel, 1.0) for channel in CHANNELS], np.float32)
    if settings.stem is not None:
        return (block.T * volumes for block in blocks)
    if not settings.mixes_alone:
        return (block[:, None] for block in blocks)
    sides = np.ones((len(CHANNELS), 1), np.float32) if settings.pan is None else _sides(settings.pan)
    sides = sides * volumes[:, None]  # [5, channels]
    return (np.asarray(block.T @ sides) for block in blocks)


def _sides(pan: Mapping[str, float]) -> NDArray[np.float32]:
    """How loud each channel is on each side, float32 [5, 2]: full in the middle."""
    places = np.array([pan.get(name, 0.0) for name in CHANNELS])
    return np.stack([np.minimum(1, 1 - places), np.minimum(1, 1 + places)], 1).astype(np.float32)


def stems(log: RegisterLog, settings: SoundSettings) -> dict[str, SoundSettings]:
    """The settings of a file for each voice, and for the DMC where it is used."""
    names = [name for name in CHANNELS if name != "DM" or plays_samples(log)]
    return {name: replace(settings, stem=name) for name in names}
