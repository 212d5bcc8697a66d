"""pyo runs in processes of its own here: where it crashes it takes its process with it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
import soundfile
from jack import JackServer, jack_server

from lakhnes.apu.register_log import NTSC_CLOCK_HZ
from lakhnes.apu.registers import timer_of
from lakhnes.apu.sound_device import BLOCKS, _ForOthers, open_sound
from lakhnes.apu.synth import Synth
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import MissingExtraError, OptionError

RATE = 48_000
START = """
import json, sys, time
import numpy as np
from lakhnes.apu.sound_device import find_sound_output, open_sound
from lakhnes.apu.synth import Synth
from lakhnes.bridge import keep_time
from lakhnes.runtime import Voice
from lakhnes.runtime.errors import LakhnesError

keep_time()
synth = Synth("plain")

def say(**what):
    print(json.dumps(what), flush=True)
"""
PLAYS = """
device = open_sound(synth, name="chip")
device.start()
blocks, render = [], synth.render
synth.render = lambda frames, now: blocks.append(render(frames, now)) or blocks[-1]
say(name=device.name, sample_rate=device.sample_rate, block=device.block)
sys.stdin.readline()
begin = time.perf_counter() + 0.3
for voice, pitch in zip(Voice, (69, 57, 45, 8)):
    at = begin + voice
    time.sleep(at - time.perf_counter())
    synth.note_on(voice, pitch, 15, at)
    time.sleep(at + 0.9 - time.perf_counter())
    synth.note_off(voice, at + 0.9)
time.sleep(1.2)
say(
    alive=device.alive, dropouts=device.dropouts, load=device.load, late=synth.late,
    error=str(device.error), latency=synth.latency_seconds, begin=begin,
)
device.stop()
say(alive=device.alive)
device.start()
time.sleep(0.3)
say(alive=device.alive)
device.close()
device.close()
np.save(sys.argv[1], np.concatenate(blocks))
"""
LOSES = """
device = open_sound(synth)
device.start()
time.sleep(0.3)
say(alive=device.alive)
sys.stdin.readline()
end = time.perf_counter() + 10
while device.alive and time.perf_counter() < end:
    time.sleep(0.05)
say(alive=device.alive)
device.stop()
try:
    device.start()
except LakhnesError as error:
    say(error=str(error))
device.close()
"""
ALSA = """
device = open_sound(synth, sample_rate=44_100, block=256)
say(name=device.name, sample_rate=device.sample_rate, block=device.block)
for _ in range(3):
    device.start()
    time.sleep(0.1)
    say(alive=device.alive, error=str(device.error))
    device.stop()
device.close()
"""
FINDS = """
try:
    say(found=find_sound_output())
except LakhnesError as error:
    say(error=f"{type(error).__name__}: {error}")
