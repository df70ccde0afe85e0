"""What it costs to reach an accuracy: simulated time and energy, split into the phases of training."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pandas as pd

from hwsim.results import open_run
from hwsim.spec.experiment import ExperimentSpec

PHASES = ("forward", "backward", "update", "transfer", "digital", "load", "static")
"""Phases in the order of tables; others come after them."""


def costs_to_targets(spec: ExperimentSpec, table: pd.DataFrame, runs: Path) -> pd.DataFrame:
    """Return time and energy at the first evaluation at which a run has each target accuracy, one row a run and target.

    Columns: series, at, seed, ``target`` (%), ``reached``, ``epochs``, ``latency_s``, ``energy_J``, and for each phase
    ``energy_J.PHASE`` and ``latency_s.PHASE`` until then; missing where the target was not reached.
    """
    rows = []
    for case in table.itertuples():
        run = open_run(runs / str(case.run))
        for target in spec.targets:
            rows.append(
                {"series": case.series, "at": case.at, "seed": case.seed, "target": target} | _cost(run, target)
            )
    return pd.DataFrame(rows)


def _cost(run: Any, target: float) -> dict[str, Any]:
    metrics = run.metrics
    reached = metrics[100 * metrics["test_accuracy"] >= target]
    if reached.empty:
        return {"reached": False, "epochs": math.nan, "latency_s": math.nan, "energy_J": math.nan}
    first = reached.iloc[0]
    row: dict[str, Any] = {
        "reached": True, "epochs": first["samples"] / _samples_per_epoch(run), "latency_s": first["t_s"],
        "energy_J": first["energy_J"],
    }  # fmt: skip
    phases = run.phases
    for phase in phases[phases["step"] == first["step"]].itertuples():
        row[f"energy_J.{phase.phase}"] = phase.energy_J
        row[f"latency_s.{phase.phase}"] = phase.t_s
    return row


def _samples_per_epoch(run: Any) -> float:
    return run.summary["samples"] / run.summary["epochs"]


def summarized_costs(costs: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over the seeds that reached each target, with how many did (``reached`` of ``count``).

    ``latency_s_std`` and ``energy_J_std`` are standard deviations over these seeds; NaN of a single one.
    """
    numbers = [name for name in costs.columns if name.startswith(("latency_s", "energy_J")) or name == "epochs"]
    grouped = costs.groupby(["target", "at", "series"], sort=False, dropna=False)
    means = grouped[numbers].mean()
    for name in ("latency_s", "energy_J"):
        means[f"{name}_std"] = grouped[name].std()
    means.insert(0, "count", grouped.size())
    means.insert(0, "reached", grouped["reached"].sum())
    return means.reset_index()


def split_of(table: pd.DataFrame, runs: Path) -> pd.DataFrame:
    """Return the energy of a sample by phase, J, one row a series: mean over its runs."""
    rows: dict[str, list[dict[str, float]]] = {}
    for case in table.itertuples():
        summary = open_run(runs / str(case.run)).summary
        shares = {phase: energy / summary["samples"] for phase, energy in summary["energy_by_phase"].items()}
        rows.setdefault(str(case.series), []).append(shares)
    found = pd.DataFrame({name: pd.DataFrame(parts).fillna(0.0).mean() for name, parts in rows.items()}).T.fillna(0.0)
    order = [phase for phase in PHASES if phase in found] + [phase for phase in found if phase not in PHASES]
    return found[order]
