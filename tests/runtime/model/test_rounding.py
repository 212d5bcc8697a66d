"""Whether there is an operator for weights of few bits shows in what it rounds."""

import numpy as np
import pytest

from lakhnes.runtime.model import rounding
from lakhnes.runtime.model.onnx_runtime import open_session, ort
from lakhnes.runtime.model.rounding import BITS, has_operator, product


@pytest.fixture(autouse=True)
def _fresh() -> None:
    has_operator.cache_clear()


@pytest.mark.parametrize("bits", BITS.values())
def test_the_product_gives_its_second_value(bits: int) -> None:
    x = np.arange(32, dtype=np.float32)[None]
    (y,) = open_session(product(bits), widen=True).run(None, {"x": x})
    assert y.tolist() == [[1.0]]


@pytest.mark.parametrize("bits", BITS.values())
def test_floats_are_no_operator_of_few_bits(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def widened(data: bytes) -> ort.InferenceSession:
        return open_session(data, widen=True)

    monkeypatch.setattr(rounding, "open_session", widened)
    assert not has_operator(bits)


@pytest.mark.train
@pytest.mark.parametrize("bits", BITS.values())
def test_the_product_is_as_the_format_has_it(bits: int) -> None:
    onnx = pytest.importorskip("onnx")
    model = onnx.load_from_string(product(bits))
    onnx.checker.check_model(model, full_check=True)
    assert [node.op_type for node in model.graph.node] == ["DequantizeLinear", "MatMul"]
