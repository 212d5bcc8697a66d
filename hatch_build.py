"""What hatch does beside packing: it compiles the sound chip and JACK's MIDI ports, and notes the commit."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from setuptools.errors import BaseError, CompileError, LinkError

REQUIRE_CHIP = "LAKHNES_REQUIRE_CHIP"
"""Environment variable of packagers: where it is set, a chip that cannot be compiled ends the build."""
FOLDER = Path("apu/lakhnes/apu")
COMMIT = "commit.txt"
"""In an sdist at the top, in a wheel beside the command line."""
EXPORTS = (
    *("apu_size", "apu_power_on", "apu_load", "apu_status", "apu_render", "apu_finish"),
    "apu_chip_level",
    *("cpu_size", "cpu_power_on", "cpu_call", "cpu_interrupt", "cpu_run", "cpu_frames"),
)
JACK_PORT = ("bridge/src", "bridge/lakhnes/bridge", "_jack_port")
"""Sources, folder and name of the library of MIDI ports on JACK, which Windows does not need."""
UNIX_FLAGS = ("-std=c11", "-O3", "-ffp-contract=off", "-fvisibility=hidden", "-Wall", "-Wextra")
WINDOWS_FLAGS = ("/std:c11", "/O2", "/fp:precise")


class Hook(BuildHookInterface):
    """Adds the library to a wheel, which is then one for this kind of machine and any Python."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Takes part in a build; `version` is `editable` for a checkout that is installed as it stands."""
        if version != "editable":
            self._note_commit(build_data)
        if self.target_name == "wheel":
            self._compile(build_data)

    def _note_commit(self, build_data: dict[str, Any]) -> None:
        """Writes which commit this is, where git or the sdist that it comes from tells."""
        noted = Path(self.root) / COMMIT
        if not noted.exists():
            command = ["git", "-C", self.root, "rev-parse", "--short=12", "HEAD"]
            try:
                found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            except (OSError, subprocess.CalledProcessError):
                return
            noted = Path(self.root) / "build" / COMMIT
            noted.parent.mkdir(exist_ok=True)
            noted.write_text(found, "ascii")
        place = COMMIT if self.target_name == "sdist" else f"lakhnes/cli/{COMMIT}"
        build_data["force_include"][str(noted)] = place

    def _compile(self, build_data: dict[str, Any]) -> None:
        """Compiles the chip. Without a compiler it leaves sound out and says so, or ends the build."""
        root = Path(self.root)
        try:
            built = compile_library(root / "apu" / "src", root / FOLDER, "_chip", EXPORTS)
        except (BaseError, CompileError, LinkError, OSError) as error:
            reason = f"The sound chip was not compiled ({error})."
            step = (
                "Install a C compiler (Debian, Ubuntu: apt install gcc libc6-dev; macOS: xcode-select "
                "--install; Windows: Visual Studio Build Tools) and install lakhnes again."
            )
            if os.environ.get(REQUIRE_CHIP):
                self.app.abort(f"{reason} {REQUIRE_CHIP} is set, so this is an error. {step}")
            self.app.display_warning(f"{reason} Everything but sound will work. {step}")
            return
        libraries = [built]
        if sys.platform != "win32":  # the same compiler, so it is there
            sources, folder, name = JACK_PORT
            libraries.append(compile_library(root / sources, root / folder, name))
        build_data["artifacts"] += [f"/{library.relative_to(root).as_posix()}" for library in libraries]
        build_data["pure_python"] = False
        machine = sysconfig.get_platform().replace("-", "_").replace(".", "_")  # what it was compiled for
        build_data["tag"] = f"py3-none-{machine}"


def compile_library(sources: Path, folder: Path, name: str, exports: Sequence[str] = ()) -> Path:
    """Compiles the C files of a folder into one library.

    Args:
        sources: the folder.
        folder: where the library goes.
        name: of the library, without its ending.
        exports: the functions that it offers; needed on Windows only.

    Returns:
        The library, which ends in `.so` or `.dll`.

    Raises:
        BaseError, CompileError, LinkError, OSError: if there is no compiler, or it fails.
    """
    from distutils.ccompiler import new_compiler  # of setuptools, which was imported above and puts it there
    from distutils.sysconfig import customize_compiler

    compiler = new_compiler()
    customize_compiler(compiler)
    windows = compiler.compiler_type == "msvc"
    library = folder / (f"{name}.dll" if sys.platform == "win32" else f"{name}.so")
    with tempfile.TemporaryDirectory() as work:
        objects = compiler.compile(
            [str(path) for path in sorted(sources.glob("*.c"))],
            output_dir=work,
            extra_postargs=list(WINDOWS_FLAGS if windows else UNIX_FLAGS),
        )
        built = Path(work) / library.name
        compiler.link_shared_object(objects, str(built), export_symbols=list(exports) if windows else None)
        library.unlink(missing_ok=True)  # a process may have the old one open
        library.write_bytes(built.read_bytes())
    return library
