import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.runtime.music.events import MAX_WAIT, VALUES, Event, Kind, Voice, parse_event


@given(st.sampled_from(sorted(VALUES)), st.data())
def test_every_event_reads_back(place: tuple[Voice, Kind], data: st.DataObject) -> None:
    voice, kind = place
    event = Event(kind, voice, data.draw(st.sampled_from(VALUES[place])))
    assert parse_event(str(event)) == event


@given(st.integers(1, MAX_WAIT))
def test_every_wait_reads_back(samples: int) -> None:
    assert parse_event(f"WT_{samples}") == Event(Kind.WAIT, None, samples)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("WT_0", "no wait"),
        ("WT_-5", "no wait"),
        ("WT_", "no wait"),
        ("WT_" + "9" * 5000, "no wait"),
        ("WT_٣", "no wait"),
        ("P1_NOTEON_128", "P1_NOTEON goes from 1 to 127"),
        ("NO_NOTEON_17", "NO_NOTEON goes from 1 to 16"),
        ("P1_NOTEON_060", "out of range"),
        ("P1_VELOCITY_16", "goes from 1 to 15"),
        ("NO_TIMBRE_2", "goes from 0 to 1"),
        ("TR_VELOCITY_3", "unknown event"),
        ("P1_NOTEOFF_3", "unknown event"),
        ("P3_NOTEON_60", "unknown event"),
        ("p1_noteon_60", "unknown event"),
        ("", "unknown event"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_event(text)
