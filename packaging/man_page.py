#!/usr/bin/env python3
"""Prints the man page of the command, from its own help: python packaging/man_page.py > lakhnes.1."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.metadata import version

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption

from lakhnes.cli.app import app

COMMENT = '.\\" Made by packaging/man_page.py from the help of the command; changes belong there.'
EXIT_STATUS = (
    ("0", "Success."),
    ("1", "An error. A sentence gives the reason and the next step."),
    ("2", "Wrong usage, or a setting out of its range."),
    ("130", "Interrupted."),
)
VALUES = {"<str>": "TEXT", "<path>": "PATH", "<float": "NUMBER", "<int": "NUMBER"}
"""Words for the kinds of values in the help, by their beginnings."""


def man_page() -> str:
    """Return the page in roff."""
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    lines = [
        COMMENT,
        f'.TH LAKHNES 1 "" "lakhnes {version("lakhnes")}" "User Commands"',
        ".SH NAME",
        r"lakhnes \- compose four-voice NES music",
        ".SH SYNOPSIS",
        r".B lakhnes",
        r".I COMMAND",
        r"[\fIOPTIONS\fR]",
        ".SH DESCRIPTION",
        roff(
            "lakhnes composes music for the four voices of the NES sound chip. It plays live into a DAW, "
            "runs as a desktop app, and writes MIDI and sound files."
        ),
        ".SH OPTIONS",
        *options(command),
        ".SH COMMANDS",
    ]
    for name, one in commands(command):
        lines += section(name, one)
    lines.append(".SH EXIT STATUS")
    for code, meaning in EXIT_STATUS:
        lines += [".TP", f".B {code}", roff(meaning)]
    return "\n".join([*lines, ""])


def commands(group: TyperGroup, prefix: str = "") -> Iterator[tuple[str, TyperCommand]]:
    """Yield the commands of a group and of the groups in it, with their whole names."""
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from commands(command, f"{prefix}{name} ")
        elif isinstance(command, TyperCommand):
            yield prefix + name, command


def section(name: str, command: TyperCommand) -> list[str]:
    """Return the lines of one command: its usage, its help, its arguments and its options."""
    context = typer.Context(command, info_name=name)
    usage = re.sub(r"[{}]", "", " ".join(command.collect_usage_pieces(context)))
    lines = [f'.SS "lakhnes {roff(name)} {roff(usage)}"']
    for paragraph in re.split(r"\n\s*\n", command.help or ""):
        lines += [roff(" ".join(paragraph.split())), ".PP"]
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            lines += [".TP", rf"\fI{roff(parameter.make_metavar(context))}\fR", roff(help_of(parameter))]
    return lines + options(command)


def options(command: TyperCommand | TyperGroup) -> list[str]:
    """Return the lines of a command's options, in its order."""
    context = typer.Context(command)
    lines: list[str] = []
    for option in command.params:
        record = option.get_help_record(context) if isinstance(option, TyperOption) else None
        if record is not None:
            names, text = record
            lines += [".TP", rf"\fB{roff(in_words(names))}\fR", roff(text)]
    return lines


def in_words(names: str) -> str:
    """Return the names of an option with a word for the kind of its value."""
    for kind, word in VALUES.items():
        names = re.sub(rf"{re.escape(kind)}[^>]*>?", word, names)
    return names


def help_of(parameter: object) -> str:
    """Return the help text of an argument."""
    return str(getattr(parameter, "help", None) or "")


def roff(text: str) -> str:
    """Return text in which nothing is a command of roff."""
    plain = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace('"', r"\(dq")
    return rf"\&{plain}" if plain.startswith((".", "'")) else plain


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(man_page())
