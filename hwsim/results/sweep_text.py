"""A sweep as text for a terminal."""

from __future__ import annotations

from typing import Any

from hwsim.results.layout import clip, table
from hwsim.results.sweep_record import SweepRecord
from hwsim.results.text import display_path
from hwsim.units import format_quantity

ROWS = 40
"""More points than this are not printed; they are in the table."""


def sweep_text(sweep: SweepRecord) -> str:
    """Return the points with their results over the seeds, the failed ones, and what moves what."""
    parts = [_points(sweep), _failures(sweep), _sensitivity(sweep)]
    parts.append(f"sweep folder {display_path(sweep.path)}   page {display_path(sweep.path / 'sweep.html')}")
    return "\n\n".join(part for part in parts if part)


def point_rows(sweep: SweepRecord) -> tuple[list[str], list[list[str]]]:
    """Return the heading and the lines of a table of all points, means and spreads over their seeds."""
    frame = sweep.by_point()
    results = [str(name) for name in frame if f"{name}_std" in frame]
    header = [*sweep.varied, "seeds", *(label(name) for name in results)]
    rows = [
        [*(_value(row[name]) for name in sweep.varied), str(row["seeds"]), *(_cell(row, name) for name in results)]
        for row in frame.to_dict("records")
    ]
    return header, rows


def _points(sweep: SweepRecord) -> str:
    header, rows = point_rows(sweep)
    lines = table(header, rows[:ROWS], right=range(len(sweep.varied), len(header)))
    if len(rows) > ROWS:
        lines.append(f"... and {len(rows) - ROWS} more (all in sweep.parquet)")
    return "\n".join(lines)


def _value(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def label(outcome: str) -> str:
    """Return a result's name without its unit."""
    return outcome.rpartition("_")[0] if outcome.endswith(("_s", "_J", "_m2")) else outcome


def value_text(outcome: str, value: float) -> str:
    """Return a result with its unit."""
    if value != value:
        return "-"
    if outcome == "accuracy":
        return f"{100 * value:.2f} %"
    units = {"latency_s": "s", "energy_J": "J"}
    if outcome in units:
        return format_quantity(value, units[outcome])
    return f"{value * 1e6:.4g} mm^2" if outcome == "area_m2" else f"{value:.4g}"


def _cell(row: Any, name: str) -> str:
    mean, spread = row[name], row[f"{name}_std"]
    text = value_text(name, mean)
    if spread != spread or not spread:
        return text
    if name == "accuracy":
        return f"{100 * mean:.2f} +- {100 * spread:.2f} %"
    return f"{text} +- {100 * spread / abs(mean):.2g} %" if mean else text


def _failures(sweep: SweepRecord) -> str:
    return "\n".join(clip(f"failed: {name}: {error}", 200) for name, error in sweep.failed.items())


def _sensitivity(sweep: SweepRecord) -> str:
    effects = sweep.sensitivity()
    if not effects:
        return ""
    names = list(dict.fromkeys(effect.parameter for effect in effects))
    outcomes = list(dict.fromkeys(effect.outcome for effect in effects))
    shares = {(effect.parameter, effect.outcome): effect.share for effect in effects}
    rows = [[name, *(f"{100 * shares[name, outcome]:.0f} %" for outcome in outcomes)] for name in names]
    header = ["share of the variance", *(label(outcome) for outcome in outcomes)]
    return "\n".join(table(header, rows, right=range(1, len(header))))
