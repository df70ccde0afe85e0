"""Reads with every option of the converters against the plain chain, with the same random numbers."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwsim._kernels import rng
from hwsim.devices import DeviceArray, IOParameters, load_device
from hwsim.devices.mvm import ReadKeys
from hwsim.engine.rng import normals, stream_key

_spec = spec_from_file_location("reference", Path(__file__).with_name("reference.py"))
assert _spec is not None
assert _spec.loader is not None
reference = module_from_spec(_spec)
_spec.loader.exec_module(reference)

ROWS, COLS = 40, 50
CONTINUOUS = {"inp_res": 0.0, "out_res": 0.0}
EVERYTHING = {
    "inp_noise": 0.02, "inp_asymmetry": 0.1, "out_asymmetry": 0.2, "out_noise_std": 0.4, "w_noise": 0.03,
    "w_noise_type": "pcm_read", "ir_drop": 1.0, "ir_drop_g_ratio": 300.0, "out_nonlinearity": 0.4,
    "out_nonlinearity_std": 0.3, "slope_calibration": 0.5, "v_offset_std": 0.1, "r_series": 0.02, "out_scale": 0.7,
}  # fmt: skip
OPTIONS: list[dict[str, Any]] = [
    {"out_noise_std": 0.5},
    {"ir_drop": 2.0, "ir_drop_g_ratio": 100.0},
    {"out_nonlinearity": 0.5, "out_nonlinearity_std": 0.3},
    {"out_nonlinearity": 0.5, "slope_calibration": 0.5, "r_series": 0.05},
    {"v_offset_std": 0.2},
    {"v_offset_std": 0.2, "v_offset_w_min": 0.0, "r_series": 0.1},
    {"w_noise": 0.05, "w_noise_type": "additive_constant"},
    EVERYTHING,
    EVERYTHING | {"inp_res": 1 / 126, "out_res": 1 / 510},
    # 127 levels: halved inputs do not fall on the middle of two.
    EVERYTHING | {"out_bound": 1.5, "inp_res": 1 / 127},
]
MODES: list[Any] = ["one_pass", "pos_neg_separate", "pos_neg_separate_digital_sum"]


def fixed(name: str, transposed: bool) -> np.ndarray:
    side = "columns" if transposed else "rows"
    return normals(stream_key(5, "array", f"read.{side}.{name}"), 0, COLS if transposed else ROWS).astype(float)


def expected_read(
    w: np.ndarray, x: np.ndarray, io: IOParameters, sample: int, turn: int, transposed: bool
) -> tuple[np.ndarray, bool]:
    """One attempt for one vector; ``w`` is (outputs, inputs)."""
    keys = ReadKeys.of(5, "array", "backward" if transposed else "forward")
    outputs, inputs = w.shape

    def noise(key: int, number: int, lines: int) -> np.ndarray:
        return rng.normals(key, number << 40, 2, sample)[:lines].astype(float)

    v = np.maximum(io.v_offset_std * fixed("voltage offset", transposed), 0)
    strength = io.out_nonlinearity / io.out_bound
    n = abs(strength * (1 + io.out_nonlinearity_std * fixed("output nonlinearity", transposed)))
    std = abs(io.out_noise * (1 + io.out_noise_std * fixed("output noise", transposed)))
    factor = abs(x).max() * 2.0**turn
    applied = reference.convert(x / factor, io.inp_step, io.inp_bound)
    applied = applied + io.inp_noise * noise(keys.dac[0], turn, inputs)
    applied = np.where(applied < 0, applied * (1 - io.inp_asymmetry), applied)
    f = io.w_read_asymmetry_dtod * normals(stream_key(5, "array", "read.polarity"), 0, ROWS * COLS).reshape(ROWS, COLS)
    f = f.T if transposed else f
    where = np.arange(inputs)
    halves = [np.maximum(applied, 0), np.minimum(applied, 0)]
    if io.mv_type == "one_pass":
        ys, parts, turns = [reference.collected(w, applied, io, v, where, inputs, None)], [applied], [turn]
    else:
        both = [
            reference.collected(w, half, io, v, where, inputs, asymmetry)
            for half, asymmetry in zip(halves, (None, f), strict=True)
        ]
        if io.mv_type == "pos_neg_separate":
            ys, parts, turns = [both[0] + both[1]], [applied], [turn]
        else:
            ys, parts, turns = both, halves, [2 * turn, 2 * turn + 1]
    total, saturated = np.zeros(outputs), False
    for y, part, number in zip(ys, parts, turns, strict=True):
        out, beyond = reference.adc(
            y, part, w, io, n, std, noise(keys.adc[2], number, outputs), noise(keys.adc[0], number, outputs)
        )
        total += out
        saturated |= beyond
    return total * factor * io.out_scale, saturated


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("options", OPTIONS)
def test_every_option_equals_the_plain_chain(options: dict[str, Any], mode: Any, transposed: bool) -> None:
    asymmetry = {} if mode == "one_pass" else {"w_read_asymmetry_dtod": 0.2}
    io = IOParameters(**CONTINUOUS | asymmetry | options, mv_type=mode)
    cells = DeviceArray(load_device("soft_bounds"), (ROWS, COLS), seed=5)
    g = np.random.default_rng(2)
    cells.set_weights(g.uniform(-0.5, 0.5, (ROWS, COLS)))
    w = cells.weights.astype(float)
    w = w.T if transposed else w
    x = g.normal(size=(3, w.shape[1])).astype(np.float32)
    result = cells.read(x, io, transposed=transposed, purpose="backward" if transposed else "forward")
    for sample in range(3):
        for turn in range(5):
            y, saturated = expected_read(w, x[sample].astype(float), io, sample, turn, transposed)
            if not saturated:
                break
        assert result.retries[sample] == turn
        # A value next to the middle of two levels may fall on either side.
        level = 2.1 * io.out_step * abs(x[sample]).max() * 2.0**turn
        wrong = np.abs(result.y[sample] - y) > 3e-4
        assert wrong.sum() <= (3 if io.out_step > 0 else 0)
        assert np.abs(result.y[sample] - y).max() < level + 3e-4
    assert (result.passes == (1 + result.retries) * io.passes).all()
    assert (result.conversions == (1 + result.retries) * io.conversions).all()


@pytest.mark.parametrize("axis", ["column", "row"])
@pytest.mark.parametrize("mode", MODES)
def test_one_line_read_has_the_periphery_of_the_whole_array(axis: str, mode: Any) -> None:
    """A one-hot read of a line through the whole array and the short cut give the same numbers."""
    io = IOParameters(
        **CONTINUOUS, mv_type=mode, noise_management="none", bound_management="none", out_noise=0.0, ir_drop=1.0,
        ir_drop_g_ratio=10.0, out_nonlinearity=0.3, out_nonlinearity_std=0.5, v_offset_std=0.2, r_series=0.1,
        w_read_asymmetry_dtod=0.0 if mode == "one_pass" else 0.3,
    )  # fmt: skip
    cells = DeviceArray(load_device("soft_bounds"), (ROWS, COLS), seed=5)
    cells.set_weights(np.random.default_rng(2).uniform(-0.5, 0.5, (ROWS, COLS)))
    for value in (1.0, -1.0):
        one_hot = np.zeros((1, COLS if axis == "column" else ROWS))
        one_hot[0, 7] = value
        whole = cells.read(one_hot, io, transposed=axis == "row").y
        assert cells.read_line(7, axis, io, value).y == pytest.approx(whole, abs=1e-6)
