"""A sweep as one page: which parameter moves which result, how, and every point."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.results.chart import Series, line_chart
from hwsim.results.layout import scale_of
from hwsim.results.page import check_file, render, squared, write
from hwsim.results.sweep_record import Effect, SweepRecord
from hwsim.results.sweep_text import label, point_rows, value_text


def write_sweep_page(sweep: SweepRecord, file: Path) -> Path:
    """Write the page of a sweep to ``file`` and return it.

    Raises:
        ResultsError: the sweep has no table, or the page cannot be written.
        UsageError: ``file`` is a folder, or its folder does not exist.
    """
    check_file(file)
    return write(file, sweep_page(sweep))


def sweep_page(sweep: SweepRecord) -> str:
    """Return the page of a sweep."""
    effects = sweep.sensitivity()
    header, rows = point_rows(sweep)
    content = {
        "title": f"Sweep of {', '.join(sweep.varied) or 'seeds'}",
        "folder": str(sweep.path),
        "cards": _cards(sweep),
        "outcomes": [(label(name), _of(effects, name)) for name in dict.fromkeys(each.outcome for each in effects)],
        "header": header,
        "n_varied": len(sweep.varied),
        "rows": [[squared(text) for text in row] for row in rows],
        "failed": list(sweep.failed.items()),
    }
    return render("sweep.html", content)


def _cards(sweep: SweepRecord) -> list[tuple[str, str, str]]:
    ended, failed = len(sweep.table), len(sweep.failed)
    cards = [("points", f"{ended - failed} of {len(sweep.info['points'])}", "complete")]
    cards += [("failed", str(failed), "see below")] if failed else []
    done = sweep.table[sweep.table["state"] == "complete"]
    for name, choose, title in (
        ("accuracy", "idxmax", "highest accuracy"), ("loss", "idxmin", "lowest loss"),
        ("latency_s", "idxmin", "shortest"), ("energy_J", "idxmin", "least energy"),
    ):  # fmt: skip
        if name in done and done[name].notna().any():
            best = done.loc[getattr(done[name], choose)()]
            cards.append((title, value_text(name, float(best[name])), str(best["folder"])))
    return cards


def _of(effects: Sequence[Effect], outcome: str) -> dict[str, Any]:
    """Return the shares of one result's variance, and for each parameter how the result follows it."""
    chosen = [effect for effect in effects if effect.outcome == outcome]
    return {
        "shares": [{"name": effect.parameter, "share": effect.share} for effect in chosen],
        "plots": [_main_effect(effect) for effect in chosen if effect.parameter != "seed"],
    }


def _main_effect(effect: Effect) -> dict[str, Any]:
    """Return a chart of a parameter with numbers as values, or the lines of a table of one with names."""
    values, means, lowest, highest, _ = zip(*effect.groups, strict=True)
    plot: dict[str, Any] = {"name": effect.parameter, "chart": None, "lines": []}
    if all(isinstance(value, int | float | np.number) and not isinstance(value, bool) for value in values):
        x = np.array(values, dtype=float)
        scale, unit = _scale(effect.outcome, max(highest))
        series = [
            Series(name, x, scale * np.array(y, dtype=float), dots=name == "mean")
            for name, y in (("mean", means), ("lowest", lowest), ("highest", highest))
        ]
        plot["chart"] = line_chart(series, effect.parameter, label(effect.outcome) + unit)
    else:
        plot["lines"] = [
            (str(value), *(value_text(effect.outcome, number) for number in (mean, low, high)))
            for value, mean, low, high, _ in effect.groups
        ]
    return plot


def _scale(outcome: str, largest: float) -> tuple[float, str]:
    """Return the factor and the unit that a result is drawn with."""
    if outcome == "accuracy":
        return 100, " (%)"
    if outcome == "area_m2":
        return 1e6, " (mm²)"
    if outcome in ("latency_s", "energy_J"):
        factor, unit, _ = scale_of(largest, outcome.rpartition("_")[2])
        return factor, f" ({unit})"
    return 1, ""
