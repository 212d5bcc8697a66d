"""Follow the MIDI clock of another machine, here one that starts at 120 BPM and becomes faster.

Run `python 07_live_clock.py [FOLDER]`; it plays six beats and writes followed.mid, with the tempo it
heard.
"""

import sys
import time
from pathlib import Path

from lakhnes.bridge import MidiClock, Performance, Recorder, write_midi
from lakhnes.runtime import BeatGrid, LiveComposer, Model

START, CLOCK, STOP = b"\xfa", b"\xf8", b"\xfc"  # MIDI messages; a beat has 24 clocks

clock = MidiClock(120)
composer = LiveComposer(Model.load(), BeatGrid.steady(120), seed=7)
recorder = Recorder(lambda: performance.player.tick, lambda: clock.state(time.perf_counter()).bpm)
with Performance(composer, clock, [recorder]) as performance:
    while not performance.armed():
        time.sleep(0.01)

    def send(message: bytes) -> None:
        """Pass a message on, as the callback of a MIDI input does."""
        clock.receive(message, time.perf_counter())
        performance.wake()

    send(START)
    due = time.perf_counter()
    for beat in range(6):
        print(f"beat {beat + 1}: {clock.state(time.perf_counter()).bpm:.0f} BPM")
        for _ in range(24):
            time.sleep(max(0.0, due - time.perf_counter()))
            send(CLOCK)
            due += 60 / (120 + 20 * beat) / 24
    send(STOP)
score, grid = recorder.music()
write_midi(score, Path(*sys.argv[1:2]) / "followed.mid", grid=grid)
