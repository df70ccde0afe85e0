"""Sums up a run: totals, breakdowns that add up, utilisation, counts."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from hwsim.chip.chip import Chip
from hwsim.components.crossbar import Conductance
from hwsim.run.config import RunSpec
from hwsim.spec.layers import Conv2d
from hwsim.spec.recorded import RecordedTraceSpec
from hwsim.training.trainer import StepMetrics

SECONDS = 1e-12
EVALUATION = "evaluation on held-out data takes no simulated time or energy"
BETWEEN_LAYERS = (
    "the digital work between the layers (activations, pooling, normalisation, loss) is not part of the trace; "
    "that of biases is"
)


def summarize(run: RunSpec, chip: Chip, trainer: Any, last: StepMetrics, history: list[StepMetrics]) -> dict[str, Any]:
    """Return the contents of ``summary.json``: SI units; every breakdown adds up to its total."""
    timed = _timed(chip) if run.timing else dict.fromkeys(_TIMED)
    return {
        "trace": run.trace.name,
        "chip": run.chip.name,
        "device": run.device.name,
        "algorithm": run.algorithm.title,
        "seed": run.seed,
        "timing": run.timing,
        "fidelity": run.fidelity,
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
        "cell_utilization": chip.cell_utilization,
        "mapping": chip.mapping(),
        "faults": chip.faults.report(),
        "conductance": _conductance(run),
        "counts": dict(sorted(chip.counts.items())),
        "metrics": {
            "loss": _number(last.test_loss),
            "accuracy": _number(last.test_accuracy),
            "train_loss": _number(
                sum(row.loss for row in history[-trainer.steps_per_epoch :]) / len(history[-trainer.steps_per_epoch :])
            ),
        },
        "assumptions": _assumptions(run),
    }


def _conductance(run: RunSpec) -> dict[str, float]:
    """Return the linear map from weights to conductances: at weight 0, and for a weight of 1; both in S."""
    parameters = run.device.parameters
    conductance = Conductance.of(run.device.cell, parameters.w_min, parameters.w_max)
    return {"at_zero_S": conductance.offset, "per_weight_S": conductance.scale}


def _assumptions(run: RunSpec) -> list[str]:
    """Return what the results rest on beside the cost tables."""
    shared = [
        "initial weights are in the arrays when the run starts; programming them is not counted",
        "tiles that hold no matrix are powered off",
    ]
    recorded = isinstance(run.trace, RecordedTraceSpec)
    if isinstance(run.trace, RecordedTraceSpec):
        shared.append(BETWEEN_LAYERS)
    elif any(isinstance(layer, Conv2d) for layer in run.trace.network.layers):
        shared.append(
            "every patch of a convolution is read from the buffer as a whole; overlaps are not kept beside the tile"
        )
    if any(number > 1 for number in run.trace.layer_replicas().values()):
        shared.append("replicas of a matrix are kept equal by taking every update, with the same trains")
    if run.statistics is None:
        evaluated = [] if recorded and run.trace.kind == "recorded" else [EVALUATION]
        return [*shared, *evaluated]
    shared.append("activity fidelity: nothing is learnt, so there is no loss, no accuracy and no weights")
    if recorded:
        shared += [
            "reads and updates are those of the recorded vectors; no read saturates, so bound management repeats none",
            f"transfers and weights are those of the statistics '{run.statistics.name}': {run.statistics.source}",
        ]
        return shared
    shared.append(
        f"densities and magnitudes are those of the statistics '{run.statistics.name}': {run.statistics.source}"
    )
    return shared


_TIMED = (
    "latency_s", "energy_J", "energy_by_component", "energy_by_phase", "energy_by_layer", "energy_by_tile",
    "latency_by_phase", "latency_by_layer", "utilization_by_component", "bottleneck",
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
        "bottleneck": _bottleneck(chip, elapsed),
        "utilization_by_component": _utilization(chip, elapsed),
    }


def _utilization(chip: Chip, elapsed: int) -> dict[str, float]:
    """Return the part of the time for which each component worked: the mean over what it serves at the same time."""
    work = chip.ledger.work()
    at_once = {part.name: part.station.capacity for part in chip.shared_components}
    return {
        part.name: work[part.name].busy / at_once.get(part.name, 1) / elapsed if elapsed and part.name in work else 0.0
        for part in chip.components
    }


def _bottleneck(chip: Chip, elapsed: int) -> dict[str, Any]:
    """Return the tile or shared component that is taken for the largest part of the run, and which part of its time."""
    stations = {part.name: part.station for part in chip.shared_components}
    stations |= {f"tile{tile.index}": tile.station for tile in chip.tiles}
    shares = {name: station.held / station.capacity / elapsed for name, station in stations.items()} if elapsed else {}
    name = max(shares, key=lambda name: shares[name], default=None)
    return {"component": name, "occupancy": shares[name] if name is not None else None}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
