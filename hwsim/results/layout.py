"""Aligned plain-text tables and numbers for a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hwsim.units import format_quantity, parse_quantity

UNITS = ("s", "J", "W", "S", "V", "F", "Hz", "m^2", "A", "C")


def table(
    header: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = (), gap: int = 2
) -> list[str]:
    """Return the lines of a table; ``right`` names the columns that are aligned to the right."""
    lines = [header, *rows] if any(header) else list(rows)
    widths = [max((len(line[index]) for line in lines), default=0) for index in range(len(header))]
    return [
        (" " * gap)
        .join(
            cell.rjust(width) if index in right else cell.ljust(width)
            for index, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        .rstrip()
        for line in lines
    ]


def beside(left: Sequence[str], right: Sequence[str], gap: int = 3) -> list[str]:
    """Return two blocks of lines side by side."""
    width = max((len(line) for line in left), default=0)
    n = max(len(left), len(right))
    left, right = ([*block, *[""] * (n - len(block))] for block in (left, right))
    return [(a.ljust(width + gap) + b).rstrip() for a, b in zip(left, right, strict=True)]


def count(value: float) -> str:
    """Write a count with thin groups of three digits: ``43 110``."""
    return f"{value:,.0f}".replace(",", " ")


def scale_of(total: float, unit: str) -> tuple[float, str, int]:
    """Return the factor, prefixed unit and decimals in which a total shows five significant digits.

    A value in SI times the factor is the number to print in that unit.
    """
    if total == 0 or not math.isfinite(total):
        return 1.0, unit, 1
    text, prefixed = format_quantity(total, unit, digits=9).split(" ")
    digits = len(text.split(".")[0].lstrip("-"))
    return float(text) / total, prefixed, max(5 - digits, 0)


def clip(text: str, width: int) -> str:
    """Shorten a text to ``width`` characters, with ``...`` in place of its end."""
    return text if len(text) <= width else text[: max(width - 3, 0)] + "..."


def area_text(square_metres: float) -> str:
    """Write an area in mm^2, or in um^2 below 0.01 mm^2, as chips are measured."""
    factor, unit = (1e6, "mm^2") if square_metres >= 1e-8 else (1e12, "um^2")
    return f"{square_metres * factor:.4g} {unit}"


def compact(text: str) -> str:
    """Rewrite a full-precision quantity with a fitting prefix: ``2.34e-12 J`` becomes ``2.34 pJ``.

    A number in another unit is written short; text that is no quantity comes back as it is.
    """
    for unit in UNITS:
        try:
            value = parse_quantity(text, unit)
        except ValueError:
            continue
        return area_text(value) if unit == "m^2" else format_quantity(value, unit)
    number, _, unit = text.partition(" ")
    try:
        return f"{float(number):g} {unit}".rstrip()
    except ValueError:
        return text
