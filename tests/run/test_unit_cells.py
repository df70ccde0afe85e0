"""Training with unit cells of several devices: the same bits whatever is watched, complete logs, and it learns."""

from __future__ import annotations

import numpy as np
import pytest

import hwsim
from hwsim.errors import HwsimError


def weights(run: hwsim.Run) -> dict[str, bytes]:
    with np.load(run.path / "weights.npz") as arrays:
        return {name: arrays[name].tobytes() for name in arrays.files}


@pytest.mark.parametrize("device", ["reram-es-2", "pcm-pair"])
def test_threads_probes_and_timing_change_no_bit(tmp_path, device: str) -> None:
    plain = hwsim.simulate(device=device, algorithm="analog-sgd", steps=6, out=tmp_path / "a")
    watched = hwsim.simulate(
        device=device, algorithm="analog-sgd", steps=6, out=tmp_path / "b", threads=2, log="pulses", probe=["0:0-7"]
    )
    untimed = hwsim.simulate(device=device, algorithm="analog-sgd", steps=6, out=tmp_path / "c", timing=False)
    assert weights(plain) == weights(watched) == weights(untimed)
    pulses = watched.pulses()
    assert set(pulses["device"]) == {0, 1}
    assert (np.diff(pulses["t_ps"]) >= 0).all()
    if device == "pcm-pair":
        assert (pulses["polarity"] == 1).all()


@pytest.mark.parametrize(("device", "algorithm"), [("pcm-pair", "analog-sgd"), ("capacitor-2", "analog-sgd")])
def test_training_learns_and_its_energy_is_complete(tmp_path, device: str, algorithm: str) -> None:
    run = hwsim.simulate("digits-mlp", device=device, algorithm=algorithm, epochs=1, out=tmp_path / "run")
    assert run.summary["metrics"]["accuracy"] > 0.5  # ten classes: chance is 0.1
    events = run.events()
    assert events["energy_J"].sum() == pytest.approx(run.summary["energy_J"], rel=1e-9)
    refreshes = events[(events["operation"] == "refresh") & (events["component"] == "controller")]
    assert ("refresh" in run.summary["energy_by_phase"]) == (device == "pcm-pair")
    assert (len(refreshes) > 0) == (device == "pcm-pair")


def test_settings_reach_the_unit_cell(tmp_path) -> None:
    run = hwsim.simulate(
        "digits-mlp", device="capacitor", algorithm="analog-sgd", steps=2, out=tmp_path / "run",
        set={"unit_cell.kind": "vector", "device.unit_cell.devices": 3, "unit_cell.update_policy": "all"},
    )  # fmt: skip
    config = run.config["device"]["unit_cell"]
    assert (config["kind"], config["devices"], config["update_policy"]) == ("vector", 3, "all")
    assert run.summary["counts"]["coincidences"] % 3 == 0
    with pytest.raises(HwsimError, match="update_policy"):
        hwsim.simulate("digits-mlp", device="ecram-2", set=["unit_cell.update_policy=some"], out=tmp_path / "no")
    assert not (tmp_path / "no").exists()
