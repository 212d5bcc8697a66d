"""`lakhnes generate`: composes from nothing."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lakhnes.cli.options import (
    THREADS,
    TIME,
    BarsOption,
    BpmOption,
    InstrumentOption,
    JsonFlag,
    MaybeMeter,
    MaybeOutputs,
    MidiStyleOption,
    ModelOption,
    RawTiming,
    SeedOption,
    finite,
)
from lakhnes.cli.printing import say
from lakhnes.cli.request_options import RequestOptions, with_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakhnes.runtime import BeatGrid, Model, Request
    from lakhnes.runtime.compose.arrange import Arrangement, Composed

MAX_SECONDS = 36_000
"""Longest song that may be asked for."""

SHORTEST_SECONDS = 5
"""A song that the model ends lasts at least so long."""


@with_request
def generate(
    output: MaybeOutputs = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length of the song. Without it the model ends the song.",
            callback=finite,
            min=0.1,
            max=MAX_SECONDS,
        ),
    ] = None,
    tokens: Annotated[
        int | None, typer.Option(help="Length in events instead of seconds.", min=1, max=10_000_000)
    ] = None,
    count: Annotated[
        int,
        typer.Option(help="Number of songs: NAME-001 and so on, of seeds SEED, SEED+1, …", min=1, max=999),
    ] = 1,
    seed: SeedOption = None,
    model: ModelOption = None,
    midi: MidiStyleOption = "daw",
    raw_timing: RawTiming = False,
    instrument: InstrumentOption = None,
    *,
    asked: RequestOptions,
    bpm: BpmOption = None,
    bars: BarsOption = None,
    meter: MaybeMeter = None,
    loop: Annotated[
        bool,
        typer.Option("--loop", help="The last bar leads into the first. With --bars.", rich_help_panel=TIME),
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            help="Sections of --bars bars each, such as AABA: a letter that comes again brings its section "
            "back; with ', as in AA'BA, under new pulses.",
            rich_help_panel=TIME,
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Composes songs from nothing."""
    if sum(length is not None for length in (seconds, tokens, bars)) > 1:
        raise typer.BadParameter("give one of --seconds, --tokens and --bars", param_hint="--bars")
    if loop and form is not None:
        raise typer.BadParameter("give --form or --loop, not both", param_hint="--form")
    if loop and bars is None:
        raise typer.BadParameter("a loop has bars; add --bars, such as --bars 8", param_hint="--loop")
    if form is not None and bars is None:
        raise typer.BadParameter(
            "say how long a section is: add --bars, such as --bars 8", param_hint="--form"
        )

    from lakhnes.bridge import MidiStyle
    from lakhnes.cli.summary import print_summary, summary
    from lakhnes.runtime import SAMPLE_RATE, BeatGrid, Model, parse_form
    from lakhnes.studio.music_files import Forms, Music, check_outputs, numbered, write_music

    sections = () if form is None else parse_form(form)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    seeds = range(seed, seed + count)
    paths = output or [Path(f"lakhnes-{seed}.mid")]
    files = {s: [numbered(path, s - seed + 1, count) for path in paths] for s in seeds}
    check_outputs([file for each in files.values() for file in each])
    grid = None if bpm is None else BeatGrid.steady(bpm, meter or 4)
    if grid is not None and seconds is not None:
        bars = max(1, round(grid.tick(seconds * SAMPLE_RATE) / grid.bar_ticks))
    forms = Forms(midi=MidiStyle(midi), raw_timing=raw_timing, instruments=instrument)
    player = Model.load(model, threads=THREADS if count == 1 else 1)
    requests = [asked.request(its_seed) for its_seed in seeds]
    asks = [_ask(player, request, grid, bars, seconds, meter) for request in requests]
    started = time.perf_counter()
    if sections or loop:
        made = _compose_in_bars(player, asks, sections, quiet=as_json)
    else:
        made = _compose(player, asks, tokens, quiet=as_json)
    took = time.perf_counter() - started
    pieces = {
        path: Music(composed.score, grid=composed.grid, loops=loop)
        for its_seed, composed in zip(seeds, made, strict=True)
        for path in files[its_seed]
    }
    write_music(pieces, forms)
    rows = [
        {"seed": its_seed, "tokens": composed.n_tokens, **summary(composed.score, files[its_seed])}
        for its_seed, composed in zip(seeds, made, strict=True)
    ]
    common = {
        "model": player.info.name,
        "precision": player.info.precision,
        "tokens_per_second": sum(composed.n_tokens for composed in made) / took,
    }
    if as_json:
        say(json.dumps({**common, **rows[0]} if count == 1 else {**common, "songs": rows}))
        return
    say(f"model   {player.info.name} ({player.info.precision})")
    for row in rows:
        say(f"seed    {row['seed']}")
        print_summary(row)


