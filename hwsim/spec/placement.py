"""How a description puts a component model of the library to use."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hwsim.spec.base import Spec


class PlacedComponent(Spec):
    """A component model put to use: its clock domain and how its times meet that clock."""

    model: str
    """Name of a component of the library (``hwsim components``)."""
    parameters: dict[str, float | int | str] = Field(default_factory=dict)
    """Parameters of that component, such as ``bits`` or ``rate`` (``hwsim components NAME``); the rest are defaults."""
    clock: str = "core"
    """Name of the chip's clock that it runs on."""
    rounding: Literal["up", "error"] = "up"
    """A time that is no whole number of cycles is rounded ``up``, or is an ``error``."""


Placement = tuple[PlacedComponent, int]
"""A component at its place, and how many instances of it are there."""
