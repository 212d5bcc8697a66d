import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.apu.instruments import (
    Drum,
    Instrument,
    InstrumentSet,
    Sequence,
    Slide,
    Vibrato,
    instrument_names,
    instrument_set,
)
from lakhnes.apu.register_log import RegisterLog
from lakhnes.apu.registers import RegisterMode, VoiceState, registers_of, timer_of, voice_states
from lakhnes.apu.vgm import read_vgm
from lakhnes.bridge import read_midi
from lakhnes.runtime import Change, Kind, Note, Part, Score, Voice, read_text
from lakhnes.runtime.errors import OptionError

Row = tuple[int, int, int]
LEGACY, IMPROVED = RegisterMode.LEGACY, RegisterMode.IMPROVED
ORIGINALS = ["own_tx1", "own_tx2", "fuzz0", "fuzz1", "fuzz2"]


def rows(log: RegisterLog) -> list[Row]:
    return list(zip(log.samples.tolist(), log.registers.tolist(), log.values.tolist(), strict=True))


def later(score: Score, mode: RegisterMode = IMPROVED, instruments: InstrumentSet | None = None) -> list[Row]:
    """The writes after the start's."""
    return rows(registers_of(score, mode, instruments))[7:]


def one_voice(voice: Voice, *notes: Note, changes: tuple[Change, ...] = (), length: int = 20_000) -> Score:
    four = [Part()] * 4
    four[voice] = Part(notes, changes)
    return Score((four[0], four[1], four[2], four[3]), length)


# What the originals say


def original(folder: Path, name: str) -> tuple[list[Row], int]:
    """The stream of a reference file and its length."""
    if (path := folder / f"{name}.vgm").exists():
        log = read_vgm(path).log
        return rows(log), log.length
    stream = json.loads((folder / f"{name}.regs.json").read_text())
    return [(sample, register, value) for sample, register, value in stream["writes"]], stream["nsamps"]


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_originals_midi_gives_the_originals_writes(shared: Path, name: str) -> None:
    folder = shared / "fixtures/apu/tx"
    log = registers_of(read_midi(folder / f"{name}.mid"), LEGACY)
    assert (rows(log), log.length) == original(folder, name)


@pytest.mark.parametrize("name", ORIGINALS)
def test_the_originals_text_gives_the_originals_writes(shared: Path, name: str) -> None:
    folder = shared / "fixtures/apu/tx"
    log = registers_of(read_text(folder / f"{name}.txt"), LEGACY)
    assert (rows(log), log.length) == original(folder, name)


def test_pitches_have_the_originals_timers(shared: Path) -> None:
    table = json.loads((shared / "fixtures/apu/tx/pitch_to_timer.json").read_text())
    assert len(table) == 88
    for pitch, timers in table.items():
        assert [timer_of(voice, int(pitch), LEGACY) for voice in (Voice.P1, Voice.TR)] == timers


# Streams worked out by hand


def test_a_score_without_notes_sets_the_chip_up() -> None:
    start = [(0, 0x15, 0), (0, 0x00, 0x30), (0, 0x01, 7), (0, 0x04, 0x30), (0, 0x05, 7), (0, 8, 0xFF)]
    start += [(0, 0x0C, 0x30)]
    assert rows(registers_of(Score(length=100), LEGACY)) == start
    assert rows(registers_of(Score(), LEGACY)) == start
    improved = [(s, r, 8 if r in (1, 5) else v) for s, r, v in start]
    assert rows(registers_of(Score(length=100))) == improved


def test_four_voices_at_the_start() -> None:
    score = Score(
        (
            Part((Note(0, 50, 69, 9),), (Change(0, Kind.TIMBRE, 2),)),
            Part((Note(0, 50, 57),)),
            Part((Note(0, 50, 45),)),
            Part((Note(0, 50, 8, 4), Note(50, 50, 16, 4)), (Change(50, Kind.TIMBRE, 1),)),
        ),
        100,
    )
    stream = rows(registers_of(score, LEGACY))
    assert stream[0] == (0, 0x15, 0b1111)
    assert [row[1:] for row in stream[7:] if row[0] == 0] == [
        *((0x00, 0x80 | 0x39), (0x02, 253), (0x03, 0)),
        *((0x04, 0x3F), (0x06, 507 & 255), (0x07, 507 >> 8)),
        *((0x0A, 507 & 255), (0x0B, 507 >> 8)),
        *((0x0C, 0x34), (0x0E, 8), (0x0F, 0)),
    ]
    assert [row[1:] for row in stream if row[0] == 50] == [
        *((0x15, 0b1000), (0x02, 0), (0x06, 0), (0x07, 0), (0x0A, 0), (0x0B, 0)),
        *((0x0E, 0x80), (0x0F, 0)),
    ]


