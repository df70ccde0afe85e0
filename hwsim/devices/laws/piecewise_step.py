"""Piecewise step: the step follows a table of nodes between the bounds."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field, model_validator

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
    still_if_stuck,
)

Nodes = Annotated[tuple[Annotated[float, Field(ge=0, le=1e6)], ...], Field(min_length=1, max_length=1000, strict=False)]


class PiecewiseStepParameters(WriteNoiseParameters):
    """Parameters of the piecewise-step law; the table is the same for all devices."""

    piecewise_up: Nodes = (1.0,)
    """Up steps in units of the device's own, at nodes equally spaced from the lower to the upper bound."""
    piecewise_down: Nodes = (1.0,)
    """Down steps likewise, at as many nodes."""

    @model_validator(mode="after")
    def _check_nodes(self) -> PiecewiseStepParameters:
        if len(self.piecewise_up) != len(self.piecewise_down):
            raise ValueError(
                f"piecewise_up and piecewise_down must have as many nodes, "
                f"got {len(self.piecewise_up)} and {len(self.piecewise_down)}"
            )
        if not any(self.piecewise_up) or not any(self.piecewise_down):
            raise ValueError("piecewise_up and piecewise_down need a step above 0")
        return self


class PiecewiseStep:
    """Steps s y(w), y linear between nodes equally spaced over each device's bounds; one node is a constant.

    A device whose upper bound is not above its lower bound stays there. Source: AIHWKit ``PiecewiseStepDevice``.
    """

    parameters = PiecewiseStepParameters

    def granularity(self, p: PiecewiseStepParameters) -> float:
        """Return the mean of the up and down steps in the middle of the table, or ``dw_min`` if both vanish there."""
        middle = (_between(p.piecewise_up, 0.5) + _between(p.piecewise_down, 0.5)) / 2
        return p.dw_min * (float(middle) or 1.0)

    def sample(self, p: PiecewiseStepParameters, draws: Draws) -> Hidden:
        """Return bounds and steps."""
        return sample_common(p, draws)

    def kernel_form(self, p: PiecewiseStepParameters, hidden: Hidden) -> KernelForm:
        """Return s up, s down, nodes per weight and the bounds; the table goes into the scalars."""
        low, high = hidden["min_bound"], hidden["max_bound"]
        up, down = still_if_stuck(hidden)
        room = np.maximum(hidden["max_bound"] - hidden["min_bound"], 0.0)
        nodes = len(p.piecewise_up)
        density = quotient(np.full_like(room, nodes - 1.0), room)
        scalars = (p.dw_min_std, float(nodes), *p.piecewise_up, *p.piecewise_down)
        return KernelForm("piecewise", (up, -down, density, low, high), scalars, low, high)

    def symmetric_point(self, p: PiecewiseStepParameters, hidden: Hidden) -> Floats:
        """Return, by bisection, a weight within the bounds at which both mean steps are equal; NaN where there is
        none."""
        low, high = hidden["min_bound"], hidden["max_bound"]
        room = np.where(high > low, high - low, 1.0)

        def surplus(w: Floats) -> Floats:
            place = (w - low) / room
            up, down = _between(p.piecewise_up, place), _between(p.piecewise_down, place)
            return hidden["dwmin_up"] * up - hidden["dwmin_down"] * down

        return bisected_balance(surplus, low, high)


def _between(nodes: tuple[float, ...], place: Floats | float) -> Floats:
    """Return the table's value at ``place`` in [0, 1]."""
    return np.asarray(np.interp(place, np.linspace(0.0, 1.0, len(nodes)), nodes))


LAWS.register("piecewise_step")(PiecewiseStep())
