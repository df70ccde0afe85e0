"""Line charts as inline SVG that take their colours from the page, so that they follow its light or dark mode."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

WIDTH, HEIGHT = 460, 250
LEFT, RIGHT, TOP, BOTTOM = 56, 12, 12, 40
POINTS = 240
"""Longer series are drawn as the mean and the range of this many bins."""
COLOURS = 8
DOTS = 60
"""Longer series are drawn without dots, which would run into each other."""


@dataclass(frozen=True)
class Series:
    """A named line: x and y of equal length (NaN is left out), with or without dots at its points."""

    name: str
    x: np.ndarray
    y: np.ndarray
    dots: bool = False


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    first: float
    """Pixel of ``low``."""
    last: float
    log: bool = False

    def pixel(self, values: np.ndarray) -> np.ndarray:
        low, high = self.low, self.high
        if self.log:
            values, low, high = np.log10(values), math.log10(low), math.log10(high)
        return self.first + (values - low) / (high - low) * (self.last - self.first)

    def ticks(self) -> list[float]:
        return _decades(self.low, self.high) if self.log else _round_numbers(self.low, self.high)


def line_chart(series: Sequence[Series], x_label: str, y_label: str, *, log_y: bool = False) -> Markup:
    """Return a chart of one or more series; ``log_y`` is ignored where a value is not positive."""
    series = [_finite(each) for each in series]
    series = [each for each in series if len(each.x)]
    if not series:
        return Markup('<p class="note">No values to draw.</p>')
    log_y = log_y and all((each.y > 0).all() for each in series)
    x_axis = _x_axis(np.concatenate([each.x for each in series]))
    y_axis = _axis(np.concatenate([each.y for each in series]), HEIGHT - BOTTOM, TOP, log=log_y)
    parts = [_grid(x_axis, y_axis), _axis_labels(x_label, y_label)]
    parts += [_line(each, index, x_axis, y_axis) for index, each in enumerate(series)]
    names = ", ".join(each.name for each in series)
    box = Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="application" aria-roledescription="chart" tabindex="0"'
        ' aria-label="{} against {}: {}; arrow keys read values" data-x="{}" data-y="{}" data-series="{}">'
    ).format(WIDTH, HEIGHT, y_label, x_label, names, x_label, y_label, _readings(series, x_axis, y_axis))
    return box + Markup("").join(parts) + Markup("</svg>") + _legend(series)


def _readings(series: Sequence[Series], x_axis: _Axis, y_axis: _Axis) -> str:
    """Return what the page's script reads off: for each line, its points as pixels and as text."""
    found = []
    for index, each in enumerate(series):
        x, y = each.x, each.y
        if len(x) > POINTS:
            bins = np.array_split(np.arange(len(x)), POINTS)
            x, y = (np.array([values[part].mean() for part in bins]) for values in (x, y))
        places = zip(x_axis.pixel(x), y_axis.pixel(y), x, y, strict=True)
        points = [[round(float(a), 1), round(float(b), 1), f"{u:.5g}", f"{v:.4g}"] for a, b, u, v in places]
        found.append({"name": each.name, "colour": index % COLOURS, "points": points})
    return json.dumps(found, separators=(",", ":"))


def _finite(series: Series) -> Series:
    keep = np.isfinite(series.x) & np.isfinite(series.y)
    return Series(series.name, series.x[keep], series.y[keep], series.dots)


def _x_axis(values: np.ndarray) -> _Axis:
    """From zero, so that charts beside each other share their axis."""
    low, high = min(float(values.min()), 0.0), float(values.max())
    return _Axis(low, high if high > low else low + 1.0, LEFT, WIDTH - RIGHT)


def _axis(values: np.ndarray, first: float, last: float, *, log: bool = False) -> _Axis:
    low, high = float(values.min()), float(values.max())
    if log:
        low, high = low / 1.1, high * 1.1
    elif low == high:
        low, high = low - (abs(low) or 1) / 2, high + (abs(high) or 1) / 2
    else:
        margin = 0.05 * (high - low)
        low, high = (low - margin if low else low), high + margin
    return _Axis(low, high, first, last, log)