def test_a_pulse_changes_what_differs_only() -> None:
    notes = (Note(10, 10, 69, 9), Note(20, 10, 70, 9), Note(30, 10, 57, 3), Note(40, 10, 57, 3))
    changes = (Change(35, Kind.VELOCITY, 7), Change(45, Kind.TIMBRE, 3), Change(60, Kind.VELOCITY, 2))
    score = one_voice(Voice.P2, *notes, changes=changes, length=99)
    assert later(score, LEGACY) == [
        *((10, 0x15, 2), (10, 0x04, 0x39), (10, 0x06, 253), (10, 0x07, 0)),
        (20, 0x06, 239),
        *((30, 0x04, 0x33), (30, 0x06, 507 & 255), (30, 0x07, 1)),
        (35, 0x04, 0x37),
        (40, 0x04, 0x33),
        (45, 0x04, 0xF3),
        *((50, 0x15, 0), (50, 0x06, 0), (50, 0x07, 0)),
        (60, 0x04, 0xF2),
    ]


def test_a_volume_is_written_anew_with_each_note_after_silence() -> None:
    score = one_voice(Voice.P1, Note(10, 10, 69, 9), Note(30, 10, 69, 9), length=40)
    assert (30, 0x00, 0x39) in later(score, LEGACY)


def test_a_volume_at_a_notes_end_outlasts_it() -> None:
    score = one_voice(Voice.P1, Note(10, 10, 69, 9), changes=(Change(20, Kind.VELOCITY, 5),), length=40)
    assert later(score, LEGACY)[4:] == [(20, 0x15, 0), (20, 0x00, 0x35), (20, 0x02, 0)]


def test_a_noise_after_silence_is_written_anew() -> None:
    stream = later(one_voice(Voice.NO, Note(0, 10, 3, 9), Note(30, 10, 3, 9), length=50), LEGACY)
    assert stream[2:] == [
        *((0, 0x0F, 0), (10, 0x15, 0), (30, 0x15, 8), (30, 0x0C, 0x39), (30, 0x0E, 13), (30, 0x0F, 0)),
        (40, 0x15, 0),
    ]


@pytest.mark.parametrize("voice", [Voice.P1, Voice.TR, Voice.NO])
def test_a_note_repeated_at_once_is_one_with_the_first(voice: Voice) -> None:
    score = one_voice(voice, Note(5, 10, 9), Note(15, 10, 9))
    for mode in RegisterMode:
        assert 15 not in {sample for sample, _, _ in later(score, mode)}


def test_legacy_leaves_the_last_notes_on() -> None:
    score = one_voice(Voice.P1, Note(10, 10, 60), length=20)
    assert (20, 0x15, 0) not in later(score, LEGACY)
    assert (20, 0x15, 0) in later(score)


# Timers


