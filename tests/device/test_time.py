"""Elapsed time: decay, diffusion and drift against their closed forms, independence of cuts, checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hwsim.devices import DeviceArray, load_device
from hwsim.errors import SpecError, UsageError

STILL: dict[str, Any] = {
    "dw_min_dtod": 0,
    "dw_min_std": 0,
    "up_down_dtod": 0,
    "w_max_dtod": 0,
    "w_min_dtod": 0,
    "w_max": 1.0,
    "w_min": -1.0,
}


def cells(shape: tuple[int, int] = (40, 50), law: str = "constant_step", seed: int = 1, **extra: Any) -> DeviceArray:
    return DeviceArray(load_device(law, **{**STILL, **extra}), shape, seed=seed)


# Retention decay


def test_decay_is_exponential_towards_the_reset_target() -> None:
    array = cells(lifetime="2 s", reset=0.1)
    array.set_weights(0.5)
    for t in (0.5, 1.0, 5.0):
        array.elapse(t)
    assert array.weights == pytest.approx(0.1 + 0.4 * np.exp(-6.5 / 2), abs=1e-7)
    assert array.elapsed == 6.5


@pytest.mark.parametrize("touch", [False, True])
def test_a_span_cut_in_parts_decays_the_same(touch: bool) -> None:
    whole, cut = (cells(lifetime="1 s", lifetime_dtod=0.3, reset=-0.2, reset_dtod=0.1) for _ in range(2))
    for array in (whole, cut):
        array.set_weights(0.5)
    whole.elapse(1e-3)
    for _ in range(1000):
        cut.elapse(1e-6)
        if touch:
            assert cut.weights.shape == cut.shape
    # A decay of 1e-6 is below the resolution of float32; it must not be lost when one looks after each.
    assert np.abs(whole.weights - 0.5).max() > 5e-4
    assert np.abs(whole.weights - cut.weights).max() <= 1.2e-7


def test_lifetimes_spread_from_device_to_device() -> None:
    array = cells((200, 200), lifetime="1 s", lifetime_dtod=0.1)
    array.set_weights(0.5)
    array.elapse(1.0)
    lifetime = -1 / np.log(array.weights.astype(float) / 0.5)
    assert lifetime.mean() == pytest.approx(1, rel=2e-3)
    assert lifetime.std() == pytest.approx(0.1, rel=0.02)


def test_the_capacitor_forgets_in_seconds() -> None:
    array = DeviceArray(load_device("capacitor", lifetime_dtod=0), (4, 4))
    array.set_weights(0.5)
    array.elapse(0.24)
    assert array.weights == pytest.approx(0.5 / np.e, rel=1e-5)


# Diffusion


@pytest.mark.parametrize("cuts", [1, 25])
def test_diffusion_grows_with_the_square_root_of_time(cuts: int) -> None:
    array = cells((200, 200), diffusion=0.02)
    for _ in range(cuts):
        array.elapse(9.0 / cuts)
        array.forward(np.zeros(200))
    assert array.weights.mean() == pytest.approx(0, abs=4 * 0.06 / 200)
    assert array.weights.std() == pytest.approx(0.06, rel=0.015)


def test_decay_and_diffusion_together_are_stationary() -> None:
    # Ornstein-Uhlenbeck: variance rho^2 tau / 2 (1 - exp(-2 t / tau)).
    for cuts in (1, 20):
        array = cells((200, 200), diffusion=0.1, lifetime="2 s")
        array.set_weights(0.3)
        for _ in range(cuts):
            array.elapse(1.0 / cuts)
            array.forward(np.zeros(200))
        assert array.weights.mean() == pytest.approx(0.3 * np.exp(-0.5), abs=0.002)
        assert array.weights.std() == pytest.approx(0.1 * np.sqrt(1 - np.exp(-1.0)), rel=0.015)


def test_diffusion_against_the_bounds_does_not_depend_on_cuts() -> None:
    found = []
    for cuts in (1, 20):
        array = cells((100, 100), diffusion=1.0, seed=cuts)
        array.set_weights(0.7)
        for _ in range(cuts):
            array.elapse(0.2 / cuts)
            array.forward(np.zeros(100))
        assert np.abs(array.weights).max() <= 1
        found.append(array.weights.ravel().copy())
    assert stats.ks_2samp(*found).pvalue > 1e-3
    late = cells((100, 100), diffusion=1.0)
    late.elapse(50.0)
    assert stats.kstest(late.weights.ravel(), stats.uniform(-1, 2).cdf).pvalue > 1e-3


# Drift


def drifting(**drift: Any) -> dict[str, Any]:
    return {"drift": {"nu": 0.1, "t_0": "2 s", **drift}}


@pytest.mark.parametrize("touch", [False, True])
def test_drift_is_a_power_of_the_time_since_writing(touch: bool) -> None:
    array = cells(**drifting())
    array.elapse(7.0)
    array.set_weights(0.5)
    for total, t in ((1.0, 1.0), (20.0, 19.0), (200.0, 180.0)):
        for _ in range(10):
            array.elapse(t / 10)
            if touch:
                array.forward(np.zeros(50))
        assert array.weights == pytest.approx(0.5 * max(total / 2, 1.0) ** -0.1, rel=1e-6)


def test_a_pulse_restarts_the_drift_of_its_device_only() -> None:
    array = cells((1, 3), **drifting())
    array.set_weights(0.5)
    array.elapse(20.0)
    array.pulse(np.array([[1, 0, -1]]))
    pulsed = array.weights.astype(float).copy()
    array.elapse(20.0)
    expected = pulsed * np.array([[10**-0.1, 2**-0.1, 10**-0.1]])
    assert array.weights == pytest.approx(expected, rel=1e-6)


def test_pulsed_updates_restart_drift_too() -> None:
    array = cells((3, 4), **drifting())
    array.set_weights(0.5)
    array.elapse(20.0)
    x, d = np.zeros((1, 4)), np.zeros((1, 3))
    x[0, 2], d[0, 1] = 1, 1
    result = array.update(x, d, 0.005)
    assert result.pulses_down[0] > 0
    after = array.weights.astype(float).copy()
    array.elapse(20.0)
    growth = np.full((3, 4), 2.0)
    growth[1, 2] = 10
    assert array.weights == pytest.approx(after * growth**-0.1, rel=1e-6)


def test_exponents_spread_and_depend_on_the_conductance() -> None:
    array = cells((200, 200), **drifting(nu_dtod=0.2))
    array.set_weights(0.5)
    array.elapse(20.0)
    nu = -np.log(array.weights.astype(float) / 0.5) / np.log(10)
    assert (nu.mean(), nu.std()) == pytest.approx((0.1, 0.02), rel=0.02)
    array = cells((1, 2), **drifting(nu_k=0.03, log_g0=-1.0))
    array.set_weights(np.array([[0.5, 0.2]]))
    array.elapse(4.0)
    array.forward(np.zeros(2))
    array.elapse(16.0)
    start = np.array([[0.5, 0.2]])
    assert array.weights == pytest.approx(start * 10 ** -(0.1 - 0.03 * (np.log(start) + 1)), rel=1e-6)


def test_drift_leads_to_zero_conductance() -> None:
    # g = (w - w_offset) / wg_ratio + g_offset; g falls as t^-nu, whatever the scale of the weight.
    array = cells(**drifting(w_offset=-0.5, wg_ratio=2.0, g_offset=0.1))
    array.set_weights(0.3)
    array.elapse(20.0)
    g = ((0.3 + 0.5) / 2 + 0.1) * 10**-0.1
    assert array.weights == pytest.approx((g - 0.1) * 2 - 0.5, rel=1e-6)


# Laziness, write noise, checkpoints


def test_only_read_lines_pay() -> None:
    array = cells((3, 4), lifetime="1 s")
    array.set_weights(0.5)
    array.elapse(1.0)
    array.read_line(2)
    paid = array.state()["weight"] < 0.4
    assert paid.tolist() == [[False, False, True, False]] * 3
    array.read_line(0, "row")
    assert (array.state()["weight"] < 0.4)[0].all()
    array.elapse(1.0)
    assert array.weights == pytest.approx(0.5 * np.exp(-2.0), rel=1e-6)


def test_time_is_nothing_to_other_devices() -> None:
    def run(seconds: float) -> bytes:
        array = DeviceArray(load_device("reram-es"), (5, 6), seed=1)
        for _ in range(3):
            array.update(np.full((2, 6), 0.5), np.full((2, 5), -0.5), 0.1)
            array.elapse(seconds)
        return array.weights.tobytes() + array.forward(np.ones(6)).tobytes()

    assert run(0.0) == run(1e6)


def test_write_noise_outlives_time() -> None:
    array = cells((50, 50), law="soft_bounds", write_noise_std=10.0, lifetime="1 s")
    array.set_weights(0.5)
    noise = array.weights - array.state()["weight"]
    array.elapse(0.5)
    assert array.weights - array.state()["weight"] == pytest.approx(noise, abs=2e-7)
    assert array.weights.mean() == pytest.approx(0.5 * np.exp(-0.5), rel=1e-2)


def test_restored_arrays_age_bit_for_bit() -> None:
    device = load_device(
        "soft_bounds", lifetime="3 s", diffusion=0.01, count_pulses=True, write_noise_std=1.0, **drifting(nu_k=0.01)
    )

    def work(array: DeviceArray) -> None:
        g = np.random.default_rng(0)
        for _ in range(3):
            array.elapse(0.7)
            array.update(g.normal(size=(2, 35)) * (g.random(35) < 0.5), g.normal(size=(2, 9)), 0.01)
            array.elapse(0.1)
            array.reset(cols=[3, 4], probability=0.5)
            array.read_line(5)

    first = DeviceArray(device, (9, 35), seed=3)
    first.zero_shift(20)
    work(first)
    first.zero_shift(20)
    first.elapse(0.3)
    saved = first.state()
    second = DeviceArray(device, (9, 35), seed=3)
    second.restore(saved)
    work(first)
    work(second)
    assert first.weights.tobytes() == second.weights.tobytes()
    assert (first.pulse_counts == second.pulse_counts).all()
    assert first.elapsed == second.elapsed


def test_illegal_times_are_refused() -> None:
    array = cells()
    for seconds in (-1.0, float("nan"), float("inf"), 1e16):
        with pytest.raises(UsageError, match="elapsed time must be between 0 and"):
            array.elapse(seconds)
    with pytest.raises(SpecError, match="lifetime: expected a number with the unit s"):
        load_device("soft_bounds", lifetime=3.0)
    with pytest.raises(SpecError, match="lifetime must be between 0 s"):
        load_device("soft_bounds", lifetime="-1 s")
    with pytest.raises(SpecError, match="t_0 must be between"):
        load_device("soft_bounds", drift={"nu": 0.1, "t_0": "0 s"})
    with pytest.raises(SpecError, match=r"drift.nu_dtodd: no such parameter; did you mean 'nu_dtod'"):
        load_device("soft_bounds", drift={"nu_dtodd": 0.1})


seconds = st.floats(0, 1e15).map(lambda t: f"{t!r} s")
aging = st.fixed_dictionaries(
    {},
    optional={
        "reset": st.floats(-1e6, 1e6),
        "reset_dtod": st.floats(0, 1e6),
        "reset_std": st.floats(0, 1e6),
        "lifetime": seconds,
        "lifetime_dtod": st.floats(0, 100),
        "diffusion": st.floats(0, 1e6),
        "diffusion_dtod": st.floats(0, 100),
        "drift": st.fixed_dictionaries(
            {},
            optional={
                "nu": st.floats(-10, 10),
                "nu_dtod": st.floats(0, 100),
                "t_0": st.floats(1e-15, 1e15).map(lambda t: f"{t!r} s"),
                "w_offset": st.floats(-1e6, 1e6),
                "wg_ratio": st.floats(1e-6, 1e6),
                "g_offset": st.floats(-1e6, 1e6),
                "nu_k": st.floats(-10, 10),
                "log_g0": st.floats(-100, 100),
            },
        ),
        "corrupt_devices_prob": st.floats(0, 1),
        "enforce_consistency": st.booleans(),
        "w_min_dtod": st.floats(0, 2),
        "write_noise_std": st.floats(0, 3),
    },
)


@pytest.mark.parametrize("law", ["soft_bounds", "pow_step"])
@settings(max_examples=80, deadline=None, derandomize=True)
@given(extra=aging, spans=st.lists(st.floats(0, 1e15), min_size=1, max_size=4))
def test_any_legal_device_stays_finite_and_within_bounds_in_time(
    law: str, extra: dict[str, Any], spans: list[float]
) -> None:
    array = DeviceArray(load_device(law, **extra), (4, 35), seed=1)
    hidden = array.parameters()
    ordered = hidden["min_bound"] <= hidden["max_bound"]
    for span in spans:
        array.elapse(span)
        array.pulse(1)
        array.elapse(span)
        assert np.isfinite(array.weights).all()
        v = array.state()["weight"]
        assert (v <= hidden["max_bound"] + 1e-5)[ordered].all()
        assert (v >= hidden["min_bound"] - 1e-5)[ordered].all()
        array.reset(probability=0.5)
