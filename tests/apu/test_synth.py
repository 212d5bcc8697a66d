import threading
from collections.abc import Callable
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import tune

from lakhnes.apu.audio_clock import AudioClock
from lakhnes.apu.instruments import Instrument, InstrumentSet, Sequence, instrument_set
from lakhnes.apu.registers import RegisterMode, registers_of
from lakhnes.apu.render import Renderer, Samples, Writes, render
from lakhnes.apu.sound_files import REFERENCE_GAIN
from lakhnes.apu.synth import Synth
from lakhnes.runtime import Kind, Part, Score, Voice
from lakhnes.runtime.errors import OptionError

RATE, BLOCK = 48_000, 512
START = 1000.0  # of the device, in seconds


def played(
    synth: Synth,
    seconds: float,
    tell: Callable[[float, float], None] = lambda since, until: None,
    jitter: Callable[[int], float] = lambda k: 0.0,
    block: int = BLOCK,
) -> Samples:
    """The sound of a device that asks for blocks, and of a player that tells everything when it is due.

    Args:
        synth: plays.
        seconds: how long.
        tell: tells what is due from one time to another, both in seconds since the device's start.
        jitter: seconds by which a block is asked for too late.
        block: frames at once.
    """
    sound, since = [], 0.0
    for k in range(round(seconds * RATE / block)):
        now = k * block / RATE + jitter(k)
        tell(since, now)
        since = now
        sound.append(synth.render(block, START + now))
    return np.concatenate(sound)


def teller(synth: Synth, score: Score) -> Callable[[float, float], None]:
    happens = []
    for voice, part in zip(Voice, score.parts, strict=True):
        for note in part.notes:
            happens.append((note.onset / 44_100, 1, voice, note))
            happens.append((note.end / 44_100, 0, voice, note))
    happens.sort(key=lambda one: one[:3])

    def tell(since: float, until: float) -> None:
        for at, begins, voice, note in happens:
            if since <= at < until:
                if begins:
                    synth.note_on(voice, note.pitch, note.velocity, START + at)
                else:
                    synth.note_off(voice, START + at)
        if since <= score.seconds < until:
            synth.silence(START + score.seconds)

    return tell


def plain_tune() -> Score:
    return Score(tuple(Part(part.notes) for part in tune().parts), tune().length)


def chord(synth: Synth, at: float = START) -> None:
    for voice, pitch in zip(Voice, (69, 64, 45, 8), strict=True):
        synth.note_on(voice, pitch, 15, at)


# In time


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 999), st.sampled_from(["plain", "lead", "arcade"]), st.sampled_from([64, 512, 1024]))
def test_live_is_the_score_rendered_a_constant_time_later(seed: int, name: str, block: int) -> None:
    """To the sample, however unevenly the blocks are asked for."""
    random, score = Random(seed), plain_tune()
    synth = Synth(name, sample_rate=RATE, block=block)
    most = min(0.9 * block / RATE, 0.008)
    sound = played(
        synth, 4.2, teller(synth, score), lambda k: random.uniform(0, most) if k % 7 else 0.0, block
    )
    assert synth.late == synth.interruptions == 0
    log = registers_of(score, RegisterMode.IMPROVED, instrument_set(name))
    later = round(synth.latency_seconds * 44_100)
    clocks = (log.samples + later * (log.samples > 0)) * log.clock_hz // 44_100
    at_start = log.samples == 0
    clocks[at_start & (np.arange(len(clocks)) >= 7)] = later * log.clock_hz // 44_100
    writes = Writes(clocks, log.registers, log.values)
    renderer = Renderer(sample_rate=RATE)
    whole = renderer.render_block(
        Writes(*(column[clocks < renderer.clock_of(len(sound))] for column in _columns(writes))), len(sound)
    )
    assert np.abs(whole).max() > 0.1
    assert np.abs(sound - whole * np.float32(REFERENCE_GAIN)).max() < 1e-6


def _columns(writes: Writes) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return writes.clocks, writes.registers, writes.values


