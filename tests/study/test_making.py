"""Making a study: what is published, and what its clips sound like."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from studies import Made

from lakhnes.apu.loudness import integrated_loudness
from lakhnes.runtime import Model
from lakhnes.runtime.errors import OutputError, StudyError
from lakhnes.study.clips import PEAK, common_gains
from lakhnes.study.key import read_key
from lakhnes.study.making import make_study, read_data_js
from lakhnes.study.plan import read_plan


def test_the_key_knows_every_clip_and_the_page_no_source(made: Made) -> None:
    assert read_key(made.folder / "key.json") == made.key
    page = made.folder / "page"
    data = read_data_js((page / "data.js").read_bytes())
    shown = [trial for block in data["blocks"] for trial in block["trials"]]
    assert [(t["id"], tuple(t["clips"])) for t in shown] == [(t.id, t.clips) for t in made.key.trials]
    assert {path.stem for path in (page / "clips").iterdir()} == set(made.key.clips)
    text = (page / "data.js").read_text().replace(made.plan.title, "")
    for secret in ("people", "machine", "tune", "answer"):
        assert secret not in text


def test_trials_follow_the_plan(made: Made) -> None:
    asked = [trial.question for trial in made.key.trials]
    assert [asked.count(q) for q in ("turing", "preference", "rating", "check")] == [2, 1, 2, 2]
    for trial in made.key.trials:
        sources = sorted(made.key.clips[clip].source for clip in trial.clips)
        if trial.question in ("turing", "preference"):
            assert sources == ["machine", "people"]
        if trial.question == "check":
            assert trial.answer in trial.clips
    assert [remark for remark in made.remarks if "broken.mid" in remark]


def test_clips_are_equally_loud_and_long_and_say_nothing(made: Made) -> None:
    for name in made.key.clips:
        path = made.folder / "page/clips" / f"{name}.flac"
        sound, rate = soundfile.read(path)
        assert sound.shape == (2 * 44_100,)
        assert integrated_loudness(sound, rate) == pytest.approx(made.loudness, abs=0.1)
        assert np.abs(sound).max() <= PEAK + 1e-3
        with soundfile.SoundFile(path) as file:
            assert not file.copy_metadata()


def test_the_tone_is_in_the_right_answer_only(made: Made) -> None:
    def tone(name: str) -> float:
        sound, rate = soundfile.read(made.folder / "page/clips" / f"{name}.flac")
        middle = sound[len(sound) // 3 + 500 : 2 * len(sound) // 3 - 500]
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)))) ** 2
        at = round(660 * len(middle) / rate)
        return float(spectrum[at - 3 : at + 4].sum() / spectrum.sum())

    checks = [trial for trial in made.key.trials if trial.question == "check"]
    with_tone = {name for name in made.key.clips if tone(name) > 0.99}
    assert with_tone == {trial.answer for trial in checks}


def test_the_same_plan_gives_the_same_files(made: Made, small_model: Model, tmp_path: Path) -> None:
    make_study(made.plan, tmp_path / "again", load_model=lambda name: small_model)
    files = [path.relative_to(made.folder) for path in made.folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for file in files:
        assert (tmp_path / "again" / file).read_bytes() == (made.folder / file).read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(made: Made) -> None:
    with pytest.raises(OutputError, match="not empty"):
        make_study(made.plan, made.folder)


def test_songs_that_are_too_short_are_refused_and_nothing_stays(made: Made, tmp_path: Path) -> None:
    plan = (made.folder.parent / "plan.toml").read_text().replace("clip_seconds = 2", "clip_seconds = 30")
    path = made.folder.parent / "long.toml"
    path.write_text(plan)
    with pytest.raises(StudyError, match=r"'people' has no song with 30 s"):
        make_study(read_plan(path), tmp_path / "study", load_model=lambda name: pytest.fail("not needed"))
    assert not (tmp_path / "study").exists()


def test_one_clip_with_a_high_peak_makes_all_softer() -> None:
    loudness, gains = common_gains([(-20.0, 0.1), (-30.0, 0.5)], -20)
    assert loudness == pytest.approx(-30 + 20 * np.log10(PEAK / 0.5))
    assert gains == pytest.approx([loudness + 20, loudness + 30])
    assert common_gains([(-20.0, 0.1)], -20)[0] == -20


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"format": "lakhnes-study-key-1"}', b"\xff"])
def test_a_broken_key_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_bytes(content)
    with pytest.raises(StudyError, match=r"key\.json.*make"):
        read_key(tmp_path / "key.json")


def test_a_key_that_contradicts_itself_is_refused(made: Made, tmp_path: Path) -> None:
    facts = json.loads((made.folder / "key.json").read_text())
    facts["sources"].pop("machine")
    (tmp_path / "key.json").write_text(json.dumps(facts))
    with pytest.raises(StudyError, match="has no source"):
        read_key(tmp_path / "key.json")
