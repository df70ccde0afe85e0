"""Constant step: w += s (1 + sigma z), whatever the weight."""

from __future__ import annotations

import numpy as np

from hwsim.devices.law import LAWS, Draws, Floats, Hidden, KernelForm, sample_common
from hwsim.spec.device import PulsedParameters


class ConstantStepParameters(PulsedParameters):
    """Parameters of the constant-step law."""


class ConstantStep:
    """Steps that do not depend on the weight, cut at the bounds.

    Source: Gokmen and Vlasov, Front. Neurosci. 10:333 (2016); AIHWKit ``ConstantStepDevice``.
    """

    parameters = ConstantStepParameters

    def granularity(self, p: ConstantStepParameters) -> float:
        """Return ``dw_min``."""
        return p.dw_min

    def sample(self, p: ConstantStepParameters, draws: Draws) -> Hidden:
        """Return bounds and steps."""
        return sample_common(p, draws)

    def kernel_form(self, p: ConstantStepParameters, hidden: Hidden) -> KernelForm:
        """Return o up, o down and the bounds."""
        low, high = hidden["min_bound"], hidden["max_bound"]
        return KernelForm(
            "constant", (hidden["dwmin_up"], -hidden["dwmin_down"], low, high), (p.dw_min_std,), low, high
        )

    def symmetric_point(self, p: ConstantStepParameters, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return NaN: the steps are the same at every weight."""
        return np.full(hidden["dwmin_up"].shape, np.nan)


LAWS.register("constant_step")(ConstantStep())
