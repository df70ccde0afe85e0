"""The report of a run as one page: results, where energy and time go, the timeline, and every device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hwsim.results.breakdown import group_tiles, in_phase_order, mismatches, tile_class
from hwsim.results.curves import run_curves
from hwsim.results.device_maps import device_maps
from hwsim.results.histories import pulse_histories
from hwsim.results.lanes import timeline
from hwsim.results.layout import compact, count
from hwsim.results.page import quantity, render, squared
from hwsim.results.record import Record, number
from hwsim.results.stalls import memories, n_queues, queues, stations
from hwsim.units import format_quantity

SCRIPTS = ("unpack", "shared", "curves", "timeline", "histories", "maps", "start")


def report_page(
    run: Record, *, start: str | int | None = None, end: str | int | None = None, tiles: list[int] | None = None
) -> str:
    """Return the report of a run as one HTML page.

    ``start`` and ``end`` (whole picoseconds, or text with a unit) choose the part of the timeline in which every action
    is named; by default the first, middle and last steps. ``tiles`` are those whose devices are shown; None: all that
    fit.

    Raises:
        ResultsError: the run has no summary, or a file of it is damaged.
        UsageError: a time or tile is wrong.
    """
    content = _content(run)
    devices = device_maps(run, tiles)
    data = {"timeline": timeline(run, start, end), "devices": devices, "pulses": pulse_histories(run)}
    if devices is not None:
        devices["latency"] = (run.summary["latency_s"] or 0) * 1e12
    return render("report.html", content | data, scripts=SCRIPTS, data=data)


def _content(run: Record) -> dict[str, Any]:
    summary = run.summary
    return {
        "run": run,
        "names": run.names,
        "summary": summary,
        "cards": _cards(summary),
        "charts": run_curves(run.metrics),
        "components": _components(run),
        "stations": stations(run),
        "queues": (waited := queues(run)),
        "queues_free": n_queues(run) - len(waited),
        "memories": memories(run),
        "phases": _parts(summary, "phase"),
        "layers": _parts(summary, "layer"),
        "tiles": _parts(summary, "tile"),
        "faults": _faults(summary.get("faults") or []),
        "counts": [(name.replace("_", " "), value) for name, value in summary["counts"].items() if value],
        "mismatches": [str(mismatch) for mismatch in mismatches(summary)],
        "tables_used": [_cost_row(row) for row in run.table_rows],
        "assumptions": summary.get("assumptions") or [],
        "config": _config_text(run),
    }


def _cards(summary: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return the headline numbers as (label, value, note)."""
    metrics, samples = summary["metrics"], summary["samples"]
    cards = []
    accuracy, loss, train_loss = (number(metrics, key) for key in ("accuracy", "loss", "train_loss"))
    if accuracy is not None:
        cards.append(("accuracy", f"{100 * accuracy:.2f} %", "on held-out data"))
    if loss is not None or train_loss is not None:
        note = f"training {train_loss:.4g}" if train_loss is not None else ""
        cards.append(("loss", "-" if loss is None else f"{loss:.4g}", note))
    for label, key, unit in (("latency", "latency_s", "s"), ("energy", "energy_J", "J")):
        if summary[key] is not None:
            note = f"{format_quantity(summary[key] / samples, unit)} per sample" if samples else ""
            cards.append((label, format_quantity(summary[key], unit), note))
    if summary["latency_s"] and summary["energy_J"] is not None:
        cards.append(("mean power", format_quantity(summary["energy_J"] / summary["latency_s"], "W"), ""))
    cards.append(("area", quantity(summary["area_m2"], "m^2"), _tiles_used(summary)))
    busiest = summary.get("bottleneck") or {}
    if busiest.get("component"):
        cards.append(("busiest", busiest["component"], f"{100 * busiest['occupancy']:.1f} % of the time"))
    steps = summary["steps"]
    cards.append(("samples", count(samples), f"in {count(steps)} step{'' if steps == 1 else 's'}"))
    return cards


def _tiles_used(summary: Mapping[str, Any]) -> str:
    return f"{summary['tiles_used']} of {summary['tiles']} tiles used" if "tiles_used" in summary else ""


def _components(run: Record) -> list[dict[str, Any]]:
    """Return energy, working time, and area by component class, largest energy first."""
    summary = run.summary
    energy = group_tiles(summary["energy_by_component"] or {})
    area = group_tiles(summary.get("area_by_component") or {})
    # Areas are kept by component class (tile.adc), the ledger's components by instance (tile0.adc).
    area = {
        name.replace("tile.", "tile*.", 1) if name.startswith("tile.") else name: value for name, value in area.items()
    }
    utilization: dict[str, list[float]] = {}
    for name, value in (summary["utilization_by_component"] or {}).items():
        utilization.setdefault(tile_class(name), []).append(value)
    total, latency = summary["energy_J"], summary["latency_s"]
    names = sorted(
        {*energy, *area, *utilization}, key=lambda name: (-energy.get(name, 0.0), -area.get(name, 0.0), name)
    )
    return [
        {
            "name": name,
            "energy": energy.get(name) if total is not None else None,
            "energy_share": energy.get(name, 0.0) / total if total else None,
            "latency": mean * latency if (mean := _mean(utilization.get(name))) is not None and latency else None,
            "latency_share": mean,
            "area": area.get(name),
        }
        for name in names
    ]


def _mean(values: list[float] | None) -> float | None:
    return sum(values) / len(values) if values else None


def _parts(summary: Mapping[str, Any], by: str) -> list[dict[str, Any]]:
    """Return latency and energy by phase, layer or tile, each with its share of the total."""
    energy, latency = (summary.get(f"{quantity}_by_{by}") or {} for quantity in ("energy", "latency"))
    names = list(dict.fromkeys([*latency, *energy]))
    names = in_phase_order(names) if by == "phase" else names
    totals = {"energy": summary["energy_J"], "latency": summary["latency_s"]}
    rows = []
    for name in names:
        row: dict[str, Any] = {"name": name or ("shared" if by == "tile" else "(none)")}
        for what, parts in (("energy", energy), ("latency", latency)):
            row[what] = parts.get(name)
            row[f"{what}_share"] = parts.get(name, 0.0) / totals[what] if totals[what] else None
        if row["energy"] or row["latency"]:
            rows.append(row)
    return rows


def _cost_row(row: Mapping[str, Any]) -> dict[str, str]:
    fields = ("component", "action", "energy", "latency", "per", "value", "costs", "provenance", "source")
    shown = {name: str(row.get(name) or "") for name in fields}
    for name in ("energy", "latency", "value"):
        shown[name] = squared(compact(shown[name]))
    return shown


def _config_text(run: Record) -> str:
    import yaml

    return yaml.safe_dump(run.config, sort_keys=False, allow_unicode=True, width=100)


def _faults(found: Sequence[Mapping[str, Any]]) -> list[tuple[str, str, int, str]]:
    """Return kind, part, number and first places of the faults of each part."""
    return [
        (each["fault"].replace("_", " "), each["where"], each["count"], _places(each["count"], each["places"]))
        for each in found
    ]


def _places(number: int, places: Sequence[Any]) -> str:
    shown = [" x ".join(map(str, place)) if isinstance(place, list) else str(place) for place in places]
    return ", ".join(shown) + (f" and {number - len(shown)} more" if number > len(shown) else "")
