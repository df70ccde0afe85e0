"""Asymmetric linear device: the response of the theory of exact training."""

from __future__ import annotations

import numpy as np

from hwsim.devices.law import LAWS, Draws, Floats, Hidden, KernelForm, balance_point, quotient
from hwsim.devices.laws.linear_step import affine_form
from hwsim.devices.laws.response import ResponseParameters, sample_response


class AsymmetricLinearParameters(ResponseParameters):
    """Parameters of the asymmetric linear device."""


class AsymmetricLinear:
    """Responses q+ = (1 + c) (1 - (w - w_d) / tau) and q- = (1 - c) (1 + (w - w_d) / tau), c = ``asymmetry``.

    The symmetric point is w_d + c tau. With c = 0, an update by DW changes the weight by DW - |DW| (w - w_d) / tau.
    Source: Wu, Gokmen, Rasch, Chen, arXiv 2406.12774, eq. 8 and appendix C; the asymmetry: Wu et al., arXiv
    2502.06309, Fig. 2.
    """

    parameters = AsymmetricLinearParameters

    def granularity(self, p: AsymmetricLinearParameters) -> float:
        """Return ``dw_min``, the mean step at ``w_d``."""
        return p.dw_min

    def sample(self, p: AsymmetricLinearParameters, draws: Draws) -> Hidden:
        """Return bounds, steps at ``w_d`` and slopes."""
        hidden = sample_response(p, draws)
        hidden["slope_up"] = quotient(-hidden["dwmin_up"], hidden["reach_up"])
        hidden["slope_down"] = quotient(hidden["dwmin_down"], hidden["reach_down"])
        return hidden

    def kernel_form(self, p: AsymmetricLinearParameters, hidden: Hidden) -> KernelForm:
        """Return the affine form of w - w_d."""
        centred = {
            **hidden,
            "max_bound": hidden["max_bound"] - p.w_d,
            "min_bound": hidden["min_bound"] - p.w_d,
        }
        return affine_form(p, centred, p.mult_noise, np.full_like(hidden["max_bound"], -p.w_d))

    def symmetric_point(self, p: AsymmetricLinearParameters, hidden: Hidden) -> Floats:
        """Return the weight at which both mean steps are equal."""
        return balance_point(hidden, hidden["slope_up"], hidden["slope_down"]) + p.w_d


LAWS.register("asymmetric_linear")(AsymmetricLinear())
