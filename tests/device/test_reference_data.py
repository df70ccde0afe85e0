"""The device laws and the pulse trains against measurements of AIHWKit 1.1.0 (tests/data, see response_curves.md
there)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwsim.devices import DeviceArray, UpdateParameters, load_device

DATA = Path(__file__).parents[1] / "data"
CURVES = pd.read_csv(DATA / "response_curves.csv")
STATISTICS = pd.read_csv(DATA / "pulse_statistics.csv")
SETTINGS = {
    "default_bl31": UpdateParameters(),
    "no_management_bl31": UpdateParameters(update_management=False, update_bl_management=False),
    "mean_count_bl31": UpdateParameters(pulse_type="mean_count"),
}


def respond(device: str, seed: int) -> dict[tuple[str, int], np.ndarray]:
    cells = DeviceArray(load_device(device), (100, 100), seed=seed)
    cells.set_weights(0.0)
    found = {("start", 0): cells.weights.astype(float)}
    marks = set(CURVES.pulses)
    for direction, polarity in (("up", 1), ("down", -1)):
        for pulses in range(1, 1001):
            cells.pulse(polarity)
            if pulses in marks:
                found[direction, pulses] = cells.weights.astype(float)
    return found


def error_of_spread(values: np.ndarray) -> float:
    """Standard error of a standard deviation; large where few devices that hit their bounds make the spread."""
    centred = values - values.mean()
    variance = np.mean(centred**2)
    return float(np.sqrt(max(np.mean(centred**4) - variance**2, 0.0) / values.size / max(4 * variance, 1e-30)))


@pytest.mark.parametrize("device", sorted(set(CURVES.device)))
def test_response_curve(device: str) -> None:
    found = respond(device, seed=11)
    rows = CURVES[CURVES.device == device]
    # The peer draws its Gaussians from one table of 32768: its mean step is off by dw_min_std / sqrt(32768), one
    # standard error, in a whole run (checked: 0.93 to 1.02 times the step in nine runs with dw_min_std = 5).
    table_error = load_device(device).parameters.dw_min_std / np.sqrt(32768)
    turn = float(rows[(rows.direction == "up") & (rows.pulses == 1000)]["mean"].iloc[0])
    assert len(rows) == 21
    for row in rows.itertuples():
        weights = found[row.direction, row.pulses]
        where = f"{device} {row.direction} {row.pulses}"
        error = np.hypot(weights.std(), row.std) / 100
        moved = abs(row.mean - turn) if row.direction == "down" else abs(row.mean)
        assert abs(weights.mean() - row.mean) <= 4 * error + 3 * table_error * moved + 1e-7, where
        assert abs(weights.std() - row.std) <= max(0.05 * row.std, 4 * np.sqrt(2) * error_of_spread(weights)) + 1e-7, (
            where
        )
        spread = max(row.std, 1e-7)
        for name, share in (("p05", 5), ("p50", 50), ("p95", 95)):
            assert np.percentile(weights, share) == pytest.approx(getattr(row, name), abs=0.12 * spread), where


@pytest.mark.parametrize("setting", sorted(set(STATISTICS.setting)))
def test_pulse_statistics(setting: str) -> None:
    n = 40_000
    device = load_device(
        "constant_step",
        dw_min=0.001,
        dw_min_dtod=0,
        dw_min_std=0,
        up_down_dtod=0,
        w_max=1e6,
        w_min=-1e6,
        w_max_dtod=0,
        w_min_dtod=0,
    )
    group = STATISTICS[STATISTICS.setting == setting]
    x = group.sort_values("col").drop_duplicates("col").x.to_numpy()
    d = group.sort_values("row").drop_duplicates("row").d.to_numpy()
    cells = DeviceArray(device, (len(d), len(x)), seed=3)
    whole = (slice(None), slice(None))
    lr = float(group.lr.iloc[0])
    result = cells.update(np.tile(x, (n, 1)), np.tile(d, (n, 1)), lr, SETTINGS[setting], probe=whole)
    steps = np.zeros((n, len(d), len(x)))
    np.add.at(steps, (result.log.sample, result.log.row, result.log.col), result.log.polarity)
    for row in group.itertuples():
        seen = steps[:, row.row, row.col]
        error = np.sqrt((seen.var() + row.var_steps) / n)
        assert abs(seen.mean() - row.mean_steps) <= 4.5 * error + 1e-4 * max(1.0, abs(row.mean_steps)), row
        spread_error = 2 * seen.std() * error_of_spread(seen)
        assert abs(seen.var() - row.var_steps) <= max(0.05 * row.var_steps, 4 * np.sqrt(2) * spread_error) + 1e-6, row
