"""What every algorithm with transfers shares: a fast array takes gradients, its lines go to slower ones in turn."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import sub

import numpy as np
from pydantic import Field, model_validator

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.chip import Chip
from hwsim.chip.matrix_ways import Axis
from hwsim.chip.operations import Update
from hwsim.chip.program import Alone
from hwsim.chip.reset import Reset
from hwsim.chip.sweep import Sweep
from hwsim.chip.zero_shift import ZeroShift
from hwsim.devices import UpdateParameters
from hwsim.training.algorithms.base import Algorithm, AlgorithmParameters, Emits
from hwsim.training.streams import generator

FAST = 0


class SinglePulses(UpdateParameters):
    """How a transfer writes whole steps: by default one pulse a device at most, in a train of one slot, unmanaged."""

    desired_bl: int = Field(1, ge=1, le=1_000_000)
    """Slots of a pulse train, and the most steps that are written at a time."""
    update_management: bool = False
    """Balance the pulse probabilities of rows and columns."""
    update_bl_management: bool = False
    """Make each train as short as it can be; switches ``update_management`` on."""


class TransferParameters(AlgorithmParameters):
    """Parameters of every algorithm with transfers, with the names of AIHWKit's ``TransferCompound``.

    The converters of the transfer read belong to the chip: ``chip.tile.transfer``.
    """

    transfer_every: float = Field(1.0, gt=0)
    """Mini-batches (or samples) between two transfers."""
    units_in_mbatch: bool = True
    """True: ``transfer_every`` counts mini-batches (rounded up to samples); False: samples."""
    transfer_columns: bool = True
    """True: columns are transferred, by forward reads; False: rows, by backward reads."""
    fast_lr: float = Field(1.0, ge=0)
    """Learning rate of the fast array; absolute, as in AIHWKit 1.1.0, unless ``scale_fast_lr``; 0: the network's."""
    scale_fast_lr: bool = False
    """True: ``fast_lr`` is multiplied by the learning rate."""
    transfer_lr: float = Field(1.0, gt=0)
    """Learning rate of the transfer onto the slow array."""
    scale_transfer_lr: bool = True
    """True: ``transfer_lr`` is multiplied by the learning rate."""
    update: UpdateParameters = UpdateParameters()
    """How the pulse trains of the gradient are made."""
    zero_shift_pulses: int = Field(0, ge=0, multiple_of=2)
    """Alternating up and down pulses that bring every array but the last to its symmetric point before the training;
    what is then read becomes its zero. 0: none, the arrays keep the zero of their device."""


class ResetParameters(TransferParameters):
    """Parameters of the algorithms that can reset what they have transferred."""

    with_reset_prob: float = Field(0.0, ge=0, le=1)
    """Probability that a transferred column is reset after its read; columns only."""

    @model_validator(mode="after")
    def _columns_only(self) -> ResetParameters:
        if self.with_reset_prob and not self.transfer_columns:
            raise ValueError("with_reset_prob resets columns; leave it at 0, or set transfer_columns to true")
        return self


@dataclass
class Cadence:
    """When transfers fall due: the samples since the last transfer of each level, level 0 being the fast array's."""

    since: list[int]

    def split(self, n: int, periods: Sequence[int]) -> Iterator[tuple[slice, list[int]]]:
        """Split ``n`` samples where transfers fall due; ``periods`` are the samples between those of each level.

        Yields each part with the levels that are due after it, fastest first.
        """
        start, since = 0, self.since
        while start < n:
            stop = min(n, start + max(min(map(sub, periods, since)), 1))
            due = []
            for level, period in enumerate(periods):
                since[level] += stop - start
                if since[level] >= period:
                    since[level] = 0
                    due.append(level)
            yield slice(start, stop), due
            start = stop


@dataclass
class LayerState:
    """Where a layer stands: its cadence, the next line of each level, how many transfers each has had.

    ``batch`` is the size of the mini-batch at work, ``periods`` the samples between two transfers of each level.
    """

    cadence: Cadence
    lines: list[int]
    transfers: list[int]
    batch: int = 0
    periods: Sequence[int] = ()

    @classmethod
    def of(cls, levels: int) -> LayerState:
        """Return the state before the first sample."""
        return cls(Cadence([0] * levels), [0] * levels, [0] * levels)


