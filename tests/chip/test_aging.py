"""Time on devices: simulated time changes them, lazily, on tiles as on single arrays."""

import numpy as np
import pytest

import hwsim
from hwsim.chip.operations import Digital, Forward, TransferRead, Update
from hwsim.devices import UpdateParameters, load_device
from hwsim.errors import UsageError

LIFETIME = 2e-6


def forgetting(**changes):
    return load_device("constant_step", dw_min=0.01, dw_min_dtod=0, dw_min_std=0, up_down_dtod=0, w_max_dtod=0,
                       w_min_dtod=0, lifetime="2 us", reset_std=0, **changes)  # fmt: skip


def idle(n):
    """Work of the digital unit that takes time while the devices do nothing."""
    return Digital("idle", "fc", n, {"add": 4}, lambda: None)


def test_weights_decay_over_simulated_time(make_chip, weights) -> None:
    chip = make_chip(device=forgetting())
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    chip.finish_placement()
    x = np.eye(8, dtype=np.float32)

    def program():
        before = yield Forward(matrix, x)
        started = chip.env.now
        yield idle(1000)
        return before, started, (yield Forward(matrix, x))

    before, started, after = chip.run(program())
    # A read sees the devices when the tile is free for it, not when it is asked for.
    waited = (chip.env.now - started) * 1e-12
    assert waited > 1e-6
    np.testing.assert_allclose(after, before * np.exp(-waited / LIFETIME), rtol=0.02)
    now = chip.env.now * 1e-12
    np.testing.assert_allclose(matrix.weights(), weights * np.exp(-now / LIFETIME), rtol=1e-4)


def test_each_operation_pays_the_time_until_it(make_chip, weights) -> None:
    """Cutting the time by operations that touch other lines changes nothing: decay is exact."""
    ends = []
    for cuts in (1, 5):
        chip = make_chip(device=forgetting())
        matrix = chip.place_analog("fc", weights, arrays=2, gains=(0.0, 1.0))
        chip.finish_placement()

        def program(cuts=cuts, matrix=matrix):
            for _ in range(cuts):
                yield idle(100 // cuts)
                yield TransferRead(matrix, 0, 0, "column")

        chip.run(program())
        ends.append((chip.env.now * 1e-12, matrix.weights()))
    for now, found in ends:
        np.testing.assert_allclose(found, weights * np.exp(-now / LIFETIME), rtol=1e-4)


def test_an_update_acts_on_the_aged_devices(make_chip, weights) -> None:
    chip = make_chip(device=forgetting())
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    chip.finish_placement()
    one = np.ones((1, 8), np.float32)

    def program():
        yield idle(1000)
        yield Update(matrix, 0, one, one, 0.05, UpdateParameters(pulse_type="mean_count"))

    chip.run(program())
    now = chip.env.now * 1e-12
    np.testing.assert_allclose(matrix.weights(), weights * np.exp(-now / LIFETIME) - 0.05, atol=1e-5)


def test_a_run_whose_devices_forget_needs_time(tmp_path) -> None:
    device = {"name": "soft_bounds_reference", "lifetime": "1 ms"}
    with pytest.raises(UsageError, match=r"changes with time.*timing"):
        hwsim.simulate(steps=1, device=device, timing=False, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_retention_shows_in_a_run(tmp_path) -> None:
    """Devices that keep nothing for longer than a step cannot learn; those that keep it for seconds can."""
    scores = {}
    for lifetime in ("10 ns", "1 s"):
        device = {"name": "soft_bounds_reference", "lifetime": lifetime, "dw_min": 0.002}
        run = hwsim.simulate(steps=400, device=device, seed=1, out=tmp_path / f"run{len(scores)}")
        scores[lifetime] = run.summary["metrics"]["accuracy"]
    assert scores["1 s"] > scores["10 ns"] + 0.3
