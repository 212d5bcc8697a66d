"""The command: its subcommands and its errors.

Exit codes: 0 success; 1 an error, with its reason and the next step; 2 wrong usage, also a setting out of its
range; 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from lakhnes.cli import (
    arrange,
    calibrate,
    convert,
    desktop,
    doctor,
    evaluate,
    export,
    generate,
    models,
    play,
    ports,
    prepare,
    provenance,
    replay,
    show,
    study,
    train,
)
from lakhnes.cli.printing import say

app = typer.Typer(
    name="lakhnes",
    help="Compose four-voice NES music.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(generate.generate)
app.command("continue")(arrange.continue_)
app.command()(arrange.accompany)
app.command()(convert.render)
app.command()(convert.convert)
app.command()(play.play)
app.command("app")(desktop.desktop)
app.command()(show.show)
app.command()(provenance.provenance)
app.command()(replay.replay)
app.command()(models.models)
app.command()(ports.ports)
app.command()(doctor.doctor)
app.command()(prepare.prepare)
app.command()(train.train)
app.command()(export.export)
app.command()(calibrate.calibrate)
app.command()(evaluate.evaluate)
app.add_typer(study.study, name="study", no_args_is_help=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        from lakhnes.runtime import DEFAULT_MODEL

        noted = Path(__file__).with_name("commit.txt")  # by the build
        commit = f"commit {noted.read_text('ascii').strip()}" if noted.exists() else "a checkout"
        say(f"lakhnes {version('lakhnes')} ({commit}), model {DEFAULT_MODEL}")
        raise typer.Exit


@app.callback()
def _common(
    wants_version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print version, commit and model."
        ),
    ] = False,
) -> None:
    """Compose four-voice NES music."""


def run() -> int:
    """Run the command line; return the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # for file names that are not valid text
    try:
        app()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # nobody reads the output: discard the last flush
        return 1
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        return _fail(f"{where}{error.strerror or error}. Check the path and its permissions.")
    except MemoryError:
        return _fail("There is not enough memory for this. Close other programs, or ask for less.")
    except Exception as error:
        from lakhnes.runtime import LakhnesError, OptionError  # not at the top: --help would load the runtime

        if not isinstance(error, LakhnesError):
            raise
        return _fail(str(error), code=2 if isinstance(error, OptionError) else 1)
    return 0


def _fail(message: str, *, code: int = 1) -> int:
    say(f"lakhnes: {message}", error=True)
    return code