def test_a_note_told_ahead_waits_and_one_told_late_sounds_at_once() -> None:
    def onset(told_at: float, at: float) -> float:
        synth = Synth("plain")
        sound = played(
            synth,
            0.5,
            lambda since, until: (
                synth.note_on(Voice.P1, 69, 15, START + at) if since <= told_at < until else None
            ),
        )
        assert synth.late == (told_at > at + 0.02)
        return int(np.flatnonzero(np.abs(sound) > 0.01)[0]) / RATE

    latency = Synth().latency_seconds + 15 / RATE
    assert onset(0.0, 0.2) == pytest.approx(0.2 + latency, abs=2e-4)
    assert onset(0.201, 0.2) == pytest.approx(0.2 + latency, abs=2e-4)
    assert 0.3 <= onset(0.3, 0.2) < 0.3 + BLOCK / RATE + 0.001


@pytest.mark.parametrize("drift", [-1e-4, 1e-4])
def test_the_clock_follows_a_device_that_runs_fast_or_slow(drift: float) -> None:
    random, clock = Random(1), AudioClock(RATE, BLOCK)
    worst = 0.0
    for k in range(6000):  # a minute
        true = START + k * BLOCK / RATE * (1 + drift)
        clock.asked(k * BLOCK, true + random.expovariate(1000))
        if k > 100:
            worst = max(worst, abs(clock.origin + k * BLOCK / RATE - true))
    assert worst < 0.0007
    assert clock.losses == 0


def test_the_clock_does_not_jump_where_one_block_is_late() -> None:
    clock = AudioClock(RATE, BLOCK)
    late_until = START + 500 * BLOCK / RATE + 0.3  # when the blocks of the meantime are asked for at once
    for k in range(1000):
        due = START + k * BLOCK / RATE
        clock.asked(k * BLOCK, max(due, late_until) if k >= 500 else due)
        assert clock.origin == pytest.approx(START, abs=1e-9)
    assert clock.losses == 0


