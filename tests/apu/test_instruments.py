from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.apu.instruments import (
    Drum,
    Instrument,
    InstrumentSet,
    Sequence,
    Slide,
    Vibrato,
    instrument_names,
    instrument_set,
    mixed_set,
    scaled,
)
from lakhnes.runtime import Change, Kind, Note, Part, Voice
from lakhnes.runtime.errors import OptionError


def test_a_sequence_holds_its_last_value_or_loops() -> None:
    assert [Sequence((9, 7, 5)).at(frame) for frame in range(6)] == [9, 7, 5, 5, 5, 5]
    assert [Sequence((9, 7, 5), loop=1).at(frame) for frame in range(7)] == [9, 7, 5, 7, 5, 7, 5]
    assert [Sequence((9, 7), loop=0).at(frame) for frame in range(4)] == [9, 7, 9, 7]


def test_vibrato_begins_late_and_swings_both_ways() -> None:
    vibrato = Vibrato(20, 15, delay_frames=2)
    assert [vibrato.cents(frame) for frame in range(7)] == pytest.approx([0, 0, 0, 20, 0, -20, 0], abs=1e-9)


def test_a_slide_goes_straight_to_the_note() -> None:
    assert [Slide(-3, 3).cents(frame) for frame in range(5)] == pytest.approx([-300, -200, -100, 0, 0])


def test_bends_add_up() -> None:
    both = Instrument(vibrato=Vibrato(10, 15), slide=Slide(1, 2))
    assert [both.cents(frame) for frame in range(4)] == pytest.approx([100, 60, 0, -10], abs=1e-9)
    assert Instrument().cents(5) == 0


@given(st.integers(0, 15), st.integers(0, 15))
def test_scaled_volumes_lie_between_silence_and_the_velocity(velocity: int, level: int) -> None:
    assert 0 <= scaled(velocity, level) <= velocity
    assert (scaled(velocity, level) == 0) == (velocity == 0 or level == 0)
    assert scaled(velocity, 15) == velocity
    assert scaled(15, level) == level


def test_volumes_of_a_note() -> None:
    def volumes(instrument: Instrument, velocity: int, held: int) -> list[int | None]:
        before = [instrument.held_volume(velocity, frame) for frame in range(held)]
        return [*before, *instrument.releases(velocity, held)]

    assert volumes(Instrument(), 9, 3) == [9, None, None]
    assert volumes(Instrument(release=(15, 5)), 9, 2) == [9, None, 9, 3]
    shaped = Instrument(Sequence((15, 10)), release=(12, 3, 1))
    assert volumes(shaped, 15, 3) == [15, 10, 10, 10, 3, 1]
    assert volumes(shaped, 15, 1) == [15, 12, 3, 1]
    assert volumes(shaped, 3, 2) == [3, 2, 2, 1, 1]
    faded = Instrument(Sequence((9, 0)), release=(12, 3))
    assert volumes(faded, 15, 2) == [9, 0, 0, 0]


def test_an_instrument_beside_a_part_that_speaks_for_itself() -> None:
    whole = Instrument(
        Sequence((9,)),
        release=(3,),
        gate_frames=4,
        timbre=Sequence((1,)),
        vibrato=Vibrato(9, 5),
        slide=Slide(1, 2),
    )
    notes = (Note(0, 9, 60, 7),)
    assert whole.beside(Part(notes)) == whole
    pitch = {"vibrato": whole.vibrato, "slide": whole.slide}
    loud = whole.beside(Part(notes, (Change(5, Kind.VELOCITY, 3),)))
    assert loud == Instrument(timbre=whole.timbre, **pitch)
    thin = whole.beside(Part(notes, (Change(0, Kind.TIMBRE, 3),)))
    assert thin == Instrument(whole.volume, whole.release, whole.gate_frames, **pitch)


