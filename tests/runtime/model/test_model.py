import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lakhnes.runtime import DEFAULT_MODEL, Model, ModelError, OptionError, Timing, find_model, list_models
from lakhnes.runtime.model import model as model_module
from lakhnes.runtime.model.model_info import FORMAT_VERSION, MODEL_FILE, ModelInfo
from lakhnes.runtime.model.onnx_runtime import open_session
from lakhnes.runtime.music.vocabulary import bars


def some_tokens(model: Model, n: int) -> list[int]:
    return [0, *np.random.default_rng(3).integers(1, len(model.info.vocabulary), n - 1).tolist()]


def test_the_builtin_model_says_what_it_is(builtin_model: Model) -> None:
    info = builtin_model.info
    assert (info.name, info.timing, info.mem_len) == (DEFAULT_MODEL, Timing.BARS, 1152)
    assert info.vocabulary == bars()
    assert info.provenance
    assert info.parity["tokens"] > info.mem_len
    assert (find_model().parent / "MODEL_CARD.md").is_file()


def test_metadata_round_trip(small_model: Model) -> None:
    info = small_model.info
    again = ModelInfo.from_json(info.to_json())
    assert replace(again, recall=None) == replace(info, recall=None)
    assert again.to_json() == info.to_json()


def test_a_prompt_gives_what_steps_give_also_where_the_memory_wraps(builtin_model: Model) -> None:
    tokens = some_tokens(builtin_model, 1300)
    builtin_model.reset()
    steps = np.stack([builtin_model.step(token) for token in tokens])
    for chunk in (100, 512):
        builtin_model.reset()
        got = builtin_model.prefill(tokens, chunk=chunk)
        assert got.shape == steps.shape
        # Activations are rounded to 8 bits: what differs in the last place of a sum may fall to either side.
        np.testing.assert_allclose(got, steps, atol=0.5)
        assert np.abs(got - steps).mean() < 0.05  # logits are 2 apart as a rule
    builtin_model.reset()
    assert builtin_model.prefill([]).shape == (0, len(bars()))


def test_a_snapshot_brings_back_the_same_future(small_model: Model) -> None:
    tokens = some_tokens(small_model, 40)
    small_model.reset()
    small_model.prefill(tokens[:20])
    snapshot = small_model.snapshot()
    first = np.stack([small_model.step(token) for token in tokens[20:]])
    small_model.prefill(tokens * 20)
    small_model.restore(snapshot)
    again = np.stack([small_model.step(token) for token in tokens[20:]])
    np.testing.assert_array_equal(first, again)


def test_reset_forgets_everything(small_model: Model) -> None:
    small_model.reset()
    first = small_model.step(0)
    small_model.prefill(some_tokens(small_model, 600))
    small_model.reset()
    np.testing.assert_array_equal(small_model.step(0), first)


def test_tokens_outside_the_vocabulary_are_refused(small_model: Model) -> None:
    for token in (-1, 631):
        with pytest.raises(OptionError, match="from 0 to 630"):
            small_model.step(token)


@pytest.mark.train
def test_steps_and_chunks_of_any_size_equal_the_original(shared: Path, tiny_model: Model) -> None:
    reference = np.load(shared / "fixtures/lakhnes/tiny/logits.npz")
    tiny_model.reset()
    for token, logits in zip(reference["tokens"], reference["step"], strict=True):
        np.testing.assert_allclose(tiny_model.step(int(token)), logits, atol=1e-4)
    for chunk in (1, 2, 7, 16, 63, 64, 1000):
        tiny_model.reset()
        np.testing.assert_allclose(
            tiny_model.prefill(reference["tokens"], chunk=chunk), reference["step"], atol=1e-4
        )


def test_names_and_folders_find_models(tmp_path: Path) -> None:
    assert DEFAULT_MODEL in list_models()
    shutil.copy(find_model(), tmp_path / MODEL_FILE)
    assert Model.load(tmp_path).info.name == DEFAULT_MODEL
    assert Model.load(tmp_path / MODEL_FILE).info.name == DEFAULT_MODEL


def test_a_model_goes_by_the_name_of_its_folder_and_an_old_name_still_finds_it() -> None:
    assert find_model("nes-6x384") == find_model("nes-frames")
    assert Model.load("nes-6x384").info.name == "nes-frames"


def test_what_is_no_model_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no model 'nope'.*nes-bars"):
        Model.load("nope")
    with pytest.raises(ModelError, match=r"has no model\.onnx in it"):
        Model.load(tmp_path)
    broken = tmp_path / MODEL_FILE
    broken.write_bytes(find_model().read_bytes()[:5000])
    with pytest.raises(ModelError, match=r"cannot be read.*Export it again"):
        Model.load(tmp_path)
    broken.write_bytes(b"")
    with pytest.raises(ModelError, match=r"cannot be read.*Export it again"):
        Model.load(tmp_path)


@pytest.mark.train
def test_a_model_without_metadata_of_a_newer_format_or_with_other_tensors_is_refused(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(find_model())
    text = proto.metadata_props[0].value

    def write(metadata: str | None, *, rename: bool = False) -> None:
        del proto.metadata_props[:]
        if metadata is not None:
            onnx.helper.set_model_props(proto, {"lakhnes": metadata})
        if rename:
            proto.graph.input[0].name = "tokens"
            for node in proto.graph.node:
                node.input[:] = ["tokens" if name == "token" else name for name in node.input]
        onnx.save(proto, tmp_path / MODEL_FILE)

    write(None)
    with pytest.raises(ModelError, match=r"has no lakhnes metadata\. Make it with"):
        Model.load(tmp_path)
    write(text.replace(f'"format_version": {FORMAT_VERSION}', '"format_version": 99'))
    with pytest.raises(ModelError, match=r"model format 99, newer.*Update lakhnes"):
        Model.load(tmp_path)
    for nonsense in ("[]", "{}", "x", '{"format_version": 1, "vocabulary": "tx1", "timing": "weeks"}'):
        write(nonsense)
        with pytest.raises(ModelError, match="cannot be read"):
            Model.load(tmp_path)
    write(text.replace('"n_head": 6', '"n_head": 7'))
    with pytest.raises(ModelError, match="other tensors"):
        Model.load(tmp_path)
    write(text.replace('"mem_len": 1152', '"mem_len": 1153'))
    with pytest.raises(ModelError, match="looks up more than its table has"):
        Model.load(tmp_path)
    write(text, rename=True)
    with pytest.raises(ModelError, match="other tensors"):
        Model.load(tmp_path)


@pytest.mark.parametrize("there", [True, False])
def test_where_no_operator_has_8_bit_weights_they_become_floats(
    monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    """Whatever a step takes: a seed is one song, however busy the machine is."""
    monkeypatch.setattr(model_module, "has_operator", lambda bits: there)
    loaded = Model.load()
    data = find_model().read_bytes()
    expected = Model(open_session(data, widen=not there), loaded.info)
    tokens = some_tokens(loaded, 20)
    np.testing.assert_array_equal(loaded.prefill(tokens), expected.prefill(tokens))
    other = Model(open_session(data, widen=there), loaded.info)
    assert not np.array_equal(other.prefill(tokens), expected.prefill(tokens))


def test_a_twin_has_a_memory_of_its_own_in_a_thread_of_its_own(tiny_model: Model) -> None:
    def alone(first: int) -> list[float]:
        model = tiny_model.twin()
        return [float(model.step((first + step) % 50).sum()) for step in range(200)]

    expected = [alone(first) for first in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(alone, range(4))) == expected
    assert expected[0] != expected[1]
    assert tiny_model.twin().info is tiny_model.info