def _round_numbers(low: float, high: float) -> list[float]:
    """Return about five multiples of 1, 2 or 5 times a power of ten within the range."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [index * step for index in range(first, last + 1)]


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for factors in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        ticks = [factor * 10.0**power for power in range(first, last + 1) for factor in factors]
        ticks = [tick for tick in ticks if low <= tick <= high]
        if len(ticks) >= 3:
            break
    return ticks[:: max(len(ticks) // 6, 1)] if len(ticks) >= 2 else [low, high]


def _grid(x_axis: _Axis, y_axis: _Axis) -> Markup:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = []
    for tick in y_axis.ticks():
        y = float(y_axis.pixel(np.array(tick)))
        parts.append(Markup('<path class="grid" d="M{} {:.1f}H{}"/>').format(LEFT, y, right))
        parts.append(
            Markup('<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{:.3g}</text>').format(LEFT - 6, y + 4, tick)
        )
    for tick in x_axis.ticks():
        x = float(x_axis.pixel(np.array(tick)))
        parts.append(Markup('<path class="grid" d="M{:.1f} {}v5"/>').format(x, bottom))
        parts.append(
            Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{:.5g}</text>').format(
                x, bottom + 17, tick
            )
        )
    parts.append(Markup('<path class="frame" d="M{} {}V{}H{}"/>').format(LEFT, TOP, bottom, right))
    return Markup("").join(parts)


def _axis_labels(x_label: str, y_label: str) -> Markup:
    x = Markup('<text class="axis" x="{}" y="{}" text-anchor="middle">{}</text>')
    y = Markup('<text class="axis" transform="translate(13 {}) rotate(-90)" text-anchor="middle">{}</text>')
    middle_x, middle_y = (LEFT + WIDTH - RIGHT) / 2, (TOP + HEIGHT - BOTTOM) / 2
    return x.format(middle_x, HEIGHT - 5, x_label) + y.format(middle_y, y_label)


def _line(series: Series, index: int, x_axis: _Axis, y_axis: _Axis) -> Markup:
    colour = f"series{index % COLOURS}"
    if len(series.x) <= POINTS:
        x, y = x_axis.pixel(series.x), y_axis.pixel(series.y)
        markup = Markup('<path class="line {}" d="{}"/>').format(colour, _path(x, y))
        if (series.dots and len(x) <= DOTS) or len(x) == 1:
            dot = Markup('<circle class="dot {}" cx="{:.1f}" cy="{:.1f}" r="2.6"/>')
            markup += Markup("").join(dot.format(colour, a, b) for a, b in zip(x, y, strict=True))
        return markup
    bins = np.array_split(np.arange(len(series.x)), POINTS)
    x = x_axis.pixel(np.array([series.x[each].mean() for each in bins]))
    low, mean, high = (
        y_axis.pixel(np.array([function(series.y[each]) for each in bins])) for function in (np.min, np.mean, np.max)
    )
    band = _path(np.concatenate([x, x[::-1]]), np.concatenate([high, low[::-1]])) + "Z"
    return Markup('<path class="band {}" d="{}"/><path class="line {}" d="{}"/>').format(
        colour, band, colour, _path(x, mean)
    )


def _path(x: np.ndarray, y: np.ndarray) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _legend(series: Sequence[Series]) -> Markup:
    item = Markup('<span class="key"><i class="series{}"></i>{}{}</span>')
    notes = [" (mean and range)" if len(each.x) > POINTS else "" for each in series]
    named = zip(series, notes, strict=True)
    keys = [item.format(index % COLOURS, each.name, note) for index, (each, note) in enumerate(named)]
    return Markup('<p class="legend">') + Markup(" ").join(keys) + Markup("</p>")
