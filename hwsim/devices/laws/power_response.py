"""Power response: the general response function of Residual Learning, as a power."""

from __future__ import annotations

from pydantic import Field

from hwsim.devices.law import LAWS, Draws, Floats, Hidden, KernelForm, bisected_balance, quotient, spread
from hwsim.devices.laws.response import ResponseParameters, relative_distances, sample_response


class PowerResponseParameters(ResponseParameters):
    """Parameters of the power response."""

    gamma_up: float = Field(1.0, ge=0, le=100)
    """Exponent of q+ (g_res in the paper, the same for both directions)."""
    gamma_down: float = Field(1.0, ge=0, le=100)
    """Exponent of q-."""
    gamma_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of both exponents together, relative."""


class PowerResponse:
    """Responses q+ = (1 + c) (1 - (w - w_d) / tau)^gamma_up and q- = (1 - c) (1 + (w - w_d) / tau)^gamma_down.

    c is ``asymmetry``. Source: Wu et al., arXiv 2502.06309, simulations ("power response").
    """

    parameters = PowerResponseParameters

    def granularity(self, p: PowerResponseParameters) -> float:
        """Return ``dw_min``, the mean step at ``w_d``."""
        return p.dw_min

    def sample(self, p: PowerResponseParameters, draws: Draws) -> Hidden:
        """Return bounds, steps at ``w_d`` and exponents."""
        hidden = sample_response(p, draws)
        gain = abs(spread(1.0, p.gamma_dtod, draws, "gamma"))
        hidden["gamma_up"], hidden["gamma_down"] = p.gamma_up * gain, p.gamma_down * gain
        return hidden

    def kernel_form(self, p: PowerResponseParameters, hidden: Hidden) -> KernelForm:
        """Return the power form."""
        return distance_form("power", p, hidden)

    def symmetric_point(self, p: PowerResponseParameters, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return, by bisection, the weight at which both mean steps are equal."""

        def surplus(w: Floats) -> Floats:
            ahead, behind = relative_distances(hidden, w)
            up, down = ahead ** hidden["gamma_up"], behind ** hidden["gamma_down"]
            return hidden["dwmin_up"] * up - hidden["dwmin_down"] * down

        return bisected_balance(surplus, hidden["min_bound"], hidden["max_bound"])


def distance_form(law: str, p: ResponseParameters, hidden: Hidden) -> KernelForm:
    """Return the kernel form ``law`` of steps that depend on the distance to the bound ahead."""
    one = 0 * hidden["max_bound"] + 1
    low, high = hidden["min_bound"], hidden["max_bound"]
    planes = (
        hidden["dwmin_up"],
        -hidden["dwmin_down"],
        hidden["gamma_up"],
        hidden["gamma_down"],
        quotient(one, hidden["reach_up"]),
        -quotient(one, hidden["reach_down"]),
        low,
        high,
    )
    return KernelForm(law, planes, (p.dw_min_std, float(p.mult_noise)), low, high)


LAWS.register("power_response")(PowerResponse())
