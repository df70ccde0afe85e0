"""What every training algorithm is: it places a layer's weights on the chip and emits the operations of an update."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from typing import Any, ClassVar

import numpy as np

from hwsim.chip.chip import Chip
from hwsim.chip.operations import Matrix, Operation
from hwsim.chip.program import Directive
from hwsim.registry import Registry
from hwsim.spec.base import Spec
from hwsim.training.state import restore_state, state_of

Emits = Generator[Operation | Directive, Any, None]


class AlgorithmParameters(Spec):
    """Base of the parameters of an algorithm."""


class Algorithm(ABC):
    """A training algorithm with its parameters, on one chip.

    Args:
        parameters: an instance of the class's ``Parameters``.
        chip: where it places its matrices.
        seed: seed of its own random choices.
    """

    Parameters: ClassVar[type[AlgorithmParameters]]

    def __init__(self, parameters: Any, chip: Chip, seed: int) -> None:
        self.parameters = parameters
        self.chip = chip
        self.seed = seed

    @abstractmethod
    def place(self, layer: str, weights: np.ndarray) -> Matrix:
        """Place the (rows, cols) weights of a layer on the chip.

        Raises:
            MappingError: they do not fit.
        """

    def prepare(self, matrix: Any) -> Emits:  # noqa: ARG002 (most algorithms have no use for it)
        """Emit what a placed matrix needs before the first sample."""
        yield from ()

    @abstractmethod
    def update(self, matrix: Any, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the update of one mini-batch: x is (n, cols), d (n, rows) with the mean's 1/n inside."""

    def state(self) -> dict[str, Any]:
        """Return all that changes while it trains; see :mod:`hwsim.training.state`."""
        return state_of(self, type(self).__name__)

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, after the same matrices have been placed."""
        restore_state(self, state)

    def end_epoch(self, loss: float) -> None:  # noqa: B027 (most algorithms have no use for it)
        """Take note of the mean training ``loss`` of an epoch that has ended."""


ALGORITHMS: Registry[type[Algorithm]] = Registry("algorithms", "algorithm")
"""Every algorithm by name; other packages add theirs by an entry point in the group ``hwsim.algorithms``."""
