"""Songs in bars for property tests."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import strategies as st

from lakhnes.runtime.bars.bars import BarNote, Bars
from lakhnes.runtime.bars.codec import HEAD, BarredCodec, make_codec
from lakhnes.runtime.decode.grammar import BarGrammar
from lakhnes.runtime.decode.state import DecodeState
from lakhnes.runtime.music.events import VOCABULARY_PITCHES, Event, Kind, Voice
from lakhnes.runtime.music.timing import Timing
from lakhnes.runtime.music.vocabulary import END_TOKEN, bars

CODEC = make_codec(bars(), Timing.BARS)


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


def check_grammar(tokens: Iterable[int]) -> DecodeState:
    """Checks that a song's tokens are canonical, and returns the state after them."""
    events = [CODEC.event(int(token)) for token in tokens]
    start = next(place for place, event in enumerate(events) if event.kind is Kind.BAR)
    head = events[:start]
    places = [HEAD.index((event.kind, event.voice)) for event in head]
    assert places == sorted(set(places))
    assert set(range(len(HEAD))) - set(places) <= {HEAD.index((Kind.KEY, None))}
    assert events[start].value in (0, 15)
    codec = BarredCodec(CODEC.vocabulary, head, pick_up=events[start].value == 15)
    assert codec.beginning_at(0) == CODEC.tokens(events[: start + 1])
    state, grammar, early = DecodeState(codec), BarGrammar(codec), False
    said = [CODEC.token(event) for event in events]
    for place, event in enumerate(events[start + 1 :], start + 1):
        token = said[place]
        if early or event.kind in (Kind.AHEAD, Kind.GIVEN):
            early = event.kind is not Kind.BACK
            continue
        if event.kind is Kind.CHORD:
            assert codec.chord_due(said[place - 1])
            continue
        if event.kind is Kind.RELATION:
            assert codec.relation_due(said[place - 1])
            assert event.voice not in codec.relations_of(said[:place])
            continue
        assert grammar.bias(state)[token] == 0, (event, state.time)
        meant: Event = codec.event_at(token, state.time)
        if meant.kind is Kind.WAIT:
            assert codec.wait_at(state.time, meant.value) == (token, meant.value)
        state.add(meant)
    assert grammar.bias(state)[END_TOKEN] == 0
    return state
