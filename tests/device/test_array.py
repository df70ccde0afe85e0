"""DeviceArray: updates, reads, logs, checkpoints, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.devices import (
    DeviceArray,
    IOParameters,
    UpdateParameters,
    device_from_document,
    input_scale,
    load_device,
    plan_trains,
)
from hwsim.errors import DataError, SpecError, UsageError

WHOLE = (slice(None), slice(None))
PERFECT = IOParameters(is_perfect=True)
DEVICES = ["constant_step", "ecram", "reram-sb", "reram-es", "reram-array-om"]


def vectors(n: int, shape: tuple[int, int], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(seed)
    return g.normal(size=(n, shape[1])), g.normal(size=(n, shape[0]))


def quiet(**overrides: Any) -> Any:
    wide = {
        "dw_min_dtod": 0,
        "dw_min_std": 0,
        "up_down_dtod": 0,
        "w_max": 1e3,
        "w_min": -1e3,
        "w_max_dtod": 0,
        "w_min_dtod": 0,
    }
    return load_device("constant_step", **{**wide, **overrides})


# Updates


@pytest.mark.parametrize(
    "params",
    [
        UpdateParameters(),
        UpdateParameters(update_management=False, update_bl_management=False),
        UpdateParameters(desired_bl=100, update_bl_management=False),
        UpdateParameters(fixed_bl=False, desired_bl=5, update_bl_management=False, update_management=False),
        UpdateParameters(res=0.01, sto_round=True),
    ],
)
@pytest.mark.parametrize("lr", [0.01, -0.01])
def test_an_update_is_the_gradient_step_on_average(params: UpdateParameters, lr: float) -> None:
    g = np.random.default_rng(0)
    x, d = g.uniform(-0.8, 0.8, 40), g.uniform(-0.8, 0.8, 30)
    n = 4000
    cells = DeviceArray(quiet(), (30, 40), seed=1)
    cells.update(np.tile(x, (n, 1)), np.tile(d, (n, 1)), lr, params)
    expected = -lr * np.outer(d, x)
    error = np.sqrt(np.abs(expected) * 0.001 / n) + 1e-6
    assert np.abs((cells.weights / n - expected) / error).max() < 5.5
    assert np.abs((cells.weights / n - expected) / error).mean() < 1.0


def test_bit_length_follows_the_gradient() -> None:
    x = np.full((4, 3), 0.5)
    d = np.array([[1e-6, 0], [0.02, 0], [1.0, 0.1], [0.0, 0.0]])
    plan = plan_trains(x, d, 0.1, 0.001)
    assert plan.bl.tolist() == [1, 1, 31, 0]
    k = 0.1 * 0.5 * d.max(1) / 0.001
    p = plan.col_gain[:3] * 0.5
    assert p[:2] ** 2 * plan.bl[:2] == pytest.approx(k[:2])
    assert p[:3] == pytest.approx(
        plan.row_gain[:3] * np.minimum(d.max(1)[:3], d.max(1)[:3] * 31 / np.maximum(k[:3], 31))
    )


def test_pulse_counts_add_up() -> None:
    cells = DeviceArray(load_device("reram-sb"), (13, 37), seed=1)
    x, d = vectors(5, cells.shape)
    result = cells.update(x, d, 0.02, probe=WHOLE)
    log = result.log
    assert log is not None
    for sample in range(5):
        mine = log.sample == sample
        assert (log.polarity[mine] == 1).sum() == result.pulses_up[sample]
        assert (log.polarity[mine] == -1).sum() == result.pulses_down[sample]
        assert log.slot[mine].max(initial=-1) < result.bl[sample]
    assert (log.polarity == -np.sign(x[log.sample, log.col] * d[log.sample, log.row])).all()
    assert (result.row_fires <= result.bl[:, None]).all()
    assert result.col_fires.shape == (5, 37)


def test_line_pulses_make_the_coincidences() -> None:
    cells = DeviceArray(load_device("soft_bounds"), (20, 45), seed=1)
    x, d = vectors(3, cells.shape)
    params = UpdateParameters(desired_bl=1, update_management=False, update_bl_management=False)
    result = cells.update(x, d, 0.001, params)
    assert (result.row_fires.sum(1) * result.col_fires.sum(1) == result.pulses_up + result.pulses_down).all()


def test_the_log_is_ordered_and_explains_the_weights() -> None:
    cells = DeviceArray(load_device("soft_bounds"), (13, 70), seed=1)
    cells.set_weights(0.1)
    before = cells.weights.copy()
    x, d = vectors(4, cells.shape)
    log = cells.update(x, d, 0.05, probe=WHOLE).log
    assert log is not None
    order = np.lexsort((log.col, log.row, log.slot, log.sample))
    assert (order == np.arange(len(log))).all()
    last = before.copy()
    for row, col, dw, w in zip(log.row, log.col, log.dw, log.w, strict=True):
        assert w - dw == pytest.approx(last[row, col], abs=1e-6)
        last[row, col] = w
    assert (last == cells.weights).all()


def test_the_log_shows_the_weight_with_write_noise() -> None:
    cells = DeviceArray(load_device("reram-es"), (6, 40), seed=1)
    before = cells.weights.copy()
    x, d = vectors(4, cells.shape)
    log = cells.update(x, d, 0.05, probe=WHOLE).log
    assert log is not None
    last = before.copy()
    for row, col, dw, w in zip(log.row, log.col, log.dw, log.w, strict=True):
        assert w - dw == pytest.approx(last[row, col], abs=1e-6)
        last[row, col] = w
    assert (last == cells.weights).all()


def test_sum_of_weights_before_the_pulses() -> None:
    cells = DeviceArray(load_device("soft_bounds"), (13, 70), seed=1)
    cells.set_weights(0.2)
    x, d = vectors(3, cells.shape)
    result = cells.update(x, d, 0.05, probe=WHOLE)
    log = result.log
    assert log is not None
    for sample in range(3):
        mine = log.sample == sample
        assert result.sum_w[sample] == pytest.approx((log.w - log.dw)[mine].astype(float).sum(), rel=1e-5)


@pytest.mark.parametrize("name", DEVICES)
def test_threads_probes_and_batches_change_nothing(name: str) -> None:
    x, d = vectors(6, (23, 50))

    def run(threads: int = 1, probe: Any = None, single: bool = False, params: UpdateParameters | None = None) -> bytes:
        cells = DeviceArray(load_device(name), (23, 50), seed=7, threads=threads)
        lr = 5 * cells.granularity
        results = []
        if single:
            results = [cells.update(x[i], d[i], lr, params, probe) for i in range(6)]
        else:
            results = [cells.update(x, d, lr, params, probe)]
        cells.pulse(+1, probe)
        parts = [np.concatenate([getattr(r, field) for r in results]) for field in ("pulses_up", "sum_w", "col_fires")]
        return (
            cells.weights.tobytes() + b"".join(part.tobytes() for part in parts) + cells.forward(np.ones(50)).tobytes()
        )

    expected = run()
    assert run(threads=2) == expected
    assert run(threads=3) == expected
    assert run(probe=WHOLE) == expected
    assert run(probe=(slice(3, 9), slice(40, 50)), threads=2) == expected
    assert run(single=True) == expected
    # So few firing columns that they are visited one by one.
    few = UpdateParameters(desired_bl=2, update_bl_management=False, um_grad_scale=0.01)
    assert run(params=few) == run(params=few, threads=2, probe=WHOLE) == run(params=few, single=True)
    long = UpdateParameters(desired_bl=75, update_bl_management=False)
    assert run(params=long) == run(params=long, threads=2, probe=WHOLE) == run(params=long, single=True)


def test_a_probe_logs_its_region_only() -> None:
    x, d = vectors(6, (23, 50))
    logs = []
    for probe in (WHOLE, (slice(3, 9), slice(40, 50))):
        cells = DeviceArray(load_device("reram-es"), (23, 50), seed=7)
        logs.append(cells.update(x, d, 0.05, probe=probe).log)
    whole, part = logs
    inside = (whole.row >= 3) & (whole.row < 9) & (whole.col >= 40)
    assert len(part) == inside.sum() > 0
    for field in ("sample", "slot", "row", "col", "polarity", "dw", "w"):
        assert (getattr(whole, field)[inside] == getattr(part, field)).all()


def test_pulses_take_an_array_of_polarities() -> None:
    cells = DeviceArray(quiet(), (2, 3))
    result = cells.pulse(np.array([[1, 0, -1], [0, 0, 1]], np.int8), probe=WHOLE)
    assert cells.weights == pytest.approx(np.array([[1, 0, -1], [0, 0, 1]]) * 0.001)
    assert result.log is not None
    assert result.log.polarity.tolist() == [1, -1, 1]
    assert result.log.dw == pytest.approx([0.001, -0.001, 0.001])


def test_any_layout_of_inputs() -> None:
    x, d = vectors(4, (8, 10))
    wide = np.zeros((4, 20))
    wide[:, ::2] = x
    frozen = x.astype(np.float32)
    frozen.flags.writeable = False
    weights = []
    for form in (x, x.astype(np.float32), np.asfortranarray(x), wide[:, ::2], frozen, x.tolist()):
        cells = DeviceArray(load_device("ecram"), (8, 10), seed=1)
        cells.update(form, d, 0.01)
        weights.append(cells.weights.tobytes())
    assert len(set(weights)) == 1


def test_a_shared_plan_for_parts_of_a_matrix() -> None:
    x, d = vectors(200, (10, 60))
    plan = plan_trains(x, d, 0.01, 0.001)
    parts = [DeviceArray(quiet(), (10, 30), seed=1, path=f"part{i}") for i in range(2)]
    for i, part in enumerate(parts):
        part.apply_trains(x[:, 30 * i : 30 * (i + 1)], d, plan)
    whole = DeviceArray(quiet(), (10, 60), seed=1)
    whole.update(x, d, 0.01)
    joined = np.hstack([part.weights for part in parts])
    assert np.corrcoef(joined.ravel(), whole.weights.ravel())[0, 1] > 0.9
    assert joined.std() == pytest.approx(whole.weights.std(), rel=0.1)


def test_empty_batches_and_zero_rates_do_nothing() -> None:
    cells = DeviceArray(load_device("ecram"), (4, 5), seed=1)
    before = cells.weights.copy()
    assert cells.update(np.zeros((0, 5)), np.zeros((0, 4)), 0.1).bl.shape == (0,)
    x, d = vectors(2, (4, 5))
    assert cells.update(x, d, 0.0).bl.tolist() == [0, 0]
    assert cells.update(np.zeros((1, 5)), d[:1], 0.1).pulses_up.tolist() == [0]
    assert (cells.weights == before).all()
    assert cells.forward(np.zeros((0, 5))).shape == (0, 4)


# Reads


def test_perfect_reads_are_the_product() -> None:
    cells = DeviceArray(load_device("ecram"), (7, 45), seed=1)
    cells.set_weights(np.random.default_rng(0).uniform(-0.5, 0.5, (7, 45)))
    x, d = vectors(3, cells.shape)
    assert cells.forward(x, PERFECT) == pytest.approx(x @ cells.weights.T, abs=1e-5)
    assert cells.backward(d, PERFECT) == pytest.approx(d @ cells.weights, abs=1e-5)


def test_continuous_quiet_converters_are_the_product() -> None:
    cells = DeviceArray(load_device("ecram"), (7, 45), seed=1)
    cells.set_weights(0.1)
    x, d = vectors(3, cells.shape)
    io = IOParameters(inp_res=0, out_res=0, out_noise=0)
    assert cells.forward(x, io) == pytest.approx(x @ cells.weights.T, abs=1e-5)
    assert cells.backward(d, io) == pytest.approx(d @ cells.weights, abs=1e-5)


def test_quantised_inputs_and_outputs() -> None:
    cells = DeviceArray(load_device("ecram"), (5, 6), seed=1)
    cells.set_weights(0.3)
    io = IOParameters(inp_res=1 / 4, out_res=8, out_bound=4.0, out_noise=0, noise_management="none")
    result = cells.read(np.array([0.3, 0.7, -0.2, 1.4, -3.0, 0.0]), io)
    assert result.x_quantised[0] == pytest.approx([0.5, 0.5, 0.0, 1.0, -1.0, 0.0])
    assert result.y == pytest.approx(np.rint(result.x_quantised @ cells.weights.T))
    assert (io.inp_bits, io.out_bits) == (2, 3)
    assert IOParameters().inp_bits == 7
    assert IOParameters().out_bits == 9
    assert IOParameters(inp_res=0).inp_bits is None


def test_output_noise_has_its_spread() -> None:
    cells = DeviceArray(load_device("ecram"), (200, 5), seed=1)
    y = cells.forward(np.full((100, 5), 0.5), IOParameters(out_noise=0.1, out_res=0, noise_management="none"))
    assert y.std() == pytest.approx(0.1, rel=0.03)


@pytest.mark.parametrize(
    ("kind", "expected"), [("additive_constant", 0.02 * np.sqrt(45)), ("pcm_read", 0.02 * np.sqrt(45 * 0.25))]
)
def test_read_noise_of_the_weights(kind: str, expected: float) -> None:
    cells = DeviceArray(quiet(w_max=1.0, w_min=-1.0), (200, 45), seed=1)
    cells.set_weights(0.25)
    io = IOParameters(w_noise=0.02, w_noise_type=kind, out_noise=0.0, out_res=0.0, inp_res=0.0, out_bound=0.0)
    assert cells.forward(np.ones((50, 45)), io).std() == pytest.approx(expected, rel=0.03)


def test_bound_management_only_repeats_saturated_samples() -> None:
    cells = DeviceArray(quiet(w_max=1.0, w_min=-1.0), (3, 100), seed=1)
    cells.set_weights(0.5)
    x = np.zeros((3, 100))
    x[0, 0], x[1], x[2, :30] = 1, 1, 1
    result = cells.read(x, IOParameters(out_noise=0))
    assert result.passes.tolist() == [1, 4, 2]
    assert result.saturated == 0
    assert result.y[:, 0] == pytest.approx([0.5, 50, 15], rel=0.05)
    without = cells.read(x, IOParameters(out_noise=0, bound_management="none"))
    assert without.saturated == 6
    assert without.y[1, 0] == pytest.approx(12)
    assert cells.read(x, IOParameters(out_noise=0, bound_management="iterative_worst_case")).passes.tolist() == [
        1,
        2,
        2,
    ]


def test_noise_management() -> None:
    x = np.array([[0.5, -2.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    assert input_scale(x, IOParameters()).tolist() == [2.0, 0.0]
    assert input_scale(x, IOParameters(inp_noise=0.1)).tolist() == [2.0, 1.0]
    assert input_scale(x, IOParameters(nm_thres=1.5)).tolist() == [1.5, 0.0]
    assert input_scale(x, IOParameters(noise_management="max")).tolist() == [0.5, 0.0]
    assert input_scale(x, IOParameters(noise_management="none")).tolist() == [1.0, 1.0]
    assert input_scale(x, IOParameters(noise_management="constant", nm_thres=3.0)).tolist() == [3.0, 3.0]
    wide = np.ones((1, 100), np.float32)
    assert input_scale(wide, IOParameters(noise_management="abs_max_np_sum")).tolist() == [5.0]


def test_reads_of_one_purpose_do_not_disturb_another() -> None:
    def run(evaluate: bool) -> bytes:
        cells = DeviceArray(load_device("ecram"), (5, 6), seed=1)
        parts = []
        for _ in range(3):
            parts.append(cells.forward(np.ones(6)).tobytes())
            if evaluate:
                cells.read(np.ones((7, 6)), purpose="evaluation")
        return b"".join(parts)

    assert run(True) == run(False)


def test_one_line_read() -> None:
    cells = DeviceArray(load_device("ecram"), (5, 40), seed=1)
    cells.set_weights(np.random.default_rng(0).uniform(-0.5, 0.5, (5, 40)))
    assert cells.read_line(7, io=PERFECT).y[0] == pytest.approx(cells.weights[:, 7])
    assert cells.read_line(2, "row", PERFECT, value=2.0).y[0] == pytest.approx(2 * cells.weights[2])
    noisy = cells.read_line(7, io=IOParameters(out_noise=0))
    assert noisy.y[0] == pytest.approx(cells.weights[:, 7], abs=0.03)
    assert noisy.x_quantised.shape == (1, 1)


def test_line_sums() -> None:
    cells = DeviceArray(load_device("reram-es"), (5, 43), seed=1)
    cells.set_weights(np.random.default_rng(0).uniform(-0.5, 0.5, (5, 43)))
    rows, cols = cells.line_sums()
    assert rows == pytest.approx(cells.weights.astype(float).sum(1))
    assert cols == pytest.approx(cells.weights.astype(float).sum(0))


def test_line_sums_follow_every_change() -> None:
    cells = DeviceArray(load_device("reram-es"), (5, 43), seed=1)
    x, d = vectors(2, cells.shape)
    saved = cells.state()
    floats = UpdateParameters(pulse_type="none_with_device")
    for change in (
        lambda: cells.set_weights(0.2),
        lambda: cells.pulse(+1),
        lambda: cells.update(x, d, 0.05),
        lambda: cells.update(x, d, 0.05, floats),
        lambda: cells.restore(saved),
    ):
        change()
        for sums, axis in zip(cells.line_sums(), (1, 0), strict=True):
            assert sums == pytest.approx(cells.weights.astype(float).sum(axis), abs=1e-9)
            assert not sums.flags.writeable


# Weights and checkpoints


def test_weights_are_a_copy() -> None:
    for cells in (DeviceArray(quiet(), (5, 6)), DeviceArray(load_device("reram-sb"), (5, 6))):
        before = cells.weights
        assert (before.shape, before.dtype) == ((5, 6), np.float32)
        kept = before.copy()
        cells.pulse(+1)
        np.testing.assert_array_equal(before, kept)
        assert (cells.weights != kept).all()
        cells.weights[:] = 9.0
        assert (cells.weights < 9.0).all()


def test_set_weights_clips_at_each_device() -> None:
    cells = DeviceArray(load_device("soft_bounds"), (30, 30), seed=1)
    cells.set_weights(10.0)
    assert cells.weights == pytest.approx(cells.parameters()["max_bound"], rel=1e-6)


@pytest.mark.parametrize("name", DEVICES)
def test_restored_arrays_continue_bit_for_bit(name: str) -> None:
    x, d = vectors(6, (9, 35))
    device = load_device(name)

    def work(cells: DeviceArray, part: slice) -> None:
        cells.update(x[part], d[part], 3 * cells.granularity)
        cells.forward(x[part])
        cells.pulse(-1)

    first = DeviceArray(device, (9, 35), seed=3)
    work(first, slice(0, 3))
    saved = first.state()
    work(first, slice(3, 6))
    second = DeviceArray(device, (9, 35), seed=3)
    second.restore(saved)
    work(second, slice(3, 6))
    assert (first.weights == second.weights).all()
    assert (first.forward(x) == second.forward(x)).all()
    with pytest.raises(DataError, match="no state of an array"):
        DeviceArray(device, (9, 36), seed=3).restore(saved)


# Refusals


@pytest.mark.parametrize(
    ("x", "d", "message"),
    [
        (np.ones((2, 5)), np.ones((2, 4)), r"x must have 6 values per sample, got shape \(2, 5\)"),
        (np.ones((2, 6)), np.ones((3, 4)), "x has 2 samples, d has 3"),
        (np.full((2, 6), np.nan), np.ones((2, 4)), "x holds a number that is not finite"),
        (np.ones((2, 6)), np.full((2, 4), np.inf), "d holds a number that is not finite"),
        (np.full((2, 6), 1e300), np.ones((2, 4)), "x holds a number that is not finite in float32"),
        (np.ones((1, 2, 6)), np.ones((2, 4)), "one or two dimensions"),
        (np.array([["a"] * 6]), np.ones((1, 4)), "array of real numbers"),
        (np.ones((2, 6), complex), np.ones((2, 4)), "array of real numbers"),
    ],
)
def test_bad_vectors_are_refused(x: np.ndarray, d: np.ndarray, message: str) -> None:
    cells = DeviceArray(load_device("ecram"), (4, 6))
    before = cells.weights.copy()
    with pytest.raises(DataError, match=message):
        cells.update(x, d, 0.1)
    assert (cells.weights == before).all()


def test_other_bad_input_is_refused() -> None:
    cells = DeviceArray(load_device("ecram"), (4, 6))
    good = np.ones((1, 6)), np.ones((1, 4))
    with pytest.raises(DataError, match="learning rate must be finite"):
        cells.update(*good, float("nan"))
    with pytest.raises(DataError, match="longer than"):
        cells.update(*good, 1e6, UpdateParameters(fixed_bl=False, update_bl_management=False))
    with pytest.raises(DataError, match="polarities must be the integers"):
        cells.pulse(2)
    with pytest.raises(DataError, match="polarities must have shape"):
        cells.pulse(np.ones((2, 2), int))
    with pytest.raises(DataError, match=r"weights must have shape \(4, 6\)"):
        cells.set_weights(np.ones((6, 4)))
    with pytest.raises(DataError, match="not finite"):
        cells.set_weights(np.nan)
    with pytest.raises(DataError, match="x must have 6 values"):
        cells.forward(np.ones(5))
    with pytest.raises(DataError, match="not finite"):
        cells.backward(np.full(4, np.nan))
    with pytest.raises(UsageError, match="column 6 does not exist"):
        cells.read_line(6)
    with pytest.raises(UsageError, match="axis must be"):
        cells.read_line(0, "diagonal")
    with pytest.raises(UsageError, match="must be positive"):
        DeviceArray(load_device("ecram"), (0, 6))


def test_unknown_and_illegal_device_parameters_are_refused() -> None:
    with pytest.raises(SpecError, match="no device is called 'reram-ess'; did you mean 'reram-es'"):
        load_device("reram-ess")
    with pytest.raises(SpecError, match=r"parameters.dw_mn: no such parameter; did you mean 'dw_min'"):
        load_device("ecram", dw_mn=0.1)
    with pytest.raises(SpecError, match=r"parameters.dw_min: input should be greater than 0, got -1"):
        load_device("ecram", dw_min=-1.0)
    with pytest.raises(SpecError, match=r"cell.pulse_width"):
        load_device("ecram", cell__pulse_width="5 mV")
    with pytest.raises(SpecError) as caught:
        load_device("ecram", dw_min=float("nan"), w_max=-1.0)
    assert len(caught.value.problems) == 2


def test_overrides_reach_parameters_and_cell() -> None:
    device = load_device("ecram", dw_min=0.01, cell__pulse_width="50 ns")
    assert device.parameters.dw_min == 0.01
    assert device.cell.pulse_width == pytest.approx(50e-9)
    assert load_device("soft-bounds") == load_device("soft_bounds")
    assert device_from_document(load_device("reram-es").model_dump(mode="json")) == load_device("reram-es")
