"""Description of a network on its own: its layers, where they are published, and what is counted of it there."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hwsim.spec.base import Spec
from hwsim.spec.network import NetworkSpec


class Published(Spec):
    """What the literature counts, to check the list against."""

    parameters: int = Field(ge=1)
    """Trained numbers."""
    macs: float = Field(gt=0)
    """Multiply-accumulate operations of one sample's forward pass."""
    source: str = Field(min_length=1)


class ArchitectureSpec(NetworkSpec):
    """A network with name and source."""

    kind: Literal["network"] = "network"
    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    published: Published | None = None
