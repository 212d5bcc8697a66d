"""Sound in files: WAV, FLAC and Ogg Vorbis, mono, stereo or a file for each voice.

Level: the chip's output, 0 to 1, is multiplied by a fixed gain at which all four voices at full volume just
do not clip; so every song comes out as loud as the console plays it. A song that would clip
even so, as loud samples on the DMC can make it, is rendered again and turned down as a whole to -1 dBFS.

The console's mixer is not linear: voices that sound together are a little softer than the sum of each alone.
A stem is a voice alone, as the console would play it if the others were silent; so stems added up are a
little louder than the mono file. Stereo is made of the voices alone as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from lakhnes.apu.ogg_tags import with_comments
from lakhnes.apu.register_log import EXPANSIONS, RegisterLog
from lakhnes.apu.render import CHANNELS, Filters, Mixer, Samples, channels_of, render
from lakhnes.runtime.errors import MusicError, OptionError
from lakhnes.runtime.music.events import SAMPLE_RATE

_Result = TypeVar("_Result")

SOUND_RATES = (44_100, 48_000, 96_000)
"""Sample rates of sound files, in Hz."""

BIT_DEPTHS = (16, 24)

ALL_CHANNELS = (*CHANNELS, *EXPANSIONS)
"""Names of channels that settings may give; a chip of a cartridge counts as one."""

SOUND_FORMATS = {".wav": "WAV", ".flac": "FLAC", ".ogg": "OGG"}
"""Endings of file names, and what they mean."""

SPREAD = {"P1": -0.3, "P2": 0.3}
"""Places of channels that make a song wide and leave its bass and drums in the middle."""

_WAV_LIMIT = 0xFFFF_0000  # bytes; what is longer needs 64-bit sizes
_CEILING = 10 ** (-1 / 20)  # -1 dBFS

REFERENCE_GAIN = 1.35
"""Factor of the chip's output: its four voices reach 0.632, and filters add 16 % at most."""

LOUDER_ALONE = 1.145
"""Ratio of the summed voices to their console mix, at most."""

MAX_SECONDS = 4 * 3600
"""Longest song for a sound file, in seconds."""


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """Settings of a sound file.

    Raises:
        OptionError: for a setting out of range.
    """

    sample_rate: int = 44_100
    """One of `SOUND_RATES`."""
    bits: int = 24
    """One of `BIT_DEPTHS`. 16 are dithered."""
    mixer: Mixer = Mixer.HARDWARE
    filters: Filters = Filters.NES
    pan: Mapping[str, float] | None = None
    """Place of each channel from -1 (left) to 1 (right), 0 for those not named; None for a mono file."""
    volumes: Mapping[str, float] | None = None
    """How loud each channel is, 0..1, 1 for those not named: each is mixed alone, as in stereo. None for the
    console's own mix."""
    stem: str | None = None
    """The only channel to hear; None for all."""
    normalize: bool = False
    """Whether the loudest sample comes to -1 dBFS."""
    fade_seconds: float = 0.0
    """Length of the fade at the end."""

    def __post_init__(self) -> None:
        if self.sample_rate not in SOUND_RATES:
            rates = ", ".join(map(str, SOUND_RATES))
            raise OptionError(f"A sound file of {self.sample_rate} Hz is not made; give one of {rates}.")
        if self.bits not in BIT_DEPTHS:
            raise OptionError(f"A sound file of {self.bits} bits is not made; give 16 or 24.")
        for channel, place in (self.pan or {}).items():
            if channel not in ALL_CHANNELS:
                raise OptionError(f"There is no channel {channel!r} to pan; give {', '.join(ALL_CHANNELS)}.")
            if not -1 <= place <= 1:
                raise OptionError(f"{channel} cannot be panned to {place}; give -1 (left) to 1 (right).")
        for channel, volume in (self.volumes or {}).items():
            if channel not in ALL_CHANNELS or not 0 <= volume <= 1:
                raise OptionError(
                    f"{channel} cannot have volume {volume}; give {', '.join(ALL_CHANNELS)} 0 to 1."
                )
        if self.stem is not None and self.stem not in ALL_CHANNELS:
            raise OptionError(f"There is no channel {self.stem!r}; give {', '.join(ALL_CHANNELS)}.")
        if not 0 <= self.fade_seconds <= 3600:
            raise OptionError(f"The end cannot fade for {self.fade_seconds:g} s; give 0 to 3600.")

    @property
    def channels(self) -> int:
        """Return 1 for mono, 2 for stereo."""
        return 1 if self.pan is None or self.stem is not None else 2

    @property
    def mixes_alone(self) -> bool:
        """Return whether voices are rendered separately and summed."""
        return self.stem is None and (self.pan is not None or self.volumes is not None)


