"""Compiles the sound chip (`apu/src`) into the package when a wheel is built or the project is installed."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from packaging.tags import sys_tags
from setuptools.errors import BaseError, CompileError, LinkError

FOLDER = Path("apu/lakhnes/apu")
EXPORTS = ("apu_size", "apu_power_on", "apu_load", "apu_status", "apu_render", "apu_finish")
UNIX_FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra")
WINDOWS_FLAGS = ("/std:c11", "/O2", "/fp:precise")


class ChipHook(BuildHookInterface):
    """Adds the library to a wheel, which is then one for this kind of machine and any Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compiles; where that cannot be done the package is built without sound, and says so."""
        root = Path(self.root)
        try:
            built = compile_chip(root / "apu" / "src", root / FOLDER)
        except (BaseError, CompileError, LinkError, OSError) as error:
            self.app.display_warning(
                f"The sound chip was not compiled ({error}). Everything but sound will work. Install a C "
                "compiler (Debian, Ubuntu: apt install gcc libc6-dev; macOS: xcode-select --install; "
                "Windows: Visual Studio Build Tools) and install lakhnes again."
            )
            return
        build_data["artifacts"].append(f"/{built.relative_to(root).as_posix()}")
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-{next(sys_tags()).platform}"


def compile_chip(sources: Path, folder: Path) -> Path:
    """Compiles the C files of a folder into one library.

    Args:
        sources: the folder.
        folder: where the library goes.

    Returns:
        The library, `_chip.so` or `_chip.dll`.

    Raises:
        BaseError, CompileError, LinkError, OSError: if there is no compiler, or it fails.
    """
    from distutils.ccompiler import new_compiler  # of setuptools, which was imported above and puts it there
    from distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    windows = compiler.compiler_type == "msvc"
    library = folder / ("_chip.dll" if sys.platform == "win32" else "_chip.so")
    with tempfile.TemporaryDirectory() as work:
        objects = compiler.compile(
            [str(path) for path in sorted(sources.glob("*.c"))],
            output_dir=work,
            extra_postargs=list(WINDOWS_FLAGS if windows else UNIX_FLAGS),
        )
        built = Path(work) / library.name
        compiler.link_shared_object(objects, str(built), export_symbols=list(EXPORTS) if windows else None)
        library.unlink(missing_ok=True)  # a process may have the old one open
        library.write_bytes(built.read_bytes())
    return library
