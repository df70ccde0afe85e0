"""Soft bounds: the step vanishes at the device's own bound."""

from __future__ import annotations

from hwsim.devices.law import LAWS, Draws, Floats, Hidden, KernelForm, balance_point, sample_common
from hwsim.devices.laws.linear_step import ReversibleParameters, affine_form, linear_slopes


class SoftBoundsParameters(ReversibleParameters):
    """Parameters of the soft-bounds law."""


class SoftBounds:
    """Steps s (1 - w / bound): the linear step with gamma = 1 and each device's own bounds.

    Source: Fusi and Abbott, Nat. Neurosci. 10 (2007); AIHWKit ``SoftBoundsDevice``.
    """

    parameters = SoftBoundsParameters

    def granularity(self, p: SoftBoundsParameters) -> float:
        """Return ``dw_min``, the mean step at w = 0."""
        return p.dw_min

    def sample(self, p: SoftBoundsParameters, draws: Draws) -> Hidden:
        """Return bounds, steps and slopes."""
        hidden = sample_common(p, draws)
        hidden["slope_up"], hidden["slope_down"] = linear_slopes(p, hidden, 1.0, 1.0, mean_bounds=False)
        return hidden

    def kernel_form(self, p: SoftBoundsParameters, hidden: Hidden) -> KernelForm:
        """Return the affine form."""
        return affine_form(p, hidden, p.mult_noise)

    def symmetric_point(self, p: SoftBoundsParameters, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return the weight at which both mean steps are equal."""
        return balance_point(hidden, hidden["slope_up"], hidden["slope_down"])


LAWS.register("soft_bounds")(SoftBounds())
