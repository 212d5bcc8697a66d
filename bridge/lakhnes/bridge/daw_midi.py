"""MIDI files for DAWs: four named tracks, playable channels, velocities that can be heard.

480 ticks a beat, on the song's own grid where there is one, else at 120 BPM; tracks and channels as `gm` has
them; noise on General MIDI drums. The chip's volume 1..15 is spread over velocity 1..127. Where a voice
changes its volume within notes (TX2), CC11 carries the volume, 1..127, at every onset and change, and the
velocity is the note's loudest moment; CC12 carries the timbre over 0..127.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from operator import itemgetter

import mido

from lakhnes.bridge import gm
from lakhnes.bridge.smf import to_bytes, to_track
from lakhnes.runtime.music.events import Kind, Voice
from lakhnes.runtime.music.score import Part, Score
from lakhnes.runtime.time.grid import PPQ, BeatGrid

TEMPO_BPM = 120
"""Of files without a grid."""

GAP_TICKS = 12
"""What a note on a grid is shorter where the next one strikes the same pitch, so that two are heard."""

FREE_TIME = "Free time: tempo and bars say nothing"
"""Text at the beginning of files that state a tempo only because the format has to."""

_MOST_MARKERS = 16
"""Changes of tempo that get a marker each; where there are more they follow a player."""

_MAJOR_KEYS = ("Cb", "Gb", "Db", "Ab", "Eb", "Bb", "F", "C", "G", "D", "A", "E", "B", "F#", "C#")
_MINOR_KEYS = (
    "Abm",
    "Ebm",
    "Bbm",
    "Fm",
    "Cm",
    "Gm",
    "Dm",
    "Am",
    "Em",
    "Bm",
    "F#m",
    "C#m",
    "G#m",
    "D#m",
    "A#m",
)
"""By sharps, from -7 to 7."""

VOLUME_CONTROL = 11
TIMBRE_CONTROL = 12


def daw_midi_bytes(score: Score, grid: BeatGrid | None = None, *, text: str = "") -> bytes:
    """A score as a type 1 file for a DAW.

    Args:
        score: any score.
        grid: where its beats lie; what comes before tick 0 is a pick-up, and gets whole bars in front of it.
            Without one the file is at 120 BPM, and the bars mean nothing.
        text: a text event at the beginning of the first track; empty for none.
    """
    free = grid is None
    gap = 0 if grid is None or not grid.row_ticks else GAP_TICKS
    grid = grid or BeatGrid.steady(TEMPO_BPM)
    lead = grid.lead_ticks

    def ticks(sample: int) -> int:
        return max(0, lead + grid.tick(sample))

    end = ticks(score.length)
    texts = [(0, mido.MetaMessage("text", text=text))] if text else []
    tracks = [to_track([*texts, *_conductor(grid, free=free)], end)]
    for voice in Voice:
        head = [(0, mido.MetaMessage("track_name", name=gm.TRACK_NAMES[voice]))]
        if voice in gm.PROGRAMS:
            program = mido.Message("program_change", channel=gm.CHANNELS[voice], program=gm.PROGRAMS[voice])
            head.append((0, program))
        tracks.append(to_track(head + _messages(voice, score.parts[voice], ticks, gap), end))
    return to_bytes(tracks, PPQ)


def _conductor(grid: BeatGrid, *, free: bool) -> list[tuple[int, mido.MetaMessage]]:
    """Tempi, meters and keys, with absolute ticks."""
    lead = grid.lead_ticks
    timed: list[tuple[int, mido.MetaMessage]] = []

    def add(tick: int, kind: str, **values: str | int) -> None:
        timed.append((max(0, lead + tick), mido.MetaMessage(kind, **values)))

    for place, meter in enumerate(grid.signatures):
        start = meter.tick if place else -lead
        add(start, "time_signature", numerator=meter.numerator, denominator=meter.denominator)
    for key in grid.keys:
        names = _MINOR_KEYS if key.minor else _MAJOR_KEYS
        add(key.tick if key.tick else -lead, "key_signature", key=names[key.sharps + 7])
    for place, (tick, bpm) in enumerate(grid.tempi):
        start = tick if place else -lead
        add(start, "set_tempo", tempo=mido.bpm2tempo(bpm))
        if 1 < len(grid.tempi) <= _MOST_MARKERS:
            add(start, "marker", text=f"{bpm:.0f} BPM")
    if free:
        add(0, "text", text=FREE_TIME)
    return sorted(timed, key=itemgetter(0))


def _messages(
    voice: Voice, part: Part, ticks: Callable[[int], int], gap: int
) -> list[tuple[int, mido.Message]]:
    channel = gm.CHANNELS[voice]
    volumes = [change for change in part.changes if change.kind is Kind.VELOCITY]
    moments = [change.sample for change in volumes]
    timed: list[tuple[int, int, mido.Message]] = []  # ticks, order within a tick, message

    def control(sample: int, number: int, value: int) -> None:
        message = mido.Message("control_change", channel=channel, control=number, value=value)
        timed.append((ticks(sample), 1, message))

    onsets = [ticks(note.onset) for note in part.notes]
    for index, note in enumerate(part.notes):
        on = onsets[index]
        after = onsets[index + 1] if index + 1 < len(onsets) else None
        if on == after:
            continue  # gone within a millisecond
        off = ticks(note.end)
        if index + 1 < len(onsets) and part.notes[index + 1].pitch == note.pitch:
            off = min(off, onsets[index + 1] - gap)
        off = max(on + 1, off)
        inside = volumes[bisect_left(moments, note.onset) : bisect_left(moments, note.end)]
        loudest = max([note.velocity, *(change.value for change in inside)])
        pitch = gm.DRUM_OF_NOISE[note.pitch] if voice is Voice.NO else note.pitch
        velocity = gm.TRIANGLE_VELOCITY if voice is Voice.TR else gm.midi_of_volume(loudest)
        if volumes:
            control(note.onset, VOLUME_CONTROL, gm.midi_of_volume(note.velocity))
        timed.append((on, 2, mido.Message("note_on", channel=channel, note=pitch, velocity=velocity)))
        timed.append((off, 0, mido.Message("note_off", channel=channel, note=pitch, velocity=64)))
    for change in part.changes:
        if change.kind is Kind.VELOCITY:
            control(change.sample, VOLUME_CONTROL, gm.midi_of_volume(change.value))
        else:
            control(change.sample, TIMBRE_CONTROL, gm.midi_of_timbre(voice, change.value))
    timed.sort(key=itemgetter(0, 1))
    return [(ticks, message) for ticks, _, message in timed]