class TransferAlgorithm(Algorithm):
    """Base of the algorithms with transfers: gradients go to the fast array, transfers come wherever they fall due."""

    parameters: TransferParameters

    def __init__(self, parameters: TransferParameters, chip: Chip, seed: int) -> None:
        super().__init__(parameters, chip, seed)
        self.states: dict[str, LayerState] = {}

    def place_arrays(self, layer: str, weights: np.ndarray, gains: Sequence[float]) -> AnalogMatrix:
        """Place arrays that count with ``gains`` in reads: the last one holds the weights, the others start at zero."""
        self.states[layer] = LayerState.of(len(gains) - 1)
        matrix = self.chip.place_analog(layer, weights, arrays=len(gains), gains=gains)
        if gains[-1] not in (0.0, 1.0):
            matrix.set_weights(len(gains) - 1, weights / np.float32(gains[-1]))
        # Made here once, so that devices that cannot be zero-shifted are refused before the run.
        self._zero_shifts(matrix)
        return matrix

    def prepare(self, matrix: AnalogMatrix) -> Emits:
        """Emit the zero-shifting of every array but the last."""
        for operation in self._zero_shifts(matrix):  # noqa: UP028 (a list takes no answers)
            yield operation

    def _zero_shifts(self, matrix: AnalogMatrix) -> list[ZeroShift]:
        n_pulses = self.parameters.zero_shift_pulses
        return [ZeroShift(matrix, array, n_pulses) for array in range(matrix.n_arrays - 1)] if n_pulses else []

    def update(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the pulsed updates of the fast array, with transfers wherever they fall due."""
        state = self.states[matrix.name]
        if state.batch != len(x):
            state.batch, state.periods = len(x), self.periods(matrix, len(x))
        if self.sweeps(matrix) and (yield Alone()):
            yield self.sweep(matrix, x, d, lr)
            return
        for part, due in state.cadence.split(len(x), state.periods):
            yield from self.gradient(matrix, x[part], d[part], lr)
            for level in due:
                yield from self.transfer(matrix, level, lr)

    def sweeps(self, matrix: AnalogMatrix) -> bool:  # noqa: ARG002 (most algorithms do not)
        """Return whether the update of a mini-batch of this layer can be done as a whole by :meth:`sweep`."""
        return False

    def sweep(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Sweep:  # noqa: ARG002
        """Return the update of a mini-batch, transfers included, as a whole."""
        raise TypeError(f"{type(self).__name__} emits its operations one by one")

    def periods(self, matrix: AnalogMatrix, batch: int) -> list[int]:  # noqa: ARG002 (levels above need the matrix)
        """Return the samples between two transfers of each level, in mini-batches of ``batch`` samples."""
        return [self.samples(self.parameters.transfer_every, batch)]

    def samples(self, every: float, batch: int) -> int:
        """Return ``every`` mini-batches or samples as a whole number of samples."""
        return max(1, math.ceil(every * (batch if self.parameters.units_in_mbatch else 1)))

    def gradient(self, matrix: AnalogMatrix, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the pulsed updates of the fast array by a part of the mini-batch."""
        yield Update(matrix, FAST, x, d, self.fast_rate(lr), self.parameters.update)

    @abstractmethod
    def transfer(self, matrix: AnalogMatrix, level: int, lr: float) -> Emits:
        """Emit one transfer from array ``level`` to the next."""

    def reset_read(self, matrix: AnalogMatrix, array: int, line: int, read: int, probability: float) -> Emits:
        """Emit the reset of a column that has been read, the ``read``-th of a transfer, with the given probability."""
        if not probability:
            return
        drawn = generator(self.seed, f"reset/{matrix.name}/{array}/{read}", self.states[matrix.name].transfers[array])
        if drawn.random() < probability:
            yield Reset(matrix, array, (line,))

    def fast_rate(self, lr: float) -> float:
        """Return the learning rate of the fast array."""
        fast_lr = self.parameters.fast_lr
        if fast_lr == 0:
            return lr
        return fast_lr * (lr if self.parameters.scale_fast_lr else 1.0)

    def transfer_rate(self, lr: float) -> float:
        """Return the learning rate of a transfer."""
        return self.parameters.transfer_lr * (lr if self.parameters.scale_transfer_lr else 1.0)

    @property
    def axis(self) -> Axis:
        """Which lines are transferred."""
        return "column" if self.parameters.transfer_columns else "row"

    def extent(self, matrix: AnalogMatrix) -> tuple[int, int]:
        """Return how many lines are transferred in turn, and how many devices a line has."""
        rows, cols = matrix.shape
        return (cols, rows) if self.parameters.transfer_columns else (rows, cols)

    def line(self, numbers: np.ndarray, index: int) -> np.ndarray:
        """Return the view of one transferred line of (rows, cols) numbers."""
        return numbers[:, index] if self.parameters.transfer_columns else numbers[index]

    def lines(self, numbers: np.ndarray) -> np.ndarray:
        """Return the view (lines, cells) of (rows, cols) numbers."""
        return numbers.T if self.parameters.transfer_columns else numbers

    def advance(self, matrix: AnalogMatrix, level: int = 0) -> int:
        """Return the next line of a level, and step to the one after it."""
        lines = self.states[matrix.name].lines
        current = lines[level]
        lines[level] = (current + 1) % self.extent(matrix)[0]
        return current
