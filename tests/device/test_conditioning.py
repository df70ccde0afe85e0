"""Reset, zero-shifting to the symmetric point, and pulse counters."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.devices import DeviceArray, load_device
from hwsim.errors import UsageError

SHIFTABLE = [
    "linear_step",
    "soft_bounds",
    "soft_bounds_reference",
    "exp_step",
    "pow_step",
    "piecewise_step",
    "asymmetric_linear",
    "exponential_response",
    "measured_curves",
]


# Reset


def test_reset_has_its_target_and_spreads() -> None:
    device = load_device("constant_step", reset=0.1, reset_dtod=0.05, reset_std=0.02, w_max=5.0, w_min=-5.0)
    cells = DeviceArray(device, (200, 200), seed=1)
    cells.reset()
    first = cells.weights.astype(float).copy()
    cells.reset()
    second = cells.weights.astype(float)
    assert first.mean() == pytest.approx(0.1, abs=0.002)
    assert first.std() == pytest.approx(np.hypot(0.05, 0.02), rel=0.02)
    assert (first - second).std() == pytest.approx(0.02 * np.sqrt(2), rel=0.02)


def test_d4_the_spread_of_the_target_is_absolute() -> None:
    # With the default target of 0 a relative spread would be none.
    cells = DeviceArray(load_device("constant_step", reset_dtod=0.05, reset_std=0), (200, 200), seed=1)
    cells.reset()
    assert cells.weights.std() == pytest.approx(0.05, rel=0.02)


def test_reset_takes_lines_and_a_probability() -> None:
    cells = DeviceArray(load_device("constant_step", reset_std=0), (60, 50), seed=1)
    cells.set_weights(0.05)
    chosen = cells.reset(rows=[0, 2], cols=slice(10, 12))
    assert chosen.sum() == 4
    assert (cells.weights == 0).tolist() == chosen.tolist()
    assert cells.reset(cols=3).sum() == 60
    cells.set_weights(0.05)
    shares = [cells.reset(probability=0.25).mean() for _ in range(4)]
    assert shares == pytest.approx([0.25] * 4, abs=0.04)
    assert len(set(shares)) > 1
    with pytest.raises(UsageError, match="probability must be between 0 and 1"):
        cells.reset(probability=1.5)
    with pytest.raises(UsageError, match="rows must be a slice, numbers or a mask of 60 rows"):
        cells.reset(rows=60)


def test_reset_keeps_within_the_bounds_and_redraws_write_noise() -> None:
    cells = DeviceArray(load_device("soft_bounds", reset=3.0, write_noise_std=10.0), (50, 50), seed=1)
    cells.reset(rows=slice(0, 25))
    assert cells.state()["weight"][:25] == pytest.approx(cells.parameters()["max_bound"][:25], rel=1e-6)
    assert (cells.weights - cells.state()["weight"])[:25].std() == pytest.approx(0.01, rel=0.06)


def test_d10_reset_lands_at_the_subtracted_symmetry_point() -> None:
    for law in ("soft_bounds_reference", "pow_step_reference"):
        device = load_device(law, subtract_symmetry_point=True, up_down=0.3, reset_std=0)
        cells = DeviceArray(device, (10, 10), seed=1)
        cells.set_weights(0.2)
        cells.reset()
        assert np.abs(cells.weights).max() < 1e-7
        assert np.abs(cells.symmetric_point).max() < 1e-9
        assert np.abs(cells.parameters()["reference"]).max() > 0.05


def test_the_pcm_preset_resets_to_a_low_conductance() -> None:
    cells = DeviceArray(load_device("pcm"), (200, 200), seed=1)
    cells.reset()
    # A Gaussian of mean 0.01 and spread sqrt(0.02^2 + 0.01^2), cut at 0.
    z = np.hypot(0.02, 0.01)
    cut = 0.01 * 0.6726 + z * np.exp(-((0.01 / z) ** 2) / 2) / np.sqrt(2 * np.pi)
    assert cells.weights.mean() == pytest.approx(cut, rel=0.02)


# Zero-shifting


@pytest.mark.parametrize("law", SHIFTABLE)
def test_zero_shifting_brings_the_symmetric_point_to_zero(law: str) -> None:
    extra: dict[str, object] = {"dw_min": 0.01, "dw_min_std": 0, "up_down_dtod": 0.1, "up_down": 0.2}
    if law == "linear_step":
        extra |= {"gamma_up": 0.8, "gamma_down": 0.8}
    if law == "piecewise_step":
        extra |= {"piecewise_up": [2.0, 1.0, 0.1], "piecewise_down": [0.1, 1.0, 2.0]}
    if law == "measured_curves":
        del extra["dw_min"]
    if law == "exp_step":
        extra |= {"A_up": -1.0, "A_down": -1.0, "gamma_up": 5.0, "gamma_down": 5.0, "a": -0.5, "b": 0.0}
    cells = DeviceArray(load_device(law, **extra), (8, 9), seed=2)
    point = cells.symmetric_point
    result = cells.zero_shift(600 if law != "measured_curves" else 6000)
    known = np.isfinite(point) & (cells.parameters()["min_bound"] < cells.parameters()["max_bound"])
    assert known.mean() > 0.5
    assert np.percentile(np.abs(result.reference - point)[known], 80) < 0.03
    assert np.percentile(np.abs(cells.symmetric_point)[known], 80) < 0.03
    assert (cells.weights == 0).all()
    assert result.pulses_up == result.pulses_down == result.n_pulses // 2 * 72
    assert (cells.reference == result.reference).all()


@pytest.mark.parametrize("law", [*SHIFTABLE, "constant_step"])
def test_a_shifted_device_is_the_same_device(law: str) -> None:
    name = "pcm" if law == "exp_step" else law  # with noise that depends on the weight
    plain, shifted = (DeviceArray(load_device(name), (8, 9), seed=2) for _ in range(2))
    reference = np.random.default_rng(0).uniform(-0.2, 0.2, (8, 9)).astype(np.float32)
    shifted.subtract(reference)
    for polarity in [1] * 30 + [-1] * 50:
        plain.pulse(polarity)
        shifted.pulse(polarity)
    assert shifted.weights + reference == pytest.approx(plain.weights, abs=2e-5)
    plain.set_weights(10.0)
    shifted.set_weights(10.0)
    assert shifted.weights + reference == pytest.approx(plain.weights, abs=1e-6)
    plain.reset()
    shifted.reset()
    assert shifted.weights + reference == pytest.approx(plain.weights, abs=1e-6)


def test_a_shifted_device_ages_the_same() -> None:
    device = load_device("soft_bounds", lifetime="1 s", reset=0.1, drift={"nu": 0.1, "w_offset": -0.6, "nu_k": 0.01})
    plain, shifted = (DeviceArray(device, (8, 9), seed=2) for _ in range(2))
    reference = np.random.default_rng(0).uniform(-0.1, 0.1, (8, 9)).astype(np.float32)
    plain.set_weights(0.1)
    shifted.subtract(reference)
    shifted.set_weights(0.1 - reference)
    for array in (plain, shifted):
        array.elapse(1.5)
    assert shifted.weights + reference == pytest.approx(plain.weights, abs=1e-6)
    assert np.abs(plain.weights - 0.1).max() > 0.01


def test_the_default_number_of_pulses_is_enough() -> None:
    cells = DeviceArray(load_device("asymmetric_linear", dw_min=0.01, asymmetry=0.3), (3, 3))
    cells.set_weights(-1.0)
    result = cells.zero_shift()
    assert result.n_pulses == 800
    assert result.reference == pytest.approx(0.3, abs=0.01)
    assert result.sum_w / 7200 > 0


def test_what_cannot_be_shifted_is_refused() -> None:
    with pytest.raises(UsageError, match="no device of 'constant_step' has a symmetric point"):
        DeviceArray(load_device("constant_step"), (2, 2)).zero_shift(10)
    for n in (0, 3):
        with pytest.raises(UsageError, match="even number of at least 2"):
            DeviceArray(load_device("soft_bounds"), (2, 2)).zero_shift(n)


# Endurance


@pytest.mark.parametrize("threads", [1, 2])
def test_d5_pulses_of_each_device_are_counted(threads: int) -> None:
    device = load_device("soft_bounds", count_pulses=True)
    cells = DeviceArray(device, (13, 70), seed=1, threads=threads)
    g = np.random.default_rng(0)
    expected = np.zeros((2, 13, 70), int)
    for _ in range(3):
        result = cells.update(g.normal(size=(4, 70)), g.normal(size=(4, 13)), 0.02, probe=(slice(None), slice(None)))
        assert result.log is not None
        np.add.at(expected, ((result.log.polarity < 0).astype(int), result.log.row, result.log.col), 1)
    cells.pulse(-1)
    expected[1] += 1
    assert (cells.pulse_counts == expected).all()
    assert expected[0].sum() > 100
    with pytest.raises(UsageError, match="counts no pulses; set count_pulses"):
        _ = DeviceArray(load_device("soft_bounds"), (2, 2)).pulse_counts


def test_counting_changes_nothing() -> None:
    runs = []
    for count in (False, True):
        cells = DeviceArray(load_device("reram-es", count_pulses=count), (9, 40), seed=1)
        cells.update(np.full((3, 40), 0.5), np.full((3, 9), -0.5), 0.05)
        runs.append(cells.weights.tobytes())
    assert runs[0] == runs[1]
