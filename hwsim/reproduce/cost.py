"""What it costs to reach an accuracy: simulated time and energy, split into the phases of training."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
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
        rows.setdefault(str(case.series), []).append(_per_sample(runs / str(case.run), "energy_by_phase"))
    found = pd.DataFrame({name: pd.DataFrame(parts).fillna(0.0).mean() for name, parts in rows.items()}).T.fillna(0.0)
    return found[_ordered(found.columns)]


def splits(table: pd.DataFrame, runs: Path) -> pd.DataFrame:
    """Return where time and energy of a sample go, one row a series and swept value: means over its runs.

    Columns: ``ns.PHASE``, ``nJ.PHASE``, and ``nJ of COMPONENT`` with the tiles' parts of one kind taken together.
    """
    rows = []
    for case in table.to_dict("records"):
        run = runs / case["run"]
        times, phases = (_per_sample(run, f"{what}_by_phase") for what in ("latency", "energy"))
        parts: dict[str, float] = {}
        for component, energy in _per_sample(run, "energy_by_component").items():
            name = re.sub(r"^tile\d+\.", "tile.", component)
            parts[name] = parts.get(name, 0.0) + energy
        row = {"series": case["series"], "at": "" if pd.isna(case["at"]) else case["at"]}
        row |= {f"ns.{phase}": 1e9 * times[phase] for phase in _ordered(times)}
        row |= {f"nJ.{phase}": 1e9 * phases[phase] for phase in _ordered(phases)}
        rows.append(row | {f"nJ of {name}": 1e9 * energy for name, energy in parts.items()})
    found = pd.DataFrame(rows)
    numbers = sorted(found.columns.drop(["series", "at"]), key=lambda name: ("ns.", "nJ.", "nJ ").index(name[:3]))
    return found.fillna(0.0).groupby(["series", "at"], sort=False)[numbers].mean().reset_index()


def _per_sample(run: Path, split: str) -> dict[str, float]:
    summary = open_run(run).summary
    return {name: value / summary["samples"] for name, value in summary[split].items()}


def _ordered(phases: Iterable[str]) -> list[str]:
    """Return phases in the order of tables."""
    given = list(phases)
    return [phase for phase in PHASES if phase in given] + [phase for phase in given if phase not in PHASES]
