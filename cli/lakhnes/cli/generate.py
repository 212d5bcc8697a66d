"""`lakhnes generate`: compose from nothing."""

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
    AuthorOption,
    BarsOption,
    BpmOption,
    InstrumentOption,
    JsonFlag,
    LicenceOption,
    MaybeMeter,
    MaybeOutputs,
    MidiStyleOption,
    ModelOption,
    NoProvenanceFlag,
    RawTiming,
    SeedOption,
    TitleOption,
    finite,
)
from lakhnes.cli.printing import say
from lakhnes.cli.request_options import RequestOptions, with_request

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lakhnes.runtime import BeatGrid, GamePiece, Model, Request
    from lakhnes.runtime.compose.arrange import Arrangement, Composed
    from lakhnes.studio.music_files import Music

MAX_SECONDS = 36_000
"""Longest song that a user may request, in seconds."""

SHORTEST_SECONDS = 5
"""Shortest song that the model may end, in seconds."""


@with_request
def generate(
    context: typer.Context,
    output: MaybeOutputs = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length of the song in seconds. Default: the model ends the song.",
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
        typer.Option(help="Number of songs: NAME-001 and so on, with seeds SEED, SEED+1, …", min=1, max=999),
    ] = 1,
    seed: SeedOption = None,
    model: ModelOption = None,
    midi: MidiStyleOption = "daw",
    raw_timing: RawTiming = False,
    instrument: InstrumentOption = None,
    title: TitleOption = "",
    author: AuthorOption = "",
    licence: LicenceOption = "",
    *,
    asked: RequestOptions,
    bpm: BpmOption = None,
    bars: BarsOption = None,
    meter: MaybeMeter = None,
    loop: Annotated[
        bool,
        typer.Option(
            "--loop",
            help="Make a loop: the last bar leads into the first. Needs --bars.",
            rich_help_panel=TIME,
        ),
    ] = False,
    form: Annotated[
        str | None,
        typer.Option(
            help="Sections of --bars bars each, such as AABA: a repeated letter repeats its section; an "
            "apostrophe, as in AA'BA, gives it new pulses.",
            rich_help_panel=TIME,
        ),
    ] = None,
    game: Annotated[
        bool,
        typer.Option(
            "--game",
            help="Make a game's music: a loop of --bars bars with an intro, in three layers, a fanfare and a "
            "game-over. Each is a file NAME-PIECE; NSF and ROM hold them all.",
            rich_help_panel=TIME,
        ),
    ] = False,
    no_provenance: NoProvenanceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Compose songs from nothing."""
    if sum(length is not None for length in (seconds, tokens, bars)) > 1:
        raise typer.BadParameter("give one of --seconds, --tokens and --bars", param_hint="--bars")
    _check_structure(bars, count, loop=loop, form=form, game=game)

    from lakhnes.apu import Tags
    from lakhnes.bridge import MidiStyle
    from lakhnes.cli.recording import record_of
    from lakhnes.cli.summary import print_summary, summary
    from lakhnes.runtime import GAME_PIECES, SAMPLE_RATE, BeatGrid, Model, parse_form
    from lakhnes.studio.file_names import check_outputs, named, numbered
    from lakhnes.studio.music_files import Forms, Music, write_music

    sections = () if form is None else parse_form(form)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    seeds = range(seed, seed + count)
    paths = output or [Path(f"lakhnes-{seed}.mid")]
    files = {s: [numbered(path, s - seed + 1, count) for path in paths] for s in seeds}
    game_files = [named(path, piece) for path in paths for piece in GAME_PIECES]
    check_outputs(game_files if game else [file for each in files.values() for file in each])
    grid = None if bpm is None else BeatGrid.steady(bpm, meter or 4)
    if grid is not None and seconds is not None:
        bars = max(1, round(grid.tick(seconds * SAMPLE_RATE) / grid.bar_ticks))
    forms = Forms(
        midi=MidiStyle(midi),
        raw_timing=raw_timing,
        instruments=instrument,
        tags=Tags(title, author=author, licence=licence),
        provenance=not no_provenance,
    )
    player = Model.load(model, threads=THREADS if count == 1 else 1)
    requests = [asked.request(its_seed) for its_seed in seeds]
    asks = [_ask(player, request, grid, bars, seconds, meter) for request in requests]
    started = time.perf_counter()
    if game:

        def made_by(piece: GamePiece) -> str:
            return record_of(context, player, seed, piece.score, piece=piece.name)

        pieces, n_tokens = _compose_game(player, asks[0], paths, made_by, quiet=as_json)
        _, remarks = write_music(pieces, forms)
        _say_game(player, seed, n_tokens, [*pieces], remarks, as_json=as_json)
        return
    if sections or loop:
        made = _compose_in_bars(player, asks, sections, quiet=as_json)
    else:
        made = _compose(player, asks, tokens, quiet=as_json)
    took = time.perf_counter() - started
    songs_of: dict[Path, list[Music]] = {}
    for its_seed, composed in zip(seeds, made, strict=True):
        record = record_of(context, player, its_seed, composed.score)
        music = Music(composed.score, grid=composed.grid, loops=loop, record=record)
        for path in files[its_seed]:
            songs_of.setdefault(path, []).append(music)
    _, remarks = write_music(songs_of, forms)
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
        songs = rows[0] if count == 1 else {"songs": rows}
        say(json.dumps({**common, **songs, "remarks": remarks}))
        return
    for remark in remarks:
        say(remark, error=True)
    say(f"model   {player.info.name} ({player.info.precision})")
    for row in rows:
        say(f"seed    {row['seed']}")
        print_summary(row)


def _check_structure(bars: int | None, count: int, *, loop: bool, form: str | None, game: bool) -> None:
    """Refuse structures that exclude each other, and those without bars."""
    if game and (loop or form is not None or count > 1):
        raise typer.BadParameter("give it without --loop, --form and --count", param_hint="--game")
    if loop and form is not None:
        raise typer.BadParameter("give --form or --loop, not both", param_hint="--form")
    if bars is not None:
        return
    if loop or game:
        hint = "--loop" if loop else "--game"
        raise typer.BadParameter("a loop has bars; add --bars, such as --bars 8", param_hint=hint)
    if form is not None:
        raise typer.BadParameter(
            "say how long a section is: add --bars, such as --bars 8", param_hint="--form"
        )


class _Ask(NamedTuple):
    """The settings of one song."""

    request: Request
    grid: BeatGrid | None
    bars: int | None
    length: int | None
    """Length in samples; None lets the model end it."""


def _ask(
    model: Model,
    request: Request,
    grid: BeatGrid | None,
    bars: int | None,
    seconds: float | None,
    meter: int | None,
) -> _Ask:
    """Return the settings of one song; in bars without a tempo, the model chooses the tempo.

    Raises:
        typer.BadParameter: if the model cannot choose a tempo.
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
    """Compose songs with a progress bar, one per core at a time."""
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
    """Compose songs in sections of some bars, or without sections, loops of some bars."""
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


