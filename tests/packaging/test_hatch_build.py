"""What a build does where the sound chip cannot be compiled."""

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from support import module_of

hatch = pytest.importorskip("hatchling.bridge.app")
pytest.importorskip("setuptools")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the compiler is not named by CC there")

ROOT = Path(__file__).parents[2]


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A build of an installed checkout, whose compiler fails; what it adds to the package is returned."""
    for part in ("apu", "bridge"):
        shutil.copytree(ROOT / part / "src", tmp_path / part / "src")
        (tmp_path / part / "lakhnes" / part).mkdir(parents=True)
    monkeypatch.setenv("CC", "false")
    monkeypatch.delenv("LAKHNES_REQUIRE_CHIP", raising=False)
    hook = module_of(ROOT / "hatch_build.py").Hook(
        str(tmp_path), {}, None, None, str(tmp_path), "wheel", hatch.Application()
    )

    def run() -> dict[str, Any]:
        added: dict[str, Any] = {"artifacts": [], "pure_python": True}
        hook.initialize("editable", added)
        return added

    return run


def test_a_user_gets_everything_but_sound(build: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert build() == {"artifacts": [], "pure_python": True}
    said = "".join(capsys.readouterr())
    assert "Everything but sound will work. Install a C compiler" in said


def test_a_packager_gets_an_error(
    build: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LAKHNES_REQUIRE_CHIP", "1")
    with pytest.raises(SystemExit) as end:
        build()
    assert end.value.code == 1
    said = "".join(capsys.readouterr())
    assert "LAKHNES_REQUIRE_CHIP is set, so this is an error. Install a C compiler" in said


def test_with_a_compiler_the_chip_is_in_the_package(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    if not shutil.which("cc"):
        pytest.skip("no C compiler")
    monkeypatch.setenv("LAKHNES_REQUIRE_CHIP", "1")
    monkeypatch.delenv("CC")
    added = build()
    assert [Path(name).stem for name in added["artifacts"]] == ["_chip", "_jack_port"]
    assert not added["pure_python"]
