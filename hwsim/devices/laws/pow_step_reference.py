"""Power step with a reference device: the weight is the conductance less the reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hwsim.devices.law import LAWS, Draws, Floats, Hidden, spread
from hwsim.devices.laws.pow_step import PowParameters, PowStep, conductance_balance, mean_steps


class PowStepReferenceParameters(PowParameters):
    """Parameters of the power-step law with a reference device."""

    subtract_symmetry_point: bool = False
    """Add each device's symmetry point to its reference, so that w = 0 is the symmetry point. Devices whose bounds do
    not enclose 0 (``enforce_consistency`` off) are left as they are."""
    n_estimation_steps: int = Field(-1, ge=-1, le=1_000_000)
    """Mean up and down steps from 0 that estimate the symmetry point; 0 or -1: its exact value."""
    reference_mean: float = 0.0
    """Mean of the reference."""
    reference_std: float = Field(0.0, ge=0)
    """Device-to-device spread of the reference, absolute."""


class PowStepReference(PowStep):
    """The power step of v = w + reference; the bounds hold for v, whatever changes the weight.

    Source: AIHWKit ``PowStepReferenceDevice``. Unlike there, setting weights clips v, not w, and without
    ``n_estimation_steps`` the symmetry point is exact instead of an estimate by at most 10 000 steps.
    """

    parameters: type[PowStepReferenceParameters] = PowStepReferenceParameters

    def sample(self, p: PowParameters, draws: Draws) -> Hidden:
        """Return bounds (of v), steps, exponents and references."""
        assert isinstance(p, PowStepReferenceParameters)
        hidden = super().sample(p, draws)
        reference = spread(p.reference_mean, p.reference_std, draws, "reference")
        if p.subtract_symmetry_point:
            point = _estimate(hidden, p.n_estimation_steps) if p.n_estimation_steps > 0 else conductance_balance(hidden)
            reference = reference + np.where(_encloses_zero(hidden), np.nan_to_num(point), 0.0)
        hidden["reference"] = reference
        return hidden


def _encloses_zero(hidden: Hidden) -> NDArray[np.bool_]:
    return (hidden["min_bound"] < 0) & (hidden["max_bound"] > 0)


def _estimate(hidden: Hidden, steps: int) -> Floats:
    """Walk from v = 0 by pairs of mean up and down steps; devices whose bounds do not enclose 0 stay there."""
    point = np.zeros_like(hidden["max_bound"])
    movable = _encloses_zero(hidden)
    for _ in range(steps):
        up, down = mean_steps(hidden, point)
        point = np.where(movable, np.clip(point + up - down, hidden["min_bound"], hidden["max_bound"]), point)
    return point


LAWS.register("pow_step_reference")(PowStepReference())
