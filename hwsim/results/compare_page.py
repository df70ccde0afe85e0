"""Several runs in one page: results side by side, curves overlaid, and where the energy differs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from hwsim.results.breakdown import PHASES, TOLERANCE
from hwsim.results.compare import differences, headings, labels, side_by_side, to_accuracy
from hwsim.results.curves import compared_curves
from hwsim.results.page import percent, quantity, render, squared
from hwsim.results.record import Record, number

SCRIPTS = ("shared", "curves", "start_curves")


def compare_page(runs: Sequence[Record]) -> str:
    """Return the comparison of runs as one HTML page; differences are against the first run.

    Raises:
        ResultsError: a run is complete but a file of it is damaged.
    """
    names = headings(runs)
    columns = side_by_side(runs)
    drawn = [(name, run.metrics) for name, run in zip(names, runs, strict=True) if run.has_summary]
    content = {
        "names": names,
        "rows": [
            (label, [squared(column.get(label, "-")) for column in columns]) for label in labels(columns) if label
        ],
        "charts": compared_curves(drawn),
        "cards": _best(runs, names),
        "reached": to_accuracy(runs),
        "parts": [(by, _against_first(runs, by)) for by in ("phase", "component", "layer")],
    }
    return render("compare.html", content, scripts=SCRIPTS)


def _best(runs: Sequence[Record], names: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return who is best in what: label, number, run."""
    done = [(run.summary, name) for run, name in zip(runs, names, strict=True) if run.has_summary]
    cards = []
    for label, choose, text, values in (
        ("highest accuracy", max, percent, [(number(each["metrics"], "accuracy"), name) for each, name in done]),
        ("lowest loss", min, "{:.4g}".format, [(number(each["metrics"], "loss"), name) for each, name in done]),
        ("shortest", min, partial(quantity, unit="s"), [(number(each, "latency_s"), name) for each, name in done]),
        ("least energy", min, partial(quantity, unit="J"), [(number(each, "energy_J"), name) for each, name in done]),
    ):
        known = [(value, name) for value, name in values if value is not None]
        if known:
            value, name = choose(known)
            cards.append((label, text(value), name))
    return cards


def _against_first(runs: Sequence[Record], by: str) -> list[dict[str, Any]]:
    """Return the energy of every part in each run with its difference to the first, as a share of the largest one."""
    rows = [(name, energies) for name, energies in differences(runs, by) if any(energies)]
    if by == "phase":
        order = {name: index for index, name in enumerate(PHASES)}
        rows.sort(key=lambda row: order.get(row[0], len(order)))
    changes = [[_change(value, energies[0]) for value in energies] for _, energies in rows]
    largest = max((abs(change) for line in changes for change in line if change is not None), default=0.0)
    return [
        {
            "name": name or "(none)",
            "cells": [
                {"energy": value, "change": change, "share": change / largest if change and largest else 0.0}
                for value, change in zip(energies, line, strict=True)
            ],
        }
        for (name, energies), line in zip(rows, changes, strict=True)
    ]


def _change(value: float | None, first: float | None) -> float | None:
    if value is None or first is None:
        return None
    # The last bits of two sums are no difference.
    return 0.0 if abs(value - first) <= TOLERANCE * max(abs(value), abs(first)) else value - first
