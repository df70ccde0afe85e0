import json
import sys
from types import ModuleType

import pytest

from hwsim.errors import RunError, SpecError
from hwsim.results import open_run


@pytest.fixture
def simulate(monkeypatch, run_folder):
    """Put a stand-in in the place of the simulator; return the arguments of its calls."""
    calls = []

    def simulate(trace="digits-mlp", **options):
        progress = options.pop("progress")
        calls.append((trace, options, progress))
        if progress is not None:
            for step in range(1, 4):
                progress(step, 3, 0, {"loss": 1.0, "test_accuracy": float("nan")})
        return open_run(run_folder)

    module = ModuleType("hwsim.run")
    module.simulate = simulate
    monkeypatch.setitem(sys.modules, "hwsim.run", module)
    monkeypatch.setattr("hwsim.run", module, raising=False)
    module.calls = calls
    return module


def test_without_arguments_the_bundled_trace_runs(call, simulate):
    assert "energy by component" in call("run").stdout
    trace, options, progress = simulate.calls[0]
    assert trace == "digits-mlp"
    assert options == {
        "chip": None, "device": None, "algorithm": None, "set": [], "seed": 0, "epochs": None, "steps": None, "data": None,
        "log": None, "probe": (), "fidelity": "device", "timing": True, "threads": 1, "out": None,
    }  # fmt: skip
    assert progress is None  # no terminal


def test_every_option_arrives(call, simulate, tmp_path):
    arguments = (
        "run mnist-fcn --chip c --device d --algorithm a --set tile.rows=128 --set device.dw_min=0.01 --seed 7 --epochs 2"
        " --log pulses --probe 0:3 --probe 1 --no-timing --threads 2 --quiet"
    ).split()
    out, data = tmp_path / "out", tmp_path / "data"
    output = call(*arguments, "--out", out, "--data", data).stdout
    trace, options, _ = simulate.calls[0]
    assert trace == "mnist-fcn"
    assert options == {
        "chip": "c", "device": "d", "algorithm": "a", "set": ["tile.rows=128", "device.dw_min=0.01"], "seed": 7, "epochs": 2,
        "steps": None, "data": data, "log": "pulses", "probe": ("0:3", "1"), "fidelity": "device", "timing": False,
        "threads": 2, "out": out,
    }  # fmt: skip
    assert output.strip().endswith("digits-mlp-tiki-taka-000")
    assert len(output.splitlines()) == 1


def test_json_is_one_object(call, simulate):
    shown = json.loads(call("run", "--json").stdout)
    assert shown["energy_J"] == pytest.approx(3.89e-6, rel=1e-3)
    assert shown["algorithm"] == "tiki-taka"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fidelity", "activity"],
        ["--epochs", "2", "--steps", "3"],
        ["--epochs", "0"],
        ["--steps", "-1"],
        ["--seed", "-1"],
        ["--seed", "x"],
        ["--threads", "0"],
        ["--log", "event"],
        ["--chp", "x"],
        ["a", "b"],
    ],
)
def test_bad_options_run_nothing(call, simulate, arguments):
    result = call("run", *arguments, code=2)
    assert result.stderr.startswith("error: ")
    assert simulate.calls == []


def test_errors_of_the_simulator(call, simulate, monkeypatch):
    def wrong(*_, **__):
        raise SpecError("--set tile.adc_bit: no such parameter; did you mean 'adc_bits'?")

    monkeypatch.setattr(simulate, "simulate", wrong)
    assert call("run", code=2).stderr.startswith("error: --set tile.adc_bit: no such parameter")

    def broken(*_, **__):
        raise RunError("NaN in the loss; see runs/x")

    monkeypatch.setattr(simulate, "simulate", broken)
    assert call("run", code=1).stderr == "error: NaN in the loss; see runs/x\n"


def test_progress_bar_on_a_terminal(monkeypatch, capfd):
    from hwsim.cli.progress import progress_bar

    with progress_bar() as progress:
        assert progress is None  # stderr is no terminal here
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress_bar(show=False) as progress:
        assert progress is None
    with progress_bar() as progress:
        for step in range(1, 10_001):
            progress(step, 10_000, step // 1000, {"loss": 0.5, "test_accuracy": 0.9})
    output = capfd.readouterr()
    assert output.out == ""
    assert "10000/10000" in output.err
    assert len(output.err) < 5000  # drawn by time, not by step
