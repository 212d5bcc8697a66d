"""`lakhnes continue` and `lakhnes accompany`: composing with music that is there."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from lakhnes.cli.options import (
    TEMPERATURE,
    THREADS,
    TOP_K,
    TOP_P,
    DensityOption,
    Drones,
    InstrumentOption,
    JsonFlag,
    MaxNote,
    MidiStyleOption,
    ModelOption,
    Mute,
    Outputs,
    Range,
    RawTiming,
    ScaleOption,
    SeedOption,
    Source,
    Surprise,
    Temperature,
    TopK,
    TopP,
    finite,
)
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.runtime import Score
    from lakhnes.runtime.compose.arrange import Arrangement
    from lakhnes.runtime.time.grid import BeatGrid
    from lakhnes.studio.music_files import Forms


def continue_(
    source: Source,
    output: Outputs,
    seconds: Annotated[
        float | None,
        typer.Option(
            help="Length of what is new. Without it the model ends the song.",
            callback=finite,
            min=0.1,
            max=36_000,
        ),
    ] = None,
    prompt_seconds: Annotated[
        float | None, typer.Option(help="Go on from only the last seconds of IN.", callback=finite, min=0.1)
    ] = None,
    only_new: Annotated[bool, typer.Option("--only-new", help="Write what is new, without IN.")] = False,
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
    as_json: JsonFlag = False,
) -> None:
    """Goes on where a piece of music ends."""
    from lakhnes.cli.steering import parse_steering
    from lakhnes.runtime import Model
    from lakhnes.runtime.compose.arrange import continue_score, last_seconds, prompt_perplexity
    from lakhnes.studio.music_files import check_outputs

    check_outputs(output, source)
    score, remarks, grid = _read(source)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    drawing = temperature, top_k, top_p, surprise
    steering = parse_steering(drawing, scale, mute, pitch_range, density, max_note, drones)
    player = Model.load(model, threads=THREADS)
    prompt = score if prompt_seconds is None else last_seconds(score, prompt_seconds)
    perplexity = prompt_perplexity(player, prompt)
    settings = steering.settings(player.codec, seed)
    if grid is not None:
        settings = replace(settings, grid=grid.later(prompt.length - score.length))
    arrangement = continue_score(player, prompt, settings, seconds)
    _run(arrangement, prompt.seconds + (seconds or 180), quiet=as_json)
    whole = arrangement.score()
    if only_new or prompt_seconds is not None:
        whole = last_seconds(whole, whole.seconds - prompt.seconds)
        if not only_new:
            whole = _after(score, whole)
        elif grid is not None:
            grid = grid.later(-score.length)
    facts = {"prompt_perplexity": perplexity, "prompt_seconds": prompt.seconds}
    _finish(
        whole,
        grid,
        output,
        _forms(midi, raw_timing, instrument),
        remarks,
        seed,
        player.info.name,
        facts,
        as_json=as_json,
    )


def accompany(
    source: Source,
    output: Outputs,
    mode: Annotated[
        Literal["voices", "rhythm", "dynamics"],
        typer.Option(
            help="New voices around kept ones; or the rhythm kept, and the pitches new; or all notes kept, "
            "and their volumes and timbres new."
        ),
    ] = "voices",
    keep: Annotated[
        str | None,
        typer.Option(help="Voices to keep, of P1, P2, TR, NO: 'P1' or 'P1,NO'. With --mode voices."),
    ] = None,
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
    as_json: JsonFlag = False,
) -> None:
    """Composes around a piece of music."""
    if (mode == "voices") != (keep is not None):
        raise typer.BadParameter("give --keep with --mode voices, and only with it", param_hint="--keep")

    from lakhnes.cli.steering import parse_steering, parse_voices
    from lakhnes.runtime import EXPRESSIVE_MODEL, Model
    from lakhnes.runtime.compose.arrange import accompany_rhythm, accompany_voices
    from lakhnes.runtime.compose.dynamics import compose_dynamics
    from lakhnes.studio.music_files import check_outputs

    check_outputs(output, source)
    kept = parse_voices(keep) if keep is not None else []
    notes_stay = mode == "dynamics"  # the held and the repeated ones too
    score, remarks, grid = _read(source, fit=not notes_stay)
    seed = secrets.randbelow(1 << 32) if seed is None else seed
    drawing = temperature, top_k, top_p, surprise
    steering = parse_steering(drawing, scale, mute, pitch_range, density, max_note, drones or notes_stay)
    usual = EXPRESSIVE_MODEL if notes_stay else None
    player = Model.load(usual if model is None else model, threads=THREADS)
    settings = replace(steering.settings(player.codec, seed), grid=grid)
    if notes_stay:
        arrangement = compose_dynamics(player, score, settings)
    elif mode == "rhythm":
        arrangement = accompany_rhythm(player, score, settings)
    else:
        arrangement = accompany_voices(player, score, kept, settings)
    _run(arrangement, score.seconds, quiet=as_json)
    _finish(
        arrangement.score(),
        grid,
        output,
        _forms(midi, raw_timing, instrument),
        remarks,
        seed,
        player.info.name,
        {},
        as_json=as_json,
    )


def _read(source: Path, *, fit: bool = True) -> tuple[Score, list[str], BeatGrid | None]:
    """A score, remarks on how it became one, and its own bars if it states them.

    Args:
        source: any music.
        fit: whether notes that no model knows are shifted by octaves.
    """
    from lakhnes.runtime.compose.arrange import fit_to_vocabulary
    from lakhnes.studio.music_files import read_music

    music = read_music(source)
    score, remarks = music.score()
    fitted, moved = fit_to_vocabulary(score) if fit else (score, 0)
    shifted = [f"{moved} notes outside the voices' ranges were shifted by octaves."] if moved else []
    return fitted, [*music.remarks, *remarks, *shifted], music.grid


def _after(first: Score, second: Score) -> Score:
    """Two scores, one after the other."""
    from lakhnes.runtime import Part, Score

    parts = []
    for a, b in zip(first.parts, second.parts, strict=True):
        notes = [replace(note, onset=note.onset + first.length) for note in b.notes]
        changes = [replace(change, sample=change.sample + first.length) for change in b.changes]
        together = (*a.notes, *notes)
        parts.append(Part(together, (*a.changes, *changes) if together else ()))
    return Score((parts[0], parts[1], parts[2], parts[3]), first.length + second.length)


def _run(arrangement: Arrangement, seconds: float, *, quiet: bool) -> None:
    from lakhnes.cli.progress import composing
    from lakhnes.runtime import SAMPLE_RATE

    composer = arrangement.composer
    with composing(quiet=quiet) as report:
        for _ in arrangement:
            samples = composer.time_samples
            report(samples / (seconds * SAMPLE_RATE), samples, composer.n_tokens)


def _forms(midi: str, raw_timing: bool, instrument: str | None) -> Forms:
    from lakhnes.bridge import MidiStyle
    from lakhnes.studio.music_files import Forms

    return Forms(midi=MidiStyle(midi), raw_timing=raw_timing, instruments=instrument)


def _finish(
    score: Score,
    grid: BeatGrid | None,
    output: list[Path],
    forms: Forms,
    remarks: list[str],
    seed: int,
    model: str,
    facts: dict[str, float],
    *,
    as_json: bool,
) -> None:
    """Writes the files and says what was done."""
    from lakhnes.cli.summary import print_summary, summary
    from lakhnes.studio.music_files import Music, write_music

    write_music(dict.fromkeys(output, Music(score, grid=grid)), forms)
    row = summary(score, output)
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
