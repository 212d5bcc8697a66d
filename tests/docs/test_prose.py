"""Finished texts stay free of phrases that read like a translation."""

from pathlib import Path
from types import ModuleType

import pytest
from support import module_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def prose() -> ModuleType:
    return module_of(ROOT / "scripts/prose.py")


def test_finished_files_have_no_such_phrase(prose: ModuleType) -> None:
    paths = prose.finished()
    assert ROOT / "README.md" in paths
    found = [finding for path in paths for finding in prose.findings(path)]
    assert not found, "\n".join(f"{one.path}:{one.line}: {one.phrase} ({one.advice})" for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "A port that goes away is told, and\nopened again.",
        "What was sent late is counted.",
        "Your notes are here. Who wants more reads on.",
        "It keeps the music that is there.",
        "Two machines may round otherwise.",
        "It counts for more, the more the longer it is.",
        "| heading | usually 1 |",
        "- one item\n- Should it fail, nothing happens.",
    ],
)
def test_a_phrase_is_found_with_its_line(prose: ModuleType, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Title\n\nA good sentence.\n\n{text}\n\n```sh\necho usually\n```\n")
    (found,) = prose.findings(page)
    assert found.line in (5, 6)


@pytest.mark.parametrize(
    "text",
    [
        "What do you hear?",
        "Is there a port? If a port disappears, lakhnes reports it; otherwise it plays.",
        "Run `lakhnes usually` and read [the page](anew.md).",
        "There are 12 models.",
    ],
)
def test_plain_english_passes(prose: ModuleType, tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text)
    assert not list(prose.findings(page))


def test_docstrings_comments_and_helps_are_read(prose: ModuleType, tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Module of notes.\n\nWho reads it learns."""\n\n'
        "import typer\n\n# this comment says that a file is\n# there, over two lines\nusually = 1\n\n\n"
        'def length() -> int:\n    """The length."""\n    return usually\n\n\n'
        'class Note:\n    """A note."""\n\n'
        '    pitch: int = typer.Option(help="Usually 60.")\n    """Begun anew."""\n'
    )
    assert sorted(finding.line for finding in prose.findings(module)) == [3, 8, 13, 20, 21]


def test_the_first_screen_shows_what_a_newcomer_needs() -> None:
    screen = "\n".join((ROOT / "README.md").read_text().splitlines()[:60])
    for part in (".png)", ".mp3)", "sh scripts/compose", "sh scripts/test", "lakhnes play", "lakhnes app"):
        assert part in screen
    assert "lakhnes generate -o" in screen
