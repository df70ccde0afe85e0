"""The papers' response functions: formulas, symmetric points, smooth dynamics, properties."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.devices import DeviceArray, device_from_document, load_device
from hwsim.errors import SpecError

RESPONSES = ["asymmetric_linear", "power_response", "exponential_response"]


def steps(device: Any, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean up and down steps at the weights ``w`` (n,)."""
    found = []
    for polarity in (1, -1):
        cells = DeviceArray(device, (1, len(w)))
        cells.set_weights(w[None])
        before = cells.weights.astype(float)
        cells.pulse(polarity)
        found.append(np.abs(cells.weights[0] - before[0]))
    return found[0], found[1]


@pytest.mark.parametrize("tau", [0.6, 2.0])
@pytest.mark.parametrize("g", [0.5, 1.0, 3.0])
def test_published_formulas(tau: float, g: float) -> None:
    w = np.linspace(-0.95, 0.9, 8) * tau
    dw = 0.02 * tau

    def check(law: str, up: np.ndarray, down: np.ndarray, **extra: Any) -> None:
        found = steps(load_device(law, tau=tau, dw_min=dw, **extra), w)
        # A step ends at the bound at the latest.
        assert found[0] == pytest.approx(np.minimum(dw * up, tau - w), abs=4e-7)
        assert found[1] == pytest.approx(np.minimum(dw * down, w + tau), abs=4e-7)

    check("asymmetric_linear", 1 - w / tau, 1 + w / tau)
    check("asymmetric_linear", 1.2 * (1 - w / tau), 0.8 * (1 + w / tau), asymmetry=0.2)
    check("power_response", (1 - w / tau) ** g, (1 + w / tau) ** g, gamma_up=g, gamma_down=g)

    def bend(b: np.ndarray, gamma: float) -> np.ndarray:
        return (np.exp(gamma * b) - 1) / (np.exp(gamma) - 1)

    check("exponential_response", bend(1 - w / tau, g), bend(1 + w / tau, -g), gamma_up=g, gamma_down=-g)


def test_the_middle_can_be_off_zero() -> None:
    for law in RESPONSES:
        at, away = load_device(law, tau=0.8, dw_min=0.01), load_device(law, tau=0.8, dw_min=0.01, w_d=0.3)
        w = np.linspace(-0.4, 0.4, 5)
        assert np.array(steps(away, w + 0.3)) == pytest.approx(np.array(steps(at, w)), abs=2e-7)
        assert (away.parameters.w_min, away.parameters.w_max) == pytest.approx((-0.5, 1.1))


def test_symmetric_points() -> None:
    def point(law: str, **extra: Any) -> float:
        return float(DeviceArray(load_device(law, tau=0.8, **extra), (1, 1)).symmetric_point[0, 0])

    for law in RESPONSES:
        assert point(law) == pytest.approx(0, abs=1e-12)
        assert point(law, w_d=0.2) == pytest.approx(0.2)
    # w_d = c tau (arXiv 2502.06309); c tau / (2 - c) is what the peer's one-sided asymmetry gives instead.
    assert point("asymmetric_linear", asymmetry=0.3) == pytest.approx(0.3 * 0.8)
    ratio = (0.7 / 1.3) ** (1 / 3)
    assert point("power_response", asymmetry=0.3, gamma_up=3.0, gamma_down=3.0) == pytest.approx(
        0.8 * (1 - ratio) / (1 + ratio)
    )


@pytest.mark.parametrize("law", RESPONSES)
def test_alternating_pulses_lead_to_the_symmetric_point(law: str) -> None:
    cells = DeviceArray(load_device(law, dw_min=0.01, asymmetry=0.2, w_max_dtod=0.1, w_min_dtod=0.1), (5, 5), seed=2)
    for _ in range(700):
        cells.pulse(+1)
        cells.pulse(-1)
    assert np.abs(cells.weights - cells.symmetric_point).max() < 0.012


def test_pulses_compose_to_the_smooth_dynamic() -> None:
    # |U_p^BL - U| <= dw_min / tau + DW^2 / (2 tau) (arXiv 2406.12774, eq. 20), U(w, DW) = w + DW - |DW| w / tau, for
    # pulses towards the nearer bound; towards the other one the second-order term is up to twice as large.
    tau, dw = 0.8, 1e-4
    w = np.linspace(-0.7, 0.7, 9)
    for polarity, pulses in ((1, 300), (-1, 1000)):
        cells = DeviceArray(load_device("asymmetric_linear", tau=tau, dw_min=dw), (1, 9))
        cells.set_weights(w[None])
        for _ in range(pulses):
            cells.pulse(polarity)
        change = pulses * dw
        smooth = w + polarity * change - change * w / tau
        outward = w * polarity >= 0
        assert np.abs(cells.weights[0] - smooth)[outward].max() <= dw / tau + change**2 / (2 * tau)
        bound = polarity * tau
        assert cells.weights[0] == pytest.approx(bound + (w - bound) * (1 - dw / tau) ** pulses, abs=2e-5)
        assert np.abs(cells.weights).max() <= tau


