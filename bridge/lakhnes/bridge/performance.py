"""A performance: a composer, a player and what they share, each in its thread.

The composer fills the timeline in front of the player's place; the player sends what is there. What others
want (a hand on a controller, a key, a window) comes in here, and is handed to the thread that it concerns.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from lakhnes.bridge.beat_clock import BeatClock, ClockState
from lakhnes.bridge.controls import LAST_CONTROLLER, MUTES, Control, ControlMap, steered
from lakhnes.bridge.hands import Hands
from lakhnes.bridge.outlet import Outlet
from lakhnes.bridge.player import Player
from lakhnes.runtime.compose.live_composer import LiveComposer
from lakhnes.runtime.compose.request import Request
from lakhnes.runtime.errors import LakhnesError
from lakhnes.runtime.model.model import Model
from lakhnes.runtime.music.events import Voice
from lakhnes.runtime.music.score import Score
from lakhnes.runtime.time.grid import PPQ, BeatGrid

AHEAD_BARS = 2.0
"""How much is composed in front of what is played."""

WATCH_SECONDS = 1.0
"""How often is looked whether the outlets are still there."""

_POLL_SECONDS = 0.02


class Watched(Protocol):
    """Something that may go away and come back, such as a MIDI port."""

    def check(self) -> str | None:
        """Looks whether it is there, and tries to get it back if not; what is wrong, None if nothing is."""


@dataclass(frozen=True, slots=True)
class Status:
    """A performance at a moment, for whoever shows it."""

    clock: ClockState
    bar: int
    """From 1."""
    beat: int
    """From 1."""
    ahead_beats: float
    """How much is composed in front of the place."""
    waiting: bool
    """Whether music is to sound and nothing is composed yet."""
    sounding: dict[Voice, int]
    """The pitch of each voice that sounds."""
    muted: frozenset[Voice]
    taken: frozenset[Voice]
    """Voices that somebody plays."""
    request: Request
    take: int
    sent: int
    """Events that were sent."""
    late: int
    """Events that were sent more than 10 ms after their time."""
    worst_seconds: float
    """Of the latest one."""
    gaps: int
    """How often the composer was too slow."""
    tokens: int
    """Events that were composed."""
    problems: tuple[str, ...]
    """What is wrong now, a sentence each."""


class Performance:
    """Composes and plays until it is closed.

    Attributes:
        player: what sends the music.
        composer: what composes it.
        hands: whoever plays along.
        clock: where in the song we are.
        controls: which controllers steer what; may be set.
        learning: what the next controller that moves steers from then on; None for nothing; may be set.
        composing: whether anything is composed; may be set.
        now: the time.
        target: tick up to which is composed in any case, wherever is played; may be set.
        error: what ended one of the threads, if that ever happens; every note is ended then.
    """

    def __init__(
        self,
        composer: LiveComposer,
        clock: BeatClock,
        outlets: Sequence[Outlet],
        *,
        ahead_bars: float = AHEAD_BARS,
        offset_seconds: float = 0.0,
        clock_out: Callable[[bytes], None] | None = None,
        controls: ControlMap | None = None,
        anew: bool = False,
        now: Callable[[], float] = time.perf_counter,
    ) -> None:
        """Makes a performance that stands still.

        Args:
            composer: what composes.
            clock: where in the song we are.
            outlets: where the music goes.
            ahead_bars: how much is composed in front of what is played.
            offset_seconds: how much later everything is sent; earlier if negative.
            clock_out: takes MIDI clock messages for others to follow.
            controls: which controllers steer what.
            anew: whether what was composed ahead and nobody has heard is composed anew when steering changes.
            now: the time.
        """
        self.player = Player(
            composer.timeline, clock, outlets, offset_seconds=offset_seconds, clock_out=clock_out, now=now
        )
        self.composer = composer
        self.clock = clock
        self.hands = Hands(
            self.player, composer.timeline, clock, lambda: self._order(self._make_room), now=now
        )
        self.controls = controls or ControlMap()
        self.learning: Control | None = None
        self.composing = True
        self.target = 0
        self._ahead_bars = ahead_bars
        self._watched: list[Watched] = []
        self.now = now
        self._orders: deque[Callable[[], None]] = deque()
        self._request = composer.request
        self._anew = anew
        self._steered = False  # since it was composed last
        self._bar_seconds = 0.2  # that composing a bar takes, at most, of late
        self._take = 0
        self.error: Exception | None = None
        self._failure: str | None = None
        self._problems: tuple[str, ...] = ()
        self._closing = threading.Event()
        self._work = threading.Event()
        self._composer_thread = _thread("composer", self._compose)
        self._threads = (_thread("player", self._play), self._composer_thread, _thread("watch", self._watch))

    @property
    def ahead_bars(self) -> float:
        """How much is composed in front of what is played; may be set."""
        return self._ahead_bars

    @ahead_bars.setter
    def ahead_bars(self, bars: float) -> None:
        self._ahead_bars = bars
        self._work.set()

    @property
    def limit(self) -> int | None:
        """The tick up to which is composed at most; None for no end; may be set."""
        return self.composer.limit

    @limit.setter
    def limit(self, tick: int | None) -> None:
        self.composer.limit = tick
        self._work.set()

    @property
    def _grid(self) -> BeatGrid:
        return self.composer.timeline.grid

    @property
    def _ahead(self) -> int:
        return max(PPQ, round(self._ahead_bars * self._grid.bar_ticks))

    def open(self) -> None:
        """Starts the threads. The clock decides when music begins."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Ends every note and stops the threads; may be called twice."""
        self._closing.set()
        self._work.set()
        self.player.close()
        for thread in self._threads:
            if thread.ident is not None and thread is not threading.current_thread():
                # Whatever composes ends with its bar, however long a busy machine takes over it; Python would
                # abort if it ended within the model. A back end, which others wait for, may never answer.
                thread.join(None if thread is self._composer_thread else 5)
        for outlet in self.player.outlets:
            outlet.close()

    def watch(self, thing: Watched) -> None:
        """Looks after something that may go away and come back."""
        self._watched.append(thing)

    def __enter__(self) -> Performance:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def armed(self) -> bool:
        """Whether music is composed for the place where the clock stands."""
        place = self.player.place()
        return self.composer.timeline.known_until(place) > place

    def steer(self, request: Request) -> None:
        """What is composed from now on is asked for in another way."""
        self._request = request

        def do() -> None:
            self._steered |= self._anew and request != self.composer.request
            self.composer.request = request

        self._order(do)

    def adopt(
        self,
        score: Score,
        *,
        model: Model | None = None,
        grid: BeatGrid | None = None,
        seed: int | None = None,
        ringing: Collection[Voice] = (),
    ) -> None:
        """Goes on with another song, or with another form of this one; the clock runs on.

        It is there when the timeline's `edition` has risen by one. Notes that it does not have end then.

        Args:
            score: the song from tick 0 on.
            model: what composes from now on; None for the one before.
            grid: of the song; None for the one before.
            seed: begins chance anew; with None it goes on.
            ringing: voices whose last note goes on after the score's end, if it reaches it.
        """

        def do() -> None:
            self.hands.heard()  # of the song before
            self.composer.adopt(score, model=model, grid=grid, seed=seed, ringing=ringing)
            self.player.refresh()

        if seed is not None:
            self._take = 0
        self._order(do)

    def next_bar(self) -> int:
        """The tick of the next bar line that composing can still reach in time."""
        return self._next_line(self._grid.bar_ticks)

    def new_take(self) -> None:
        """What comes from the next bar on is composed anew."""
        self._take += 1
        self._order(lambda: self.composer.new_take(self.next_bar()))

    def control(self, controller: int, value: int) -> None:
        """Takes a control change.

        Args:
            controller: 0..127; one that steers nothing is passed over.
            value: 0..127.
        """
        learning = self.learning
        if learning is not None and controller <= LAST_CONTROLLER:
            self.controls, self.learning = self.controls.learned(controller, learning), None
            return
        what = self.controls.find(controller)
        if what is None:
            return
        if what in MUTES:
            self.player.mute(MUTES[what], value >= 64)
        elif what is Control.PANIC:
            if self.player.sounding:  # else what we say ourselves, sent back to us, would go round for ever
                self.player.panic()
        elif what is Control.NEW_TAKE:
            if value >= 64:
                self.new_take()
        else:
            self.steer(steered(self._request, what, value))

    def wake(self) -> None:
        """The clock has heard something, or a setting has changed: lets player and composer look at it."""
        self.player.wake()
        self._work.set()

    def compose_once(self) -> bool:
        """What the composer's thread does again and again; whether there was anything to do.

        Raises:
            LakhnesError: if nothing can be composed.
        """
        while self._orders:
            self._orders.popleft()()
        if self._steered:
            self._steered = False
            heard = -(-self.player.furthest // self._grid.bar_ticks) * self._grid.bar_ticks
            self.composer.forget(max(heard, self.next_bar()))
        if self.hands.end_rests():
            self._make_room()
        self.composer.played = self.player.taken
        played = self.hands.heard()
        if played:
            self.composer.hear(played)
        state = self.clock.state(self.now())
        lead = self._ticks(self._bar_seconds, state) if state.running else 0
        if not self.composing:
            return False
        began = self.now()
        place = self.player.place()
        ahead = PPQ if self.player.taken else max(self._ahead, self.target - place)
        busy = self.composer.compose(place, ahead, lead)
        if busy:
            self._bar_seconds = max(0.9 * self._bar_seconds, self.now() - began)
        return busy

    def status(self) -> Status:
        """What there is to show."""
        player = self.player
        state = self.clock.state(self.now())
        place = max(0, int(state.position * PPQ))
        position = self._grid.position(place)
        known = self.composer.timeline.known_until(place)
        return Status(
            clock=state,
            bar=position.bar,
            beat=position.beat,
            ahead_beats=(known - place) / PPQ,
            waiting=player.waiting,
            sounding=dict(player.sounding),
            muted=player.muted,
            taken=player.taken,
            request=self._request,
            take=self._take,
            sent=player.lateness.sent,
            late=player.lateness.late,
            worst_seconds=player.lateness.worst,
            gaps=player.gaps,
            tokens=self.composer.n_tokens,
            problems=(*self._problems, *([self._failure] if self._failure else [])),
        )

    def _order(self, what: Callable[[], None]) -> None:
        self._orders.append(what)
        self._work.set()

    def _play(self) -> None:
        try:
            self.player.run()
        except Exception as error:
            self.error = error

    def _watch(self) -> None:
        while not self._closing.wait(WATCH_SECONDS):
            found = filter(None, map(_checked, self._watched))
            self._problems = tuple(dict.fromkeys(found))  # of one server, several ports say the same

    def _compose(self) -> None:
        while not self._closing.is_set():
            self._work.clear()
            try:
                busy = self.compose_once()
                self._failure = None
            except LakhnesError as error:
                self._failure, busy = str(error), False
            except Exception as error:
                self.error = error
                self.player.close()
                return
            if not busy:
                self._work.wait(_POLL_SECONDS)

    def _ticks(self, seconds: float, state: ClockState) -> int:
        return int(seconds * state.bpm / 60 * PPQ) + 1

    def _next_line(self, unit: int) -> int:
        """The next multiple of some ticks that composing can still reach in time."""
        state = self.clock.state(self.now())
        place = self.player.place()
        if state.running:
            place += self._ticks(2 * self._bar_seconds, state)
        return -(-place // unit) * unit

    def _make_room(self) -> None:
        """Forgets what was composed for a voice that somebody plays now."""
        self.composer.forget(self._next_line(PPQ))


def _thread(name: str, target: Callable[[], None]) -> threading.Thread:
    return threading.Thread(target=target, name=f"lakhnes {name}", daemon=True)


def _checked(thing: Watched) -> str | None:
    """What is wrong with something; whatever happens, it is looked after again."""
    try:
        return thing.check()
    except Exception as error:
        return f"A port or device does not answer ({error}). lakhnes tries again."