"""
NO_JACK = {"JACK_DEFAULT_SERVER": "nobody", "JACK_NO_START_SERVER": "1"}
needs_pyo = pytest.mark.skipif(
    not any((Path(folder) / "pyo").is_dir() for folder in sys.path), reason="pyo is not installed"
)


def child(code: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", START + code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def said(code: str, **environment: str) -> list[dict[str, object]]:
    """All that a child says; nothing else may come to its standard output."""
    process = child(code, **environment)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def server() -> Iterator[JackServer]:
    with jack_server(period=512, rate=RATE) as running:
        yield running


def fundamental(tone: np.ndarray) -> float:
    """In Hz, within a fraction of a cent; of harmonics, the one below which there is no other."""
    spectrum = np.abs(np.fft.rfft(tone * np.hanning(len(tone)), 8 * len(tone)))
    low = np.flatnonzero(spectrum > 0.1 * spectrum.max())[0]
    peak = low + int(spectrum[low : low + 40].argmax())
    a, b, c = np.log(spectrum[peak - 1 : peak + 2])
    return float((peak + 0.5 * (a - c) / (a - 2 * b + c)) * RATE / (8 * len(tone)))


@needs_pyo
@pytest.mark.jack
def test_what_jack_records_is_what_was_rendered_and_in_tune(server: JackServer, tmp_path: Path) -> None:
    player = child(PLAYS, str(tmp_path / "rendered.npy"))
    assert player.stdin is not None
    assert player.stdout is not None
    hello = json.loads(player.stdout.readline())
    assert hello == {"name": "JACK", "sample_rate": RATE, "block": 512}
    file = tmp_path / "recorded.wav"
    recorder = server.recorder(file, 5, "chip:output_1", "chip:output_2")
    output, errors = player.communicate("go\n", timeout=60)
    assert player.returncode == 0, errors
    recorder.wait(timeout=30)
    status, stopped, again = map(json.loads, output.splitlines())
    assert status["alive"]
    assert again["alive"]
    assert not stopped["alive"]
    assert status["error"] == "None"
    assert status["dropouts"] == 0

    recorded, rate = soundfile.read(file, dtype="float32")
    rendered = np.load(tmp_path / "rendered.npy")
    assert rate == RATE
    assert np.array_equal(recorded[:, 0], recorded[:, 1])
    left = recorded[:, 0]
    heard = np.flatnonzero(np.abs(left) > 0.01)[0]
    place = np.flatnonzero(np.abs(rendered) > 0.01)[0] - heard
    assert place >= 0
    assert np.abs(left - rendered[place : place + len(left)]).max() < 1e-6

    for voice, pitch, cycles in ((Voice.P1, 69, 16), (Voice.P2, 57, 16), (Voice.TR, 45, 32)):
        tone = fundamental(left[heard + voice * RATE + 4800 :][:36_000])
        assert abs(1200 * np.log2(tone / (NTSC_CLOCK_HZ / cycles / (timer_of(voice, pitch) + 1)))) < 0.5
        assert abs(1200 * np.log2(tone / 440) + 100 * (69 - pitch)) < 2.5
    noise = left[heard + 3 * RATE + 4800 :][:32_768]
    spectrum = np.abs(np.fft.rfft(noise * np.hanning(len(noise)))[200:2700]) ** 2
    assert np.exp(np.log(spectrum).mean()) / spectrum.mean() > 0.3  # flat: 0.56 for white noise
    silent = left[heard + RATE - 4000 :][:3600]
    assert np.abs(silent).max() < 1e-3


@needs_pyo
@pytest.mark.jack
def test_a_server_that_dies_is_noticed(server: JackServer) -> None:
    player = child(LOSES)
    assert player.stdout is not None
    assert json.loads(player.stdout.readline()) == {"alive": True}
    server.kill()
    output, errors = player.communicate("go\n", timeout=60)
    assert player.returncode == 0, errors
    lost, refused = map(json.loads, output.splitlines())
    assert lost == {"alive": False}
    assert "gone" in refused["error"]


@needs_pyo
@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux'")
def test_portaudio_plays_starts_again_and_stops(tmp_path: Path) -> None:
    """On ALSA's null device, which asks for blocks as fast as it can."""
    (tmp_path / "alsa.conf").write_text("pcm.!default { type null }\nctl.!default { type null }\n")
    first, *runs = said(ALSA, ALSA_CONFIG_PATH=str(tmp_path / "alsa.conf"), **NO_JACK)
    assert first == {"name": "default", "sample_rate": 44_100, "block": 256}
    assert runs == [{"alive": True, "error": "None"}] * 3


@needs_pyo
@pytest.mark.skipif(sys.platform != "linux", reason="ALSA is Linux'")
def test_without_an_output_the_next_step_is_told_though_portaudio_aborts(tmp_path: Path) -> None:
    (answer,) = said(FINDS, ALSA_CONFIG_PATH=str(tmp_path / "nothing.conf"), **NO_JACK)
    assert str(answer["error"]).startswith("SoundError: There is no sound output")
    assert "Start JACK" in str(answer["error"])


def test_without_pyo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyo", None)
    with pytest.raises(MissingExtraError, match=r"lakhnes\[synth\]"):
        open_sound(Synth())


@pytest.mark.parametrize("wrong", [{"sample_rate": 100}, {"block": 1}, {"block": BLOCKS[-1] + 1}])
def test_settings_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(OptionError, match="out of range"):
        open_sound(Synth(), **wrong)


def test_what_others_print_while_pyo_is_loaded_is_not_lost(capsys: pytest.CaptureFixture[str]) -> None:
    hushed = _ForOthers(sys.stdout)
    with redirect_stdout(hushed):
        print("of pyo")  # noqa: T201
        other = Thread(target=print, args=("of another",))
        other.start()
        other.join()
    assert capsys.readouterr().out == "of another\n"
