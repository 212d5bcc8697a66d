"""`lakhnes generate`: composes from nothing."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakhnes.cli.options import (
    TEMPERATURE,
    THREADS,
    TIME,
    TOP_K,
    TOP_P,
    BpmOption,
    DensityOption,
    Drones,
    InstrumentOption,
    JsonFlag,
    MaxNote,
    MaybeOutputs,
    MeterOption,
    MidiStyleOption,
    ModelOption,
    Mute,
    Range,
    RawTiming,
    ScaleOption,
    SeedOption,
    Surprise,
    Temperature,
    TopK,
    TopP,
    finite,
)
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lakhnes.runtime import BeatGrid, Model, Song, Steering
    from lakhnes.runtime.compose.form import Composed

MAX_SECONDS = 36_000
"""Longest song that may be asked for."""

SHORTEST_SECONDS = 5
"""A song that the model ends lasts at least so long."""

BATCH = 8
"""Songs that are composed at once; more than this brings little, see benchmarks/compose.py."""


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
    temperature: Temperature = TEMPERATURE,
    top_k: TopK = TOP_K,
    top_p: TopP = TOP_P,
    surprise: Surprise = None,
    scale: ScaleOption = None,
    mute: Mute = None,
    pitch_range: Range = None,
    density: DensityOption = 0.0,
    max_note: MaxNote = None,
    drones: Drones = False,
    bpm: BpmOption = None,
    bars: Annotated[
        int | None,
        typer.Option(help="Length in bars, with --bpm.", min=1, max=10_000, rich_help_panel=TIME),
    ] = None,
    meter: MeterOption = 4,
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
    if loop and bars is None:
        raise typer.BadParameter("a loop has bars; give --bpm and --bars", param_hint="--loop")
    if form is not None and (loop or bars is None):
        raise typer.BadParameter("sections have --bars bars each, and no --loop", param_hint="--form")
    if bars is not None and bpm is None:
        raise typer.BadParameter("bars have a length only with --bpm", param_hint="--bars")

    from lakhnes.bridge import MidiStyle
    from lakhnes.cli.steering import parse_steering
    from lakhnes.cli.summary import print_summary, summary
    from lakhnes.runtime import SAMPLE_RATE, Model, Song
    from lakhnes.runtime.compose.arrange import MAX_SECONDS as MODEL_ENDS_SECONDS
    from lakhnes.runtime.compose.form import Composed, parse_form
    from lakhnes.runtime.time.grid import BeatGrid
    from lakhnes.studio.music_files import (
        Forms,
        Music,
        check_outputs,
        numbered,
        write_music,
    )

    sections = () if form is None else parse_form(form)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    seeds = range(seed, seed + count)
    paths = output or [Path(f"lakhnes-{seed}.mid")]
    files = {s: [numbered(path, s - seed + 1, count) for path in paths] for s in seeds}
    check_outputs([file for each in files.values() for file in each])
    grid = None if bpm is None else BeatGrid.steady(bpm, meter)
    if grid is not None and seconds is not None:
        bars = max(1, round(grid.tick(seconds * SAMPLE_RATE) / grid.bar_ticks))
    length = None if seconds is None else round(seconds * SAMPLE_RATE)
    if grid is not None and bars is not None:
        length = grid.sample(bars * grid.bar_ticks)
    forms = Forms(midi=MidiStyle(midi), raw_timing=raw_timing, instruments=instrument)
    drawing = temperature, top_k, top_p, surprise
    steering = parse_steering(drawing, scale, mute, pitch_range, density, max_note, drones)
    player = Model.load(model, threads=THREADS)

    def song(its_seed: int) -> Song:
        settings = steering.settings(player.codec, its_seed, grid)
        return Song(
            player.codec,
            settings.rng,
            sampling=settings.sampling,
            length_samples=length,
            max_samples=None if tokens or length else MODEL_ENDS_SECONDS * SAMPLE_RATE,
            min_samples=SHORTEST_SECONDS * SAMPLE_RATE,
            max_tokens=tokens,
            constraints=settings.constraints,
        )

    total = length or MODEL_ENDS_SECONDS * SAMPLE_RATE
    started = time.perf_counter()
    made: dict[int, Composed]
    if sections and grid is not None and bars is not None:
        made = _compose_forms(player, sections, grid, bars, steering, seeds, quiet=as_json)
    else:
        songs = {its_seed: song(its_seed) for its_seed in seeds}
        if loop and grid is not None and length is not None:
            songs = _compose_loops(player, songs, length, grid.sample(grid.bar_ticks), quiet=as_json)
        else:
            _compose(player, list(songs.values()), total if tokens is None else None, tokens, quiet=as_json)
        made = {its_seed: Composed(done.score(), done.n_tokens) for its_seed, done in songs.items()}
    took = time.perf_counter() - started
    pieces = {
        path: Music(composed.score, grid=grid, loops=loop)
        for its_seed, composed in made.items()
        for path in files[its_seed]
    }
    write_music(pieces, forms)
    rows = [
        {"seed": its_seed, "tokens": composed.n_tokens, **summary(composed.score, files[its_seed])}
        for its_seed, composed in made.items()
    ]
    common = {
        "model": player.info.name,
        "precision": player.info.precision,
        "tokens_per_second": sum(composed.n_tokens for composed in made.values()) / took,
    }
    if as_json:
        say(json.dumps({**common, **rows[0]} if count == 1 else {**common, "songs": rows}))
        return
    say(f"model   {player.info.name} ({player.info.precision})")
    for row in rows:
        say(f"seed    {row['seed']}")
        print_summary(row)


def _compose(
    model: Model, songs: list[Song], samples: float | None, tokens: int | None, *, quiet: bool
) -> None:
    """Composes all songs, as many at once as pays, under a progress bar."""
    from lakhnes.cli.progress import composing
    from lakhnes.runtime import Composer, compose_together

    with composing(quiet=quiet) as report:

        def tell(_: Song) -> None:
            music, events = sum(s.time_samples for s in songs), sum(s.n_tokens for s in songs)
            part = music / samples if samples else events / (tokens or 1)
            report(part / len(songs), music, events)

        if len(songs) == 1:
            for _ in Composer(model, songs[0]):
                tell(songs[0])
        else:
            for _ in compose_together(model, songs, width=min(BATCH, len(songs)), progress=tell):
                pass


def _compose_loops(
    model: Model, songs: dict[int, Song], length: int, bar: int, *, quiet: bool
) -> dict[int, Song]:
    """Composes songs of a length in samples that lead from their last bar into their first."""
    import numpy as np

    from lakhnes.cli.progress import composing
    from lakhnes.runtime.compose.loops import compose_loop

    done: dict[int, Song] = {}
    with composing(quiet=quiet) as report:

        def tell(song: Song) -> None:
            samples = len(done) * length + song.time_samples
            report(samples / (len(songs) * length), samples, song.n_tokens)

        for seed, song in songs.items():
            rng = np.random.default_rng([seed, 1])
            done[seed] = compose_loop(
                model, song, length_samples=length, bar_samples=bar, rng=rng, progress=tell
            )
    return done


def _compose_forms(
    model: Model,
    form: Sequence[str],
    grid: BeatGrid,
    bars: int,
    steering: Steering,
    seeds: Sequence[int],
    *,
    quiet: bool,
) -> dict[int, Composed]:
    """Composes songs in sections of so many bars."""
    from lakhnes.cli.progress import composing
    from lakhnes.runtime.compose.form import compose_form

    done: dict[int, Composed] = {}
    length = grid.sample(len(form) * bars * grid.bar_ticks)
    with composing(quiet=quiet) as report:

        def tell(part: float, n_tokens: int) -> None:
            events = sum(composed.n_tokens for composed in done.values()) + n_tokens
            whole = len(done) + part
            report(whole / len(seeds), round(whole * length), events)

        for seed in seeds:
            done[seed] = compose_form(model, form, grid, bars, steering, seed, progress=tell)
    return done
