"""FamiStudio's text: what is written reads back, and what others wrote is read."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from songs_of_ours import march
from support import tune
from tracker_songs import onsets_of, said_ends, tracked

from lakhnes.apu import InstrumentSet, Tags, instrument_names, instrument_set
from lakhnes.apu.trackers import famistudio_reader, famistudio_text, parse_famistudio
from lakhnes.runtime import BeatGrid, Change, FormatError, Kind, Score

FRAME = 735


@settings(max_examples=40)
@given(tracked(), st.sampled_from(instrument_names()))
def test_what_is_written_reads_back(score: Score, name: str) -> None:
    text, _ = famistudio_text(score, None, instrument_set(name), Tags("A song"))
    read = parse_famistudio(text, "song")
    assert onsets_of(read.score) == onsets_of(score)
    assert read.score.length == score.length
    if name == "plain":
        ends = [[note.end for note in part.notes] for part in read.score.parts]
        assert ends == [said_ends(part.notes, at_rows=True) for part in score.parts]
        assert [part.changes for part in read.score.parts] == [part.changes for part in score.parts]


def test_a_song_keeps_its_tempo_and_its_texts() -> None:
    tags = Tags('A "tune"', author="Ada", licence="CC0")
    text, remarks = famistudio_text(tune(), BeatGrid.steady(120), InstrumentSet(), tags, loop_bar=0)
    assert remarks == ()
    assert text.splitlines()[0] == (
        'Project TempoMode="FamiTracker" Name="A ""tune""" Author="Ada" Copyright="CC0"'
    )
    assert 'FamiTrackerTempo="120" FamiTrackerSpeed="6"' in text
    assert 'LoopPoint="0"' in text
    read = parse_famistudio(text, "song")
    assert read.tags == tags
    assert read.grid is not None
    assert read.grid.bpm == pytest.approx(120)
    assert onsets_of(read.score) == onsets_of(tune())


def test_bars_that_come_again_are_patterns_that_come_again() -> None:
    text, _ = famistudio_text(march(40), BeatGrid.steady(112.5), InstrumentSet(), Tags())
    assert text.count("PatternInstance") > 2 * text.count("Pattern Name")


def test_a_loop_after_an_intro_begins_with_a_pattern() -> None:
    text, _ = famistudio_text(march(40), BeatGrid.steady(112.5), InstrumentSet(), Tags(), loop_bar=2)
    assert 'LoopPoint="1" PatternLength="32"' in text
    assert 'LoopPoint="-1"' in famistudio_text(march(4), None, InstrumentSet(), Tags())[0]


def test_instruments_are_envelopes() -> None:
    text, _ = famistudio_text(march(4), None, instrument_set("lead"), Tags())
    assert (
        'Envelope Type="Volume" Length="14" Loop="7" Release="8" Values="15,15,14,14,13,13,13,12,6,4,3,2,1,0"'
        in text
    )
    assert 'Envelope Type="DutyCycle" Length="3" Values="2,2,1"' in text


def test_notes_are_an_octave_above_ours() -> None:
    text, _ = famistudio_text(tune(), BeatGrid.steady(120), InstrumentSet(), Tags())
    assert 'Time="0" Value="A3" Duration' in text  # 440 Hz, which is A4 here


OTHERS = """Project Version="4.2.0" TempoMode="FamiStudio" Name="Ours"
\tInstrument Name="Lead"
\t\tEnvelope Type="Volume" Length="1" Values="12"
\tSong Name="one" Length="2" LoopPoint="0" PatternLength="4" BeatLength="4" NoteLength="7" Groove="7"
\t\tPatternCustomSettings Time="1" Length="2" NoteLength="7" Groove="7" BeatLength="4"
\t\tChannel Type="Square1"
\t\t\tPattern Name="A"
\t\t\t\tNote Time="0" Value="C3" Duration="10" Instrument="Lead" Volume="9" DutyCycle="1"
\t\t\t\tNote Time="7" Volume="4"
\t\t\t\tNote Time="14" Value="D3" Duration="14" Release="7" Instrument="Lead" SlideTarget="E3"
\t\t\tPatternInstance Time="0" Pattern="A"
\t\t\tPatternInstance Time="1" Pattern="A"
\t\tChannel Type="Noise"
\t\t\tPattern Name="N"
\t\t\t\tNote Time="0" Value="G2" Duration="2" Instrument="Lead"
\t\t\tPatternInstance Time="0" Pattern="N"
\t\tChannel Type="DPCM"
\t\t\tPattern Name="D"
\t\t\t\tNote Time="0" Value="G2" Duration="2"
\t\t\tPatternInstance Time="0" Pattern="D"
\tSong Name="two" Length="1" PatternLength="4" NoteLength="7"
"""


def test_what_others_wrote_is_read() -> None:
    read = parse_famistudio(OTHERS, "song.txt")
    p1, _, _, no = read.score.parts
    assert [(n.onset // FRAME, n.length // FRAME, n.pitch, n.velocity) for n in p1.notes] == [
        (0, 10, 60, 9),
        (14, 7, 62, 4),
        (28, 10, 60, 9),
    ]
    assert Change(7 * FRAME, Kind.VELOCITY, 4) in p1.changes
    assert [(n.pitch, n.length // FRAME) for n in no.notes] == [(1, 2)]
    assert read.score.length == 42 * FRAME
    assert read.remarks == (
        "The tracker's instruments are left out; notes have their own volumes.",
        "SlideTarget of notes are left out.",
        "Only the first song is read.",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a text of FamiStudio"),
        ('Project Name="x"', "no song in it"),
        (OTHERS.replace('Length="2"', 'Length="x"'), "Length is 'x', which is no length"),
        (OTHERS.replace('Instance Time="1"', 'Instance Time="?"'), "line 12: something is missing"),
    ],
)
def test_what_is_none_says_so(text: str, reason: str) -> None:
    with pytest.raises(FormatError, match=rf"^song\.txt: {reason}.*; export"):
        parse_famistudio(text, "song.txt")


@pytest.mark.parametrize("junk", ["[" * 300_000, "x=" * 150_000, ' a="' * 75_000])
def test_a_long_line_of_junk_takes_no_longer_than_others(junk: str) -> None:
    assert parse_famistudio(f"{OTHERS}\n{junk}", "song").score == parse_famistudio(OTHERS, "song").score


def test_a_pattern_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(famistudio_reader, "_MAX_NOTES", 10)
    note = '\t\t\t\tNote Time="0" Value="?"\n'
    place = OTHERS.index("\t\t\t\tNote")
    parse_famistudio(OTHERS, "song.txt")
    with pytest.raises(FormatError, match=r"^song\.txt: it has more than 10 notes; export"):
        parse_famistudio(OTHERS[:place] + 11 * note + OTHERS[place:], "song.txt")


@settings(max_examples=30)
@given(st.integers(0, len(OTHERS)), st.integers(0, 30), st.text(max_size=5))
def test_damaged_texts_are_read_or_refused(place: int, count: int, junk: str) -> None:
    try:
        read = parse_famistudio(OTHERS[:place] + junk + OTHERS[place + count :], "song")
    except FormatError:
        return
    assert read.score.length >= 0
