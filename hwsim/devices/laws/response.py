"""What the response functions of the theory share: a range of +- tau around a point, and an asymmetry."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from hwsim.devices.law import (
    Draws,
    Floats,
    Hidden,
    WriteNoiseParameters,
    derived,
    numbers,
    pinned_if_inverted,
    quotient,
    sample_common,
)


class ResponseParameters(WriteNoiseParameters):
    """Parameters of the laws given by response functions q+ and q-; the weight bounds ``w_d`` +- ``tau`` follow.

    A pulse changes the weight by + ``dw_min`` q+ or - ``dw_min`` q-. Without spreads, as in the theory, all devices
    are equal and pulses have no noise.
    """

    tau: float = Field(1.0, gt=0, le=1e6)
    """Saturation level: the response vanishes this far from ``w_d``."""
    w_d: float = 0.0
    """Weight in the middle of the range; the symmetric point if ``asymmetry`` is 0 and both exponents are equal."""
    asymmetry: float = Field(0.0, gt=-1, lt=1)
    """Factors 1 + this on q+ and 1 - this on q- (c_Lin in the paper); moves the symmetric point off ``w_d``."""
    mult_noise: bool = False
    """Pulse-to-pulse noise scales with the step at this weight; False: with the step at ``w_d``, as in the paper."""
    dw_min_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the step, relative to ``dw_min``."""
    dw_min_std: float = Field(0.0, ge=0)
    """Pulse-to-pulse spread of the step, relative to the step (sigma_c in the paper)."""
    up_down_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the asymmetry, in units of ``dw_min``."""
    w_max_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the distance from ``w_d`` to the upper bound, relative."""
    w_min_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the distance from ``w_d`` to the lower bound, relative."""

    @model_validator(mode="before")
    @classmethod
    def _derive_bounds(cls, data: Any) -> Any:
        found = numbers(cls, data, ("tau", "w_d"))
        if found is None or not 0 < found[0] <= 1e6:
            return data
        tau, middle = found
        if abs(middle) >= tau:
            raise ValueError(f"w_d must be between -tau and tau, so that the range encloses 0, got {middle!r}")
        return derived(data, {"w_max": middle + tau, "w_min": middle - tau}, "tau and w_d")


def sample_response(p: ResponseParameters, draws: Draws) -> Hidden:
    """Sample bounds and the steps at ``w_d``, and the distances ``reach_up`` and ``reach_down`` from there to them."""
    hidden = sample_common(p, draws)
    asymmetry = np.full(draws.shape, p.asymmetry)
    if p.perfect_bias:
        asymmetry[:, -1] = 0.0
    hidden["dwmin_up"] = hidden["dwmin_up"] * (1 + asymmetry)
    hidden["dwmin_down"] = hidden["dwmin_down"] * (1 - asymmetry)
    stuck = hidden["max_bound"] == hidden["min_bound"]
    for bound, mean, name, side in (("max_bound", p.w_max, "reach_up", 1), ("min_bound", p.w_min, "reach_down", -1)):
        # The spread of a bound is that of its distance from w_d, so that every device keeps w_d in its range.
        reach = p.tau * hidden[bound] / mean
        hidden[bound] = np.where(stuck, hidden[bound], p.w_d + side * reach)
        hidden[name] = np.where(stuck, p.tau, reach)
    hidden["min_bound"], hidden["max_bound"] = pinned_if_inverted(hidden["min_bound"], hidden["max_bound"])
    return hidden


def relative_distances(hidden: Hidden, w: Floats) -> tuple[Floats, Floats]:
    """Return the distances of ``w`` to the upper and lower bound in units of those of ``w_d``."""
    ahead = (hidden["max_bound"] - w) * quotient(np.ones_like(w), hidden["reach_up"])
    behind = (w - hidden["min_bound"]) * quotient(np.ones_like(w), hidden["reach_down"])
    return np.maximum(ahead, 0.0), np.maximum(behind, 0.0)
