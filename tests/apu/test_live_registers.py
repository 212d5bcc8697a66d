from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import scores, tune

from lakhnes.apu.instruments import (
    Instrument,
    InstrumentSet,
    Sequence,
    Slide,
    instrument_names,
    instrument_set,
)
from lakhnes.apu.live_registers import LiveRegisters
from lakhnes.apu.registers import RegisterMode, registers_of
from lakhnes.runtime import Kind, Part, Score, Voice

Row = tuple[int, int, int]
SETS = [instrument_set(name) for name in instrument_names()]
FADE = InstrumentSet(p1=Instrument(Sequence((15, 8, 8, 4)), release=(3, 2), timbre=Sequence((2, 1))))


def without_changes(score: Score) -> Score:
    return Score(tuple(Part(part.notes) for part in score.parts), score.length)


def offline(score: Score, instruments: InstrumentSet) -> list[Row]:
    log = registers_of(score, RegisterMode.IMPROVED, instruments)
    return list(zip(log.samples.tolist(), log.registers.tolist(), log.values.tolist(), strict=True))


def rows(live: LiveRegisters, until: int) -> list[Row]:
    samples, registers, values = live.advance(until)
    return list(zip(samples.tolist(), registers.tolist(), values.tolist(), strict=True))


def told(live: LiveRegisters, score: Score, first: int, until: int, *, legato: bool = False) -> None:
    """Tells what happens from one sample to another, nothing before its time.

    Args:
        live: is told.
        score: what happens.
        first: sample.
        until: sample, not included.
        legato: whether a note that another one follows at once is not let go first.
    """
    happens = []
    for voice, part in zip(Voice, score.parts, strict=True):
        onsets = {note.onset for note in part.notes}
        for note in part.notes:
            happens.append((note.onset, 1, voice, note))
            if not (legato and note.end in onsets):
                happens.append((note.end, 0, voice, note))
        happens += [(change.sample, 2, voice, change) for change in part.changes]
    for sample, rank, voice, what in sorted(happens, key=lambda one: one[:3]):
        if first <= sample < until:
            if rank == 0:
                live.note_off(voice, sample)
            elif rank == 1:
                live.note_on(voice, what.pitch, what.velocity, sample)
            else:
                live.change(voice, what.kind, what.value, sample)
    if first <= score.length < until:
        live.silence(score.length)


# As a score


@settings(deadline=None)
@given(
    scores().map(without_changes),
    st.sampled_from(SETS),
    st.lists(st.integers(1, 3000), max_size=9).map(lambda sizes: [*sizes, 735]),
    st.booleans(),
)
def test_notes_as_they_come_give_the_writes_of_their_score(
    score: Score, instruments: InstrumentSet, blocks: list[int], legato: bool
) -> None:
    live = LiveRegisters(instruments)
    stream: list[Row] = []
    turn = 0
    while live.position <= score.length:
        until = live.position + blocks[turn % len(blocks)]
        told(live, score, live.position, until, legato=legato)
        block = rows(live, until)
        assert all(until - blocks[turn % len(blocks)] <= row[0] < until for row in block)
        stream += block
        turn += 1
    assert stream == offline(score, instruments)


@settings(deadline=None)
@given(scores(), st.integers(50, 5000))
def test_plain_instruments_leave_a_scores_own_changes_alone(score: Score, block: int) -> None:
    live = LiveRegisters()
    stream: list[Row] = []
    while live.position <= score.length:
        told(live, score, live.position, live.position + block)
        stream += rows(live, live.position + block)
    assert [row for row in stream if row[0] < score.length] == [
        row for row in offline(score, InstrumentSet()) if row[0] < score.length
    ]


def test_what_is_told_ahead_waits() -> None:
    live, score = LiveRegisters(FADE), without_changes(tune())
    told(live, score, 0, score.length + 1)
    stream = [row for until in range(512, score.length + 513, 512) for row in rows(live, until)]
    assert stream == offline(score, FADE)


# What only live music does


def test_the_chip_is_set_up_by_the_first_block() -> None:
    live = LiveRegisters()
    assert rows(live, 0) == []
    assert rows(live, 1) == offline(Score(length=1), InstrumentSet())
    assert rows(live, 100_000) == []
    assert rows(live, 50_000) == []
    assert live.position == 100_000


def test_what_comes_late_happens_now() -> None:
    live = LiveRegisters()
    live.advance(1000)
    live.note_on(Voice.P1, 69, 9, 200)
    assert rows(live, 2000) == [(1000, 0x15, 1), (1000, 0x00, 0x39), (1000, 0x02, 253), (1000, 0x03, 0)]


def test_a_note_that_ends_where_it_begins_ends_the_one_before() -> None:
    live = LiveRegisters()
    live.note_on(Voice.TR, 45, 15, 10)
    live.note_on(Voice.TR, 57, 15, 50)
    live.note_off(Voice.TR, 50)
    assert rows(live, 100)[-3:] == [(50, 0x15, 0), (50, 0x0A, 0), (50, 0x0B, 0)]


def test_a_note_let_go_twice_is_let_go_once() -> None:
    live = LiveRegisters(FADE)
    live.note_off(Voice.P1, 5)
    live.note_on(Voice.P1, 69, 15, 10)
    live.note_off(Voice.P1, 20)
    once = [*rows(live, 300)]
    live.note_off(Voice.P1, 400)
    assert [row for row in rows(live, 9000) if row[1] == 0x15] == [(20 + 2 * 735, 0x15, 0)]
    assert (20, 0x00, 0x73) in once


