"""What training must show: learning, failures with their folder, data files of any kind, live options."""

import json

import numpy as np
import pytest

import hwsim
from hwsim.errors import RunError
from hwsim.results import open_run


def test_tiki_taka_ends_near_digital_sgd_where_analog_sgd_fails(run) -> None:
    accuracy = {
        name: run(algorithm=None if name == "tiki-taka" else name, steps=None, timing=False).summary["metrics"][
            "accuracy"
        ]
        for name in ("digital-sgd", "analog-sgd", "tiki-taka")
    }
    assert accuracy["digital-sgd"] > 0.95
    assert accuracy["tiki-taka"] > accuracy["digital-sgd"] - 0.03
    assert accuracy["analog-sgd"] < accuracy["tiki-taka"] - 0.1


def test_any_npz_trains(run, npz) -> None:
    result = run(str(npz), epochs=20, steps=None, algorithm="digital-sgd")
    assert result.summary["metrics"]["accuracy"] > 0.9
    assert result.summary["samples"] == 20 * 48


def test_least_squares_reaches_the_digital_optimum(run) -> None:
    result = run("least-squares", algorithm="digital-sgd", epochs=400, steps=None, set=["tile.forward.w_noise=0"])
    assert result.summary["metrics"]["loss"] < 1e-6
    assert result.summary["metrics"]["accuracy"] is None


@pytest.mark.parametrize(
    "options",
    [
        {"transfer_columns": False},
        {"n_reads_per_transfer": 3},
        {"transfer_every": 2.0},
        {"transfer_every": 4.0, "units_in_mbatch": False},
        {"random_selection": True},
        {"gamma": 0.5},
        {"scale_fast_lr": True, "scale_transfer_lr": False, "transfer_lr": 0.1},
    ],
    ids=str,
)
def test_options_of_tiki_taka(run, options: dict) -> None:
    result = run(algorithm={"name": "tiki-taka", **options}, steps=20)
    counts = result.summary["counts"]
    every = options.get("transfer_every", 1.0) * (10 if options.get("units_in_mbatch", True) else 1)
    transfers = (
        2
        * int(20 * 10 // every)
        * options.get("n_reads_per_transfer", result.config["algorithm"]["parameters"]["n_reads_per_transfer"])
    )
    assert counts["transfer_read"] == transfers
    assert counts["transfer_write"] == transfers
    events = result.events(where="operation = 'transfer_read' and action = 'read' and component like '%crossbar'")
    assert set(events.array) == {0}
    forward = result.events(where="operation = 'forward' and action = 'read' and component like '%crossbar'")
    assert set(forward.array) == ({0, 1} if options.get("gamma") else {1})


def test_gamma_reads_the_weighted_sum_of_both_arrays(run) -> None:
    weights = run(algorithm={"name": "tiki-taka", "gamma": 0.5}, steps=20).weights()
    expected = np.float32(0.5) * weights["hidden.array0"] + weights["hidden.array1"]
    np.testing.assert_allclose(weights["hidden.weight"], expected, rtol=1e-6)


def test_a_diverging_run_fails_with_its_folder(tmp_path) -> None:
    with pytest.raises(RunError, match="diverged"):
        hwsim.simulate(algorithm="digital-sgd", set={"trace.learning_rate": 1e30}, out=tmp_path / "run", steps=50)
    state = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert state["state"] == "failed"
    assert "diverged" in state["error"]
    assert len(open_run(tmp_path / "run").events()) > 0


def test_a_failure_inside_a_step_keeps_what_was_flushed(tmp_path) -> None:
    def stop(step: int, *_: object) -> None:
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hwsim.simulate(out=tmp_path / "run", progress=stop)
    failed = open_run(tmp_path / "run")
    assert failed.info["state"] == "failed"
    assert failed.events().step.max() == 4
    assert len(failed.metrics) == 5


def test_the_configuration_in_the_folder_is_complete(run) -> None:
    result = run(set=["tile.adc.lines_per_adc=4"], seed=3)
    assert result.config["chip"]["tile"]["adc"]["lines_per_adc"] == 4
    assert result.config["seed"] == 3
    assert result.config["device"]["parameters"]["dw_min_std"] == 0.3
    assert result.config["algorithm"]["parameters"]["transfer_update"]["desired_bl"] == 31


def test_a_written_trace_chip_and_device_can_be_run_again(run, tmp_path) -> None:
    import yaml

    first = run()
    files = {}
    for part in ("trace", "chip", "device"):
        files[part] = str(tmp_path / f"{part}.yaml")
        with open(files[part], "w", encoding="utf-8") as file:
            yaml.safe_dump(first.config[part], file)
    again = run(files["trace"], chip=files["chip"], device=files["device"])
    np.testing.assert_array_equal(first.weights()["hidden.weight"], again.weights()["hidden.weight"])
    assert first.summary["energy_J"] == again.summary["energy_J"]
