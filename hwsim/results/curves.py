"""Loss and accuracy against steps, simulated time and energy, of one run or of several in the same charts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.results.chart import Series, line_chart
from hwsim.units import format_quantity

if TYPE_CHECKING:
    import pandas as pd

AXES = (("step", "step", ""), ("t_s", "simulated time", "s"), ("energy_J", "energy", "J"))
"""Column of the metrics, name and unit of everything that a run can be drawn against."""


def run_curves(metrics: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the charts of one run: for each axis that it has, mini-batch and held-out loss, and accuracy."""
    return _charts([("", metrics)])


def compared_curves(runs: Sequence[tuple[str, pd.DataFrame]]) -> list[dict[str, Any]]:
    """Return the charts of several named runs, one line a run: loss and accuracy on held-out data.

    Of runs without held-out data it is the loss of the mini-batches.
    """
    return _charts(runs)


def _charts(runs: Sequence[tuple[str, pd.DataFrame]]) -> list[dict[str, Any]]:
    charts = []
    for column, name, unit in AXES:
        there = [(run, metrics) for run, metrics in runs if len(metrics) and metrics[column].notna().any()]
        if not there:
            continue
        factor, prefixed = axis_unit(max(float(metrics[column].max()) for _, metrics in there), unit)
        label = f"{name} ({prefixed})" if unit else name
        charts.append({"name": name, "id": column, "plots": _plots(there, column, factor, label)})
    return charts


def _plots(runs: Sequence[tuple[str, pd.DataFrame]], column: str, factor: float, label: str) -> list[Any]:
    loss, accuracy = [], []
    held_out = any(metrics["test_loss"].notna().any() for _, metrics in runs)
    for run, metrics in runs:
        x = metrics[column].to_numpy(dtype="float64") * factor
        values = {name: metrics[name].to_numpy(dtype="float64") for name in ("loss", "test_loss", "test_accuracy")}
        if not run or not held_out:
            loss.append(Series(run or "mini-batch", x, values["loss"]))
        if held_out:
            loss.append(Series(run or "held-out", x, values["test_loss"], dots=True))
        if np.isfinite(values["test_accuracy"]).any():
            accuracy.append(Series(run or "held-out accuracy", x, 100 * values["test_accuracy"], dots=True))
    several = len(runs) > 1
    plots = [line_chart(loss, label, "held-out loss" if several and held_out else "loss", log_y=True)]
    if accuracy:
        plots.append(line_chart(accuracy, label, "accuracy (%)"))
    return plots


def axis_unit(largest: float, unit: str) -> tuple[float, str]:
    """Return the factor and the prefixed unit in which an axis up to ``largest`` (SI) has readable numbers."""
    if not unit or largest == 0:
        return 1.0, unit
    text, prefixed = format_quantity(largest, unit, digits=9).split(" ")
    return float(text) / largest, prefixed
