"""Unit cells of several devices: which devices an update reaches, what a read sees, what the logs say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.devices import DeviceArray, IOParameters, UpdateParameters, load_device, make_cells, plan_trains
from hwsim.errors import DataError, SpecError, UsageError

STILL: dict[str, Any] = {
    "dw_min_dtod": 0,
    "up_down_dtod": 0,
    "w_max_dtod": 0,
    "w_min_dtod": 0,
    "w_max": 5.0,
    "w_min": -5.0,
}
POLICIES = ("all", "single_fixed", "single_sequential", "single_random")
WHOLE = (slice(None), slice(None))


def vector(n: int = 3, **options: Any) -> Any:
    cell = {f"unit_cell__{key}": options.pop(key) for key in list(options) if key in
            ("gamma_vec", "update_policy", "first_update_idx", "choose_per", "gains_in_granularity")}  # fmt: skip
    law = {**STILL, "dw_min_std": 0.0, **options}
    return load_device("constant_step", unit_cell__kind="vector", unit_cell__devices=n, **cell, **law)


def gradient(n: int, shape: tuple[int, int] = (20, 30), seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.uniform(0.2, 1, (n, shape[1])).astype(np.float32), rng.uniform(0.2, 1, (n, shape[0])).astype(np.float32)


def pulses(result: Any) -> np.ndarray:
    """Pulses of each device on each sample, (devices, n)."""
    return np.array([part.pulses_up + part.pulses_down for part in result.by_device])


def test_the_weight_is_the_weighted_sum_of_the_devices() -> None:
    cells = make_cells(load_device("reram-es-4", unit_cell__gamma_vec=(0.1, 0.2, 0.3, 0.4)), (6, 7), seed=1)
    cells.update(*gradient(20, (6, 7)), 0.05)
    total = sum(g * device.weights.astype(float) for g, device in zip((0.1, 0.2, 0.3, 0.4), cells.devices, strict=True))
    np.testing.assert_allclose(cells.weights, total, atol=1e-6)
    x = np.random.default_rng(2).uniform(-1, 1, (5, 7)).astype(np.float32)
    perfect = IOParameters(is_perfect=True)
    np.testing.assert_allclose(cells.forward(x, perfect), x @ cells.weights.T, atol=1e-5)
    np.testing.assert_allclose(cells.read_line(3, io=perfect).y[0], cells.weights[:, 3], atol=1e-6)
    for sums, axis in zip(cells.line_sums(), (1, 0), strict=True):
        np.testing.assert_allclose(sums, cells.weights.astype(float).sum(axis), atol=1e-5)


def test_set_weights_gives_every_device_the_same_value() -> None:
    cells = make_cells(vector(gamma_vec=(1.0, 2.0, 1.0)), (2, 3))
    cells.set_weights(0.4)
    for device in cells.devices:
        np.testing.assert_allclose(device.weights, 0.1, rtol=1e-6)
    np.testing.assert_allclose(cells.weights, 0.4, rtol=1e-6)


def test_devices_of_a_cell_differ_from_each_other() -> None:
    bounds = [device.parameters()["max_bound"] for device in make_cells(load_device("ecram-4"), (30, 30)).devices]
    correlation = np.corrcoef([bound.ravel() for bound in bounds]) - np.eye(4)
    assert np.abs(correlation).max() < 5 / 30


def test_all_devices_see_the_same_coincidences_with_noise_of_their_own() -> None:
    cells = make_cells(vector(update_policy="all", dw_min_std=0.3), (20, 30), seed=3)
    result = cells.update(*gradient(4), 0.02, probe=WHOLE)
    logs = [part.log for part in result.parts]
    for log in logs[1:]:
        for column in ("sample", "slot", "row", "col", "polarity"):
            np.testing.assert_array_equal(getattr(log, column), getattr(logs[0], column))
    steps = np.array([log.dw for log in logs])
    assert np.abs(np.corrcoef(steps) - np.eye(3)).max() < 5 / np.sqrt(steps.shape[1])
    assert int(result.pulses_down.sum()) == steps.size


@pytest.mark.parametrize("policy", POLICIES)
def test_mean_update_of_each_policy(policy: str) -> None:
    """E[dw] = -lr x d times the sum of the gains of the devices that are pulsed."""
    gains = (0.5, 0.3, 0.2)
    cells = make_cells(
        vector(update_policy=policy, gamma_vec=gains, first_update_idx=1, choose_per="vector"), (4, 5), seed=4
    )
    # Counts 40 * 0.25 = 10 and 40 * 0.2 = 8 in 40 slots meet twice, so every update is exact.
    exact = UpdateParameters(
        desired_bl=40, pulse_type="mean_count", update_management=False, update_bl_management=False
    )
    n, lr = 300, 0.01
    cells.update(np.full((n, 5), 0.5), np.full((n, 4), 0.4), lr, exact)
    share = {"all": 1.0, "single_fixed": 0.3}.get(policy, 1 / 3)
    spread = n**0.5 * lr * 0.2 * np.std(gains) if policy == "single_random" else 0.0
    np.testing.assert_allclose(cells.weights, -n * lr * 0.2 * share, atol=4 * spread + 1e-4)
    assert cells.granularity == 0.001


@pytest.mark.parametrize("policy", POLICIES)
def test_gains_in_granularity_make_the_mean_update_that_of_the_contract(policy: str) -> None:
    device = vector(4, update_policy=policy, gains_in_granularity=True)
    cells = make_cells(device, (40, 50), seed=5)
    cells.update(np.full((200, 50), 0.5), np.full((200, 40), 0.4), 0.01)
    # Each of 2000 devices gets about 200 * 0.002 / 0.00025 steps of 0.00025.
    assert cells.weights.mean() == pytest.approx(-200 * 0.01 * 0.2, rel=0.01)


def test_fixed_and_sequential_policies_take_the_devices_in_order() -> None:
    fixed = make_cells(vector(update_policy="single_fixed", first_update_idx=2), (20, 30))
    assert ((pulses(fixed.update(*gradient(5), 0.02)) > 0) == np.array([[False], [False], [True]])).all()
    sequential = make_cells(
        vector(update_policy="single_sequential", first_update_idx=1, choose_per="vector"), (20, 30)
    )
    taken = [pulses(sequential.update(*gradient(n), 0.02)).argmax(axis=0) for n in (4, 3)]
    assert np.concatenate(taken).tolist() == [1, 2, 0, 1, 2, 0, 1]


def test_random_policy_is_uniform_and_takes_one_device_at_a_time() -> None:
    cells = make_cells(vector(4, update_policy="single_random", choose_per="vector"), (2, 3), seed=6)
    n = 4000
    reached = pulses(cells.update(*gradient(n, (2, 3)), 0.1)) > 0
    assert (reached.sum(axis=0) == 1).all()
    counts = reached.sum(axis=1)
    assert ((counts - n / 4) ** 2 / (n / 4)).sum() < 16.27  # chi-squared, 3 degrees of freedom, p = 0.001
    first = reached.argmax(axis=0)
    assert (first[1:] == first[:-1]).mean() == pytest.approx(0.25, abs=5 * np.sqrt(0.25 * 0.75 / n))


def test_d13_a_choice_lasts_for_the_mini_batch() -> None:
    """Defect D13: AIHWKit 1.1.0 chooses for each vector on a CPU, its documentation says for each mini-batch."""
    cells = make_cells(vector(update_policy="single_random"), (20, 30), seed=7)
    taken = [pulses(cells.update(*gradient(5, seed=i), 0.02)) > 0 for i in range(40)]
    assert all((one.sum(axis=0) == 1).all() and (one == one[:, :1]).all() for one in taken)
    assert len({int(one[:, 0].argmax()) for one in taken}) == 3
    sequential = make_cells(vector(update_policy="single_sequential", first_update_idx=1), (20, 30))
    assert [int(pulses(sequential.update(*gradient(4), 0.02))[:, 0].argmax()) for _ in range(4)] == [1, 2, 0, 1]


@pytest.mark.parametrize("policy", POLICIES)
def test_trains_are_those_of_a_single_device(policy: str) -> None:
    """Whatever the policy, the coincidences of all devices together are those that one device would see."""
    x, d = gradient(12)
    plan = plan_trains(x, d, 0.02, 0.001)
    one = DeviceArray(load_device("constant_step", **STILL), (20, 30), seed=8, path="p")
    single = one.apply_trains(x, d, plan)
    many = make_cells(vector(update_policy=policy), (20, 30), seed=8, path="p").apply_trains(x, d, plan)
    each = 3 if policy == "all" else 1
    np.testing.assert_array_equal(many.pulses_down, each * single.pulses_down)
    np.testing.assert_array_equal(many.row_fires, single.row_fires)
    np.testing.assert_array_equal(many.col_fires, single.col_fires)


@pytest.mark.parametrize("policy", POLICIES)
def test_float_updates_reach_the_chosen_devices(policy: str) -> None:
    x, d = gradient(6)
    cells = make_cells(vector(update_policy=policy), (20, 30))
    cells.update(x, d, 0.01, UpdateParameters(pulse_type="none_with_device"))
    product = -0.01 * np.einsum("ni,nj->nij", d, x)
    total = {"all": product.sum(0), "single_fixed": product.sum(0) / 3}.get(policy, product.sum(0) / 3)
    np.testing.assert_allclose(cells.weights, total, atol=1e-6)


@pytest.mark.parametrize("name", ["reram-es-2", "capacitor-4"])
def test_same_bits_for_threads_probes_and_after_restore(name: str) -> None:
    def grown(threads: int, probe: Any) -> Any:
        cells = make_cells(load_device(name), (23, 50), seed=9, threads=threads)
        cells.update(*gradient(7, (23, 50)), 0.02, probe=probe)
        cells.pulse(+1)
        return cells

    first, second = grown(1, None), grown(3, WHOLE)
    assert first.weights.tobytes() == second.weights.tobytes()
    resumed = make_cells(load_device(name), (23, 50), seed=9)
    resumed.restore(first.state())
    for cells in (first, resumed):
        cells.update(*gradient(7, (23, 50), seed=1), 0.02)
    assert first.weights.tobytes() == resumed.weights.tobytes()


@pytest.mark.parametrize("n", [2, 4])
@pytest.mark.parametrize("name", ["reram-es", "reram-sb", "capacitor", "ecram", "ecram-mo", "idealized"])
def test_vector_presets_are_their_device_with_random_choice(name: str, n: int) -> None:
    preset, device = load_device(f"{name}-{n}"), load_device(name)
    assert preset.parameters == device.parameters
    assert preset.cell == device.cell
    cell: Any = preset.unit_cell
    assert (cell.kind, cell.update_policy, cell.gains) == ("vector", "single_random", (1 / n,) * n)


def test_bad_unit_cells_are_refused_with_reason() -> None:
    with pytest.raises(SpecError, match=r"no unit cell is called .vectr.*vector"):
        load_device("ecram", unit_cell__kind="vectr")
    with pytest.raises(SpecError, match="one gain for each of the 3 devices"):
        vector(gamma_vec=(0.5, 0.5))
    with pytest.raises(SpecError, match="positive sum"):
        vector(gamma_vec=(1.0, -1.0, 0.0))
    with pytest.raises(SpecError, match="first_update_idx must be below the number of devices, 3"):
        vector(first_update_idx=3)
    with pytest.raises(SpecError, match="update_policy"):
        vector(update_policy="some")
    with pytest.raises(SpecError, match="did you mean"):
        load_device("ecram", unit_cell__kind="vector", unit_cell__device=3)
    with pytest.raises(UsageError, match="2 devices a weight; use make_cells"):
        DeviceArray(load_device("ecram-2"), (3, 3))
    cells = make_cells(load_device("ecram-2"), (3, 3))
    with pytest.raises(DataError, match="shape"):
        cells.set_weights(np.zeros((3, 4)))
    with pytest.raises(DataError, match="no state"):
        cells.restore({"devices": []})
