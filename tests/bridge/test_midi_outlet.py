"""The four voices as messages: what is sent for what is played, and never a hung note."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lakhnes.bridge import gm
from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.runtime import Kind, OptionError, PortLostError, Voice
from lakhnes.runtime.music.events import VALUES

P1, P2, TR, NO = Voice


class Recorder:
    """An output that writes down what it gets, and can be lost after some messages."""

    def __init__(self, lasts: int | None = None) -> None:
        self.sent: list[tuple[int, ...]] = []
        self.lasts = lasts
        self.closed = 0

    def send(self, data: Sequence[int]) -> None:
        if not self.alive():
            raise PortLostError("The port is gone.")
        assert not self.closed
        self.sent.append(tuple(data))

    def alive(self) -> bool:
        return self.lasts is None or len(self.sent) < self.lasts

    def close(self) -> None:
        self.closed += 1

    def take(self) -> list[tuple[int, ...]]:
        sent, self.sent = self.sent, []
        return sent


def quiet(*channels: int) -> list[tuple[int, ...]]:
    return [(0xB0 | channel, control, 0) for channel in channels for control in (64, 120, 123)]


def test_notes_have_the_channels_pitches_and_velocities_of_the_files() -> None:
    output = Recorder()
    outlet = MidiOutlet(output)
    outlet.note_on(P1, 60, 15, 0.0)
    outlet.note_on(P2, 64, 1, 0.0)
    outlet.note_on(TR, 40, 1, 0.0)
    outlet.note_on(NO, 10, 8, 0.0)
    assert output.take() == [(0x90, 60, 127), (0x91, 64, 8), (0x92, 40, 127), (0x99, 38, 68)]
    outlet.note_on(P1, 60, 15, 0.1)
    outlet.note_off(NO, 0.1)
    outlet.note_off(NO, 0.2)
    assert output.take() == [(0x80, 60, 64), (0x90, 60, 127), (0x89, 38, 64)]


def test_silence_ends_what_sounds_and_quietens_every_channel() -> None:
    output = Recorder()
    outlet = MidiOutlet(output, channels=(5, 5, 16, 10))
    outlet.note_on(P2, 64, 15, 0.0)
    outlet.note_on(NO, 1, 15, 0.0)
    output.take()
    outlet.silence(0.5)
    assert output.take() == [(0x84, 64, 64), (0x89, 35, 64), *quiet(4, 15, 9)]
    outlet.silence(0.6)
    assert output.take() == quiet(4, 15, 9)


def test_four_ports_have_a_voice_each() -> None:
    outputs = [Recorder() for _ in Voice]
    outlet = MidiOutlet(outputs, channels=(1, 1, 1, 1), programs=True)
    assert [output.take() for output in outputs] == [[(0xC0, 80)], [(0xC0, 80)], [(0xC0, 38)], []]
    for voice in Voice:
        outlet.note_on(voice, 16, 15, 0.0)
    assert [output.take() for output in outputs] == [
        [(0x90, 16, 127)],
        [(0x90, 16, 127)],
        [(0x90, 16, 127)],
        [(0x90, 69, 127)],
    ]
    outlet.close()
    assert [output.sent[1:] for output in outputs] == [quiet(0)] * 4
    assert [output.closed for output in outputs] == [1] * 4


def test_volume_is_cc11_and_timbre_cc12() -> None:
    output = Recorder()
    outlet = MidiOutlet(output)
    outlet.note_on(P1, 60, 10, 0.0)
    outlet.change(P1, Kind.VELOCITY, 3, 0.0)
    outlet.change(NO, Kind.TIMBRE, 1, 0.0)
    outlet.change(TR, Kind.TIMBRE, 1, 0.0)  # the triangle has none
    assert output.take() == [(0x90, 60, 85), (0xB0, 11, 25), (0xB9, 12, 127)]
    outlet.note_on(P1, 62, 10, 0.0)
    assert output.take() == [(0x80, 60, 64), (0xB0, 11, 85), (0x90, 62, 85)], "it would stay quiet"
    outlet.note_on(P1, 64, 10, 0.0)
    assert output.take() == [(0x80, 62, 64), (0x90, 64, 85)]
    outlet.silence(0.0)
    assert output.take() == [(0x80, 64, 64), (0xB0, 11, 127), *quiet(0, 1, 2, 9)]
    outlet.note_on(P1, 65, 10, 0.0)
    assert output.take() == [(0x90, 65, 85)]


def test_with_expression_cc11_comes_before_every_note_that_has_a_volume() -> None:
    output = Recorder()
    outlet = MidiOutlet(output, expression=True)
    outlet.note_on(P2, 60, 10, 0.0)
    outlet.note_on(TR, 60, 10, 0.0)
    assert output.take() == [(0xB1, 11, 85), (0x91, 60, 85), (0x92, 60, 127)]


@pytest.mark.parametrize("channels", [(0, 1, 2, 3), (1, 2, 3, 17), (1, 2, 3)])
def test_channels_out_of_range_are_refused(channels: tuple[int, int, int, int]) -> None:
    with pytest.raises(OptionError, match="from 1 to 16"):
        MidiOutlet(Recorder(), channels=channels)


def test_other_channels_end_what_sounds_on_those_before() -> None:
    output = Recorder()
    outlet = MidiOutlet(output)
    outlet.note_on(P1, 60, 15, 0.0)
    outlet.change(P2, Kind.TIMBRE, 2, 0.0)
    output.take()
    outlet.set_channels((5, 6, 7, 8))
    assert outlet.channels == (5, 6, 7, 8)
    sent = output.take()
    assert sent[0] == (0x80, 60, 64)
    assert sent[1:13] == quiet(0, 1, 2, 9)
    assert sent[13:] == [(0xB5, 12, gm.midi_of_timbre(P2, 2))], "the timbre that was told holds"
    outlet.note_on(P1, 62, 15, 0.0)
    outlet.note_off(P1, 0.0)
    assert output.take() == [(0x94, 62, 127), (0x84, 62, 64)]
    with pytest.raises(OptionError, match="1 to 16"):
        outlet.set_channels((1, 2, 3, 17))
    assert outlet.channels == (5, 6, 7, 8)


def test_two_ports_are_refused() -> None:
    with pytest.raises(OptionError, match="one MIDI port or four"):
        MidiOutlet([Recorder(), Recorder()])


def test_clock_goes_to_one_port() -> None:
    outputs = [Recorder() for _ in Voice]
    MidiOutlet(outputs).raw([0xF8])
    assert [output.sent for output in outputs] == [[(0xF8,)], [], [], []]


def test_a_lost_port_drops_everything_until_it_is_reopened() -> None:
    first, second = Recorder(lasts=1), Recorder()
    outlet = MidiOutlet(first, programs=False)
    outlet.note_on(P1, 60, 15, 0.0)
    assert not outlet.lost, "nothing was refused yet"
    outlet.note_on(P1, 62, 15, 0.1)
    assert outlet.lost
    outlet.change(P1, Kind.TIMBRE, 3, 0.2)
    outlet.raw([0xF8])
    outlet.silence(0.2)
    assert first.sent == [(0x90, 60, 127)]
    outlet.reopen(second)
    assert first.closed == 1
    assert not outlet.lost
    assert second.take() == [*quiet(0, 1, 2, 9), (0xB0, 12, 127)], "the timbre is what it should be"
    outlet.note_on(P1, 64, 15, 0.3)
    assert second.take() == [(0x90, 64, 127)]
    outlet.close()
    outlet.close()
    assert second.sent == [(0x80, 64, 64), *quiet(0, 1, 2, 9)]


def test_asking_finds_a_lost_port_and_ends_notes_on_the_others() -> None:
    outputs = [Recorder(), Recorder(), Recorder(lasts=1), Recorder()]
    outlet = MidiOutlet(outputs)
    outlet.note_on(P1, 60, 15, 0.0)
    assert outlet.alive()
    outlet.note_on(TR, 40, 15, 0.0)
    assert not outlet.alive()
    assert outlet.lost
    assert outputs[0].sent == [(0x90, 60, 127), (0x80, 60, 64)]


voices = st.sampled_from(list(Voice))
calls = st.one_of(
    st.builds(lambda v, p, vel: ("note_on", v, 1 + p % 16 if v is NO else p, vel), voices,
              st.integers(1, 127), st.integers(1, 15)),
    st.builds(lambda v: ("note_off", v), voices),
    st.sampled_from([k for k in VALUES if k[1] in (Kind.VELOCITY, Kind.TIMBRE)]).flatmap(
        lambda key: st.sampled_from(VALUES[key]).map(lambda value: ("change", *key, value))
    ),
    st.just(("silence",)),
)  # fmt: skip


@given(
    calls=st.lists(calls, max_size=60),
    n_outputs=st.sampled_from([1, 4]),
    channels=st.tuples(*[st.integers(1, 16)] * 4),
    expression=st.booleans(),
)
def test_every_note_that_was_begun_is_ended(
    calls: list[tuple[object, ...]], n_outputs: int, channels: tuple[int, int, int, int], expression: bool
) -> None:
    outputs = [Recorder() for _ in range(n_outputs)]
    outlet = MidiOutlet(outputs, channels=channels, expression=expression)
    for name, *arguments in calls:
        getattr(outlet, str(name))(*arguments, 0.0)
    outlet.silence(1.0)
    for output in outputs:
        sounding: Counter[tuple[int, int]] = Counter()
        for status, *values in output.sent:
            kind, place = status & 0xF0, (status & 0x0F, values[0])
            if kind == 0x90:
                assert values[1] > 0, "that would be a note-off"
                sounding[place] += 1
            elif kind == 0x80:
                sounding[place] -= 1
                assert sounding[place] >= 0, "an end without a beginning"
        assert not +sounding


@given(calls=st.lists(calls, max_size=60))
def test_a_voice_has_one_note_at_a_time(calls: list[tuple[object, ...]]) -> None:
    output = Recorder()
    outlet = MidiOutlet(output)
    for name, *arguments in calls:
        getattr(outlet, str(name))(*arguments, 0.0)
    outlet.close()
    for channel in gm.CHANNELS.values():
        notes = [(status & 0xF0, pitch) for status, pitch, *_ in output.sent
                 if status & 0x0F == channel and status & 0xF0 in (0x80, 0x90)]  # fmt: skip
        assert [kind for kind, _ in notes] == [0x90, 0x80] * (len(notes) // 2)
        assert [pitch for _, pitch in notes[::2]] == [pitch for _, pitch in notes[1::2]]


@given(calls=st.lists(calls, max_size=40), lasts=st.integers(0, 30))
def test_after_a_loss_nothing_is_sent_and_nothing_sounds_on_the_next_port(
    calls: list[tuple[object, ...]], lasts: int
) -> None:
    first, second = Recorder(lasts), Recorder()
    outlet = MidiOutlet(first)
    for name, *arguments in calls:
        getattr(outlet, str(name))(*arguments, 0.0)
    assert len(first.sent) <= lasts
    assert outlet.alive() == (len(first.sent) < lasts)
    outlet.reopen(second)
    outlet.silence(1.0)
    assert not outlet.lost
    assert not [data for data in second.sent if data[0] & 0xF0 in (0x80, 0x90)]
