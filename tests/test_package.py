"""The shape of the package: six portions of one namespace, and who loads what."""

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import lakhnes
from lakhnes.runtime import DEFAULT_MODEL

ROOT = Path(__file__).resolve().parents[1]
PORTIONS = ("export", "runtime", "bridge", "apu", "gui", "cli")


def test_six_folders_are_portions_of_one_namespace() -> None:
    assert not hasattr(lakhnes, "__file__") or lakhnes.__file__ is None
    for portion in PORTIONS:
        assert (ROOT / portion / "lakhnes" / portion / "__init__.py").is_file()
        assert not (ROOT / portion / "lakhnes" / "__init__.py").exists(), "it would hide the other portions"


@pytest.mark.parametrize("portion", [portion for portion in PORTIONS if portion != "export"])
def test_no_portion_but_export_loads_pytorch_or_onnx(portion: str) -> None:
    code = f"import sys, lakhnes.{portion}; assert not {{'torch', 'onnx'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_composing_loads_neither_pytorch_nor_onnx(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['lakhnes', 'generate', '-o', 'a.mid', '--seconds', '1']\n"
        "from lakhnes.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        "assert not {'torch', 'onnx'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, capture_output=True)
    assert (tmp_path / "a.mid").is_file()


def test_the_version_is_the_packages() -> None:
    command = [sys.executable, "-m", "lakhnes.cli", "--version"]
    assert (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout
        == f"lakhnes {version('lakhnes')} (a checkout), model {DEFAULT_MODEL}\n"
    )


@pytest.mark.parametrize("portion", ["runtime", "bridge", "apu"])
def test_public_names_are_there_and_documented(portion: str) -> None:
    module = __import__(f"lakhnes.{portion}", fromlist=["*"])
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        member = getattr(module, name)
        assert isinstance(member, int | str) or member.__doc__, name


def test_nothing_is_loaded_for_sound_files_before_the_first() -> None:
    code = "import sys, lakhnes.apu; assert 'soundfile' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_class_name_means_one_thing() -> None:
    homes: dict[str, list[str]] = {}
    for portion in PORTIONS:
        for path in sorted((ROOT / portion / "lakhnes").rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    homes.setdefault(node.name.lstrip("_"), []).append(f"{path.relative_to(ROOT)}")
    assert len(homes) > 300
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}