def test_silence_ends_everything_and_what_was_to_come() -> None:
    live = LiveRegisters(FADE)
    for voice in Voice:
        live.note_on(voice, 9, 15, 10)
    live.note_off(Voice.P1, 100)
    live.note_on(Voice.P2, 50, 15, 300)
    live.note_on(Voice.TR, 50, 15, 120)
    live.silence(200)
    live.note_on(Voice.NO, 4, 5, 260)
    stream = rows(live, 99_999)
    assert [row for row in stream if row[1] == 0x15][1:] == [(10, 0x15, 15), (200, 0x15, 0), (260, 0x15, 8)]
    assert max(row[0] for row in stream) == 260


def test_the_musics_own_volumes_end_the_envelope_until_silence() -> None:
    live = LiveRegisters(FADE)
    live.note_on(Voice.P1, 69, 15, 0)
    live.change(Voice.P1, Kind.VELOCITY, 6, 800)
    live.note_off(Voice.P1, 9000)
    live.note_on(Voice.P1, 69, 12, 10_000)
    volumes = [(row[0], row[2] & 15) for row in rows(live, 20_000) if row[1] == 0]
    assert volumes[1:] == [(0, 15), (735, 8), (800, 6), (10_000, 12), (10_735, 12)]  # duties move on
    live.silence(20_000)
    live.note_on(Voice.P1, 69, 15, 20_100)
    volumes = [(row[0], row[2] & 15) for row in rows(live, 22_000) if row[1] == 0]
    assert volumes == [(20_100, 15), (20_835, 8)]


def test_the_musics_own_volume_ends_a_release() -> None:
    live = LiveRegisters(FADE)
    live.note_on(Voice.P1, 69, 15, 0)
    live.note_off(Voice.P1, 100)
    live.change(Voice.P1, Kind.VELOCITY, 6, 500)
    assert (500, 0x15, 0) in rows(live, 5000)
    assert rows(live, 9000) == []


def test_the_musics_own_timbres_end_the_duties_until_silence() -> None:
    live = LiveRegisters(FADE)
    live.change(Voice.P1, Kind.TIMBRE, 3, 100)
    live.note_on(Voice.P1, 69, 15, 200)
    live.silence(5000)
    live.note_on(Voice.P1, 69, 15, 5100)
    controls = [(row[0], row[2] >> 6) for row in rows(live, 5800) if row[1] == 0]
    assert controls[1:] == [(100, 3), (200, 3), (935, 3), (2405, 3), (5100, 2)]


def test_a_volume_at_a_notes_onset_is_the_notes() -> None:
    live = LiveRegisters(FADE)
    live.note_on(Voice.P1, 69, 15, 0)
    live.change(Voice.P1, Kind.VELOCITY, 6, 0)
    assert [row[2] & 15 for row in rows(live, 1000) if row[1] == 0][1:] == [6, 3]


@pytest.mark.parametrize(
    ("voice", "kind", "value"),
    [(Voice.TR, Kind.VELOCITY, 5), (Voice.TR, Kind.TIMBRE, 1), (Voice.NO, Kind.TIMBRE, 2)],
)
def test_a_change_that_the_voice_does_not_have_says_nothing(voice: Voice, kind: Kind, value: int) -> None:
    live = LiveRegisters(InstrumentSet(tr=Instrument(gate_frames=1)))
    live.note_on(voice, 9, 15, 0)
    start = rows(live, 100)
    live.change(voice, kind, value, 200)
    assert start
    assert rows(live, 735) == []


def test_other_instruments_play_the_next_notes() -> None:
    live = LiveRegisters(InstrumentSet(p1=Instrument(slide=Slide(12, 1), timbre=Sequence((3,)))))
    live.note_on(Voice.P1, 69, 15, 0)
    live.advance(100)
    live.play_with(InstrumentSet())
    assert (735, 0x02, 253) in rows(live, 2000)  # the slide arrives
    live.note_on(Voice.P1, 69, 15, 2000)
    assert (2000, 0x00, 0x3F) in rows(live, 5000)  # the timbre that a song begins with


@given(st.data())
def test_whatever_is_told_the_writes_are_in_time_and_silence_is_silent(data: st.DataObject) -> None:
    live = LiveRegisters(data.draw(st.sampled_from(SETS)))
    stream: list[Row] = []
    for _ in range(data.draw(st.integers(1, 30))):
        voice, at = data.draw(st.sampled_from(Voice)), live.position + data.draw(st.integers(-500, 3000))
        what = data.draw(st.integers(0, 5))
        if what == 0:
            live.note_on(voice, data.draw(st.integers(1, 16)), data.draw(st.integers(1, 15)), at)
        elif what == 1:
            live.note_off(voice, at)
        elif what == 2:
            kind = data.draw(st.sampled_from([Kind.VELOCITY, Kind.TIMBRE]))
            live.change(voice, kind, data.draw(st.integers(0, 15)), at)
        elif what == 3:
            live.silence(at)
        elif what == 4:
            live.play_with(data.draw(st.sampled_from(SETS)))
        else:
            stream += rows(live, live.position + data.draw(st.integers(0, 2000)))
    live.silence(live.position)
    stream += rows(live, live.position + 1)
    assert all(before[0] <= after[0] for before, after in pairwise(stream))
    assert [value for _, register, value in stream if register == 0x15][-1] == 0
    assert rows(live, live.position + 100_000) == []
    assert np.array(stream).min() >= 0
