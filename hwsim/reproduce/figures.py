"""The figures of experiments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hwsim.reproduce.measures import summarized
from hwsim.results import open_run
from hwsim.spec.experiment import ExperimentSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#2563a8", "#c2571a", "#2e7d4f", "#7b4fa3", "#8c6d1f", "#a32050", "#3b8ea5", "#555b61", "#b58900", "#6a994e")
MARKERS = "osD^vP*X<>"
PHASE_COLORS = {
    "forward": "#1d4f86", "backward": "#7fb0dc", "update": "#c2571a", "transfer": "#edb458", "digital": "#4f8f5b",
    "load": "#a9c9a4", "static": "#b9bec4",
}  # fmt: skip
"""Colours of the phases of training, unlike those of the series."""
OTHER_PHASES = ("#7b4fa3", "#a32050", "#3b8ea5", "#555b61")
DPI = 150


def draw(spec: ExperimentSpec, table: pd.DataFrame, curves: pd.DataFrame, runs: Path, file: Path) -> None:
    """Draw the figure of an experiment into a PNG file."""
    figure = _FIGURES[spec.figure.kind](spec, table, curves, runs)
    figure.savefig(file, dpi=DPI, metadata={"Software": None})


def new_figure(columns: int = 1, rows: int = 1, *, width: float = 4.6, height: float = 3.6, **options: Any) -> Any:
    """Return a figure and its axes (rows, columns)."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for each in axes.flat:
        each.spines[["top", "right"]].set_visible(False)
        each.grid(visible=True, alpha=0.25, linewidth=0.6)
    return figure, axes


def look(spec: ExperimentSpec, series: str) -> dict[str, Any]:
    """Return colour and marker of a series, the same in every panel."""
    index = list(dict.fromkeys(each.name for each in spec.series)).index(series)
    return {"color": COLORS[index % len(COLORS)], "marker": MARKERS[index % len(MARKERS)]}


def places_of(spec: ExperimentSpec, curves: pd.DataFrame) -> list[str]:
    """Return the swept values that have runs; all of them where only series have that do not depend on them."""
    found = [str(at) for at in dict.fromkeys(curves["at"]) if at]
    return found or ([str(value) for value in spec.sweep.values] if spec.sweep is not None else [""])


def smoothed(values: np.ndarray, share: float) -> np.ndarray:
    """Return the exponential mean of a curve, started at its first value."""
    if not share:
        return values
    found, last = np.empty(len(values)), values[0]
    for index, value in enumerate(values):
        last = share * last + (1 - share) * value
        found[index] = last
    return found


