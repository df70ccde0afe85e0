"""Description of the training of a network without data: only what is done how often."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hwsim.spec.architecture import ArchitectureSpec
from hwsim.spec.training import LossName, TrainingSpec


class NetworkTraceSpec(TrainingSpec):
    """Training without data, for activity fidelity. ``hwsim run NAME`` makes one of the network called so."""

    kind: Literal["network-trace"] = "network-trace"
    network: ArchitectureSpec
    loss: LossName = "cross_entropy"
    batch_size: int = Field(32, ge=1)
    """Samples of a mini-batch."""
    samples: int = Field(32, ge=1)
    """Training samples of an epoch."""
    epochs: int = Field(1, ge=1)
    learning_rate: float = Field(0.1, gt=0)
    """Part of the configuration only: at activity fidelity the statistics decide what an update does."""
    shuffle: Literal[False] = False
    """There is nothing to shuffle."""
