"""Figures for notebooks, drawn by Plotly (``pip install 'hwsim[notebook]'``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from hwsim.errors import ResultsError, UsageError, unknown
from hwsim.results import folder, queries
from hwsim.results.breakdown import group_tiles, in_phase_order
from hwsim.results.compare import headings
from hwsim.results.curves import AXES, axis_unit
from hwsim.results.record import Record

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

MAPS = {
    "start": "weight at the start",
    "end": "weight at the end",
    "change": "change of the weight",
    "pulses": "pulses received",
    "net": "up less down pulses",
    "position": "place between the bounds (%)",
}
"""What a map of devices can show."""
MOST_BARS = 5000


def _plotly() -> Any:
    try:
        import plotly.graph_objects as go
    except ImportError:
        raise UsageError("figures need Plotly: pip install 'hwsim[notebook]'") from None
    return go


class Plots:
    """Figures of a run; each method returns a Plotly figure."""

    def __init__(self, run: Record) -> None:
        self._run = run

    def training(self, against: str = "step", what: str = "loss", *, others: Sequence[Record] = ()) -> go.Figure:
        """Draw ``loss`` or ``accuracy`` against ``step``, ``time`` or ``energy``; ``others`` are runs to compare with.

        Raises:
            UsageError: no such axis or quantity.
            ResultsError: a run has no metrics.
        """
        axes = {"step": AXES[0], "time": AXES[1], "energy": AXES[2]}
        if against not in axes:
            raise UsageError(unknown("axis", against, axes))
        shown = {"loss": ("loss", "test_loss"), "accuracy": ("test_accuracy",)}
        if what not in shown:
            raise UsageError(unknown("quantity", what, shown))
        column, name, unit = axes[against]
        runs = [self._run, *others]
        factor, prefixed = axis_unit(max(float(np.nan_to_num(run.metrics[column].max())) for run in runs), unit)
        figure = _plotly().Figure()
        for run, heading in zip(runs, headings(runs), strict=True):
            for each in shown[what]:
                rows = run.metrics[run.metrics[each].notna() & run.metrics[column].notna()]
                label = "mini-batch" if each == "loss" else "held-out"
                figure.add_scatter(
                    x=rows[column] * factor, y=rows[each], name=f"{heading}, {label}" if others else label,
                    mode="lines" if each == "loss" else "lines+markers",
                )  # fmt: skip
        figure.update_layout(xaxis_title=f"{name} ({prefixed})" if unit else name, yaxis_title=what)
        if what == "loss":
            figure.update_yaxes(type="log")
        else:
            figure.update_yaxes(tickformat=".0%")
        return cast("go.Figure", figure)

    def energy(self, by: str = "component") -> go.Figure:
        """Draw the energy by ``component`` (equal ones of all tiles together), ``phase``, ``layer`` or ``tile``.

        Raises:
            UsageError: no such breakdown.
            ResultsError: the run was made with timing off, or has no summary.
        """
        return self._breakdown("energy", "J", by, ("component", "phase", "layer", "tile"))

    def latency(self, by: str = "phase") -> go.Figure:
        """Draw the simulated time by ``phase`` or ``layer``.

        Raises:
            UsageError: no such breakdown.
            ResultsError: the run was made with timing off, or has no summary.
        """
        return self._breakdown("latency", "s", by, ("phase", "layer"))

    def _breakdown(self, quantity: str, unit: str, by: str, known: Sequence[str]) -> go.Figure:
        if by not in known:
            raise UsageError(unknown(f"breakdown of {quantity}", by, known))
        parts = self._run.summary.get(f"{quantity}_by_{by}")
        if parts is None:
            raise ResultsError(f"the run {self._run.path} was made with timing off: it has no {quantity}")
        parts = group_tiles(parts) if by == "component" else parts
        names = in_phase_order(list(parts)) if by == "phase" else sorted(parts, key=lambda name: -parts[name])
        factor, prefixed = axis_unit(max(parts.values(), default=0.0), unit)
        bars = {"x": [factor * parts[name] for name in names], "y": [name or "(none)" for name in names]}
        figure = _plotly().Figure().add_bar(**bars, orientation="h")
        figure.update_layout(xaxis_title=f"{quantity} ({prefixed})", yaxis={"title": by, "autorange": "reversed"})
        return cast("go.Figure", figure)

    def map(self, tile: int = 0, array: int | None = None, what: str = "end", device: int = 0) -> go.Figure:
        """Draw one value of every device of an array as a heat map: a key of ``MAPS``, by default the final weight.

        ``array`` is by default the last one of the tile, which holds the weights that are read.

        Raises:
            UsageError: no such tile, array or quantity.
            ResultsError: the run kept no devices.
        """
        if what not in MAPS:
            raise UsageError(unknown("map", what, MAPS))
        grid = _grid(self._array(tile, array, device), what)
        signed = what not in ("pulses", "position")
        colours: dict[str, Any] = {"colorscale": "RdBu_r", "zmid": 0} if signed else {"colorscale": "Viridis"}
        figure = _plotly().Figure().add_heatmap(z=grid, hovertemplate="row %{y}, column %{x}: %{z}", name="", **colours)
        figure.update_layout(title=f"tile {tile}: {MAPS[what]}", xaxis_title="column", yaxis_title="row")
        figure.update_yaxes(autorange="reversed")
        return cast("go.Figure", figure)

    def _array(self, tile: int, array: int | None, device: int) -> pd.DataFrame:
        devices = folder.read_parquet(self._run.path / "devices.parquet")
        on_tile = devices[(devices["tile"] == tile) & (devices["device"] == device)]
        if not len(on_tile):
            raise UsageError(f"no tile {tile} with a device {device}; tiles: {sorted(set(devices['tile'].tolist()))}")
        wanted = on_tile["array"].max() if array is None else array
        cells = on_tile[on_tile["array"] == wanted]
        if not len(cells):
            raise UsageError(f"tile {tile} has no array {array}; it has {sorted(set(on_tile['array'].tolist()))}")
        return cells

    def device(self, tile: int, row: int, col: int, array: int = 0, device: int = 0) -> go.Figure:
        """Draw the weight of one probed device over simulated time, with a mark for each pulse.

        Raises:
            ResultsError: the run logged no pulses, or none of this device.
        """
        queries.columns(self._run.path, "pulses")
        numbers = {"tile": tile, "row": row, "col": col, "array": array, "device": device}
        where = " and ".join(f'"{name}" = {int(value)}' for name, value in numbers.items())
        pulses = queries.frame(self._run.path, queries.select("pulses", where=where))
        if not len(pulses):
            raise ResultsError(
                f"{self._run.path} has no pulse of tile {tile}, array {array}, row {row}, column {col}; "
                f"run with --log pulses --probe {tile}:{row}:{col} to log them"
            )
        factor, prefixed = axis_unit(float(pulses["t_ps"].max()) * 1e-12, "s")
        symbols = {1: "triangle-up", -1: "triangle-down"}
        figure = _plotly().Figure().add_scatter(
            x=pulses["t_ps"] * 1e-12 * factor, y=pulses["w"], mode="lines+markers", line_shape="hv",
            marker_symbol=[symbols.get(int(sign), "square") for sign in pulses["polarity"]],
            customdata=pulses[["step", "dw"]],
            hovertemplate="step %{customdata[0]}, change %{customdata[1]:.3g}, weight %{y:.5g}", name="",
        )  # fmt: skip
        title = f"tile {tile}, array {array}, row {row}, column {col}"
        figure.update_layout(title=title, xaxis_title=f"simulated time ({prefixed})", yaxis_title="weight")
        return cast("go.Figure", figure)

    def timeline(self, start: str | int | None = None, end: str | int | None = None) -> go.Figure:
        """Draw the actions of all components from ``start`` to ``end``, at most the first 5000; by default of step 0.

        Raises:
            UsageError: a time is wrong, or nothing happens in between.
            ResultsError: the run kept no event log.
        """
        queries.columns(self._run.path, "events")
        where = "dur_ps > 0 and operation <> 'static'" + (" and step = 0" if start is end is None else "")
        sql = queries.select("events", where=where, start=start, end=end, limit=MOST_BARS)
        rows = queries.frame(self._run.path, sql)
        if not len(rows):
            raise UsageError(f"the event log of {self._run.path} has no action in this time")
        factor, prefixed = axis_unit(float((rows["t_ps"] + rows["dur_ps"]).max()) * 1e-12, "s")
        figure = _plotly().Figure()
        for phase in in_phase_order(sorted(set(rows["phase"].astype(str)))):
            part = rows[rows["phase"] == phase]
            figure.add_bar(
                y=part["component"], x=part["dur_ps"] * 1e-12 * factor, base=part["t_ps"] * 1e-12 * factor, name=phase,
                orientation="h", customdata=part[["operation", "layer", "action", "step"]],
                hovertemplate="%{customdata[0]} %{customdata[1]}: %{customdata[2]}, step %{customdata[3]}",
            )  # fmt: skip
        figure.update_layout(barmode="overlay", xaxis_title=f"simulated time ({prefixed})")
        figure.update_yaxes(autorange="reversed")
        return cast("go.Figure", figure)


def _grid(cells: pd.DataFrame, what: str) -> np.ndarray:
    values = {
        "start": lambda: cells["w_start"],
        "end": lambda: cells["w_end"],
        "change": lambda: cells["w_end"] - cells["w_start"],
        "pulses": lambda: cells["pulses_up"] + cells["pulses_down"],
        "net": lambda: cells["pulses_up"] - cells["pulses_down"],
        "position": lambda: 100 * (cells["w_end"] - cells["w_low"]) / (cells["w_high"] - cells["w_low"]),
    }[what]()
    grid = np.full((int(cells["row"].max()) + 1, int(cells["col"].max()) + 1), np.nan)
    grid[cells["row"].to_numpy(), cells["col"].to_numpy()] = values.to_numpy()
    return grid
