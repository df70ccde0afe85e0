"""The short cuts of the kernels against the general way: same numbers, whatever else is asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim._kernels import converter
from hwsim.devices import DeviceArray, IOParameters, UpdateParameters, load_device, mvm

SHAPE = (45, 70)


def filled(name: str, threads: int = 1, **overrides: Any) -> DeviceArray:
    cells = DeviceArray(load_device(name, **overrides), SHAPE, seed=5, threads=threads)
    cells.set_weights(np.random.default_rng(2).uniform(-0.2, 0.2, SHAPE))
    return cells


@pytest.mark.parametrize(("rows", "cols"), [(1, 1), (7, 5), (9, 70), (64, 784), (33, 96)])
@pytest.mark.parametrize("n", [1, 4, 13])
def test_a_product_is_that_of_float64_and_one_vector_does_not_depend_on_the_others(
    rows: int, cols: int, n: int
) -> None:
    g = np.random.default_rng(rows * cols + n)
    weights = np.zeros((rows, -(-cols // 32) * 32), np.float32)
    weights[:, :cols] = g.normal(size=(rows, cols))
    weights = weights[:, :cols]
    for matrix, lines in ((weights.T, cols), (weights, rows)):
        x = g.normal(size=(n, lines)).astype(np.float32)
        y = converter.product(x, matrix)
        # 8 standard errors of a sum of float32 products: eps / 2 of each partial sum, of magnitude sqrt(lines).
        assert y == pytest.approx(x.astype(float) @ matrix.astype(float), abs=8 * 6e-8 * lines)
        assert all((converter.product(x[k : k + 1], matrix) == y[k]).all() for k in range(n))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"out_bound": 1.5, "bm_test_negative_bound": False},
        {"out_bound": 1.5, "out_noise_std": 0.3, "out_nonlinearity": 0.1, "slope_calibration": 0.5},
        {"inp_noise": 0.05, "inp_asymmetry": 0.1, "out_asymmetry": 0.2, "inp_sto_round": True, "out_scale": 0.5},
        {"out_bound": 1.5, "bound_management": "none", "noise_management": "constant", "nm_thres": 0.4},
    ],
)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_read_in_one_call_equals_the_one_converter_by_converter(
    options: dict[str, Any], transposed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    io = IOParameters(out_res=-1, **options)
    x = np.random.default_rng(4).uniform(-1, 1, (11, SHAPE[0] if transposed else SHAPE[1]))
    found = []
    for most in (mvm.FEW_VECTORS, 0):
        monkeypatch.setattr(mvm, "FEW_VECTORS", most)
        found.append(filled("soft_bounds").read(x, io, transposed=transposed))
    whole, steps = found
    assert (whole.retries == steps.retries).all()
    assert whole.retried == steps.retries.sum()
    assert whole.saturated == steps.saturated
    assert (whole.x_quantised == steps.x_quantised).all()
    assert whole.y == pytest.approx(steps.y, abs=1e-5)
    if io.out_bound < 2 and io.bound_management == "iterative":
        assert whole.retried > 0


@pytest.mark.parametrize("options", [{}, {"inp_noise": 0.1}, {"out_noise_std": 0.2}])
def test_reading_one_line_gives_that_line(options: dict[str, Any]) -> None:
    cells = filled("soft_bounds")
    io = IOParameters(out_noise=0.0, out_res=-1, noise_management="none", **options)
    spread = 5 * io.inp_noise * 0.2
    assert cells.read_line(3, io=io).y[0] == pytest.approx(cells.weights[:, 3], abs=1e-6 + spread)
    assert cells.read_line(7, "row", io).y[0] == pytest.approx(cells.weights[7], abs=1e-6 + spread)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("constant_step", {}),
        ("reram-sb", {}),
        ("soft_bounds_reference", {"reference_std": 0.2, "write_noise_std": 1.0}),
        ("reram-array-om", {}),
        ("pow_step", {"dw_min": 0.02}),
        ("soft_bounds", {"dw_min_std": 0.0}),
    ],
)
@pytest.mark.parametrize("lr", [0.02, -0.02])
@pytest.mark.parametrize("driven", [1, 12])
def test_few_columns_get_the_same_pulses_with_a_log_with_counters_and_on_threads(
    name: str, overrides: dict[str, Any], lr: float, driven: int
) -> None:
    """A single column is pulsed with rows as lanes, a few are collected; a log or counters take the general way."""
    g = np.random.default_rng(3)
    x = np.zeros((1, SHAPE[1]), np.float32)
    x[0, g.choice(SHAPE[1], driven, replace=False)] = g.uniform(-1, 1, driven)
    d = g.uniform(-1, 1, (1, SHAPE[0])).astype(np.float32)
    params = UpdateParameters(desired_bl=31)
    everything = (slice(None), slice(None))
    ways = []
    for threads, probe, counting in ((1, None, False), (3, None, False), (1, everything, False), (1, None, True)):
        cells = filled(name, threads, **overrides, count_pulses=counting)
        results = [cells.update(x, d, lr * cells.granularity / 0.001, params, probe) for _ in range(3)]
        up, down = (sum(int(getattr(result, side)[0]) for result in results) for side in ("pulses_up", "pulses_down"))
        assert [result.totals.up + result.totals.down for result in results] == [
            int(result.pulses_up[0] + result.pulses_down[0]) for result in results
        ]
        if counting:
            assert cells.pulse_counts.sum(axis=(1, 2)).tolist() == [up, down]
        ways.append((cells.weights, up, down, sum(float(result.sum_w[0]) for result in results), cells.state()))
    first = ways[0]
    assert first[1] + first[2] > 20
    for way in ways[1:]:
        assert (way[0] == first[0]).all()
        assert way[1:4] == first[1:4]
        assert (way[4]["positions"] == first[4]["positions"]).all()
