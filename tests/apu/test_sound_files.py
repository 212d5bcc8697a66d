from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from support import tune

from lakhnes.apu import (
    Filters,
    RegisterLog,
    SoundSettings,
    registers_of,
    render,
    sound_files,
    stems,
    write_sound,
)
from lakhnes.apu.sound_files import MAX_SECONDS, REFERENCE_GAIN, plays_samples
from lakhnes.runtime import MusicError, Note, OptionError, Part, Score

LOG = registers_of(tune())


def written(
    log: RegisterLog, settings: SoundSettings, **options: str
) -> tuple[np.ndarray, soundfile.SoundFile]:
    file = BytesIO()
    write_sound(file, log, settings, **options)
    file.seek(0)
    sound = soundfile.SoundFile(file)
    return sound.read(always_2d=True), sound


@pytest.mark.parametrize("file_format", ["WAV", "FLAC"])
@pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
@pytest.mark.parametrize("bits", [16, 24])
def test_files_say_what_was_asked_and_hold_the_sound(file_format: str, rate: int, bits: int) -> None:
    sound, info = written(LOG, SoundSettings(sample_rate=rate, bits=bits), file_format=file_format)
    assert (info.format, info.samplerate, info.subtype, info.channels) == (
        file_format,
        rate,
        f"PCM_{bits}",
        1,
    )
    expected = np.concatenate(list(render(LOG, sample_rate=rate))) * REFERENCE_GAIN
    assert len(sound) == len(expected) == -(-LOG.length * rate // 44_100)
    np.testing.assert_allclose(sound[:, 0], expected, atol=(3 if bits == 16 else 1) * 2.0 ** (1 - bits))


def test_dither_makes_rounding_a_hiss() -> None:
    """A quiet pulse in 16 bits: its error has no lines, is even, and is the same each time."""
    settings = SoundSettings(bits=16, volumes=dict.fromkeys(("P1", "P2", "TR", "NO"), 0.001))
    score = Score((Part((Note(0, 4 * 44_100, 69),)), Part(), Part(), Part()), 5 * 44_100)
    log = registers_of(score)
    coarse, _ = written(log, settings)
    fine, _ = written(log, replace(settings, bits=24))
    error = (coarse - fine)[4410 : 4 * 44_100, 0] * 32_768
    assert 0.4 < error.std() < 0.65  # a step's own 0.29, and the noise's 0.41
    power = np.abs(np.fft.rfft(error * np.hanning(len(error)))) ** 2
    assert power[100:].max() < 30 * power[100:].mean()
    assert abs(np.corrcoef(error, fine[4410 : 4 * 44_100, 0])[0, 1]) < 0.02
    assert not coarse[int(4.5 * 44_100) :].any()  # silence stays silence
    np.testing.assert_array_equal(written(log, settings)[0], coarse)


def test_a_files_own_level_counts() -> None:
    whole, half = (written(replace(LOG, gain=gain), SoundSettings())[0] for gain in (1.0, 0.5))
    np.testing.assert_allclose(half, whole / 2, atol=1e-6)


def test_stereo_puts_voices_where_they_are_panned() -> None:
    sound, _ = written(LOG, SoundSettings(pan={"P1": -1.0, "P2": 1.0}))
    voices = np.concatenate(list(render(LOG, separate=True)), 1) * REFERENCE_GAIN / 1.145
    np.testing.assert_allclose(sound[:, 0], voices[[0, 2, 3]].sum(0), atol=1e-4)
    np.testing.assert_allclose(sound[:, 1], voices[[1, 2, 3]].sum(0), atol=1e-4)


def test_volumes_are_factors_of_the_voices_alone() -> None:
    whole, _ = written(LOG, SoundSettings(volumes={}))
    without, _ = written(LOG, SoundSettings(volumes={"P1": 0.0}))
    half, _ = written(LOG, SoundSettings(volumes={"P1": 0.5}))
    assert np.abs(whole - without).max() > 0.01
    np.testing.assert_allclose(half, (whole + without) / 2, atol=2e-4)
    with pytest.raises(OptionError, match="P1 cannot have volume 2"):
        SoundSettings(volumes={"P1": 2.0})


def test_stems_are_the_voices_alone() -> None:
    each = stems(LOG, SoundSettings())
    assert list(each) == ["P1", "P2", "TR", "NO"]
    voices = np.concatenate(list(render(LOG, separate=True)), 1) * REFERENCE_GAIN
    for voice, settings in zip(voices, each.values(), strict=False):
        np.testing.assert_allclose(written(LOG, settings)[0][:, 0], voice, atol=1e-4)


def loud(seconds: int, start: int = 0) -> RegisterLog:
    """Both pulses at full volume; from some second on the DMC's level thrown from end to end."""
    rows = [
        (0, r, v)
        for r, v in ((0x15, 15), (0, 0xBF), (1, 8), (2, 200), (3, 0), (4, 0xBF), (5, 8), (6, 201), (7, 0))
    ]
    rows += [(i * 150, 0x11, 127 * (i % 2)) for i in range(1 + start * 294, seconds * 294)]
    return log_of(rows, seconds * 44_100)


def log_of(rows: list[tuple[int, int, int]], length: int) -> RegisterLog:
    samples, registers, values = np.array(rows, np.int64).T
    return RegisterLog(samples, registers.astype(np.uint8), values.astype(np.uint8), length)


TOO_LOUD = (loud(3, 2), SoundSettings(filters=Filters.FLAT))
"""What would clip after two seconds."""


def as_rendered(log: RegisterLog, settings: SoundSettings) -> np.ndarray:
    """What a file would hold at the reference level, float32 [frames, channels]."""
    sound = np.concatenate(list(render(log, filters=settings.filters, separate=settings.pan is not None)), -1)
    if settings.pan is None:
        return sound[:, None] * REFERENCE_GAIN
    return np.stack([sound.sum(0)] * 2, 1) * (REFERENCE_GAIN / 1.145)


@pytest.fixture
def renders(monkeypatch: pytest.MonkeyPatch) -> list[RegisterLog]:
    """The logs that sound files are rendered from, as often as they are."""
    logs: list[RegisterLog] = []

    def counted(log: RegisterLog, **options: Any) -> Iterator[np.ndarray]:
        logs.append(log)
        return render(log, **options)

    monkeypatch.setattr(sound_files, "render", counted)
    return logs


@pytest.mark.parametrize("pan", [None, {"P1": 0.0}])
def test_a_song_with_samples_is_rendered_once_and_keeps_the_level(
    pan: dict[str, float] | None, renders: list[RegisterLog]
) -> None:
    log, settings = loud(2), SoundSettings(pan=pan)
    assert plays_samples(log)
    sound, _ = written(log, settings)
    assert len(renders) == 1
    assert 0.8 < np.abs(sound).max() < 1
    np.testing.assert_allclose(sound, as_rendered(log, settings), atol=1e-4)


@pytest.mark.parametrize("pan", [None, {"P1": 0.0}])
@pytest.mark.parametrize(("file_format", "bits"), [("WAV", 16), ("WAV", 24), ("FLAC", 16)])
def test_nothing_clips(
    pan: dict[str, float] | None, file_format: str, bits: int, renders: list[RegisterLog]
) -> None:
    log, settings = TOO_LOUD[0], replace(TOO_LOUD[1], pan=pan, bits=bits)
    expected = as_rendered(log, settings)
    peak = np.abs(expected).max()
    assert peak > 1
    assert np.abs(expected[: 1 << 16]).max() < 1, "so that something is written before it clips"
    sound, _ = written(log, settings, file_format=file_format)
    assert len(renders) == 2
    np.testing.assert_allclose(sound, expected * 10 ** (-1 / 20) / peak, atol=1e-4)


def test_what_was_written_too_loud_leaves_nothing_behind() -> None:
    files = BytesIO(), BytesIO()
    write_sound(files[0], *TOO_LOUD)
    write_sound(files[1], RegisterLog(*silence(), TOO_LOUD[0].length), TOO_LOUD[1])
    assert len(files[0].getvalue()) == len(files[1].getvalue())


def test_four_voices_at_full_volume_keep_the_level_and_do_not_clip() -> None:
    rows = [
        (0, r, v) for r, v in ((0x15, 15), (0, 0xBF), (1, 8), (2, 200), (3, 0), (4, 0xBF), (5, 8), (6, 254))
    ]
    rows += [
        (0, r, v) for r, v in ((7, 0), (8, 0xFF), (10, 255), (11, 0), (12, 0x3F), (14, 8), (15, 0), (0x10, 0))
    ]
    log = log_of(rows, 3 * 44_100)
    assert not plays_samples(log)
    sound, _ = written(log, SoundSettings())
    assert 0.5 < np.abs(sound).max() < 1
    np.testing.assert_allclose(sound[:, 0], np.concatenate(list(render(log))) * REFERENCE_GAIN, atol=1e-4)
    stereo, _ = written(log, SoundSettings(pan={}))
    assert np.abs(stereo).max() < 1
    assert stereo.std() == pytest.approx(sound.std(), rel=0.1)


def test_normalized_stems_keep_their_balance() -> None:
    plain = [written(LOG, s)[0] for s in stems(LOG, SoundSettings()).values()]
    loud_ones = [written(LOG, s)[0] for s in stems(LOG, SoundSettings(normalize=True)).values()]
    assert max(np.abs(stem).max() for stem in loud_ones) == pytest.approx(10 ** (-1 / 20), rel=1e-3)
    ratios = [a.std() / b.std() for a, b in zip(loud_ones, plain, strict=True)]
    assert ratios == [pytest.approx(ratios[0], rel=1e-2)] * 4


@pytest.mark.parametrize("file_format", ["WAV", "FLAC"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_what_stops_the_writing_comes_out(error: BaseException, file_format: str) -> None:
    class Stops(BytesIO):
        left = 3

        def write(self, data: object) -> int:
            self.left -= 1
            if self.left < 0:
                raise error
            return super().write(data)  # type: ignore[arg-type]

    with pytest.raises(type(error)):
        write_sound(Stops(), LOG, SoundSettings(), file_format=file_format)


def test_a_song_of_many_hours_is_refused() -> None:
    with pytest.raises(MusicError, match=r"13\.5 hours are too long for a sound file"):
        write_sound(BytesIO(), RegisterLog(*silence(), 2**31), SoundSettings())
    assert MAX_SECONDS < 2**31 / 44_100


@pytest.mark.parametrize("fade", [0.0, 1.0])
def test_normalizing_brings_the_loudest_sample_to_minus_1_db(fade: float) -> None:
    sound, _ = written(LOG, SoundSettings(normalize=True, fade_seconds=fade))
    assert np.abs(sound).max() == pytest.approx(10 ** (-1 / 20), rel=1e-3)


def test_the_end_fades() -> None:
    plain, _ = written(LOG, SoundSettings())
    faded, _ = written(LOG, SoundSettings(fade_seconds=1))
    np.testing.assert_array_equal(plain[:-44_100], faded[:-44_100])
    ramp = np.arange(44_100, 0, -1) / 44_100
    np.testing.assert_allclose(faded[-44_100:, 0], plain[-44_100:, 0] * ramp, atol=1e-4)
    assert not written(RegisterLog(*silence(), 0), SoundSettings(fade_seconds=1))[0].any()


def silence() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(0, np.int64), np.zeros(0, np.uint8), np.zeros(0, np.uint8)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (lambda: SoundSettings(sample_rate=7), "7 Hz is not made; give one of 44100"),
        (lambda: SoundSettings(bits=8), "give 16 or 24"),
        (lambda: SoundSettings(pan={"P1": float("nan")}), "P1 cannot be panned to nan; give -1"),
        (lambda: SoundSettings(pan={"P3": 0.0}), "no channel 'P3'"),
        (lambda: SoundSettings(stem="BASS"), "no channel 'BASS'"),
        (lambda: SoundSettings(fade_seconds=float("inf")), "cannot fade"),
    ],
)
def test_settings_out_of_range_are_refused(settings: Callable[[], SoundSettings], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        settings()


def test_an_hour_takes_no_more_memory_than_a_minute(tmp_path: Path) -> None:
    import tracemalloc

    def peak(minutes: int) -> int:
        log = RegisterLog(*silence(), minutes * 60 * 44_100)
        tracemalloc.start()
        with (tmp_path / "a.wav").open("wb") as file:
            write_sound(file, log, SoundSettings())
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)
    assert peak(60) < 1.05 * peak(1)


@pytest.mark.parametrize(
    ("log", "settings"), [(LOG, SoundSettings()), (LOG, SoundSettings(normalize=True)), TOO_LOUD]
)
def test_progress_goes_to_its_end(log: RegisterLog, settings: SoundSettings) -> None:
    told: list[float] = []
    write_sound(BytesIO(), log, settings, progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1
