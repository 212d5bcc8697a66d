"""A real DAW: Ardour, without its window, plays and records `lakhnes play` to four tracks."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import mido
import pytest
from jack import JackServer, jack_server
from rig import CHANNELS, Rig, stop

from lakhnes.bridge import import_midi
from lakhnes.bridge.jack_port import port_library
from lakhnes.runtime import SAMPLE_RATE, Voice
from lakhnes.runtime.time.grid import PPQ

pytestmark = [pytest.mark.ardour, pytest.mark.jack, pytest.mark.slow]

SECONDS = 8
SEED = 4  # all four voices begin soon and go on to the end
STARTS = 4
OFFSET_MS = 30
"""Ardour records nothing in the first audio period after it starts; the first notes would be missing."""

SESSION = """
AudioEngine:set_backend("JACK", "ardour", "")
local session = create_session("FOLDER/session", "session", 48000)
local midi = ARDOUR.ChanCount(ARDOUR.DataType("midi"), 1)
for number, mask in ipairs({MASKS}) do
  local tracks = session:new_midi_track(midi, midi, true, ARDOUR.PluginInfo(), nil, nil, 1,
    "voice" .. number, ARDOUR.PresentationInfo.max_order, ARDOUR.TrackMode.Normal, false)
  local track = tracks:front():to_track()
  track:to_midi_track():set_capture_channel_mode(ARDOUR.ChannelMode.FilterChannels, mask)
  assert(track:input():nth(0):connect("LakhNES:LakhNES") == 0)
  track:rec_enable_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
end
ARDOUR.config():set_send_midi_clock(true)
session:maybe_enable_record()
io.open("FOLDER/ready", "w"):close()
while not io.open("FOLDER/go") do sleep(1) end
session:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
sleep(SECONDS)
assert(session:transport_rolling())
session:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
sleep(1)
session:save_state("")
close_session()
quit()
"""


@pytest.fixture
def server() -> Iterator[JackServer]:
    if shutil.which("ardour7-lua") is None:
        pytest.skip("Ardour 7 is not installed")
    if port_library() is None:
        pytest.skip("the ports of our own were not compiled")
    if Path("/dev/snd/seq").exists():
        pytest.skip("the ALSA sequencer is here and would answer before JACK")
    with jack_server() as running:
        yield running


def start_ardour(rig: Rig, script: str) -> tuple["subprocess.Popen[bytes]", Path]:
    """Ardour with its session open; the folder of its session, log and script, which waits for `go`.

    Ardour sometimes ends before that: two of its threads ask JACK at the same time, their requests mix in one
    socket, and JACK cuts it off ("Could not read result type = 13"; 3 of 80 starts); then it is started anew.
    """
    for number in range(STARTS):
        folder = rig.folder / f"ardour{number}"
        folder.mkdir()
        (folder / "record.lua").write_text(script.replace("FOLDER", str(folder)))
        with (folder / "log.txt").open("w") as out:
            ardour = subprocess.Popen(
                ["ardour7-lua", str(folder / "record.lua")],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, "HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")},
            )
        rig.stack.callback(stop, ardour, signal.SIGKILL)
        end = time.monotonic() + 30
        while ardour.poll() is None and time.monotonic() < end:
            if (folder / "ready").exists():
                return ardour, folder
            time.sleep(0.05)
        stop(ardour, signal.SIGKILL)
    raise AssertionError((folder / "log.txt").read_text())


def recorded(path: Path) -> list[tuple[float, mido.Message]]:
    """The note-ons of a recorded file with their places in beats; each has an end."""
    file = mido.MidiFile(path)
    time, notes, sounding = 0, [], set()
    for message in mido.merge_tracks(file.tracks):
        time += message.time
        if message.type == "note_on" and message.velocity:
            assert message.note not in sounding
            sounding.add(message.note)
            notes.append((time / file.ticks_per_beat, message))
        elif message.type in ("note_on", "note_off"):
            sounding.remove(message.note)
    assert not sounding
    return notes


def test_ardour_records_the_seed_on_four_tracks(server: JackServer, tmp_path: Path, small: Path) -> None:
    rig = Rig(server, tmp_path, small)
    with rig.stack:
        play = rig.play("--sync", "midi", "--offset-ms", OFFSET_MS, "--seconds", 600, seed=SEED)
        play.wait_for("ready")
        masks = ", ".join(str(1 << CHANNELS[voice]) for voice in Voice)
        ardour, folder = start_ardour(rig, SESSION.replace("MASKS", masks).replace("SECONDS", str(SECONDS)))
        server.connect("ardour:MIDI Clock out", "LakhNES Control:LakhNES Control")
        (folder / "go").touch()
        assert ardour.wait(60) == 0, (folder / "log.txt").read_text()
        play.wait_for("status", lambda status: status["state"] == "stopped" and status["sent"] > 0)
        assert play.stderr == ""

    seed = rig.seed(SECONDS + 4, seed=SEED)
    files = folder / "session" / "interchange" / "session" / "midifiles"
    for number, channel in enumerate(CHANNELS.values(), 1):
        (path,) = files.glob(f"*voice{number}*.mid")
        notes = recorded(path)
        due = [one for one in seed.due() if one.note[0] == 0x90 | channel]
        assert [message.note for _, message in notes] == [key for _, (_, key) in due[: len(notes)]]
        assert {message.channel for _, message in notes} == {channel}
        assert due[len(notes)].tick > (SECONDS - 1.5) * 2 * PPQ
        late = [beat - one.tick / PPQ for (beat, _), one in zip(notes, due, strict=False)]
        assert max(map(abs, late)) < 0.5
        # Ports in C place notes at their frames; a busy machine may be late with a few.
        assert median(late) / 2 * 1000 == pytest.approx(OFFSET_MS, abs=1.0)
        read = import_midi(path)
        (part,) = [part for part in read.score.parts if part.notes]
        assert len(part.notes) == len(notes)
        seconds = [beat / 2 for beat, _ in notes]  # Ardour writes no tempo, which means 120
        assert [note.onset / SAMPLE_RATE for note in part.notes] == pytest.approx(seconds, abs=0.011)
