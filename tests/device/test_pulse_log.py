"""The pulse log of the kernel: its order, its times, and that it tells of every pulse and changes none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.devices import DeviceArray, PulseLog, TimedRegion, UpdateParameters, load_device, plan_trains

WHOLE = (slice(None), slice(None))
SHAPE = (40, 100)
COLUMNS = ("sample", "slot", "row", "col", "polarity", "dw", "w")


def vectors(n: int) -> tuple[np.ndarray, np.ndarray]:
    g = np.random.default_rng(5)
    return g.normal(size=(n, SHAPE[1])).astype(np.float32), g.normal(size=(n, SHAPE[0])).astype(np.float32)


def logged(name: str, params: UpdateParameters, probe: Any, threads: int = 1, lr: float = 0.02) -> tuple[PulseLog, Any]:
    x, d = vectors(6)
    cells = DeviceArray(load_device(name), SHAPE, seed=3, threads=threads)
    plan = plan_trains(x, d, lr, cells.granularity, params)
    log = cells.apply_trains(x, d, plan, probe).log
    assert log is not None
    return log, plan


def timed(slots: np.ndarray, phases: int) -> TimedRegion:
    slot = 7
    return TimedRegion(*WHOLE, 1000 + (np.cumsum(slots) - slots) * phases * slot, slot, phases)


@pytest.mark.parametrize("phases", [1, 2])
@pytest.mark.parametrize("scheme", ["stochastic_compressed", "stochastic", "mean_count", "deterministic_implicit"])
@pytest.mark.parametrize("name", ["reram-sb", "reram-es"])
def test_rows_are_in_order_of_time(name: str, scheme: Any, phases: int) -> None:
    params = UpdateParameters(pulse_type=scheme, update_bl_management=False, update_management=False)
    plain, plan = logged(name, params, WHOLE)
    region = timed(plan.slots, phases)
    log, _ = logged(name, params, region)
    assert log.t_ps is not None
    phase = (log.polarity < 0) * (phases - 1)
    np.testing.assert_array_equal(log.t_ps, region.starts[log.sample] + (phase * plan.slots[log.sample] + log.slot) * 7)
    assert (np.lexsort((log.col, log.row, log.t_ps)) == np.arange(len(log))).all()
    # The same pulses as without times, each device's in the order in which they changed it if there is one phase.
    rows = [np.array([getattr(part, column) for column in COLUMNS], float) for part in (plain, log)]
    for part in rows:
        part[:] = part[:, np.lexsort(part)]
    np.testing.assert_array_equal(*rows)


def test_few_pulses_in_very_long_trains() -> None:
    """Trains of half a million slots, with about a pulse in a hundred of them: sorted, not counted by slots."""
    params = UpdateParameters(desired_bl=500_000, update_bl_management=False, update_management=False)
    x = np.zeros((2, SHAPE[1]), np.float32)
    d = np.zeros((2, SHAPE[0]), np.float32)
    x[:, ::50], d[:, ::20] = 0.05, 0.05
    cells = DeviceArray(load_device("reram-sb"), SHAPE, seed=3)
    plan = plan_trains(x, d, 0.5, cells.granularity, params)
    assert plan.slots.sum() == 1_000_000
    log = cells.apply_trains(x, d, plan, timed(plan.slots, 2)).log
    assert log is not None
    assert log.t_ps is not None
    assert len(log) > 3
    starts = timed(plan.slots, 2).starts
    offset = (log.polarity < 0) * plan.slots[log.sample] + log.slot
    np.testing.assert_array_equal(log.t_ps, starts[log.sample] + offset * 7)
    assert (np.diff(log.t_ps) >= 0).all()


@pytest.mark.parametrize("name", ["reram-sb", "reram-es", "pcm"])
def test_threads_make_the_same_log(name: str) -> None:
    one, plan = logged(name, UpdateParameters(), timed(np.full(6, 31), 2))
    three, _ = logged(name, UpdateParameters(), timed(np.full(6, 31), 2), threads=3)
    assert len(plan.bl) == 6
    for column in (*COLUMNS, "t_ps"):
        np.testing.assert_array_equal(getattr(one, column), getattr(three, column))


@given(
    seed=st.integers(0, 1 << 30),
    rows=st.integers(1, 70),
    cols=st.integers(1, 200),
    samples=st.integers(1, 700),
    firing=st.sampled_from([0.02, 0.2, 1.0]),
    strength=st.sampled_from([0.05, 0.5]),
    bl=st.sampled_from([1, 31, 70]),
    scheme=st.sampled_from(["stochastic_compressed", "stochastic", "mean_count"]),
    phases=st.sampled_from([1, 2]),
)
@settings(max_examples=40, deadline=None)
def test_any_trains_make_a_log_in_order_of_time_row_and_column(
    seed: int, rows: int, cols: int, samples: int, firing: float, strength: float, bl: int, scheme: Any, phases: int
) -> None:
    """Sparse and dense, in one share of samples and in several, on one thread and two, of the array and of a part."""
    g = np.random.default_rng(seed)
    samples = max(1, min(samples, 2_000_000 // (rows * cols * bl)))
    x, d = ((g.normal(size=(samples, n)) * (g.random((samples, n)) < firing)).astype(np.float32) for n in (cols, rows))
    params = UpdateParameters(
        pulse_type=scheme, desired_bl=bl, update_bl_management=False, update_management=False
    )  # fmt: skip
    top, left = int(g.integers(rows)), int(g.integers(cols))
    found = []
    for part, threads in ((WHOLE, 1), (WHOLE, 2), ((slice(top, None), slice(left, left + 40)), 1)):
        cells = DeviceArray(load_device("reram-sb"), (rows, cols), seed=3, threads=threads)
        plan = plan_trains(x, d, strength**2 * bl * cells.granularity, cells.granularity, params)
        starts = 5 + (np.cumsum(plan.slots) - plan.slots) * phases * 7
        result = cells.apply_trains(x, d, plan, TimedRegion(*part, starts, 7, phases))
        assert result.log is not None
        found.append(result.log)
    whole, threaded, probed = found
    assert len(whole) == result.totals.up + result.totals.down
    assert (np.lexsort((whole.col, whole.row, whole.t_ps)) == np.arange(len(whole))).all()  # type: ignore[arg-type]
    turn = (whole.polarity < 0) * (phases - 1) * plan.slots[whole.sample] + whole.slot
    np.testing.assert_array_equal(whole.t_ps, starts[whole.sample] + turn * 7)
    inside = (whole.row >= top) & (whole.col >= left) & (whole.col < left + 40)
    for column in (*COLUMNS, "t_ps"):
        np.testing.assert_array_equal(getattr(whole, column), getattr(threaded, column))
        np.testing.assert_array_equal(getattr(whole, column)[inside], getattr(probed, column))
    if result.lines is not None:
        order = np.lexsort((result.lines.line, result.lines.column, result.lines.slot, result.lines.sample))
        assert (order == np.arange(len(order))).all()
