"""Updates and reads against the plain reference, with the same random numbers."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwsim._kernels import rng
from hwsim.devices import DeviceArray, IOParameters, TrainPlan, UpdateParameters, load_device, plan_trains
from hwsim.devices.law import LAWS
from hwsim.devices.mvm import ReadKeys
from hwsim.engine.rng import stream_key

_spec = spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
assert _spec is not None
assert _spec.loader is not None
reference = module_from_spec(_spec)
_spec.loader.exec_module(reference)

DEVICES: list[tuple[str, dict[str, Any]]] = [
    ("constant_step", {}),
    ("linear_step", {"gamma_up": 0.3, "gamma_down": 0.5}),
    ("linear_step", {"gamma_up": 0.3, "mult_noise": False}),
    ("soft_bounds", {"dw_min": 0.05}),
    ("soft_bounds_reference", {"reference_std": 0.2, "dw_min_std": 1.0}),
    ("exp_step", {}),
    ("pcm", {}),
    ("reram-array-om", {"write_noise_std": 0.0}),
    ("soft_bounds", {"dw_min_std": 0.0}),
    ("asymmetric_linear", {"dw_min": 0.02, "asymmetry": 0.2, "w_d": 0.1, "dw_min_std": 0.3}),
    ("power_response", {"dw_min": 0.02, "gamma_up": 2.0, "gamma_down": 0.5, "w_d": 0.1, "dw_min_std": 0.3}),
    ("exponential_response", {"dw_min": 0.02, "gamma_up": -2.0, "asymmetry": 0.2, "dw_min_std": 0.3}),
    ("exponential_response", {"dw_min": 0.02, "gamma_down": 3.0, "mult_noise": True, "dw_min_std": 0.3}),
    ("measured_curves", {"dw_min_std": 0.3, "corrupt_devices_prob": 0.1}),
    ("soft_bounds_pmax", {"dw_min_std": 1.0}),
    ("pow_step", {"pow_gamma": 1.7, "pow_up_down": 0.3, "dw_min": 0.02}),
    ("pow_step_reference", {"reference_std": 0.2, "dw_min": 0.02, "subtract_symmetry_point": True}),
    ("piecewise_step", {"piecewise_up": [2.0, 1.0, 0.5, 0.1], "piecewise_down": [0.2, 0.7, 1.3, 3.0], "dw_min": 0.02}),
]
SHAPE = (9, 70)


def key(name: str, seed: int = 5) -> int:
    return stream_key(seed, "array", f"update.{name}")


def segments(
    x: np.ndarray, d: np.ndarray, bl: int, plan: TrainPlan, sample: int, params: UpdateParameters
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Coincidences (rows, cols) of each part of a train, and the columns that fire in it."""
    if params.pulse_type == "mean_count":
        cx = np.rint(bl * np.minimum(1, plan.col_gain[sample] * np.abs(x.astype(float)))).astype(np.float32)
        cd = np.rint(bl * np.minimum(1, plan.row_gain[sample] * np.abs(d.astype(float)))).astype(np.float32)
        return [(np.rint(cd[:, None] * cx / np.float32(bl)).astype(int), cx > 0)]
    if params.pulse_type == "deterministic_implicit":
        px = reference.quantised_probability(x, plan.col_gain[sample], params.x_res_implicit)
        pd = reference.quantised_probability(d, plan.row_gain[sample], params.d_res_implicit)
        scaled = pd.astype(np.float32) * np.float32(bl)
        return [(np.rint(scaled[:, None] * px.astype(np.float32)).astype(int), px > 0)]
    signs = [x > 0, x < 0] if params.pulse_type == "stochastic" else [np.ones(len(x), bool)]
    found = []
    for turn, driven in enumerate(signs):
        tx = reference.train(np.where(driven, x, 0), plan.col_gain[sample], bl, key("train"), 2 * turn, sample)
        td = reference.train(d, plan.row_gain[sample], bl, key("train"), 2 * turn + 1, sample)
        parts = [slice(begin, begin + 32) for begin in range(0, bl, 32)]
        found += [((td[:, None, part] & tx[None, :, part]).sum(2), tx[:, part].sum(1)) for part in parts]
    return found


