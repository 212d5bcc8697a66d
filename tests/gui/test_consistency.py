"""Session, roll and player stay one, whatever is done in whatever order; undoing leads back to the start."""

import random
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from desk import BAR, Desk
from support import tune

from lakhnes.bridge import write_midi
from lakhnes.gui.roll import Selection
from lakhnes.runtime import Score, Voice
from lakhnes.runtime.music.events import VOCABULARY_PITCHES
from lakhnes.runtime.time.grid import PPQ
from lakhnes.studio.state import SongState

pytestmark = pytest.mark.gui

_SETTINGS = ("temperature", "density", "repetition", "scale", "chords", "ahead_bars", "endless", "volume")


_EDITS = (
    "cut", "copy", "paste", "duplicate", "delete", "semitone-up", "semitone-down", "octave-up", "octave-down",
    "louder", "softer", "quantise", "split", "join", "to-P1", "to-P2", "to-TR", "select-notes", "insert-bars",
    "duplicate-bars", "delete-bars", "trim",
)  # fmt: skip


def pick_note(at: Desk, rng: random.Random, voice: Voice) -> None:
    """Selects a note of a voice."""
    notes = at.state.score.parts[voice].notes
    if notes:
        at.window.editor.select({voice: frozenset((rng.choice(notes).onset,))})
        at.window.roll.show_edit()


def draw(at: Desk, rng: random.Random, voice: Voice, tick: int) -> None:
    """Draws a note, as the mouse does."""
    editor, pitches = at.window.editor, VOCABULARY_PITCHES[voice]
    change = editor.drawing(voice, tick, tick + rng.randrange(2000), rng.choice(pitches), free=False)
    if editor.attempt(lambda: editor.unlocked((voice,))):
        editor.preview("Draw", change, {})
        at.window.roll.show_edit()
        editor.finish()


def act(at: Desk, rng: random.Random, path: Path) -> None:
    """Does something that a user might do."""
    studio, session, window = at.studio, at.studio.session, at.window
    voice, other = rng.choice(list(Voice)), rng.choice(list(Voice))
    tick = rng.randrange(0, max(1, at.state.end))
    values = {
        "temperature": rng.choice((0.8, 0.95, 1.2)),
        "density": rng.choice((-1.0, 0.0, 2.0)),
        "repetition": rng.choice((-1.0, 0.0, 2.0)),
        "scale": rng.choice(("", "a minor", "C major")),
        "chords": rng.choice(("", "Am F/G", "C7 N.C. Dm")),
        "ahead_bars": rng.choice((1.0, 2.0)),
        "endless": rng.random() < 0.7,
        "volume": rng.random(),
    }
    field = rng.choice(_SETTINGS)
    actions = {
        "setting": (20, lambda: session.change(field, key=field, **{field: values[field]})),
        "mute": (8, lambda: window.strips.toggle(voice, rng.choice(("muted", "solo", "locked")))),
        "instrument": (
            3,
            lambda: session.change_voice("Sound", voice, instrument=rng.choice(("pluck", "lead"))),
        ),
        "channel": (2, lambda: session.change_voice("Channel", voice, channel=rng.randint(1, 16))),
        "tempo": (3, lambda: studio.set_bpm(rng.choice((90.0, 120.0, 240.0)))),
        "meter": (1, lambda: studio.set_beats_per_bar(rng.choice((3, 4)))),
        "play": (8, studio.playback.toggle),
        "seek": (8, lambda: studio.playback.seek(tick)),
        "loop": (4, lambda: studio.playback.set_loop(rng.choice((None, (0, BAR), (BAR, 2 * BAR))))),
        "select": (
            8,
            lambda: window.roll.set_selection(Selection(tick, tick + PPQ, frozenset({voice, other}))),
        ),
        "regenerate": (3, window.regenerate),
        "take": (6, lambda: window.takes.choose(rng.choice((None, 0, 1, 2, 3)))),
        "keep": (2, window.takes.done),
        "new": (1, lambda: studio.new(rng.randrange(1000))),
        "more": (2, lambda: studio.more(rng.choice((1, 2)))),
        "drop": (1, lambda: window.files.open(path)),
        "undo": (12, lambda: at.choose("undo")),
        "redo": (8, lambda: at.choose("redo")),
        "edit": (25, lambda: at.choose(rng.choice(_EDITS))),
        "note": (10, lambda: pick_note(at, rng, voice)),
        "draw": (6, lambda: draw(at, rng, voice, tick)),
        "follow": (1, lambda: studio.playback.follow(rng.random() < 0.3)),
        "cancel": (1, studio.jobs.cancel),
        "zoom": (2, window.roll.zoom_to_fit),
    }
    names = list(actions)
    actions[rng.choices(names, [actions[name][0] for name in names])[0]][1]()


def starts(score: Score) -> list[list[tuple[int, int]]]:
    """Onset and pitch of each voice's notes."""
    return [[(note.onset, note.pitch) for note in part.notes] for part in score.parts]


def assert_one(at: Desk) -> None:
    """The composer's timeline, the roll and the player have what the session has."""
    stage = at.studio.stage
    assert stage is not None
    at.studio.playback.stop()
    at.settle()
    stage.performance.composing = False

    def composed() -> list[list[tuple[int, int]]]:
        at.window.refresh()
        _, played = stage.performance.composer.timeline.score()
        return on_ticks(played)

    def on_ticks(score: Score) -> list[list[tuple[int, int]]]:
        return [[(at.state.grid.tick(onset), pitch) for onset, pitch in part] for part in starts(score)]

    at.until(lambda: composed() == on_ticks(at.state.score))  # what is being composed comes to its bar line
    state = at.state
    assert at.window.roll.state is state
    assert [list(notes.pitches) for notes in at.window.roll._notes] == [
        [pitch for _, pitch in part] for part in starts(state.score)
    ]
    player = stage.performance.player
    assert player.muted == {voice for voice in Voice if not state.audible(voice)}
    assert set(player.sounding) <= {voice for voice in Voice if state.audible(voice)} | player.taken
    assert stage.performance.ahead_bars == state.ahead_bars
    assert stage.switch.internal.state(0).bpm == state.bpm
    stage.performance.composing = True


@pytest.mark.parametrize(("seed", "actions"), [(1, 500), pytest.param(3, 5000, marks=pytest.mark.slow)])
def test_all_stays_one_and_undoing_leads_back(
    sit: Callable[..., AbstractContextManager[Desk]],
    places: Path,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
    actions: int,
) -> None:
    monkeypatch.setattr("lakhnes.studio.session.MOST_STEPS", actions)  # so that the start can be undone to
    rng = random.Random(seed)
    path = places / "mine.mid"
    write_midi(tune(), path)
    first = SongState(score=tune(), kept=4 * BAR, seed=5)
    with sit(first) as at:
        for number in range(actions):
            act(at, rng, path)
            if number % 3 == 0:
                at.window.refresh()
            if number % 50 == 49:
                assert_one(at)
        at.studio.playback.follow(False)
        at.settle()
        at.studio.playback.stop()
        at.window.takes.done()
        while at.studio.session.undo_label is not None:
            at.studio.session.undo()
        assert_one(at)
        now = at.state
        for before, after in zip(starts(first.score), starts(now.score), strict=True):
            assert after[: len(before)] == before
            assert all(onset >= first.score.length for onset, _ in after[len(before) :])
        grown = ("score", "kept", "composed")  # as music comes while it plays
        same = {name: getattr(first, name) for name in SongState.__slots__ if name not in grown}
        assert {name: getattr(now, name) for name in same} == same
