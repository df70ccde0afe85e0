"""Each device law by itself: single steps, bounds, closed forms, and the peer's defects that are not copied."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.devices import DeviceArray, IOParameters, device_from_document, device_names, law_names, load_device
from hwsim.devices.law import Draws
from hwsim.errors import SpecError

STILL: dict[str, Any] = {"dw_min_dtod": 0, "dw_min_std": 0, "up_down_dtod": 0, "w_max_dtod": 0, "w_min_dtod": 0}
LAWS = [
    "constant_step",
    "linear_step",
    "soft_bounds",
    "soft_bounds_reference",
    "soft_bounds_pmax",
    "exp_step",
    "pow_step",
    "pow_step_reference",
    "piecewise_step",
]


def still(law: str, **overrides: Any) -> Any:
    """A device without any variation."""
    gammas = {"gamma_up_dtod": 0, "gamma_down_dtod": 0} if law == "linear_step" else {}
    exponent = {"pow_gamma_dtod": 0} if law.startswith("pow_step") else {}
    return load_device(law, **{**STILL, **gammas, **exponent, **overrides})


def one(device: Any, w: float, polarity: int) -> float:
    cells = DeviceArray(device, (1, 1))
    cells.set_weights(w)
    cells.pulse(polarity)
    return float(cells.weights[0, 0])


def test_names() -> None:
    assert law_names() == sorted(LAWS) or set(law_names()) >= set(LAWS)
    presets = {"reram-es", "reram-sb", "capacitor", "ecram", "ecram-mo", "idealized", "gokmen-vlasov", "pcm"}
    presets |= {"reram-array-om", "reram-array-hfo2"}
    assert presets | set(LAWS) <= set(device_names())


@pytest.mark.parametrize(
    ("law", "extra", "w", "up", "down"),
    [
        ("constant_step", {}, 0.3, 0.001, 0.001),
        ("linear_step", {"gamma_up": 0.4, "gamma_down": 0.2}, 0.3, 0.001 * (1 - 0.4 * 0.5), 0.001 * (1 + 0.2 * 0.5)),
        ("soft_bounds", {}, 0.3, 0.0005, 0.0015),
        ("soft_bounds_reference", {}, 0.3, 0.0005, 0.0015),
        ("soft_bounds_reference", {"reference_mean": 0.1}, 0.2, 0.0005, 0.0015),
        (
            "exp_step",
            {},
            0.3,
            0.001 * (1 - 0.00081 * np.exp(12.44625 * (2 * 0.244 * 0.3 / 1.2 + 0.2425))),
            0.001 * (1 - 0.36833 * np.exp(-12.78785 * (2 * 0.244 * 0.3 / 1.2 + 0.2425))),
        ),
        ("pow_step", {"pow_gamma": 1.7}, 0.3, 0.001 * 0.25**1.7, 0.001 * 0.75**1.7),
        ("pow_step", {"pow_gamma": 2.0, "pow_up_down": 0.4}, 0.3, 0.001 * 0.25**2, 0.001 * 0.75**1.2),
        ("pow_step", {"pow_gamma": 2.0, "pow_up_down": -0.4}, 0.3, 0.001 * 0.25**1.2, 0.001 * 0.75**2),
        (
            "pow_step",
            {"pow_gamma": 2.0, "pow_up_down": 0.4, "pow_up_down_rule": "symmetric"},
            0.3,
            0.001 * 0.25**2.8,
            0.001 * 0.75**1.2,
        ),
        ("pow_step_reference", {"pow_gamma": 1.7, "reference_mean": 0.1}, 0.2, 0.001 * 0.25**1.7, 0.001 * 0.75**1.7),
        ("piecewise_step", {"piecewise_up": [1.5, 1, 1.5], "piecewise_down": [1, 2, 4]}, 0.3, 0.00125, 0.003),
        ("piecewise_step", {"piecewise_up": [2.0], "piecewise_down": [0.5]}, 0.3, 0.002, 0.0005),
    ],
)
def test_single_step(law: str, extra: dict[str, Any], w: float, up: float, down: float) -> None:
    device = still(law, **extra)
    assert one(device, w, +1) - w == pytest.approx(up, abs=1e-7)
    assert w - one(device, w, -1) == pytest.approx(down, abs=1e-7)


@pytest.mark.parametrize("law", LAWS)
def test_bounds_hold(law: str) -> None:
    device = load_device(law, **({"alpha": 0.05, "p_max": 50} if law == "soft_bounds_pmax" else {"dw_min": 0.05}))
    cells = DeviceArray(device, (40, 40), seed=2)
    hidden = cells.parameters()
    reference = hidden.get("reference", np.zeros((40, 40)))
    for polarity in [1] * 100 + [-1] * 200:
        cells.pulse(polarity)
        v = cells.weights + reference
        assert (v <= hidden["max_bound"] + 1e-6).all()
        assert (v >= hidden["min_bound"] - 1e-6).all()


def test_soft_bounds_follow_their_closed_form() -> None:
    cells = DeviceArray(still("soft_bounds", dw_min=0.01, dw_min_std=0.3), (200, 200), seed=1)
    for n in range(1, 101):
        cells.pulse(+1)
        if n in (1, 10, 100):
            mean = 0.6 * (1 - (1 - 0.01 / 0.6) ** n)
            assert cells.weights.mean() == pytest.approx(mean, rel=1e-3)


@pytest.mark.parametrize("law", ["soft_bounds", "soft_bounds_reference", "exp_step", "pow_step", "pow_step_reference"])
def test_alternating_pulses_lead_to_the_symmetric_point(law: str) -> None:
    device = load_device(law, dw_min=0.005, dw_min_std=0, up_down_dtod=0.2)
    cells = DeviceArray(device, (10, 10), seed=4)
    for _ in range(2000):
        cells.pulse(+1)
        cells.pulse(-1)
    point = cells.symmetric_point
    # Where one exponential step is larger at every weight there is no such point.
    assert np.isfinite(point).mean() > (0.5 if law == "exp_step" else 0.9)
    known = np.isfinite(point)
    assert np.percentile(np.abs(cells.weights - point)[known], 90) < 0.02


def test_up_and_down_steps_are_equal_at_the_symmetric_point() -> None:
    for law in LAWS[1:]:
        extra = {"piecewise_up": [2.0, 1.0, 0.0], "piecewise_down": [0.5, 1.0, 3.0]} if law == "piecewise_step" else {}
        device = load_device(law, dw_min_std=0, up_down_dtod=0.05, **extra)
        cells = DeviceArray(device, (8, 8), seed=5)
        point = cells.symmetric_point
        hidden = cells.parameters()
        reference = hidden.get("reference", 0)
        inside = (point + reference < hidden["max_bound"] - 0.01) & (point + reference > hidden["min_bound"] + 0.01)
        start = np.where(inside, point, 0)
        cells.set_weights(start)
        cells.pulse(+1)
        up = cells.weights - start
        cells.set_weights(start)
        cells.pulse(-1)
        down = start - cells.weights
        assert inside.any()
        assert np.abs(up - down)[inside].max() < 1e-6


def test_no_symmetric_point_without_weight_dependence() -> None:
    assert np.isnan(DeviceArray(load_device("constant_step"), (3, 3)).symmetric_point).all()


# Sampling


def test_spreads_between_devices() -> None:
    hidden = DeviceArray(load_device("constant_step"), (300, 300), seed=1).parameters()
    assert hidden["max_bound"].mean() == pytest.approx(0.6, rel=0.01)
    assert hidden["max_bound"].std() == pytest.approx(0.18, rel=0.02)
    mean = (hidden["dwmin_up"] + hidden["dwmin_down"]) / 2
    assert mean.std() == pytest.approx(0.0003, rel=0.02)
    assert (hidden["dwmin_up"] - hidden["dwmin_down"]).std() == pytest.approx(2e-5, rel=0.02)


def test_seed_and_path_choose_the_devices() -> None:
    def bounds(seed: int, path: str) -> np.ndarray:
        return DeviceArray(load_device("soft_bounds"), (5, 5), seed=seed, path=path).parameters()["max_bound"]

    assert (bounds(1, "a") == bounds(1, "a")).all()
    assert (bounds(1, "a") != bounds(2, "a")).all()
    assert (bounds(1, "a") != bounds(1, "b")).all()


def test_pulse_noise_has_its_spread() -> None:
    cells = DeviceArray(still("constant_step", dw_min_std=0.3), (300, 300), seed=1)
    cells.pulse(+1)
    assert cells.weights.mean() == pytest.approx(0.001, rel=0.005)
    assert cells.weights.std() == pytest.approx(0.0003, rel=0.01)


def test_write_noise_is_redrawn_where_a_pulse_lands() -> None:
    cells = DeviceArray(still("soft_bounds", write_noise_std=10.0), (100, 100), seed=1)
    cells.set_weights(0.1)
    before = cells.weights.copy()
    assert before.std() == pytest.approx(0.01, rel=0.03)
    polarity = np.zeros((100, 100), int)
    polarity[:50] = 1
    cells.pulse(polarity)
    assert (cells.weights[50:] == before[50:]).all()
    assert (cells.weights[:50] != before[:50]).all()
    assert cells.weights[:50].std() == pytest.approx(0.01, rel=0.03)
    assert cells.state()["weight"][:50].std() < 1e-6


def test_write_noise_on_set_can_be_off() -> None:
    cells = DeviceArray(still("soft_bounds", write_noise_std=10.0, apply_write_noise_on_set=False), (4, 4))
    cells.set_weights(0.1)
    assert (cells.weights == np.float32(0.1)).all()


def test_stuck_devices_stay() -> None:
    cells = DeviceArray(load_device("soft_bounds", corrupt_devices_prob=0.3), (60, 60), seed=1)
    hidden = cells.parameters()
    stuck = hidden["max_bound"] == hidden["min_bound"]
    assert stuck.mean() == pytest.approx(0.3, abs=0.03)
    value = cells.weights[stuck]
    assert (np.abs(value) <= 0.1).all()
    cells.set_weights(0.5)
    for _ in range(5):
        cells.pulse(-1)
    assert (cells.weights[stuck] == value).all()


@pytest.mark.parametrize("law", [law for law in LAWS if law != "soft_bounds_pmax"])
def test_a_device_with_inverted_bounds_stays_between_them(law: str) -> None:
    """Weights of 0 in 20 x 10 000 such devices of AIHWKit 1.1.0: spread 0.2225 +- 0.0007, 63.7 % are exactly 0."""
    wide = {"w_max": 0.5, "w_min": -0.5, "w_max_dtod": 1.2, "w_min_dtod": 1.2, "dw_min": 0.01}
    cells = DeviceArray(load_device(law, enforce_consistency=False, **wide), (300, 300), seed=3)
    z_high, z_low = (Draws(3, "array", cells.shape).normal(name) for name in ("w_max", "w_min"))
    high, low = 0.5 * (1 + 1.2 * z_high), -0.5 * (1 + 1.2 * z_low)
    cells.set_weights(0.0)
    assert cells.weights.std() == pytest.approx(0.2225, abs=0.003)
    assert (cells.weights == 0).mean() == pytest.approx(0.637, abs=0.006)
    for polarity in (1, 1, -1, 1):
        cells.pulse(polarity)
    inverted = low > high
    np.testing.assert_allclose(cells.weights[inverted], ((low + high) / 2)[inverted], atol=1e-6)
    assert inverted.mean() == pytest.approx(0.1193, abs=0.005)  # P(z_high + z_low < -2 / 1.2)


def test_bounds_that_do_not_enclose_zero_have_no_symmetry_point_to_subtract() -> None:
    options = {"w_max_dtod": 1.2, "w_min_dtod": 1.2, "slope_up_dtod": 0.3, "slope_down_dtod": 0.3, "up_down_dtod": 0.3}
    plain, varied = (
        DeviceArray(
            load_device("soft_bounds_reference", enforce_consistency=False, **{**options, **extra}), (60, 60), seed=1
        ).parameters()
        for extra in ({"slope_up_dtod": 0.0, "slope_down_dtod": 0.0}, {"subtract_symmetry_point": True})
    )
    outside = (plain["min_bound"] >= 0) | (plain["max_bound"] <= 0)
    assert 0.2 < outside.mean() < 0.6
    for bound in ("min_bound", "max_bound"):
        assert (varied[bound] == plain[bound])[outside].all()
        assert (varied[bound] != plain[bound])[~outside].all()
    assert (varied["reference"] == 0)[outside].all()
    assert (varied["reference"] != 0)[~outside].all()
    power = {"w_max_dtod": 1.2, "w_min_dtod": 1.2, "subtract_symmetry_point": True, "up_down_dtod": 0.3}
    hidden = DeviceArray(load_device("pow_step_reference", enforce_consistency=False, **power), (60, 60)).parameters()
    outside = (hidden["min_bound"] >= 0) | (hidden["max_bound"] <= 0)
    assert (hidden["reference"] == 0)[outside].all()
    assert (hidden["reference"] != 0)[~outside].mean() > 0.8


def test_perfect_bias() -> None:
    cells = DeviceArray(load_device("constant_step", perfect_bias=True, dw_min_std=0), (50, 4), seed=1)
    hidden = cells.parameters()
    assert (hidden["dwmin_up"][:, -1] == 0.001).all()
    assert (hidden["dwmin_down"][:, -1] == 0.001).all()
    assert hidden["max_bound"][:, -1] == pytest.approx(60)
    assert hidden["max_bound"][:, 0].std() > 0


def test_reversed_steps_grow_with_the_weight() -> None:
    device = still("soft_bounds", reverse_up=True)
    assert one(device, 0.3, +1) - 0.3 == pytest.approx(0.001 * (1 + 0.3 / 0.61), abs=1e-7)
    with pytest.raises(SpecError, match="require mult_noise"):
        load_device("soft_bounds", reverse_up=True, mult_noise=False)


def test_additive_noise_does_not_vanish_at_the_bound() -> None:
    for mult_noise, expected in ((True, 0.0), (False, 0.3e-3)):
        cells = DeviceArray(still("soft_bounds", dw_min_std=0.3, mult_noise=mult_noise, w_min=-1.0), (100, 100), seed=1)
        cells.set_weights(0.6 - 1e-9)
        cells.pulse(+1)
        # Half of the additive noise is cut at the bound.
        assert np.abs(cells.weights - np.float32(0.6)).max() < (1e-6 if mult_noise else 2e-3)
        assert cells.weights.min() < 0.6 - expected or mult_noise


# The peer's defects (devices.md section 7)


def test_d1_asymmetry_weakens_one_side_by_default_or_both_on_request() -> None:
    def steps(**extra: Any) -> tuple[float, float]:
        hidden = DeviceArray(still("constant_step", **extra), (1, 1)).parameters()
        return float(hidden["dwmin_up"][0, 0] / 0.001), float(hidden["dwmin_down"][0, 0] / 0.001)

    assert steps(up_down=0.4) == pytest.approx((1.0, 0.6))
    assert steps(up_down=-0.4) == pytest.approx((0.6, 1.0))
    assert steps(up_down=0.4, up_down_rule="symmetric") == pytest.approx((1.4, 0.6))


def test_d3_log_normal_steps_keep_their_mean() -> None:
    cells = DeviceArray(
        load_device("constant_step", dw_min_dtod_log_normal=True, dw_min_dtod=0.8, up_down_dtod=0), (500, 500), seed=1
    )
    up = cells.parameters()["dwmin_up"]
    assert up.mean() == pytest.approx(0.001, rel=0.01)
    assert np.log(up).std() == pytest.approx(0.8, rel=0.01)


def test_d5_pulses_are_counted() -> None:
    result = DeviceArray(load_device("constant_step"), (3, 5)).pulse(np.eye(3, 5, dtype=int))
    assert (result.pulses_up[0], result.pulses_down[0]) == (3, 0)


def test_d6_granularity_is_the_mean_of_both_directions() -> None:
    device = load_device("exp_step", A_up=0.5, A_down=0.1, b=0.0)
    assert DeviceArray(device, (2, 2)).granularity == pytest.approx(0.001 * (0.5 + 0.9) / 2)


@pytest.mark.parametrize("rule", ["one_sided", "symmetric"])
@pytest.mark.parametrize("up_down", [0.4, -0.4])
@pytest.mark.parametrize("b", [0.1, 3.0])
def test_d6_granularity_of_the_exponential_step_is_its_mean_step(up_down: float, rule: str, b: float) -> None:
    """Of both directions as they are, weakened by ``up_down``; with b = 3 the up step vanishes."""
    shape = {"A_up": 0.2, "A_down": -0.4, "gamma_up": 2.0, "gamma_down": 3.0, "b": b}
    device = still("exp_step", up_down=up_down, up_down_rule=rule, **shape)
    steps = one(device, 0.0, +1) - one(device, 0.0, -1)
    assert DeviceArray(device, (1, 1)).granularity == pytest.approx(steps / 2, rel=1e-4)


def test_d7_write_noise_is_in_units_of_the_step() -> None:
    cells = DeviceArray(still("exp_step", dw_min=0.002, write_noise_std=5.0), (200, 200), seed=1)
    cells.set_weights(0.0)
    assert cells.weights.std() == pytest.approx(0.01, rel=0.02)


def test_d8_pmax_follows_its_documented_curves() -> None:
    cells = DeviceArray(still("soft_bounds_pmax"), (1, 1))
    b = 2 / (1 - np.exp(-0.5))
    cells.set_weights(-1.0)
    for n in range(1, 1001):
        cells.pulse(+1)
        if n % 250 == 0:
            assert cells.weights[0, 0] == pytest.approx(-1 + b * (1 - np.exp(-0.0005 * n)), abs=2e-5)
    assert cells.weights[0, 0] == pytest.approx(1.0, abs=2e-5)
    for n in range(1, 1001):
        cells.pulse(-1)
        if n % 250 == 0:
            assert cells.weights[0, 0] == pytest.approx(1 - b * (1 - np.exp(-0.0005 * n)), abs=2e-5)
    p = cells.spec.parameters
    hidden = cells.parameters()
    assert hidden["dwmin_up"][0, 0] == pytest.approx(0.0005 * p.w_max, rel=3e-4)
    assert hidden["dwmin_down"][0, 0] == pytest.approx(0.0005 * abs(p.w_min), rel=3e-4)


def test_pmax_refuses_what_follows_from_it() -> None:
    device = load_device("soft_bounds_pmax", p_max=100, alpha=0.01)
    assert device_from_document(device.model_dump(mode="json")) == device
    with pytest.raises(SpecError, match=r"dw_min follows from p_max, alpha, range_min and range_max"):
        load_device("soft_bounds_pmax", dw_min=0.01)
    with pytest.raises(SpecError, match=r"range_max must be above range_min"):
        load_device("soft_bounds_pmax", range_min=1.0)
    with pytest.raises(SpecError, match=r"must enclose 0"):
        load_device("soft_bounds_pmax", range_min=0.5, p_max=1e5)


def test_pow_step_with_unit_exponent_is_the_soft_bound() -> None:
    # (1 - w / w_max) scaled by w_max / range: half the step for symmetric bounds.
    power = DeviceArray(still("pow_step", dw_min=0.02), (1, 1))
    soft = DeviceArray(still("soft_bounds", dw_min=0.01), (1, 1))
    for _ in range(60):
        power.pulse(+1)
        soft.pulse(+1)
    assert power.weights == pytest.approx(soft.weights, abs=1e-6)
    assert power.granularity == soft.granularity


def test_estimated_symmetry_point_nears_the_exact_one() -> None:
    def reference(steps: int) -> np.ndarray:
        device = load_device(
            "pow_step_reference",
            subtract_symmetry_point=True,
            n_estimation_steps=steps,
            dw_min=0.05,
            dw_min_dtod=0.1,
            up_down_dtod=0.05,
        )
        return DeviceArray(device, (10, 10), seed=3).parameters()["reference"]

    exact = reference(-1)
    errors = [np.abs(reference(steps) - exact).max() for steps in (1, 30, 1000)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-4
    assert np.abs(exact).max() > 0.01


@pytest.mark.parametrize(
    ("law", "parameters", "up", "down"),
    [
        (
            "pow_step",
            {"pow_gamma": 1.7, "pow_up_down": 0.3, "pow_up_down_dtod": 0.05, "dw_min": 0.01},
            (0.38305, 0.13269),
            (-0.44041, 0.16610),
        ),
        (
            "pow_step_reference",
            {"pow_gamma": 1.7, "dw_min": 0.01, "up_down": 0.2, "reference_std": 0.1, "subtract_symmetry_point": True},
            (0.34559, 0.11731),
            (-0.30386, 0.13079),
        ),
        (
            "piecewise_step",
            {"piecewise_up": [2.0, 1.0, 0.5, 0.1], "piecewise_down": [0.2, 0.7, 1.3, 3.0], "dw_min": 0.005},
            (0.51701, 0.15187),
            (-0.52176, 0.17595),
        ),
    ],
)
def test_responses_of_aihwkit(
    law: str, parameters: dict[str, Any], up: tuple[float, float], down: tuple[float, float]
) -> None:
    # Mean and spread of 60 x 60 devices after 300 pulses up from 0, then 300 down, measured with AIHWKit 1.1.0.
    cells = DeviceArray(load_device(law, **parameters), (200, 200), seed=1)
    for polarity, (mean, std) in ((1, up), (-1, down)):
        for _ in range(300):
            cells.pulse(polarity)
        assert cells.weights.mean() == pytest.approx(mean, abs=4 * std / 60)
        assert cells.weights.std() == pytest.approx(std, rel=0.05)


def test_exponents_spread_from_device_to_device() -> None:
    hidden = DeviceArray(load_device("pow_step", pow_gamma=2.0, pow_up_down_dtod=0.05), (200, 200), seed=1).parameters()
    assert (hidden["gamma_up"] + hidden["gamma_down"]).std() / 2 == pytest.approx(0.2, rel=0.02)
    assert (hidden["gamma_up"] - hidden["gamma_down"]).std() / 2 == pytest.approx(0.1, rel=0.02)


def test_granularity_of_the_new_laws() -> None:
    def granularity(law: str, **extra: Any) -> float:
        return DeviceArray(load_device(law, **extra), (1, 1)).granularity

    assert granularity("pow_step", pow_gamma=2.0) == pytest.approx(0.00025)
    assert granularity("piecewise_step", piecewise_up=[0, 3, 0], piecewise_down=[0, 1, 0]) == pytest.approx(0.002)


def test_bad_tables_are_refused() -> None:
    with pytest.raises(SpecError, match="must have as many nodes, got 2 and 1"):
        load_device("piecewise_step", piecewise_up=[1, 2])
    with pytest.raises(SpecError, match="need a step above 0"):
        load_device("piecewise_step", piecewise_up=[0], piecewise_down=[1])
    with pytest.raises(SpecError, match="greater than or equal to 0"):
        load_device("piecewise_step", piecewise_up=[-1], piecewise_down=[1])
    with pytest.raises(SpecError, match="greater than or equal to 0"):
        load_device("pow_step", pow_gamma=-1.0)


def test_d9_set_weights_clips_the_conductance() -> None:
    device = still("soft_bounds_reference", w_max=1.0, w_min=-1.0, reference_mean=0.5)
    cells = DeviceArray(device, (1, 1))
    cells.set_weights(0.9)
    assert cells.weights[0, 0] == pytest.approx(0.5)
    cells.set_weights(-1.4)
    assert cells.weights[0, 0] == pytest.approx(-1.4)


def test_d10_with_the_symmetry_point_subtracted_zero_is_balanced() -> None:
    device = load_device("soft_bounds_reference", subtract_symmetry_point=True, up_down_dtod=0.1)
    cells = DeviceArray(device, (20, 20), seed=3)
    assert np.abs(cells.symmetric_point).max() < 1e-9


def test_d23_bound_management_works_backward() -> None:
    cells = DeviceArray(still("constant_step", w_max=100.0), (150, 2))
    cells.set_weights(1.0)
    io = IOParameters(out_bound=12.0, out_noise=0.0)
    result = cells.read(np.ones((1, 150)), io, transposed=True)
    assert result.passes[0] == 5
    assert result.y == pytest.approx(150, rel=0.05)


def test_d24_equal_seeds_give_equal_bits() -> None:
    def run() -> bytes:
        cells = DeviceArray(load_device("reram-es"), (6, 7), seed=9)
        cells.update(np.full((3, 7), 0.5), np.full((3, 6), -0.5), 0.1)
        return cells.weights.tobytes() + cells.forward(np.ones(7)).tobytes()

    assert run() == run()


# Properties


def parameter_values(law: str) -> st.SearchStrategy[dict[str, Any]]:
    values: dict[str, st.SearchStrategy[Any]] = {
        "dw_min": st.floats(1e-6, 2.0),
        "dw_min_dtod": st.floats(0, 3),
        "dw_min_dtod_log_normal": st.booleans(),
        "dw_min_std": st.floats(0, 10),
        "up_down": st.floats(-1, 1),
        "up_down_rule": st.sampled_from(["one_sided", "symmetric"]),
        "up_down_dtod": st.floats(0, 1),
        "w_max": st.floats(0.001, 3),
        "w_min": st.floats(-3, 0),
        "w_max_dtod": st.floats(0, 2),
        "w_min_dtod": st.floats(0, 2),
        "enforce_consistency": st.booleans(),
        "perfect_bias": st.booleans(),
        "corrupt_devices_prob": st.floats(0, 1),
    }
    own: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "constant_step": {},
        "linear_step": {"gamma_up": st.floats(-2, 2), "gamma_down": st.floats(-2, 2), "mult_noise": st.booleans()},
        "soft_bounds": {"mult_noise": st.booleans(), "write_noise_std": st.floats(0, 10)},
        "soft_bounds_reference": {
            "mult_noise": st.booleans(),
            "reference_std": st.floats(0, 1),
            "subtract_symmetry_point": st.booleans(),
            "slope_up_dtod": st.floats(0, 1),
        },
        "exp_step": {
            "A_up": st.floats(-50, 50),
            "A_down": st.floats(-50, 50),
            "gamma_up": st.floats(-30, 30),
            "gamma_down": st.floats(-30, 30),
            "a": st.floats(-3, 3),
            "b": st.floats(-3, 3),
            "dw_min_std_add": st.floats(0, 1),
            "dw_min_std_slope": st.floats(0, 1),
        },
        "soft_bounds_pmax": {"p_max": st.floats(1, 1e6), "alpha": st.floats(1e-6, 3), "mult_noise": st.booleans()},
        "pow_step": {**POWER, "write_noise_std": st.floats(0, 10)},
        "pow_step_reference": {
            **POWER,
            "reference_std": st.floats(0, 1),
            "subtract_symmetry_point": st.booleans(),
            "n_estimation_steps": st.integers(-1, 20),
        },
        "piecewise_step": {"write_noise_std": st.floats(0, 10)},
    }
    if law == "soft_bounds_pmax":
        values = {name: value for name, value in values.items() if name not in PMAX_DERIVES}
    given = st.fixed_dictionaries({}, optional={**values, **own[law]})
    if law == "piecewise_step":
        return st.tuples(given, st.integers(1, 6).flatmap(tables)).map(lambda both: {**both[0], **both[1]})
    return given


PMAX_DERIVES = {"dw_min", "up_down", "up_down_rule", "w_max", "w_min"}
POWER = {
    "pow_gamma": st.floats(0, 100),
    "pow_gamma_dtod": st.floats(0, 2),
    "pow_up_down": st.floats(-1, 1),
    "pow_up_down_rule": st.sampled_from(["one_sided", "symmetric"]),
    "pow_up_down_dtod": st.floats(0, 1),
}


def tables(nodes: int) -> st.SearchStrategy[dict[str, Any]]:
    column = st.lists(st.floats(0, 1e6), min_size=nodes, max_size=nodes).filter(any)
    return st.fixed_dictionaries({"piecewise_up": column, "piecewise_down": column})


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_legal_device_stays_finite_and_within_bounds(law: str, data: st.DataObject) -> None:
    device = load_device(law, **data.draw(parameter_values(law)))
    cells = DeviceArray(device, (6, 35), seed=1)
    for polarity in (1, 1, 1, -1, -1, -1, -1, 1):
        cells.pulse(polarity)
    assert np.isfinite(cells.weights).all()
    hidden = cells.parameters()
    ordered = hidden["min_bound"] < hidden["max_bound"]
    v = cells.state()["weight"] + hidden.get("reference", 0)
    slack = 1e-5 * (1 + np.abs(hidden.get("reference", 0)) + np.abs(v))
    assert (v <= hidden["max_bound"] + slack)[ordered].all()
    assert (v >= hidden["min_bound"] - slack)[ordered].all()
    cells.set_weights(0.1)
    assert np.isfinite(cells.weights).all()
    assert np.isfinite(cells.granularity)
    assert cells.granularity > 0


@pytest.mark.parametrize("law", LAWS)
@settings(max_examples=15, deadline=None, derandomize=True)
@given(w=st.floats(-0.55, 0.55), polarity=st.sampled_from([1, -1]))
def test_mean_step_has_the_sign_of_the_pulse(law: str, w: float, polarity: int) -> None:
    cells = DeviceArray(load_device(law, dw_min_std=0, w_max_dtod=0, w_min_dtod=0), (4, 4), seed=1)
    cells.set_weights(w)
    before = cells.weights.copy()
    cells.pulse(polarity)
    assert ((cells.weights - before) * polarity >= 0).all()


@pytest.mark.parametrize("law", ["soft_bounds", "soft_bounds_pmax", "pow_step"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(first=st.floats(-0.55, 0.55), second=st.floats(-0.55, 0.55))
def test_mean_step_falls_towards_the_bound_ahead(law: str, first: float, second: float) -> None:
    low, high = sorted((first, second))
    device = still(law, **({"alpha": 0.05} if law == "soft_bounds_pmax" else {"dw_min": 0.05}))
    assert one(device, low, 1) - low >= one(device, high, 1) - high - 1e-6
    assert low - one(device, low, -1) <= high - one(device, high, -1) + 1e-6


@pytest.mark.parametrize("law", ["soft_bounds", "pow_step", "pow_step_reference"])
@settings(max_examples=15, deadline=None, derandomize=True)
@given(w=st.floats(-0.5, 0.5))
def test_up_and_down_mirror_each_other_between_mirrored_bounds(law: str, w: float) -> None:
    device = still(law, dw_min=0.05)
    assert one(device, w, 1) == pytest.approx(-one(device, -w, -1), abs=1e-6)
