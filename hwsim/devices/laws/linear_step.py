"""Linear step: the step falls linearly with the weight."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field, model_validator

from hwsim.devices.law import (
    LAWS,
    Draws,
    Floats,
    Hidden,
    KernelForm,
    WriteNoiseParameters,
    balance_point,
    quotient,
    sample_common,
    spread,
)


class ReversibleParameters(WriteNoiseParameters):
    """Parameters of laws whose step is linear in the weight."""

    mult_noise: bool = True
    """Pulse-to-pulse noise scales with the step at this weight; False: with the step at w = 0."""
    reverse_up: bool = False
    """The up step grows with the weight instead of falling."""
    reverse_down: bool = False
    """The down step grows with falling weight instead of shrinking."""
    reverse_offset: float = Field(0.01, ge=0)
    """Distance beyond the bound at which a reversed step vanishes."""

    @model_validator(mode="after")
    def _check_reverse(self) -> ReversibleParameters:
        if (self.reverse_up or self.reverse_down) and not self.mult_noise:
            raise ValueError("reverse_up and reverse_down require mult_noise")
        return self


class LinearStepParameters(ReversibleParameters):
    """Parameters of the linear-step law."""

    gamma_up: float = 0.0
    """Relative fall of the up step from w = 0 to the upper bound."""
    gamma_down: float = 0.0
    """Relative fall of the down step from w = 0 to the lower bound."""
    gamma_up_dtod: float = Field(0.05, ge=0)
    """Device-to-device spread of ``gamma_up``, absolute."""
    gamma_down_dtod: float = Field(0.05, ge=0)
    """Device-to-device spread of ``gamma_down``, absolute."""
    allow_increasing: bool = False
    """Allow steps that grow towards the bound (negative gamma)."""
    mean_bound_reference: bool = True
    """Gamma refers to the mean bounds; False: to each device's own bounds."""


def linear_slopes(
    p: ReversibleParameters, hidden: Hidden, gamma_up: Floats | float, gamma_down: Floats | float, mean_bounds: bool
) -> tuple[Floats, Floats]:
    """Return k_up and k_down: an up pulse adds s_up + k_up w, a down pulse takes s_down + k_down w off.

    Source: AIHWKit ``rpu_linearstep_device.cpp``. A bound of 0 gives slope 0.
    """
    high = np.full_like(hidden["max_bound"], p.w_max) if mean_bounds else hidden["max_bound"]
    low = np.full_like(hidden["min_bound"], p.w_min) if mean_bounds else hidden["min_bound"]
    up_reference = low - p.reverse_offset if p.reverse_up else high
    down_reference = high + p.reverse_offset if p.reverse_down else low
    return (
        quotient(-gamma_up * hidden["dwmin_up"], up_reference),
        quotient(-gamma_down * hidden["dwmin_down"], down_reference),
    )


def affine_form(p: Any, hidden: Hidden, mult_noise: bool, shift: Floats | float = 0.0) -> KernelForm:
    """Return the kernel form of steps that are affine in ``w + shift``, with the bounds on ``w + shift``."""
    up, down = hidden["dwmin_up"], hidden["dwmin_down"]
    k_up, k_down = hidden["slope_up"], hidden["slope_down"]
    low, high = hidden["min_bound"] - shift, hidden["max_bound"] - shift
    o_up, o_down = up + k_up * shift, down + k_down * shift
    if mult_noise:
        return KernelForm("affine", (k_up, o_up, -k_down, -o_down, low, high), (p.dw_min_std,), low, high)
    return KernelForm("additive", (k_up, o_up, up, -k_down, -o_down, -down, low, high), (p.dw_min_std,), low, high)


class LinearStep:
    """Steps s (1 - gamma w / bound), cut at the bounds.

    Source: AIHWKit ``LinearStepDevice``; Rasch et al., IEEE Design & Test 37(1) (2020).
    """

    parameters = LinearStepParameters

    def granularity(self, p: LinearStepParameters) -> float:
        """Return ``dw_min``, the mean step at w = 0."""
        return p.dw_min

    def sample(self, p: LinearStepParameters, draws: Draws) -> Hidden:
        """Return bounds, steps and slopes."""
        hidden = sample_common(p, draws)
        gamma_up = spread(p.gamma_up, p.gamma_up_dtod, draws, "gamma_up")
        gamma_down = spread(p.gamma_down, p.gamma_down_dtod, draws, "gamma_down")
        if not p.allow_increasing:
            gamma_up, gamma_down = np.abs(gamma_up), np.abs(gamma_down)
        slopes = linear_slopes(p, hidden, gamma_up, gamma_down, p.mean_bound_reference)
        hidden["slope_up"], hidden["slope_down"] = slopes
        return hidden

    def kernel_form(self, p: LinearStepParameters, hidden: Hidden) -> KernelForm:
        """Return the affine form."""
        return affine_form(p, hidden, p.mult_noise)

    def symmetric_point(self, p: LinearStepParameters, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return the weight at which both mean steps are equal."""
        return balance_point(hidden, hidden["slope_up"], hidden["slope_down"])


LAWS.register("linear_step")(LinearStep())