class _Ask(NamedTuple):
    """What is asked for of one song."""

    request: Request
    grid: BeatGrid | None
    bars: int | None
    length: int | None
    """Samples; None lets the model end it."""


def _ask(
    model: Model,
    request: Request,
    grid: BeatGrid | None,
    bars: int | None,
    seconds: float | None,
    meter: int | None,
) -> _Ask:
    """What is asked for of one song; in bars without a tempo it has the one that the model gives it.

    Raises:
        typer.BadParameter: if the model has no tempo to give.
    """
    from lakhnes.runtime import SAMPLE_RATE
    from lakhnes.runtime.compose.song_time import own_grid

    if grid is None and (bars is not None or meter is not None):
        grid = own_grid(model, request, meter)
        if grid is None:
            raise typer.BadParameter(
                f"the model {model.info.name} gives no tempo; add one, such as --bpm 120",
                param_hint="--meter" if bars is None else "--bars",
            )
    if grid is None or bars is None:
        return _Ask(request, grid, None, None if seconds is None else round(seconds * SAMPLE_RATE))
    return _Ask(request, grid, bars, grid.sample(bars * grid.bar_ticks))


def _compose(model: Model, asks: Sequence[_Ask], tokens: int | None, *, quiet: bool) -> list[Composed]:
    """Composes songs under a progress bar, as many side by side as the machine has cores."""
    from lakhnes.cli.progress import composing
    from lakhnes.runtime import SAMPLE_RATE, Composed, compose_song, side_by_side
    from lakhnes.runtime.compose.arrange import MAX_SECONDS as MODEL_ENDS_SECONDS

    def begin(twin: Model, ask: _Ask) -> Arrangement:
        return compose_song(
            twin,
            ask.request,
            ask.grid,
            length_samples=ask.length,
            min_samples=SHORTEST_SECONDS * SAMPLE_RATE,
            max_samples=None if tokens or ask.length else MODEL_ENDS_SECONDS * SAMPLE_RATE,
            max_tokens=tokens,
        )

    with composing(quiet=quiet) as report:

        def tell(begun: Sequence[Arrangement]) -> None:
            songs = [arrangement.composer for arrangement in begun]
            music, events = sum(s.time_samples for s in songs), sum(s.n_tokens for s in songs)
            parts = (a.progress if tokens is None else a.composer.n_tokens / tokens for a in begun)
            report(sum(parts) / len(asks), music, events)

        done = side_by_side(model, asks, begin, progress=tell)
    return [Composed(made.score(), made.composer.n_tokens, made.grid) for made in done]


def _compose_in_bars(
    model: Model, asks: Sequence[_Ask], form: Sequence[str], *, quiet: bool
) -> list[Composed]:
    """Composes songs in sections of so many bars, or, without sections, loops of so many bars."""
    from lakhnes.cli.progress import composing
    from lakhnes.runtime import compose_form, compose_loop

    done: list[Composed] = []
    with composing(quiet=quiet) as report:

        def tell(part: float, n_tokens: int) -> None:
            events = sum(composed.n_tokens for composed in done) + n_tokens
            music = sum(composed.score.length for composed in done) + round(part * length)
            report((len(done) + part) / len(asks), music, events)

        for request, grid, bars, section in asks:
            if grid is None or bars is None or section is None:
                raise ValueError("sections and loops are asked for in bars")
            length = max(1, len(form)) * section
            if form:
                done.append(compose_form(model, form, grid, bars, request, progress=tell))
            else:
                done.append(compose_loop(model, request, grid, bars, progress=tell))
    return done