def _compose_game(
    model: Model, ask: _Ask, paths: Sequence[Path], record: Callable[[GamePiece], str], *, quiet: bool
) -> tuple[dict[Path, list[Music]], int]:
    """Compose a game's music; return the pieces that go into each file, and the number of events."""
    from lakhnes.cli.progress import composing
    from lakhnes.runtime import compose_game_set
    from lakhnes.studio.file_names import named
    from lakhnes.studio.music_files import Music

    if ask.grid is None or ask.bars is None or ask.length is None:
        raise ValueError("a game's music is asked for in bars")
    length = ask.length
    with composing(quiet=quiet) as report:
        made = compose_game_set(
            model,
            ask.request,
            ask.grid,
            ask.bars,
            progress=lambda part, n_tokens: report(part, round(part * length), n_tokens),
        )
    pieces: dict[Path, list[Music]] = {}
    for piece in made.pieces:
        loops = piece.intro_bars is not None
        music = Music(
            piece.score,
            grid=made.grid,
            loops=loops,
            intro_bars=piece.intro_bars or 0,
            name=piece.name,
            record=record(piece),
        )
        for path in paths:
            pieces.setdefault(named(path, piece.name), []).append(music)
    return pieces, made.n_tokens


def _say_game(
    model: Model, seed: int, n_tokens: int, files: list[Path], remarks: Sequence[str], *, as_json: bool
) -> None:
    """Print what was made."""
    names = list(map(str, files))
    if as_json:
        row = {"model": model.info.name, "seed": seed, "tokens": n_tokens, "files": names, "remarks": remarks}
        say(json.dumps(row))
        return
    for remark in remarks:
        say(remark, error=True)
    say(f"model   {model.info.name} ({model.info.precision})")
    say(f"seed    {seed}")
    say(f"wrote   {', '.join(names)}")
