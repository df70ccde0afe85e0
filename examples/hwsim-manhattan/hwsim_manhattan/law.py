"""Graded steps: constant steps that grow from the first row of an array to its last."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from hwsim.devices.law import Draws, Hidden
from hwsim.devices.laws.constant_step import ConstantStep, ConstantStepParameters


class GradedStepParameters(ConstantStepParameters):
    """Parameters of the graded-step law."""

    gradient: float = Field(0.2, ge=-1, le=1)
    """How much larger steps are at the last row than at the first, relative to their mean."""


class GradedStep(ConstantStep):
    """The constant-step law on a wafer whose steps grow along the rows; each device keeps its own spread."""

    parameters = GradedStepParameters

    def sample(self, p: GradedStepParameters, draws: Draws) -> Hidden:  # type: ignore[override]
        """Return bounds and steps."""
        hidden = dict(super().sample(p, draws))
        factor = 1 + p.gradient * (np.linspace(0, 1, draws.shape[0])[:, None] - 0.5)
        return hidden | {name: hidden[name] * factor for name in ("dwmin_up", "dwmin_down")}


GRADED_STEP = GradedStep()