def plot_curves(axes: Axes, spec: ExperimentSpec, curves: pd.DataFrame, x: str, y: str, **how: Any) -> None:
    """Draw the mean over the seeds of some runs of one series and swept value, with their range."""
    wide = curves.pivot_table(index=x, columns="seed", values=y)
    values = np.column_stack([smoothed(wide[seed].to_numpy(), spec.figure.smooth) for seed in wide])
    mean = np.nanmean(values, axis=1)
    how = {"markevery": max(1, len(mean) // 6), "markersize": 4.5, "linewidth": 1.4, **how}
    axes.plot(wide.index, mean, **how)
    if values.shape[1] > 1:
        axes.fill_between(
            wide.index,
            np.nanmin(values, axis=1),
            np.nanmax(values, axis=1),
            color=how["color"],
            alpha=0.15,
            linewidth=0,
        )


def scales(axes: Axes, spec: ExperimentSpec, *, log_x: bool | None = None) -> None:
    """Set the scales that the description asks for."""
    if spec.figure.log_x if log_x is None else log_x:
        axes.set_xscale("log")
    if spec.figure.log_y:
        axes.set_yscale("log")


def _floors(spec: ExperimentSpec, table: pd.DataFrame, curves: pd.DataFrame, _runs: Path) -> Figure:
    """Left: loss against the step; right: floors against the swept value, with the closed form."""
    figure, ((left, right),) = new_figure(2, width=4.9, height=3.9)
    swept = [str(value) for value in spec.sweep.values] if spec.sweep else []
    for name in dict.fromkeys(curves["series"]):
        for at, part in curves[curves["series"] == name].groupby("at", sort=False):
            shade = 0.35 + 0.65 * (swept.index(at) + 1) / len(swept) if at in swept else 1.0
            how = look(spec, name) | {"alpha": shade, "markersize": 3.5}
            label = f"{name}, {at}" if at in swept else name
            plot_curves(left, spec, part, "step", "loss", label=label, **how)
    scales(left, spec, log_x=False)
    left.set(xlabel="training step", ylabel=spec.figure.y)
    left.legend(fontsize=6.5, ncols=2, frameon=False)
    for name, rows in summarized(table).groupby("series", sort=False):
        _sweep_line(right, spec, str(name), rows)
    scales(right, spec)
    if spec.sweep is not None:
        right.set_xticks(
            [float(value) for value in spec.sweep.values], [f"{float(value):g}" for value in spec.sweep.values]
        )
        right.minorticks_off()
    right.set(xlabel=spec.figure.x, ylabel=f"floor: {spec.figure.y}")
    right.legend(fontsize=7.5, frameon=False)
    return figure


def _sweep_line(axes: Axes, spec: ExperimentSpec, name: str, rows: pd.DataFrame) -> None:
    how = look(spec, name)
    spread = rows["std"].fillna(0)
    if rows["at"].isna().all():
        axes.axhline(float(rows["mean"].iloc[0]), color=how["color"], linestyle="--", label=f"{name} (one setting)")
        return
    x = rows["at"].astype(float)
    axes.errorbar(x, rows["mean"], yerr=spread, linestyle="", capsize=2.5, label=f"{name}, simulated", **how)
    if "predicted" in rows and rows["predicted"].notna().any():
        axes.plot(x, rows["predicted"], color=how["color"], linewidth=1.3, label=f"{name}, closed form")


def _panels(spec: ExperimentSpec, table: pd.DataFrame, curves: pd.DataFrame, _runs: Path) -> Figure:
    """One panel for each swept value: every series against the step, with the closed form of where they stop."""
    places = places_of(spec, curves)
    figure, axes = new_figure(len(places), width=3.3, height=3.4, sharey=True)
    found = summarized(table)
    for panel, at in zip(axes[0], places, strict=True):
        for name in dict.fromkeys(curves["series"]):
            part = curves[(curves["series"] == name) & curves["at"].isin([at, ""])]
            if len(part):
                plot_curves(panel, spec, part, "step", "loss", label=name, **look(spec, name))
            row = found[(found["series"] == name) & (found["at"].map(str) == at)]
            if "predicted" in row and row["predicted"].notna().any():
                panel.axhline(
                    float(row["predicted"].iloc[0]), color=look(spec, name)["color"], linestyle=":", linewidth=1.2
                )
        panel.set_title(f"{spec.sweep.label if spec.sweep else ''} = {at}", fontsize=9)
        panel.set_xlabel("training step")
        scales(panel, spec)
    axes[0][0].set_ylabel(spec.figure.y)
    lines = axes[0][-1].get_legend_handles_labels()
    figure.legend(*lines, loc="outside lower center", ncols=len(lines[0]), frameon=False, fontsize=8)
    return figure


def _curves(spec: ExperimentSpec, table: pd.DataFrame, curves: pd.DataFrame, _runs: Path) -> Figure:
    """Every series against the step in one panel."""
    figure, ((axes,),) = new_figure(width=6.4, height=4.2)
    for name in dict.fromkeys(curves["series"]):
        part = curves[curves["series"] == name]
        how = look(spec, name) | ({"linestyle": "--"} if not (table["series"] == name).any() else {})
        plot_curves(axes, spec, part, "step", "loss", label=name, **how)
    predicted = table["predicted"].dropna() if "predicted" in table else pd.Series(dtype=float)
    if len(predicted):
        axes.axhline(
            float(np.mean(predicted)), color="black", linestyle=":", linewidth=1.2, label="closed form of the floor"
        )
    scales(axes, spec)
    axes.set(xlabel="training step", ylabel=spec.figure.y)
    axes.legend(fontsize=7, frameon=False, ncols=2)
    return figure


def _accuracy(spec: ExperimentSpec, _table: pd.DataFrame, curves: pd.DataFrame, _runs: Path) -> Figure:
    """Accuracy against the epoch, one panel for each swept value; published values beside their end."""
    places = list(dict.fromkeys(at for at in curves["at"] if at)) or [""]
    figure, axes = new_figure(len(places), width=4.0, height=3.7, sharey=True)
    for panel, at in zip(axes[0], places, strict=True):
        for name in dict.fromkeys(curves["series"]):
            part = curves[(curves["series"] == name) & curves["at"].isin([at, ""])].copy()
            if part.empty:
                continue
            part["accuracy"] *= 100
            plot_curves(panel, spec, part, "epoch", "accuracy", label=name, **look(spec, name))
        end = float(curves["epoch"].max())
        for each in spec.published:
            if each.at is None or str(each.at) == at:
                panel.errorbar(
                    [1.06 * end], [each.value], yerr=[each.spread or 0], capsize=2.5, markerfacecolor="white",
                    **look(spec, each.series),
                )  # fmt: skip
        if spec.published:
            panel.axvline(1.03 * end, color="0.6", linewidth=0.8, linestyle=":")
        title = f"{spec.sweep.label} = {at}" if spec.sweep is not None and at else ""
        panel.set(xlabel="epoch", title=title, ylim=(0, 101))
        panel.title.set_fontsize(9)
    axes[0][0].set_ylabel("held-out accuracy (%)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    note = f"open marks: published, after {spec.epochs} epochs" if spec.published else ""
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=8, title=note or None,
        title_fontsize=7.5,
    )  # fmt: skip
    return figure


def _histogram(spec: ExperimentSpec, table: pd.DataFrame, _curves: pd.DataFrame, runs: Path) -> Figure:
    """Distributions of the weights, and of their part of the saturation level."""
    figure, ((left, right),) = new_figure(2, width=4.8)
    for name in dict.fromkeys(table["series"]):
        found = [weights_of(runs / run) for run in table[table["series"] == name]["run"]]
        color = look(spec, name)["color"]
        weights = np.concatenate([each[0] for each in found])
        left.hist(
            weights, bins=200, range=(-1, 1), density=True, histtype="step", color=color, label=name, linewidth=1.2
        )
        parts = [each[1] for each in found if each[1] is not None]
        if parts:
            right.hist(
                np.concatenate(parts),
                bins=100,
                range=(0, 1),
                density=True,
                histtype="step",
                color=color,
                label=name,
                linewidth=1.2,
            )
    left.set(xlabel="weight", ylabel="density")
    right.set(xlabel="|weight| / saturation level", ylabel="density", xlim=(0, 1))
    for panel in (left, right):
        panel.legend(fontsize=8, frameon=False)
    return figure


def weights_of(run: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """Return all weights that the network of a run reads, and their part of the device's mean bound (None: digital)."""
    opened = open_run(run)
    weights = np.concatenate([each.ravel() for name, each in opened.weights().items() if name.endswith(".weight")])
    device = opened.config["device"]["parameters"]
    if opened.config["algorithm"]["name"] in ("digital-sgd", "smooth-analog-sgd"):
        return weights, None
    return weights, np.where(weights > 0, weights / device["w_max"], weights / device["w_min"])


def _bars(spec: ExperimentSpec, table: pd.DataFrame, _curves: pd.DataFrame, _runs: Path) -> Figure:
    """Accuracies of every series at every swept value as bars, published values as marks."""
    places = list(dict.fromkeys(table["at"].dropna())) or [None]
    names = list(dict.fromkeys(table["series"]))
    figure, ((axes,),) = new_figure(width=1.8 + 0.42 * len(names) * len(places), height=3.9)
    found = summarized(table)
    width = 0.8 / len(names)
    for number, name in enumerate(names):
        for place, at in enumerate(places):
            row = found[(found["series"] == name) & ((found["at"] == at) if at is not None else found["at"].isna())]
            if row.empty:
                row = found[(found["series"] == name) & found["at"].isna()]
            x = place + (number - (len(names) - 1) / 2) * width
            label = name if place == 0 else None
            if len(row):
                axes.bar(
                    x, row["mean"].iloc[0], 0.9 * width, yerr=row["std"].fillna(0).iloc[0], label=label, capsize=2,
                    color=look(spec, name)["color"],
                )  # fmt: skip
            for each in spec.published:
                if each.series == name and each.at in (at, None):
                    axes.plot([x], [each.value], marker="_", markersize=13, color="black", markeredgewidth=2)
    axes.set_xticks(range(len(places)), [str(at) for at in places])
    axes.set(xlabel=spec.sweep.label if spec.sweep else "", ylabel="held-out accuracy (%)", ylim=(0, 101))
    note = "black bars: published" if spec.published else None
    figure.legend(
        *axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(len(names), 5), frameon=False,
        fontsize=8, title=note, title_fontsize=7.5,
    )  # fmt: skip
    return figure


def _published_figures(_spec: ExperimentSpec, table: pd.DataFrame, _curves: pd.DataFrame, _runs: Path) -> Figure:
    """Measured update times beside the published ones."""
    figure, ((axes,),) = new_figure(width=7.6, height=0.27 * len(table) + 1.4)
    places = np.arange(len(table))[::-1]
    axes.barh(places, table["value"], color=COLORS[0], height=0.6, label="the chip, run here")
    axes.plot(table["published"], places, linestyle="", marker="|", markersize=14, markeredgewidth=2.2, color="black",
              label="published")  # fmt: skip
    for place, value in zip(places, table["value"], strict=True):
        axes.annotate(
            f"{value:.1f}", (value, place), xytext=(8, 0), textcoords="offset points", va="center", fontsize=7
        )
    axes.set_yticks(
        places, [f"{chip}: {series}" for chip, series in zip(table["at"], table["series"], strict=True)], fontsize=7
    )
    axes.set_xscale("log")
    axes.set(xlabel="time of a sample (ns)")
    axes.set_xlim(0.5 * table["value"].min(), 4 * table["value"].max())
    figure.legend(*axes.get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=8)
    return figure


def _cost(spec: ExperimentSpec, table: pd.DataFrame, curves: pd.DataFrame, runs: Path) -> Figure:
    """Accuracy against simulated time and energy, one column for each device; below, where the energy goes."""
    from hwsim.reproduce.cost import split_of

    places = places_of(spec, curves)
    figure, axes = new_figure(len(places), 3, width=4.4, height=3.1)
    for column, at in enumerate(places):
        part = curves[curves["at"].isin([at, ""])]
        for row, (quantity, label, unit) in enumerate((("t_s", "simulated time", "s"), ("energy_J", "energy", "J"))):
            _cost_lines(axes[row][column], spec, part, quantity)
            _cost_axes(axes[row][column], spec, label, unit, first=not column)
        axes[0][column].set_title(at, fontsize=10)
        split = split_of(table[table["at"].isin([at]) | table["at"].isna()], runs)
        _split_bars(axes[2][column], split.reindex(list(dict.fromkeys(table["series"]))), first=not column)
    lines = [each.get_legend_handles_labels() for each in axes[0]]
    found = {label: handle for each in lines for handle, label in zip(*each, strict=True)}
    figure.legend(found.values(), found.keys(), loc="outside upper center", ncols=5, frameon=False, fontsize=8)
    phases = {label: bar for each in axes[2] for bar, label in zip(*each.get_legend_handles_labels(), strict=True)}
    figure.legend(
        phases.values(), phases.keys(), loc="outside lower center", ncols=len(phases), frameon=False, fontsize=8,
        title="phases of training; static: leakage over the whole time", title_fontsize=7.5,
    )  # fmt: skip
    return figure


def _cost_lines(axes: Axes, spec: ExperimentSpec, curves: pd.DataFrame, quantity: str) -> None:
    """Draw the accuracy of every series, mean over the seeds, against time or energy."""
    for name in dict.fromkeys(curves["series"]):
        mean = curves[curves["series"] == name].groupby("step")[[quantity, "accuracy"]].mean()
        accuracy = smoothed(100 * mean["accuracy"].to_numpy(), spec.figure.smooth)
        how = look(spec, name) | {"markersize": 3.5, "linewidth": 1.2, "markevery": max(1, len(mean) // 6)}
        axes.plot(mean[quantity], accuracy, label=name, **how)


def _cost_axes(axes: Axes, spec: ExperimentSpec, label: str, unit: str, *, first: bool) -> None:
    from matplotlib.ticker import EngFormatter, NullFormatter

    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(EngFormatter(unit, sep=" "))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(xlabel=label, ylim=(0, 101), ylabel="held-out accuracy (%)" if first else "")
    for target in spec.targets:
        axes.axhline(target, color="0.6", linewidth=0.8, linestyle=":")


def _split_bars(axes: Axes, split: pd.DataFrame, *, first: bool) -> None:
    """Draw the energy of a sample by phase, one bar for each series."""
    left = np.zeros(len(split))
    places = np.arange(len(split))[::-1]
    others = iter(OTHER_PHASES)
    for phase in split.columns:
        values = split[phase].to_numpy() * 1e9
        color = PHASE_COLORS[phase] if phase in PHASE_COLORS else next(others)
        axes.barh(places, values, left=left, color=color, label=phase, height=0.7)
        left += values
    axes.set_yticks(places, list(split.index) if first else [""] * len(split), fontsize=7)
    axes.set(xlabel="energy of a sample (nJ)")
    axes.grid(visible=False, axis="y")


_FIGURES: dict[str, Callable[[ExperimentSpec, pd.DataFrame, pd.DataFrame, Path], Any]] = {
    "floors": _floors, "panels": _panels, "curves": _curves, "accuracy": _accuracy, "histogram": _histogram,
    "bars": _bars, "figures": _published_figures, "cost": _cost,
}  # fmt: skip
