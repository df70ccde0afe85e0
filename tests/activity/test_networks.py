"""Networks as lists of layers: published counts, shapes that chain, and their runs."""

import math
import time
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from hwsim import library
from hwsim.cli.group import hwsim
from hwsim.errors import SpecError
from hwsim.spec.architecture import ArchitectureSpec
from hwsim.spec.load import Document, build, load_network

from .conftest import SMALL


@pytest.mark.parametrize("name", library.names("networks"))
def test_counts_are_the_published_ones(name: str) -> None:
    # Published parameters are exact; operations are printed with three digits (BERT's 22.5 GFLOP hold softmax and the
    # like, so 1 %).
    network = load_network(name)
    assert network.published is not None
    assert network.parameters == network.published.parameters
    assert network.macs == pytest.approx(network.published.macs, rel=0.01 if name == "bert-base" else 0.003)


def test_known_sizes() -> None:
    # Independent of the files' own numbers. Largest matrices: arXiv 2510.02516, table 7.
    matrices = {layer.name: layer.matrix for layer in load_network("resnet-18").matrix_layers}
    assert max(matrices.values(), key=math.prod) == (512, 4608)
    assert max((layer.matrix for layer in load_network("lenet-5").matrix_layers), key=math.prod) == (128, 512)
    assert load_network("resnet-50").macs == 4_089_184_256
    assert load_network("bert-base").parameters == 109_482_240 + 2 * 768 + 2
    assert load_network("resnet-50").shapes["layer4_2_add"] == (2048, 7, 7)


def test_the_small_network_by_hand() -> None:
    network = build(ArchitectureSpec, Document(SMALL))
    assert network.parameters == 6 * 18 + 12 + 6 * 54 + 6 + 4 * 96 + 4
    assert network.macs == 64 * 6 * 18 + 64 * 6 * 54 + 4 * 96
    conv = network.layers[0]
    assert (conv.matrix, conv.vectors(network.given(conv))) == ((6, 18), 64)
    assert network.shapes["pool"] == (6, 4, 4)


@pytest.mark.parametrize(
    ("index", "values", "message"),
    [
        (2, {"inputs": 5}, "layer 'conv2' does not fit behind layer 'norm1': it takes 5 inputs, but gets 6"),
        (6, {"inputs": 95}, "it takes 95 inputs, but gets 96"),
        (2, {"kernel": 13}, "a kernel of 13 x 13 is larger than its input 6 x 8 x 8 with padding 1"),
        (2, {"stride": 2}, "it adds 6 x 8 x 8 (of 'norm1') to 6 x 4 x 4"),
        (3, {"plus": "fc"}, "layer 'sum' names 'fc', which is no layer before it"),
        (3, {"after": "nothing"}, "names 'nothing'"),
        (4, {"name": "sum"}, "two layers are called 'sum'"),
        (0, {"groups": 4}, "4 groups must divide"),
        (4, {"kind": "maxpool"}, "kind"),
        (4, {"kernl": 2}, "kernl"),
    ],
    ids=str,
)
def test_layers_that_do_not_chain_are_refused(index: int, values: dict, message: str) -> None:
    layers = [dict(layer) for layer in SMALL["layers"]]
    layers[index] |= values
    with pytest.raises(SpecError) as error:
        build(ArchitectureSpec, Document(SMALL | {"layers": layers}))
    assert message in str(error.value)


def test_everything_of_a_network_run_adds_up(run, small) -> None:
    result = run(small(), set=["trace.batch_size=3"])
    summary, events = result.summary, result.events()
    for name in ("component", "phase", "layer", "tile"):
        assert math.fsum(summary[f"energy_by_{name}"].values()) == pytest.approx(summary["energy_J"], rel=1e-9)
    assert math.fsum(events.energy_J) == pytest.approx(summary["energy_J"], rel=1e-9)
    assert math.fsum(summary["latency_by_layer"].values()) == pytest.approx(summary["latency_s"], rel=1e-9)
    # Every layer reads its vectors forward, all but the first backward, and every vector is a rank-1 update.
    assert summary["counts"]["forward"] == 3 * (64 + 64 + 1)
    assert summary["counts"]["backward"] == 3 * (64 + 1)
    assert summary["counts"]["update"] == 3 * (64 + 64 + 1)
    converted = events[(events.action == "convert") & events.component.str.endswith("adc")]["count"].sum()
    assert converted == summary["counts"]["adc_conversions"] == 3 * (64 * 6 + 64 * 6 + 4 + 64 * 54 + 96)
    assert summary["mapping"]["conv2"] == {"shape": [6, 54], "blocks": [1, 1], "replicas": 1, "arrays": 1, "tiles": [1]}
    assert summary["cell_utilization"] == pytest.approx((6 * 18 + 6 * 54 + 4 * 96) / (3 * 2 * 256 * 1024))


def test_events_do_not_grow_with_the_vectors(run, small) -> None:
    rows = {n: len(run(small(), set=[f"trace.batch_size={n}", f"trace.samples={n}"]).events()) for n in (2, 64)}
    assert rows[2] == rows[64]


