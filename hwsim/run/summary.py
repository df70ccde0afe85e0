"""Sums up a run: totals, breakdowns that add up, utilisation, counts; and the statistics file."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from hwsim.chip.chip import Chip
from hwsim.run.config import RunSpec
from hwsim.training.trainer import StepMetrics, Trainer

SECONDS = 1e-12


def summarize(
    run: RunSpec, chip: Chip, trainer: Trainer, last: StepMetrics, history: list[StepMetrics]
) -> dict[str, Any]:
    """Return the contents of ``summary.json``: SI units; every breakdown adds up to its total."""
    timed = _timed(chip) if run.timing else dict.fromkeys(_TIMED)
    return {
        "trace": run.trace.name,
        "chip": run.chip.name,
        "device": run.device.name,
        "algorithm": run.algorithm.title,
        "seed": run.seed,
        "timing": run.timing,
        **timed,
        "samples": trainer.samples,
        "steps": trainer.step,
        "epochs": trainer.step / trainer.steps_per_epoch,
        "area_m2": chip.tables.area,
        "area_by_component": chip.tables.area_by_component,
        "leakage_W": chip.tables.leakage,
        "leakage_by_component": chip.tables.leakage_by_component,
        "tiles_used": len(chip.tiles),
        "tiles": run.chip.tiles,
        "counts": dict(sorted(chip.counts.items())),
        "metrics": {
            "loss": _number(last.test_loss),
            "accuracy": _number(last.test_accuracy),
            "train_loss": _number(
                sum(row.loss for row in history[-trainer.steps_per_epoch :]) / len(history[-trainer.steps_per_epoch :])
            ),
        },
        "assumptions": [
            "initial weights are in the arrays when the run starts; programming them is not counted",
            "evaluation on held-out data takes no simulated time or energy",
            "tiles that hold no matrix are powered off",
        ],
    }


_TIMED = (
    "latency_s", "energy_J", "energy_by_component", "energy_by_phase", "energy_by_layer", "energy_by_tile",
    "latency_by_phase", "latency_by_layer", "utilization_by_component",
)  # fmt: skip


def _timed(chip: Chip) -> dict[str, Any]:
    elapsed = chip.env.now
    energy: dict[str, dict[str, float]] = {name: defaultdict(float) for name in ("component", "phase", "layer", "tile")}
    for total in chip.ledger.totals():
        energy["component"][total.component] += total.energy_J
        energy["phase"][total.phase] += total.energy_J
        energy["layer"][total.layer] += total.energy_J
        tile = total.component.partition(".")[0] if total.component.startswith("tile") else ""
        energy["tile"][tile] += total.energy_J
    latency: dict[str, dict[str, float]] = {"phase": defaultdict(float), "layer": defaultdict(float)}
    for (phase, layer), time in chip.time_by.items():
        latency["phase"][phase] += time
        latency["layer"][layer] += time
    return {
        "latency_s": elapsed * SECONDS,
        "energy_J": math.fsum(energy["component"].values()),
        **{f"energy_by_{name}": dict(sorted(values.items())) for name, values in energy.items()},
        **{
            f"latency_by_{name}": {key: time * SECONDS for key, time in sorted(values.items())}
            for name, values in latency.items()
        },
        "utilization_by_component": {part.name: part.busy / elapsed if elapsed else 0.0 for part in chip.components},
    }


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def statistics(chip: Chip, summary: dict[str, Any]) -> list[tuple[str, float, str, str]]:
    """Return ``(path, value, description, unit)`` for every statistic of the run."""
    rows: list[tuple[str, float, str, str]] = []
    if summary["timing"]:
        rows += [
            ("chip.latency", summary["latency_s"], "simulated time of the run", "s"),
            ("chip.energy", summary["energy_J"], "energy of the run, leakage included", "J"),
        ]
    rows.append(("chip.area", summary["area_m2"], "area of all tiles and shared components", "m^2"))
    rows.append(("chip.leakage", summary["leakage_W"], "static power with every tile powered on", "W"))
    rows += [
        (f"chip.counts.{name}", float(value), "how often it happened", "1") for name, value in summary["counts"].items()
    ]
    if summary["timing"]:
        for part in chip.components:
            rows.append((f"{part.name}.busy", part.busy * SECONDS, "time that it worked", "s"))
            rows.append(
                (
                    f"{part.name}.energy",
                    summary["energy_by_component"].get(part.name, 0.0),
                    "energy, leakage included",
                    "J",
                )
            )
        for part in chip.shared_components:
            station = part.station
            rows += [
                (f"{part.name}.requests", float(station.arrivals), "operations that asked for it", "1"),
                (
                    f"{part.name}.waiting",
                    station.wait_time * SECONDS,
                    "time that operations waited for it, added up",
                    "s",
                ),
                (
                    f"{part.name}.longest_queue",
                    float(station.longest_queue),
                    "most operations waiting at the same time",
                    "1",
                ),
            ]
    return rows


def statistics_text(rows: list[tuple[str, float, str, str]]) -> str:
    """Return statistics as text: one ``path value # description (unit)`` a line."""
    lines = [f"{path:<48} {value:>22.12g}  # {text} ({unit})" for path, value, text, unit in rows]
    return "\n".join(
        [
            "---------- Begin Simulation Statistics ----------",
            *lines,
            "---------- End Simulation Statistics   ----------",
            "",
        ]
    )
