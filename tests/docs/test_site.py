"""The documentation site: no warning when it is built, no link to nowhere, the program's own commands."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html import unescape
from html.parser import HTMLParser
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from support import module_of

from lakhnes.cli.app import app
from lakhnes.runtime import DEFAULT_MODEL, EXPRESSIVE_MODEL, find_model

pytest.importorskip("material")

ROOT = Path(__file__).resolve().parents[2]


class Links(HTMLParser):
    """What a page loads, and where it leads."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.leads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag in ("script", "img", "iframe", "source") and "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loaded.append(given["href"])
        if tag == "a" and "href" in given:
            self.leads.append(given["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `scripts/docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    return module_of(ROOT / "docs/site_hooks.py")


def test_every_link_leads_somewhere(site: Path) -> None:
    pages = {page: Links(page) for page in site.glob("*.html") if page.name != "404.html"}
    assert len(pages) >= 15
    for page, links in pages.items():
        for link in links.leads:
            if re.match(r"\w+:", link):
                continue
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            target = target / "index.html" if target.is_dir() else target
            assert target.exists(), f"{page.name} leads to {link}"
            if anchor and anchor != "__skip":
                assert anchor in pages[target].anchors, f"{page.name} leads to {link}"


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    for page in site.glob("*.html"):
        for address in Links(page).loaded:
            assert not re.match(r"(\w+:)?//", address), f"{page.name} loads {address}"
            assert page.name == "404.html" or (site / address.partition("?")[0]).exists(), address


def test_no_page_is_written_that_the_code_makes(site: Path) -> None:
    assert not (ROOT / "docs/cli.md").exists()
    cards = list(find_model().parents[1].glob("*/MODEL_CARD.md"))
    assert {card.parent.name for card in cards} == {DEFAULT_MODEL, EXPRESSIVE_MODEL, "lakhnes", "nes-frames"}
    for card in cards:
        page = f"model-{card.parent.name}"
        assert not (ROOT / f"docs/{page}.md").exists()
        assert card.read_text().partition("\n")[0].lstrip("# ") in (site / f"{page}.html").read_text()
        assert f'href="{page}.html"' in (site / "training.html").read_text()
    assert not (site / "site_hooks.py").exists()


def leaves(group: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The commands of a group and of the groups in it, with their whole names."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def test_the_page_of_commands_has_each_with_every_option(hooks: ModuleType, site: Path) -> None:
    known = dict(leaves(typer.main.get_command(app)))
    sections = re.split(r"^## lakhnes ([\w ]+)$", hooks.cli_page(), flags=re.MULTILINE)
    page = dict(zip(sections[1::2], sections[2::2], strict=True))
    assert list(page) == list(known)
    assert "study make" in page
    html = (site / "cli.html").read_text()
    for name, command in known.items():
        assert f'id="lakhnes-{name.replace(" ", "-")}"' in html
        for parameter in command.params:
            if parameter.param_type_name == "option":
                for option in (*parameter.opts, *parameter.secondary_opts):
                    assert f"`{option}`" in page[name], f"{name} {option}"
            assert (parameter.help or "").replace("|", "\\|").replace("<", "&lt;") in page[name]


def test_the_page_of_commands_says_defaults_and_what_must_be(hooks: ModuleType) -> None:
    page = hooks.cli_page()
    assert "| `--channels` | text | `1,2,3,10` |" in page
    assert "| `--midi` | `daw`, `nes` | `daw` |" in page
    assert "| `--count` | whole number from 1 to 999 | `1` |" in page
    assert "| `--play-along`, `--no-play-along` |  | `--play-along` |" in page
    assert "lakhnes render IN… --output OUTPUT [OPTIONS]" in page


@pytest.mark.parametrize(
    ("page", "names"), [("formats", "10_*.py"), ("library", "01_*.py"), ("examples", "*.py")]
)
def test_examples_are_in_their_pages(site: Path, page: str, names: str) -> None:
    shown = unescape(re.sub(r"<[^>]+>", "", (site / f"{page}.html").read_text()))
    found = sorted((ROOT / "examples").glob(names))
    assert found
    assert not [path.name for path in found if path.read_text().strip() not in shown]


@pytest.mark.parametrize("package", ["runtime", "bridge", "apu"])
def test_the_page_of_the_library_has_every_public_name(package: str) -> None:
    page = (ROOT / "docs/library.md").read_text()
    section = (
        page.partition(f"## lakhnes.{package}")[2].partition("\n## ")[0] + page.partition("## Errors")[2]
    )
    module = importlib.import_module(f"lakhnes.{package}")
    assert {name for name in module.__all__ if f"`{name}`" not in section} == set()


def test_each_name_of_the_runtime_has_a_row_of_its_own_in_the_order_of_a_task() -> None:
    page = (ROOT / "docs/library.md").read_text()
    runtime = page.partition("## lakhnes.runtime")[2].partition("## lakhnes.bridge")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", runtime + page.partition("## Errors")[2], re.MULTILINE)
    assert [name for name, _ in rows] == list(importlib.import_module("lakhnes.runtime").__all__)


def test_the_citation_is_of_this_version() -> None:
    citation = (ROOT / "CITATION.cff").read_text()
    assert f"\nversion: {version('lakhnes')}\n" in citation
    assert "1907.04868" in citation


def test_links_of_the_texts_beside_the_site_lead_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
        for link in re.findall(r"\]\(([^)#]+)", (ROOT / name).read_text()):
            assert link.startswith("https://") or (ROOT / link).exists(), f"{name} leads to {link}"