def test_each_voice_has_its_instrument() -> None:
    p1, p2, tr, low, high = (Instrument(gate_frames=n) for n in range(1, 6))
    four = InstrumentSet(p1, p2, tr, (Drum(4, low), Drum(16, high)))
    assert [four.of(voice, 60) for voice in (Voice.P1, Voice.P2, Voice.TR)] == [p1, p2, tr]
    assert [four.of(Voice.NO, pitch) for pitch in (1, 4, 5, 16)] == [low, low, high, high]


def test_each_voice_is_asked_for_itself() -> None:
    shaped = Instrument(Sequence((9,)))
    four = InstrumentSet(shaped, shaped, Instrument(gate_frames=2), (Drum(16, shaped),))
    speaks = Part((Note(0, 9, 8),), (Change(5, Kind.VELOCITY, 3),))
    left = four.beside((speaks, Part(), Part(), speaks))
    assert left == InstrumentSet(Instrument(), shaped, four.tr, (Drum(16, Instrument()),))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Sequence(()),
        lambda: Sequence((1, 2), loop=2),
        lambda: Sequence((1, 2), loop=-1),
        lambda: Vibrato(1201, 5),
        lambda: Vibrato(5, 0),
        lambda: Vibrato(5, 31),
        lambda: Vibrato(5, 5, -1),
        lambda: Slide(49, 1),
        lambda: Slide(-49, 1),
        lambda: Slide(5, 0),
        lambda: Instrument(Sequence((16,))),
        lambda: Instrument(release=(-1,)),
        lambda: Instrument(timbre=Sequence((4,))),
        lambda: Instrument(gate_frames=0),
        lambda: InstrumentSet(tr=Instrument(Sequence((9,)))),
        lambda: InstrumentSet(tr=Instrument(release=(1,))),
        lambda: InstrumentSet(tr=Instrument(timbre=Sequence((0,)))),
        lambda: InstrumentSet(no=(Drum(16, Instrument(vibrato=Vibrato(5, 5))),)),
        lambda: InstrumentSet(no=(Drum(16, Instrument(slide=Slide(5, 5))),)),
        lambda: InstrumentSet(no=(Drum(16, Instrument(timbre=Sequence((2,)))),)),
        lambda: InstrumentSet(no=()),
        lambda: InstrumentSet(no=(Drum(15, Instrument()),)),
        lambda: InstrumentSet(no=(Drum(9, Instrument()), Drum(9, Instrument()), Drum(16, Instrument()))),
        lambda: InstrumentSet(no=(Drum(16, Instrument()), Drum(9, Instrument()))),
        lambda: InstrumentSet(no=(Drum(0, Instrument()), Drum(16, Instrument()))),
    ],
)
def test_what_cannot_be_played_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        wrong()


def test_there_are_five_sets_by_name() -> None:
    assert instrument_names() == ("plain", "soft", "pluck", "lead", "arcade")
    assert instrument_set("plain") == InstrumentSet()
    assert len({repr(instrument_set(name)) for name in instrument_names()}) == 5


def test_an_unknown_name_tells_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"'banjo'; choose plain, soft, pluck, lead, arcade"):
        instrument_set("banjo")


@pytest.mark.parametrize("name", instrument_names())
def test_releases_die_away(name: str) -> None:
    four = instrument_set(name)
    for instrument in (four.p1, four.p2, *(drum.instrument for drum in four.no)):
        assert list(instrument.release) == sorted(instrument.release, reverse=True)
        assert len(instrument.release) <= 8


def test_each_voice_may_have_an_instrument_of_another_set() -> None:
    mixed = mixed_set(("plain", "soft", "pluck", "arcade"))
    assert mixed.p1 == instrument_set("plain").p1
    assert mixed.p2 == instrument_set("soft").p2
    assert mixed.tr == instrument_set("pluck").tr
    assert mixed.no == instrument_set("arcade").no
    for name in instrument_names():
        assert mixed_set((name, name, name, name)) == instrument_set(name)
    with pytest.raises(OptionError, match="no instruments 'banjo'"):
        mixed_set(("plain", "plain", "banjo", "plain"))
