import json
from bisect import bisect_right
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.apu import transcribe
from lakhnes.apu.register_log import NTSC_CLOCK_HZ, PAL_CLOCK_HZ, RegisterLog, Tags
from lakhnes.apu.registers import RegisterMode, registers_of
from lakhnes.apu.tables import tables
from lakhnes.apu.transcribe import MAX_SECONDS, MOMENT_SAMPLES, score_of_registers
from lakhnes.apu.vgm import read_vgm
from lakhnes.bridge import read_midi
from lakhnes.runtime import SAMPLE_RATE, Change, FormatError, Kind, Note, Part, Score, Voice, read_text

A4 = 253  # timer of a pulse
QUARTER = 184  # samples to the first quarter frame


@pytest.fixture(autouse=True, scope="module")
def _tables():
    """The tables are made once, which takes longer than hypothesis lets a test take."""
    tables(NTSC_CLOCK_HZ)


def log_of(*writes, length=44_100, **fields):
    samples, registers, values = zip(*writes, strict=True) if writes else ((), (), ())
    return RegisterLog(
        np.array(samples, np.int64),
        np.array(registers, np.uint8),
        np.array(values, np.uint8),
        length,
        **fields,
    )


def read(*writes, length=44_100, moment_samples=MOMENT_SAMPLES, **fields):
    score, _ = score_of_registers(log_of(*writes, length=length, **fields), moment_samples=moment_samples)
    return score


def pulse(at=0, *, timer=A4, control=0xBF, sweep=0x08, length_index=0, first=0):
    high = length_index << 3 | timer >> 8
    values = (control, sweep, timer & 0xFF, high)
    return [(at, first + register, value) for register, value in enumerate(values)]


