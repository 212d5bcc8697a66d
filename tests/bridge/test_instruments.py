"""Instruments with a channel for each string or finger."""

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
