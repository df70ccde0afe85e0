"""Quantities with units at the boundary, plain SI floats inside, integer picoseconds in the engine."""

from __future__ import annotations

import math
import re
from fractions import Fraction

PICOSECONDS_PER_SECOND = 10**12
LONGEST_ACTION = 1000.0
"""Longest time of one action in seconds: ten thousand of them still fit the 63 bits of a run's picoseconds."""

_PREFIXES = {
    "": 0, "T": 12, "G": 9, "M": 6, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15, "a": -18,
}  # fmt: skip
_BINARY_PREFIXES = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*([^\d\s].*?)?\s*$")


def parse_quantity(text: str, unit: str) -> float:
    """Read a number with its unit, such as ``"12.5 ns"``, as an SI float.

    ``unit`` is the expected unit without prefix: ``s J W S V F Hz m^2 B A``. Square metres take the prefix
    on the metre (``um^2``, ``mm^2``); bytes take binary prefixes (``KiB``).

    Raises:
        ValueError: the text is no number, has no unit or has another unit.
    """
    match = _NUMBER.match(text)
    example = f"expected a number with the unit {unit}, such as '1.5 {_example(unit)}', got '{text}'"
    if match is None or match.group(2) is None:
        raise ValueError(example)
    number, suffix = match.group(1), match.group(2)
    if unit == "B":
        for prefix, factor in _BINARY_PREFIXES.items():
            if suffix == prefix + "B":
                return float(number) * factor
        raise ValueError(example)
    base, power = ("m", 2) if unit == "m^2" else (unit, 1)
    if unit == "m^2":
        suffix = suffix.removesuffix("^2").removesuffix("²") if suffix.endswith(("^2", "²")) else "?"
    prefix = suffix.removesuffix(base)
    if not suffix.endswith(base) or prefix not in _PREFIXES:
        raise ValueError(example)
    # Through the decimal text, so that "25 uS" is 25e-6 to the last bit.
    mantissa, _, exponent = number.lower().partition("e")
    return float(f"{mantissa}e{int(exponent or 0) + power * _PREFIXES[prefix]}")


def _example(unit: str) -> str:
    return {"s": "ns", "J": "pJ", "W": "mW", "S": "uS", "F": "fF", "Hz": "GHz", "m^2": "um^2", "B": "KiB"}.get(
        unit, unit
    )


def to_picoseconds(seconds: float, *, rounding: str = "error") -> int:
    """Convert seconds to whole picoseconds.

    ``rounding`` is ``"error"`` (a time that is not a whole number of picoseconds raises) or ``"up"``.

    Raises:
        ValueError: the time is negative, not finite, or not whole with ``rounding="error"``.
    """
    if not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"a time must be finite and not negative, got {seconds!r} s")
    exact = Fraction(repr(float(seconds))) * PICOSECONDS_PER_SECOND
    whole = exact.numerator // exact.denominator
    if exact.denominator == 1:
        return whole
    if rounding == "up":
        return whole + 1
    raise ValueError(f"{seconds!r} s is not a whole number of picoseconds")


def format_quantity(value: float, unit: str, digits: int = 4) -> str:
    """Write an SI value with an engineering prefix, such as ``3.912 uJ``."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g} {unit}"
    names = {power: prefix for prefix, power in _PREFIXES.items() if prefix not in ("µ", "μ")}
    scale = 2 if unit == "m^2" else 1
    power = min(max(math.floor(math.log10(abs(value)) / (3 * scale)) * 3, -18), 12)
    scaled = value / 10.0 ** (power * scale)
    if float(f"{abs(scaled):.{digits}g}") >= 1000**scale and power < 12:
        power += 3
        scaled = value / 10.0 ** (power * scale)
    return f"{scaled:.{digits}g} {names[power]}{unit}"
