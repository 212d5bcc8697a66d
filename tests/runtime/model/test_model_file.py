"""Model files from strangers: read as onnx reads them, and refused before onnxruntime sees what harms."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
torch = pytest.importorskip("torch")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from lakhnes.export import Checkpoint, TransformerXL, TransformerXLConfig, export_model  # noqa: E402
from lakhnes.export.onnx_graph import PRECISIONS  # noqa: E402
from lakhnes.runtime import Model, ModelError, list_models, tx1  # noqa: E402
from lakhnes.runtime.model.model_file import check_model, read_model  # noqa: E402
from lakhnes.runtime.model.model_info import ModelInfo  # noqa: E402
from lakhnes.runtime.model.onnx_file import MOST_FIELDS, parse_onnx  # noqa: E402

pytestmark = pytest.mark.train

MEM_LEN = 24


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The ONNX file of a small model by its precision, or the place of its norms."""
    torch.manual_seed(4)
    folder = tmp_path_factory.mktemp("models")
    variants = {name: (name, False) for name in PRECISIONS} | {"pre_lnorm": ("int8", True)}
    for name, (precision, pre_lnorm) in variants.items():
        config = TransformerXLConfig(
            len(tx1()), 2, 2, d_model=32, d_head=12, d_inner=48, d_embed=20, pre_lnorm=pre_lnorm, clamp_len=9
        )
        checkpoint = Checkpoint(TransformerXL(config).eval(), tx1(), "x", "0" * 64)
        export_model(checkpoint, folder / name, precision=precision, mem_len=MEM_LEN)
    return {name: folder / name / "model.onnx" for name in variants}


@pytest.fixture
def proto(exported: dict[str, Path]) -> onnx.ModelProto:
    """A small model to break."""
    return onnx.load(exported["fp32"])


def read_as_onnx_does(path: Path) -> None:
    ours, theirs = parse_onnx(path.read_bytes()), onnx.load(path)
    assert ours.metadata == {p.key: p.value for p in theirs.metadata_props}
    assert ours.opsets == {o.domain: o.version for o in theirs.opset_import}
    for found, given in ((ours.inputs, theirs.graph.input), (ours.outputs, theirs.graph.output)):
        assert list(found) == [port.name for port in given]
        for port in given:
            tensor = port.type.tensor_type
            assert found[port.name].type == tensor.elem_type
            assert found[port.name].shape == tuple(d.dim_param or d.dim_value for d in tensor.shape.dim)
    assert len(ours.nodes) == len(theirs.graph.node)
    for node, other in zip(ours.nodes, theirs.graph.node, strict=True):
        assert (node.operator, node.domain) == (other.op_type, other.domain)
        assert (node.inputs, node.outputs) == (tuple(other.input), tuple(other.output))
        attributes = {a.name: helper.get_attribute_value(a) for a in other.attribute}
        assert node.attributes == {
            name: tuple(value) if isinstance(value, list) else value for name, value in attributes.items()
        }
    assert list(ours.constants) == [tensor.name for tensor in theirs.graph.initializer]
    for tensor in theirs.graph.initializer:
        constant = ours.constants[tensor.name]
        assert (constant.type, constant.shape) == (tensor.data_type, tuple(tensor.dims))
        assert bytes(constant.data) == tensor.raw_data
        if tensor.data_type == TensorProto.INT64:
            np.testing.assert_array_equal(constant.ints(), numpy_helper.to_array(tensor))


def test_files_are_read_as_onnx_reads_them(exported: dict[str, Path]) -> None:
    for path in (*exported.values(), *list_models().values()):
        read_as_onnx_does(path)


def test_packed_numbers_are_read_too() -> None:
    """Protobuf may store rows of numbers in either of two ways."""
    shape = b"\x0a\x02\x02\x03"  # field 1, two bytes: 2 and 3
    tensor = shape + b"\x10\x07" + b"\x42\x01x" + b"\x4a\x30" + np.arange(6, dtype="<i8").tobytes()
    theirs = TensorProto.FromString(tensor)
    graph = b"\x2a" + bytes([len(tensor)]) + tensor
    constant = parse_onnx(b"\x3a" + bytes([len(graph)]) + graph).constants["x"]
    np.testing.assert_array_equal(constant.ints(), numpy_helper.to_array(theirs))


