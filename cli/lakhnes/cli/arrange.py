"""`lakhnes continue` and `lakhnes accompany`: composing with existing music."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakhnes.cli.options import (
    THREADS,
    AuthorOption,
    BarsOption,
    BpmOption,
    InstrumentOption,
    JsonFlag,
    LicenceOption,
    MaybeMeter,
    MidiStyleOption,
    ModelOption,
    NoProvenanceFlag,
    Outputs,
    RawTiming,
    SeedOption,
    SourceArgument,
    TitleOption,
    VoicesOption,
    finite,
)
from lakhnes.cli.printing import say
from lakhnes.cli.request_options import RequestOptions, parse_voices, with_request

if TYPE_CHECKING:
    from lakhnes.apu import Tags
    from lakhnes.runtime import BeatGrid, Score
    from lakhnes.runtime.compose.arrange import Arrangement
    from lakhnes.studio.music_files import Forms, Music


@dataclass(frozen=True, slots=True)
class _Prompt:
    """Existing music, ready for composing."""

    score: Score
    remarks: list[str]
    grid: BeatGrid | None
    """Its own grid, that of the tracked beat, or that of the requested tempo; None for no beat."""
    found: bool
    """Whether the grid comes from the tracked beat."""

    def written(self, grid: BeatGrid | None) -> BeatGrid | None:
        """Return the grid for files; a tracked one gets few tempi, so that notes stay in place."""
        return grid.in_few_tempi() if grid is not None and self.found else grid


@with_request
def continue_(
    context: typer.Context,
    source: SourceArgument,
    output: Outputs,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length of the new music in seconds. Default: the model ends the song.",
            callback=finite,
            min=0.1,
            max=36_000,
        ),
    ] = None,
    prompt_seconds: Annotated[
        float | None, typer.Option(help="Go on from only the last seconds of IN.", callback=finite, min=0.1)
    ] = None,
    only_new: Annotated[
        bool, typer.Option("--only-new", help="Write the new music only, without IN.")
    ] = False,
    seed: SeedOption = None,
    model: ModelOption = None,
    voices: VoicesOption = "",
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
    no_provenance: NoProvenanceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Continue a piece of music at its end."""
    if seconds is not None and bars is not None:
        raise typer.BadParameter("give --seconds or --bars, not both", param_hint="--bars")

    from lakhnes.apu import Tags
    from lakhnes.cli.recording import record_of
    from lakhnes.runtime import Model, OptionError, continue_score
    from lakhnes.runtime.compose.arrange import prompt_perplexity
    from lakhnes.runtime.music.editing import cut, join, last_seconds
    from lakhnes.studio.file_names import check_outputs
    from lakhnes.studio.music_files import Music

    check_outputs(output, source)
    given = _read(source, voices, bpm, meter)
    score, grid = given.score, given.grid
    if bars is not None and grid is None:
        raise OptionError(
            f"{source} has no steady beat, so --bars has no length; give --seconds, or its --bpm."
        )
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    request = asked.request(seed)
    player = Model.load(model, threads=THREADS)
    prompt = score if prompt_seconds is None else last_seconds(score, prompt_seconds)
    perplexity = prompt_perplexity(player, prompt)
    if bars is not None and grid is not None:
        seconds = _seconds_of_bars(grid, score.length, bars)
    prompt_grid = None if grid is None else grid.later(prompt.length - score.length)
    arrangement = continue_score(player, prompt, request, seconds, grid=prompt_grid)
    _run(arrangement, quiet=as_json)
    _, new, _ = cut(arrangement.score(), prompt.length)
    whole = join(score, new)
    if only_new:
        whole, grid = _from_bar_line(new, grid, score.length, exact=bars is None and seconds is not None)
    facts = {"prompt_perplexity": perplexity, "prompt_seconds": prompt.seconds}
    record = record_of(context, player, seed, whole, kept=source)
    _finish(
        Music(whole, grid=given.written(grid), settled=True, record=record),
        output,
        _forms(midi, raw_timing, instrument, Tags(title, author=author, licence=licence), no_provenance),
        given.remarks,
        seed,
        player.info.name,
        facts,
        as_json=as_json,
    )


