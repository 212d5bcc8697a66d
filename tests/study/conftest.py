"""A study of a few clips, made once."""

import pytest
from studies import PLAN, Made
from support import tune

from lakhnes.bridge import write_midi
from lakhnes.runtime import Model
from lakhnes.study.making import make_study
from lakhnes.study.plan import read_plan


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, small_model: Model) -> Made:
    home = tmp_path_factory.mktemp("study")
    (home / "songs").mkdir()
    write_midi(tune(), home / "songs/tune.mid")
    (home / "songs/broken.mid").write_bytes(b"MThd")
    (home / "plan.toml").write_text(PLAN)
    plan = read_plan(home / "plan.toml")
    study = make_study(plan, home / "study", load_model=lambda name: small_model)
    return Made(home / "study", plan, study.key, study.loudness_lufs, study.remarks)