@pytest.mark.parametrize("voice", [Voice.P1, Voice.P2, Voice.TR])
def test_timers_are_in_tune_wherever_they_can_be(voice: Voice) -> None:
    cycles = 32 if voice is Voice.TR else 16
    lowest = 21 if voice is Voice.TR else 33
    for pitch in range(1, 128):
        timer = timer_of(voice, pitch)
        assert (2 if voice is Voice.TR else 8) <= timer <= 0x7FF
        played = 69 + 12 * np.log2(1_789_773 / (cycles * (timer + 1)) / 440)
        octaves = round((played - pitch) / 12)
        assert octaves == max(0, -(-(lowest - pitch) // 12))
        half_a_step = 12 * np.log2((timer + 1) / (timer + 0.5))
        assert abs(played - pitch - 12 * octaves) < half_a_step + 1e-9


def test_legacy_wraps_low_pitches_round() -> None:
    assert [timer_of(Voice.P1, pitch, LEGACY) for pitch in (30, 32, 33)] == [370, 106, 2033]
    assert [timer_of(Voice.P1, pitch) for pitch in (30, 32, 33)] == [1208, 1076, 2033]


# Any score, played back by a reader of registers


class Heard(NamedTuple):
    timer: int
    volume: int
    timbre: int


def swept(pulse: list[int], *, borrow: bool) -> tuple[int, int]:
    """The low and high byte of a pulse's timer after a half frame; its sweep unit's divider is always due."""
    _, sweep, low, high = pulse
    timer = low | high << 8
    step = timer >> (sweep & 7)
    target = timer - step - borrow if sweep & 8 else timer + step
    if sweep & 0x80 and sweep & 7 and timer >= 8 and target <= 0x7FF:
        timer = target
    return timer & 0xFF, timer >> 8


def heard(log: RegisterLog) -> dict[int, list[Heard | None]]:
    """What each voice sounds like after each sample with writes, as the chip understands them."""
    registers = [0] * 0x18
    loaded = [False] * 4
    states: dict[int, list[Heard | None]] = {}
    for sample, register, value in rows(log):
        registers[register] = value
        if register == 0x15:
            loaded = [on and bool(value >> voice & 1) for voice, on in enumerate(loaded)]
        elif register in (0x03, 0x07, 0x0B, 0x0F):
            voice = register // 4
            loaded[voice] = bool(registers[0x15] >> voice & 1)
            assert not value & 0xF8
        elif register == 0x17 and value & 0x80:
            for base in (0x00, 0x04):
                registers[base + 2 : base + 4] = swept(registers[base : base + 4], borrow=base == 0)
        now: list[Heard | None] = []
        for voice in range(4):
            control, _, low, high = registers[4 * voice : 4 * voice + 4]
            if voice == Voice.NO:
                now.append(Heard(16 - (low & 15), control & 15, low >> 7))
            elif voice == Voice.TR:
                now.append(Heard(low | high << 8, 0, 0))
            else:
                now.append(Heard(low | high << 8, control & 15, control >> 6))
            now[voice] = now[voice] if loaded[voice] else None
        states[sample] = now
    return states


def asked_for(score: Score, voice: Voice, mode: RegisterMode, sample: int) -> Heard | None:
    """What the score wants a voice to sound like from a sample on."""
    part = score.parts[voice]
    note = next((note for note in part.notes if note.onset <= sample < note.end), None)
    if note is None:
        return None
    timbre, volume = 0, 0 if voice is Voice.TR else note.velocity
    for change in part.changes:
        if change.kind is Kind.TIMBRE and change.sample <= sample:
            timbre = change.value
        if change.kind is Kind.VELOCITY and note.onset < change.sample <= sample:
            volume = change.value
    return Heard(timer_of(voice, note.pitch, mode), volume, timbre)


@given(scores(), st.sampled_from(RegisterMode))
def test_the_registers_say_what_the_score_says(score: Score, mode: RegisterMode) -> None:
    states = heard(registers_of(score, mode))
    samples = set(states)
    for part in score.parts:
        samples |= {s for note in part.notes for s in (note.onset, note.end)} | {
            c.sample for c in part.changes
        }
    now: list[Heard | None] = [None] * 4
    for sample in sorted(samples):
        now = states.get(sample, now)
        if sample < score.length:
            assert now == [asked_for(score, voice, mode, sample) for voice in Voice]
    assert mode is LEGACY or now == [None] * 4


@given(scores(vocabulary=True))
def test_the_modes_differ_by_the_sweep_and_the_end_only(score: Score) -> None:
    legacy, improved = rows(registers_of(score, LEGACY)), rows(registers_of(score))
    assert [row for row in legacy if row[0] == score.length > 0] == []
    mended = [(s, r, 7 if r in (1, 5) else v) for s, r, v in improved if s < score.length or not score.length]
    assert mended == legacy


@given(scores())
def test_plain_instruments_change_nothing(score: Score) -> None:
    plain = instrument_set("plain")
    for mode in RegisterMode:
        assert rows(registers_of(score, mode, plain)) == rows(registers_of(score, mode))


def test_legacy_registers_have_no_instruments() -> None:
    with pytest.raises(OptionError, match="no instruments"):
        registers_of(tune(), LEGACY, instrument_set("lead"))


# Instruments


def sequences(highest: int) -> st.SearchStrategy[Sequence | None]:
    values = st.lists(st.integers(0, highest), min_size=1, max_size=6).map(tuple)
    return st.none() | st.builds(Sequence, values, st.none() | st.just(0))


def dynamic(timbres: int) -> dict[str, st.SearchStrategy]:
    return {
        "volume": sequences(15),
        "release": st.lists(st.integers(0, 15), max_size=4).map(tuple),
        "timbre": sequences(timbres),
    }


gate = {"gate_frames": st.none() | st.integers(1, 4)}
pitch = {
    "vibrato": st.none() | st.builds(Vibrato, st.floats(0, 1200), st.floats(0.1, 30), st.integers(0, 3)),
    "slide": st.none() | st.builds(Slide, st.floats(-48, 48), st.integers(1, 4)),
}
pulses = st.builds(Instrument, **dynamic(3), **gate, **pitch)
triangles = st.builds(Instrument, **gate, **pitch)
drums = st.builds(Instrument, **dynamic(1), **gate)
sets = st.builds(
    InstrumentSet,
    pulses,
    pulses,
    triangles,
    st.builds(lambda low, high: (Drum(5, low), Drum(16, high)), drums, drums),
) | st.sampled_from([instrument_set(name) for name in instrument_names()])


def states_by_voice(score: Score, instruments: InstrumentSet) -> list[list[VoiceState]]:
    states = list(voice_states(score, IMPROVED, instruments))
    return [[state for state in states if state.voice is voice] for voice in Voice]


@given(scores(), sets)
def test_instruments_keep_to_their_notes(score: Score, instruments: InstrumentSet) -> None:
    for voice, states in zip(Voice, states_by_voice(score, instruments), strict=True):
        part = score.parts[voice]
        assert [state.sample for state in states] == sorted({state.sample for state in states})
        assert all(0 <= state.sample <= score.length for state in states)
        assert not states or not states[-1].timer
        changes = {change.sample for change in part.changes}
        gated = instruments.beside(score.parts)
        for state in states:
            before = [note for note in part.notes if note.onset <= state.sample]
            if not before:
                assert state.sample in changes
                assert not state.timer
                continue
            note = before[-1]
            on_grid = (state.sample - note.onset) % 735 == 0 or (state.sample - note.end) % 735 == 0
            assert on_grid or state.sample in changes or state.sample == score.length
            tail = 735 * len(gated.of(voice, note.pitch).release)
            assert not state.timer or state.sample < min(note.end + tail, score.length)
            assert 0 <= state.volume <= 15


@given(scores(), sets)
def test_instruments_never_click(score: Score, instruments: InstrumentSet) -> None:
    """The high byte of a pulse's timer starts its wave anew; only where a note asks for it is it written."""
    log = registers_of(score, IMPROVED, instruments)
    states = heard(log)
    for voice, register in ((Voice.P1, 0x03), (Voice.P2, 0x07)):
        written = {(sample, value) for sample, r, value in rows(log) if r == register}
        onsets = {note.onset for note in score.parts[voice].notes}
        asked = {state.sample: state for state in states_by_voice(score, instruments)[voice]}
        for sample, value in written:
            begins = sample in onsets and asked[sample].timer >> 8 == value
            assert states[sample][voice] is None or begins
        for sample, state in asked.items():
            sounds = states[sample][voice] if sample in states else None
            assert sounds is None or not state.timer or sounds.timer == state.timer
        for now in states.values():
            assert now[voice] is None or now[voice].timer >= 8


@given(scores(), sets)
def test_the_log_is_in_time_and_ends_in_silence(score: Score, instruments: InstrumentSet) -> None:
    log = registers_of(score, IMPROVED, instruments)
    assert log.length == score.length
    assert [row[1] for row in rows(log) if row[0] == 0 and row[1] == 0x15] == [0x15]
    carried = {sample for sample, register, _ in rows(log) if register == 0x17}
    places = list(zip(log.samples.tolist(), log.registers.tolist(), strict=True))[7:]
    once = [place for place in places if place[0] not in carried or place[1] not in (1, 2, 5, 6, 0x17)]
    assert len(set(once)) == len(once)
    assert list(heard(log).values())[-1] == [None] * 4


@given(scores(), sets)
def test_a_scores_own_changes_win(score: Score, instruments: InstrumentSet) -> None:
    plain = states_by_voice(score, InstrumentSet())
    for voice, states in zip(Voice, states_by_voice(score, instruments), strict=True):
        kinds = {change.kind for change in score.parts[voice].changes}
        for asked in plain[voice]:
            now = [state for state in states if state.sample <= asked.sample][-1]
            if Kind.VELOCITY in kinds:
                assert (now.volume, bool(now.timer)) == (asked.volume, bool(asked.timer))
            if Kind.TIMBRE in kinds:
                assert now.timbre == asked.timbre


@given(scores(), sets)
def test_every_note_begins_where_it_should(score: Score, instruments: InstrumentSet) -> None:
    for voice, states in zip(Voice, states_by_voice(score, instruments), strict=True):
        at = {state.sample: state for state in states}
        for note in score.parts[voice].notes:
            assert at[note.onset].timer


def test_an_envelope_and_its_release_as_writes() -> None:
    pulse = Instrument(Sequence((15, 8, 8, 4)), release=(9, 3), timbre=Sequence((2, 1)))
    score = one_voice(Voice.P1, Note(100, 3000, 69, 10), length=9000)
    assert later(score, instruments=InstrumentSet(p1=pulse)) == [
        *((100, 0x15, 1), (100, 0x00, 0xBA), (100, 0x02, 253), (100, 0x03, 0)),
        (835, 0x00, 0x75),
        (2305, 0x00, 0x73),  # 10 * 4 / 15
        (3100 + 735, 0x00, 0x72),  # the release's 9 is louder than the note was, and waits
        *((3100 + 1470, 0x15, 0), (3100 + 1470, 0x02, 0)),
    ]


def test_a_release_stops_for_the_next_note_and_for_the_end() -> None:
    pulse = Instrument(release=(9, 8, 7, 6))
    notes = (Note(0, 1000, 69), Note(2000, 1000, 69))
    stream = later(one_voice(Voice.P2, *notes, length=3500), instruments=InstrumentSet(p2=pulse))
    assert stream == [
        *((0, 0x04, 0x3F), (0, 0x06, 253), (0, 0x07, 0), (1000, 0x04, 0x39), (1735, 0x04, 0x38)),
        *((2000, 0x04, 0x3F), (3000, 0x04, 0x39), (3500, 0x15, 0), (3500, 0x06, 0)),
    ]


def test_a_repeated_note_begins_its_envelope_anew() -> None:
    pulse = Instrument(Sequence((15, 5)))
    notes = (Note(0, 1000, 69), Note(1000, 1000, 69))
    stream = later(one_voice(Voice.P1, *notes, length=2000), instruments=InstrumentSet(p1=pulse))
    assert [row for row in stream if row[1] == 0] == [
        *((0, 0x00, 0x3F), (735, 0x00, 0x35), (1000, 0x00, 0x3F), (1735, 0x00, 0x35))
    ]


def test_an_envelope_that_begins_silent_is_silent() -> None:
    pulse = Instrument(Sequence((0, 5)))
    notes = (Note(0, 1000, 69), Note(3000, 1000, 69))
    stream = later(one_voice(Voice.P1, *notes), instruments=InstrumentSet(p1=pulse))
    assert [row for row in stream if row[1] == 0] == [
        *((735, 0x00, 0x35), (3000, 0x00, 0x30), (3735, 0x00, 0x35))
    ]


def test_a_gate_lets_go_of_the_triangle() -> None:
    instruments = InstrumentSet(tr=Instrument(gate_frames=2))
    stream = later(one_voice(Voice.TR, Note(0, 5000, 45), Note(5000, 700, 45)), instruments=instruments)
    assert [row for row in stream if row[1] == 0x15] == [*((1470, 0x15, 0), (5000, 0x15, 4), (5700, 0x15, 0))]


def test_vibrato_swings_evenly_around_the_note() -> None:
    """Pitch 57 has timer 507: 200 cents below is 569, beyond 511."""
    swing = Instrument(vibrato=Vibrato(200, 15, delay_frames=1))
    score = one_voice(Voice.P1, Note(0, 10 * 735, 57))
    timers = [state.timer for state in voice_states(score, IMPROVED, InstrumentSet(p1=swing))]
    assert timers == [507, 507, 452, 507, 569, 507, 452, 507, 569, 507, 0]
    written = later(score, instruments=InstrumentSet(p1=swing))
    assert sum(row[1] == 0x03 for row in written) == 2  # at the note's start and at its end
    below = [row[1:] for row in written if row[0] == 4 * 735]
    assert below == [(0x02, 0xFF), (0x01, 0x87), (0x17, 0xC0), (0x01, 0x08), (0x02, 569 - 512)]
    again = [row[1:] for row in written if row[0] == 5 * 735]
    assert again == [(0x02, 0x00), (0x01, 0x8F), (0x17, 0xC0), (0x01, 0x08), (0x02, 507 - 256)]
    triangle = one_voice(Voice.TR, Note(0, 10 * 735, 45))
    timers = [state.timer for state in voice_states(triangle, IMPROVED, InstrumentSet(tr=swing))]
    assert timers == [507, 507, 452, 507, 569, 507, 452, 507, 569, 507, 0]


def test_the_highest_pulse_is_never_bent_into_silence() -> None:
    up = InstrumentSet(p1=Instrument(slide=Slide(48, 2)))
    states = voice_states(one_voice(Voice.P1, Note(0, 3 * 735, 120)), IMPROVED, up)
    assert [state.timer for state in states] == [8, 8, 12, 0]


def test_a_slide_arrives() -> None:
    kick = InstrumentSet(tr=Instrument(slide=Slide(12, 2)))
    states = voice_states(one_voice(Voice.TR, Note(0, 3 * 735, 45)), IMPROVED, kick)
    assert [state.timer for state in states] == [253, 358, 507, 0]


def test_drums_go_by_their_notes() -> None:
    kit = (
        Drum(8, Instrument(Sequence((15, 3)))),
        Drum(16, Instrument(Sequence((6,)), timbre=Sequence((1,)))),
    )
    score = one_voice(Voice.NO, Note(0, 1000, 8), Note(1000, 1000, 9), length=2000)
    assert later(score, instruments=InstrumentSet(no=kit)) == [
        *((0, 0x0C, 0x3F), (0, 0x0E, 8), (0, 0x0F, 0), (735, 0x0C, 0x33)),
        *((1000, 0x0C, 0x36), (1000, 0x0E, 0x87), (1000, 0x0F, 0), (2000, 0x15, 0)),
    ]


def test_velocities_alone_leave_the_envelope() -> None:
    pulse = InstrumentSet(p1=Instrument(Sequence((15, 5))))
    quiet = one_voice(Voice.P1, Note(0, 2000, 69, 6))
    assert quiet.has_expression
    assert (735, 0x00, 0x32) in later(quiet, instruments=pulse)
    part = replace(quiet.parts[0], changes=(Change(900, Kind.VELOCITY, 4),))
    own = replace(quiet, parts=(part, *quiet.parts[1:]))
    volumes = [row for row in later(own, instruments=pulse) if row[1] == 0]
    assert volumes == [(0, 0x00, 0x36), (900, 0x00, 0x34)]


@pytest.mark.parametrize("name", instrument_names())
def test_every_set_plays_a_tune(name: str) -> None:
    """Each note of each voice is heard at its onset, and the melody above its accompaniment."""
    score = tune()
    loud = replace(
        score, parts=tuple(Part(tuple(replace(n, velocity=15) for n in p.notes)) for p in score.parts)
    )
    by_voice = states_by_voice(loud, instrument_set(name))
    for voice, states in zip(Voice, by_voice, strict=True):
        at = {state.sample: state for state in states}
        for note in loud.parts[voice].notes:
            assert at[note.onset].timer
            assert voice is Voice.TR or at[note.onset].volume
    volume = [max(state.volume for state in states) for states in by_voice]
    assert volume[0] > volume[1] or name == "plain"
