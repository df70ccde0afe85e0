"""Networks from ONNX files are the networks that they describe, and foreign files are refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import hwsim
from hwsim.cli.group import hwsim as command
from hwsim.errors import DataError, UsageError
from hwsim.spec.architecture import ArchitectureSpec
from hwsim.spec.load import build, load_network


@pytest.fixture(scope="module")
def onnx() -> Any:
    """Return the package; without it the tests of it are skipped."""
    return pytest.importorskip("onnx")


class Builder:
    """Makes a graph, node by node; weights are zeros."""

    def __init__(self, onnx: Any) -> None:
        self.onnx, self.nodes, self.weights, self.number = onnx, [], [], 0

    def weight(self, *shape: int, dtype: Any = np.float32, values: Any = None) -> str:
        name = f"w{len(self.weights)}"
        array = np.zeros(shape, dtype) if values is None else np.asarray(values, dtype)
        self.weights.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        self.number += 1
        names = [f"t{self.number}_{index}" for index in range(outputs)]
        name = attributes.pop("name", f"/{operator}_{self.number}")
        self.nodes.append(self.onnx.helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def save(self, path: Path, inputs: dict[str, Any], output: str, **options: Any) -> Path:
        helper, kind = self.onnx.helper, self.onnx.TensorProto
        given = [
            helper.make_tensor_value_info(name, kind.INT64 if name == "ids" else kind.FLOAT, shape)
            for name, shape in inputs.items()
        ]
        out = [helper.make_tensor_value_info(output, kind.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "test", given, out, self.weights)
        opset = helper.make_opsetid("", 20)
        model = helper.make_model(graph, opset_imports=[opset, *options.pop("opsets", [])], ir_version=10, **options)
        path.write_bytes(model.SerializeToString())
        return path


@pytest.fixture
def net(onnx: Any) -> Builder:
    return Builder(onnx)


def network(path: Path) -> ArchitectureSpec:
    from hwsim.onnx.network import network_document

    return build(ArchitectureSpec, network_document(path))


def lenet(net: Builder, path: Path, batch: Any = "batch") -> Path:
    x = "x"
    for inputs, outputs in ((1, 16), (16, 32)):
        x = net("Conv", x, net.weight(outputs, inputs, 5, 5), net.weight(outputs), kernel_shape=[5, 5])
        x = net("MaxPool", net("Tanh", x), kernel_shape=[2, 2], strides=[2, 2])
    x = net("Flatten", x)
    x = net("Tanh", net("Gemm", x, net.weight(128, 512), net.weight(128), transB=1))
    return net.save(path, {"x": [batch, 1, 28, 28]}, net("Gemm", x, net.weight(10, 128), net.weight(10), transB=1))


@pytest.mark.parametrize("batch", ["batch", 8])
def test_lenet_costs_what_the_bundled_one_does(net: Builder, tmp_path: Path, batch: Any) -> None:
    file = lenet(net, tmp_path / "lenet.onnx", batch)
    runs = [
        hwsim.simulate(name, fidelity="activity", steps=1, chip="large", out=tmp_path / f"run{number}")
        for number, name in enumerate((str(file), "lenet-5"))
    ]
    one, other = (run.summary for run in runs)
    assert (one["latency_s"], one["counts"]) == (other["latency_s"], other["counts"])
    assert one["energy_J"] == pytest.approx(other["energy_J"], rel=1e-12)
    assert network(file).macs == load_network("lenet-5").macs


def block(net: Builder, x: str, width: int, heads: int, tokens: int) -> str:
    """Self-attention and a perceptron, with sizes computed from sizes as exporters write them."""

    def constant(*values: int) -> str:
        return net.weight(dtype=np.int64, values=np.array(values))

    def split(part: str) -> str:
        size = net("Gather", net("Shape", part), constant(2))
        each = net("Div", size, constant(heads))
        shape = net("Concat", constant(-1), constant(tokens), constant(heads), each, axis=0)
        return net("Transpose", net("Reshape", part, shape), perm=[0, 2, 1, 3])

    normal = net("LayerNormalization", x, net.weight(width), net.weight(width))
    qkv = net("Add", net("MatMul", normal, net.weight(width, 3 * width)), net.weight(3 * width))
    q, k, v = (split(part) for part in net("Split", qkv, outputs=3, axis=2, num_outputs=3))
    scores = net("MatMul", q, net("Transpose", k, perm=[0, 1, 3, 2]))
    mixed = net("MatMul", net("Softmax", net("Div", scores, net.weight(values=np.float32(2.0)))), v)
    joined = net("Reshape", net("Transpose", mixed, perm=[0, 2, 1, 3]), constant(-1, tokens, width))
    x = net("Add", x, net("MatMul", joined, net.weight(width, width)))
    hidden = net("Gelu", net("Add", net("MatMul", x, net.weight(width, 4 * width)), net.weight(4 * width)))
    return net("Add", x, net("MatMul", hidden, net.weight(4 * width, width)))


def test_attention_is_work_of_the_digital_unit(net: Builder, tmp_path: Path) -> None:
    """Products of two results are counted by their closed form; matrices with weights are layers."""
    tokens, width, heads = 16, 64, 4
    x = net("Gather", net.weight(1000, width), "ids")
    x = net("Add", x, net.weight(tokens, width))
    x = block(net, x, width, heads, tokens)
    x = net("ReduceMean", x, net.weight(dtype=np.int64, values=[1]), keepdims=0)
    file = net.save(tmp_path / "t.onnx", {"ids": ["n", tokens]}, net("Gemm", x, net.weight(width, 10), net.weight(10)))
    found = network(file)
    matrices = [(layer.matrix, layer.vectors(found.given(layer))) for layer in found.matrix_layers]
    assert matrices == [((192, 64), 16), ((64, 64), 16), ((256, 64), 16), ((64, 256), 16), ((10, 64), 1)]
    weights = sum(rows * cols * vectors for (rows, cols), vectors in matrices)
    assert found.macs == weights + 2 * tokens * tokens * width
    assert found.parameters == (
        1000 * width + tokens * width + 2 * width + 64 * 192 + 192 + 64 * 64 + 2 * 64 * 256 + 256 + 640 + 10
    )
    run = hwsim.simulate(
        str(file), fidelity="activity", steps=1, chip="large", set={"batch_size": 2}, out=tmp_path / "r"
    )
    events = run.events(where="component = 'digital' and layer = 'MatMul_26' and phase = 'digital'")
    assert run.summary["counts"]["forward"] == 2 * (4 * 16 + 1)
    assert len(events) or run.summary["energy_J"] > 0


def test_odd_convolutions_and_residual_sums(net: Builder, tmp_path: Path) -> None:
    """Kernels, strides and groups that differ between the sides: as many vectors and weights as the shapes say."""
    x = net("Conv", "x", net.weight(8, 4, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    side = net("Conv", x, net.weight(8, 2, 1, 3), group=4, pads=[0, 1, 0, 1])
    normal = net("BatchNormalization", side, *(net.weight(8) for _ in range(4)))
    x = net("Relu", net("Add", x, normal))
    x = net("Clip", net("Conv", x, net.weight(6, 8, 3, 3), dilations=[2, 2], pads=[1, 1, 1, 1]))
    x = net("GlobalAveragePool", x)
    file = net.save(tmp_path / "c.onnx", {"x": [2, 4, 16, 16]}, net("MatMul", net("Flatten", x), net.weight(6, 3)))
    found = network(file)
    assert [(layer.kind, layer.matrix, layer.vectors(found.given(layer))) for layer in found.matrix_layers] == [
        ("conv2d", (8, 36), 64), ("products", (8, 6), 64 * 4), ("products", (6, 72), 36), ("linear", (3, 6), 1)
    ]  # fmt: skip
    added = next(layer for layer in found.layers if layer.kind == "add")
    assert (added.plus, added.activation) == ("BatchNormalization_3", "relu")
    assert [layer.kind for layer in found.layers][-3:] == ["digital", "average_pool", "linear"]
    run = hwsim.simulate(str(file), fidelity="activity", steps=1, out=tmp_path / "run", set={"batch_size": 2})
    assert run.summary["counts"]["forward"] == 2 * (64 + 256 + 36 + 1)
    assert run.summary["counts"]["backward"] == 2 * (256 + 36 + 1)


def test_functions_are_unfolded_and_shared_inputs_summed(net: Builder, onnx: Any, tmp_path: Path) -> None:
    function = onnx.helper.make_function(
        "own", "Twice", ["a"], ["b"], [onnx.helper.make_node("Add", ["a", "a"], ["b"])],
        [onnx.helper.make_opsetid("", 20)],
    )  # fmt: skip
    x = net("Gemm", "x", net.weight(4, 4))
    x = net("Twice", x, domain="own")
    file = net.save(tmp_path / "f.onnx", {"x": ["n", 4]}, net("Gemm", x, net.weight(4, 2)), functions=[function],
                    opsets=[onnx.helper.make_opsetid("own", 1)])  # fmt: skip
    assert [layer.kind for layer in network(file).layers] == ["linear", "add", "linear"]


def refused(file: Path) -> str:
    """Return the message with which a file is refused."""
    from hwsim.onnx.network import network_document

    with pytest.raises(DataError) as caught:
        network_document(file)
    assert str(caught.value).startswith(f"{file}: ")
    return str(caught.value)


def refused_by_the_command(file: Path, tmp_path: Path) -> str:
    """Return the one message of a run that is refused."""
    result = CliRunner().invoke(command, ["run", str(file), "--fidelity", "activity", "--out", str(tmp_path / "run")])
    assert result.exit_code == 2, result.output
    assert result.output.count("error:") == 1
    assert not (tmp_path / "run").exists()
    return result.output.replace("\n", " ")


def test_unsupported_operators_are_all_named(net: Builder, onnx: Any, tmp_path: Path) -> None:
    x = net("Gemm", "x", net.weight(4, 4), name="first")
    x = net("Elu", net("Det", net("LSTMCell", x, domain="vendor"), name="a"), name="b")
    file = net.save(tmp_path / "u.onnx", {"x": ["n", 4]}, x, opsets=[onnx.helper.make_opsetid("vendor", 1)])
    said = refused_by_the_command(file, tmp_path)
    assert "Det (1: a)" in said
    assert "vendor.LSTMCell (1:" in said
    assert "Supported: Abs, Add," in said


def test_external_data_are_not_opened(net: Builder, onnx: Any, tmp_path: Path) -> None:
    file = lenet(net, tmp_path / "lenet.onnx")
    model = onnx.load(str(file))
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../etc/passwd")
    file.write_bytes(model.SerializeToString())
    assert f"tensor '{tensor.name}' is kept in another file, which is not opened" in refused(file)


def test_open_sizes_are_refused(net: Builder, tmp_path: Path) -> None:
    x = net("MatMul", "x", net.weight(4, 4))
    file = net.save(tmp_path / "o.onnx", {"x": ["n", "length", 4]}, x)
    assert "input 'x' leaves its size 1 open (length)" in refused(file)


def test_graphs_without_weights_or_with_shapes_that_do_not_fit(net: Builder, onnx: Any, tmp_path: Path) -> None:
    file = net.save(tmp_path / "a.onnx", {"x": ["n", 4]}, net("Relu", "x"))
    assert "no operator has a matrix of weights" in refused(file)
    empty = Builder(onnx)
    file = empty.save(tmp_path / "e.onnx", {"x": ["n", 0]}, empty("Relu", "x"))
    assert "leaves its size 1 open" in refused(file)
    other = Builder(onnx)
    x = other("Conv", "x", other("Relu", "y"))
    file = other.save(tmp_path / "d.onnx", {"x": [2, 1, 4, 4], "y": [2, 1, 2, 2]}, x)
    assert "Conv '/Conv_2' has weights that are results" in refused(file)
    wrong = Builder(onnx)
    file = wrong.save(tmp_path / "b.onnx", {"x": ["n", 4]}, wrong("Gemm", "x", wrong.weight(5, 3)))
    assert "shapes of the model do not fit together" in refused(file)
    huge = Builder(onnx)
    bounds = [huge.weight(dtype=np.int64, values=np.int64(number)) for number in (0, 10**15, 1)]
    x = huge("Reshape", huge("Gemm", "x", huge.weight(4, 4)), huge("Range", *bounds))
    refused(huge.save(tmp_path / "c.onnx", {"x": ["n", 4]}, x))


@pytest.mark.parametrize(("operator", "options"), [("Gemm", {"transA": 1}), ("MatMul", {})])
def test_products_over_the_samples_are_refused(net: Builder, operator: str, options: dict, tmp_path: Path) -> None:
    operands = ("x", net.weight(8, 4)) if operator == "Gemm" else (net.weight(4, 8), "x")
    file = net.save(tmp_path / "net.onnx", {"x": (8, 1)}, net(operator, *operands, **options))
    assert f"({operator}) multiplies by 8 inputs where a sample has 1: the first axis" in refused(file)


def test_damaged_files_never_give_a_traceback(net: Builder, tmp_path: Path) -> None:
    from hwsim.onnx.network import network_document

    whole = lenet(net, tmp_path / "lenet.onnx").read_bytes()
    short = [place for place in range(len(whole)) if whole[place]]
    rng = np.random.default_rng(0)
    damaged = tmp_path / "damaged.onnx"
    refused = 0
    for n in range(80):
        data = bytearray(whole)
        if n % 4 == 0:
            data = data[: int(rng.integers(len(data)))]
        else:
            # Weights are zeros, so that the bytes hit are those of the structure.
            data[short[int(rng.integers(len(short)))]] ^= int(rng.integers(1, 256))
        damaged.write_bytes(bytes(data))
        try:
            build(ArchitectureSpec, network_document(damaged))
        except (DataError, hwsim.errors.SpecError):
            refused += 1
    assert refused > 20


def test_a_file_that_brings_the_library_down_ends_with_a_message(
    net: Builder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library aborts the process on some damaged files; here any process that ends without an answer does."""
    file = lenet(net, tmp_path / "lenet.onnx")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert "the ONNX library failed on it" in refused_by_the_command(file, tmp_path)


def test_device_fidelity_and_missing_files_are_refused(net: Builder, tmp_path: Path) -> None:
    file = lenet(net, tmp_path / "lenet.onnx")
    with pytest.raises(UsageError, match="use --fidelity activity"):
        hwsim.simulate(str(file), out=tmp_path / "run")
    with pytest.raises(DataError, match="no such file"):
        hwsim.simulate(str(tmp_path / "none.onnx"), fidelity="activity")
    assert CliRunner().invoke(command, ["check", str(file)]).exit_code == 0
    shown = CliRunner().invoke(command, ["networks", str(file)])
    assert "80.2k" in shown.output.replace(" ", "") or "80202" in shown.output.replace(" ", "")
    assert f"next: hwsim run {file} --fidelity activity" in shown.output


def test_without_onnx_the_extra_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    code = "import sys; sys.modules['onnx'] = None; from hwsim.cli import main; main()"
    arguments = ["run", str(tmp_path / "a.onnx"), "--fidelity", "activity"]
    result = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stderr == "error: reading ONNX files needs the package onnx: pip install 'hwsim[onnx]'\n"
