"""Description of the training of a network that is given as a list of layers: no data, only what is done how often."""

from __future__ import annotations

from math import ceil
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hwsim.spec.architecture import ArchitectureSpec
from hwsim.spec.base import Spec
from hwsim.spec.training import LossName, ScheduleSpec, named_choice


class NetworkTraceSpec(Spec):
    """Training of a list of layers, for activity fidelity. ``hwsim run NAME`` makes one of the network called so."""

    kind: Literal["network-trace"] = "network-trace"
    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where the numbers come from; an assumption says that it is one."""
    network: ArchitectureSpec
    loss: LossName = "cross_entropy"
    batch_size: int = Field(32, ge=1)
    """Samples of a mini-batch."""
    samples: int = Field(32, ge=1)
    """Training samples of an epoch."""
    epochs: int = Field(1, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    """Part of the configuration only: at activity fidelity the statistics decide what an update does."""
    replicas: dict[str, int] = Field(default_factory=dict)
    """How many times the matrix of a layer stands on the chip, by the layer's name. Each replica reads a part of the
    layer's vectors; all take every update."""
    vectors_per_replica: int | None = Field(None, ge=1)
    """Replicate every layer that is not named in ``replicas`` until no replica reads more vectors of a sample than
    this."""
    algorithm: str | dict[str, Any] = "analog-sgd"
    """Algorithm unless a run names another."""
    device: str | dict[str, Any] | None = None
    """Device unless a run names another; None: the chip's."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Values of chip parameters by path."""
    statistics: str | None = None
    """Activity statistics: a name (``models/statistics``) or a file; None: the default, which is an assumption."""

    _named = field_validator("algorithm", "device", mode="before")(named_choice)

    @property
    def schedule(self) -> ScheduleSpec:
        """The learning rate's schedule: constant."""
        return ScheduleSpec()

    @property
    def shuffle(self) -> bool:
        """There is nothing to shuffle."""
        return False

    def layer_replicas(self) -> dict[str, int]:
        """Return how many times each matrix stands on the chip, by the layer's name."""
        found = {}
        for layer in self.network.matrix_layers:
            vectors = layer.vectors(self.network.given(layer))
            most = 1 if self.vectors_per_replica is None else ceil(vectors / self.vectors_per_replica)
            found[layer.name] = self.replicas.get(layer.name, most)
        return found

    @model_validator(mode="after")
    def _known_layers(self) -> NetworkTraceSpec:
        known = [layer.name for layer in self.network.matrix_layers]
        for name, number in self.replicas.items():
            if name not in known:
                raise ValueError(f"replicas: no layer with weights is called '{name}' (known: {', '.join(known)})")
            if number < 1:
                raise ValueError(f"replicas.{name} must be at least 1, got {number}")
        last = self.network.outputs[self.network.layers[-1].name]
        if last.positions != 1:
            raise ValueError(f"the last layer must give one vector a sample for the loss, but gives {last}")
        return self
