"""What a finished run leaves in its folder: metrics, summary, statistics and weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from hwsim.chip.chip import Chip
from hwsim.run.activity import STATISTICS_FILE, recorded
from hwsim.run.config import RunSpec
from hwsim.run.devices import DEVICE_COLUMNS, DeviceRecord
from hwsim.run.folder import RunFolder
from hwsim.run.statistics import statistics, statistics_text
from hwsim.run.summary import summarize
from hwsim.training.trainer import StepMetrics


class Trained(Protocol):
    """What has been trained on a chip: by hwsim, or by a program of the user's."""

    step: int
    samples: int

    @property
    def steps_per_epoch(self) -> int: ...  # noqa: D102
    @property
    def samples_per_epoch(self) -> int: ...  # noqa: D102
    def weights(self) -> dict[str, np.ndarray]: ...  # noqa: D102


def metric_row(metrics: StepMetrics, *, timed: bool) -> dict[str, Any]:
    """Return the row of ``metrics.parquet`` for one step; without timing it has no time and no energy."""
    row = dict(vars(metrics))
    row["t_s"] = row.pop("t_ps") * 1e-12 if timed else float("nan")
    row["energy_J"] = row["energy_J"] if timed else float("nan")
    return row


def phase_rows(step: int, phases: Mapping[str, tuple[float, float]]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Return the rows of ``phases.parquet`` after a step, and the names that they point to.

    ``phases`` holds simulated time (ps) and energy (J) of each phase so far.
    """
    times, energies = np.array(list(phases.values())).T
    n = len(phases)
    columns = {"step": np.full(n, step), "phase": np.arange(n), "t_s": times * 1e-12, "energy_J": energies}
    return columns, list(phases)


def write_outcome(
    spec: RunSpec,
    chip: Chip,
    trained: Trained,
    folder: RunFolder,
    history: Sequence[StepMetrics],
    devices: DeviceRecord | None,
) -> None:
    """Write everything that is known when the chip has finished; ``devices`` has been taken down at the start, where
    there are any."""
    summary = summarize(spec, chip, trained, history[-1], list(history))
    folder.write_json("summary.json", summary)
    rows = statistics(chip, summary)
    folder.write_text("stats.txt", statistics_text(rows))
    columns = {"path": ("string", "1", "statistic"), "value": ("float64", "1", "its value, in its unit"),
               "description": ("string", "1", "what it is"), "unit": ("string", "1", "unit of the value")}  # fmt: skip
    folder.write_table("stats", columns, dict(zip(columns, zip(*rows, strict=True), strict=True)))
    if devices is not None:
        folder.write_weights(trained.weights())
        for block, names in devices.blocks():
            folder.table("devices", DEVICE_COLUMNS).write(block, names)
        said = (
            f"recorded by hwsim at device fidelity: trace {spec.trace.name}, chip {spec.chip.name}, device "
            f"{spec.device.name}, algorithm {spec.algorithm.title}, seed {spec.seed}, {trained.step} steps"
        )
        folder.write_yaml(
            STATISTICS_FILE,
            recorded(
                chip, trace=spec.trace.name, algorithm=spec.algorithm.name, samples=trained.samples_per_epoch, said=said
            ),
        )