def test_a_perfect_bias_has_no_asymmetry() -> None:
    hidden = DeviceArray(load_device("power_response", asymmetry=0.3, perfect_bias=True), (2, 3)).parameters()
    assert hidden["dwmin_up"][0] == pytest.approx([0.0013, 0.0013, 0.001])
    assert hidden["dwmin_down"][0] == pytest.approx([0.0007, 0.0007, 0.001])


def test_cycle_noise_is_additive_by_default() -> None:
    for law in RESPONSES:
        for mult_noise in (False, True):
            device = load_device(law, dw_min=1e-4, dw_min_std=0.5, mult_noise=mult_noise)
            cells = DeviceArray(device, (200, 200), seed=1)
            cells.set_weights(0.5)
            cells.pulse(+1)
            mean = cells.weights.mean() - 0.5
            expected = 0.5 * (mean if mult_noise else 1e-4)
            assert cells.weights.std() == pytest.approx(expected, rel=0.02)


def test_what_follows_and_what_is_illegal() -> None:
    device = load_device("power_response", tau=0.7, w_d=0.1)
    assert device_from_document(device.model_dump(mode="json")) == device
    with pytest.raises(SpecError, match=r"w_max follows from tau and w_d: it is 1\.0, got 0\.6"):
        load_device("asymmetric_linear", w_max=0.6)
    with pytest.raises(SpecError, match="w_d must be between -tau and tau"):
        load_device("asymmetric_linear", w_d=1.0)
    with pytest.raises(SpecError, match=r"gamma_up: must be at most -0\.01 or at least 0\.01"):
        load_device("exponential_response", gamma_up=0.0)
    with pytest.raises(SpecError, match=r"asymmetry: input should be less than 1"):
        load_device("power_response", asymmetry=1.0)
    with pytest.raises(SpecError, match=r"tau: input should be greater than 0"):
        load_device("power_response", tau=0.0)


def legal(law: str) -> st.SearchStrategy[dict[str, Any]]:
    exponents = {"power_response": st.floats(0, 100), "exponential_response": st.floats(0.01, 40)}
    values: dict[str, st.SearchStrategy[Any]] = {
        "tau": st.floats(0.31, 5),
        "w_d": st.floats(-0.3, 0.3),
        "asymmetry": st.floats(-0.99, 0.99),
        "mult_noise": st.booleans(),
        "dw_min": st.floats(1e-6, 2.0),
        "dw_min_dtod": st.floats(0, 3),
        "dw_min_std": st.floats(0, 10),
        "w_max_dtod": st.floats(0, 2),
        "w_min_dtod": st.floats(0, 2),
        "up_down": st.floats(-1, 1),
        "enforce_consistency": st.booleans(),
        "perfect_bias": st.booleans(),
        "corrupt_devices_prob": st.floats(0, 1),
        "write_noise_std": st.floats(0, 3),
    }
    if law in exponents:
        values |= {"gamma_up": exponents[law], "gamma_down": exponents[law], "gamma_dtod": st.floats(0, 2)}
    return st.fixed_dictionaries({}, optional=values)


@pytest.mark.parametrize("law", RESPONSES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_legal_device_stays_finite_and_within_bounds(law: str, data: st.DataObject) -> None:
    cells = DeviceArray(load_device(law, **data.draw(legal(law))), (4, 35), seed=1)
    for polarity in (1, 1, 1, -1, -1, -1, -1, 1):
        cells.pulse(polarity)
    assert np.isfinite(cells.weights).all()
    hidden = cells.parameters()
    ordered = hidden["min_bound"] < hidden["max_bound"]
    v = cells.state()["weight"]
    slack = 1e-5 * (1 + np.abs(v))
    assert (v <= hidden["max_bound"] + slack)[ordered].all()
    assert (v >= hidden["min_bound"] - slack)[ordered].all()


@pytest.mark.parametrize("law", RESPONSES)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(first=st.floats(-1, 1), second=st.floats(-1, 1))
def test_steps_are_monotone_and_mirror_each_other(law: str, first: float, second: float) -> None:
    device = load_device(law, dw_min=0.01)
    up, down = steps(device, np.array(sorted((first, second))))
    assert up[0] >= up[1] - 1e-6
    assert down[0] <= down[1] + 1e-6
    mirrored = steps(device, -np.array(sorted((first, second))))
    assert up == pytest.approx(mirrored[1], abs=1e-6)
