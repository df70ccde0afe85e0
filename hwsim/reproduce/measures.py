"""What is measured of the runs of an experiment, as tables: one number a run, and the curve of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hwsim.reproduce.execute import Key
from hwsim.reproduce.floors import minimum_loss, predicted_floor, resolution
from hwsim.reproduce.plan import Case
from hwsim.results import Run, open_run
from hwsim.run import resolve
from hwsim.spec.experiment import ExperimentSpec

BLOCKS = 5
"""Parts of each half of a floor's steps, whose means say how sure the difference of the halves is."""
FALL = 0.1
"""A fall from one half to the other that is not worth telling, by the mean."""
CURVE_COLUMNS = {"test_loss": "loss", "test_accuracy": "accuracy", "t_s": "t_s", "energy_J": "energy_J"}


def measure(
    spec: ExperimentSpec, cases: Sequence[Case], paths: Mapping[Key, Path], *, closed_form: bool = True
) -> pd.DataFrame:
    """Return one row a run: series, at, seed, ``value``, and ``predicted`` where a check asks for the closed form.

    A floor is the mean loss above the least one over the last part of the steps, by inputs if the experiment says so;
    ``falling`` says that it still falls there, ``resolution`` what one step of the devices in every weight adds. An
    accuracy is in percent.
    ``steps`` and ``epochs`` say how far the run went; with timing, ``latency_s`` and ``energy_J`` are its totals.
    """
    rows = []
    judged = {check.get("series") for check in spec.checks if closed_form and check["check"] == "predicted"}
    windows = {series.name: series.window or spec.window for series in spec.series}
    for case in cases:
        run = open_run(paths[case.series, case.at, case.seed])
        summary, metrics = run.summary, run.metrics
        losses = metrics["test_loss"].dropna().to_numpy()
        row: dict[str, Any] = {
            "series": case.series, "at": case.at, "seed": case.seed, "steps": summary["steps"],
            "epochs": summary["epochs"], "run": run.path.name,
        }  # fmt: skip
        if spec.measure == "floor":
            resolved, scale = resolve(**case.arguments), _scale(spec, run)
            last = losses[-max(1, round(windows[case.series] * len(losses))) :] - minimum_loss(resolved)
            row |= {"value": scale * float(last.mean()), "falling": still_falling(last)}
            predicted = predicted_floor(resolved) if case.series in judged else None
            for name, known in (("predicted", predicted), ("resolution", resolution(resolved))):
                row[name] = np.nan if known is None else scale * known
        else:
            row["value"] = 100 * summary["metrics"]["accuracy"]
            row["best"] = 100 * float(metrics["test_accuracy"].max())
        if spec.timing:
            row |= {"latency_s": summary["latency_s"], "energy_J": summary["energy_J"]}
        rows.append(row)
    return pd.DataFrame(rows)


def still_falling(losses: np.ndarray) -> bool:
    """Return whether a loss falls from the first to the second half of these steps, by more than chance and FALL."""
    if len(losses) < 2 * BLOCKS:
        return False
    blocks = losses[len(losses) % (2 * BLOCKS) :].reshape(2 * BLOCKS, -1).mean(axis=1)
    before, after = blocks[:BLOCKS].mean(), blocks[BLOCKS:].mean()
    # Second differences have the chance of the blocks, six variances of one, and nothing of a steady fall.
    error = math.sqrt(np.mean(np.diff(blocks, 2) ** 2) / 6 * 2 / BLOCKS)
    return bool(before - after > max(4 * error, FALL * abs(after)))


def curves(spec: ExperimentSpec, cases: Sequence[Case], paths: Mapping[Key, Path]) -> pd.DataFrame:
    """Return loss, accuracy, time and energy of every run at every evaluation.

    Losses of experiments on floors are above the least one, and by inputs if the experiment says so.
    """
    frames = []
    for case in cases:
        run = open_run(paths[case.series, case.at, case.seed])
        metrics = run.metrics
        metrics = metrics[metrics["test_loss"].notna()]
        columns = {"step": metrics["step"] + 1, "epoch": metrics["epoch"] + 1}
        columns |= {name: metrics[column] for column, name in CURVE_COLUMNS.items()}
        frame = pd.DataFrame(columns)
        least = minimum_loss(resolve(**case.arguments)) if spec.measure == "floor" else 0.0
        frame["loss"] = _scale(spec, run) * (frame["loss"] - least)
        frame.insert(0, "seed", case.seed)
        frame.insert(0, "at", "" if case.at is None else str(case.at))
        frame.insert(0, "series", case.series)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _scale(spec: ExperimentSpec, run: Run) -> float:
    return 1 / run.config["trace"]["network"]["layers"][0]["inputs"] if spec.per_input else 1.0


def summarized(table: pd.DataFrame) -> pd.DataFrame:
    """Return mean, spread (standard deviation; NaN of one seed) and number of runs of each series and swept value.

    ``best`` is the mean over the runs of the best accuracy of each, ``falling`` how many still fall.
    """
    grouped = table.groupby(["series", "at"], sort=False, dropna=False)
    found = grouped["value"].agg(["mean", "std", "count"]).reset_index()
    if "predicted" in table:
        found["predicted"] = grouped["predicted"].mean().to_numpy()
    if "falling" in table:
        found["falling"] = grouped["falling"].sum().to_numpy()
    if "best" in table:
        found["best"] = grouped["best"].mean().to_numpy()
    return found
