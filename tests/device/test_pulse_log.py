"""The pulse log of the kernel: its order, its times, and that it tells of every pulse and changes none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

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
