"""Where events lie on JACK, in frames from the place that their time has: our own ports, and rtmidi's."""

import time

import numpy as np
from live_rigs import Figure, note

from lakhnes.bridge.beat_clock import InternalClock
from lakhnes.bridge.midi_outlet import MidiOutlet
from lakhnes.bridge.performance import Performance
from lakhnes.bridge.ports import Backend, open_input, open_output
from lakhnes.bridge.rtmidi_backend import JackBackend, rtmidi_backend
from lakhnes.runtime import BeatGrid, LiveComposer, Model

_BPM = 150.0
_LEAD_SECONDS = 0.004
_ROW_SECONDS = 60 / _BPM / 4


def _backend(*, in_c: bool) -> Backend:
    """Return what opens ports in C, or rtmidi's."""
    backend = rtmidi_backend("jack")
    assert isinstance(backend, JackBackend)
    backend.places_frames = in_c
    return backend


def frames(model: Model, period: int, seconds: float) -> list[Figure]:
    """Notes of a song while it is composed, heard by a port that knows their frames."""
    from jack import jack_server

    figures = []
    for ours in (False, True):
        how = "in C" if ours else "rtmidi"
        note(f"frames, {how}, JACK periods of {period}: {seconds:.0f} s")
        with jack_server(period) as server:
            off = _heard(model, server.connect, seconds, ours=ours) * server.rate
        late = np.abs(off - np.median(off))
        for name, value in (("p50", np.median(late)), ("p99", np.percentile(late, 99))):
            goal = 1.0 if ours and name == "p99" else None
            figures.append(
                Figure("frames", f"{how}, periods of {period}: {name}", float(value), "frames", goal)
            )
        figures.append(
            Figure("frames", f"{how}, periods of {period}: later by", float(np.median(off)), "frames")
        )
    return figures


def _heard(model: Model, connect, seconds: float, *, ours: bool):  # type: ignore[no-untyped-def]
    """Seconds from the place of each note's row to where it was heard."""
    heard: list[float] = []

    def receive(data: bytes, at: float) -> None:
        if data[0] & 0xF0 == 0x90:
            heard.append(at)

    ear = open_input(virtual="Ear", callback=receive, backend=_backend(in_c=True))
    output = open_output(backend=_backend(in_c=ours))
    connect("LakhNES:LakhNES", "Ear:Ear")
    clock = InternalClock(_BPM)
    lead = _LEAD_SECONDS if output.exact else 0.0
    composer = LiveComposer(model, BeatGrid.steady(_BPM), seed=4)
    outlets = [MidiOutlet(output)]
    with ear, Performance(composer, clock, outlets, now=lambda: time.perf_counter() + lead) as performance:
        while not performance.armed():
            time.sleep(0.01)
        start = time.perf_counter() + 0.2
        time.sleep(0.19)
        clock.start(start)
        performance.wake()
        time.sleep(seconds)
    at = np.array(heard) - start
    typical = np.median(at - np.floor(at / _ROW_SECONDS) * _ROW_SECONDS)
    return at - np.round((at - typical) / _ROW_SECONDS) * _ROW_SECONDS