def test_every_precision_loads_and_is_what_was_exported(exported: dict[str, Path]) -> None:
    for name, path in exported.items():
        assert read_model(path)[1].mem_len == MEM_LEN
        assert np.isfinite(Model.load(path).prefill([0, 5, 7])).all(), name


def node_of(proto: onnx.ModelProto, operator: str) -> onnx.NodeProto:
    return next(node for node in proto.graph.node if node.op_type == operator)


def constant_of(proto: onnx.ModelProto, name: str) -> TensorProto:
    return next(tensor for tensor in proto.graph.initializer if tensor.name == name)


def add(
    proto: onnx.ModelProto, operator: str, *inputs: str, output: str = "made", **attributes: object
) -> None:
    proto.graph.node.append(helper.make_node(operator, list(inputs), [output], **attributes))


def add_constant(proto: onnx.ModelProto, name: str, *values: int) -> str:
    proto.graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))
    return name


def add_one(proto: onnx.ModelProto, *shape: int, output: str) -> None:
    """Adds a tensor of a large shape that takes four bytes in the file."""
    one = numpy_helper.from_array(np.ones(1, np.float32), f"{output}_one")
    proto.graph.initializer.append(one)
    add(proto, "Expand", one.name, add_constant(proto, f"{output}_shape", *shape), output=output)


def without_an_input(proto: onnx.ModelProto) -> None:
    node_of(proto, "Sum").input[0] = ""


def without_any_input(proto: onnx.ModelProto) -> None:
    del node_of(proto, "Sum").input[:]


def endless_loop(proto: onnx.ModelProto) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["again"])],
        "body",
        [
            helper.make_tensor_value_info("count", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("again", TensorProto.BOOL, [])],
    )
    proto.graph.node.append(helper.make_node("Loop", ["", "token"], ["made"], body=body))


def a_branch(proto: onnx.ModelProto) -> None:
    branch = helper.make_graph(
        [helper.make_node("Identity", ["mask"], ["one"])],
        "branch",
        [],
        [helper.make_tensor_value_info("one", TensorProto.FLOAT, None)],
    )
    add(proto, "If", "token", then_branch=branch, else_branch=branch)


def a_function(proto: onnx.ModelProto) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    proto.functions.append(helper.make_function("own", "f", ["x"], ["y"], [node], []))


def other_operator(proto: onnx.ModelProto) -> None:
    add(proto, "NonZero", "mask")


def other_domain(proto: onnx.ModelProto) -> None:
    node_of(proto, "Relu").domain = "com.example"


def other_opset(proto: onnx.ModelProto) -> None:
    proto.opset_import[0].version = 11


def weights_elsewhere(proto: onnx.ModelProto) -> None:
    tensor = proto.graph.initializer[0]
    onnx.external_data_helper.set_external_data(tensor, "/etc/passwd")
    tensor.ClearField("raw_data")


def fewer_weights(proto: onnx.ModelProto) -> None:
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:-4]


def a_shape_beyond_all_memory(proto: onnx.ModelProto) -> None:
    del proto.graph.initializer[0].dims[:]
    proto.graph.initializer[0].dims.extend([1 << 62] * 5000)


def a_type_of_no_export(proto: onnx.ModelProto) -> None:
    proto.graph.initializer[0].data_type = TensorProto.STRING


def sparse_weights(proto: onnx.ModelProto) -> None:
    proto.graph.sparse_initializer.append(onnx.SparseTensorProto(dims=[4]))


def two_of_one_name(proto: onnx.ModelProto) -> None:
    proto.graph.initializer.append(proto.graph.initializer[0])


def a_constant_for_an_input(proto: onnx.ModelProto) -> None:
    add_constant(proto, "token", 0)


def made_twice(proto: onnx.ModelProto) -> None:
    proto.graph.node.append(node_of(proto, "Relu"))


def made_of_itself(proto: onnx.ModelProto) -> None:
    node_of(proto, "Relu").input[0] = node_of(proto, "Relu").output[0]


def in_no_order(proto: onnx.ModelProto) -> None:
    nodes = list(proto.graph.node)
    del proto.graph.node[:]
    proto.graph.node.extend(reversed(nodes))


