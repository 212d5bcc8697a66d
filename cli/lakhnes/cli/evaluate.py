"""`lakhnes evaluate`: measure a model's predictions and its own songs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from lakhnes.cli.evaluation_report import (
    print_arrangements,
    print_composed,
    print_kept_use,
    print_memorisation,
    print_perplexity,
)
from lakhnes.cli.extras import training_side
from lakhnes.cli.measuring import compare_songs, counting, measure_songs, songs_of_people
from lakhnes.cli.options import (
    TEMPERATURE,
    THREADS,
    TOP_K,
    TOP_P,
    BpmOption,
    JsonFlag,
    Surprise,
    Temperature,
    TopK,
    TopP,
    finite,
)
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.export.composed_songs import Plan
    from lakhnes.export.evaluation import Evaluation, EvaluationStreams
    from lakhnes.export.evaluation_songs import SplitSongs
    from lakhnes.export.measure.songs import Progress
    from lakhnes.runtime import Codec, Model, Score, Timing

_SONGS = "Its own songs"


@dataclass(frozen=True, slots=True)
class Judged:
    """A model under evaluation, run by onnxruntime or PyTorch."""

    name: str
    how: str
    """Name of its runtime, in a few words."""
    codec: Codec
    single_steps: bool
    """Whether it gives the same result for any segments."""
    score: Callable[[EvaluationStreams, Progress], Evaluation]
    player: Callable[[], Model]
    """Model to compose with."""
    cache: bool = True
    """Whether to use its match cache, if it has one."""


def evaluate(
    model: Annotated[
        str | None,
        typer.Argument(help="A model's name, its folder or .onnx file, or a training checkpoint."),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Prepared data, or a folder that contains valid/ or test/ with MIDI, TX1 or TX2 files.",
            readable=False,
        ),
    ] = None,
    split: Annotated[Literal["valid", "test"], typer.Option(help="Songs to use.")] = "valid",
    timing: Annotated[
        Literal["samples", "frames"] | None,
        typer.Option(
            help="Timing of the training data, for checkpoints that do not state it. Default: that of the "
            "prepared data, or samples."
        ),
    ] = None,
    mem_len: Annotated[
        int,
        typer.Option(
            help="Memory of a checkpoint in tokens; a higher value predicts better.",
            min=1,
            max=65_536,
        ),
    ] = 896,
    no_cache: Annotated[
        bool,
        typer.Option(
            "--no-match-cache",
            help="Use a calibrated model's network alone, without its match cache.",
        ),
    ] = False,
    threads: Annotated[int, typer.Option(help="Number of threads.", min=1, max=256)] = THREADS,
    statistics: Annotated[
        bool,
        typer.Option(
            "--statistics",
            help="Compose songs and compare them with human songs: by a classifier, by structure and by "
            "musical statistics.",
            rich_help_panel=_SONGS,
        ),
    ] = False,
    memorisation: Annotated[
        bool,
        typer.Option(
            "--memorisation",
            help="Compose songs and find the longest runs that they share with the train split.",
            rich_help_panel=_SONGS,
        ),
    ] = False,
    composed: Annotated[
        Path | None,
        typer.Option(
            help="Compare the songs of this folder or archive, from any system, instead of a model's.",
            readable=False,
            rich_help_panel=_SONGS,
        ),
    ] = None,
    human: Annotated[
        Path | None,
        typer.Option(
            help="Human songs to compare with: prepared data, a folder or an archive. Default: --data.",
            readable=False,
            rich_help_panel=_SONGS,
        ),
    ] = None,
    arrangements: Annotated[
        bool,
        typer.Option(
            "--arrangements",
            help="Accompany and continue songs of the split, and compare the results with the originals.",
            rich_help_panel=_SONGS,
        ),
    ] = False,
    songs: Annotated[
        int,
        typer.Option(
            help="Number of songs to compose; more songs give smaller errors.",
            min=2,
            max=10_000,
            rich_help_panel=_SONGS,
        ),
    ] = 50,
    seconds: Annotated[
        float,
        typer.Option(
            help="Longest song in seconds; each is as long as the song that it is compared with.",
            callback=finite,
            min=4,
            max=3600,
            rich_help_panel=_SONGS,
        ),
    ] = 60,
    seed: Annotated[
        int,
        typer.Option(
            help="Seed of the first song; the next songs have the next seeds.", min=0, rich_help_panel=_SONGS
        ),
    ] = 0,
    temperature: Temperature = TEMPERATURE,
    top_k: TopK = TOP_K,
    top_p: TopP = TOP_P,
    surprise: Surprise = None,
    bpm: BpmOption = None,
    as_json: JsonFlag = False,
) -> None:
    """Measure how well a model predicts songs, by LakhNES's protocol, and how its own songs compare."""
    if (model is None) == (composed is None):
        raise typer.BadParameter("give a model, or --composed and songs", param_hint="MODEL")
    people = human or data
    if people is None or (model is not None and data is None):
        raise typer.BadParameter("give the songs to evaluate on", param_hint="--data")
    if composed is not None:
        if memorisation:
            raise typer.BadParameter(
                "only what a model composes is looked for in its data", param_hint="--memorisation"
            )
        measure_songs(composed, people, split, seconds, quiet=as_json)
        return
    assert model is not None
    assert data is not None
    from lakhnes.export.composed_songs import Plan
    from lakhnes.export.evaluation_songs import open_data, read_split
    from lakhnes.runtime import BeatGrid, Sampling, Timing

    started = time.perf_counter()
    sampling = Sampling(temperature, top_k or None, top_p, surprise or None)
    plan = Plan(songs, seconds, seed, sampling, None if bpm is None else BeatGrid.steady(bpm))
    prepared = open_data(data)
    usual = Timing.SAMPLES if prepared is None else prepared.timing
    judged = _open(model, None if timing is None else Timing(timing), usual, mem_len, threads, not no_cache)
    with counting("reading songs", quiet=as_json) as report:
        found = read_split(data, split, judged.codec, progress=report)
    if memorisation:
        with counting("reading the train split", quiet=as_json) as report:
            trained = read_split(data, "train", judged.codec, progress=report)
    like = songs_of_people(people, split, seconds, quiet=as_json) if statistics else None
    facts: dict[str, Any] = {
        "model": judged.name,
        "how": judged.how,
        "timing": judged.codec.timing.value,
        "split": split,
    }
    facts |= _perplexity(judged, found, quiet=as_json)
    if not as_json:
        print_perplexity(facts)
    if statistics or memorisation:
        compared = _references(judged, found, plan) if memorisation else []
        its_own = _compose(judged, compared if like is None else like.scores, plan, quiet=as_json)
        facts["composed"] = _composed_facts(plan, its_own)
        if not as_json:
            print_composed(facts["composed"])
        if like is not None:
            facts["statistics"] = compare_songs(its_own, like, quiet=as_json)
    if memorisation:
        found_runs = _memorisation(judged.codec, trained, its_own, compared)
        found_runs["composed"]["longest_seed"] = seed + found_runs["composed"].pop("longest_song")
        facts["memorisation"] = found_runs
        if not as_json:
            print_memorisation(facts["memorisation"])
    if arrangements:
        facts["arrangements"] = _arrangements(judged, found, plan, quiet=as_json)
        facts["given_voices"] = _kept_use(judged, found, plan, quiet=as_json)
        if not as_json:
            print_arrangements(facts["arrangements"])
            print_kept_use(facts["given_voices"])
    facts["took_seconds"] = time.perf_counter() - started
    if as_json:
        say(json.dumps(facts))