def triangle(at=0, *, timer=A4 // 2, control=0xFF, length_index=0):
    return [(at, 8, control), (at, 10, timer & 0xFF), (at, 11, length_index << 3 | timer >> 8)]


def noise(at=0, *, period=0, control=0x3F, mode=0, length_index=0):
    return [(at, 12, control), (at, 14, mode << 7 | period), (at, 15, length_index << 3)]


def frame(n, clock=1_789_773):
    """Sample of the n-th quarter frame of the 4-step sequence."""
    rounds, place = divmod(n - 1, 4)
    clocks = rounds * 29_830 + (7457, 14_913, 22_371, 29_829)[place]
    return -(-clocks * SAMPLE_RATE // clock)


def heard(part, end):
    """What sounds, as (start, end, pitch, velocity, timbre), with nothing cut that sounds the same."""
    velocities = [c for c in part.changes if c.kind is Kind.VELOCITY]
    timbres = [c for c in part.changes if c.kind is Kind.TIMBRE]
    pieces = []
    for note in part.notes:
        inside = [c.sample for c in part.changes if note.onset < c.sample < note.end]
        for start, stop in pairwise(sorted({note.onset, *inside, note.end})):
            louder = [c.value for c in velocities if note.onset < c.sample <= start]
            place = bisect_right([c.sample for c in timbres], start)
            piece = (
                start,
                stop,
                note.pitch,
                louder[-1] if louder else note.velocity,
                timbres[place - 1].value if place else 0,
            )
            if pieces and pieces[-1][1:] == (start, *piece[2:]):
                pieces[-1] = (pieces[-1][0], *piece[1:])
            else:
                pieces.append(piece)
            if pieces[-2:-1] and pieces[-2][1] == start and pieces[-2][2:] == piece[2:]:
                pieces[-2:] = [(pieces[-2][0], *pieces[-1][1:])]
    return [piece for piece in pieces if piece[0] < end]


def lasting(part):
    """Onset, end and pitch of the notes, those joined that touch with one pitch."""
    notes = []
    for note in part.notes:
        if notes and notes[-1][1:] == (note.onset, note.pitch):
            notes[-1] = (notes[-1][0], note.end, note.pitch)
        else:
            notes.append((note.onset, note.end, note.pitch))
    return notes


def without_low_a(score):
    """The score without pulse pitch 33, which legacy registers mute."""
    parts = [
        Part(tuple(replace(n, pitch=max(n.pitch, 34)) for n in p.notes), p.changes) for p in score.parts[:2]
    ]
    return Score((parts[0], parts[1], *score.parts[2:]), score.length)


def reads_back(score, mode, moment_samples):
    back, remarks = score_of_registers(registers_of(score, mode), moment_samples=moment_samples)
    assert remarks == ()
    assert back.length == score.length
    for voice in Voice:
        assert heard(back.parts[voice], score.length) == heard(score.parts[voice], score.length)
        assert [(n.onset, n.end, n.pitch) for n in back.parts[voice].notes] == lasting(score.parts[voice])


@given(scores(vocabulary=True))
def test_any_score_reads_back_from_legacy_registers(score):
    reads_back(without_low_a(score), RegisterMode.LEGACY, 1)


@given(scores(vocabulary=True))
def test_any_score_reads_back_from_improved_registers(score):
    reads_back(score, RegisterMode.IMPROVED, 1)


@given(scores(vocabulary=True, unit=MOMENT_SAMPLES))
def test_what_is_no_shorter_than_a_moment_reads_back_exactly(score):
    reads_back(without_low_a(score), RegisterMode.LEGACY, MOMENT_SAMPLES)


def test_a_tune_reads_back_whole():
    score = tune()
    assert score_of_registers(registers_of(score, RegisterMode.LEGACY)) == (score, ())


@pytest.mark.parametrize(
    ("voice", "low", "high"), [(Voice.P1, 34, 108), (Voice.P2, 34, 108), (Voice.TR, 21, 108)]
)
def test_every_pitch_and_step_reads_back(voice, low, high):
    rising = [*range(low, high + 1)]
    pitches = [
        *rising,
        *reversed(rising),
        *(p for pair in zip(rising, reversed(rising), strict=True) for p in pair),
    ]
    pitches = [p for p, after in zip(pitches, [*pitches[1:], None], strict=True) if p != after]
    notes = tuple(Note(i * 100, 100, pitch) for i, pitch in enumerate(pitches))
    parts = [Part(notes) if v is voice else Part() for v in Voice]
    score = Score((parts[0], parts[1], parts[2], parts[3]), 100 * len(notes))
    assert score_of_registers(registers_of(score, RegisterMode.LEGACY))[0] == score


def test_legacy_files_read_back(shared: Path):
    folder = shared / "fixtures/apu/tx"
    for path in sorted(folder.glob("*.txt")):
        score = read_text(path)
        if path.with_suffix(".vgm").exists():
            log = read_vgm(path.with_suffix(".vgm")).log
        else:
            content = json.loads((folder / f"{path.stem}.regs.json").read_text())
            log = log_of(*map(tuple, content["writes"]), length=content["nsamps"])
        back, _ = score_of_registers(log, moment_samples=1)
        assert back.length == score.length
        assert score.n_notes > 10
        for voice in Voice:
            # Pulses below 34 are silent or another pitch.
            low = [n for n in score.parts[voice].notes if voice < Voice.TR and n.pitch < 34]
            theirs, ours = (
                [h for h in heard(s.parts[voice], s.length) if not any(n.onset <= h[0] < n.end for n in low)]
                for s in (score, back)
            )
            assert ours == theirs


@pytest.mark.parametrize(("timer", "pitch"), [(A4, 69), (2047, 33), (8, 127), (7, None), (0, None)])
def test_the_pitch_of_a_pulse(timer, pitch):
    notes = read(*pulse(timer=timer)).parts[Voice.P1].notes
    assert [note.pitch for note in notes] == ([] if pitch is None else [pitch])


@pytest.mark.parametrize(("timer", "pitch"), [(126, 69), (2047, 21), (4, 125), (3, None), (0, None)])
def test_the_pitch_of_the_triangle(timer, pitch):
    part = read(*triangle(timer=timer)).parts[Voice.TR]
    assert part == (Part() if pitch is None else Part((Note(0, 44_100, pitch, 15),)))


def test_a_pal_machine_s_timers_are_slower():
    ntsc, pal = (read(*pulse(timer=A4), clock_hz=clock).parts[0] for clock in (1_789_773, PAL_CLOCK_HZ))
    assert (ntsc.notes[0].pitch, pal.notes[0].pitch) == (69, 68)


@pytest.mark.parametrize(("period", "mode"), [(0, 0), (15, 1), (5, 1)])
def test_the_noise(period, mode):
    part = read(*noise(period=period, mode=mode, control=0x37)).parts[Voice.NO]
    assert part.notes == (Note(0, 44_100, 16 - period, 7),)
    assert part.changes == ((Change(0, Kind.TIMBRE, 1),) if mode else ())


def test_duty_and_volume_of_a_pulse():
    part = read(*pulse(control=0xFA, first=4), (1000, 4, 0x35), (2000, 4, 0x30), (3000, 4, 0xB1)).parts[
        Voice.P2
    ]
    assert part.notes == (Note(0, 2000, 69, 10), Note(3000, 41_100, 69, 1))
    assert part.changes == (
        Change(0, Kind.TIMBRE, 3),
        Change(1000, Kind.VELOCITY, 5),
        Change(1000, Kind.TIMBRE, 0),
        Change(3000, Kind.TIMBRE, 2),
    )


def test_a_timbre_that_changes_in_silence_is_said_at_the_next_note():
    part = read(*pulse(control=0x3F), (1000, 0, 0xF0), (2000, 0, 0x70), (3000, 0, 0x7F)).parts[0]
    assert part.changes == (Change(3000, Kind.TIMBRE, 1),)
    assert read((0, 0, 0xFF), (500, 0, 0x3F)).parts[0] == Part()


def test_a_channel_that_is_switched_off():
    writes = [*pulse(), *triangle(), *noise(), (1000, 0x15, 0x0D), (2000, 0x15, 0x00), (3000, 0x15, 0x0F)]
    score = read(*writes, *pulse(4000, first=4), length=5000)
    assert [[(n.onset, n.end) for n in part.notes] for part in score.parts] == [
        [(0, 2000)],
        [(4000, 5000)],
        [(0, 2000)],
        [(0, 2000)],
    ]


def test_a_channel_that_is_off_takes_no_length():
    assert read((0, 0x15, 0), *pulse(), (10, 0x15, 1)).n_notes == 0


@pytest.mark.parametrize(("index", "half_frames"), [(3, 2), (0, 10), (1, 254)])
@pytest.mark.parametrize("voice", list(Voice))
def test_the_length_counter(voice, index, half_frames):
    sets = {
        Voice.P1: pulse(control=0x9F, length_index=index),
        Voice.P2: pulse(control=0x9F, length_index=index, first=4),
        Voice.TR: triangle(control=0x7F, length_index=index),
        Voice.NO: noise(control=0x1F, length_index=index),
    }
    linear = 128 if voice is Voice.TR else 10**9  # the linear counter ends long notes first
    end = frame(min(2 * half_frames, linear))
    notes = read(*sets[voice], length=200_000).parts[voice].notes
    assert [(note.onset, note.end) for note in notes] == [(0, end)]


def test_a_halted_length_counter_goes_on_where_it_was():
    writes = [*pulse(control=0x9F, length_index=3), (frame(2) + 1, 0, 0xBF), (20_000, 0, 0x9F)]
    (note,) = read(*writes).parts[0].notes
    assert 20_000 < note.end <= 20_000 + 368


@pytest.mark.parametrize("counter", [1, 24, 127])
def test_the_linear_counter(counter):
    (note,) = read(*triangle(control=counter, length_index=1)).parts[Voice.TR].notes
    assert note.end == frame(counter + 1)


def test_a_held_linear_counter_is_reloaded_until_it_is_let_go():
    (note,) = read(*triangle(control=0x85), (10_000, 8, 0x80)).parts[Voice.TR].notes
    assert 10_000 < note.end <= 10_000 + QUARTER
    (note,) = read(*triangle(control=0x85), (10_000, 8, 0x05)).parts[Voice.TR].notes
    assert 10_000 + 5 * QUARTER - 10 < note.end <= 10_000 + 6 * QUARTER


def test_an_envelope_decays_a_step_every_period():
    part = read(*pulse(control=0x82, length_index=1)).parts[0]
    steps = [frame(1 + 3 * (n + 1)) for n in range(15)]
    assert part.notes == (Note(0, steps[14], 69, 15),)
    assert [c for c in part.changes if c.kind is Kind.VELOCITY] == [
        Change(at, Kind.VELOCITY, 14 - n) for n, at in enumerate(steps[:14])
    ]


def test_an_envelope_that_loops_begins_a_note_each_time():
    part = read(*noise(control=0x20), length=frame(40)).parts[Voice.NO]
    assert [(n.onset, n.velocity) for n in part.notes] == [(0, 15), (frame(17), 15), (frame(33), 15)]


def test_five_steps_are_slower_and_begin_at_once():
    four = read(*triangle(control=24, length_index=1)).parts[Voice.TR].notes[0]
    five = read(*triangle(control=24, length_index=1), (0, 0x17, 0x80)).parts[Voice.TR].notes[0]
    assert four.end == frame(25)
    assert five.end == -(-(5 * 37_282 + 37_281) * SAMPLE_RATE // NTSC_CLOCK_HZ)


def test_writing_the_frame_counter_begins_its_round_anew():
    writes = [(at, 0x17, 0) for at in range(0, 40_000, 180)]  # never a quarter frame
    (note,) = read(*sorted([*triangle(control=1), *writes])).parts[Voice.TR].notes
    assert note.end > 39_000


@pytest.mark.parametrize(
    ("sweep", "timer", "sounds"),
    [
        (0x07, 2032, True),
        (0x07, 2033, False),
        (0x0F, 2047, True),
        (0x08, 2047, True),
        (0x00, 1023, True),
        (0x00, 1024, False),
        (0x80, 1024, False),
    ],
)
@pytest.mark.parametrize("voice", [Voice.P1, Voice.P2])
def test_a_sweep_mutes_what_it_would_carry_too_low(voice, sweep, timer, sounds):
    part = read(*pulse(timer=timer, sweep=sweep, first=4 * voice)).parts[voice]
    assert bool(part.notes) is sounds


def test_a_sweep_slides_down_until_it_mutes():
    part = read(*pulse(timer=A4, sweep=0x81)).parts[0]  # half as high at each half frame
    assert [n.pitch for n in part.notes] == [69, 62, 55, 48, 41]
    assert [n.onset for n in part.notes] == [0, *(frame(2 * n) for n in (1, 2, 3, 4))]
    assert part.notes[-1].end == frame(10)


def test_an_upward_sweep_subtracts_one_more_in_the_first_pulse():
    # 16 - 8 - 1 is too high for the chip, 16 - 8 is not.
    one, two = (read(*pulse(timer=16, sweep=0x89, first=first)).parts for first in (0, 4))
    assert [len(one[Voice.P1].notes), len(two[Voice.P2].notes)] == [1, 2]
    assert one[Voice.P1].notes[0].end == frame(2)


def test_a_sweep_s_period_counts_half_frames():
    part = read(*pulse(timer=A4, sweep=0xB1)).parts[0]
    assert [n.onset for n in part.notes] == [0, *(frame(2 * n) for n in (1, 5, 9, 13))]


def test_writing_the_sweep_begins_its_period_anew():
    part = read(*pulse(timer=A4, sweep=0xB1), (frame(6) + 10, 1, 0xB1)).parts[0]
    assert [n.onset for n in part.notes] == [0, *(frame(2 * n) for n in (1, 8, 12, 16))]


def test_vibrato_stays_one_note():
    middle_c = 427
    wave = [(735 * n, 2, (middle_c & 255) + (0, 8, 16, 8, 0, -8, -16, -8)[n % 8]) for n in range(1, 40)]
    (note,) = read(*pulse(timer=middle_c), *wave).parts[0].notes  # 0.65 semitones up and down
    assert note == Note(0, 44_100, 60, 15)


def test_a_slide_makes_a_note_of_each_pitch():
    slide = [(735 * n, 2, A4 - 2 * n) for n in range(1, 30)]
    notes = read(*pulse(timer=A4), *slide).parts[0].notes
    assert [n.pitch for n in notes] == [69, 70, 71, 72, 73]
    assert all(note.end == after.onset for note, after in pairwise(notes))


@pytest.mark.parametrize(
    ("before", "after", "n_notes"), [(0xB8, 0xB9, 2), (0xB8, 0xB8, 1), (0xB8, 0xB7, 1), (0xB0, 0xB7, 1)]
)
@pytest.mark.parametrize("gap", [-5, 0, 5])
def test_a_note_struck_again_begins_anew_where_it_gets_louder(before, after, n_notes, gap):
    again = sorted([(1000, 0, after), (1000 + gap, 3, 0)])
    assert len(read(*pulse(control=before), *again).parts[0].notes) == n_notes
    assert len(read(*pulse(control=before), (1000, 0, after)).parts[0].notes) == 1


def test_a_decayed_note_struck_again_is_a_new_one():
    part = read(*pulse(control=0x85, length_index=1), (9000, 3, 8)).parts[0]
    assert [(n.onset, n.velocity) for n in part.notes] == [(0, 15), (9000, 15)]


def test_a_note_that_was_switched_off_for_a_moment_is_a_new_one():
    again = [(1000, 0x15, 0), (1000, 0x15, 15), (1000, 3, 0)]
    assert [n.onset for n in read(*pulse(), *again).parts[0].notes] == [0, 1000]
    assert [n.onset for n in read(*pulse(), (1000, 0, 0x30), (1020, 0, 0xBF)).parts[0].notes] == [0, 1000]


def test_the_triangle_struck_again_goes_on():
    assert read(*triangle(), *triangle(1000)).parts[Voice.TR].notes == (Note(0, 44_100, 69),)


def test_writes_some_samples_apart_make_one_note():
    slow = [(1000, 0, 0xBA), (1006, 3, 0), (1012, 2, 0xA9), (1020, 0, 0x7A)]
    writes = [*pulse(control=0xB0, timer=0x2FE), *slow]
    part = read(*writes).parts[0]
    assert part.notes == (Note(1000, 43_100, 76, 10),)
    assert part.changes == (Change(1000, Kind.TIMBRE, 1),)
    assert len(read(*writes, moment_samples=1).parts[0].notes) > 1


def test_the_two_writes_of_a_timer_are_no_silence_between():
    # 0x0FE to 0x101 goes by 0x001, which is too high to sound.
    part = read(*pulse(timer=0x0FE), (5000, 2, 0x01), (5008, 3, 0x01)).parts[0]
    assert part.notes == (Note(0, 44_100, 69),)


def test_what_happens_at_the_end_is_left_out():
    assert read(*pulse(1000), length=1000) == Score(length=1000)
    assert read(*pulse(0), length=0) == Score()
    assert read(length=0) == Score()


@pytest.mark.parametrize(
    ("writes", "remarked"),
    [
        ([], False),
        ([(0, 0x15, 0x0F), (0, 0x10, 0x0F), (0, 0x11, 0)], False),
        ([(0, 0x11, 0), (5, 0x11, 64)], False),
        ([(0, 0x15, 0x1F)], True),
        ([(n, 0x11, n) for n in range(3)], True),
    ],
)
def test_samples_are_remarked(writes, remarked):
    _, remarks = score_of_registers(log_of(*writes))
    assert remarks == (("The DMC channel's samples are left out of the score.",) if remarked else ())


def test_limits(monkeypatch):
    assert score_of_registers(log_of(length=10 * SAMPLE_RATE))[0].length == 10 * SAMPLE_RATE
    with pytest.raises(FormatError, match="Song: too long to be read as notes"):
        score_of_registers(log_of(length=MAX_SECONDS * SAMPLE_RATE + 1, tags=Tags("Song")))
    monkeypatch.setattr(transcribe, "MAX_STATES", 20)
    with pytest.raises(FormatError, match="more than 20 notes and changes"):
        read(*pulse(control=0xA0))
    with pytest.raises(FormatError, match="more than 20 notes and changes"):
        read(*pulse(), *((n, 0, 0xB0 + n % 16) for n in range(100)))


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 0x17), st.integers(0, 255)), max_size=80),
    st.integers(0, 3000),
    st.sampled_from([1, 64, 1000]),
)
def test_any_registers_make_a_score(steps, rest, moment_samples):
    times = np.cumsum([step[0] for step in steps], dtype=np.int64).tolist()
    writes = [(at, register, value) for at, (_, register, value) in zip(times, steps, strict=True)]
    log = log_of(*writes, length=(times[-1] if times else 0) + rest)
    score, _ = score_of_registers(log, moment_samples=moment_samples)
    assert score.length == log.length
    for part in score.parts:
        assert all(part.notes[0].onset <= change.sample < part.notes[-1].end for change in part.changes)


