"""What Tiki-Taka v1 and v2 share: chains of arrays, each of which is transferred to the next."""

from __future__ import annotations

import numpy as np
from pydantic import Field, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.training.algorithms.transfer import ResetParameters, TransferAlgorithm
from hwsim.training.streams import generator


class ChainParameters(ResetParameters):
    """Parameters of the algorithms with chains of arrays, with the names of AIHWKit's ``TransferCompound``."""

    n_arrays: int = Field(2, ge=2, le=64)
    """Arrays of the chain, fastest first; the last one is the slow array."""
    gamma: float = Field(0.0, ge=0)
    """Weight of the fast array in forward and backward reads: W = gamma A + C, in a chain of n arrays the sum of
    gamma^(n-1-k) times array k. Above 0 this is residual learning v1."""
    gamma_vec: tuple[float, ...] = ()
    """Weight of each array in reads, in place of the powers of ``gamma``."""
    transfer_every_vec: tuple[float, ...] = ()
    """``transfer_every`` of each array but the last; a number for the last one, as AIHWKit asks for, has no effect.
    Without it, array k waits until array k-1 has transferred all its columns (or rows): ``transfer_every`` times
    (columns / ``n_reads_per_transfer``)^k."""
    n_reads_per_transfer: int = Field(1, ge=1)
    """Columns (or rows) transferred each time, one after the other."""
    random_selection: bool = False
    """True: each transfer starts at a random column; False: they take turns."""
    transfer_lr_vec: tuple[float, ...] = ()
    """``transfer_lr`` of each array but the last; a number for the last one has no effect."""

    @model_validator(mode="after")
    def _lengths(self) -> ChainParameters:
        for name, wanted, what in (
            ("gamma_vec", self.n_arrays, "array"),
            ("transfer_every_vec", self.n_arrays - 1, "array but the last"),
            ("transfer_lr_vec", self.n_arrays - 1, "array but the last"),
        ):
            given = getattr(self, name)
            if given and len(given) not in (wanted, self.n_arrays):
                raise ValueError(
                    f"{name} has {len(given)} numbers, but a chain of {self.n_arrays} arrays needs {wanted}, "
                    f"one for each {what}"
                )
            if name != "gamma_vec" and min(given[:wanted], default=1.0) <= 0:
                raise ValueError(f"{name} must be positive throughout, got {list(given)}")
        if self.gamma_vec and self.gamma_vec[-1] == 0:
            raise ValueError("gamma_vec must not end in 0: the last array holds the weights that the network reads")
        return self

    @property
    def gains(self) -> tuple[float, ...]:
        """Weight of each array in reads."""
        powers = tuple(self.gamma**exponent for exponent in range(self.n_arrays - 1, -1, -1))
        return self.gamma_vec or powers


class ChainAlgorithm(TransferAlgorithm):
    """Base of the algorithms whose arrays form a chain: level k is the transfer from array k to array k + 1."""

    parameters: ChainParameters

    def periods(self, matrix: AnalogMatrix, batch: int) -> list[int]:
        """Return the samples between two transfers of each array but the last."""
        options = self.parameters
        levels = range(options.n_arrays - 1)
        slower = max(self.extent(matrix)[0] / options.n_reads_per_transfer, 1.0)
        every = options.transfer_every_vec or tuple(options.transfer_every * slower**level for level in levels)
        return [self.samples(every[level], batch) for level in levels]

    def level_rate(self, level: int, lr: float) -> float:
        """Return the learning rate of a level's transfers."""
        rate = self.transfer_rate(lr)
        vector = self.parameters.transfer_lr_vec
        return rate * (vector[level] / self.parameters.transfer_lr if vector else 1.0)

    def choose_line(self, matrix: AnalogMatrix, level: int) -> None:
        """With ``random_selection``, choose the line with which a level's transfer starts."""
        if not self.parameters.random_selection:
            return
        state = self.states[matrix.name]
        purpose = f"transfer/{matrix.name}" if level == 0 else f"transfer/{matrix.name}/{level}"
        choice = generator(self.seed, purpose, state.transfers[level]).integers(self.extent(matrix)[0])
        state.lines[level] = int(choice)

    def place_chain(self, layer: str, weights: np.ndarray) -> AnalogMatrix:
        """Place fast arrays at zero and a slow one with the weights."""
        return self.place_arrays(layer, weights, self.parameters.gains)