@with_request
def accompany(
    context: typer.Context,
    source: SourceArgument,
    output: Outputs,
    mode: Annotated[
        Literal["voices", "rhythm", "dynamics"],
        typer.Option(
            help="voices: new voices around kept ones; rhythm: same rhythm, new pitches; dynamics: the "
            "same notes with new volumes and timbres."
        ),
    ] = "voices",
    keep: Annotated[
        str | None,
        typer.Option(help="Voices to keep, from P1, P2, TR, NO: 'P1' or 'P1,NO'. For --mode voices."),
    ] = None,
    seed: SeedOption = None,
    model: ModelOption = None,
    voices: VoicesOption = "",
    midi: MidiStyleOption = "daw",
    raw_timing: RawTiming = False,
    instrument: InstrumentOption = None,
    title: TitleOption = "",
    author: AuthorOption = "",
    licence: LicenceOption = "",
    *,
    asked: RequestOptions,
    bpm: BpmOption = None,
    bars: Annotated[
        int | None,
        typer.Option(help="Number of bars of IN to use.", min=1, max=10_000, rich_help_panel="Tempo"),
    ] = None,
    meter: MaybeMeter = None,
    no_provenance: NoProvenanceFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Compose around a piece of music."""
    if (mode == "voices") != (keep is not None):
        raise typer.BadParameter("give --keep with --mode voices, and only with it", param_hint="--keep")

    from lakhnes.apu import Tags
    from lakhnes.cli.recording import record_of
    from lakhnes.runtime import (
        EXPRESSIVE_MODEL,
        Model,
        OptionError,
        accompany_rhythm,
        accompany_voices,
        compose_dynamics,
    )
    from lakhnes.runtime.music.editing import extract
    from lakhnes.studio.file_names import check_outputs
    from lakhnes.studio.music_files import Music

    check_outputs(output, source)
    kept = parse_voices(keep) if keep is not None else []
    notes_stay = mode == "dynamics"  # also those that no model knows
    given = _read(source, voices, bpm, meter, fit=not notes_stay)
    score, grid = given.score, given.grid
    if bars is not None:
        if grid is None:
            raise OptionError(f"{source} has no steady beat, so --bars has no length; give its --bpm.")
        first = max(0, grid.sample(0))
        end = grid.bars_later(grid.tick(first), bars)
        score = extract(score, (0, min(score.length, grid.sample(end))))
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    request = asked.request(seed)
    usual = EXPRESSIVE_MODEL if notes_stay else None
    player = Model.load(usual if model is None else model, threads=THREADS)
    if notes_stay:
        arrangement = compose_dynamics(player, score, request)
    elif mode == "rhythm":
        arrangement = accompany_rhythm(player, score, request, grid=grid)
    else:
        arrangement = accompany_voices(player, score, kept, request, grid=grid)
    _run(arrangement, quiet=as_json)
    whole = arrangement.score()
    record = record_of(context, player, seed, whole, kept=source)
    _finish(
        Music(whole, grid=given.written(grid), settled=True, record=record),
        output,
        _forms(midi, raw_timing, instrument, Tags(title, author=author, licence=licence), no_provenance),
        given.remarks,
        seed,
        player.info.name,
        {},
        as_json=as_json,
    )


def _read(source: Path, voices: str, bpm: float | None, meter: int | None, *, fit: bool = True) -> _Prompt:
    """Return a score, remarks on its import, and its grid.

    Args:
        source: any music.
        voices: the tracks of a MIDI file for the voices.
        bpm: the new tempo, or for music without a beat, its tempo; None for its own.
        meter: beats per bar; None for its own.
        fit: whether notes that no model knows move by octaves.
    """
    from dataclasses import replace

    from lakhnes.runtime import BeatGrid, retimed
    from lakhnes.runtime.music.editing import fit_to_vocabulary
    from lakhnes.runtime.time.grid import TimeSignature
    from lakhnes.runtime.time.model_time import beat_of
    from lakhnes.studio.music_files import read_music

    music = read_music(source, voices)
    score, remarks = music.score()
    score, moved = fit_to_vocabulary(score) if fit else (score, 0)
    shifted = [f"{moved} notes outside the voices' ranges were shifted by octaves."] if moved else []
    grid = music.grid or beat_of(score)
    found = music.grid is None and bpm is None
    if grid is not None and meter is not None:
        grid = replace(grid, signatures=(TimeSignature(0, meter),))
    if bpm is not None:
        score, grid = (score, BeatGrid.steady(bpm, meter or 4)) if grid is None else retimed(score, grid, bpm)
    return _Prompt(score, [*music.remarks, *remarks, *shifted], grid, found)


def _seconds_of_bars(grid: BeatGrid, start: int, bars: int) -> float:
    """Return the seconds of some bars after a sample, up to a bar line."""
    from lakhnes.runtime import SAMPLE_RATE

    tick = grid.tick(start)
    before, after = grid.bars_later(tick, 0), grid.bars_later(tick, 1)
    over = tick - before >= (after - before) / 4  # a bar that has hardly begun does not count
    return max(0.1, (grid.sample(grid.bars_later(tick, bars + over)) - start) / SAMPLE_RATE)


def _from_bar_line(
    new: Score, grid: BeatGrid | None, start: int, *, exact: bool
) -> tuple[Score, BeatGrid | None]:
    """Return new music and its grid from the bar in which its notes begin.

    If the prompt ends within a bar and the first note comes after that bar, the rest of it is left out.

    Args:
        new: the new music.
        grid: grid of the whole; None for no beat.
        start: sample of the whole at which the new music starts.
        exact: whether the user set the length; a rest of a beat or more then belongs to it.
    """
    from lakhnes.runtime.music.editing import extract
    from lakhnes.runtime.time.grid import PPQ

    if grid is None:
        return new, None
    here = grid.tick(start)
    line = grid.bars_later(here, 1)
    begins = min((note.onset for part in new.parts for note in part.notes), default=0)
    late = grid.tick(start + begins) >= line and not (exact and line - here >= PPQ)
    if not late or here == grid.bars_later(here, 0):
        return new, grid.since(start)
    over = grid.sample(line) - start
    return extract(new, (over, new.length)), grid.since(start + over)


def _run(arrangement: Arrangement, *, quiet: bool) -> None:
    from lakhnes.cli.progress import composing

    composer = arrangement.composer
    with composing(quiet=quiet) as report:
        for _ in arrangement:
            report(arrangement.progress, composer.time_samples, composer.n_tokens)


def _forms(midi: str, raw_timing: bool, instrument: str | None, tags: Tags, no_provenance: bool) -> Forms:
    from lakhnes.bridge import MidiStyle
    from lakhnes.studio.music_files import Forms

    return Forms(
        midi=MidiStyle(midi),
        raw_timing=raw_timing,
        instruments=instrument,
        tags=tags,
        provenance=not no_provenance,
    )


def _finish(
    music: Music,
    output: list[Path],
    forms: Forms,
    remarks: list[str],
    seed: int,
    model: str,
    facts: dict[str, float],
    *,
    as_json: bool,
) -> None:
    """Write the files and print a summary."""
    from lakhnes.cli.summary import print_summary, summary
    from lakhnes.studio.music_files import write_music

    _, told = write_music(dict.fromkeys(output, music), forms)
    remarks = [*remarks, *told]
    row = summary(music.score()[0], output)
    if as_json:
        say(json.dumps({"seed": seed, "model": model, **row, **facts, "remarks": remarks}))
        return
    for remark in remarks:
        say(remark, error=True)
    say(f"model   {model}")
    say(f"seed    {seed}")
    if "prompt_perplexity" in facts:
        say(f"prompt  {facts['prompt_seconds']:.1f} s, perplexity {facts['prompt_perplexity']:.2f}")
    print_summary(row)