def test_the_reference_files(shared: Path):
    folder = shared / "fixtures/apu/vgm"

    def pitches(name, voice):
        return [
            n.pitch for n in score_of_registers(read_vgm(folder / f"{name}.vgm").log)[0].parts[voice].notes
        ]

    assert pitches("pulse_duty", Voice.P1) == [45, 57, 69, 84] * 4
    assert pitches("noise_periods", Voice.NO) == list(range(16, 0, -1)) * 2
    scale = pitches("triangle_scale", Voice.TR)
    assert scale == sorted(scale)
    assert len(scale) == 27
    assert len(pitches("pulse_scale", Voice.P2)) == 25  # of 26, the first is silent


def test_units_of_the_hardware(shared: Path):
    folder = shared / "fixtures/apu/vgm"
    score, _ = score_of_registers(read_vgm(folder / "hw_units.vgm").log)
    sections = {
        name: (start, end) for name, start, end in json.loads((folder / "hw_units.sections.json").read_text())
    }

    def notes(name, voice):
        start, end = sections[name]
        return [n for n in score.parts[voice].notes if start <= n.onset < end]

    for name, steps in (("env decay 0", 1), ("env decay 3", 4), ("env decay 7", 8)):
        (note,) = notes(name, Voice.P1)
        assert note.velocity == 15
        assert abs(note.length - 15 * steps * QUARTER) < 2 * QUARTER
    for name, half_frames in (
        ("length idx 0", 10),
        ("length idx 3", 2),
        ("length idx 12", 14),
        ("length idx 20", 48),
    ):
        (note,) = notes(name, Voice.P1)
        assert abs(note.length - 2 * half_frames * QUARTER) <= 2 * QUARTER
    assert len(notes("sweep p1 9a", Voice.P1)) > 5
    (four,), (five,) = notes("tri linear 24", Voice.TR), notes("tri linear 24, 5-step", Voice.TR)
    assert abs(four.length - 24 * QUARTER) <= 2 * QUARTER
    assert abs(five.length - 24 * QUARTER * 5 / 4) <= 2 * QUARTER
    for timer in (12, 10, 9, 8, 7, 4, 0):
        assert len(notes(f"pulse t={timer} sweep08", Voice.P1)) == (timer >= 8)
    start, end = sections["pulse t=2031 sweep07"][0], sections["pulse t=2032 sweep07"][1]
    assert [n for n in score.parts[0].notes if n.end > start] == [Note(start, end - start, 33)]


