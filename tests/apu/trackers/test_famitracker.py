"""FamiTracker's text: what is written reads back, and what others wrote is read."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from songs_of_ours import march
from support import tune
from tracker_songs import onsets_of, said_ends, tracked

from lakhnes.apu import InstrumentSet, Tags, instrument_names, instrument_set
from lakhnes.apu.trackers import famitracker_text, parse_famitracker
from lakhnes.apu.trackers.rows import name_of_note
from lakhnes.runtime import BeatGrid, Change, FormatError, Kind, MusicError, Note, Part, Score, Voice

FRAME = 735


@settings(max_examples=40)
@given(tracked(), st.sampled_from(instrument_names()))
def test_what_is_written_reads_back(score: Score, name: str) -> None:
    text, remarks = famitracker_text(score, None, instrument_set(name), Tags("A song"))
    read = parse_famitracker(text, "song")
    assert onsets_of(read.score) == onsets_of(score)
    assert read.score.length == score.length
    assert not any("no room" in remark and "notes" in remark for remark in remarks)
    if name == "plain":
        ends = [[note.end for note in part.notes] for part in read.score.parts]
        assert ends == [said_ends(part.notes) for part in score.parts]
        assert [part.changes for part in read.score.parts] == [part.changes for part in score.parts]


def test_a_song_keeps_its_tempo_and_dynamics() -> None:
    text, remarks = famitracker_text(
        tune(), BeatGrid.steady(120), InstrumentSet(), Tags('A "tune"', author="Ada")
    )
    assert remarks == ()
    read = parse_famitracker(text, "song")
    assert read.tags == Tags('A "tune"', author="Ada")
    assert read.grid is not None
    assert (read.grid.bpm, read.remarks) == (
        120,
        ("The tracker's instruments are left out; notes have the volumes of their column.",),
    )
    assert onsets_of(read.score) == onsets_of(tune())
    for part, before in zip(read.score.parts, tune().parts, strict=True):
        assert [change.value for change in part.changes] == [change.value for change in before.changes]
        assert all(abs(a.end - b.end) <= FRAME for a, b in zip(part.notes, before.notes, strict=True))


@pytest.mark.parametrize(
    ("bpm", "track"), [(140.0, "64 6 140"), (300.0, "64 3 150"), (28.0, "64 12 56"), (140.4, "64 6 140")]
)
def test_tempi_are_those_of_the_tracker(bpm: float, track: str) -> None:
    text, remarks = famitracker_text(march(8), BeatGrid.steady(bpm), InstrumentSet(), Tags())
    assert f"TRACK {track} " in text
    assert (f"FamiTracker's tempo is 140 rather than {bpm:.1f} BPM." in remarks) == (bpm == 140.4)


def test_a_change_of_tempo_is_an_effect() -> None:
    samples = np.array([0.0, 4 * 22_050.0, 4 * 22_050.0 + 4 * 18_900.0])
    grid = BeatGrid(samples, np.array([0.0, 1920.0, 3840.0]), tempi=((0, 120.0), (1920, 140.0)))
    text, _ = famitracker_text(tune(), grid, InstrumentSet(), Tags())
    assert len(re.findall("F8C", text)) == 1
    read = parse_famitracker(text, "song")
    assert read.grid is None
    assert [note.onset for note in read.score.parts[0].notes] == pytest.approx(
        [note.onset for note in tune().parts[0].notes], abs=FRAME
    )


def test_bars_that_come_again_are_patterns_that_come_again() -> None:
    score = march(40)
    text, _ = famitracker_text(score, BeatGrid.steady(112.5), InstrumentSet(), Tags())
    orders = [line.split(" : ")[1].split() for line in text.splitlines() if line.startswith("ORDER")]
    assert len(orders) > 4
    assert len({order[0] for order in orders[:-1]}) == 1
    loop, _ = famitracker_text(score, BeatGrid.steady(112.5), InstrumentSet(), Tags(), loop_bar=0)
    assert ("C00" in text, "B00" in text, "C00" in loop, "B00" in loop) == (True, False, False, True)


@pytest.mark.parametrize(("bar", "length", "order"), [(0, 64, 0), (2, 32, 1), (3, 48, 1), (4, 64, 1)])
def test_a_loop_after_an_intro_begins_with_a_pattern(bar: int, length: int, order: int) -> None:
    text, _ = famitracker_text(march(40), BeatGrid.steady(112.5), InstrumentSet(), Tags(), loop_bar=bar)
    assert f"TRACK {length} " in text
    assert f"B{order:02X}" in text


def test_instruments_are_envelopes() -> None:
    text, remarks = famitracker_text(march(4), None, instrument_set("lead"), Tags())
    assert "MACRO 0 0 -1 7 0 : 15 15 14 14 13 13 13 12 6 4 3 2 1 0" in text
    assert "MACRO 4 0 -1 -1 0 : 2 2 1" in text
    assert 'INST2A03 2 -1 -1 -1 -1 -1 "Triangle"' in text
    assert "===" in text
    assert remarks[-1] == "Vibrato and slides of the instruments are left out in FamiTracker's text."


def test_what_does_not_fit_is_counted() -> None:
    quick = Part(tuple(Note(k * 1000, 900, 60 + k % 12) for k in range(40)))
    _, remarks = famitracker_text(
        Score((quick, Part(), Part(), Part()), 44_100), None, InstrumentSet(), Tags()
    )
    assert re.fullmatch(r"FamiTracker's rows have no room for \d\d notes\.", remarks[0])
    far = Note(735 * 6 * 40_000, 735, 60)
    with pytest.raises(MusicError, match="too many for FamiTracker"):
        famitracker_text(
            Score((Part((far,)), Part(), Part(), Part()), far.end), None, InstrumentSet(), Tags()
        )


@pytest.mark.parametrize(
    ("voice", "pitch", "name"),
    [
        (Voice.P1, 69, "A-3"),
        (Voice.TR, 69, "A-4"),
        (Voice.P2, 25, "C#0"),
        (Voice.P1, 20, "G#0"),
        (Voice.P1, 127, "G-7"),
        (Voice.NO, 1, "0-#"),
        (Voice.NO, 16, "F-#"),
    ],
)
def test_notes_are_named_as_the_tracker_does(voice: Voice, pitch: int, name: str) -> None:
    assert name_of_note(voice, pitch) == name


OTHERS = """# FamiTracker text export 0.4.2
TITLE           "Ours"
MACRO       0   0  -1  -1   0 : 15 10 5
INST2A03   0     0  -1  -1  -1  -1 "lead"
TRACK  4   3 150 "one"
COLUMNS : 2 1 1 1 1
ORDER 00 : 00 00 00 00 00
ORDER 01 : 01 00 00 00 00
PATTERN 00
ROW 00 : C-3 00 A V01 4A3 : ... .. . ... : C-3 00 . ... : 5-# 00 7 ... : ... .. . ...
ROW 01 : ... .. 5 ... ... : ... .. . ... : --- .. . ... : ... .. . ... : C-3 00 . ...
ROW 02 : D-3 00 . G01 ... : ... .. . ... : ... .. . ... : ... .. . ... : ... .. . ...
ROW 03 : --- .. . F06 ... : ... .. . ... : ... .. . ... : ... .. . ... : ... .. . ...
PATTERN 01
ROW 00 : E-3 00 F S02 ... : ... .. . ... : ... .. . ... : ... .. . ... : ... .. . ...
ROW 01 : ... .. . D01 ... : ... .. . ... : ... .. . ... : ... .. . ... : ... .. . ...
TRACK  4   3 150 "two"
"""


def test_what_others_wrote_is_read() -> None:
    read = parse_famitracker(OTHERS, "song.txt")
    p1, _, tr, no = read.score.parts
    frame = FRAME
    assert [(n.onset, n.length, n.pitch, n.velocity) for n in p1.notes] == [
        (0, 7 * frame, 60, 10),
        (7 * frame, 2 * frame, 62, 5),
        (15 * frame, 2 * frame, 64, 15),
    ]
    assert p1.changes == (Change(0, Kind.TIMBRE, 1), Change(3 * frame, Kind.VELOCITY, 5))
    assert [(n.pitch, n.onset) for n in tr.notes][:1] == [(48, 0)]
    assert [(n.pitch, n.velocity) for n in no.notes] == [(6, 7), (6, 7)]
    assert read.grid is None
    assert read.remarks == (
        "The tracker's instruments are left out; notes have the volumes of their column.",
        "The effects 4xx are left out.",
        "The DMC's samples are left out.",
        "Only the first track is read.",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a text of FamiTracker"),
        ("# FamiTracker text export 0.4.2\n", "no track in it"),
        (OTHERS.replace("TRACK  4", "TRACK  x"), "line 5: a number is missing or is none"),
        (OTHERS.replace("TRACK  4", "TRACK  0"), "line 5: a length, a speed or a tempo is out of range"),
        (OTHERS.replace("ORDER 01 : 01", "ORDER 01 : zz"), "line 8: a number"),
    ],
)
def test_what_is_none_says_so(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"^song\.txt: {reason}.*; export"):
        parse_famitracker(text, "song.txt")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("F06 ... : ", "F06 ... ... ... F20 : "),
        ("ORDER 00 : 00 00 00 00 00\n", f"ORDER 00 :{' 00' * 32} 01\n"),
    ],
)
def test_more_effects_and_channels_than_there_can_be_are_passed_over(before: str, after: str) -> None:
    usual = OTHERS.replace("ROW 01 : ... .. . D01 ...", "ROW 01 : ... .. . D01" + " ... :" * 32 + " F20")
    assert before in usual
    odd = parse_famitracker(usual.replace(before, after), "song")
    assert odd.score.length == parse_famitracker(OTHERS, "song").score.length


@settings(max_examples=30)
@given(st.integers(0, len(OTHERS)), st.integers(0, 30), st.text(max_size=5))
def test_damaged_texts_are_read_or_refused(place: int, count: int, junk: str) -> None:
    text = OTHERS[:place] + junk + OTHERS[place + count :]
    try:
        read = parse_famitracker(text, "song")
    except FormatError:
        return
    assert read.score.length >= 0