def an_odd_attribute(proto: onnx.ModelProto) -> None:
    node_of(proto, "FusedMatMul").attribute.append(helper.make_attribute("alpha", 2.0))


def an_attribute_of_another_type(proto: onnx.ModelProto) -> None:
    node = node_of(proto, "Softmax")
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("axis", 1.0))


def an_axis_that_is_not_there(proto: onnx.ModelProto) -> None:
    node_of(proto, "Softmax").attribute[0].i = 4


def a_norm_over_nothing(proto: onnx.ModelProto) -> None:
    node_of(proto, "LayerNormalization").attribute[0].i = 0


def a_product_that_does_not_fit(proto: onnx.ModelProto) -> None:
    node = node_of(proto, "FusedMatMul")
    node.attribute[0].i = 0


def a_reshape_that_does_not_fit(proto: onnx.ModelProto) -> None:
    shape = constant_of(proto, node_of(proto, "Reshape").input[1])
    shape.CopyFrom(numpy_helper.from_array(np.array([0, -1, 3], np.int64), shape.name))


def a_tensor_beyond_all_memory(proto: onnx.ModelProto) -> None:
    add(proto, "Expand", "mask", add_constant(proto, "large", 1 << 20, 1, 1 << 20, 1))


def growth_without_end(proto: onnx.ModelProto) -> None:
    for place in range(40):
        before = f"made{place - 1}" if place else "mask"
        add(proto, "Concat", before, before, output=f"made{place}", axis=1)


def many_large_tensors(proto: onnx.ModelProto) -> None:
    for place in range(8):
        add_one(proto, 1 << 13, 1 << 13, output=f"made{place}")


def work_without_end(proto: onnx.ModelProto) -> None:
    add_one(proto, 4000, 4000, output="made")
    for place in range(3):
        add(proto, "MatMul", "made", "made", output=f"made{place}")


def indices_beyond_a_table(proto: onnx.ModelProto) -> None:
    add(proto, "Gather", "mask", "distance", axis=0)


def another_result(proto: onnx.ModelProto) -> None:
    add(proto, "Identity", "mask", output="made")
    proto.graph.output[0].name = "made"


def a_result_of_another_size(proto: onnx.ModelProto) -> None:
    last = next(node for node in proto.graph.node if "logits" in node.output)
    last.output[0] = "unused"
    add(proto, "Concat", "unused", "unused", output="logits", axis=1)


def another_input(proto: onnx.ModelProto) -> None:
    proto.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (without_an_input, "an input of Sum is missing"),
        (without_any_input, "Sum has 0 inputs"),
        (endless_loop, "field 6 of its attributes"),
        (a_branch, "field 6 of its attributes"),
        (a_function, "field 25 of its file"),
        (other_operator, "'NonZero'"),
        (other_domain, "'Relu'"),
        (other_opset, "version 11"),
        (weights_elsewhere, "field 13 of its constants"),
        (fewer_weights, "another size"),
        (a_shape_beyond_all_memory, "another size"),
        (a_type_of_no_export, "8 is not a valid"),
        (sparse_weights, "field 15 of its graph"),
        (two_of_one_name, "two of one name"),
        (a_constant_for_an_input, "name of their own"),
        (made_twice, "name of their own"),
        (made_of_itself, "an input of Relu is missing"),
        (in_no_order, "is missing"),
        (an_odd_attribute, "attribute 'alpha'"),
        (an_attribute_of_another_type, "attribute 'axis'"),
        (an_axis_that_is_not_there, "no axis 4"),
        (a_norm_over_nothing, "do not fit"),
        (a_product_that_does_not_fit, "do not fit"),
        (a_reshape_that_does_not_fit, "do not fit"),
        (a_tensor_beyond_all_memory, "too much memory"),
        (growth_without_end, "too much memory"),
        (many_large_tensors, "too much memory"),
        (work_without_end, "too much memory or time"),
        (indices_beyond_a_table, "looks up more"),
        (another_result, "other tensors"),
        (a_result_of_another_size, "gives other tensors"),
        (another_input, "other tensors"),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_a_graph_that_could_harm_is_refused(
    proto: onnx.ModelProto, tmp_path: Path, change: Callable[[onnx.ModelProto], None], reason: str
) -> None:
    check_model(proto.SerializeToString(), "before")
    change(proto)
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    with pytest.raises(ModelError) as refused:
        Model.load(path)
    assert str(refused.value).startswith(f"{path} cannot be read (")
    assert reason in str(refused.value)
    assert "Export it again" in str(refused.value)


