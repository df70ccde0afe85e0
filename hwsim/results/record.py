"""The content of a run folder, read as it is asked for; the modules that import this one make something of it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.errors import ResultsError
from hwsim.results import folder
from hwsim.units import format_quantity

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

METRICS = ("step", "samples", "t_s", "energy_J", "loss", "test_loss", "test_accuracy")
PHASES = ("step", "phase", "t_s", "energy_J")
STATS = ("path", "value", "description", "unit")
"""Columns without which a file is no such table."""


class Record:
    """What the folder of one run holds.

    Everything in ``summary`` is in SI units. ``path`` is the folder and ``info`` the content of ``run.json`` (versions,
    seed, state, host time).

    Raises:
        ResultsError: the folder is missing, is no run folder, or has another schema version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.info: dict[str, Any] = folder.read_info(self.path)

    @property
    def state(self) -> str:
        """``complete``, ``failed``, ``interrupted`` or ``running`` (also after the simulator was killed)."""
        return str(self.info["state"])

    @property
    def error(self) -> str | None:
        """Why the run failed; None unless it did."""
        return self.info.get("error")

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The totals of the run: latency, energy, breakdowns, counts and metrics, all SI.

        Raises:
            ResultsError: the run has none (it failed or still runs), or the file is damaged.
        """
        if not (self.path / "summary.json").is_file() and self.state != "complete":
            reason = f": {self.error}" if self.error else ""
            if self.state == "running" and self.has_checkpoint:
                reason = f"; if it was killed: hwsim run --resume {shlex.quote(str(self.path))}"
            raise ResultsError(f"the run {self.path} has no summary: its state is {self.state}{reason}")
        return folder.read_summary(self.path)

    @property
    def has_summary(self) -> bool:
        """True if the run came far enough to leave a summary."""
        return (self.path / "summary.json").is_file()

    @property
    def has_checkpoint(self) -> bool:
        """True if the run can be taken up again: it is not complete, and has left a checkpoint."""
        return self.state != "complete" and (self.path / "checkpoint.hwsim").is_file()

    @cached_property
    def config(self) -> dict[str, Any]:
        """The fully resolved configuration of the run."""
        return folder.read_yaml(self.path / "config.yaml", dict)

    @cached_property
    def table_rows(self) -> list[dict[str, Any]]:
        """The cost tables of the run as plain entries: component, action, costs with unit, provenance, source."""
        return folder.read_entries(self.path / "tables.yaml")

    @property
    def tables(self) -> pd.DataFrame:
        """The cost tables that the run used, one row an entry, each cost as text with its unit."""
        import pandas as pd

        return pd.DataFrame(self.table_rows)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per training step: loss, learning rate, simulated time ``t_s`` and energy ``energy_J`` so far."""
        return folder.read_parquet(self.path / "metrics.parquet", METRICS)

    @cached_property
    def phases(self) -> pd.DataFrame:
        """Time ``t_s`` and energy ``energy_J`` of every phase so far, at every step after which it was evaluated."""
        return folder.read_parquet(self.path / "phases.parquet", PHASES)

    @cached_property
    def stats(self) -> pd.DataFrame:
        """Statistics of every component: ``path, value, description, unit``."""
        return folder.read_parquet(self.path / "stats.parquet", STATS)

    @property
    def names(self) -> dict[str, str]:
        """The names of trace, chip, device and algorithm."""
        summary = self.summary if self.has_summary else {}
        return {
            key: _name(summary.get(key) or self._configured(key)) for key in ("trace", "chip", "device", "algorithm")
        }

    def _configured(self, key: str) -> Any:
        try:
            return self.config.get(key)
        except ResultsError:
            return None

    def weights(self) -> dict[str, np.ndarray]:
        """Return the final weights by name: ``LAYER.weight`` (rows, cols), ``LAYER.bias``, ``LAYER.array0``, ..."""
        return folder.read_arrays(self.path / "weights.npz")

    def headline(self) -> list[str]:
        """Return the main results as short texts with units; of a run that has none, its state."""
        if not self.has_summary:
            return [self.state + (f": {self.error}" if self.error else "")]
        parts = [] if self.state == "complete" else [self.state]
        for key, unit in (("latency_s", "s"), ("energy_J", "J")):
            if self.summary[key] is not None:
                parts.append(format_quantity(self.summary[key], unit))
        accuracy, loss = (number(self.summary["metrics"], key) for key in ("accuracy", "loss"))
        if accuracy is not None:
            parts.append(f"accuracy {100 * accuracy:.1f} %")
        elif loss is not None:
            parts.append(f"loss {loss:.4g}")
        return parts


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        value = value.get("name")
    return str(value) if value else "?"


def number(values: Mapping[str, Any], key: str) -> float | None:
    """Return a finite number of ``values``, or None if it is missing, null or not finite."""
    value = values.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
