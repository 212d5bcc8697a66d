"""Instruments with a channel or a track for each string or finger."""

import io

import mido
import pytest

from lakhnes.bridge.any_midi import score_from_midi
from lakhnes.bridge.instruments import read_lines
from lakhnes.bridge.smf import MidiFile, parse
from lakhnes.runtime import Voice

Played = tuple[int, int, int, int]
"""Tick, pitch, length and channel."""

OPEN = (40, 45, 50, 55, 59, 64)
SHAPES = ((0, 2, 2, 1, 0, 0), (3, 2, 0, 0, 0, 3))
STRUMS: list[Played] = [
    (i * 480 + 10 * string, OPEN[string] + SHAPES[i % 2][string], 400, string)
    for i in range(8)
    for string in range(6)
]
SOLO: list[Played] = [(i * 240, (64, 67, 69, 71, 74, 76)[i % 6], 200, 5 - i % 6) for i in range(24)]


def track(played: list[Played], name: str, program: int | None, *first: mido.Message) -> mido.MidiTrack:
    result = mido.MidiTrack([mido.MetaMessage("track_name", name=name), *first])
    for channel in sorted({channel for *_, channel in played}):
        if program is not None:
            result.append(mido.Message("program_change", channel=channel, program=program))
    timed = [(tick, 100, pitch, channel) for tick, pitch, _, channel in played]
    timed += [(tick + length, 0, pitch, channel) for tick, pitch, length, channel in played]
    now = 0
    for tick, velocity, pitch, channel in sorted(timed):
        on = mido.Message("note_on", channel=channel, note=pitch, velocity=velocity, time=tick - now)
        result.append(on)
        now = tick
    return result


def file_of(*tracks: mido.MidiTrack) -> MidiFile:
    midi = mido.MidiFile(ticks_per_beat=480)
    midi.tracks.extend(tracks)
    buffer = io.BytesIO()
    midi.save(file=buffer)
    return parse(buffer.getvalue())


BASS = track([(i * 480, 36 + i % 3, 400, 11) for i in range(8)], "Bass", 33)


@pytest.mark.parametrize(("name", "program"), [("Picking", 25), ("Gtr.", None), ("Banjo", 105)])
def test_a_guitar_of_six_channels_is_one_instrument(name: str, program: int | None) -> None:
    score, remarks = score_from_midi(file_of(track(SOLO, name, program), BASS))
    assert [note.pitch for note in score.parts[Voice.P1].notes] == [pitch for _, pitch, _, _ in SOLO]
    assert not score.parts[Voice.P2].notes
    assert remarks == (f"Pulse 1 plays '{name}'.", "Triangle plays 'Bass'.")


def test_a_guitar_alone_is_one_instrument() -> None:
    lines, _ = read_lines(file_of(track(STRUMS, "", 25)))
    assert [(len(line.notes), line.label) for line in lines] == [(48, "track 1, channels 1 to 6")]
    score, _ = score_from_midi(file_of(track(STRUMS, "", 25)))
    for voice, string in ((Voice.P1, 5), (Voice.TR, 0)):
        assert [n.pitch for n in score.parts[voice].notes] == [p for _, p, _, its in STRUMS if its == string]


@pytest.mark.parametrize(
    ("played", "program"),
    [
        (SOLO, 73),  # a consort of flutes
        (SOLO, None),  # a band of which nothing is known
        ([note for note in SOLO if note[3] < 3], 25),  # three guitars
        ([(tick, pitch + step, 200, its) for tick, pitch, _, its in SOLO for step in (0, 4)], 25),  # chords
    ],
)
def test_channels_of_a_band_in_one_track_stay_apart(played: list[Played], program: int | None) -> None:
    lines, _ = read_lines(file_of(track(played, "My song", program)))
    assert len(lines) == len({channel for *_, channel in played})
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))


def strings_of(played: list[Played]) -> list[list[Played]]:
    """What each string plays, the lowest first, all on one channel."""
    return [[(t, pitch, n, 0) for t, pitch, n, its in played if its == string] for string in range(6)]


RUN: list[Played] = [(tick, pitch, length, 5 - string) for tick, pitch, length, string in SOLO]
SIX = tuple(f"Guitar {number}" for number in range(6, 0, -1))


@pytest.mark.parametrize(
    ("names", "program", "name"),
    [
        (SIX, 25, "Guitar"),
        (SIX[::-1], 25, "Guitar"),  # as some count
        (SIX, None, "Guitar"),
        (("Gtr_6", "Gtr_5", "Gtr_4", "Gtr_3", "Gtr_2", "Gtr_1"), 27, "Gtr"),
        (("6th string", "5th string", "4th string", "3rd string", "2nd string", "1st string"), 27, None),
        (("E", "A", "D", "G", "B", "e"), None, "E A D G B e"),
        (("Guitar low E", "Guitar A", "Guitar D", "Guitar G", "Guitar B", "Guitar high E"), 25, "Guitar"),
        (("E2", "A2", "D3", "G3", "H3", "E4"), 25, None),
        (("Solo",) * 6, 29, "Solo"),
        (("",) * 6, 25, ""),
    ],
)
@pytest.mark.parametrize("played", [STRUMS, RUN])
def test_a_guitar_of_six_tracks_is_one_instrument(
    names: tuple[str, ...], program: int | None, name: str | None, played: list[Played]
) -> None:
    strings = strings_of(played)
    lines, _ = read_lines(
        file_of(*(track(its, n, program) for n, its in zip(names, strings, strict=True)), BASS)
    )
    assert [len(line.notes) for line in lines] == [len(played), 8]
    assert [line.number for line in lines] == [1, 2]
    assert name is None or lines[0].name == name
    assert sorted(note.pitch for note in lines[0].notes) == sorted(pitch for _, pitch, _, _ in played)


