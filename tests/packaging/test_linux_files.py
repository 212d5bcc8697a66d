"""Files for Linux packages: the man page, the desktop entry and the AppStream metadata."""

import configparser
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import ModuleType

import pytest
from support import module_of

PACKAGING = Path(__file__).parents[2] / "packaging"
METAINFO = PACKAGING / "lakhnes.metainfo.xml"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    return module_of(PACKAGING / "man_page.py")


@pytest.fixture(scope="module")
def desktop_entry() -> configparser.SectionProxy:
    entries = configparser.ConfigParser(interpolation=None)
    entries.optionxform = str  # type: ignore[assignment,method-assign]
    entries.read(PACKAGING / "lakhnes.desktop", "utf-8")
    return entries["Desktop Entry"]


def test_the_man_page_has_each_command_with_its_options(maker: ModuleType) -> None:
    page = maker.man_page()
    sections = re.split(r'^\.SS "lakhnes (.+)"$', page.replace(r"\-", "-"), flags=re.MULTILINE)
    found = {
        usage.partition(" [")[0]: body for usage, body in zip(sections[1::2], sections[2::2], strict=True)
    }
    commands = dict(maker.commands(maker.typer.main.get_command(maker.app)))
    assert list(found) == list(commands)
    assert "study make" in found
    for name, command in commands.items():
        for parameter in command.params:
            if parameter.param_type_name == "option":
                assert all(option in found[name] for option in parameter.opts), (name, parameter.opts)


def test_man_reads_the_page_without_a_warning(maker: ModuleType, tmp_path: Path) -> None:
    if shutil.which("man") is None or shutil.which("groff") is None:
        pytest.skip("man or groff is not installed")
    path = tmp_path / "lakhnes.1"
    path.write_text(maker.man_page(), "utf-8")
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", path],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LANG": "C.UTF-8"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Compose songs from nothing." in done.stdout


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (".mid and more", r"\&.mid and more"),
        ("--a", r"\-\-a"),
        ("a\\b", r"a\eb"),
        ("it's", "it's"),
        ("'x'", r"\&'x'"),
    ],
)
def test_text_is_no_command_of_roff(maker: ModuleType, text: str, expected: str) -> None:
    assert maker.roff(text) == expected


def test_metadata_and_desktop_entry_agree(desktop_entry: configparser.SectionProxy) -> None:
    root = ElementTree.parse(METAINFO).getroot()

    def texts(path: str) -> list[str | None]:
        return [element.text for element in root.iterfind(path)]

    def entries(key: str) -> list[str]:
        return desktop_entry[key].rstrip(";").split(";")

    assert texts("launchable") == ["lakhnes.desktop"]
    assert texts("name") == [desktop_entry["Name"]]
    assert texts("categories/category") == entries("Categories")
    assert texts("keywords/keyword") == entries("Keywords")
    assert texts("provides/mediatype") == entries("MimeType")
    assert texts("provides/binary") == [desktop_entry["Exec"].split()[0]]
    identifier = re.search(r'IDENTIFIER = "(.+)"', (PACKAGING / "parts.py").read_text())
    assert identifier is not None
    assert texts("id") == [identifier[1]]


def test_appstream_accepts_the_metadata() -> None:
    program = shutil.which("appstreamcli")
    if program is None:
        pytest.skip("appstreamcli is not installed")
    done = subprocess.run(
        [program, "validate", "--no-net", METAINFO], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
