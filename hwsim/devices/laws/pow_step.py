"""Power step: the step is a power of the distance to the bound ahead."""

from __future__ import annotations

from typing import Any, Literal

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
    quotient,
    sample_common,
    spread,
    still_if_stuck,
)
from hwsim.spec.device import PulsedParameters


class PowParameters(PulsedParameters):
    """Parameters of the laws whose step is a power of the distance to the bound."""

    pow_gamma: float = Field(1.0, ge=0, le=100)
    """Exponent, mean over devices and both directions."""
    pow_gamma_dtod: float = Field(0.1, ge=0)
    """Device-to-device spread of the exponent, relative."""
    pow_up_down: float = Field(0.0, ge=-1, le=1)
    """Systematic asymmetry of the exponents of up and down steps."""
    pow_up_down_rule: Literal["one_sided", "symmetric"] = "one_sided"
    """``one_sided`` lowers one exponent by ``pow_up_down``, as AIHWKit does; ``symmetric`` is 1 +- it."""
    pow_up_down_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of that asymmetry, in units of ``pow_gamma``."""


class PowStepParameters(PowParameters, WriteNoiseParameters):
    """Parameters of the power-step law."""


class PowStep:
    """Steps s ((upper bound - w) / R)^gamma_up and s ((w - lower bound) / R)^gamma_down, R the room between the bounds.

    ``dw_min`` is the step at the far bound. A device whose upper bound is not above its lower bound stays there.
    Source: Fusi and Abbott, Nat. Neurosci. 10 (2007); Frascaroli et al., Sci. Rep. 8:7178 (2018); AIHWKit
    ``PowStepDevice``; Wu et al., arXiv 2406.12774, appendix C, "power step".
    """

    parameters: type[PowParameters] = PowStepParameters

    def granularity(self, p: PowParameters) -> float:
        """Return ``dw_min`` 0.5^pow_gamma, the mean step in the middle of the range."""
        return float(p.dw_min * 0.5**p.pow_gamma)

    def sample(self, p: PowParameters, draws: Draws) -> Hidden:
        """Return bounds, steps and exponents."""
        hidden = sample_common(p, draws)
        gain = spread(1.0, p.pow_gamma_dtod, draws, "pow_gamma")
        tilt = spread(0.0, p.pow_up_down_dtod, draws, "pow_up_down")
        up, down = min(p.pow_up_down, 0.0), -max(p.pow_up_down, 0.0)
        if p.pow_up_down_rule == "symmetric":
            up, down = p.pow_up_down, -p.pow_up_down
        hidden["gamma_up"] = p.pow_gamma * (gain + up + tilt)
        hidden["gamma_down"] = p.pow_gamma * (gain + down - tilt)
        if p.enforce_consistency:
            hidden["gamma_up"], hidden["gamma_down"] = np.abs(hidden["gamma_up"]), np.abs(hidden["gamma_down"])
        return hidden

    def kernel_form(self, p: PowParameters, hidden: Hidden) -> KernelForm:
        """Return the power form, shifted by a reference if there is one."""
        low, high = hidden["min_bound"], hidden["max_bound"]
        up, down = still_if_stuck(hidden)
        shift = hidden.get("reference", 0.0)
        low, high = low - shift, high - shift
        inverse = _inverse_room(hidden)
        planes = (up, -down, hidden["gamma_up"], hidden["gamma_down"], inverse, -inverse, low, high)
        return KernelForm("power", planes, (p.dw_min_std, 1.0), low, high)

    def symmetric_point(self, p: Any, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return, by bisection, the weight within the bounds at which both mean steps are equal."""
        return conductance_balance(hidden) - hidden.get("reference", 0.0)


def conductance_balance(hidden: Hidden) -> Floats:
    """Return w + reference at which both mean steps are equal, by bisection; NaN where there is none."""

    def surplus(v: Floats) -> Floats:
        up, down = mean_steps(hidden, v)
        return up - down

    return bisected_balance(surplus, hidden["min_bound"], hidden["max_bound"])


def mean_steps(hidden: Hidden, v: Floats) -> tuple[Floats, Floats]:
    """Return the mean up and down steps at ``v`` = w + reference; both are positive."""
    inverse = _inverse_room(hidden)
    ahead = np.clip((hidden["max_bound"] - v) * inverse, 0.0, None)
    behind = np.clip((v - hidden["min_bound"]) * inverse, 0.0, None)
    # Exponents below 0 (devices without enforced consistency) diverge at the bound.
    with np.errstate(divide="ignore", over="ignore"):
        up, down = ahead ** hidden["gamma_up"], behind ** hidden["gamma_down"]
    return hidden["dwmin_up"] * np.minimum(up, 1e18), hidden["dwmin_down"] * np.minimum(down, 1e18)


def _inverse_room(hidden: Hidden) -> Floats:
    room = np.maximum(hidden["max_bound"] - hidden["min_bound"], 0.0)
    return quotient(np.ones_like(room), room)


LAWS.register("pow_step")(PowStep())