def write_sound(
    file: BinaryIO,
    log: RegisterLog,
    settings: SoundSettings,
    *,
    file_format: str = "WAV",
    progress: Callable[[float], None] = lambda part: None,
) -> None:
    """Render a log into a file, block by block, with the memory of one block.

    Args:
        file: to write to, from its start; seekable.
        log: what is played; the record among its texts becomes the file's comment.
        settings: how.
        file_format: one of the values of `SOUND_FORMATS`. `OGG` is Vorbis, which knows no bits; the loop of a
            log is in its comments LOOPSTART and LOOPLENGTH, in samples.
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
    if file_format == "OGG":
        whole = BytesIO()
        _write(whole, log, settings, file_format, progress)
        file.write(with_comments(whole.getvalue(), _loop_comments(log, settings.sample_rate)))
        return
    _write(file, log, settings, file_format, progress)


def _loop_comments(log: RegisterLog, sample_rate: int) -> dict[str, str]:
    """Return the comments that tell game engines where the loop lies."""
    if log.loop is None:
        return {}
    start = round(log.loop * sample_rate / SAMPLE_RATE)
    return {"LOOPSTART": str(start), "LOOPLENGTH": str(log.frames(sample_rate) - start)}


def _write(
    file: BinaryIO,
    log: RegisterLog,
    settings: SoundSettings,
    file_format: str,
    progress: Callable[[float], None],
) -> None:
    frames = log.frames(settings.sample_rate)
    if file_format == "WAV" and frames * settings.channels * settings.bits // 8 > _WAV_LIMIT:
        file_format = "RF64"
    tell = _rising(progress)
    if settings.normalize:
        gain = 1.0
        peak = _play(log, settings, gain, lambda block: None, lambda part: tell(part / 2))
    else:
        gain = log.gain * REFERENCE_GAIN / (LOUDER_ALONE if settings.mixes_alone else 1.0)
        with _opened(file, settings, file_format, log.tags.record) as write:
            peak = _play(log, settings, gain, write, tell)
        if peak <= 1:
            return
        file.seek(0)  # it would clip, so what was written goes
        file.truncate()
    with _opened(file, settings, file_format, log.tags.record) as write:
        _play(log, settings, gain * _CEILING / (peak or 1), write, lambda part: tell((1 + part) / 2))


def _rising(progress: Callable[[float], None]) -> Callable[[float], None]:
    """Return a progress callback that never goes back."""
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
    """Render a log once and write it; after a sample beyond 1, only measure it.

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
    heard = [channels_of(log).index(settings.stem)] if settings.stem is not None else slice(None)
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
def _opened(
    file: BinaryIO, settings: SoundSettings, file_format: str, comment: str
) -> Iterator[Callable[[Samples], None]]:
    """Yield the function that writes blocks into a sound file, float32 [frames, channels]."""
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
            subtype="VORBIS" if file_format == "OGG" else f"PCM_{settings.bits}",
        ) as sound,
    ):
        if comment:
            sound.comment = comment
        dither = _Dither(settings.channels)

        def write(samples: Samples) -> None:
            block: NDArray[Any] = samples
            if file_format != "OGG":
                block = _whole(block + dither.of(block) if settings.bits == 16 else block, settings.bits)
            sound.write(block)
            sink.check()

        yield write


