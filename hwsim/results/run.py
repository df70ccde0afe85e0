"""A finished, failed or running run, opened from its folder."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.errors import ResultsError, UsageError, unknown
from hwsim.results import folder, queries
from hwsim.units import format_quantity

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

Time = str | int
"""A simulated time: whole picoseconds, or text with a unit such as ``"10 us"``."""


class Run:
    """The results of one run, read from its folder as they are asked for.

    Everything in ``summary`` is in SI units; the columns of every DataFrame carry their unit in their name.
    ``path`` is the folder and ``info`` the content of ``run.json`` (versions, seed, state, host time).

    Raises:
        ResultsError: the folder is missing, is no run folder, or has another schema version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.info: dict[str, Any] = folder.read_info(self.path)

    @property
    def state(self) -> str:
        """``complete``, ``failed`` or ``running`` (also after the simulator was killed)."""
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
            raise ResultsError(f"the run {self.path} has no summary: its state is {self.state}{reason}")
        return folder.read_summary(self.path)

    @property
    def has_summary(self) -> bool:
        """True if the run came far enough to leave a summary."""
        return (self.path / "summary.json").is_file()

    @cached_property
    def config(self) -> dict[str, Any]:
        """The fully resolved configuration of the run."""
        return folder.read_yaml(self.path / "config.yaml", dict)

    @cached_property
    def table_rows(self) -> list[dict[str, Any]]:
        """The cost tables of the run as plain entries: component, action, costs with unit, provenance, source."""
        return folder.read_yaml(self.path / "tables.yaml", list)

    @property
    def tables(self) -> pd.DataFrame:
        """The cost tables that the run used, one row an entry, each cost as text with its unit."""
        import pandas as pd

        return pd.DataFrame(self.table_rows)

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """One row per training step: loss, learning rate, simulated time ``t_s`` and energy ``energy_J`` so far."""
        return folder.read_parquet(self.path / "metrics.parquet")

    @cached_property
    def phases(self) -> pd.DataFrame:
        """Time ``t_s`` and energy ``energy_J`` of every phase so far, at every step after which it was evaluated."""
        return folder.read_parquet(self.path / "phases.parquet")

    @cached_property
    def stats(self) -> pd.DataFrame:
        """Statistics of every component: ``path, value, description, unit``."""
        return folder.read_parquet(self.path / "stats.parquet")

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

    def energy(self, by: str = "component") -> pd.DataFrame:
        """Return the energy of the run by ``component``, ``phase``, ``layer`` or ``tile``, largest first.

        Columns: the name, ``energy_J`` and ``energy_percent`` of the total; the rows add up to the total.

        Raises:
            UsageError: no such breakdown.
            ResultsError: the run was made with timing off, or has no summary.
        """
        return self._breakdown("energy", "J", by, ("component", "phase", "layer", "tile"))

    def latency(self, by: str = "phase") -> pd.DataFrame:
        """Return the simulated time of the run by ``phase`` or ``layer``, largest first.

        Columns: the name, ``latency_s`` and ``latency_percent`` of the total; the rows add up to the total.

        Raises:
            UsageError: no such breakdown.
            ResultsError: the run was made with timing off, or has no summary.
        """
        return self._breakdown("latency", "s", by, ("phase", "layer"))

    def _breakdown(self, quantity: str, unit: str, by: str, known: tuple[str, ...]) -> pd.DataFrame:
        import pandas as pd

        if by not in known:
            raise UsageError(unknown(f"breakdown of {quantity}", by, known))
        total, parts = self.summary[f"{quantity}_{unit}"], self.summary.get(f"{quantity}_by_{by}")
        if total is None:
            raise ResultsError(f"the run {self.path} was made with timing off: it has no {quantity}")
        if parts is None:
            raise ResultsError(f"the summary of {self.path} has no {quantity} by {by}")
        rows = sorted(parts.items(), key=lambda item: -item[1])
        percent = [100 * value / total if total else 0.0 for _, value in rows]
        return pd.DataFrame(
            {
                by: pd.Series([name for name, _ in rows], dtype="str"),
                f"{quantity}_{unit}": pd.Series([value for _, value in rows], dtype="float64"),
                f"{quantity}_percent": pd.Series(percent, dtype="float64"),
            }
        )

    def events(
        self, where: str | None = None, start: Time | None = None, end: Time | None = None, limit: int | None = None
    ) -> pd.DataFrame:
        """Return rows of the event log, one an action of a component, in time order.

        ``where`` is an SQL condition such as ``"action = 'convert' and tile = 0"``; only rows with
        start <= ``t_ps`` < end are returned.

        Raises:
            UsageError: the condition or a time is wrong.
            ResultsError: the run kept no event log, or it is damaged.
        """
        return self._log("events", where, start, end, limit)

    def pulses(
        self, where: str | None = None, start: Time | None = None, end: Time | None = None, limit: int | None = None
    ) -> pd.DataFrame:
        """Return rows of the pulse log, one a pulse that a probed device received; arguments as :meth:`events`."""
        return self._log("pulses", where, start, end, limit)

    def _log(
        self, table: str, where: str | None, start: Time | None, end: Time | None, limit: int | None
    ) -> pd.DataFrame:
        queries.columns(self.path, table)  # refuses a missing or damaged log by name
        return queries.frame(self.path, queries.select(table, where=where, start=start, end=end, limit=limit))

    def critical_path(self, step: int | None = None) -> pd.DataFrame:
        """Return the chain of actions that the duration of a training step consists of; None: the last step.

        Columns: ``t_ps``, ``path_ps`` (they add up to the duration of the step), ``dur_ps``, component, action,
        operation, phase and layer.

        Raises:
            UsageError: the log has no such step.
            ResultsError: the run kept no event log, or it is damaged.
        """
        from hwsim.results.critical_path import critical_path

        return critical_path(self.path, step)

    def sql(self, query: str) -> pd.DataFrame:
        """Return the answer to one SELECT over the views ``events``, ``pulses`` and ``metrics``.

        Raises:
            UsageError: the query is wrong or asks for anything but these views.
            ResultsError: a log is missing or damaged.
        """
        return queries.frame(self.path, query)

    def weights(self) -> dict[str, np.ndarray]:
        """Return the final weights by name: ``LAYER.weight`` (rows, cols), ``LAYER.bias``, ``LAYER.array0``, ..."""
        return folder.read_arrays(self.path / "weights.npz")

    def report(self, file: Path | str) -> Path:
        """Write the report as one self-contained HTML page and return its path.

        Raises:
            ResultsError: the run has no summary, or the page cannot be written.
        """
        from hwsim.results.page import write_page

        return write_page(self, Path(file))

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

    def __repr__(self) -> str:
        names = self.names
        return f"Run({names['trace']} on {names['chip']}, {names['algorithm']}: {', '.join(self.headline())})"

    def _repr_html_(self) -> str:
        names = self.names
        title = f"{names['trace']} on {names['chip']}"
        rows = [("device", names["device"]), ("algorithm", names["algorithm"]), ("result", ", ".join(self.headline()))]
        rows.append(("folder", str(self.path)))
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(key)}</th><td style='text-align:left'>{escape(value)}</td></tr>"
            for key, value in rows
        )
        return f"<table><caption><b>Run</b> {escape(title)}</caption>{cells}</table>"


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


def open_run(path: Path | str) -> Run:
    """Open a run folder.

    Raises:
        ResultsError: the folder is missing, is no run folder, or has another schema version.
    """
    return Run(path)
