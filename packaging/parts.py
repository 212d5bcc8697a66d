"""What the two frozen programs have in common; the specs beside this file import it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pygments.lexers as lexers
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HERE = Path(__file__).parent
VERSION = version("lakhnes")
IDENTIFIER = "io.github.lakhnes"

LOADED_BY_NAME = ["mido.backends.rtmidi", "pyo", "rtmidi", "soundfile"]
"""Modules that no `import` statement names."""

LEFT_OUT = [
    *("torch", "onnx", "dask", "distributed"),  # the training side
    *("tkinter", "wx", "pyo64", "pydoc_data", "doctest", "sqlite3", "lib2to3", "psutil"),
    *("_ssl", "_hashlib"),  # nothing here talks to a server
    *("PIL._avif", "PIL._webp", "PIL._imagingcms", "PIL._imagingtk", "PIL.ImageQt"),
    *("charset_normalizer", "numpy.f2py"),  # the latter reads Fortran with the former
    *("IPython", "hypothesis", "matplotlib", "pydantic", "pytest", "setuptools", "watchdog", "yaml"),
]
"""Modules that are imported somewhere and not needed."""
LEFT_OUT += [f"pygments.lexers.{name}" for _, name, _ in iter_modules(lexers.__path__) if name[0] != "_"]
LEFT_OUT += [f"_codecs_{region}" for region in ("cn", "hk", "iso2022", "jp", "kr", "tw")]

QT_LEFT_OUT = [f"PySide6.Qt{part}" for part in ("Network", "Qml", "Quick", "OpenGL", "Sql", "Test", "Xml")]

_NEVER_LOADED = (
    *("_pyo64", "libavif", "libwebp", "liblcms2", "libssl", "libcrypto", "libtcl", "libtk"),
    "libonnxruntime.so",  # for programs in C: onnxruntime's Python module has all of it inside
)
_NEVER_READ = {"sboms", "translations"}


def bundled(*extras: str) -> list[str]:
    """Names of the distributions that `lakhnes[extras]` needs here, itself among them."""
    found: dict[str, None] = {}
    waiting = [Requirement(f"lakhnes[{','.join(extras)}]")]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        try:
            needs = [Requirement(text) for text in requires(name) or ()]
        except PackageNotFoundError:  # of another system
            continue
        found[name] = None
        for need in needs:
            markers = [{"extra": extra} for extra in ("", *wanted.extras)]
            asked = need.marker is None or any(need.marker.evaluate(marker) for marker in markers)
            if asked and canonicalize_name(need.name) not in found:
                waiting.append(need)
    return sorted(found)


def data(extras: Iterable[str], models: str = "*") -> list[tuple[str, str]]:
    """Files that go in beside the modules: models whose name fits, licences, and versions of parts."""
    from PyInstaller.utils.hooks import collect_data_files, copy_metadata

    files = collect_data_files("lakhnes.runtime", includes=[f"models/{models}/*"])
    files += collect_data_files("lakhnes.apu", includes=["console/*.s", "console/*.txt"])
    files += collect_data_files("lakhnes.cli", includes=["commit.txt"])
    files += collect_data_files("lakhnes.study", includes=["page/*"])
    files.append((str(Path(__file__).parents[1] / "docs/app.md"), "lakhnes/gui"))
    for name in bundled(*extras):
        files += copy_metadata(name)
    return files


def library() -> list[tuple[str, str]]:
    """The compiled sound chip, and MIDI ports on JACK where they were compiled."""
    from lakhnes.apu.native import library_path
    from lakhnes.bridge.jack_port import port_library_path

    jack = port_library_path()
    ports = [(str(jack), "lakhnes/bridge")] if jack.exists() else []
    return [(str(library_path()), "lakhnes/apu"), *ports]


def slim(files: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Without what comes along and is never loaded: libraries, bills of materials, other languages."""
    names = [Path(entry[0]) for entry in files]
    return [
        entry
        for entry, name in zip(files, names, strict=True)
        if not name.name.startswith(_NEVER_LOADED) and not _NEVER_READ & {*name.parts}
    ]


def icon() -> str | None:
    """The icon in the form of this system; Linux has it beside the program."""
    kind = {"darwin": "icns", "win32": "ico"}.get(sys.platform)
    return str(HERE.parent / "build" / f"lakhnes.{kind}") if kind else None


def windows_version(name: str, description: str) -> Any:
    """What Windows shows as a program's properties; None elsewhere."""
    if sys.platform != "win32":
        return None
    from PyInstaller.utils.win32 import versioninfo as info

    numbers = (*(*Version(VERSION).release, 0, 0, 0)[:3], 0)
    strings = {
        "FileDescription": description,
        "FileVersion": VERSION,
        "InternalName": name,
        "LegalCopyright": "MIT licence",
        "OriginalFilename": f"{name}.exe",
        "ProductName": "LakhNES",
        "ProductVersion": VERSION,
    }
    table = info.StringTable("040904B0", [info.StringStruct(key, text) for key, text in strings.items()])
    return info.VSVersionInfo(
        ffi=info.FixedFileInfo(filevers=numbers, prodvers=numbers),
        kids=[info.StringFileInfo([table]), info.VarFileInfo([info.VarStruct("Translation", [0x409, 1200])])],
    )


def info_plist() -> dict[str, Any]:
    """What macOS is to know of the app; it asks for no microphone, camera or network."""
    session = {
        "CFBundleTypeName": "LakhNES session",
        "CFBundleTypeExtensions": ["lakhnes"],
        "CFBundleTypeRole": "Editor",
        "LSHandlerRank": "Owner",
    }
    music = {
        "CFBundleTypeName": "Music",
        "CFBundleTypeExtensions": ["mid", "midi", "vgm", "vgz"],
        "CFBundleTypeRole": "Viewer",
        "LSHandlerRank": "Alternate",
    }
    return {
        "CFBundleDocumentTypes": [session, music],
        "CFBundleShortVersionString": VERSION,
        "LSApplicationCategoryType": "public.app-category.music",
        "LSMinimumSystemVersion": "12.0",
        "NSHighResolutionCapable": True,
    }