class _Sink:
    """A file that libsndfile writes to; it keeps what goes wrong, as nothing can be raised through C."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._error: BaseException | None = None

    def check(self) -> None:
        """Raise the error that occurred, if any."""
        if self._error is not None:
            raise self._error

    @contextmanager
    def trouble(self) -> Iterator[None]:
        """Raise the original error rather than libsndfile's."""
        try:
            yield
        except Exception:
            self.check()
            raise
        self.check()

    def write(self, data: bytes) -> int:
        """Write data; after an error, only pretend to."""
        self._do(lambda: self._file.write(data))
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Read data."""
        return self._do(lambda: self._file.read(size)) or b""

    def seek(self, offset: int, whence: int = 0) -> int:
        """Move to another position."""
        return self._do(lambda: self._file.seek(offset, whence)) or 0

    def tell(self) -> int:
        """Return the position."""
        return self._do(self._file.tell) or 0

    def _do(self, action: Callable[[], _Result]) -> _Result | None:
        if self._error is None:
            try:
                return action()
            except BaseException as error:  # also an interruption
                self._error = error
        return None


def plays_samples(log: RegisterLog) -> bool:
    """Return whether the DMC's level ever changes."""
    starts = (log.values[log.registers == 0x15] & 0x10).any()
    return bool(starts) or len(np.unique(log.values[log.registers == 0x11] & 0x7F)) > 1


class _Dither:
    """Noise of a triangular distribution, two steps of 16 bits wide, that makes rounding errors a hiss.

    Without it they follow the signal, as distortion. It is the difference of each random number and the one
    before, which puts most of it where ears hear least. Silence stays silence.
    Source: Lipshitz, Wannamaker and Vanderkooy 1992, "Quantization and dither: a theoretical survey".
    """

    def __init__(self, channels: int) -> None:
        self._random = np.random.default_rng(0)  # so that a song gives the same file each time
        self._last = np.zeros((1, channels), np.float32)

    def of(self, block: Samples) -> Samples:
        """Return the noise for a block, float32 [frames, channels]."""
        drawn = np.concatenate([self._last, self._random.random(block.shape, np.float32)])
        self._last = drawn[-1:]
        return np.where(block == 0, np.float32(0), np.diff(drawn, axis=0) / np.float32(32_767))


def _whole(block: Samples, bits: int) -> NDArray[np.int16] | NDArray[np.int32]:
    """Return samples from -1 to 1 as integers; 24 bits in the upper part of 32."""
    if bits == 16:
        return np.clip(np.rint(block * 32_767), -32_768, 32_767).astype(np.int16)
    return np.rint(block.astype(np.float64) * 8_388_607).astype(np.int32) << 8


def _fade(settings: SoundSettings, frames: int, start: int, count: int) -> NDArray[np.float32]:
    """Return the fade of a block, float32 [count] or [1]."""
    length = min(frames, round(settings.fade_seconds * settings.sample_rate))
    if start + count <= frames - length or not length:
        return np.ones(1, np.float32)
    left = (frames - start - np.arange(count)) / length
    return np.clip(left, 0, 1).astype(np.float32)


def _blocks(log: RegisterLog, settings: SoundSettings) -> Iterator[Samples]:
    """Return blocks, float32 [frames, channels]; all channels for a stem."""
    blocks = render(
        log,
        sample_rate=settings.sample_rate,
        mixer=settings.mixer,
        filters=settings.filters,
        separate=settings.mixes_alone or settings.stem is not None,
    )
    channels = channels_of(log)
    volumes = np.array([(settings.volumes or {}).get(channel, 1.0) for channel in channels], np.float32)
    if settings.stem is not None:
        return (block.T * volumes for block in blocks)
    if not settings.mixes_alone:
        return (block[:, None] for block in blocks)
    places = np.array([(settings.pan or {}).get(channel, 0.0) for channel in channels])
    sides = np.ones((len(channels), 1), np.float32) if settings.pan is None else _sides(places)
    sides = sides * volumes[:, None]  # [channels, sides]
    return (np.asarray(block.T @ sides) for block in blocks)


def _sides(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the gains of channels at places -1..1, float32 [channels, 2]: 1 in the middle."""
    return np.stack([np.minimum(1, 1 - places), np.minimum(1, 1 + places)], 1).astype(np.float32)


def stems(log: RegisterLog, settings: SoundSettings) -> dict[str, SoundSettings]:
    """Return the settings of a file for each voice and chip, and for the DMC if it plays."""
    names = [name for name in channels_of(log) if name != "DM" or plays_samples(log)]
    return {name: replace(settings, stem=name) for name in names}
