"""Multi-tile residual learning: arrays of falling weight, each learning what is left over by the slower ones."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.operations import TransferRead, TransferWrite
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import ALGORITHMS, Emits
from hwsim.training.algorithms.transfer import TransferAlgorithm, TransferParameters


class MultiTileParameters(TransferParameters):
    """Parameters of multi-tile residual learning; the defaults are the published ones of LeNet-5 on MNIST.

    Arrays are counted as the published code does: 0 takes the gradient, the last one is the most significant.
    """

    n_arrays: int = Field(3, ge=2, le=64)
    """Arrays of a weight."""
    gamma: float = Field(0.5, gt=0, lt=1)
    """Weight of an array in reads relative to the next slower one: array k of n counts gamma^(n-1-k). Theory asks for
    1/sqrt(6) at most; in practice a little above one over the number of states."""
    transfer_every: float = Field(2.0, gt=0)
    """Mini-batches (or samples) between two transfers of array 0."""
    transfer_every_factor: float = Field(5.0, ge=1)
    """How much more seldom each slower array is transferred."""
    transfer_every_vec: tuple[float, ...] = ()
    """``transfer_every`` of each array but the last, in place of the two above."""
    fast_lr: float = Field(1.0, gt=0)
    """Learning rate of array 0."""
    scale_fast_lr: bool = True
    """True: ``fast_lr`` is multiplied by the learning rate."""
    transfer_lr: float = Field(0.1, gt=0)
    """Learning rate of the transfer of array 0."""
    transfer_lr_factor: float = Field(1.2, gt=0)
    """How much larger that of each slower array is."""
    transfer_lr_vec: tuple[float, ...] = ()
    """``transfer_lr`` of each array but the last, in place of the two above."""
    scale_transfer_lr: bool = False
    """True: they are multiplied by the learning rate."""
    transfer_update: UpdateParameters = UpdateParameters()
    """How the pulse trains of a transfer are made."""
    warm_start: bool = False
    """True: array 0 is first transferred to the most significant array alone, then, at each plateau of the training
    loss, to the next less significant one; when all have had their turn the arrays are transferred one to the next."""

    @model_validator(mode="after")
    def _lengths(self) -> MultiTileParameters:
        for name in ("transfer_every_vec", "transfer_lr_vec"):
            given = getattr(self, name)
            if given and len(given) != self.n_arrays - 1:
                raise ValueError(
                    f"{name} has {len(given)} numbers, but {self.n_arrays} arrays need {self.n_arrays - 1}, "
                    "one for each array but the last"
                )
            if min(given, default=1.0) <= 0:
                raise ValueError(f"{name} must be positive throughout, got {list(given)}")
        return self


@ALGORITHMS.register("multi-tile")
class MultiTile(TransferAlgorithm):
    """Multi-tile residual learning (Li, Wu, Liu, Gokmen, Chen, arXiv 2510.02516v1, algorithm 1).

    The network reads ``W = sum_k gamma^(n-1-k) W_k``. Array 0 takes the gradient at W with every sample; every so often
    one column of array k is read and pulsed onto array k+1, ``W_(k+1) += lr_k W_k``. Open loop: nothing is reset or
    verified. For devices of few states: each further array brings the error down.
    """

    Parameters = MultiTileParameters
    parameters: MultiTileParameters

    def __init__(self, parameters: MultiTileParameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.losses: list[float] = []
        self.warmed = 0 if parameters.warm_start else parameters.n_arrays - 1

    def place(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place the most significant array with the weights, the others at zero."""
        n = self.parameters.n_arrays
        return self.place_arrays(layer, weights, [self.parameters.gamma ** (n - 1 - k) for k in range(n)])

    def periods(self, matrix: AnalogMatrix, batch: int) -> list[int]:  # noqa: ARG002 (a base class's signature)
        """Return the samples between two transfers of each array but the last."""
        options = self.parameters
        powers = tuple(options.transfer_every * options.transfer_every_factor**k for k in range(options.n_arrays - 1))
        return [self.samples(every, batch) for every in options.transfer_every_vec or powers]

    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Read a line of an array and pulse it onto the next slower one; while it warms up, of array 0 onto the one
        whose turn it is."""
        options = self.parameters
        warming = self.warmed < options.n_arrays - 1
        if warming and level:
            return
        target = options.n_arrays - 1 - self.warmed if warming else level + 1
        rates = options.transfer_lr_vec or tuple(
            options.transfer_lr * options.transfer_lr_factor**k for k in range(options.n_arrays - 1)
        )
        rate = rates[level] * (lr if options.scale_transfer_lr else 1.0)
        line = self.advance(matrix, level)
        values = yield TransferRead(matrix, level, line, self.axis)
        yield TransferWrite(matrix, target, line, self.axis, -values, rate, options.transfer_update)

    def end_epoch(self, loss: float) -> None:
        """Warm the next array up when the loss has stopped falling."""
        self.losses.append(loss)
        if self.warmed < self.parameters.n_arrays - 1 and plateau(self.losses, self.warmed):
            self.warmed += 1


def plateau(losses: list[float], warmed: int) -> bool:
    """Return whether the losses of the epochs so far have reached a plateau (algorithm 1 of the paper).

    While ``warmed`` is 3 at most: the last loss is above the one before. Later, with six losses at least: two of the
    last five changes are rises.
    """
    if warmed <= 3:
        return len(losses) > 1 and losses[-1] > losses[-2]
    return len(losses) >= 6 and int(np.sum(np.diff(losses[-6:]) > 0)) >= 2
