"""The text report of a run, which fits a screen of 80 x 30 and adds up."""

from __future__ import annotations

import math
import shlex
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hwsim.results.breakdown import group_tiles, in_phase_order, mismatches, rounded_parts, top
from hwsim.results.layout import area_text, beside, clip, count, scale_of, table
from hwsim.results.record import Record, number
from hwsim.units import format_quantity

WIDTH = 80
SHORTENED = " ..."
"""What stands for parts of a list that find no room; `summary.json` has all of them."""
COMPONENT_ROWS = 9


def report(run: Record) -> str:
    """Return the report of a run in at most 80 x 30 characters: what ran, how well, how long, what energy and where."""
    lines = _headline(run)
    if run.state != "complete":
        lines += ["", *_state(run)]
    if run.has_summary:
        summary = run.summary
        lines += ["", *_results(summary), "", *_breakdowns(summary), *_sums(summary)]
    return "\n".join([*lines, "", *_footer(run)])


def _headline(run: Record) -> list[str]:
    names = run.names
    text = f"{names['trace']} on chip {names['chip']}, device {names['device']}, algorithm {names['algorithm']}"
    return _wrap(f"{text}, seed {run.info.get('seed', '?')}")


def _state(run: Record) -> list[str]:
    if run.state == "failed":
        return _wrap(clip(f"THIS RUN FAILED: {run.error or 'no reason was recorded'}", 3 * WIDTH))
    if run.state == "interrupted":
        return _wrap(f"This run was {run.error or 'interrupted'}")
    return _wrap("This run is not complete: it still runs, or was killed. What it has written so far can be read.")


def _results(summary: Mapping[str, Any]) -> list[str]:
    metrics, samples = summary["metrics"], summary["samples"]
    rows = []
    quality = _quality(metrics)
    if quality:
        rows.append(quality)
    if summary.get("fidelity") == "activity":
        rows.append(("fidelity", "activity", "nothing is learnt: no loss"))
    for label, key, unit in (("latency", "latency_s", "s"), ("energy", "energy_J", "J")):
        if summary[key] is not None:
            each = f"{format_quantity(summary[key] / samples, unit)} per sample" if samples else ""
            rows.append((label, format_quantity(summary[key], unit), each))
    if summary["energy_J"] is None:
        rows.append(("timing", "off", "no latency, no energy"))
    used = f"{summary['tiles_used']} of {summary['tiles']} tiles used" if "tiles_used" in summary else ""
    rows.append(("area", area_text(summary["area_m2"]), used))
    busiest = summary.get("bottleneck") or {}
    if busiest.get("component"):
        rows.append(("busiest", busiest["component"], f"{100 * busiest['occupancy']:.1f} % of the time"))
    right = [f"samples  {count(samples)}", f"steps    {count(summary['steps'])}"]
    if summary.get("epochs") is not None:
        right.append(f"epochs   {summary['epochs']:.4g}")
    return beside(table(("", "", ""), rows), right, gap=4)


