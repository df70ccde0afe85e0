"""Breakdowns of a total: grouping over tiles, shares that add up in print, and the check that they add up at all."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOLERANCE = 1e-9
"""Largest relative difference between a total and the sum of its parts."""

BREAKDOWNS = {
    "energy_J": ("energy_by_component", "energy_by_phase", "energy_by_layer", "energy_by_tile"),
    "latency_s": ("latency_by_phase", "latency_by_layer"),
    "area_m2": ("area_by_component",),
}
"""Every total of a summary, with the breakdowns that must add up to it."""

PHASES = (
    "program", "zero_shift", "load", "forward", "backward", "update", "transfer", "reset", "refresh", "digital",
    "static",
)  # fmt: skip
"""The phases of a run in the order of the work."""


def group_tiles(parts: Mapping[str, float]) -> dict[str, float]:
    """Add up the parts of equal components of all tiles: ``tile0.adc`` and ``tile1.adc`` become ``tile*.adc``."""
    grouped: dict[str, float] = {}
    for name, value in parts.items():
        key = tile_class(name)
        grouped[key] = grouped.get(key, 0.0) + value
    return grouped


def tile_class(component: str) -> str:
    """Return a component's name with the number of its tile replaced by ``*``."""
    return re.sub(r"\btile\d+\b", "tile*", component)


def in_phase_order(names: Sequence[str]) -> list[str]:
    """Return the names of phases in the order of the work, unknown ones last."""
    order = {name: index for index, name in enumerate(PHASES)}
    return sorted(names, key=lambda name: (order.get(name, len(order)), name))


def top(parts: Mapping[str, float], limit: int) -> list[tuple[str, float]]:
    """Return the largest parts, at most ``limit`` rows; what is left becomes one row ``other (n)``."""
    ranked = sorted(((name, value) for name, value in parts.items() if value), key=lambda item: -item[1])
    if len(ranked) <= limit:
        return ranked
    kept, rest = ranked[: limit - 1], ranked[limit - 1 :]
    return [*kept, (f"other ({len(rest)})", math.fsum(value for _, value in rest))]


def rounded_parts(values: Sequence[float], total: float, decimals: int) -> list[float]:
    """Round values that add up to ``total`` so that the rounded ones add up to the rounded total.

    The largest remainders are rounded up (Hamilton's method), so each value stays within one unit of the last digit.
    Values that do not add up are rounded one by one: a wrong sum must stay visible.
    """
    if not adds_up(values, total):
        return [round(value, decimals) for value in values]
    scale = 10**decimals
    floors = [math.floor(value * scale) for value in values]
    missing = round(total * scale) - sum(floors)
    by_remainder = sorted(range(len(values)), key=lambda index: floors[index] - values[index] * scale)
    for index in by_remainder[: max(missing, 0)]:
        floors[index] += 1
    return [floor / scale for floor in floors]


def adds_up(values: Sequence[float], total: float) -> bool:
    """Return whether values add up to a total within ``TOLERANCE``."""
    return abs(math.fsum(values) - total) <= TOLERANCE * abs(total)


@dataclass(frozen=True)
class Mismatch:
    """A breakdown that does not add up: its name, its sum and the total that it should have."""

    name: str
    parts: float
    total: float

    def __str__(self) -> str:
        return f"{self.name.replace('_', ' ')} adds up to {self.parts:.12g}, the total is {self.total:.12g}"


def mismatches(summary: Mapping[str, Any]) -> list[Mismatch]:
    """Return every breakdown of a summary that does not add up to its total (relative 1e-9)."""
    found = []
    for total_name, names in BREAKDOWNS.items():
        total = summary.get(total_name)
        for name in names:
            parts = summary.get(name)
            if total is not None and parts is not None and not adds_up(list(parts.values()), total):
                found.append(Mismatch(name, math.fsum(parts.values()), total))
    return found