@pytest.mark.parametrize("kind", ["sequential", "overlapped", "pipelined", "delayed"])
def test_schedules_do_the_same_work(run, small, kind: str) -> None:
    options = ["trace.batch_size=4", "trace.samples=12"]
    wanted = run(small(), steps=3, set=options).summary
    got = run(small(), steps=3, set=[*options, f"chip.schedule.kind={kind}"]).summary
    assert {key: got["counts"][key] for key in ("forward", "update")} == {
        key: wanted["counts"][key] for key in ("forward", "update")
    }
    assert got["latency_s"] <= wanted["latency_s"]


@pytest.mark.parametrize("name", ["resnet-50", "swin-tiny", "bert-base"])
def test_a_step_of_a_large_network_takes_seconds(run, name: str) -> None:
    begun = time.perf_counter()
    result = run(name, chip="large", log="none")
    assert time.perf_counter() - begun < 60
    assert result.summary["samples"] == 32
    assert 0 < result.summary["cell_utilization"] <= 1


@pytest.mark.parametrize("algorithm", ["tiki-taka", "ttv2", "mixed-precision", "digital-sgd"])
def test_every_kind_of_algorithm_updates_a_network(run, small, algorithm: str) -> None:
    assert run(small(), algorithm=algorithm).summary["energy_by_phase"]["update"] > 0


def test_networks_command() -> None:
    shown = CliRunner().invoke(hwsim, ["networks"])
    assert shown.exit_code == 0
    assert "25 557 032" in shown.output
    one = CliRunner().invoke(hwsim, ["networks", "resnet-50"])
    assert "512 x 4608" in one.output
    assert "published" in one.output
    assert CliRunner().invoke(hwsim, ["networks", "lenet-5", "--json"]).exit_code == 0
    assert "did you mean 'resnet-50'" in CliRunner().invoke(hwsim, ["networks", "resnet-5"]).stderr


BAD_RUNS = [
    (["resnet-50"], "use --fidelity activity"),
    (["resnet-50", "--fidelity", "activity"], "needs 165 tiles of 256 x 1024, but chip 'baseline' has 8"),
    (["resnet-51", "--fidelity", "activity"], "did you mean 'resnet-50'?"),
    (["--fidelity", "activity", "--log", "pulses", "--probe", "0"], "no pulses to log"),
    (["--fidelity", "activity", "--no-timing"], "leave timing on"),
    (["--statistics", "digits-mlp"], "use --fidelity activity with them"),
    (["--fidelity", "activity", "--statistics", "mnist-fcn"], "have no layer 'hidden' (they have: fc1, fc2, fc3)"),
    (["--fidelity", "activity", "--statistics", "digits-mpl"], "did you mean 'digits-mlp'?"),
    (["--fidelity", "activity", "--statistics", "digits-mlp", "--algorithm", "ttv2"],
     "recorded with algorithm tiki-taka"),
    (["--fidelity", "activity", "--statistics", "."], "holds no statistics.yaml"),
    (["--fidelity", "activity", "--device", "pcm-pair", "--set", "unit_cell.refresh_every=5"], "use --fidelity device"),
    (["lenet-5", "--fidelity", "activity", "--set", "trace.replicas={conv9: 2}"],
     "no layer with weights is called 'conv9'"),
    (["lenet-5", "--fidelity", "activity", "--set", "trace.replicas={conv1: 0}"], "must be at least 1"),
    (["lenet-5", "--fidelity", "activity", "--set", "trace.vectors_per_replica=1"], "or fewer replicas"),
    (["lenet-5", "--fidelity", "activity", "--set", "buffer.banks=1"], "of the buffer"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"), BAD_RUNS, ids=lambda value: " ".join(value) if isinstance(value, list) else ""
)
def test_bad_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], message: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(hwsim, ["run", "--out", str(tmp_path / "out"), *options])
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_network_file_is_named_with_its_line(tmp_path: Path, small) -> None:
    file = Path(small())
    file.write_text(file.read_text(encoding="utf-8").replace("kernel: 2", "kernell: 2"), encoding="utf-8")
    number = next(n for n, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if "kernell" in line)
    result = CliRunner().invoke(hwsim, ["run", str(file), "--fidelity", "activity", "--out", str(tmp_path / "out")])
    assert result.exit_code == 2
    assert f"{file}:{number}" in result.stderr
    assert CliRunner().invoke(hwsim, ["check", str(file)]).exit_code == 2


@pytest.mark.parametrize("kind", ["overlapped", "pipelined", "delayed"])
def test_replicas_on_shared_tiles_never_stand_still(run, small, kind: str) -> None:
    options = ["trace.samples=8", "trace.batch_size=4", "trace.vectors_per_replica=16", "chip.mapping.share_tiles=true"]
    summary = run(small(), steps=2, algorithm="tiki-taka", set=[*options, f"chip.schedule.kind={kind}"]).summary
    assert summary["mapping"]["conv1"]["replicas"] == summary["mapping"]["conv2"]["replicas"] == 4
    assert summary["tiles_used"] == 4
    assert summary["steps"] == 2


def test_a_written_network_trace_and_its_statistics_run_again(run, small, tmp_path: Path) -> None:
    first = run(small(), set=["trace.batch_size=3"])
    files = {name: tmp_path / f"{name}-again.yaml" for name in ("trace", "statistics")}
    for name, file in files.items():
        file.write_text(yaml.safe_dump(first.config[name]), encoding="utf-8")
    again = run(str(files["trace"]), statistics=files["statistics"])
    assert again.summary["energy_J"] == first.summary["energy_J"]
    assert again.summary["latency_s"] == first.summary["latency_s"]