def _open(model: str, asked: Timing | None, usual: Timing, mem_len: int, threads: int, cache: bool) -> Judged:
    """Open the model of a name or a path."""
    from lakhnes.runtime import OptionError, list_models
    from lakhnes.runtime.model.model_info import MODEL_FILE

    path = Path(model)
    is_checkpoint = path.exists() and path.suffix != ".onnx" and not (path / MODEL_FILE).is_file()
    if is_checkpoint and model not in list_models():
        judged, its_own = _open_checkpoint(path, asked or usual, mem_len, threads)
    else:
        judged, its_own = _open_exported(model, threads, cache)
    if its_own is not None and asked not in (None, its_own):
        raise OptionError(f"{model} was trained with timing {its_own.value}; leave out --timing.")
    return judged


def _open_exported(model: str, threads: int, cache: bool) -> tuple[Judged, Timing]:
    from lakhnes.export.evaluation import evaluate_exported
    from lakhnes.runtime import Model

    player = Model.load(model, threads=threads)
    info = player.info
    how = f"{info.precision}, memory {info.mem_len}{', match cache' if cache and info.recall else ''}"

    def score(streams: EvaluationStreams, progress: Progress) -> Evaluation:
        return evaluate_exported(player, streams.data, streams.targets, cache=cache, progress=progress)

    return Judged(info.name, how, player.codec, True, score, lambda: player, cache), info.timing


def _open_checkpoint(path: Path, usual: Timing, mem_len: int, threads: int) -> tuple[Judged, Timing | None]:
    """Open a checkpoint; its timing is None if it does not state one."""
    from lakhnes.runtime.bars.codec import make_codec

    with training_side("lakhnes evaluate of a checkpoint"):
        import torch

        from lakhnes.export.checkpoint_evaluation import composing_model, evaluate_checkpoint
        from lakhnes.export.checkpoints import open_checkpoint
    torch.set_num_threads(threads)
    checkpoint = open_checkpoint(path)
    timing = checkpoint.timing or usual
    device = "cuda" if torch.cuda.is_available() else "cpu"

    def score(streams: EvaluationStreams, progress: Progress) -> Evaluation:
        return evaluate_checkpoint(
            checkpoint.model.to(device),
            streams.data,
            streams.targets,
            segment=streams.segment,
            mem_len=mem_len,
            progress=progress,
        )

    def player() -> Model:
        checkpoint.model.to("cpu")
        return composing_model(checkpoint, timing, threads=threads)

    how = f"PyTorch on {device}, memory {mem_len}"
    codec = make_codec(checkpoint.vocabulary, timing)
    return Judged(str(path), how, codec, False, score, player), checkpoint.timing


