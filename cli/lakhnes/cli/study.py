"""`lakhnes study`: let people compare music by ear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lakhnes.cli.extras import training_side
from lakhnes.cli.options import THREADS, JsonFlag
from lakhnes.cli.printing import say

if TYPE_CHECKING:
    from lakhnes.runtime import Model

study = typer.Typer(help="Let people compare music by ear: make, serve and report a listening study.")

_StudyArgument = Annotated[
    Path, typer.Argument(metavar="STUDY", readable=False, help="Folder that `lakhnes study make` wrote.")
]


@study.command()
def make(
    plan: Annotated[
        Path,
        typer.Argument(
            metavar="PLAN",
            readable=False,
            help="TOML file that names the sources and the tests.",
        ),
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", help="New folder: page/ to publish, key.json to keep.")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Make a listening study: a web page of clips, and the key that says what they are."""
    from lakhnes.cli.progress import rendering
    from lakhnes.study.making import PAGE_FOLDER, make_study
    from lakhnes.study.plan import read_plan

    read = read_plan(plan)
    with rendering("making clips") as progress:
        made = make_study(read, output, load_model=_load, progress=progress)
    if as_json:
        facts = {
            "study": made.key.study,
            "page": str(output / PAGE_FOLDER),
            "trials": len(made.key.trials),
            "clips": len(made.key.clips),
            "loudness_lufs": made.loudness_lufs,
            "remarks": made.remarks,
        }
        say(json.dumps(facts))
        return
    for remark in made.remarks:
        say(remark, error=True)
    say(f"wrote {output}: {len(made.key.trials)} questions, {len(made.key.clips)} clips")
    say(f"page    {output / PAGE_FOLDER / 'index.html'}")
    say(f"serve   lakhnes study serve {output} -o results")


def _load(name: str) -> Model:
    """Load a model, or a training checkpoint as a model."""
    from lakhnes.runtime import Model, list_models
    from lakhnes.runtime.model.model_info import MODEL_FILE

    path = Path(name)
    if name in list_models() or not path.exists() or path.suffix == ".onnx" or (path / MODEL_FILE).is_file():
        return Model.load(name, threads=THREADS)
    with training_side("a checkpoint in a study"):
        from lakhnes.export.checkpoint_evaluation import composing_model
        from lakhnes.export.checkpoints import open_checkpoint
    from lakhnes.runtime import Timing

    checkpoint = open_checkpoint(path)
    return composing_model(checkpoint, checkpoint.timing or Timing.SAMPLES, threads=THREADS)


@study.command()
def serve(
    folder: _StudyArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the results, a file each.")],
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. The default is reached from this computer only."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="TCP port; 0 for any free one.", min=0, max=65_535)] = 8765,
    origin: Annotated[
        str | None,
        typer.Option(help="Other site whose page may post its results here, such as https://example.org."),
    ] = None,
) -> None:
    """Serve a listening study, and collect its results until Ctrl-C."""
    from lakhnes.study.server import StudyServer

    with StudyServer(
        folder,
        output,
        host=host,
        port=port,
        origin=origin,
        arrived=lambda count: say(f"result  {count} in {output}"),
    ) as server:
        shown = f"[{host}]" if ":" in host else host
        say(f"study   http://{shown}:{server.server_address[1]}/ (Ctrl-C to end)")
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            say(f"wrote   {len(server.store)} results in {output}")


@study.command()
def report(
    folder: Annotated[Path, typer.Argument(metavar="RESULTS", readable=False, help="Folder of the results.")],
    key: Annotated[
        Path | None,
        typer.Option(
            help="The study's key.json. Default: the one in the folder, where `serve` puts it.",
            readable=False,
        ),
    ] = None,
    output: Annotated[
        list[Path] | None,
        typer.Option(
            "-o", "--output", help="File to write: .html with plots, .json or .txt. May be given again."
        ),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Report what listeners heard: wins, strengths, ratings, agreement and exclusions."""
    from lakhnes.runtime.errors import OutputError
    from lakhnes.runtime.files import write_all
    from lakhnes.study.key import KEY_FILE, read_key
    from lakhnes.study.report import report_of
    from lakhnes.study.report_page import report_html, report_text
    from lakhnes.study.results import read_results

    for path in output or []:
        if path.suffix.lower() not in (".html", ".json", ".txt"):
            raise OutputError(f"{path} has no known ending. End it in .html, .json or .txt.")
    own = read_key(key or folder / KEY_FILE)
    made = report_of(own, read_results(folder, own))
    text = report_text(made)
    contents = {".html": report_html(made), ".json": made.to_json(), ".txt": text.encode()}
    write_all({path: contents[path.suffix.lower()] for path in output or []})
    if as_json:
        say(json.dumps(json.loads(contents[".json"])))
        return
    for line in text.splitlines():
        say(line)
    for path in output or []:
        say(f"wrote {path}")
