"""Activity fidelity against device fidelity: time within 1 %, energy within 5 %, with another seed's statistics."""

import os
from pathlib import Path

import pytest

from hwsim.results import Run
from hwsim.training.algorithms import ALGORITHMS

STEPS = 40
CASES = {
    "tiki-taka": {},
    "analog-sgd": {"algorithm": "analog-sgd"},
    "digital-sgd": {"algorithm": "digital-sgd"},
    "agad": {"algorithm": "agad"},
    "ttv2, several devices a cell": {"algorithm": "ttv2", "set": ["unit_cell.kind=vector"]},
    "split over tiles": {"chip": "small-tiles", "set": ["chip.tile.rows=16", "chip.tile.cols=24"]},
    "pipelined": {"set": ["chip.schedule.kind=pipelined", "chip.schedule.vectors=3"]},
    "delayed": {"set": ["chip.schedule.kind=delayed"]},
    "shared tile": {"set": ["chip.mapping.share_tiles=true"]},
    "convolution": {"trace": "digits-cnn"},
    "convolution, analog-sgd, overlapped": {
        "trace": "digits-cnn", "algorithm": "analog-sgd", "set": ["chip.schedule.kind=overlapped"],
    },
    "convolution on replicas": {"trace": "digits-cnn", "set": {"trace.vectors_per_replica": 12}},
}  # fmt: skip


def assert_agrees(expected: Run, measured: Run) -> None:
    assert expected.summary["latency_s"] == pytest.approx(measured.summary["latency_s"], rel=0.01)
    assert expected.summary["energy_J"] == pytest.approx(measured.summary["energy_J"], rel=0.05)
    for name in ("forward", "backward", "update", "digital_operations", "adc_conversions"):
        wanted = measured.summary["counts"].get(name)
        assert expected.summary["counts"].get(name) == pytest.approx(wanted, rel=0.02) if wanted else True


@pytest.mark.parametrize("case", CASES)
def test_recorded_statistics_stand_for_another_seed(run, case: str) -> None:
    options = CASES[case] | {"steps": STEPS, "log": "none"}
    recorded = run(fidelity="device", seed=1, **options)
    measured = run(fidelity="device", seed=2, **options)
    assert_agrees(run(seed=2, statistics=recorded.path, **options), measured)


@pytest.mark.parametrize("steps", [20, 150])
def test_the_bundled_statistics_of_digits_agree_with_another_seed(run, steps: int) -> None:
    assert_agrees(run(steps=steps, log="none"), run(fidelity="device", seed=4, steps=steps, log="none"))


@pytest.mark.skipif(not os.environ.get("HWSIM_DATA"), reason="needs MNIST in $HWSIM_DATA")
@pytest.mark.parametrize("trace", ["mnist-fcn", "mnist-cnn"])
def test_the_bundled_statistics_of_mnist_agree_with_another_seed(run, trace: str) -> None:
    options = {"steps": 40, "log": "none", "set": ["trace.data.limit_test=100"]}
    assert_agrees(run(trace, steps=40, log="none"), run(trace, fidelity="device", seed=4, **options))


def test_the_energy_of_the_crossbars_agrees_too(run) -> None:
    options = {"algorithm": "analog-sgd", "steps": STEPS, "log": "none"}
    recorded = run(fidelity="device", seed=1, **options)
    again = run(seed=1, statistics=recorded.path, **options)
    for component, energy in recorded.summary["energy_by_component"].items():
        assert again.summary["energy_by_component"][component] == pytest.approx(energy, rel=0.01), component
    for name in ("pulses_up", "pulses_down", "coincidences"):
        assert again.summary["counts"][name] == pytest.approx(recorded.summary["counts"][name], rel=0.001)


def test_writes_of_whole_steps_take_no_products_in_either(run) -> None:
    options = {"algorithm": "ttv2", "steps": STEPS}
    recorded = run(fidelity="device", seed=1, **options)
    for result in (recorded, run(seed=1, statistics=recorded.path, **options)):
        writes = result.events("operation = 'transfer_write'")
        assert (writes.action == "write").any()
        assert not (writes.component == "digital").any()


def test_an_activity_run_needs_no_data_and_pretends_nothing(run, tmp_path: Path) -> None:
    result = run("mnist-fcn", steps=2)
    assert result.summary["fidelity"] == "activity"
    assert result.summary["metrics"] == {"loss": None, "accuracy": None, "train_loss": None}
    assert result.metrics.loss.isna().all()
    assert not (result.path / "weights.npz").exists()
    assert any("nothing is learnt" in text for text in result.summary["assumptions"])
    assert any("recorded by hwsim" in text for text in result.summary["assumptions"])
    assert result.config["statistics"]["trace"] == "mnist-fcn"
    result.report(tmp_path / "report.html")


ARRAYS = {"multi-tile": ["tile.arrays=3"]}


@pytest.mark.parametrize("name", sorted({*ALGORITHMS.names()} - {"smooth-analog-sgd", "digital-sgd", "tiki-taka"}))
def test_the_bundled_statistics_of_each_algorithm_agree_with_another_seed(run, name: str) -> None:
    options = {"algorithm": name, "steps": 40, "log": "none", "set": ARRAYS.get(name, [])}
    expected = run(**options)
    assert expected.config["statistics"]["algorithm"] == name
    assert_agrees(expected, run(fidelity="device", seed=7, **options))


def test_what_has_not_been_recorded_takes_the_default_and_says_so(run) -> None:
    summary = run("digits-cnn", algorithm="mixed-precision").summary
    assert any("Assumption of this project" in text for text in summary["assumptions"])


def test_same_seed_same_bits(run) -> None:
    first, second = (run(steps=5) for _ in range(2))
    assert first.events().equals(second.events())
