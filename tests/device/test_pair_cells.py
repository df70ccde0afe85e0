"""Cells of two devices whose difference is the weight, against plain NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.devices import DeviceArray, UpdateParameters, law_names, load_device, make_cells, plan_trains
from hwsim.errors import DataError

STILL: dict[str, Any] = {"dw_min_dtod": 0, "dw_min_std": 0, "up_down_dtod": 0, "w_max_dtod": 0, "w_min_dtod": 0}
SHAPE = (21, 34)
WHOLE = (slice(None), slice(None))
SCHEMES = ("stochastic_compressed", "stochastic", "mean_count", "deterministic_implicit")


def pair(kind: str, law: str = "constant_step", **options: Any) -> Any:
    return load_device(law, unit_cell__kind=kind, **{**STILL, "w_max": 4.0, "w_min": -4.0, **options})


def gradient(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    return rng.uniform(-1, 1, (n, SHAPE[1])).astype(np.float32), rng.uniform(-1, 1, (n, SHAPE[0])).astype(np.float32)


def counted(log: Any, sign: int) -> np.ndarray:
    """Pulses of one polarity on every device, (rows, cols)."""
    counts = np.zeros(SHAPE)
    np.add.at(counts, (log.row[log.polarity == sign], log.col[log.polarity == sign]), 1)
    return counts


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("lr", [0.02, -0.02])
def test_one_sided_pair_counts_up_and_down_apart(scheme: Any, lr: float) -> None:
    """A constant device far from its bounds counts pulses: device 0 the ups of a plain device, device 1 the downs."""
    x, d = gradient(9)
    plan = plan_trains(x, d, lr, 0.001, UpdateParameters(pulse_type=scheme))
    plain = DeviceArray(load_device("constant_step", **STILL, w_max=4.0, w_min=-4.0), SHAPE, seed=3, path="p")
    reference = plain.apply_trains(x, d, plan, WHOLE)
    cells = make_cells(pair("one_sided"), SHAPE, seed=3, path="p")
    result = cells.apply_trains(x, d, plan, WHOLE)
    for device, part, sign in zip(cells.devices, result.parts, (1, -1), strict=True):
        expected = counted(reference.log, sign)
        assert expected.sum() > 100
        np.testing.assert_allclose(device.weights, 0.001 * expected, atol=1e-5)
        np.testing.assert_array_equal(counted(part.log, +1), expected)
        assert not part.pulses_down.any()
    np.testing.assert_array_equal(result.parts[0].pulses_up, reference.pulses_up)
    np.testing.assert_array_equal(result.parts[1].pulses_up, reference.pulses_down)
    np.testing.assert_allclose(cells.weights, plain.weights, atol=1e-5)
    slots = [set(zip(log.sample, log.slot, log.row, log.col, strict=True)) for log in
             (result.parts[0].log, result.parts[1].log, reference.log)]  # fmt: skip
    assert slots[0] | slots[1] == slots[2]
    assert not slots[0] & slots[1]


def test_one_sided_soft_bounds_follow_their_recursion() -> None:
    """w+ after n ups is b (1 - (1 - s/b)^n), and the pair is their difference."""
    cells = make_cells(pair("one_sided", "soft_bounds", w_max=1.0, w_min=-1.0, dw_min=0.02), (2, 2))
    for _ in range(30):
        cells.pulse(np.array([[1, -1], [0, 1]]))
    end = 1 - (1 - 0.02) ** 30
    np.testing.assert_allclose(cells.devices[0].weights, [[end, 0], [0, end]], atol=1e-5)
    np.testing.assert_allclose(cells.devices[1].weights, [[0, end], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(cells.weights, [[end, -end], [0, end]], atol=1e-5)


def test_one_sided_pair_takes_float_updates_by_their_sign() -> None:
    x, d = gradient(4)
    cells = make_cells(pair("one_sided"), SHAPE)
    cells.update(x, d, 0.1, UpdateParameters(pulse_type="none_with_device"))
    steps = -0.1 * np.einsum("ni,nj->nij", d, x)
    np.testing.assert_allclose(cells.devices[0].weights, np.maximum(steps, 0).sum(0), atol=1e-5)
    np.testing.assert_allclose(cells.devices[1].weights, np.maximum(-steps, 0).sum(0), atol=1e-5)


def test_one_sided_weights_are_written_into_one_device_of_each_pair() -> None:
    cells = make_cells(load_device("pcm", unit_cell__kind="one_sided"), (2, 2))
    wanted = np.array([[0.5, -0.25], [0.0, -1.0]], np.float32)
    cells.set_weights(wanted)
    np.testing.assert_allclose(cells.weights, wanted)
    np.testing.assert_allclose(cells.devices[1].weights, [[0, 0.25], [0, 1]])


def test_reference_pair_updates_device_0_only() -> None:
    x, d = gradient(6)
    plan = plan_trains(x, d, 0.02, 0.001)
    one = DeviceArray(load_device("soft_bounds", **STILL), SHAPE, seed=4, path="p")
    cells = make_cells(load_device("soft_bounds", unit_cell__kind="reference", **STILL), SHAPE, seed=4, path="p")
    reference = np.random.default_rng(1).uniform(-0.2, 0.2, SHAPE).astype(np.float32)
    assert not cells.devices[1].weights.any()
    cells.program_reference(reference)  # type: ignore[attr-defined]
    expected, result = one.apply_trains(x, d, plan), cells.apply_trains(x, d, plan)
    np.testing.assert_array_equal(cells.devices[0].weights, one.weights)
    np.testing.assert_array_equal(cells.devices[1].weights, reference)
    np.testing.assert_allclose(cells.weights, one.weights - reference, atol=1e-6)
    np.testing.assert_array_equal(result.pulses_up, expected.pulses_up)
    assert not result.parts[1].row_fires.any()
    cells.set_weights(0.1)
    np.testing.assert_allclose(cells.weights, 0.1, atol=1e-6)
    np.testing.assert_array_equal(cells.devices[1].weights, reference)


@pytest.mark.parametrize("kind", ["reference", "one_sided"])
def test_same_bits_for_threads_probes_and_after_restore(kind: str) -> None:
    def grown(threads: int, probe: Any) -> Any:
        cells = make_cells(load_device("reram-es", unit_cell__kind=kind), SHAPE, seed=9, threads=threads)
        cells.update(*gradient(7), 0.02, probe=probe)
        cells.devices[0].reset([1, 3], [2])
        return cells

    first, second = grown(1, None), grown(3, WHOLE)
    assert first.weights.tobytes() == second.weights.tobytes()
    resumed = make_cells(load_device("reram-es", unit_cell__kind=kind), SHAPE, seed=9)
    resumed.restore(first.state())
    for cells in (first, resumed):
        cells.devices[0].reset([5], [2])
        cells.update(*gradient(5), 0.02)
    assert first.weights.tobytes() == resumed.weights.tobytes()


def test_reset_writes_zero_with_write_noise_into_the_chosen_devices() -> None:
    array = DeviceArray(load_device("reram-es", w_max_dtod=0, w_min_dtod=0), (60, 50), seed=2)
    array.set_weights(0.4)
    before = array.weights
    chosen = array.reset([*range(40)], slice(0, 30))
    assert chosen.sum() == 1200
    assert (array.weights[~chosen] == before[~chosen]).all()
    spread = 75 * 0.00135
    assert array.weights[chosen].std() == pytest.approx(spread, rel=0.1)
    assert array.weights[chosen].mean() == pytest.approx(0, abs=5 * spread / 1200**0.5)


INVERTIBLE: list[tuple[str, dict[str, Any]]] = [
    *((law, {}) for law in law_names()),
    ("linear_step", {"gamma_up": 0.3, "gamma_down": 0.6}),
    ("linear_step", {"mult_noise": False}),
    ("soft_bounds_reference", {"reference_std": 0.1}),
    ("exp_step", {"A_up": 0.2, "b": 0.1}),
    ("reram-es", {"write_noise_std": 0.0}),
    ("pow_step", {"pow_gamma": 1.7, "pow_up_down": 0.3, "pow_up_down_dtod": 0.1}),
    ("pow_step_reference", {"pow_gamma": 2.0, "reference_std": 0.1}),
    ("piecewise_step", {"piecewise_up": [1.5, 1.0, 0.2], "piecewise_down": [0.3, 2.0, 4.0]}),
    ("power_response", {"gamma_up": 2.0, "gamma_down": 0.7, "w_d": 0.2, "asymmetry": 0.3, "w_max_dtod": 0.2}),
    ("exponential_response", {"gamma_up": 2.0, "gamma_down": -1.5, "w_d": -0.2, "asymmetry": 0.3, "mult_noise": True}),
    ("asymmetric_linear", {"w_d": 0.3}),
]


@pytest.mark.parametrize(("law", "options"), INVERTIBLE)
def test_inverted_copy_moves_as_device_0_pulsed_down(law: str, options: dict[str, Any]) -> None:
    """Device 1 at v is device 0 at -v: its ups are the downs of device 0, its downs the ups."""
    cell = {"unit_cell__kind": "one_sided", "unit_cell__copy_inverted": True}
    device = load_device(law, dw_min_std=0, **options, **cell)
    first, second = make_cells(device, (20, 30), seed=5).devices
    start = np.random.default_rng(1).uniform(-0.2, 0.2, (20, 30))
    first.set_weights(start)
    second.set_weights(-start)
    np.testing.assert_array_equal(second.weights, -first.weights)
    for polarity in (1, 1, -1, -1, -1, 1):
        first.pulse(polarity)
        second.pulse(-polarity)
        np.testing.assert_allclose(second.weights, -first.weights, atol=1e-6)
    assert np.abs(first.weights - start).max() > 1e-4
    np.testing.assert_array_equal(second.symmetric_point, -first.symmetric_point)


def test_an_inverted_copy_is_reset_to_the_mirror_image() -> None:
    cell = {"unit_cell__kind": "one_sided", "unit_cell__copy_inverted": True}
    device = load_device("constant_step", reset=0.1, reset_dtod=0.05, reset_std=0.0, **cell)
    first, second = make_cells(device, (20, 30), seed=5).devices
    for plane in (first, second):
        plane.reset()
    np.testing.assert_array_equal(second.weights, -first.weights)
    assert first.weights.std() > 0.03


def test_bad_polarities_are_refused() -> None:
    with pytest.raises(DataError, match="-1, 0"):
        make_cells(pair("one_sided"), (2, 2)).pulse(2)
