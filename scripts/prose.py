#!/usr/bin/env python3
"""List phrases that read like a translation, with a better wording for each.

`python scripts/prose.py [FILE ...]` reads the paragraphs of Markdown files, and the docstrings, comments and
help texts of Python files. Without a file it reads the finished ones. It exits with 1 if it finds a phrase.
`tests/docs/test_prose.py` does the same.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]

FINISHED = (
    "*.md",
    "apu/**/*.py",
    "cli/**/*.py",
    "docs/*.md",
    "docs/*.py",
    "examples/*.py",
    "export/**/*.py",
    "gui/**/*.py",
    "runtime/**/*.md",
    "runtime/**/*.py",
    "scripts/*.py",
)
"""Files that stay free of these phrases, as patterns below the root."""

UNFINISHED = (
    "CHANGELOG.md",
    "cli/**/live_*.py",
    "docs/app.md",
    "docs/formats.md",
    "docs/sound-chip.md",
    "export/lakhnes/export/adapt.py",
    "export/lakhnes/export/songs.py",
    "gui/**/studio/music_files.py",
    "gui/**/studio/outputs.py",
    "gui/**/studio/stage.py",
    "gui/**/studio/wiring.py",
    "runtime/**/chords.py",
    "runtime/**/compose/live_composer.py",
    "runtime/**/compose/reloading.py",
    "runtime/**/music/editing.py",
    "runtime/**/music/scales.py",
    "runtime/**/music/score.py",
    "runtime/**/music/timing.py",
    "runtime/**/time/model_time.py",
)
"""Files that match `FINISHED` and are not finished yet."""

_START = r"(?:^|(?<=[.!?:] ))"
_QUESTION = r"(?![^.!]*\?)"
PATTERNS: tuple[tuple[str, str], ...] = (
    (r"\b(?:is|are|was|were|be) said\b", "say who reports it: lakhnes reports …"),
    (_START + r"(?:What|Whatever|Who|Whoever|Whose)\b" + _QUESTION, "begin with the subject"),
    (r"\b[Ww]hoever\b", "say who: a program, a user"),
    (r"\bso (?:many|much)\b(?! (?:that|as)\b)", "name the number"),
    (r"\b(?:is|are|was|were|be) (?:not )?there\b", "exists, is missing, existing"),
    (r"\bthat there (?:is|are)\b", "say that something exists"),
    (r"(?<![.;:,] )\botherwise\b", "differently"),
    (r"\b[Tt]he (?:more|less|\w{2,}er) the (?:more|less|\w{2,}er)\b", "a longer … counts for more"),
    (_START + r"(?:Should|Had|Were) (?:it|they|the|a|an|this|that)\b" + _QUESTION, "If …"),
    (r"\b[Uu]sually\b", "default: …"),
    (_START + r"Of (?:a|an|the|what|these|those|all)\b", "begin with the subject"),
    (r"\btells?\b[^.;:,]*\bapart\b", "distinguishes"),
    (r"\banew\b", "again, new"),
    (r"\b(?:go|goes|went|gone) away\b", "disappears"),
    (r"\b(?:come|comes|came) back\b", "returns"),
    (r"\bbeside\b", "next to, with, compared with"),
    (r"\bfor ever\b", "without end"),
    (r"\ball else\b", "everything else"),
    (r"\bother than in\b|\bin spite of it\b", "say it directly"),
)
"""A pattern and the wording to use instead."""

NO_VERB = r"(?:The|An?|All|Each|Every|One|Some|Whether|What|Which|Who|Where|When|How|Of|Into|Those|Its)\b"
"""Beginning of a docstring that is no sentence."""

ALLOWED = (("compose/span.py", "beside: in order"),)
"""The end of a file's name, and a phrase that it may have."""


class Finding(NamedTuple):
    """A phrase, where it is, and what to write instead."""

    path: str
    line: int
    phrase: str
    advice: str


