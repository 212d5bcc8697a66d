"""What `lakhnes play` shows on terminals of any size."""

from dataclasses import replace
from io import StringIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from lakhnes.bridge.beat_clock import ClockState, ClockStatus
from lakhnes.bridge.performance import Status
from lakhnes.cli.live_view import keys, view
from lakhnes.runtime import Request, Voice

STATUS = Status(
    clock=ClockState(4.0, 120.0, True, 1, ClockStatus.RUNNING),
    bar=2,
    beat=1,
    ahead_beats=7.5,
    waiting=False,
    sounding={Voice.P1: 60},
    muted=frozenset({Voice.TR}),
    taken=frozenset(),
    request=Request(),
    take=0,
    sent=120,
    late=0,
    worst_seconds=0.001,
    gaps=0,
    tokens=200,
    problems=("The MIDI port is gone. lakhnes reopens it when it returns, and sends nothing until then.",),
)
MESSAGES = ("No control port is open: no port could be made.", "Saved lakhnes-7-1.mid.")


def drawn(columns: int, lines: int, status: Status = STATUS) -> list[str]:
    console = Console(file=StringIO(), width=columns, height=lines)
    pressed = keys(status.clock, space="play/stop")
    with console.capture() as capture:
        console.print(view(status, "LakhNES   seed 7   to LakhNES", MESSAGES, pressed, size=console.size))
    return capture.get().splitlines()


@pytest.mark.parametrize(("columns", "lines"), [(40, 12), (80, 24), (120, 40), (60, 10)])
def test_what_is_to_be_known_is_seen_on_any_terminal(columns: int, lines: int) -> None:
    seen = drawn(columns, lines)
    assert len(seen) < lines
    assert all(len(line) <= columns for line in seen)
    text = " ".join(" ".join(seen).split())
    for sentence in (*STATUS.problems, *MESSAGES):
        assert sentence in text
    assert "playing" in text


def test_a_large_one_has_everything() -> None:
    text = "\n".join(drawn(120, 40))
    for word in ("seed 7", "C4", "muted", "ahead", "120 sent", "temperature", "q quit"):
        assert word in text


@given(st.integers(1, 200), st.integers(1, 60), st.lists(st.text(max_size=200), max_size=4))
@settings(deadline=None, max_examples=20)
def test_any_size_and_any_problem_fit(columns: int, lines: int, problems: list[str]) -> None:
    assert len(drawn(columns, lines, replace(STATUS, problems=tuple(problems)))) <= max(1, lines - 1)


def test_keys_that_do_nothing_are_not_shown() -> None:
    ours = ClockState(0.0, 120.0, False, 0, ClockStatus.STOPPED)
    assert keys(ours, space="play/stop").startswith("space play/stop   + - tempo   1-4")
    assert keys(replace(ours, foreign=True), space="").startswith("1-4")
