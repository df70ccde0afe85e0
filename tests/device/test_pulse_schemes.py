"""Pulse schemes: the mean step, what makes each scheme different, and the slots it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.devices import DeviceArray, UpdateParameters, load_device, plan_trains
from hwsim.errors import DataError, SpecError
from hwsim.spec.load import Document, build

WHOLE = (slice(None), slice(None))
SCHEMES = ["stochastic_compressed", "stochastic", "mean_count", "deterministic_implicit", "none_with_device"]
QUIET = {"dw_min_dtod": 0, "dw_min_std": 0, "up_down_dtod": 0, "w_max_dtod": 0, "w_min_dtod": 0}


def quiet(**overrides: Any) -> Any:
    return load_device("constant_step", **{**QUIET, "w_max": 1e3, "w_min": -1e3, **overrides})


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_scheme_makes_the_gradient_step_on_average(scheme: Any, managed: bool) -> None:
    """E[dw] = -lr x d (Gokmen and Vlasov 2016); the deterministic schemes round it to whole pulses."""
    g = np.random.default_rng(0)
    x, d = g.uniform(-0.8, 0.8, 40), g.uniform(-0.8, 0.8, 30)
    stochastic = scheme.startswith("stochastic")
    n = 2000 if stochastic else 1
    cells = DeviceArray(quiet(), (30, 40), seed=1)
    params = UpdateParameters(pulse_type=scheme, update_management=managed, update_bl_management=managed)
    cells.update(np.tile(x, (n, 1)), np.tile(d, (n, 1)), 0.02, params)
    expected = -0.02 * np.outer(d, x)
    if stochastic:
        error = np.sqrt(np.abs(expected) * 0.001 / n) + 1e-6
        assert np.abs((cells.weights / n - expected) / error).max() < 5.5
    elif scheme == "deterministic_implicit":
        assert cells.weights == pytest.approx(np.rint(expected / 0.001) * 0.001, abs=1e-6)
    else:
        # Two roundings of counts up to BL and one of their product: at most a pulse and a half on each side.
        assert np.abs(cells.weights - expected).max() <= (2e-3 if scheme == "mean_count" else 1e-7)


def test_stochastic_takes_two_passes_with_trains_of_their_own() -> None:
    """Columns of positive x fire in the first BL slots, those of negative x in the next BL."""
    x = np.array([[0.9, -0.9, 0.5, -0.2]])
    d = np.array([[0.9, -0.6, 0.3]])
    params = UpdateParameters(pulse_type="stochastic", update_management=False, update_bl_management=False)
    cells = DeviceArray(quiet(), (3, 4), seed=1)
    result = cells.update(x, d, 0.031, params, probe=WHOLE)
    log = result.log
    assert log is not None
    assert result.bl.tolist() == [31]
    assert result.slots.tolist() == [62]
    positive = x[0, log.col] > 0
    assert 10 < positive.sum() < len(log)
    assert log.slot[positive].max() < 31 <= log.slot[~positive].min()
    assert log.slot.max() < 62
    # The rows fire in both passes, with the same probability in each.
    assert (result.row_fires[0] <= 62).all()
    assert result.row_fires[0, 0] == pytest.approx(62 * 0.9, abs=5 * np.sqrt(62 * 0.09))
    compressed = DeviceArray(quiet(), (3, 4), seed=1).update(
        x, d, 0.031, UpdateParameters(update_management=False, update_bl_management=False)
    )
    assert compressed.slots.tolist() == [31]


def test_coincidences_of_the_two_passes_are_independent() -> None:
    """Compressed trains share the row's slots among all columns; with two passes columns of unlike sign are
    independent: covariance 0 instead of BL p_x^2 p_d (1 - p_d)."""
    n, bl = 4000, 10
    x, d = np.tile([0.5, -0.5], (n, 1)), np.full((n, 1), 0.5)
    covariance = {}
    for scheme in ("stochastic_compressed", "stochastic"):
        params = UpdateParameters(pulse_type=scheme, desired_bl=bl, update_management=False, update_bl_management=False)
        cells = DeviceArray(quiet(), (1, 2), seed=3)
        log = cells.update(x, d, 0.01, params, probe=WHOLE).log
        assert log is not None
        counts = np.zeros((n, 2))
        np.add.at(counts, (log.sample, log.col), 1)
        covariance[scheme] = np.cov(counts.T)[0, 1]
    variance = bl * 0.25 * 0.75
    error = variance / np.sqrt(n)
    assert covariance["stochastic_compressed"] == pytest.approx(bl * 0.25 * 0.25, abs=5 * error)
    assert covariance["stochastic"] == pytest.approx(0, abs=5 * error)


@pytest.mark.parametrize("managed", [False, True])
@pytest.mark.parametrize("resolution", [0.0, 0.1])
def test_deterministic_implicit_is_the_documented_formula(managed: bool, resolution: float) -> None:
    """round(BL x_q d_q) with x_q, d_q quantised and cut at 1 (AIHWKit, PulseType.DETERMINISTIC_IMPLICIT)."""
    x, d, lr, dw, bl = np.array([0.5, -0.3, 0.17, 0.9]), np.array([0.6, -0.2, 0.05]), 0.03, 0.001, 31
    a = b = np.sqrt(lr / (dw * bl))
    if managed:
        bl = int(np.ceil(lr * 0.9 * 0.6 / dw))
        a = np.sqrt(lr / (dw * bl)) * np.sqrt(0.9 / 0.6)
        b = np.sqrt(lr / (dw * bl)) / np.sqrt(0.9 / 0.6)

    def q(p: np.ndarray) -> np.ndarray:
        return np.minimum(1, np.rint(p / resolution) * resolution if resolution else p)

    expected = -np.rint(bl * np.outer(q(a * abs(d)), q(b * abs(x)))) * np.outer(np.sign(d), np.sign(x))
    params = UpdateParameters(
        pulse_type="deterministic_implicit", x_res_implicit=resolution, d_res_implicit=resolution, res=0.5,
        update_management=managed, update_bl_management=managed,
    )  # fmt: skip
    cells = DeviceArray(quiet(), (3, 4))
    result = cells.update(x, d, lr, params)
    assert cells.weights == pytest.approx(expected * dw, abs=1e-6)
    assert result.slots.tolist() == [bl]
    assert result.pulses_up[0] + result.pulses_down[0] == np.abs(expected).sum()


def test_stochastic_rounding_of_implicit_probabilities_keeps_the_mean() -> None:
    params = UpdateParameters(
        pulse_type="deterministic_implicit", x_res_implicit=0.25, d_res_implicit=0.25, sto_round=True, desired_bl=31,
        update_management=False, update_bl_management=False,
    )  # fmt: skip
    n = 4000
    cells = DeviceArray(quiet(), (1, 1), seed=2)
    cells.update(np.full((n, 1), 0.3), np.full((n, 1), 0.6), 0.031, params)
    # p in {1/4, 1/2}, {1/2, 3/4} with the probability of the fraction; whole pulses of 31 p_x p_d.
    pulses = {(a, b): np.rint(31 * a * b) for a in (0.25, 0.5) for b in (0.5, 0.75)}
    chance = {0.25: 0.8, 0.5: 0.2}, {0.5: 0.6, 0.75: 0.4}
    mean = sum(pulses[a, b] * chance[0][a] * chance[1][b] for a, b in pulses)
    square = sum(pulses[a, b] ** 2 * chance[0][a] * chance[1][b] for a, b in pulses)
    error = 0.001 * np.sqrt((square - mean**2) / n)
    assert cells.weights[0, 0] / n == pytest.approx(-0.001 * mean, abs=5 * error)


def test_float_updates_keep_within_the_bounds_of_each_device() -> None:
    """AIHWKit's NoneWithDevice: sample after sample, and no pulses, slots or firings."""
    cells = DeviceArray(load_device("soft_bounds", dw_min=0.01), (5, 40), seed=1)
    low, high = cells.parameters()["min_bound"], cells.parameters()["max_bound"]
    g = np.random.default_rng(0)
    x, d = g.normal(size=(7, 40)), g.normal(size=(7, 5))
    result = cells.update(x, d, 0.3, UpdateParameters(pulse_type="none_with_device"), probe=WHOLE)
    w = np.zeros((5, 40))
    for i in range(7):
        w = np.clip(w - 0.3 * np.outer(d[i], x[i]), low, high)
    assert cells.weights == pytest.approx(w, abs=1e-5)
    assert (cells.weights == np.float32(high)).any()
    assert result.slots.tolist() == [0] * 7
    assert result.pulses_up.sum() + result.pulses_down.sum() + result.row_fires.sum() + result.col_fires.sum() == 0
    assert result.log is not None
    assert len(result.log) == 0


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_do_not_depend_on_batches_threads_or_probes(scheme: Any) -> None:
    g = np.random.default_rng(1)
    x, d = g.normal(size=(6, 50)), g.normal(size=(6, 23))
    params = UpdateParameters(pulse_type=scheme, desired_bl=40)

    def run(threads: int = 1, single: bool = False, probe: Any = None) -> bytes:
        cells = DeviceArray(load_device("reram-sb"), (23, 50), seed=7, threads=threads)
        batches = np.split(np.arange(6), 6) if single else [np.arange(6)]
        fires = [cells.update(x[b], d[b], 0.05, params, probe).col_fires for b in batches]
        return cells.weights.tobytes() + np.concatenate(fires).tobytes()

    assert run() == run(threads=3) == run(single=True) == run(probe=WHOLE)


def test_plans_without_pulses() -> None:
    params = UpdateParameters(pulse_type="none_with_device", fixed_bl=False)
    assert plan_trains(np.ones((3, 2)), np.ones((3, 4)), 1e9, 1e-3, params).slots.tolist() == [0, 0, 0]
    with pytest.raises(DataError, match="d holds a number that is not finite"):
        plan_trains(np.ones((3, 2)), np.full((3, 4), np.nan), 0.1, 1e-3, params)


def test_unknown_schemes_are_refused() -> None:
    with pytest.raises(SpecError, match="pulse_type"):
        build(UpdateParameters, Document({"pulse_type": "stochastik"}))
    with pytest.raises(SpecError, match="x_res_implicit"):
        build(UpdateParameters, Document({"x_res_implicit": 1.5}))
