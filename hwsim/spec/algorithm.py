"""Description of a table of algorithm presets: one algorithm with the parameters that suit a device."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from hwsim.spec.base import Spec


class AlgorithmPresetSpec(Spec):
    """One preset: a device and what it changes in the table's parameters."""

    device: str | dict[str, Any] | None = None
    """Device unless a run names another: its name, or a mapping with ``name`` and overrides of its parameters."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters of the algorithm beyond those of the table."""


class AlgorithmTableSpec(Spec):
    """Presets of one algorithm; the preset ``reram-sb`` of the table ``ttv2`` is called ``ttv2-reram-sb``."""

    kind: Literal["algorithms"] = "algorithms"
    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where the numbers come from; an assumption says that it is one."""
    algorithm: str = Field(min_length=1)
    """The algorithm that every preset of the table is of."""
    parameters: dict[str, Any] = Field(default_factory=dict)
    """Parameters that every preset has."""
    settings: dict[str, dict[str, Any]] = Field(default_factory=dict)
    """Values of chip parameters by path of their description, such as ``tile.forward: {out_noise: 0.1}``; a user's
    ``--set`` comes later."""
    presets: dict[str, AlgorithmPresetSpec] = Field(min_length=1)
