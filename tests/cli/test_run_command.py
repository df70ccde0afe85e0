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


DEFAULTS = {
    "chip": None, "device": None, "algorithm": None, "set": [], "seed": 0, "epochs": None, "steps": None,
    "data": None, "log": None, "probe": (), "fidelity": "device", "statistics": None,
    "timing": True, "threads": 1, "out": None, "record": None, "checkpoint": None,
}  # fmt: skip


def test_without_arguments_the_bundled_trace_runs(call, simulate):
    assert "energy by component" in call("run").stdout
    assert simulate.calls == [("digits-mlp", DEFAULTS, None)]  # no progress bar without a terminal


def test_every_option_arrives(call, simulate, tmp_path):
    arguments = {
        "--chip": "c", "--device": "d", "--algorithm": "a", "--seed": 7, "--epochs": 2, "--log": "pulses",
        "--threads": 2, "--out": tmp_path / "out", "--data": tmp_path / "data",
    }  # fmt: skip
    pairs = [part for pair in arguments.items() for part in pair]
    repeated = ["--set", "tile.rows=128", "--set", "device.dw_min=0.01", "--probe", "0:3", "--probe", "1"]
    output = call("run", "mnist-fcn", *pairs, *repeated, "--no-timing", "--quiet").stdout
    expected = {name.removeprefix("--"): value for name, value in arguments.items()}
    expected |= {"set": ["tile.rows=128", "device.dw_min=0.01"], "probe": ("0:3", "1"), "timing": False}
    assert simulate.calls == [("mnist-fcn", DEFAULTS | expected, None)]
    assert output.strip().endswith("digits-mlp-tiki-taka-000")
    assert len(output.splitlines()) == 1


@pytest.mark.usefixtures("simulate")
def test_json_is_one_object(call):
    shown = json.loads(call("run", "--json").stdout)
    assert shown["energy_J"] == pytest.approx(3.89e-6, rel=1e-3)
    assert shown["algorithm"] == "tiki-taka"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--fidelity", "exact"],
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
