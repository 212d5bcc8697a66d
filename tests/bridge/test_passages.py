"""What voices play where their own lines rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.bridge.lines import Line, LineNote
from lakhnes.bridge.passages import REST, filled
from lakhnes.bridge.voices import arrange
from lakhnes.runtime import Voice
from lakhnes.runtime.music.timing import FRAME_SAMPLES

BEAT = 22_050


def line(number: int, beats: list[int], pitch: int, program: int | None = None) -> Line:
    notes = tuple(
        LineNote(beat * BEAT, beat * BEAT + 20_000, pitch + i % 3, 100, beat * BEAT + 20_000)
        for i, beat in enumerate(beats)
    )
    return Line(number, number, f"line {number}", notes, number, program)


def test_another_line_takes_over_where_a_voice_rests() -> None:
    lead = line(1, [*range(8, 16), *range(24, 32)], 72, 73)
    answer = line(2, [*range(16, 24)], 70, 71)
    chords = line(3, list(range(40)), 64, 0)
    bass = line(4, list(range(40)), 36, 33)
    arranged = arrange([lead, answer, chords, bass])
    onsets = [note.onset // BEAT for note in arranged.parts[Voice.P1].notes]
    assert onsets == list(range(8, 32)), "the answer in the rest, and nothing that another voice plays"
    assert arranged.remarks[0] == "Pulse 1 plays 'line 1', and in its rests 'line 2'."
    assert len(arranged.parts[Voice.P2].notes) == len(arranged.parts[Voice.TR].notes) == 40


notes = st.lists(
    st.builds(
        lambda onset, length, pitch: LineNote(onset, onset + length, pitch, 100, onset + length),
        st.integers(0, 40 * BEAT),
        st.integers(FRAME_SAMPLES, 3 * BEAT),
        st.integers(40, 90),
    ),
    max_size=25,
).map(sorted)


@given(notes, notes)
def test_only_rests_are_filled(own: list[LineNote], others: list[LineNote]) -> None:
    single: list[LineNote] = []
    for note in own:
        if not single or note.onset >= single[-1].ring:
            single.append(note)
    other = Line(1, 1, "", tuple(others))
    result = filled(single, [other] if others else [], frozenset(), highest=True)
    assert set(single) <= set(result.notes)
    assert all(
        before.ring <= after.onset for before, after in zip(result.notes, result.notes[1:], strict=False)
    )
    for note in result.notes:
        if note not in single:
            assert note.onset in result.onsets
            before = max((n.ring for n in single if n.onset <= note.onset), default=0)
            after = min((n.onset for n in single if n.onset > note.onset), default=10**9)
            assert after - before >= REST
            assert note.onset + FRAME_SAMPLES <= note.ring <= after


@pytest.mark.parametrize("rest", [REST - 1, REST])
def test_a_short_rest_stays_one(rest: int) -> None:
    own = [LineNote(0, 1000, 60, 100, 1000), LineNote(1000 + rest, 3000 + rest, 60, 100, 3000 + rest)]
    other = Line(
        1, 1, "", tuple(LineNote(2000 + 5000 * i, 6000 + 5000 * i, 70, 99, 6000 + 5000 * i) for i in range(9))
    )
    result = filled(own, [other], frozenset(), highest=True)
    inside = [note for note in result.notes if 1000 <= note.onset < 1000 + rest]
    assert bool(inside) == (rest >= REST)
