"""A recorded trace is read as it was written, and everything else is refused with one message."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from hwsim.cli.group import hwsim
from hwsim.errors import DataError, RunError, UsageError
from hwsim.spec.recorded import RecordedLayer
from hwsim.training.recorded import RecordedFile, RecordWriter, patches, reader, writer


def test_what_is_written_is_read(trace: Path, toy: Any) -> None:
    file = RecordedFile(trace)
    file.check()
    assert (file.spec.steps, file.spec.samples, file.spec.batch_size) == (6, 24, 4)
    assert [layer.name for layer in file.spec.layers] == ["conv", "fc", "head"]
    assert {name: weights.shape for name, weights in file.weights().items()} == {
        "conv": (6, 12), "fc": (5, 24), "head": (3, 15)
    }  # fmt: skip
    for number, step in enumerate(file.steps()):
        calls = toy.draw(number)
        assert (step.number, len(step)) == (number, toy.SAMPLES)
        stream = step.streams["fc"]
        x = np.concatenate([call.x.reshape(-1, 24) for call in calls["fc"][1]])
        d = np.concatenate([call.d.reshape(-1, 5) for call in calls["fc"][1]])
        np.testing.assert_array_equal(stream.x, x)
        np.testing.assert_array_equal(stream.d, d)
        assert (stream.learning_rate, stream.vectors) == (0.1, 18)
        assert step.streams["conv"].x.shape == (4 * 2 * 8 * 2, 12)


def test_the_command_shows_what_a_trace_holds(trace: Path) -> None:
    shown = CliRunner().invoke(hwsim, ["traces", str(trace)])
    assert shown.exit_code == 0
    assert "toy   recorded trace   6 steps   24 samples   all vectors" in shown.output
    assert "conv conv2d 6 x 12 140 96 yes no" in " ".join(shown.output.split())
    plain = CliRunner().invoke(hwsim, ["traces", str(trace), "--json"])
    assert [layer["name"] for layer in json.loads(plain.stdout)["layers"]] == ["conv", "fc", "head"]


def test_steps_may_span_row_groups(tmp_path: Path, toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = [step.streams["conv"].x for step in RecordedFile(toy.write(tmp_path / "whole.parquet")).steps()]
    monkeypatch.setattr(writer, "GROUP_BYTES", 1000)
    path = toy.write(tmp_path / "parts.parquet")
    assert pq.ParquetFile(path).num_row_groups > 20
    for one, other in zip(whole, RecordedFile(path).steps(), strict=True):
        np.testing.assert_array_equal(one, other.streams["conv"].x)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_patches_give_the_convolution(mode: str) -> None:
    """Products of patches with the kernels, against the sum of the definition."""
    layer = RecordedLayer(
        name="conv", kind="conv2d", inputs=4, outputs=6, kernel=(3, 2), stride=(2, 1), dilation=(1, 2),
        padding=(1, 0, 2, 1), padding_mode=mode, groups=2, input_words=1, output_words=1,
    )  # fmt: skip
    rng = np.random.default_rng(0)
    x, kernels = rng.normal(size=(2, 4, 5, 7)).astype(np.float32), rng.normal(size=(6, 2, 3, 2)).astype(np.float32)
    height, width = layer.grid(5, 7)
    d = rng.normal(size=(2, 6, height, width)).astype(np.float32)
    names = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    padded = np.pad(x, ((0, 0), (0, 0), (1, 0), (2, 1)), mode=names[mode])
    expected, gradient = np.zeros((2, 6, height, width)), np.zeros(kernels.shape)
    for n, o, i, j, c, k, m in np.ndindex(2, 6, height, width, 2, 3, 2):
        value = padded[n, (o // 3) * 2 + c, 2 * i + k, j + 2 * m]
        expected[n, o, i, j] += kernels[o, c, k, m] * value
        gradient[o, c, k, m] += d[n, o, i, j] * value
    vectors, errors = patches(layer, x.reshape(2, -1), d.reshape(2, -1), 5, 7)
    products = (vectors @ kernels.reshape(6, 12).T).reshape(2, height * width, 2, 6)
    got = np.concatenate([products[:, :, 0, :3], products[:, :, 1, 3:]], axis=2).transpose(0, 2, 1)
    np.testing.assert_allclose(got.reshape(expected.shape), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose((errors.T @ vectors).reshape(gradient.shape), gradient, rtol=1e-4, atol=1e-4)


def rewritten(path: Path, change: Any, about: Any = None, metadata: dict[bytes, Any] | None = None) -> Path:
    """Write the file again with a changed table, description or metadata."""
    table = pq.read_table(path)
    kept = dict(pq.ParquetFile(path).metadata.metadata)
    description = json.loads(kept[b"hwsim.trace"])
    if about is not None:
        about(description)
    kept[b"hwsim.trace"] = json.dumps(description).encode()
    for name, value in (metadata or {}).items():
        kept.pop(name) if value is None else kept.__setitem__(name, value)
    table = change(table)
    pq.write_table(table.replace_schema_metadata(kept), path, use_dictionary=["kind", "layer"])
    return path


def column(name: str, value: Any) -> Any:
    """Return a change of one number of a column: the last row's."""

    def change(table: pa.Table) -> pa.Table:
        values = table[name].to_pylist()
        values[-1] = value(values[-1]) if callable(value) else value
        dtype = table.schema.field(name).type
        dtype = pa.list_(pa.float32()) if pa.types.is_list(dtype) else dtype
        array = pa.array(values, pa.string() if pa.types.is_dictionary(dtype) else dtype)
        return table.set_column(table.schema.get_field_index(name), name, array)

    return change