def test_a_file_that_two_readers_would_read_in_two_ways_is_refused(exported: dict[str, Path]) -> None:
    data = exported["fp32"].read_bytes()
    with pytest.raises(ModelError, match="second graph"):
        check_model(data + b"\x3a\x00", "twice")  # protobuf would merge the two
    with pytest.raises(ModelError, match="cannot be read"):
        Model.from_bytes(b"\x08\x0a\x12\x04ORTM" + data[2:])  # the mark of onnxruntime's own format
    with pytest.raises(ModelError, match="too many parts"):
        check_model(b"\x42\x00" * (MOST_FIELDS + 1), "parts")
    for size in range(0, len(data), len(data) // 50):
        with pytest.raises(ModelError):
            check_model(data[:size], "cut")


def test_a_longer_memory_than_the_graph_has_is_refused(proto: onnx.ModelProto) -> None:
    (entry,) = proto.metadata_props
    info = entry.value
    entry.value = info.replace(f'"mem_len": {MEM_LEN}', f'"mem_len": {MEM_LEN + 1}')
    with pytest.raises(ModelError, match="looks up more than its table has"):
        check_model(proto.SerializeToString(), "longer")


METADATA = {
    "a_huge_number": {"parity": {"tokens": 10**400}},
    "no_number": {"parity": {"mean_kl": float("nan")}},
    "parity_is_a_list": {"parity": [1]},
    "recall_is_a_text": {"recall": "x"},
    "recall_is_huge": {"recall": {"temperature": 10**400}},
    "layers_are_a_text": {"n_layer": "2"},
    "layers_are_true": {"n_layer": True},
    "too_many_layers": {"n_layer": 10**9},
    "no_layers": {"n_layer": 0},
    "vocabulary_is_a_list": {"vocabulary": ["tx1"]},
    "vocabulary_is_nothing": {"vocabulary": ""},
    "vocabulary_of_one": {"vocabulary": "WT_1\n"},
    "vocabulary_for_no_frames": {
        "timing": "frames",
        "vocabulary": "WT_1\nP1_NOTEOFF\nP2_NOTEOFF\nTR_NOTEOFF\nNO_NOTEOFF\nP1_NOTEON_60\n",
    },
    "timing_is_an_object": {"timing": {}},
    "version_is_a_text": {"format_version": "1"},
}


@pytest.mark.parametrize("change", METADATA.values(), ids=METADATA)
def test_metadata_of_any_kind_end_in_one_error(proto: onnx.ModelProto, change: dict[str, object]) -> None:
    (entry,) = proto.metadata_props
    entry.value = json.dumps(json.loads(entry.value) | change)
    with pytest.raises(ModelError, match=r"^x\.onnx cannot be read \("):
        check_model(proto.SerializeToString(), "x.onnx")


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", "[" * 100_000, "1" * 5000, '{"format_version": 1}', " " * (1 << 21)]
)
def test_metadata_that_are_something_else(proto: onnx.ModelProto, text: str) -> None:
    proto.metadata_props[0].value = text
    with pytest.raises(ModelError, match=r"^x\.onnx cannot be read \("):
        check_model(proto.SerializeToString(), "x.onnx")


def test_a_name_with_control_characters_is_kept_and_each_key_may_be_missing(proto: onnx.ModelProto) -> None:
    (entry,) = proto.metadata_props
    plain = json.loads(entry.value)
    assert ModelInfo.from_json(json.dumps(plain | {"name": "\x1b[31mred"})).name == "\x1b[31mred"
    needed = plain.keys() - {"provenance", "parity", "recall"}
    for key in plain:
        entry.value = json.dumps({name: value for name, value in plain.items() if name != key})
        if key in needed:
            with pytest.raises(ModelError, match=r"^x\.onnx cannot be read \("):
                check_model(proto.SerializeToString(), "x.onnx")
        else:
            check_model(proto.SerializeToString(), "x.onnx")
