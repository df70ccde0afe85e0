"""What came out of an experiment, as text for a terminal and as rows for a page."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator
from typing import Any

import pandas as pd

from hwsim.reproduce.cost import PHASES, summarized_costs
from hwsim.reproduce.experiment import Reproduction
from hwsim.results.layout import table as layout
from hwsim.spec.experiment import ExperimentSpec
from hwsim.units import format_quantity

WIDTH = 110
MARKS = {"pass": "pass", "fail": "FAIL", "not judged": "-"}


def report(found: Reproduction) -> str:
    """Return the results of an experiment: numbers beside the published ones, costs, and the verdicts."""
    spec = found.spec
    lines = [f"{spec.name}: {spec.title}", ""]
    lines += textwrap.wrap(spec.description, WIDTH)
    if found.variant is not None:
        others = [name for name in spec.variants if name != found.variant]
        text = f"variant {found.variant}: {spec.variants[found.variant].description}"
        lines += textwrap.wrap(text + (f" (also: --variant {', '.join(others)})" if others else ""), WIDTH)
    header, rows = comparison(found)
    lines += ["", *layout(header, rows, right=tuple(range(2, len(header))))]
    if len(found.costs):
        lines += ["", *_costs(found)]
    lines += [
        "",
        *_verdicts(found),
        "",
        f"folder {found.folder}   (figure.png, index.html, results.json, *.parquet, *.csv)",
    ]
    return "\n".join(lines)


def comparison(found: Reproduction) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Return header and rows of our numbers beside the published ones, without columns that would be empty."""
    spec = found.spec
    swept = "chip" if spec.chips else spec.sweep.label if spec.sweep is not None else ""
    unit = "accuracy (%)" if spec.measure == "accuracy" and not spec.chips else "ns" if spec.chips else "floor"
    header = ("series", swept, f"ours: {unit}", "runs", "best", "closed form", "published", "remark")
    rows = [_compared(row, spec) for row in found.comparison.to_dict("records")]
    kept = [n for n in range(len(header)) if n < 4 or any(row[n] for row in rows)]
    return tuple(header[n] for n in kept), [tuple(row[n] for n in kept) for row in rows]


def _compared(row: Any, spec: ExperimentSpec) -> tuple[str, ...]:
    at = "" if row["at"] is None or row["at"] != row["at"] else str(row["at"])
    ours, published, best, predicted = (
        _with_spread(row.get(value, math.nan), row.get(spread, math.nan), spec)
        for value, spread in (("mean", "std"), ("published", "published_spread"), ("best", ""), ("predicted", ""))
    )
    falling = int(row.get("falling", 0))
    remark = f"still falling ({falling} of {row['count']})" if falling else ""
    return row["series"], at, ours, str(row["count"]), best, predicted, published, remark


def _with_spread(value: float, spread: float, spec: ExperimentSpec) -> str:
    if math.isnan(value):
        return ""
    return number(value, spec) + ("" if math.isnan(spread) else f" ± {number(spread, spec)}")


def number(value: float, spec: ExperimentSpec) -> str:
    """Return a measured number in the digits that it deserves."""
    if spec.chips:
        return f"{value:.1f}"
    return f"{value:.2f}" if spec.measure == "accuracy" else f"{value:.3g}"


def _verdicts(found: Reproduction) -> Iterator[str]:
    for each in found.verdicts:
        mark = MARKS[each.state]
        yield from textwrap.wrap(
            f"{mark:<5} {each.statement}: {each.found}", WIDTH, subsequent_indent=" " * 6, break_long_words=False
        )
    states = [each.state for each in found.verdicts]
    if states:
        passed, failed, open_ = (states.count(state) for state in ("pass", "fail", "not judged"))
        yield f"{passed} of {len(states)} hold, {failed} fail, {open_} not judged"


def cost_rows(found: Reproduction) -> list[dict[str, Any]]:
    """Return the mean cost of reaching each target, as text with units, one entry a target, device and algorithm."""
    rows = []
    for row in summarized_costs(found.costs).to_dict("records"):
        entry = {
            "target": f"{row['target']:g} %", "at": row["at"], "series": row["series"],
            "reached": f"{int(row['reached'])}/{row['count']}",
        }  # fmt: skip
        done = row["reached"] > 0
        entry["epochs"] = f"{row['epochs']:.1f}" if done else "-"
        entry["time"] = _quantity(row["latency_s"], row["latency_s_std"], "s") if done else "-"
        entry["energy"] = _quantity(row["energy_J"], row["energy_J_std"], "J") if done else "-"
        for phase in PHASES:
            energy = row.get(f"energy_J.{phase}", math.nan)
            entry[phase] = f"{0 if math.isnan(energy) else 100 * energy / row['energy_J']:.0f} %" if done else "-"
        rows.append(entry)
    return rows


def cost_matrix(found: Reproduction, target: float) -> list[dict[str, str]]:
    """Return what reaching a target costs, one row a series: time and energy on every device, side by side."""
    costs = summarized_costs(found.costs[found.costs["target"] == target])
    places = [str(at) for at in costs["at"].dropna().unique()] or ["any"]
    rows: dict[str, dict[str, str]] = {}
    for row in costs.to_dict("records"):
        entry = rows.setdefault(row["series"], {"algorithm": row["series"]} | dict.fromkeys(places, ""))
        for place in places if row["at"] is None or row["at"] != row["at"] else [str(row["at"])]:
            entry[place] = _cell(row)
    return list(rows.values())


def cost_split(found: Reproduction, target: float) -> list[dict[str, str]]:
    """Return where the energy of reaching a target went, one row for each device and series that reach it."""
    rows = [row for row in cost_rows(found) if row["target"] == f"{target:g} %" and not row["reached"].startswith("0/")]
    left_out = ("target", "at", "series", "reached", "epochs", "time")
    return [
        {"device": "any" if pd.isna(row["at"]) else str(row["at"]), "algorithm": row["series"]}
        | {name: value.partition(" ±")[0] for name, value in row.items() if name not in left_out}
        for row in sorted(rows, key=lambda row: "" if pd.isna(row["at"]) else str(row["at"]))
    ]


def _cell(row: Any) -> str:
    reached, count = int(row["reached"]), row["count"]
    if not reached:
        return "not reached"
    text = f"{_quantity(row['latency_s'], row['latency_s_std'], 's')}, "
    text += _quantity(row["energy_J"], row["energy_J_std"], "J")
    return text if reached == count else f"{text} ({reached} of {count})"


def _quantity(mean: float, std: float, unit: str) -> str:
    """Return a mean with its relative standard deviation, which is left out where there is none."""
    text = format_quantity(mean, unit, digits=3)
    return text if math.isnan(std) else f"{text} ± {100 * std / mean:.0f} %"


def _costs(found: Reproduction) -> Iterator[str]:
    yield "cost of reaching an accuracy: means over the runs that reach it ± standard deviation; shares of the energy"
    for target in found.spec.targets:
        rows = cost_matrix(found, target)
        yield from ("", f"to {target:g} %", "")
        yield from layout(tuple(rows[0]), [tuple(row.values()) for row in rows])
        if split := cost_split(found, target):
            header = tuple(split[0])
            yield from ("", *layout(header, [tuple(row.values()) for row in split], right=tuple(range(2, len(header)))))