def test_the_clock_takes_blocks_in_bursts() -> None:
    clock = AudioClock(RATE, 256)
    for k in range(2000):
        clock.asked(k * 256, START + k // 4 * 4 * 256 / RATE)
        if k > 100:
            assert clock.origin == pytest.approx(START - 3 * 256 / RATE, abs=1e-9)
    assert clock.losses == 0


@pytest.mark.parametrize("lost", [0.03, 0.5, 30.0])
def test_the_clock_notices_lost_time_within_a_second(lost: float) -> None:
    clock = AudioClock(RATE, BLOCK)
    for k in range(1000):
        clock.asked(k * BLOCK, START + k * BLOCK / RATE + (lost if k >= 500 else 0.0))
        if k > 600:
            assert clock.origin == pytest.approx(START + lost, abs=1e-6)
    assert clock.losses == 1


# Loudness


def test_full_volume_is_the_consoles_mix() -> None:
    synth = Synth("lead")
    chord(synth)
    sound = played(synth, 1.0)
    log = registers_of(plain_tune())
    assert 0.2 < np.abs(sound).max() <= 1
    assert np.concatenate(list(render(log))).max() * REFERENCE_GAIN <= 1
    touched = Synth("lead")
    touched.set_volume(0.5, Voice.TR)
    touched.mute(Voice.P1)
    played(touched, 0.5)
    touched.set_volume(1.0, Voice.TR)
    touched.mute(Voice.P1, False)
    chord(touched, START + 0.6)
    assert touched.volume(Voice.TR) == 1
    assert not touched.muted(Voice.P1)
    blocks = [touched.render(BLOCK, START + 0.5 + k * BLOCK / RATE) for k in range(200)]
    last = np.concatenate(blocks[-40:])  # longer than a swing of the vibrato
    assert last.std() == pytest.approx(sound[-len(last) :].std(), rel=0.15)


def alone(voice: Voice) -> Samples:
    synth = Synth("plain")
    synth.note_on(voice, (69, 64, 45, 8)[voice], 15, START)
    return played(synth, 0.5)


@pytest.mark.parametrize("voice", list(Voice))
def test_a_voice_whose_others_are_muted_sounds_as_alone(voice: Voice) -> None:
    synth = Synth("plain")
    for other in Voice:
        synth.mute(other, other is not voice)
    played(synth, 0.1)
    synth.prepare(RATE, BLOCK)
    chord(synth)
    sound, expected = played(synth, 0.5), alone(voice)
    scale = float(sound @ expected / (expected @ expected))
    assert 10 ** (-1.2 / 20) < scale < 10 ** (1.6 / 20)
    assert np.abs(sound - scale * expected).max() < 1e-3
    assert [synth.muted(other) for other in Voice] == [other is not voice for other in Voice]


def test_volumes_scale_and_never_jump() -> None:
    def sound(set_to: Callable[[Synth], None]) -> Samples:
        synth = Synth("plain")
        synth.note_on(Voice.P1, 60, 15, START)
        first = played(synth, 0.2)
        set_to(synth)
        rest = [synth.render(BLOCK, START + 0.2 + k * BLOCK / RATE) for k in range(20)]
        return np.concatenate([first, *rest])

    before = sound(lambda synth: None)
    for volume, set_to in (
        (0.25, lambda synth: synth.set_volume(0.25)),
        (0.25 / 1.145, lambda synth: synth.set_volume(0.25, Voice.P1)),
        (0.0, lambda synth: synth.mute(Voice.P1)),
    ):
        after = sound(set_to)
        heard = np.abs(before) > 0.02
        factor = after[heard] / before[heard]
        assert np.abs(factor[-500:] - volume).max() < 1e-3
        steps = np.diff(factor) / np.diff(np.flatnonzero(heard))
        assert np.abs(steps).max() < 0.004
        assert np.array_equal(before[: 9 * BLOCK], after[: 9 * BLOCK])


@pytest.mark.parametrize("volume", [-0.1, 1.1, float("nan")])
def test_a_volume_out_of_range_is_refused(volume: float) -> None:
    with pytest.raises(OptionError, match="0 to 1"):
        Synth().set_volume(volume)


def test_meters_show_which_voices_sound() -> None:
    synth = Synth("plain")
    assert synth.peaks() == (0, 0, 0, 0)
    synth.note_on(Voice.P2, 60, 15, START)
    synth.note_on(Voice.NO, 5, 5, START)
    sound = played(synth, 0.2)
    p1, p2, tr, no = synth.peaks()
    assert (p1, tr) == (0, 0)
    assert p2 > no > 0.01
    assert p2 <= np.abs(sound).max() * 1.2
    synth.silence(START + 0.2)
    for k in range(60):
        synth.render(BLOCK, START + 0.2 + k * BLOCK / RATE)
    assert 0 < synth.peaks()[1] < p2 / 10


def test_nothing_clips_beyond_full_scale() -> None:
    synth = Synth("plain")
    synth.set_volume(0.99, Voice.NO)
    chord(synth)
    assert np.abs(played(synth, 1.0)).max() <= 1


# What is told


def test_silence_is_silent_and_forgets_what_was_to_come() -> None:
    synth = Synth("soft")
    chord(synth)
    chord(synth, START + 0.3)
    played(synth, 0.1)
    synth.silence(START + 0.1)
    sound = [synth.render(BLOCK, START + 0.1 + k * BLOCK / RATE) for k in range(100)]
    assert np.abs(np.concatenate(sound[20:])).max() < 1e-4
    assert np.abs(sound[-1]).max() < 1e-9
    chord(synth, START + 1.5)
    assert max(np.abs(synth.render(BLOCK, START + 1.2 + k * BLOCK / RATE)).max() for k in range(60)) > 0.1


def test_closing_ends_every_note() -> None:
    synth = Synth("plain")
    chord(synth)
    played(synth, 0.2)
    synth.close()
    synth.close()
    for k in range(100):
        block = synth.render(BLOCK, START + 0.2 + k * BLOCK / RATE)
    assert np.abs(block).max() < 1e-9


def test_changes_are_heard() -> None:
    synth = Synth("plain")
    synth.note_on(Voice.P1, 69, 15, START)
    loud = np.abs(played(synth, 0.2)[-2000:]).max()
    synth.change(Voice.P1, Kind.VELOCITY, 3, START + 0.2)
    for k in range(20):
        block = synth.render(BLOCK, START + 0.2 + k * BLOCK / RATE)
    assert np.abs(block).max() < loud / 3


def test_instruments_change_while_it_plays() -> None:
    synth = Synth("plain")
    synth.note_on(Voice.P1, 69, 15, START)
    played(synth, 0.1)
    synth.set_instruments(InstrumentSet(p1=Instrument(Sequence((15, 0)))))
    held = [synth.render(BLOCK, START + 0.1 + k * BLOCK / RATE) for k in range(30)]
    assert np.abs(held[-1]).max() > 0.05
    synth.note_on(Voice.P1, 69, 15, START + 0.4)
    plucked = [synth.render(BLOCK, START + 0.42 + k * BLOCK / RATE) for k in range(30)]
    assert np.abs(plucked[-1]).max() < 1e-3
    with pytest.raises(OptionError, match="banjo"):
        synth.set_instruments("banjo")


def test_it_begins_anew_at_a_devices_rate() -> None:
    synth = Synth("plain")
    chord(synth)
    played(synth, 0.2)
    synth.prepare(96_000, 128)
    assert synth.sample_rate == 96_000
    assert synth.latency_seconds == pytest.approx(128 / 96_000 + 0.003)
    blocks = [synth.render(128, START + k * 128 / 96_000) for k in range(100)]
    assert not np.concatenate(blocks).any()
    synth.note_on(Voice.P1, 69, 15, START + 0.1)
    sound = np.concatenate([synth.render(128, START + 0.1 + k * 128 / 96_000) for k in range(1500)])
    tone = sound[-96_000:]
    assert np.abs(np.fft.rfft(tone))[:600].argmax() in (440, 441)


def test_a_player_without_a_device_fills_no_memory() -> None:
    synth = Synth("plain")
    for k in range(30_000):
        synth.note_on(Voice.P1, 60, 15, START + k)
    synth.silence(START)
    chord(synth, START)
    assert np.abs(played(synth, 0.1)).max() > 0.05


def test_threads_do_not_get_in_each_others_way() -> None:
    synth, errors = Synth("lead"), []

    def act(what: int, voice: Voice, at: float, random: Random) -> None:
        if what == 0:
            synth.note_on(voice, random.randint(1, 16), 15, at)
        elif what == 1:
            synth.note_off(voice, at)
        elif what == 2:
            synth.change(voice, Kind.VELOCITY, 5, at)
        elif what == 3:
            synth.silence(at)
        elif what == 4:
            synth.mute(voice, random.random() < 0.5)
        elif what == 5:
            synth.set_volume(random.random(), voice)
        elif what == 6:
            synth.set_instruments(random.choice(["plain", "pluck", "soft"]))
        else:
            synth.peaks()

    def play(seed: int) -> None:
        random = Random(seed)
        try:
            for k in range(4000):
                act(random.randrange(8), Voice(k % 4), START + k / 2000, random)
        except Exception as error:
            errors.append(error)

    players = [threading.Thread(target=play, args=(seed,)) for seed in range(2)]
    for player in players:
        player.start()
    sound = [synth.render(256, START + k * 256 / RATE) for k in range(400)]
    for player in players:
        player.join()
    synth.close()
    for k in range(400, 800):
        block = synth.render(256, START + k * 256 / RATE)
    assert not errors
    assert np.isfinite(np.concatenate(sound)).all()
    assert np.abs(block).max() < 1e-9


@pytest.mark.parametrize("block", [128, 512, 1000])
def test_clicks_are_heard_in_time_over_the_chip_and_only_once(block: int) -> None:
    synth = Synth(sample_rate=RATE, block=block)
    for beat in range(4):
        synth.click(START + 0.5 + beat * 0.25, strong=beat == 0)
    sound = played(synth, 2.0, block=block)
    heard = np.flatnonzero(np.abs(sound) > 0.05)
    starts = heard[np.insert(np.diff(heard) > RATE // 20, 0, True)] / RATE - synth.latency_seconds
    assert starts == pytest.approx([0.5, 0.75, 1.0, 1.25], abs=0.001)
    assert not synth._clicks


def test_clicks_are_left_out_and_follow_the_volume() -> None:
    synth = Synth(sample_rate=RATE)
    synth.click(START + 0.5, strong=True)
    synth.forget_clicks()
    assert np.abs(played(synth, 1.0)).max() < 0.01
    synth = Synth(sample_rate=RATE)
    synth.set_volume(0.0)
    synth.click(START + 0.5, strong=True)
    assert np.abs(played(synth, 1.0)).max() < 0.01
