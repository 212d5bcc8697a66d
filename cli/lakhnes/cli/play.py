"""`lakhnes play`: composes live into a DAW, and to the speakers."""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated, Literal

import typer

from lakhnes.cli.options import (
    InstrumentOption,
    MeterOption,
    ModelOption,
    SeedOption,
    finite,
)
from lakhnes.cli.request_options import RequestOptions, with_request

_PORTS = "MIDI ports"
_CLOCK = "Time"


@with_request
def play(
    port: Annotated[
        list[str] | None,
        typer.Option(
            "--port",
            help="An existing port to send to, by a part of its name; four times for a port for each voice.",
            rich_help_panel=_PORTS,
        ),
    ] = None,
    virtual: Annotated[
        str | None,
        typer.Option(help="Name of the new port to send to. Usually LakhNES.", rich_help_panel=_PORTS),
    ] = None,
    ports: Annotated[
        Literal["1", "4"],
        typer.Option(
            help="One new port with four channels, or a port for each voice.", rich_help_panel=_PORTS
        ),
    ] = "1",
    channels: Annotated[
        str, typer.Option(help="MIDI channels of P1, P2, TR and NO.", rich_help_panel=_PORTS)
    ] = "1,2,3,10",
    control: Annotated[
        str | None,
        typer.Option(
            "--input",
            help="An existing port for clock, controllers and notes. Usually a new one, LakhNES Control.",
            rich_help_panel=_PORTS,
        ),
    ] = None,
    backend: Annotated[
        Literal["alsa", "jack", "coremidi", "winmm"] | None,
        typer.Option(help="Whose ports. Usually the first that answers.", rich_help_panel=_PORTS),
    ] = None,
    play_along: Annotated[
        bool,
        typer.Option(
            help="Take notes that come in: their channel's voice is yours then, and the others follow.",
            rich_help_panel=_PORTS,
        ),
    ] = True,
    synth: Annotated[
        bool, typer.Option("--synth", help="Play it on the built-in 2A03, too.", rich_help_panel=_PORTS)
    ] = False,
    sync: Annotated[
        Literal["internal", "midi"],
        typer.Option(help="Whose time: our own, or the MIDI clock of a DAW.", rich_help_panel=_CLOCK),
    ] = "internal",
    bpm: Annotated[
        float,
        typer.Option("--bpm", help="Tempo; with --sync midi until a clock is heard.", rich_help_panel=_CLOCK),
    ] = 120.0,
    meter: MeterOption = 4,
    offset_ms: Annotated[
        float,
        typer.Option(
            help="Send everything so much later; earlier if negative.",
            callback=finite,
            min=-500,
            max=500,
            rich_help_panel=_CLOCK,
        ),
    ] = 0.0,
    clock_out: Annotated[
        bool,
        typer.Option("--clock-out", help="Send MIDI clock, for others to follow.", rich_help_panel=_CLOCK),
    ] = False,
    ahead: Annotated[
        float,
        typer.Option(
            help="Bars that are composed ahead.", callback=finite, min=0.25, max=64, rich_help_panel=_CLOCK
        ),
    ] = 2.0,
    paused: Annotated[
        bool, typer.Option("--paused", help="Wait for the space key.", rich_help_panel=_CLOCK)
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(help="End after so long. Without it, play until q or Ctrl-C.", callback=finite, min=0.1),
    ] = None,
    record: Annotated[
        list[Path] | None,
        typer.Option(help="Write what was played: .mid, .wav or any other format. May be given again."),
    ] = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    instrument: InstrumentOption = None,
    *,
    asked: RequestOptions,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what happens as lines of JSON, and nothing else.")
    ] = False,
) -> None:
    """Composes live, into a DAW's tracks through a virtual MIDI port and to the speakers."""
    if paused and sync == "midi":
        raise typer.BadParameter("with --sync midi the DAW says when it begins", param_hint="--paused")
    if port and (virtual is not None or ports == "4"):
        raise typer.BadParameter("existing ports have their names; give no others", param_hint="--port")

    from lakhnes.bridge.interpreter import keep_time
    from lakhnes.cli.live_show import Show
    from lakhnes.runtime.errors import LakhnesError, PortLostError
    from lakhnes.studio.music_files import check_outputs
    from lakhnes.studio.stage import Stage
    from lakhnes.studio.wiring import Wiring

    keep_time()
    check_outputs(record or [])
    wiring = Wiring(
        ports=tuple(port or ()),
        virtual=virtual,
        four=ports == "4",
        channels=_parse_channels(channels),
        control=control,
        play_along=play_along,
        backend=backend,
        midi_sync=sync == "midi",
        clock_out=clock_out,
        offset_seconds=offset_ms / 1000,
        synth=synth,
        instrument=instrument,
        ahead_bars=ahead,
    )
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    request = asked.request(seed)
    with _signals() as caught:
        stage = Stage(wiring, model, request, seed, bpm, meter)
        show = Show(stage, as_json=as_json)
        try:
            with stage:
                show.run(paused=paused, seconds=seconds, over=lambda: bool(caught))
        except Exception:  # the terminal is gone, say; what was played is not
            if record and hasattr(stage, "performance"):
                with suppress(LakhnesError):
                    stage.save(record)
            raise
        if record:
            show.recorded(record, stage.save(record))
    if stage.lost:
        raise PortLostError(stage.lost)
    if caught:
        raise typer.Exit(128 + caught[0])


@contextmanager
def _signals() -> Iterator[list[int]]:
    """The signals that asked us to end, instead of what they usually do; the second one does that."""
    caught: list[int] = []
    before: dict[int, Callable[[int, FrameType | None], None] | int | None] = {}

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(number, before[number])

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    if hasattr(signal, "SIGTSTP"):  # suspended, nobody would end the notes
        before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parse_channels(text: str) -> tuple[int, int, int, int]:
    from lakhnes.runtime.errors import OptionError

    numbers = text.replace(",", " ").split()
    if len(numbers) != 4 or not all(number.isdecimal() and 1 <= int(number) <= 16 for number in numbers):
        raise OptionError(f"{text!r} are no four channels; give four from 1 to 16, such as '1,2,3,10'.")
    p1, p2, tr, no = map(int, numbers)
    return p1, p2, tr, no