def shared_shape(part, n_samples):
    """Pitch and velocity of a part at every 49th sample, 0 where it is silent."""
    table = np.zeros((2, n_samples), np.int64)
    loudness = {c.sample: c.value for c in part.changes if c.kind is Kind.VELOCITY}
    samples = sorted(loudness)
    for note in part.notes:
        table[0, note.onset : note.end] = note.pitch
        table[1, note.onset : note.end] = note.velocity
        for at in samples[bisect_right(samples, note.onset) : bisect_right(samples, note.end - 1)]:
            table[1, at : note.end] = loudness[at]
    return table[:, ::49]


@pytest.mark.parametrize(
    "name",
    [
        "045_Castlevania_01_02VampireKiller",
        "279_RoadFighter_00_01GameStart",
        "317_SuperC_02_03PatternClear1AreaClear",
    ],
)
def test_real_songs_read_as_the_dataset_has_them(shared: Path, nesmdb: Path, name):
    score, _ = score_of_registers(read_vgm(shared / f"fixtures/apu/songs/{name}.vgm").log)
    theirs = read_midi(nesmdb / f"train/{name}.mid")
    assert score.length == theirs.length
    for voice in Voice:
        ours, reference = (shared_shape(s.parts[voice], s.length) for s in (score, theirs))
        sounds = (ours[0] > 0) & (reference[0] > 0)
        assert ((ours[0] > 0) == (reference[0] > 0)).mean() > 0.97
        assert (ours != reference)[:, sounds].sum() <= 0.01 * sounds.sum()
        assert len(score.parts[voice].notes) <= len(theirs.parts[voice].notes)
        assert all(note.length >= MOMENT_SAMPLES for note in score.parts[voice].notes)