def _faults(found: list[Mapping[str, Any]]) -> list[str]:
    """Return how many faults of each kind there are and where most of them are; the summary names every part."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for entry in found:
        kinds.setdefault(entry["fault"].replace("_", " "), []).append(entry)
    parts = []
    for kind, entries in kinds.items():
        most = max(entries, key=lambda entry: entry["count"])
        place = most["where"] if len(entries) == 1 else f"most in {most['where']}: {count(most['count'])}"
        total = sum(entry["count"] for entry in entries)
        parts.append(f"{count(total)} {kind}{'' if total == 1 or kind.endswith('s') else 's'} ({place})")
    return _paragraph("faults", parts, most_lines=3)


def _quality(metrics: Mapping[str, Any]) -> tuple[str, str, str] | None:
    accuracy, loss, train_loss = (number(metrics, key) for key in ("accuracy", "loss", "train_loss"))
    losses = [] if loss is None else [f"held-out loss {loss:.4g}"]
    losses += [] if train_loss is None else [f"training loss {train_loss:.4g}"]
    if accuracy is not None:
        return "accuracy", f"{100 * accuracy:.2f} %", ", ".join(losses)
    if loss is not None:
        return "loss", f"{loss:.4g}", ", ".join(losses[1:])
    return ("loss", f"{train_loss:.4g}", "training") if train_loss is not None else None


def _breakdowns(summary: Mapping[str, Any]) -> list[str]:
    counts = [*_counts(summary["counts"]), *_faults(summary.get("faults") or [])]
    if summary["energy_J"] is None:
        return counts
    return [*beside(_components(summary), _phases(summary)), "", *counts]


def _components(summary: Mapping[str, Any]) -> list[str]:
    total = summary["energy_J"]
    _, unit, _ = scale_of(total, "J")
    rows = top(group_tiles(summary["energy_by_component"]), COMPONENT_ROWS)
    names = [f"  {clip(name, 18)}" for name, _ in rows]
    energy, percent = _columns([value for _, value in rows], total, "J")
    lines = list(zip([*names, "  total"], energy, percent, strict=True))
    return table(("energy by component", unit, "%"), lines, right=(1, 2))


def _phases(summary: Mapping[str, Any]) -> list[str]:
    time, energy = summary["latency_by_phase"] or {}, summary["energy_by_phase"]
    names = in_phase_order([*time, *(name for name in energy if name not in time)])
    names = [name for name in names if time.get(name) or energy.get(name)]
    time_total, energy_total = summary["latency_s"], summary["energy_J"]
    times = _columns([time.get(name, 0.0) for name in names], time_total, "s")
    energies = _columns([energy.get(name, 0.0) for name in names], energy_total, "J")
    header = ("by phase", scale_of(time_total, "s")[1], "%", scale_of(energy_total, "J")[1], "%")
    labels = [f"  {clip(name, 10)}" for name in names]
    return table(header, list(zip([*labels, "  total"], *times, *energies, strict=True)), right=(1, 2, 3, 4))


def _columns(values: list[float], total: float, unit: str) -> tuple[list[str], list[str]]:
    """Return values and per cents as text, the total last; as printed, each column adds up."""
    factor, _, decimals = scale_of(total, unit)
    scaled = rounded_parts([value * factor for value in values], total * factor, decimals)
    shares = rounded_parts([100 * value / total if total else 0.0 for value in values], 100.0 if total else 0.0, 1)
    texts = [f"{value:.{decimals}f}" for value in [*scaled, total * factor]]
    return texts, [f"{value:.1f}" for value in [*shares, 100.0 if total else 0.0]]


def _counts(counts: Mapping[str, Any]) -> list[str]:
    parts = [f"{count(value)} {name.replace('_', ' ')}" for name, value in counts.items() if value]
    return _paragraph("counts", parts, most_lines=4)


def _paragraph(name: str, parts: Sequence[str], most_lines: int) -> list[str]:
    """Return the lines of a list of ``parts``; what goes beyond ``most_lines`` is left to the summary, and marked."""
    text = f"{name}: {', '.join(parts)}"
    return textwrap.wrap(text, WIDTH, max_lines=most_lines, placeholder=SHORTENED) if parts else []


def _sums(summary: Mapping[str, Any]) -> list[str]:
    wrong = mismatches(summary)
    if wrong:
        return [line for mismatch in wrong for line in _wrap(f"WARNING: {mismatch}")]
    return [] if summary["energy_J"] is None else ["components, phases, layers and tiles each add up to the total"]


def _footer(run: Record) -> list[str]:
    folder = display_path(run.path)
    host = run.info.get("host_seconds") or {}
    seconds = host.get("total", math.fsum(host.values())) if isinstance(host, Mapping) else host
    lines = [f"run folder {folder}" + (f"   (simulated in {seconds:.1f} s)" if seconds else "")]
    if run.state == "running" and run.has_checkpoint:
        lines.append(f"if it was killed: hwsim run --resume {shlex.quote(folder)}")
    if run.has_summary:
        lines.append(f"next: hwsim report {shlex.quote(folder)} --html report.html")
    else:
        lines.append(f"next: hwsim events {shlex.quote(folder)}")
    return lines


def display_path(path: Path) -> str:
    """Return a path as short as it can be given from the current folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _wrap(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_on_hyphens=False) or [""]
