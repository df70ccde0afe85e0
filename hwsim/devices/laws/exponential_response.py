"""Exponential response: the general response function of Residual Learning, as an exponential."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import AfterValidator, Field

from hwsim.devices.law import LAWS, STEEPEST, Draws, Floats, Hidden, KernelForm, bisected_balance, spread
from hwsim.devices.laws.power_response import distance_form
from hwsim.devices.laws.response import ResponseParameters, relative_distances, sample_response

STRAIGHTEST = 0.01
"""Below this magnitude of an exponent the response is a straight line to the kernel's precision."""


def _bent(gamma: float) -> float:
    if abs(gamma) < STRAIGHTEST:
        raise ValueError(
            f"must be at most -{STRAIGHTEST} or at least {STRAIGHTEST}, got {gamma!r}; law asymmetric_linear is the "
            "limit at 0"
        )
    return gamma


Bend = Annotated[float, Field(ge=-40, le=40), AfterValidator(_bent)]


class ExponentialResponseParameters(ResponseParameters):
    """Parameters of the exponential response."""

    gamma_up: Bend = 1.0
    """Exponent of q+ (g_res in the paper, the same for both directions); negative: the step falls late."""
    gamma_down: Bend = 1.0
    """Exponent of q-."""
    gamma_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of both exponents together, relative."""


class ExponentialResponse:
    """Responses q = (1 +- c) (exp(gamma b) - 1) / (exp(gamma) - 1) with b = 1 -+ (w - w_d) / tau, c = ``asymmetry``.

    A negative gamma gives the "exponential step", 1 - exp(-|gamma| b), up to its scale.
    Source: Wu et al., arXiv 2502.06309, simulations ("exponential response"); arXiv 2406.12774, appendix C.
    """

    parameters = ExponentialResponseParameters

    def granularity(self, p: ExponentialResponseParameters) -> float:
        """Return ``dw_min``, the mean step at ``w_d``."""
        return p.dw_min

    def sample(self, p: ExponentialResponseParameters, draws: Draws) -> Hidden:
        """Return bounds, steps at ``w_d`` and exponents; these keep their sign and at least 0.01, at most 80."""
        hidden = sample_response(p, draws)
        gain = np.abs(spread(1.0, p.gamma_dtod, draws, "gamma"))
        for name, gamma in (("gamma_up", p.gamma_up), ("gamma_down", p.gamma_down)):
            hidden[name] = np.sign(gamma) * np.clip(abs(gamma) * gain, STRAIGHTEST, 80.0)
        return hidden

    def kernel_form(self, p: ExponentialResponseParameters, hidden: Hidden) -> KernelForm:
        """Return the exponential form."""
        return distance_form("exponential_response", p, hidden)

    def symmetric_point(self, p: ExponentialResponseParameters, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return, by bisection, the weight at which both mean steps are equal."""

        def surplus(w: Floats) -> Floats:
            ahead, behind = relative_distances(hidden, w)
            up, down = _response(hidden["gamma_up"], ahead), _response(hidden["gamma_down"], behind)
            return hidden["dwmin_up"] * up - hidden["dwmin_down"] * down

        return bisected_balance(surplus, hidden["min_bound"], hidden["max_bound"])


def _response(gamma: Floats, distance: Floats) -> Floats:
    with np.errstate(over="ignore"):
        return np.minimum(np.expm1(gamma * distance) / np.expm1(gamma), STEEPEST)


LAWS.register("exponential_response")(ExponentialResponse())
