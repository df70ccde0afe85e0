"""Exponential step: the step falls exponentially towards the bounds."""

from __future__ import annotations

from math import exp

import numpy as np
from pydantic import Field

from hwsim.devices.law import (
    LAWS,
    Draws,
    Floats,
    Hidden,
    KernelForm,
    WriteNoiseParameters,
    bisected_balance,
    mean_scales,
    quotient,
    sample_common,
    still_if_stuck,
)

LARGEST_EXPONENT = 87.0


class ExpStepParameters(WriteNoiseParameters):
    """Parameters of the exponential-step law; its shape is the same for all devices."""

    A_up: float = 0.00081
    """Amplitude of the up step's fall."""
    A_down: float = 0.36833
    """Amplitude of the down step's fall."""
    gamma_up: float = 12.44625
    """Rate of the up step's fall."""
    gamma_down: float = 12.78785
    """Rate of the down step's fall."""
    a: float = 0.244
    """Scale of the weight in the exponent, relative to half the device's range."""
    b: float = 0.2425
    """Offset in the exponent."""
    dw_min_std_add: float = Field(0.0, ge=0)
    """Pulse-to-pulse noise that does not depend on the step, in units of ``dw_min_std``."""
    dw_min_std_slope: float = Field(0.0, ge=0)
    """Pulse-to-pulse noise per weight, in units of ``dw_min_std``."""


class ExpStep:
    """Steps s max(1 - A exp(+-gamma z), 0) with z = 2 a w / (upper - lower bound) + b.

    A device whose upper bound is not above its lower bound stays there.
    Source: Gong et al., Nat. Commun. 9:2102 (2018); AIHWKit ``ExpStepDevice``.
    """

    parameters = ExpStepParameters

    def granularity(self, p: ExpStepParameters) -> float:
        """Return the mean of the up and down step at w = 0, ``up_down`` included, or ``dw_min`` if both vanish."""
        scale_up, scale_down = mean_scales(p)
        up, down = scale_up * _fall(p.A_up, p.gamma_up * p.b), scale_down * _fall(p.A_down, -p.gamma_down * p.b)
        return (up + down) / 2 if up + down > 0 else p.dw_min

    def sample(self, p: ExpStepParameters, draws: Draws) -> Hidden:
        """Return bounds and steps."""
        return sample_common(p, draws)

    def kernel_form(self, p: ExpStepParameters, hidden: Hidden) -> KernelForm:
        """Return s up, s down, 2 a / range, no shift and the bounds; the scalars hold the shape, the noise, and 1 if
        no exponent needs a cut."""
        low, high = hidden["min_bound"], hidden["max_bound"]
        up, down = still_if_stuck(hidden)
        planes = (up, -down, self._scale(p, hidden), np.zeros_like(up), low, high)
        shape = (p.A_up, p.A_down, p.gamma_up, p.gamma_down, p.b)
        noise = (p.dw_min_std, p.dw_min_std_add, p.dw_min_std_slope)
        return KernelForm("exponential", planes, (*shape, *noise, float(self._narrow(p, planes))), low, high)

    def _narrow(self, p: ExpStepParameters, planes: tuple[Floats, ...]) -> bool:
        """Whether no device reaches an exponent that the kernel would have to cut."""
        scale, low, high = planes[2], planes[-2], planes[-1]
        reach = np.abs(scale) * np.maximum(np.abs(low), np.abs(high)) + abs(p.b)
        return bool(max(abs(p.gamma_up), abs(p.gamma_down)) * reach.max(initial=0.0) < LARGEST_EXPONENT - 1)

    def symmetric_point(self, p: ExpStepParameters, hidden: Hidden) -> Floats:
        """Return, by bisection, the weight within the bounds at which both mean steps are equal."""
        scale = self._scale(p, hidden)

        def surplus(w: Floats) -> Floats:
            z = scale * w + p.b
            return hidden["dwmin_up"] * _falls(p.A_up, p.gamma_up * z) - hidden["dwmin_down"] * _falls(
                p.A_down, -p.gamma_down * z
            )

        return bisected_balance(surplus, hidden["min_bound"], hidden["max_bound"])

    def _scale(self, p: ExpStepParameters, hidden: Hidden) -> Floats:
        room = hidden["max_bound"] - hidden["min_bound"]
        return quotient(np.full_like(room, 2 * p.a), np.maximum(room, 0.0))


def _fall(amplitude: float, exponent: float) -> float:
    return max(1 - amplitude * exp(min(exponent, LARGEST_EXPONENT)), 0.0)


def _falls(amplitude: float, exponent: Floats) -> Floats:
    return np.maximum(1 - amplitude * np.exp(np.minimum(exponent, LARGEST_EXPONENT)), 0.0)


LAWS.register("exp_step")(ExpStep())