def same(table: pa.Table) -> pa.Table:
    return table


def layers(**fields: Any) -> Any:
    return lambda about: about["layers"][1].update(fields)


BAD = {
    "another kind": (same, None, {b"hwsim.kind": b"log"}, "not a recorded trace"),
    "no kind": (same, None, {b"hwsim.kind": None}, "not a recorded trace"),
    "another version": (same, None, {b"hwsim.schema": b"7"}, "schema version 7"),
    "no description": (same, None, {b"hwsim.trace": b"["}, "recording was not finished"),
    "another description": (same, None, {b"hwsim.trace": b"[]"}, "its description"),
    "deep description": (same, None, {b"hwsim.trace": b"[" * 100_000}, "recording was not finished"),
    "a column less": (lambda table: table.drop_columns(["d"]), None, None, "lacks the column 'd'"),
    "a column of texts": (
        lambda table: table.set_column(1, "step", pa.array(["a"] * len(table))), None, None, "column 'step' should be"
    ),
    "no layers": (same, lambda about: about.update(layers=[]), None, "description is wrong"),
    "two of a name": (same, layers(name="head"), None, "two layers are called 'head'"),
    "a huge layer": (same, layers(outputs=2**40), None, "too large"),
    "a wrong kernel": (same, layers(kernel=[0, 1]), None, "kernel must be at least 1"),
    "another width": (same, layers(inputs=25), None, "weights of layer 'fc' has 24 numbers"),
    "more outputs": (same, layers(outputs=6), None, "has 6 rows of weights, 5 given"),
    "other steps": (same, lambda about: about.update(steps=7), None, "should hold 7 steps, but holds 6"),
    "other samples": (same, lambda about: about.update(samples=23), None, "should hold 23 samples"),
    "smaller batches": (same, lambda about: about.update(batch_size=3), None, "samples must be one number of 1 to 3"),
    "NaN": (column("x", lambda x: [*x[:-1], float("nan")]), None, None, "column 'x' holds NaN"),
    "infinity": (column("d", lambda d: [*d[:-1], float("inf")]), None, None, "column 'd' holds NaN"),
    "a missing list": (column("x", None), None, None, "rows without numbers"),
    "a missing step": (column("step", None), None, None, "rows without a number"),
    "a short list": (column("x", lambda x: x[:-1]), None, None, "a row holds 14 inputs"),
    "a step back": (column("step", 2), None, None, "step 2 comes after step 5"),
    "a step left out": (column("step", 9), None, None, "step 9 comes after step 5"),
    "a foreign layer": (column("layer", "other"), None, None, "'other', which is not described"),
    "a foreign kind": (column("kind", "weight"), None, None, "weights come after vectors"),
    "another rate": (column("learning_rate", 0.2), None, None, "must be one number"),
    "a negative rate": (column("learning_rate", -0.1), None, None, "must be one number"),
    "an empty grid": (column("height", 0), None, None, "a grid of 0 x 1"),
    "a large grid": (column("height", 2**30), None, None, "a row holds 15 inputs"),
    "other vectors": (column("vectors", 2), None, None, "a row holds"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_wrong_traces_are_refused(case: str, trace: Path, tmp_path: Path) -> None:
    change, about, metadata, message = BAD[case]
    rewritten(trace, change, about, metadata)
    result = CliRunner().invoke(hwsim, ["run", str(trace), "--out", str(tmp_path / "run")])
    assert result.exit_code == 2, result.output
    assert message in result.output.replace("\n", " ")
    assert result.output.count("error:") == 1
    assert "toy.parquet" in result.output
    assert not (tmp_path / "run").exists()
    assert CliRunner().invoke(hwsim, ["check", str(trace)]).exit_code == 2


def test_weights_must_be_in_order(trace: Path) -> None:
    rewritten(trace, lambda table: pa.concat_tables([table.slice(1, 1), table.slice(0, 1), table.slice(2)]))
    with pytest.raises(DataError, match="weights of layer 'conv' are out of order"):
        RecordedFile(trace).check()


def test_damaged_files_never_give_a_traceback(trace: Path, tmp_path: Path) -> None:
    """Truncated and mutated bytes: a message, or a trace that is still right."""
    whole = trace.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    damaged = tmp_path / "damaged.parquet"
    for n in range(150):
        data = bytearray(whole)
        if n % 3 == 0:
            data = data[: int(rng.integers(len(data)))]
        else:
            for place in rng.integers(max(len(data) - 2500, 0) if n % 2 else 0, len(data), int(rng.integers(1, 4))):
                data[place] ^= int(rng.integers(1, 256))
        damaged.write_bytes(bytes(data))
        try:
            RecordedFile(damaged).check()
        except DataError as error:
            refused += "damaged.parquet" in str(error)
    assert refused > 50


@pytest.mark.parametrize("content", [b"", b"PAR1", b"not Parquet at all", b"PAR1" + bytes(64) + b"PAR1"])
def test_foreign_files_are_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "foreign.parquet").write_bytes(content)
    with pytest.raises(DataError, match="not a readable Parquet file"):
        RecordedFile(tmp_path / "foreign.parquet")
    with pytest.raises(DataError, match="no such file"):
        RecordedFile(tmp_path / "missing.parquet")


def test_what_does_not_fit_into_memory_is_refused(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "memory_limit", lambda: 20_000)
    with pytest.raises(DataError, match=r"row group 0 takes .* more than half of this machine's memory"):
        RecordedFile(trace).check()
    monkeypatch.setattr(reader, "memory_limit", lambda: 200)
    with pytest.raises(DataError, match=r"its weights take .*--fidelity activity"):
        RecordedFile(trace).weights()


def test_a_step_is_measured_by_its_vectors(tmp_path: Path, toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patches are larger than the maps that the file holds."""
    monkeypatch.setattr(writer, "GROUP_BYTES", 1000)
    path = toy.write(tmp_path / "toy.parquet")
    monkeypatch.setattr(reader, "memory_limit", lambda: 9_000)
    with pytest.raises(DataError, match=r"step 0 takes more than half .* capture"):
        list(RecordedFile(path).steps())


def test_equal_values_do_not_make_a_small_file_large(trace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes can stand for millions of numbers: they are counted before they are read."""
    table = pq.read_table(trace)
    x = table["x"].to_pylist()
    x[-1] = [1.0] * 5_000_000
    table = table.set_column(table.schema.get_field_index("x"), "x", pa.array(x, pa.list_(pa.float32())))
    kept = pq.ParquetFile(trace).metadata.metadata
    pq.write_table(table.replace_schema_metadata(kept), trace, use_dictionary=True)
    assert trace.stat().st_size < 200_000
    monkeypatch.setattr(reader, "memory_limit", lambda: 10_000_000)
    with pytest.raises(DataError, match="row group 0 takes"):
        RecordedFile(trace).check()


def test_nothing_is_overwritten_or_left_behind(trace: Path, tmp_path: Path, toy: Any) -> None:
    with pytest.raises(UsageError, match="exists already"):
        toy.write(trace)
    with pytest.raises(UsageError, match="there is no folder"):
        toy.write(tmp_path / "nowhere" / "toy.parquet")
    unfinished = RecordWriter(tmp_path / "new.parquet", name="n", description="d", source="s")
    unfinished.step(toy.draw(0), 4)
    unfinished.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["toy.parquet"]


def test_numbers_that_are_not_finite_are_not_recorded(tmp_path: Path, toy: Any) -> None:
    def spoil(step: int, calls: Any) -> Any:
        if step == 3:
            calls["fc"][1][0].d[0, 0] = np.nan
        return calls

    with pytest.raises(DataError, match="the errors of layer 'fc' hold NaN or infinity in step 3"):
        toy.write(tmp_path / "toy.parquet", change=spoil)


def test_a_full_disk_leaves_no_recording(tmp_path: Path, toy: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "Error writing bytes to file")

    monkeypatch.setattr("hwsim.training.recorded.writer.os.replace", full)
    with pytest.raises(RunError, match=r"cannot write .*toy\.parquet: No space left on device"):
        toy.write(tmp_path / "toy.parquet")
    assert not list(tmp_path.iterdir())
