"""Pages of the site that come from the code: the commands, and the cards of the models."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from typer.models import ArgumentInfo, OptionInfo

CLI_PAGE, CARD_PAGE = "cli.md", "model-{}.md"

_CARD_LINK = re.compile(r"\]\((?:[./\w-]*/)?([\w-]+)/MODEL_CARD\.md\)")
_INTRODUCTION = """# Commands

This page lists every command with its arguments, options and defaults. The ending of a file's name chooses
its format. The page comes from the program: `lakhnes COMMAND --help` shows the same, and `lakhnes --version`
shows the version. `lakhnes --install-completion` installs completion for your shell.

Exit codes: 0 success; 1 an error, with a sentence that gives the reason and the next step; 2 wrong usage, or
a setting out of its range; 130 interrupted.
"""
_KINDS = {float: "number", int: "whole number", str: "text", Path: "path"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from lakhnes.runtime import find_model

    files.append(File.generated(config, CLI_PAGE, content=cli_page()))
    for card in find_model().parents[1].glob("*/MODEL_CARD.md"):
        page = CARD_PAGE.format(card.parent.name)
        files.append(File.generated(config, page, content=card.read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to cards in the repository to their pages here."""
    return _CARD_LINK.sub(lambda link: f"]({CARD_PAGE.format(link[1])})", markdown)


@dataclass(frozen=True, slots=True)
class Parameter:
    """An argument or an option of a command."""

    names: tuple[str, ...]
    """The names to type; for an argument its place in the usage."""
    value: str
    """Kind of value; empty for a switch."""
    default: str
    """Value when it is not given; empty for none."""
    text: str
    """Help text."""
    panel: str
    """Heading in the help; empty for none."""
    is_argument: bool
    is_required: bool


def commands() -> dict[str, Callable[..., None]]:
    """Return the function of each command of `lakhnes`, in order."""
    from lakhnes.cli.app import app

    found: dict[str, Callable[..., None]] = {}
    groups = [("", app), *((f"{group.name} ", group.typer_instance) for group in app.registered_groups)]
    for prefix, group in groups:
        for info in group.registered_commands if group is not None else ():
            if info.callback is not None:
                found[prefix + (info.name or info.callback.__name__)] = info.callback
    return found


def parameters(function: Callable[..., None]) -> Iterator[Parameter]:
    """Yield the arguments and options of a command."""
    usual = inspect.signature(function).parameters
    for name, hint in get_type_hints(function, include_extras=True).items():
        information = getattr(hint, "__metadata__", ())
        if not information:
            continue  # the return value
        default = usual[name].default
        make = _argument if isinstance(information[0], ArgumentInfo) else _option
        yield make(name, hint.__origin__, information[0], default)


def _argument(name: str, kind: Any, info: ArgumentInfo, default: Any) -> Parameter:
    required = default is inspect.Parameter.empty
    place = (info.metavar or name).upper().removesuffix("...") + ("…" if _is_list(kind) else "")
    place = place if required else f"[{place}]"
    return Parameter((place,), "", "", info.help or "", "", is_argument=True, is_required=required)


def _option(name: str, kind: Any, info: OptionInfo, default: Any) -> Parameter:
    dashed = name.replace("_", "-")
    given = [name for name in (info.default, *(info.param_decls or ())) if isinstance(name, str)]
    names = given or ([f"--{dashed}"] if kind is not bool else [f"--{dashed}", f"--no-{dashed}"])
    required = default is inspect.Parameter.empty
    return Parameter(
        tuple(sorted(names, key=lambda name: not name.startswith("--"))),
        "" if kind is bool else info.metavar or _value(kind, info),
        "required" if required else _default(default, names),
        info.help or "",
        info.rich_help_panel or "",
        is_argument=False,
        is_required=required,
    )


def _is_list(kind: Any) -> bool:
    return any(get_origin(part) is list for part in (kind, *get_args(kind)))


def _value(kind: Any, info: OptionInfo) -> str:
    """Return the kind of an option's value, such as `whole number from 1 to 16`."""
    if get_origin(kind) in (UnionType, Union):  # X or None
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is list:
        (kind,) = get_args(kind)
    if get_origin(kind) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(kind))
    low = "" if info.min is None else f" from {info.min:,}"
    return _KINDS[kind] + low + ("" if info.max is None else f" to {info.max:,}")


def _default(default: Any, names: list[str]) -> str:
    if isinstance(default, bool):
        return f"`{names[0 if default else 1]}`" if len(names) > 1 and names[1].startswith("--no-") else ""
    return f"`{default}`" if default not in (None, "") else ""


def cli_page() -> str:
    """Return the page of commands as Markdown."""
    found = commands()
    rows = [
        f"| [`{name}`](#lakhnes-{name.replace(' ', '-')}) | {_first(one)} |" for name, one in found.items()
    ]
    lines = [_INTRODUCTION, "| command | |", "|---|---|", *rows]
    for name, function in found.items():
        lines += _section(name, function)
    return "\n".join([*lines, ""])


def _section(name: str, function: Callable[..., None]) -> list[str]:
    """Return the lines of one command: usage, arguments, and its options under their headings."""
    every = list(parameters(function))
    arguments = [one for one in every if one.is_argument]
    options = [one for one in every if not one.is_argument]
    needed = [f"{one.names[0]} {one.names[0].lstrip('-').upper()}" for one in options if one.is_required]
    usage = " ".join(["lakhnes", name, *(one.names[0] for one in arguments), *needed, "[OPTIONS]"])
    lines = ["", f"## lakhnes {name}", "", inspect.getdoc(function) or "", "", "```text", usage, "```"]
    if arguments:
        lines += ["", "| argument | |", "|---|---|"]
        lines += [f"| `{one.names[0]}` | {_cell(one.text)} |" for one in arguments]
    for panel in dict.fromkeys(["", *(one.panel for one in options)]):
        inside = [one for one in options if one.panel == panel]
        if inside:
            lines += ["", f"| {panel or 'option'} | value | default | |", "|---|---|---|---|"]
        for one in inside:
            names = ", ".join(f"`{name}`" for name in one.names)
            lines.append(f"| {names} | {one.value} | {_cell(one.default)} | {_cell(one.text)} |")
    return lines


def _first(function: Callable[..., None]) -> str:
    return _cell((inspect.getdoc(function) or "").partition("\n")[0])


def _cell(text: str) -> str:
    """Return text that neither ends a table cell nor begins a tag."""
    return text.replace("|", "\\|").replace("<", "&lt;")
