"""Songs in bars for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from lakhnes.runtime.bars.bars import BarNote, Bars
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Voice


@st.composite
def songs(draw: st.DrawFn) -> Bars:
    """Songs of up to six bars."""
    meter = draw(st.integers(2, 7))
    n_bars = draw(st.integers(1, 6))
    length = n_bars * meter * 24
    parts = []
    for voice in Voice:
        onsets = sorted(draw(st.sets(st.integers(0, length - 1), max_size=12)))
        notes = []
        for onset, after in zip(onsets, [*onsets[1:], length], strict=False):
            may_rest = voice is not Voice.NO and after - onset >= 2
            rests = draw(st.booleans()) if may_rest else False
            end = draw(st.integers(onset + 1, after - 1)) if rests else None
            notes.append(BarNote(onset, end, draw(st.sampled_from(VOCABULARY_PITCHES[voice]))))
        parts.append(tuple(notes))
    articulation = tuple(draw(st.integers(0, 2)) for _ in Voice)
    bpm = draw(st.floats(56, 215))
    swing = draw(st.sampled_from([0.5, 0.58, 0.667]))
    return Bars(tuple(parts), n_bars, meter, bpm, swing, articulation)
