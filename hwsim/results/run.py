"""A finished, failed or running run, opened from its folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.errors import ResultsError, UsageError, unknown
from hwsim.html import html_table
from hwsim.results import folder, queries
from hwsim.results.queries import Time
from hwsim.results.record import Record

if TYPE_CHECKING:
    import pandas as pd

    from hwsim.results.figures import Plots

LARGEST = 4
"""Components that the representation in a notebook names."""


class Run(Record):
    """The results of one run, read from its folder as they are asked for.

    Everything in ``summary`` is in SI units; the columns of every DataFrame carry their unit in their name.
    ``path`` is the folder and ``info`` the content of ``run.json`` (versions, seed, state, host time).

    Raises:
        ResultsError: the folder is missing, is no run folder, or has another schema version.
    """

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

    def device(
        self,
        tile: int,
        row: int,
        col: int,
        *,
        array: int | None = None,
        start: Time | None = None,
        end: Time | None = None,
        only: str | None = None,
    ) -> pd.DataFrame:
        """Return the life of one device in order of time: every pulse, reset and read.

        Columns: ``t_ps``, ``kind`` (``pulse``, ``reset``, ``read``), its cause (operation, layer, step, sample), array
        and device of the unit cell, ``count`` (passes of a read), ``polarity`` (+1, -1, 0 for a reset), weight and
        conductance (S) before and after, and ``energy_J``: of a pulse that in the device, of a read its equal share.
        ``array`` picks one array of the tile, ``only`` one kind.

        Raises:
            UsageError: no such device, or its pulses were not logged; a time or kind is wrong.
            ResultsError: the run kept no pulse log, or a log is damaged.
        """
        from hwsim.results import device

        return device.frame(
            self.path, self.config, device.Place(tile, row, col, array), start=start, end=end, only=only
        )

    def _log(
        self, table: str, where: str | None, start: Time | None, end: Time | None, limit: int | None
    ) -> pd.DataFrame:
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

    def sql(self, query: str, *, timeout: float | None = None) -> pd.DataFrame:
        """Return the answer to one SELECT over the views ``events``, ``pulses`` and ``metrics``.

        ``timeout``: seconds after which a query that is still at work is stopped; None: never.

        Raises:
            UsageError: the query is wrong, asks for anything but these views, or takes too long.
            ResultsError: a log is missing or damaged.
        """
        return queries.frame(self.path, query, seconds=timeout)

    @cached_property
    def plot(self) -> Plots:
        """Figures of this run for a notebook, such as ``run.plot.training()`` or ``run.plot.map(tile=0)``."""
        from hwsim.results.figures import Plots

        return Plots(self)

    def devices(self) -> pd.DataFrame:
        """Return one row a device: place, weight at the start and the end, bounds, pulses; see ``docs/run-folder.md``.

        Raises:
            ResultsError: the run kept no devices, or the file is damaged.
        """
        return folder.read_parquet(self.path / "devices.parquet")

    def report(
        self, file: Path | str, *, start: Time | None = None, end: Time | None = None, tiles: list[int] | None = None
    ) -> Path:
        """Write the report as one self-contained HTML page and return its path.

        ``start`` and ``end`` choose the part of the timeline in which every action is named; by default the first,
        middle and last steps. ``tiles`` are those whose devices are shown; None: all that fit into a page.

        Raises:
            ResultsError: the run has no summary, a file of it is damaged, or the page cannot be written.
            UsageError: ``file`` is a folder, or its folder does not exist; a time or tile is wrong.
        """
        from hwsim.results import page
        from hwsim.results.report_page import report_page

        page.check_file(Path(file))
        return page.write(Path(file), report_page(self, start=start, end=end, tiles=tiles))

    def export(
        self,
        to: str,
        file: Path | str | None = None,
        *,
        window: str = "",
        table: str | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> Path:
        """Write the logs as a ``perfetto`` trace, ``vcd`` waves or ``csv``, and return the new file.

        ``file`` None: the name of the run in the current folder. ``window``: the time to write, such as
        ``"10us:20us"``. ``table``: with ``csv``, the log to write. ``progress`` is called with (rows done, all rows).

        Raises:
            UsageError: another format or window, or the file exists.
            ResultsError: the run kept no such log, or it is damaged; or the file cannot be written.
        """
        from hwsim.results.export import export

        return export(self, to, file, window=window, table=table, progress=progress)

    def __repr__(self) -> str:
        names = self.names
        return f"Run({names['trace']} on {names['chip']}, {names['algorithm']}: {', '.join(self.headline())})"

    def _repr_html_(self) -> str:
        names = self.names
        rows = [("device", names["device"]), ("algorithm", names["algorithm"]), ("result", ", ".join(self.headline()))]
        if self.has_summary and self.summary["energy_J"]:
            largest = self.energy(by="component").head(LARGEST)
            shares = zip(largest["component"], largest["energy_percent"], strict=True)
            rows.append(("energy", ", ".join(f"{name} {percent:.1f} %" for name, percent in shares)))
        return html_table(f"Run {names['trace']} on {names['chip']}", [*rows, ("folder", str(self.path))])


def open_run(path: Path | str) -> Run:
    """Open a run folder.

    Raises:
        ResultsError: the folder is missing, is no run folder, or has another schema version.
    """
    return Run(path)