def _perplexity(judged: Judged, found: SplitSongs, *, quiet: bool) -> dict[str, Any]:
    """Evaluate the model; `songs` counts those of 10 tokens or more, which form the streams."""
    from lakhnes.export.evaluation import fill_streams
    from lakhnes.runtime import SAMPLE_RATE

    songs = [song.tolist() for song in found.tokens]
    streams = fill_streams(songs, judged.codec.vocabulary, single_steps=judged.single_steps)
    started = time.perf_counter()
    with counting("evaluating", quiet=quiet) as report:
        result = judged.score(streams, report)
    music = float(judged.codec.wait_samples[streams.targets].sum()) / SAMPLE_RATE
    return {
        "loss": result.loss,
        "ppl": result.perplexity,
        "tokens": result.tokens,
        "songs": streams.songs,
        "short_songs": len(songs) - streams.songs,
        "skipped": list(found.skipped),
        "streams": len(streams.data),
        "segment": streams.segment,
        "seconds": music,
        "nats_per_second": result.loss * result.tokens / music if music else None,
        "tokens_per_second": result.tokens / (time.perf_counter() - started),
    }


def _references(judged: Judged, found: SplitSongs, plan: Plan) -> list[Score]:
    """Return the songs of the split whose runs are compared with those of composed songs."""
    from lakhnes.export.composed_songs import reference_songs

    return reference_songs([judged.codec.decode(song.tolist()) for song in found.tokens], plan.seconds)


def _compose(judged: Judged, like: Sequence[Score], plan: Plan, *, quiet: bool) -> list[Score]:
    """Compose songs with the lengths of other songs."""
    from lakhnes.export.composed_songs import compose_songs, lengths_like

    with counting("composing", quiet=quiet) as report:
        lengths = lengths_like(like, plan.songs)
        return compose_songs(judged.player(), lengths, plan, cache=judged.cache, progress=report)


def _composed_facts(plan: Plan, composed: Sequence[Score]) -> dict[str, Any]:
    return {
        "songs": len(composed),
        "seeds": [plan.seed, plan.seed + len(composed) - 1],
        "seconds": sum(song.seconds for song in composed),
        "longest_seconds": max(song.seconds for song in composed),
        "bpm": None if plan.grid is None else plan.grid.bpm,
        **asdict(plan.sampling),
    }


def _arrangements(judged: Judged, found: SplitSongs, plan: Plan, *, quiet: bool) -> list[dict[str, Any]]:
    from lakhnes.export.arrangement_measures import measure_arrangements, task_facts

    scores = (judged.codec.decode(song.tolist()) for song in found.tokens)
    with counting("arranging", quiet=quiet) as report:
        tasks = measure_arrangements(
            judged.player(), scores, plan.songs, seed=plan.seed, sampling=plan.sampling, progress=report
        )
    return [task_facts(task) for task in tasks]


def _kept_use(judged: Judged, found: SplitSongs, plan: Plan, *, quiet: bool) -> list[dict[str, Any]]:
    from lakhnes.export.arrangement_measures import KEPT
    from lakhnes.export.kept_use import measure_kept_use

    model = judged.player()
    if not model.codec.vocabulary.shows:
        return []
    with counting("reading", quiet=quiet) as report:
        return [
            asdict(measure_kept_use(model, found.tokens, keep, plan.songs, progress=report)) for keep in KEPT
        ]


def _memorisation(
    codec: Codec, trained: SplitSongs, composed: Sequence[Score], compared: Sequence[Score]
) -> dict[str, Any]:
    from lakhnes.export.memorisation import longest_runs, run_lengths, steps_of_songs

    training = steps_of_songs(trained.tokens, codec)
    facts: dict[str, Any] = {"train_songs": len(trained.tokens)}
    for name, songs in (("composed", composed), ("data", compared)):
        steps = steps_of_songs([codec.encode(song) for song in songs], codec)
        runs = longest_runs(steps, training, len(songs))
        lengths = run_lengths(runs)
        found_in = lengths.longest.found_in
        facts[name] = {
            "songs": len(songs),
            "median": lengths.median,
            "ninth_decile": lengths.ninth_decile,
            "longest": lengths.longest.steps,
            "longest_song": lengths.longest.song,
            "longest_different": lengths.longest.different,
            "longest_in": None if found_in < 0 else trained.names[found_in],
            "runs": [run.steps for run in runs],
        }
    return facts