def findings(path: Path) -> Iterator[Finding]:
    """Yield the phrases of a file, in its order."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)
    allowed = [phrase for end, phrase in ALLOWED if name.endswith(end)]
    text = path.read_text("utf-8")
    if path.suffix == ".py":
        yield from (
            Finding(name, line, first, "begin with a verb: Return …") for line, first in fragments(text)
        )
    for line, passage in passages_of_markdown(text) if path.suffix == ".md" else passages_of_python(text):
        for pattern, advice in PATTERNS:
            for match in re.finditer(pattern, passage):
                if not any(match[0] in phrase and phrase in passage for phrase in allowed):
                    yield Finding(name, line, _context(passage, match), advice)


def fragments(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and first words of each function's docstring that begins without a verb.

    Properties, fixtures and the like are things, so their docstrings may be noun phrases.
    """
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
            first = (ast.get_docstring(node) or "").partition("\n")[0]
            if re.match(NO_VERB, first):
                yield node.body[0].lineno, first


def passages_of_markdown(text: str) -> Iterator[tuple[int, str]]:
    """Yield each paragraph, list item and table cell with its line, without code."""
    text = re.sub(r"^```.*?^```$", lambda fence: "\n" * fence[0].count("\n"), text, flags=re.M | re.S)
    paragraph: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        item = re.match(r" *(?:[-*]|\d+\.) ", line)
        apart = line.startswith(("|", "#", "<!--"))
        if paragraph and (item or apart or not line.strip()):
            yield number - len(paragraph), plain(" ".join(paragraph))
            paragraph = []
        if apart:
            cells = line.strip("|# ").split("|")
            yield from ((number, plain(cell)) for cell in cells if not line.startswith("<!--"))
        elif line.strip():
            paragraph.append(line[item.end() :] if item else line)


def passages_of_python(text: str) -> Iterator[tuple[int, str]]:
    """Yield each docstring, field docstring, comment and help text with its line."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and _is_text(node.value):
            yield from _paragraphs(node.lineno, node.value.value)
        elif isinstance(node, ast.keyword) and node.arg == "help" and _is_text(node.value):
            yield node.value.lineno, plain(node.value.value)
    comments: list[str] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.append(token.string.lstrip("#: "))
        elif token.type not in (tokenize.NL, tokenize.NEWLINE) and comments:
            yield token.start[0] - 1, plain(" ".join(comments))
            comments = []


def plain(text: str) -> str:
    """Return one line of text, with `code` for code and a link's text for a link."""
    text = re.sub(r"``?[^`]+``?", "code", text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    return " ".join(re.sub(r"[*_]{1,2}(\S[^*_]*)[*_]{1,2}", r"\1", text).split())


def finished() -> list[Path]:
    """Return the files of `FINISHED` that `UNFINISHED` does not name."""
    wanted = {path for pattern in FINISHED for path in ROOT.glob(pattern)}
    return sorted(wanted - {path for pattern in UNFINISHED for path in ROOT.glob(pattern)})


def report(found: Iterable[Finding]) -> int:
    """Print the findings and return their number."""
    count = 0
    for count, one in enumerate(found, 1):  # noqa: B007
        print(f"{one.path}:{one.line}: {one.phrase}  ({one.advice})")
    return count


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _paragraphs(line: int, text: str) -> Iterator[tuple[int, str]]:
    for paragraph in re.split(r"\n\s*\n", text):
        yield line, plain(paragraph)
        line += paragraph.count("\n") + 2


def _context(passage: str, match: re.Match[str]) -> str:
    """Return the phrase with some words around it."""
    start = max(passage.rfind(" ", 0, max(match.start() - 20, 0)), 0)
    end = passage.find(" ", match.end() + 20)
    return passage[start : end if end >= 0 else None].strip()


if __name__ == "__main__":
    paths = [Path(name).resolve() for name in sys.argv[1:]] or finished()
    sys.exit(1 if report(finding for path in paths for finding in findings(path)) else 0)
