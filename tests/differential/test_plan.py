"""Plans of streams with a learning rate for each sample."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.devices import DeviceArray, UpdateParameters, load_device, plan_trains
from hwsim.errors import DataError

PARAMETERS = [
    UpdateParameters(),
    UpdateParameters(update_bl_management=False),
    UpdateParameters(fixed_bl=False, update_management=False, update_bl_management=False),
]


def stream(n: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    g = np.random.default_rng(4)
    rates = g.uniform(0.001, 0.2, n)
    rates[3] = 0.0
    return g.normal(size=(n, 40)).astype(np.float32), g.normal(size=(n, 9)).astype(np.float32), rates


@pytest.mark.parametrize("params", PARAMETERS)
def test_a_stream_is_planned_as_its_samples_one_by_one(params: UpdateParameters) -> None:
    x, d, rates = stream()
    plan = plan_trains(x, d, rates, 0.001, params)
    for sample, rate in enumerate(rates):
        alone = plan_trains(x[sample], d[sample], float(rate), 0.001, params)
        assert plan.bl[sample] == alone.bl[0]
        assert plan.col_gain[sample] == alone.col_gain[0]
        assert plan.row_gain[sample] == alone.row_gain[0]
    assert plan.bl[3] == 0


@pytest.mark.parametrize("pulse_type", ["stochastic_compressed", "none_with_device"])
def test_negative_rates_of_a_stream_raise_what_positive_ones_lower(pulse_type: str) -> None:
    x, d, rates = stream()
    x, d = np.abs(x), np.abs(d)
    params = UpdateParameters(pulse_type=pulse_type)
    changes = []
    for sign in (1, -1):
        cells = DeviceArray(load_device("constant_step"), (9, 40), seed=1)
        plan = plan_trains(x, d, 0.1 * sign * rates, cells.granularity, params)
        cells.apply_trains(x, d, plan)
        assert plan.negative == (sign < 0)
        changes.append(cells.weights)
    assert changes[0].mean() < -0.01
    assert changes[1].mean() > 0.01


def test_float_updates_take_the_rate_of_each_sample() -> None:
    x, d, rates = stream()
    cells = DeviceArray(load_device("constant_step", w_max=100.0, w_min=-100.0), (9, 40), seed=1)
    plan = plan_trains(x, d, rates, cells.granularity, UpdateParameters(pulse_type="none_with_device"))
    cells.apply_trains(x, d, plan)
    assert cells.weights == pytest.approx(-np.einsum("n,ni,nj->ij", rates, d, x), abs=1e-5)


@pytest.mark.parametrize("rates", [np.array([0.1, -0.1, 0.1]), np.array([0.1, 0.2]), np.array([0.1, np.nan, 0.1])])
def test_rates_of_two_signs_or_of_the_wrong_number_are_refused(rates: np.ndarray) -> None:
    with pytest.raises(DataError, match="rate"):
        plan_trains(np.ones((3, 4)), np.ones((3, 2)), rates, 0.001)


def test_the_sample_with_an_endless_train_is_named() -> None:
    params = UpdateParameters(fixed_bl=False, update_management=False, update_bl_management=False)
    with pytest.raises(DataError, match=r"lr 5000\.0 is too large"):
        plan_trains(np.ones((3, 4)), np.ones((3, 2)), np.array([0.1, 5000.0, 0.1]), 0.001, params)
