"""How songs come onto the console's frames."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from support import scores, tune

from lakhnes.apu import PAL_CLOCK_HZ, MemoryBlock, RegisterLog, registers_of
from lakhnes.apu.console import frames_of, score_on_frames
from lakhnes.apu.console.frames import FASTER, MAX_WRITES, NTSC_FRAME_HZ, PAL_FRAME_HZ, SAMPLE_BYTES
from lakhnes.apu.console.packing import pack
from lakhnes.runtime import BeatGrid, Kind, Note, Part, Score, Voice
from lakhnes.runtime.time.quantise import retimed

FRAME = 735


def log_of(writes: list[tuple[int, int, int]], length: int, **fields: object) -> RegisterLog:
    samples, registers, values = np.array(sorted(writes, key=lambda w: w[0]), np.int64).reshape(-1, 3).T
    return RegisterLog(
        samples,
        registers.astype(np.uint8),
        values.astype(np.uint8),
        length,
        **fields,  # type: ignore[arg-type]
    )


@settings(max_examples=60)
@given(scores())
def test_every_moment_lies_on_a_frame(score: Score) -> None:
    moved, _ = score_on_frames(score)
    assert moved.length % FRAME == 0
    for part, before in zip(moved.parts, score.parts, strict=True):
        moments = (
            [n.onset for n in part.notes] + [n.end for n in part.notes] + [c.sample for c in part.changes]
        )
        assert all(moment % FRAME == 0 for moment in moments)
        assert len(part.notes) <= len(before.notes)
    again, _ = score_on_frames(moved)
    assert again == moved


@settings(max_examples=60)
@given(scores())
def test_moments_move_by_less_than_a_frame(score: Score) -> None:
    moved, _ = score_on_frames(score)
    onsets = {
        (voice, round(note.onset / FRAME) if on_frames(score) else round(note.onset * NTSC_FRAME_HZ / 44_100))
        for voice in Voice
        for note in score.parts[voice].notes
    }
    assert {(v, note.onset // FRAME) for v in Voice for note in moved.parts[v].notes} == onsets


def on_frames(score: Score) -> bool:
    return all(note.onset % FRAME == 0 for part in score.parts for note in part.notes)


def test_a_song_of_frames_keeps_them_and_is_faster() -> None:
    moved, remarks = score_on_frames(tune())
    assert [n.onset for n in moved.parts[0].notes] == [n.onset for n in tune().parts[0].notes]
    assert remarks == (FASTER,)


def test_another_song_keeps_its_tempo() -> None:
    score, _ = retimed(tune(), BeatGrid.steady(120), 101)
    moved, remarks = score_on_frames(score)
    assert remarks == ()
    assert moved.length / FRAME / NTSC_FRAME_HZ == pytest.approx(score.seconds, abs=0.009)


def test_bars_that_are_alike_stay_alike() -> None:
    grid = BeatGrid.steady(140)
    sixteenth = 120
    bar = [Note(grid.sample(b * 1920 + i * sixteenth), 2000, 60 + i) for b in range(8) for i in range(16)]
    score = Score((Part(tuple(bar)), Part(), Part(), Part()), grid.sample(8 * 1920))
    moved, _ = score_on_frames(score, grid)
    onsets = np.array([note.onset // FRAME for note in moved.parts[0].notes]).reshape(8, 16)
    assert len({tuple(row - row[0]) for row in onsets}) == 1
    plain = np.array([note.onset // FRAME for note in score_on_frames(score)[0].parts[0].notes]).reshape(
        8, 16
    )
    assert len({tuple(row - row[0]) for row in plain}) > 1
    assert np.abs(onsets - plain).max() <= 1
    size = {
        named: len(pack([frames_of(registers_of(song), on_frames=True)]).data)
        for named, song in (("bars", moved), ("plain", score_on_frames(score)[0]))
    }
    assert size["bars"] < size["plain"]


def test_notes_within_a_frame_yield_to_the_last() -> None:
    notes = (Note(10, 100, 60), Note(200, 100, 61), Note(350, 2000, 62))
    score = Score((Part(notes), Part(), Part(), Part()), 10_000)
    moved, remarks = score_on_frames(score)
    assert [(note.onset, note.pitch) for note in moved.parts[0].notes] == [(0, 62)]
    assert remarks == ("2 notes that are shorter than a frame of the console are left out.",)


@pytest.mark.parametrize("hz", [60, NTSC_FRAME_HZ])
def test_what_a_program_wrote_in_one_run_stays_in_a_frame(hz: float) -> None:
    rng = np.random.default_rng(1)
    runs = [
        [(r, int(v)) for r, v in zip(rng.permutation(8)[:4], rng.integers(0, 256, 4), strict=True)]
        for _ in range(900)
    ]
    writes = [
        (math.floor(300 + run * 44_100 / hz) + 9 * place, int(register), value)
        for run, some in enumerate(runs)
        for place, (register, value) in enumerate(some)
    ]
    frames = frames_of(log_of(writes, round(900 * 44_100 / hz)))
    held: dict[int, int] = {}
    for frame, run in zip(frames.frames, runs, strict=True):
        held.update(frame)
        assert all(held[register] == value for register, value in run)
    assert frames.remarks == ((FASTER,) if hz == 60 else ())


def test_a_console_of_europe_has_fifty_frames() -> None:
    writes = [(round(k * 44_100 / PAL_FRAME_HZ), 0x03, k % 8) for k in range(100)]
    frames = frames_of(log_of(writes, 88_200, clock_hz=PAL_CLOCK_HZ))
    assert frames.pal
    assert len(frames.frames) == 100
    assert list(frames.frames) == [((0x03, k % 8),) for k in range(100)]


def test_a_timer_that_the_sweep_unit_moves_is_always_written() -> None:
    writes = [
        (0, 0x01, 0x08),
        (0, 0x02, 5),
        (735, 0x02, 5),
        (1470, 0x01, 0x87),
        (1470, 0x02, 5),
        (2205, 0x02, 5),
    ]
    writes += [(2940, 0x01, 0x08), (2940, 0x02, 5), (3675, 0x02, 5)]
    frames = frames_of(log_of(writes, 4410))
    assert [len(frame) for frame in frames.frames] == [2, 0, 2, 1, 2, 0]


def test_levels_one_by_one_are_left_out() -> None:
    writes = [(k * 20, 0x11, k % 128) for k in range(441)]
    frames = frames_of(log_of(writes, 8820))
    assert sum(map(len, frames.frames)) == len(frames.frames)
    assert any(
        remark.endswith("levels that a program sent to the DMC one by one are left out.")
        for remark in frames.remarks
    )


def test_a_frame_has_no_end_of_writes() -> None:
    frames = frames_of(log_of([(0, 0x03, k % 8) for k in range(100)], 735))
    assert len(frames.frames[0]) == MAX_WRITES
    assert frames.remarks[-1] == "36 writes are left out: a frame of the console has no time for them."


def dmc(samples: list[bytes], repeats: int = 2) -> RegisterLog:
    """A log that plays samples one after the other, each from the same address."""
    writes, memory = [], []
    for number, sample in enumerate(samples * repeats):
        at = number * FRAME * 4
        memory.append(MemoryBlock(at, 0xC400, sample))
        writes += [(at, 0x12, 0x10), (at, 0x13, len(sample) >> 4), (at, 0x15, 0x0F), (at, 0x15, 0x1F)]
    return log_of(writes, len(samples) * repeats * FRAME * 4, memory=tuple(memory))


def test_samples_are_kept_once_and_found_again() -> None:
    rng = np.random.default_rng(1)
    samples = [rng.integers(0, 256, 16 * size + 1, np.uint8).tobytes() for size in (3, 10, 5)]
    frames = frames_of(dmc(samples))
    held = {0x12: 0, 0x13: 0}
    played = []
    for frame in frames.frames:
        for register, value in frame:
            held[register] = value
            if register == 0x15 and value & 0x10:
                start = 64 * held[0x12]
                played.append(frames.samples[start : start + 16 * held[0x13] + 1])
    assert played == samples * 2
    assert len(frames.samples) < 64 * 7


def test_samples_beyond_the_room_are_silent() -> None:
    samples = [bytes([number]) * 4081 for number in range(4)]
    frames = frames_of(dmc(samples, 1))
    assert len(frames.samples) <= SAMPLE_BYTES
    starts = [value for frame in frames.frames for register, value in frame if register == 0x15]
    assert [value & 0x10 > 0 for value in starts if value != 0x0F] == [True, True, True]
    assert (
        frames.remarks[-1] == f"The DMC has over {SAMPLE_BYTES} bytes of samples; of its sounds 1 are silent."
    )


def test_velocities_and_timbres_come_along() -> None:
    moved, _ = score_on_frames(tune())
    kinds = {change.kind for change in moved.parts[0].changes}
    assert kinds == {Kind.VELOCITY, Kind.TIMBRE}
