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

from lakhnes.cli.closing import console_closing
from lakhnes.cli.options import (
    InstrumentOption,
    MeterOption,
    ModelOption,
    NoProvenanceFlag,
    SeedOption,
    finite,
)
from lakhnes.cli.request_options import RequestOptions, with_request

_PORTS = "MIDI ports"
_CLOCK = "Time"


@with_request
def play(
    context: typer.Context,
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
        typer.Option(help="Name of the new port to send to; default: LakhNES.", rich_help_panel=_PORTS),
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
            help="An existing port for clock, controllers and notes; default: a new one, LakhNES Control.",
            rich_help_panel=_PORTS,
        ),
    ] = None,
    backend: Annotated[
        Literal["alsa", "jack", "coremidi", "winmm"] | None,
        typer.Option(
            help="MIDI system of the ports; default: the first that answers.", rich_help_panel=_PORTS
        ),
    ] = None,
    play_along: Annotated[
        bool,
        typer.Option(
            help="Play along: your notes replace the voice of their channel, and the others follow.",
            rich_help_panel=_PORTS,
        ),
    ] = True,
    controllers: Annotated[
        Path | None,
        typer.Option(
            help="File of controllers. The key l learns one and writes it there.", rich_help_panel=_PORTS
        ),
    ] = None,
    osc: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Hear OSC messages there. Without a host, only from this machine.",
            rich_help_panel=_PORTS,
        ),
    ] = None,
    osc_to: Annotated[
        str | None,
        typer.Option(
            metavar="[HOST:]PORT",
            help="Send notes, bars and state there as OSC messages.",
            rich_help_panel=_PORTS,
        ),
    ] = None,
    synth: Annotated[
        bool, typer.Option("--synth", help="Play on the built-in 2A03 as well.", rich_help_panel=_PORTS)
    ] = False,
    sync: Annotated[
        Literal["internal", "midi", "jack", "link"],
        typer.Option(
            help="The clock to follow: lakhnes' own, a DAW's MIDI clock, the transport of the JACK server, "
            "or the Ableton Link session on the network.",
            rich_help_panel=_CLOCK,
        ),
    ] = "internal",
    join: Annotated[
        Literal["bar", "ask", "start"],
        typer.Option(
            help="With a MIDI clock that runs already: play at its next bar, when you press space, or at its "
            "next Start.",
            rich_help_panel=_CLOCK,
        ),
    ] = "bar",
    song_position: Annotated[
        Literal["auto", "sixteenths", "clocks"],
        typer.Option(help="Unit of the DAW's song position. Ardour 7 counts clocks.", rich_help_panel=_CLOCK),
    ] = "auto",
    bpm: Annotated[
        float,
        typer.Option(
            "--bpm",
            help="Tempo in beats a minute; if a DAW leads, only until its clock arrives.",
            rich_help_panel=_CLOCK,
        ),
    ] = 120.0,
    meter: MeterOption = 4,
    offset_ms: Annotated[
        float,
        typer.Option(
            help="Delay all events by this many milliseconds; a negative value sends them earlier.",
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
            help="Bars composed ahead; with a lower value steering is audible sooner.",
            callback=finite,
            min=0.25,
            max=64,
            rich_help_panel=_CLOCK,
        ),
    ] = 2.0,
    steer: Annotated[
        Literal["bar", "ahead"],
        typer.Option(
            help="When steering is audible: at the next bar, or after the bars composed ahead.",
            rich_help_panel=_CLOCK,
        ),
    ] = "bar",
    paused: Annotated[
        bool, typer.Option("--paused", help="Wait for the space key.", rich_help_panel=_CLOCK)
    ] = False,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="End after this many seconds; default: play until q or Ctrl-C.", callback=finite, min=0.1
        ),
    ] = None,
    record: Annotated[
        list[Path] | None,
        typer.Option(help="Write the music that was played: .mid, .wav or any other format. Repeatable."),
    ] = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    instrument: InstrumentOption = None,
    *,
    asked: RequestOptions,
    no_provenance: NoProvenanceFlag = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print only lines of JSON that tell what happens.")
    ] = False,
) -> None:
    """Compose live, into a DAW's tracks through a virtual MIDI port and to the speakers."""
    if paused and sync != "internal":
        raise typer.BadParameter(
            f"with --sync {sync} the DAW starts the music; leave out --paused", param_hint="--paused"
        )
    if port and (virtual is not None or ports == "4"):
        raise typer.BadParameter(
            "an existing port keeps its name; leave out --virtual and --ports 4", param_hint="--port"
        )

    from lakhnes.bridge.controls import ControlMap
    from lakhnes.bridge.interpreter import keep_time
    from lakhnes.bridge.midi_clock import Joining
    from lakhnes.bridge.osc import OscAddress
    from lakhnes.bridge.song_position import SongPositionUnit
    from lakhnes.cli.live_show import Show
    from lakhnes.cli.recording import record_of
    from lakhnes.runtime.errors import LakhnesError, PortLostError
    from lakhnes.studio.file_names import check_outputs
    from lakhnes.studio.stage import Stage
    from lakhnes.studio.wiring import Sync, Wiring

    keep_time()
    check_outputs(record or [])
    kept = controllers if controllers is not None and controllers.exists() else None
    learned = ControlMap() if kept is None else ControlMap.read(kept)
    wiring = Wiring(
        ports=tuple(port or ()),
        virtual=virtual,
        four=ports == "4",
        channels=_parse_channels(channels),
        control=control,
        play_along=play_along,
        backend=backend,
        sync=Sync(sync),
        controls=learned,
        osc=None if osc is None else OscAddress.parse(osc),
        osc_to=None if osc_to is None else OscAddress.parse(osc_to),
        joining=Joining(join),
        song_position=SongPositionUnit(song_position),
        clock_out=clock_out,
        offset_seconds=offset_ms / 1000,
        synth=synth,
        instrument=instrument,
        ahead_bars=ahead,
        anew=steer == "bar",
    )
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    request = asked.request(seed)
    with _signals() as caught:
        stage = Stage(wiring, model, request, seed, bpm, meter)
        if not no_provenance:
            stage.made = lambda player: record_of(context, player, seed, None)
        show = Show(stage, as_json=as_json, controllers=controllers)
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
    """Collect the signals that ask lakhnes to end; a second one ends it at once."""
    caught: list[int] = []
    before: dict[int, Callable[[int, FrameType | None], None] | int | None] = {}

    def note(number: int, frame: FrameType | None) -> None:
        caught.append(number)
        signal.signal(number, before[number])

    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, note)
    if hasattr(signal, "SIGTSTP"):  # suspended, nobody would end the notes
        before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        with console_closing(lambda: caught.append(signal.SIGTERM)):
            yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _parse_channels(text: str) -> tuple[int, int, int, int]:
    from lakhnes.runtime.errors import OptionError

    numbers = text.replace(",", " ").split()
    if len(numbers) != 4 or not all(number.isdecimal() and 1 <= int(number) <= 16 for number in numbers):
        raise OptionError(f"{text!r} are not four channels; give four from 1 to 16, such as '1,2,3,10'.")
    p1, p2, tr, no = map(int, numbers)
    return p1, p2, tr, no