def test_a_string_that_nobody_plays_is_a_string() -> None:
    tracks = [track(its, n, 25) for n, its in zip(SIX, strings_of(STRUMS), strict=True)]
    tracks[2] = track([], SIX[2], None)
    lines, _ = read_lines(file_of(*tracks, BASS))
    assert [len(line.notes) for line in lines] == [40, 8]


def test_a_bass_of_four_tracks_is_one_instrument() -> None:
    strings = [
        [(i * 960 + s * 240, pitch + i % 3, 200, 0) for i in range(8)]
        for s, pitch in enumerate((28, 33, 38, 43))
    ]
    score, remarks = score_from_midi(
        file_of(*(track(its, f"Bass {n}", 33) for its, n in zip(strings, (4, 3, 2, 1), strict=True)))
    )
    assert len(score.parts[Voice.TR].notes) == 32
    assert remarks == ("Triangle plays 'Bass'.",)


@pytest.mark.parametrize(
    ("names", "programs", "played"),
    [
        (SIX, (73,) * 6, strings_of(STRUMS)),  # not plucked
        (SIX, (25, 25, 25, 29, 29, 29), strings_of(STRUMS)),  # two sounds
        (SIX[:3], (25,) * 3, strings_of(STRUMS)[:3]),  # three guitars
        (
            SIX,
            (25,) * 6,
            [[(i * 240, 60 + i % 12, 200, 0) for i in range(24)]] * 6,
        ),  # six players, one register
        (
            SIX,
            (25,) * 6,
            [[(t, p + step, 200, 0) for t, p, _, _ in its for step in (0, 4)] for its in strings_of(STRUMS)],
        ),
        (tuple("ABCDEF"), (25,) * 6, strings_of(STRUMS)),  # letters that no strings have
        (
            tuple(f"Guitar {n}" for n in (1, 2, 4, 5, 6, 7)),
            (25,) * 6,
            strings_of(STRUMS),
        ),  # 3 is something else
    ],
)
def test_guitars_of_several_players_stay_apart(
    names: tuple[str, ...], programs: tuple[int, ...], played: list[list[Played]]
) -> None:
    tracks = [track(its, n, p) for its, n, p in zip(played, names, programs, strict=True)]
    lines, _ = read_lines(file_of(*tracks, BASS))
    assert [line.name for line in lines] == [*names, "Bass"]


def test_strings_on_tracks_have_their_own_volumes_and_bends() -> None:
    quiet = mido.Message("control_change", channel=0, control=7, value=50)
    bend = mido.Message("pitchwheel", channel=3, pitch=1000)
    tracks = [
        track([note for note in STRUMS if note[3] == string], name, 25, *([quiet] if string == 0 else [bend]))
        for string, name in enumerate(SIX)
    ]
    midi = file_of(*tracks, BASS)
    (guitar, _), _ = read_lines(midi)
    assert {note.velocity for note in guitar.notes if note.pitch < 45} == {50}
    assert {note.velocity for note in guitar.notes if note.pitch > 50} == {100}
    assert "Left out, since the four voices have none: pitch bend." in score_from_midi(midi)[1]


def test_strings_have_their_own_volumes_and_bends() -> None:
    quiet = mido.Message("control_change", channel=0, control=7, value=50)
    bend = mido.Message("pitchwheel", channel=3, pitch=1000)
    midi = file_of(track(STRUMS, "Guitar", 25, quiet, bend), BASS)
    (guitar, _), _ = read_lines(midi)
    assert {note.velocity for note in guitar.notes if note.pitch < 45} == {50}
    assert {note.velocity for note in guitar.notes if note.pitch > 50} == {100}
    assert "Left out, since the four voices have none: pitch bend." in score_from_midi(midi)[1]


def test_a_zone_of_mpe_is_one_instrument_without_drums() -> None:
    played = [(i * 240, 60 + i % 8, 200, 1 + i % 15) for i in range(30)]
    zone = [
        mido.Message("control_change", channel=0, control=control, value=value)
        for control, value in ((101, 0), (100, 6), (6, 15))
    ]
    score, remarks = score_from_midi(file_of(track(played, "Keys", None, *zone)))
    assert [note.pitch for note in score.parts[Voice.P1].notes] == [pitch for _, pitch, _, _ in played]
    assert remarks == ("Pulse 1 plays 'Keys'.",)
