"""The beginning of a track, heard before it is imported."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support import tune

from lakhnes.apu import Synth
from lakhnes.bridge import midi_lines, write_midi
from lakhnes.bridge.lines import Line, LineNote
from lakhnes.runtime import SAMPLE_RATE
from lakhnes.studio.audition import SECONDS, Audition, beginning

RATE, BLOCK = 48_000, 480


class Listener:
    """A sound chip, and a clock that goes on as it is listened to."""

    def __init__(self) -> None:
        self.now = 100.0
        self.synth: Synth | None = Synth("plain", sample_rate=RATE, block=BLOCK)
        self.audition = Audition(lambda: self.synth, lambda: self.now)

    def listen(self, seconds: float) -> float:
        """Loudness of the next seconds, once what was heard before has faded."""
        assert self.synth is not None
        heard = []
        for _ in range(round(seconds * RATE / BLOCK)):
            self.audition.poll()
            heard.append(self.synth.render(BLOCK, self.now))
            self.now += BLOCK / RATE
        return float(np.abs(np.diff(np.concatenate(heard)[RATE // 10 :])).max())


@pytest.fixture
def listener() -> Iterator[Listener]:
    return Listener()


def line(*notes: tuple[float, float, int], drums: bool = False, number: int = 1) -> Line:
    """A track of notes: seconds of onset and length, and pitch."""
    played = [
        LineNote(round(o * SAMPLE_RATE), round((o + n) * SAMPLE_RATE), p, 100, round((o + n) * SAMPLE_RATE))
        for o, n, p in notes
    ]
    return Line(0, 9 if drums else 0, "", tuple(sorted(played)), number, drums=drums)


HELD = line((30.0, 60.0, 60))


def test_a_track_is_heard_from_its_first_note_for_some_seconds(listener: Listener) -> None:
    listener.audition.play(HELD)
    assert listener.audition.line is HELD
    assert listener.listen(SECONDS - 0.5) > 0.01
    listener.listen(1)
    assert listener.audition.line is None
    assert listener.listen(1) < 0.001


def test_it_stops_when_asked_and_when_another_begins(listener: Listener) -> None:
    other = line((0, 0.3, 72), number=2)
    listener.audition.play(HELD)
    listener.listen(1)
    listener.audition.stop()
    assert listener.audition.line is None
    assert listener.listen(1) < 0.001
    listener.audition.play(HELD)
    listener.listen(0.5)
    listener.audition.play(other)
    assert listener.audition.line is other
    listener.listen(1)
    assert listener.audition.line is None
    assert listener.listen(1) < 0.001, "nothing of the first goes on"


def test_a_song_may_end_before_it_begins(listener: Listener) -> None:
    listener.audition.play(HELD, after=0.5)
    assert listener.listen(0.4) < 0.001
    assert listener.listen(1) > 0.01
    listener.audition.play(HELD, after=0.5)
    listener.audition.stop()
    assert listener.listen(1.5) < 0.001


def test_without_sound_nothing_is_heard_nor_remembered(listener: Listener) -> None:
    listener.audition.play(HELD)
    listener.synth = None
    assert not listener.audition.possible
    listener.audition.poll()
    assert listener.audition.line is None
    listener.audition.play(HELD)
    assert listener.audition.line is None
    listener.audition.stop()


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0.001, 20), st.integers(1, 127)), min_size=1, max_size=30),
    st.booleans(),
)
def test_the_beginning_of_any_track_is_short_and_has_its_first_note(
    notes: list[tuple[float, float, int]], drums: bool
) -> None:
    score = beginning(line(*notes, drums=drums))
    assert 0 < score.length <= SECONDS * SAMPLE_RATE
    onsets = [note.onset for part in score.parts for note in part.notes]
    assert min(onsets) == 0
    assert all(note.end <= score.length for part in score.parts for note in part.notes)


def test_every_track_of_a_file_has_a_beginning(tmp_path: Path) -> None:
    write_midi(tune(), tmp_path / "a.mid")
    lines = midi_lines(tmp_path / "a.mid")
    assert len(lines) == sum(bool(part.notes) for part in tune().parts)
    for one in lines:
        (number,) = [n for n, part in enumerate(beginning(one).parts) if part.notes]
        assert [note.pitch for note in beginning(one).parts[number].notes][:4] == [
            note.pitch for note in tune().parts[number].notes
        ][:4]
