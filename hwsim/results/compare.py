"""Several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwsim.results.breakdown import in_phase_order
from hwsim.results.layout import area_text, clip, count, table
from hwsim.results.record import Record, number
from hwsim.results.text import WIDTH, display_path
from hwsim.units import format_quantity

LABEL_WIDTH = 18
COLUMN_WIDTH = 18


def compare(runs: Sequence[Record]) -> str:
    """Return a table with one column a run: what ran, accuracy, loss, time and energy, in all and by phase.

    More runs than fit 80 characters go into several blocks of columns.

    Raises:
        ResultsError: a run is complete but its summary is damaged.
    """
    columns = [_column(run, heading) for run, heading in zip(runs, _headings(runs), strict=True)]
    labels = _labels(columns)
    per_block = max((WIDTH - LABEL_WIDTH) // (COLUMN_WIDTH + 2), 1)
    blocks = []
    for first in range(0, len(columns), per_block):
        block = columns[first : first + per_block]
        rows = [[label, *(clip(column.get(label, "-"), COLUMN_WIDTH) for column in block)] for label in labels]
        blocks.append("\n".join(table(rows[0], rows[1:], right=range(1, len(block) + 1))))
    return "\n\n".join(blocks)


def _headings(runs: Sequence[Record]) -> list[str]:
    names = [run.path.resolve().name for run in runs]
    paths = [display_path(run.path) for run in runs]
    return [path if names.count(name) > 1 else name for name, path in zip(names, paths, strict=True)]


def _column(run: Record, heading: str) -> dict[str, str]:
    # The end of a path tells runs apart, so a long heading loses its beginning.
    short = heading if len(heading) <= COLUMN_WIDTH else "..." + heading[3 - COLUMN_WIDTH :]
    column = {"": short, **run.names, "seed": str(run.info.get("seed", "?"))}
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


def _labels(columns: Sequence[Mapping[str, str]]) -> list[str]:
    """Return the labels of all columns, each group (totals, latency, energy by phase) in its own order."""
    labels = list(dict.fromkeys(label for column in columns for label in column))
    for quantity in ("latency: ", "energy: "):
        phases = in_phase_order([label.removeprefix(quantity) for label in labels if label.startswith(quantity)])
        labels = [label for label in labels if not label.startswith(quantity)] + [quantity + name for name in phases]
    order = ["", "trace", "chip", "device", "algorithm", "seed", "state"]
    return [label for label in order if label in labels] + [label for label in labels if label not in order]
