"""The view of a studio for a window, and its messages for the user."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lakhnes.bridge.beat_clock import ClockStatus
from lakhnes.runtime import Voice
from lakhnes.runtime.time.grid import PPQ

if TYPE_CHECKING:
    from lakhnes.studio.stage import Stage

_BROKEN = "Playback failed ({}: {}). Save the song and restart the app."


@dataclass(frozen=True, slots=True)
class Message:
    """Something that people should read."""

    text: str
    """The problem and the next step, or the result."""
    error: bool = False
    """Whether something went wrong."""
    actions: tuple[tuple[str, Callable[[], None]], ...] = ()
    """Actions: the text of a button, and its function."""


@dataclass(frozen=True, slots=True)
class View:
    """A studio at a moment."""

    ready: bool = False
    """Whether a model is loaded and composes."""
    playing: bool = False
    clock: ClockStatus = ClockStatus.STOPPED
    following: bool = False
    """Whether a DAW's clock says when and how fast."""
    place: float = 0.0
    """Ticks: where the song is played."""
    bpm: float = 120.0
    """The tempo now; the DAW's if it is followed."""
    waiting: bool = False
    """Whether music is to sound and nothing is composed yet."""
    loop: tuple[int, int] | None = None
    """First tick of the span that is played again and again, and the one after its last."""
    sounding: Mapping[Voice, int] = field(default_factory=dict)
    """The pitch of each voice that sounds."""
    peaks: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """How loud each voice of the built-in sound is, 0..1."""
    ports: tuple[str, ...] = ()
    """MIDI ports that are sent to."""
    sound: str | None = None
    """Where the built-in sound goes; None while it is off."""
    sent: int = 0
    """Events that were sent."""
    late: int = 0
    """Events that were sent more than 10 ms after their time."""
    worst_seconds: float = 0.0
    """Delay of the latest one, in seconds."""
    gaps: int = 0
    """How often composing was too slow."""
    problems: tuple[str, ...] = ()
    """Current problems, a sentence each."""

    @classmethod
    def of(cls, stage: Stage, loop: tuple[int, int] | None) -> View:
        """Return what a stage does now.

        Args:
            stage: what plays.
            loop: the span that is played again and again.
        """
        status = stage.performance.status()
        synth, error = stage.synth, stage.performance.error
        failure = () if error is None else (_BROKEN.format(type(error).__name__, error),)
        return cls(
            ready=True,
            playing=status.clock.running,
            clock=status.clock.status,
            following=stage.switch.following,
            place=max(0.0, status.clock.position * PPQ),
            bpm=status.clock.bpm,
            waiting=status.waiting,
            loop=loop,
            sounding=status.sounding,
            peaks=synth.peaks() if synth is not None else (0.0, 0.0, 0.0, 0.0),
            ports=tuple(stage.outputs),
            sound=stage.heard_on,
            sent=status.sent,
            late=status.late,
            worst_seconds=status.worst_seconds,
            gaps=status.gaps,
            problems=(*status.problems, *failure),
        )
