"""Soft bounds given by the number of pulses that cross a range."""

from __future__ import annotations

from math import expm1
from typing import Any

from pydantic import Field, model_validator

from hwsim.devices.law import LAWS, derived, numbers
from hwsim.devices.laws.soft_bounds import SoftBounds, SoftBoundsParameters


class SoftBoundsPmaxParameters(SoftBoundsParameters):
    """Parameters of the soft-bounds law by pulse number; ``dw_min``, ``up_down`` and the bounds follow from them."""

    p_max: float = Field(1000, gt=0, le=1e9)
    """Up pulses that lead from ``range_min`` to ``range_max``."""
    alpha: float = Field(0.0005, gt=0, le=10)
    """Fall of the step per pulse."""
    range_min: float = -1.0
    """Weight before the first of ``p_max`` up pulses and after ``p_max`` down pulses from ``range_max``."""
    range_max: float = 1.0
    """Weight after ``p_max`` up pulses."""

    @model_validator(mode="before")
    @classmethod
    def _convert(cls, data: Any) -> Any:
        found = numbers(cls, data, ("p_max", "alpha", "range_min", "range_max"))
        if found is None or not (0 < found[0] <= 1e9 and 0 < found[1] <= 10):
            return data
        p_max, alpha, low, high = found
        if high <= low:
            raise ValueError(f"range_max must be above range_min, got {high!r} and {low!r}")
        room = (high - low) / -expm1(-p_max * alpha)
        w_max, w_min = low + room, high - room
        if not w_min <= 0 <= w_max:
            raise ValueError(f"the bounds that follow, {w_min:.6g} and {w_max:.6g}, must enclose 0")
        # 1 - exp(-alpha) instead of alpha puts every single pulse on the documented curve.
        values: dict[str, float | str] = {
            "w_min": w_min,
            "w_max": w_max,
            "dw_min": -expm1(-alpha) * (w_max - w_min) / 2,
            "up_down": (w_max + w_min) / (w_max - w_min),
            "up_down_rule": "symmetric",
        }
        return derived(data, values, "p_max, alpha, range_min and range_max")


class SoftBoundsPmax(SoftBounds):
    """Soft bounds of which n up pulses lead from range_min to range_min + B (1 - exp(-alpha n)).

    n down pulses lead from range_max to range_max - B (1 - exp(-alpha n)); B = (range_max - range_min) / (1 -
    exp(-p_max alpha)). So the bounds are w_max = range_min + B and w_min = range_max - B, and the steps at w = 0 are
    alpha w_max up and alpha |w_min| down.
    Source: Frascaroli et al., Sci. Rep. 8:7178 (2018); the curves documented for AIHWKit ``SoftBoundsPmaxDevice``,
    whose conversion (w_min = range_min, one-sided asymmetry) misses them.
    """

    parameters = SoftBoundsPmaxParameters


LAWS.register("soft_bounds_pmax")(SoftBoundsPmax())
