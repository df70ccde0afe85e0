"""Soft bounds with a reference device: the weight is the conductance less the reference."""

from __future__ import annotations

import numpy as np
from pydantic import Field

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
from hwsim.devices.laws.linear_step import affine_form


class SoftBoundsReferenceParameters(WriteNoiseParameters):
    """Parameters of the soft-bounds law with a reference device."""

    mult_noise: bool = False
    """Pulse-to-pulse noise scales with the step at this weight; False: with the step at conductance 0."""
    slope_up_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the up slope; moves the upper bound."""
    slope_down_dtod: float = Field(0.0, ge=0)
    """Device-to-device spread of the down slope; moves the lower bound."""
    reference_mean: float = 0.0
    """Mean of the reference."""
    reference_std: float = Field(0.0, ge=0)
    """Device-to-device spread of the reference, absolute."""
    subtract_symmetry_point: bool = False
    """Add each device's symmetry point to its reference, so that w = 0 is the symmetry point. Devices whose bounds do
    not enclose 0 (``enforce_consistency`` off) are left as they are, by the spreads of the slopes as well."""


class SoftBoundsReference:
    """Steps s (1 - v / bound) of v = w + reference; the bounds hold for v, whatever changes the weight.

    Source: AIHWKit ``SoftBoundsReferenceDevice``; Gong, Rasch et al., IEDM 2022. Unlike there, setting weights clips
    v, not w.
    """

    parameters = SoftBoundsReferenceParameters

    def granularity(self, p: SoftBoundsReferenceParameters) -> float:
        """Return ``dw_min``, the mean step at v = 0."""
        return p.dw_min

    def sample(self, p: SoftBoundsReferenceParameters, draws: Draws) -> Hidden:
        """Return bounds (of v), steps, slopes and references."""
        hidden = sample_common(p, draws)
        encloses = (hidden["min_bound"] < 0) & (hidden["max_bound"] > 0)
        for bound, deviation, name in (
            ("max_bound", p.slope_up_dtod, "slope_up"),
            ("min_bound", p.slope_down_dtod, "slope_down"),
        ):
            if deviation > 0:
                factor = np.maximum(np.abs(spread(1.0, deviation, draws, name)), 1 / 100)
                hidden[bound] = np.where(encloses, hidden[bound] / factor, hidden[bound])
        high, low = hidden["max_bound"], hidden["min_bound"]
        hidden["slope_up"] = quotient(-hidden["dwmin_up"], np.maximum(high, 0.0))
        hidden["slope_down"] = quotient(-hidden["dwmin_down"], np.minimum(low, 0.0))
        hidden["reference"] = spread(p.reference_mean, p.reference_std, draws, "reference")
        if p.subtract_symmetry_point:
            point = balance_point(hidden, hidden["slope_up"], hidden["slope_down"])
            hidden["reference"] = hidden["reference"] + np.where(encloses, np.nan_to_num(point), 0.0)
        return hidden

    def kernel_form(self, p: SoftBoundsReferenceParameters, hidden: Hidden) -> KernelForm:
        """Return the affine form, shifted by the reference."""
        return affine_form(p, hidden, p.mult_noise, hidden["reference"])

    def symmetric_point(self, p: SoftBoundsReferenceParameters, hidden: Hidden) -> Floats:  # noqa: ARG002
        """Return the weight (not v) at which both mean steps are equal."""
        return balance_point(hidden, hidden["slope_up"], hidden["slope_down"]) - hidden["reference"]


LAWS.register("soft_bounds_reference")(SoftBoundsReference())
