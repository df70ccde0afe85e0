"""Description of a component: what each of its actions costs, what it leaks and how large it is."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from hwsim.spec.base import Joules, Seconds, Spec, SquareMetres, Watts

Provenance = Literal["verified", "derived", "unverified", "assumed"]
"""``verified``: read in the named source; ``derived``: computed from such numbers; ``unverified``: quoted from
elsewhere, not read in the source itself; ``assumed``: a choice of this project."""


class Sourced(Spec):
    """Base of every number of a cost table."""

    source: str = Field(min_length=1)
    """Paper, table or file that the number comes from; an assumption says that it is one."""
    provenance: Provenance


class ActionSpec(Sourced):
    """What one action of a component costs."""

    energy: Joules = Field(ge=0)
    """Energy of one action, J."""
    latency: Seconds = Field(ge=0)
    """Time from the start of an action to its result, s."""
    interval: Seconds | None = None
    """Time until the next action may start, s; the latency if None."""
    per: str = Field(min_length=1)
    """What one action is, such as ``conversion of one line``."""


class LeakageSpec(Sourced):
    """Power that one instance draws always."""

    value: Watts = Field(ge=0)


class AreaSpec(Sourced):
    """Area of one instance."""

    value: SquareMetres = Field(ge=0)


class PropertySpec(Sourced):
    """A number that a component's behaviour needs, such as the width of a bus."""

    value: float = Field(ge=0)
    unit: str
    """SI unit of ``value``, or ``1``."""


class ComponentSpec(Spec):
    """A component model of the library."""

    kind: Literal["component"] = "component"
    name: str
    type: str
    """Registered component type, such as ``adc``."""
    description: str = Field(min_length=1)
    node: str
    """Technology node of the numbers, such as ``32 nm``."""
    area: AreaSpec
    leakage: LeakageSpec
    actions: dict[str, ActionSpec] = Field(default_factory=dict)
    properties: dict[str, PropertySpec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _plausible(self) -> ComponentSpec:
        # Published libraries hold unit slips of many orders of magnitude; no real component comes near these bounds.
        for name, action in self.actions.items():
            if action.energy > 1e-3 or action.latency > 1.0 or 0 < action.latency < 1e-13:
                raise ValueError(f"action {name}: an energy above 1 mJ or a latency outside 0.1 ps..1 s is a unit slip")
        if self.leakage.value > 1e3 or self.area.value > 1e-2:
            raise ValueError("a leakage above 1 kW or an area above 0.01 m^2 is a unit slip")
        return self
