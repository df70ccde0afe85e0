"""Description of a table of technology factors: how energy and area of a circuit change from node to node."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from hwsim.spec.base import Spec
from hwsim.units import parse_quantity


class NodeFactors(Spec):
    """Factors of one node; only ratios of two nodes mean anything."""

    area: float = Field(gt=0)
    """Area of a circuit."""
    a: float
    b: float
    c: float
    """Energy of an operation at the supply voltage V, ``a V^2 + b V + c``."""


class ScalingSpec(Spec):
    """Technology factors by node."""

    kind: Literal["scaling"] = "scaling"
    name: str
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    provenance: Literal["verified", "derived", "unverified", "assumed"]
    nodes: dict[str, NodeFactors] = Field(min_length=2)
    """Node, such as ``32 nm``, to its factors."""

    @field_validator("nodes")
    @classmethod
    def _lengths(cls, nodes: dict[str, NodeFactors]) -> dict[str, NodeFactors]:
        for name in nodes:
            parse_quantity(name, "m")
        return nodes