def reference_update(
    cells: DeviceArray, x: np.ndarray, d: np.ndarray, lr: float, params: UpdateParameters, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns weights, pulses up and down per sample."""
    plan = plan_trains(x, d, lr, cells.granularity, params)
    p = cells.spec.parameters
    form = LAWS.get(cells.spec.law).kernel_form(p, cells.parameters())
    planes = np.stack(form.planes).astype(np.float32).astype(float)
    scalars = np.array(form.scalars, np.float32).astype(float)
    noisy = p.dw_min_std > 0
    collects = params.pulse_type.startswith("stochastic") and form.law != "table"
    w = weight.astype(float)
    up_total, down_total = np.zeros(len(x), int), np.zeros(len(x), int)
    streams = [reference.normals_from(key("pulse"), row) if noisy else repeat(0.0) for row in range(SHAPE[0])]
    for sample in range(len(x)):
        bl = int(plan.bl[sample])
        if bl == 0:
            continue
        xs, ds = x[sample].astype(np.float32), d[sample].astype(np.float32)
        parts = segments(xs, ds, bl, plan, sample, params)
        for row in range(SHAPE[0]):
            up = xs * ds[row] * np.sign(lr) < 0
            for rows_counts, firing in parts:
                counts = rows_counts[row]
                w[row], _ = reference.update_row(
                    form.law, scalars, planes[:, row], w[row], counts, firing, up, streams[row], noisy, collects
                )
                up_total[sample] += counts[up].sum()
                down_total[sample] += counts[~up].sum()
    return w, up_total, down_total


@pytest.mark.parametrize(("name", "overrides"), DEVICES)
@pytest.mark.parametrize(
    ("lr", "params"),
    [
        (0.02, UpdateParameters()),
        (-0.02, UpdateParameters(update_management=False, update_bl_management=False)),
        (0.03, UpdateParameters(pulse_type="mean_count")),
        (0.02, UpdateParameters(desired_bl=70)),
        (0.02, UpdateParameters(pulse_type="stochastic")),
        (0.03, UpdateParameters(pulse_type="deterministic_implicit", x_res_implicit=0.05, d_res_implicit=0.02)),
        (0.1, UpdateParameters(fixed_bl=False, update_management=False, update_bl_management=False)),
    ],
)
def test_update_equals_the_reference(name: str, overrides: dict[str, Any], lr: float, params: UpdateParameters) -> None:
    cells = DeviceArray(load_device(name, **overrides), SHAPE, seed=5)
    g = np.random.default_rng(1)
    x, d = g.uniform(-0.3, 0.3, (2, SHAPE[1])), g.uniform(-0.3, 0.3, (2, SHAPE[0]))
    cells.set_weights(g.uniform(-0.3, 0.3, SHAPE))
    before = cells.weights.copy()
    lr *= cells.granularity / 0.001
    result = cells.update(x, d, lr, params)
    expected, up, down = reference_update(cells, x, d, lr, params, before)
    assert (result.pulses_up == up).all()
    assert (result.pulses_down == down).all()
    assert up.sum() + down.sum() > 20
    assert cells.weights == pytest.approx(expected, abs=3e-5)


@pytest.mark.parametrize(("name", "overrides"), DEVICES)
@pytest.mark.parametrize(("bl_management", "lr"), [(True, 0.0003), (False, 0.00008)])
def test_few_firing_columns_equal_the_reference(
    name: str, overrides: dict[str, Any], bl_management: bool, lr: float
) -> None:
    """Small gradients: most samples fire few columns, whose devices the kernel collects."""
    cells = DeviceArray(load_device(name, **overrides), SHAPE, seed=5)
    g = np.random.default_rng(3)
    x, d = g.uniform(-0.3, 0.3, (60, SHAPE[1])), g.uniform(-0.3, 0.3, (60, SHAPE[0]))
    cells.set_weights(g.uniform(-0.3, 0.3, SHAPE))
    before = cells.weights.copy()
    lr *= cells.granularity / 0.001
    params = UpdateParameters(desired_bl=4, update_bl_management=bl_management)
    result = cells.update(x, d, lr, params)
    expected, up, down = reference_update(cells, x, d, lr, params, before)
    fired = (result.col_fires > 0).sum(axis=1)
    assert ((fired > 0) & (fired < 6)).sum() > 10
    assert (result.pulses_up == up).all()
    assert (result.pulses_down == down).all()
    assert up.sum() + down.sum() > 20
    assert cells.weights == pytest.approx(expected, abs=3e-5)


@pytest.mark.parametrize("gamma", [5.0, 12.4, 300.0])
def test_an_exponential_step_is_exact_to_rounding(gamma: float) -> None:
    """Single noise-free pulses; the steepest law leaves the range of the exponents and is cut."""
    law = {"A_up": 0.9, "gamma_up": gamma, "a": 0.5, "b": -0.1, "dw_min": 0.2, "dw_min_std": 0.0, "w_max": 1.0}
    cells = DeviceArray(load_device("exp_step", w_min=-1.0, **law), SHAPE, seed=5)
    before = np.linspace(-0.9, 0.3, SHAPE[0] * SHAPE[1]).reshape(SHAPE).astype(np.float32)
    cells.set_weights(before)
    start = cells.weights.astype(float)
    cells.pulse(+1)
    p = cells.parameters()
    z = start / (p["max_bound"] - p["min_bound"]) - 0.1
    step = p["dwmin_up"] * np.maximum(1 - 0.9 * np.exp(np.minimum(gamma * z, 80.0)), 0.0)
    expected = np.minimum(start + step, p["max_bound"])
    # Half a unit in the last place of the weight, and 6e-7 of the exponential, that of its argument included.
    assert np.abs(cells.weights - expected).max() < 6e-8 + 0.4 * (6e-7 + gamma * 1.2e-7)
    assert (step > 0.01).sum() > 100


@pytest.mark.parametrize("retries", [False, True])
def test_read_equals_the_reference(retries: bool) -> None:
    io = IOParameters(inp_noise=0.02, out_bound=2.0 if retries else 12.0)
    cells = DeviceArray(load_device("soft_bounds"), (40, 50), seed=5)
    g = np.random.default_rng(2)
    cells.set_weights(g.uniform(-0.5, 0.5, (40, 50)))
    x = g.normal(size=(6, 50)).astype(np.float32)
    result = cells.read(x, io)
    keys = ReadKeys.of(5, "array", "forward")
    w = cells.weights.astype(float)
    for sample in range(len(x)):
        for turn in range(5):
            first = turn << 40
            input_noise = rng.normals(keys.dac[0], first, 2, sample)[:50]
            output_noise = rng.normals(keys.adc[0], first, 2, sample)[:40]
            y, saturated = reference.forward(w, x[sample], io, input_noise, output_noise, 2.0**turn)
            if not saturated:
                break
        assert result.passes[sample] == turn + 1
        level = io.out_step * np.abs(x[sample]).max() * 2.0**turn
        # A value next to the middle of two levels may fall on either side.
        wrong = np.abs(result.y[sample] - y) > 1e-4
        assert wrong.sum() <= 1
        assert np.abs(result.y[sample] - y).max() < level * 1.01
    assert (result.passes.max() > 1) == retries
