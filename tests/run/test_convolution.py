"""Convolutions at device fidelity: a stream of patches is one operation, trained, timed and paid for like any other."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from click.testing import CliRunner

import hwsim
from hwsim.cli.group import hwsim as command
from hwsim.results import Run

BATCH, PATCHES = 10, 36
"""Samples of a mini-batch of digits-cnn, and patches of a sample."""
Train = Callable[..., Run]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    """Return ``simulate`` on digits-cnn with a new output folder for each call."""
    count = iter(range(1000))

    def start(trace: str = "digits-cnn", **options: Any) -> Run:
        return hwsim.simulate(trace, out=tmp_path / f"run{next(count)}", **{"steps": 4, **options})

    return start


def weights_of(run: Run) -> dict[str, np.ndarray]:
    return dict(np.load(run.path / "weights.npz"))


@pytest.mark.parametrize(
    ("algorithm", "epochs", "least", "most"),
    [("digital-sgd", 3, 0.92, 1), ("tiki-taka", 4, 0.8, 1), ("analog-sgd", 3, 0.3, 0.9)],
)
def test_what_each_algorithm_reaches(train: Train, algorithm: str, epochs: int, least: float, most: float) -> None:
    run = train(algorithm=algorithm, steps=None, epochs=epochs, timing=False)
    assert least <= run.summary["metrics"]["accuracy"] <= most


@pytest.mark.parametrize("algorithm", ["tiki-taka", "agad", "mixed-precision", "digital-sgd"])
def test_timing_changes_no_weight(train: Train, algorithm: str) -> None:
    timed, untimed = (weights_of(train(algorithm=algorithm, timing=timing)) for timing in (True, False))
    assert timed.keys() == untimed.keys() >= {"conv.weight", "conv.bias", "conv.scale", "output.weight"}
    assert timed["conv.weight"].shape == (8, 9)
    for name, value in timed.items():
        np.testing.assert_array_equal(value, untimed[name], err_msg=name)


def test_counts_and_energy_add_up(train: Train) -> None:
    run = train(steps=3)
    summary, events = run.summary, run.events()
    assert summary["counts"]["forward"] == summary["counts"]["update"] == 3 * BATCH * (PATCHES + 1)
    # Nobody needs the errors at the network's input, so the convolution has no backward pass.
    assert summary["counts"]["backward"] == 3 * BATCH
    converted = 3 * (BATCH * (PATCHES * 8 + 10 + 72)) + 3 * 4 * (8 + 10)
    assert summary["counts"]["adc_conversions"] == converted
    assert math.fsum(events.energy_J) == pytest.approx(summary["energy_J"], rel=1e-9)
    for name in ("component", "phase", "layer", "tile"):
        assert math.fsum(summary[f"energy_by_{name}"].values()) == pytest.approx(summary["energy_J"], rel=1e-9)
    assert {"conv", "pool", "output"} <= set(summary["energy_by_layer"])
    assert any("every patch" in text for text in summary["assumptions"])


def test_a_stream_of_patches_is_one_event_of_a_phase(train: Train) -> None:
    few, many = (
        train(steps=2, set=[f"trace.batch_size={n}", "algorithm.n_reads_per_transfer=1"]).events() for n in (2, 60)
    )
    assert len(few) == len(many)
    for events, n in ((few, 2), (many, 60)):
        reads = events[
            (events.operation == "forward") & (events.layer == "conv") & events.component.str.endswith("adc")
        ]
        assert reads["count"].tolist() == [n * PATCHES * 8] * 2


@pytest.mark.parametrize("kind", ["overlapped", "pipelined", "delayed"])
def test_other_schedules_do_the_same_work_in_less_time(train: Train, kind: str) -> None:
    wanted = train().summary
    options = ["chip.schedule.vectors=3"] if kind == "pipelined" else []
    got = train(set=[f"chip.schedule.kind={kind}", *options]).summary
    for name in ("forward", "backward", "update", "transfer_read"):
        assert got["counts"][name] == wanted["counts"][name]
    assert got["latency_s"] < wanted["latency_s"]


@pytest.mark.parametrize(
    ("settings", "reads"),
    [
        (["units_in_mbatch=true", "transfer_every=1"], 1 + 1),
        (["units_in_mbatch=true", "transfer_every=0.5"], 2 + 2),
        # As in AIHWKit 1.1.0, whose vectors are patches: 360 of the convolution and 10 of the linear layer a step.
        (["units_in_mbatch=false", "transfer_every=90"], 4 + 0),
        (["units_in_mbatch=false", "transfer_every=10"], 36 + 1),
    ],
    ids=str,
)
def test_transfers_count_mini_batches_or_patches(train: Train, settings: list[str], reads: int) -> None:
    settings = [f"algorithm.{setting}" for setting in ("n_reads_per_transfer=1", *settings)]
    assert train(steps=1, set=settings, timing=False).summary["counts"]["transfer_read"] == reads


def test_replicas_of_a_kernel_shorten_its_reads(train: Train) -> None:
    options = {"steps": 2, "algorithm": "analog-sgd"}
    one = train(**options).summary
    four = train(set={"trace.replicas": {"conv": 4}}, **options)
    summary = four.summary
    assert summary["mapping"]["conv"]["replicas"] == 4
    assert summary["tiles_used"] == one["tiles_used"] + 3
    assert {name: summary["counts"][name] for name in ("forward", "update", "adc_conversions")} == {
        name: one["counts"][name] for name in ("forward", "update", "adc_conversions")
    }
    assert summary["latency_by_phase"]["forward"] < one["latency_by_phase"]["forward"]
    assert summary["counts"]["coincidences"] > 1.5 * one["counts"]["coincidences"]
    assert any("replicas" in text for text in summary["assumptions"])
    timed, untimed = weights_of(four), weights_of(train(set={"trace.replicas": {"conv": 4}}, timing=False, **options))
    np.testing.assert_array_equal(timed["conv.weight"], untimed["conv.weight"])


def test_replicas_of_equal_devices_learn_as_one_matrix(train: Train) -> None:
    equal = {"device": {"name": "constant_step", "dw_min_dtod": 0.0, "dw_min_std": 0.0, "w_max_dtod": 0.0,
                        "w_min_dtod": 0.0, "up_down_dtod": 0.0}}  # fmt: skip
    exact = {f"tile.{way}.is_perfect": True for way in ("forward", "backward")}
    options = {**equal, "algorithm": {"name": "analog-sgd", "update": {"pulse_type": "mean_count"}}, "timing": False}
    one, three = (
        weights_of(train(set={**exact, "trace.replicas": {"conv": n}}, **options)) for n in (1, 3)
    )  # fmt: skip
    np.testing.assert_allclose(three["conv.weight"], one["conv.weight"], atol=1e-6)


def written(tmp_path: Path, **changes: Any) -> Path:
    """Write digits-cnn with changes to its network; returns the file."""
    trace = yaml.safe_load(Path(hwsim.__file__).parents[1].joinpath("traces", "digits-cnn.yaml").read_text())
    trace["network"] |= changes
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(trace, sort_keys=False), encoding="utf-8")
    return file


LAYERS = [
    {"name": "conv", "kind": "conv2d", "inputs": 1, "outputs": 8, "kernel": 3},
    {"name": "pool", "kind": "max_pool", "kernel": 2},
    {"name": "flat", "kind": "flatten"},
    {"name": "output", "inputs": 72, "outputs": 10, "activation": "log_softmax"},
]
BAD = [
    (0, {"kernel": 9}, "a kernel of 9 x 9 is larger than its input 1 x 8 x 8 with padding 0"),
    (0, {"kernel": 5, "dilation": 2}, "a kernel of 5 x 5 with dilation 2 is larger"),
    (0, {"inputs": 3}, "does not fit behind the network's input: it takes 3 inputs, but gets 1 (of 1 x 8 x 8)"),
    (0, {"outputs": 7}, "layer 'output' does not fit behind layer 'flat': it takes 72 inputs, but gets 63"),
    (0, {"stride": 0}, "greater than or equal to 1"),
    (0, {"kernl": 3}, "did you mean 'kernel'?"),
    (1, {"kind": "max_pol"}, "'max_pool'"),
    (1, {"padding": 2}, "padding 2 is more than half of the kernel 2"),
    (1, {"kernel": None, "stride": 2}, "give a kernel with them"),
    (2, {"kind": "activation", "activation": "tanh"}, "layer 'output' does not fit behind layer 'flat'"),
    (3, {"after": "conv"}, "no layer takes the output of layer 'flat'"),
    (2, {"kind": "attention", "heads": 1, "name": "attend", "after": "conv"}, "channels"),
]


@pytest.mark.parametrize(("index", "values", "message"), BAD, ids=lambda value: str(value))
def test_shapes_that_do_not_fit_are_refused_with_their_line(
    tmp_path: Path, index: int, values: dict, message: str
) -> None:
    layers = [dict(layer) for layer in LAYERS]
    layers[index] |= values
    file = written(tmp_path, layers=layers)
    result = CliRunner().invoke(command, ["run", str(file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert message in result.stderr
    assert f"{file}:" in result.stderr
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(command, ["check", str(file)]).exit_code == 2


def test_the_line_is_that_of_the_layer(tmp_path: Path) -> None:
    layers = [dict(layer) for layer in LAYERS]
    layers[3]["inputs"] = 71
    file = written(tmp_path, layers=layers)
    line = next(n for n, text in enumerate(file.read_text().splitlines(), 1) if "name: output" in text)
    result = CliRunner().invoke(command, ["run", str(file), "--out", str(tmp_path / "out")])
    assert f"{file}:{line}: network.layers.3" in result.stderr


def test_layers_without_numbers_are_refused_at_device_fidelity_only(tmp_path: Path) -> None:
    layers = [
        {"name": "up", "kind": "conv2d", "inputs": 1, "outputs": 6, "kernel": 3, "activation": "gelu"},
        {"name": "attend", "kind": "attention", "heads": 2},
        *LAYERS[1:3],
        {"name": "output", "inputs": 18, "outputs": 10, "activation": "log_softmax"},
    ]
    file = written(tmp_path, layers=layers)
    arguments = ["run", str(file), "--steps", "1", "--algorithm", "analog-sgd", "--out", str(tmp_path / "out")]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 2
    for text in ("no numbers for activation gelu (layer 'up'", "no numbers for layers of kind attention",
                 "network.layers.1", "use --fidelity activity"):  # fmt: skip
        assert text in result.stderr
    assert CliRunner().invoke(command, [*arguments, "--fidelity", "activity"]).exit_code == 0


def test_data_that_do_not_fit_the_input_are_refused(tmp_path: Path) -> None:
    file = written(
        tmp_path, input={"channels": 1, "height": 8, "width": 10}, layers=[*LAYERS[:3], {**LAYERS[3], "inputs": 96}]
    )
    result = CliRunner().invoke(command, ["run", str(file), "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert "digits has 64 features, but the network takes 1 x 8 x 10 = 80 numbers" in result.stderr


def small_images(file: Path, channels: int) -> Path:
    rng = np.random.default_rng(0)
    np.savez(file, x=rng.random((40, channels, 28, 28), dtype=np.float32), y=np.arange(40) % 10)
    return file


def test_a_trace_may_name_its_network(tmp_path: Path, train: Train) -> None:
    data = small_images(tmp_path / "images.npz", 1)
    trace = {
        "name": "named", "description": "a", "source": "a", "network": "lenet-5", "data": {"file": str(data)},
        "loss": "cross_entropy", "batch_size": 4, "epochs": 1, "learning_rate": 0.1,
    }  # fmt: skip
    file = tmp_path / "named.yaml"
    file.write_text(yaml.safe_dump(trace), encoding="utf-8")
    assert CliRunner().invoke(command, ["check", str(file)]).exit_code == 0
    first = train(str(file), steps=1)
    assert set(first.summary["mapping"]) == {"conv1", "conv2", "fc1", "fc2"}
    settings = {"trace.data.file": str(data), "trace.batch_size": 4}
    again = train("lenet-5", steps=1, set=settings)
    np.testing.assert_array_equal(weights_of(again)["conv1.weight"], weights_of(first)["conv1.weight"])
    trace["network"] = "lenet-6"
    file.write_text(yaml.safe_dump(trace), encoding="utf-8")
    result = CliRunner().invoke(command, ["check", str(file)])
    assert result.exit_code == 2
    assert "did you mean 'lenet-5'" in result.output
