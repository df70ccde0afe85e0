"""Several runs side by side: what each is, and where their energy differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hwsim.results.breakdown import group_tiles, in_phase_order
from hwsim.results.layout import area_text, clip, count, table
from hwsim.results.record import Record, number
from hwsim.results.text import WIDTH, display_path
from hwsim.units import format_quantity

LABEL_WIDTH = 18
COLUMN_WIDTH = 18


TARGETS = (0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99)
"""Accuracies whose price is compared."""
MOST_DIFFERENCES = 10
"""Components that the text names; the page has all."""


def compare(runs: Sequence[Record]) -> str:
    """Return a table with one column a run: what ran, accuracy, loss, time and energy, in all, by phase and component.

    Components come by how much their energy differs. More runs than fit 80 characters go into several blocks.

    Raises:
        ResultsError: a run is complete but its summary is damaged.
    """
    columns = side_by_side(runs)
    names = labels(columns)
    differing = [
        (clip(f"energy of {name}", LABEL_WIDTH + 12), [_joules(value) for value in energies])
        for name, energies in differences(runs, "component")[:MOST_DIFFERENCES]
        if any(energies)
    ]
    reached = [
        (f"to {100 * target:.0f} % accuracy", [_reached_text(each) for each in cells])
        for target, cells in to_accuracy(runs)
    ]
    per_block = max((WIDTH - LABEL_WIDTH) // (COLUMN_WIDTH + 2), 1)
    blocks = []
    for first in range(0, len(columns), per_block):
        block = columns[first : first + per_block]
        rows = [[name, *(clip(column.get(name, "-"), COLUMN_WIDTH) for column in block)] for name in names]
        rows[0][1:] = [_short(column[""]) for column in block]
        rows += [[name, *cells[first : first + per_block]] for name, cells in reached]
        rows += [[name, *cells[first : first + per_block]] for name, cells in differing]
        blocks.append("\n".join(table(rows[0], rows[1:], right=range(1, len(block) + 1))))
    return "\n\n".join(blocks)


def side_by_side(runs: Sequence[Record]) -> list[dict[str, str]]:
    """Return for each run its results as label to text; the label of its name is empty."""
    return [_column(run, heading) for run, heading in zip(runs, headings(runs), strict=True)]


def differences(runs: Sequence[Record], by: str) -> list[tuple[str, list[float | None]]]:
    """Return the energy of every ``component``, ``phase`` or ``layer`` in each run, J; the largest difference first.

    Components of equal class on all tiles are one. None stands for a run without energy.
    """
    found: list[dict[str, float] | None] = []
    for run in runs:
        parts = run.summary.get(f"energy_by_{by}") if run.has_summary else None
        found.append(group_tiles(parts) if parts is not None and by == "component" else parts)
    names = dict.fromkeys(name for parts in found for name in parts or ())
    rows = [(name, [None if parts is None else parts.get(name, 0.0) for parts in found]) for name in names]

    def spread(row: tuple[str, list[float | None]]) -> float:
        values = [value for value in row[1] if value is not None]
        return max(values) - min(values) if values else 0.0

    return sorted(rows, key=lambda row: -spread(row))


@dataclass(frozen=True)
class Reached:
    """When a run first had some accuracy: training step, simulated time (s) and energy (J), NaN without timing."""

    step: int
    time: float
    energy: float


def to_accuracy(runs: Sequence[Record]) -> list[tuple[float, list[Reached | None]]]:
    """Return for some accuracies what each run took to get there; None for a run that never did.

    The accuracies are those of ``TARGETS`` that at least one run has reached.
    """
    found = []
    for target in TARGETS:
        cells = [_first(run, target) if run.has_summary else None for run in runs]
        if any(cells):
            found.append((target, cells))
    return found


def _first(run: Record, target: float) -> Reached | None:
    there = run.metrics[run.metrics["test_accuracy"] >= target]
    if not len(there):
        return None
    step, time, energy = (there[name].to_numpy()[0] for name in ("step", "t_s", "energy_J"))
    return Reached(int(step) + 1, float(time), float(energy))


def _reached_text(reached: Reached | None) -> str:
    if reached is None:
        return "-"
    return f"{count(reached.step)} steps" if math.isnan(reached.energy) else _joules(reached.energy)


def _joules(value: float | None) -> str:
    return "-" if value is None else format_quantity(value, "J")


def headings(runs: Sequence[Record]) -> list[str]:
    """Return names that tell the runs apart: those of their folders, or paths where folders have the same name."""
    names = [run.path.resolve().name for run in runs]
    paths = [display_path(run.path) for run in runs]
    return [path if names.count(name) > 1 else name for name, path in zip(names, paths, strict=True)]


def _short(heading: str) -> str:
    # The end of a path tells runs apart, so a long heading loses its beginning.
    return heading if len(heading) <= COLUMN_WIDTH else "..." + heading[3 - COLUMN_WIDTH :]


def _column(run: Record, heading: str) -> dict[str, str]:
    column = {"": heading, **run.names, "seed": str(run.info.get("seed", "?"))}
    if run.state != "complete":
        column["state"] = run.state
    if run.has_summary:
        column |= _totals(run.summary) | _phases(run.summary)
    return column


def _totals(summary: Mapping[str, Any]) -> dict[str, str]:
    metrics, samples = summary["metrics"], summary["samples"]
    rows = {"samples": count(samples)}
    accuracy = number(metrics, "accuracy")
    if accuracy is not None:
        rows["accuracy"] = f"{100 * accuracy:.2f} %"
    for label, key in (("loss", "loss"), ("training loss", "train_loss")):
        value = number(metrics, key)
        if value is not None:
            rows[label] = f"{value:.4g}"
    for label, key, unit in (("latency", "latency_s", "s"), ("energy", "energy_J", "J")):
        if summary[key] is not None:
            rows[label] = format_quantity(summary[key], unit)
            if samples:
                rows[f"{label} per sample"] = format_quantity(summary[key] / samples, unit)
    rows["area"] = area_text(summary["area_m2"])
    return rows


def _phases(summary: Mapping[str, Any]) -> dict[str, str]:
    rows = {}
    for quantity, unit in (("latency", "s"), ("energy", "J")):
        parts = summary.get(f"{quantity}_by_phase") or {}
        for name in in_phase_order(list(parts)):
            if parts[name]:
                rows[f"{quantity}: {name}"] = format_quantity(parts[name], unit)
    return rows


def labels(columns: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the labels of all columns, each group (totals, latency, energy by phase) in its own order."""
    labels = list(dict.fromkeys(label for column in columns for label in column))
    for quantity in ("latency: ", "energy: "):
        phases = in_phase_order([label.removeprefix(quantity) for label in labels if label.startswith(quantity)])
        labels = [label for label in labels if not label.startswith(quantity)] + [quantity + name for name in phases]
    order = ["", "trace", "chip", "device", "algorithm", "seed", "state"]
    return [label for label in order if label in labels] + [label for label in labels if label not in order]
