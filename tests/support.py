"""What tests of several folders share."""

import contextlib
import importlib.util
import io
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import patch

from hypothesis import strategies as st

from lakhnes.runtime import Change, Kind, Note, Part, Score, Voice
from lakhnes.runtime.music.events import VALUES


@st.composite
def parts(draw: st.DrawFn, voice: Voice, *, vocabulary: bool = False, unit: int = 1) -> Part:
    """Any part of a voice; times are multiples of `unit` samples."""
    pitches = {Voice.NO: (1, 16), Voice.TR: (21, 108)}.get(voice, (33, 108)) if vocabulary else None
    low, high = pitches or (VALUES[voice, Kind.NOTE_ON][0], VALUES[voice, Kind.NOTE_ON][-1])
    time, notes = 0, []
    for _ in range(draw(st.integers(0, 12))):
        onset = time + unit * draw(st.integers(0, 40) | st.integers(0, 3000))
        length = unit * draw(st.integers(1, 40) | st.integers(1, 3000))
        velocity = 15 if voice is Voice.TR else draw(st.integers(1, 15))
        notes.append(Note(onset, length, draw(st.integers(low, high)), velocity))
        time = onset + length
    changes = {}
    if notes and voice is not Voice.TR:
        onsets = {note.onset for note in notes}
        for kind in (Kind.VELOCITY, Kind.TIMBRE):
            values = VALUES[voice, kind]
            for at in draw(st.lists(st.integers(0, time // unit), max_size=8)):
                if kind is Kind.TIMBRE or at * unit not in onsets:
                    value = draw(st.integers(values[0], values[-1]))
                    changes[at * unit, kind is Kind.TIMBRE] = Change(at * unit, kind, value)
    return Part(tuple(notes), tuple(changes[moment] for moment in sorted(changes)))


@st.composite
def scores(draw: st.DrawFn, *, vocabulary: bool = False, unit: int = 1) -> Score:
    """Any score that keeps the rules."""
    four = [draw(parts(voice, vocabulary=vocabulary, unit=unit)) for voice in Voice]
    ends = [part.notes[-1].end for part in four if part.notes]
    length = max(ends, default=0) + unit * draw(st.integers(0, 2000))
    return Score((four[0], four[1], four[2], four[3]), length)


def without_expression(score: Score) -> Score:
    """What TX1 keeps of a score."""
    four = [Part(tuple(Note(n.onset, n.length, n.pitch) for n in part.notes)) for part in score.parts]
    return Score((four[0], four[1], four[2], four[3]), score.length)


def tune() -> Score:
    """Two bars of our own for four voices, with dynamics and timbre."""
    beat = 22_050
    lead = [
        Note(i * beat, beat - 2000, pitch, 12) for i, pitch in enumerate((69, 72, 76, 74, 72, 71, 69, 64))
    ]
    harmony = [Note(i * 2 * beat, 2 * beat, pitch, 8) for i, pitch in enumerate((57, 60, 55, 52))]
    bass = [Note(i * beat // 2, beat // 3, 33 + (i % 2) * 12) for i in range(16)]
    drums = [Note(i * beat // 2, 3000, 15 if i % 2 else 2, 13) for i in range(16)]
    fade = [Change(note.onset + 5000, Kind.VELOCITY, 9) for note in lead]
    return Score(
        (
            Part(tuple(lead), (Change(0, Kind.TIMBRE, 2), *fade)),
            Part(tuple(harmony)),
            Part(tuple(bass)),
            Part(tuple(drums)),
        ),
        8 * beat,
    )


def module_of(path: Path) -> ModuleType:
    """A Python file that belongs to no package, as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def lakhnes_here(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Runs the command in this process, which spares each run to load everything anew."""
    from lakhnes.cli import main

    said, told = io.StringIO(), io.StringIO()
    words, handlers = (
        sys.argv,
        {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)},
    )
    with (
        contextlib.chdir(cwd),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(told),
        patch.dict(os.environ, NO_COLOR="1", COLUMNS="200"),
    ):
        sys.argv = ["lakhnes", *map(str, arguments)]
        try:
            code = main()
        except SystemExit as end:
            code = int(end.code or 0)
        finally:
            sys.argv = words
            for number, handler in handlers.items():
                signal.signal(number, handler)
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), told.getvalue())
