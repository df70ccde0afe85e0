"""What unit cells of several devices share: their devices, reads of the weighted sum, updates of each device."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.devices.array import READ, READ_TRANSPOSED, DeviceArray
from hwsim.devices.faults import ArrayFaults
from hwsim.devices.plan import TrainPlan, finite_vectors, plan_trains, vectors
from hwsim.devices.results import ReadResult, Region, UpdateResult
from hwsim.errors import DataError
from hwsim.spec.analog import IOParameters, UpdateParameters
from hwsim.spec.device import DeviceSpec
from hwsim.spec.unit_cell import SingleCell

F32 = NDArray[np.float32]


class UnitCells:
    """A (rows, cols) array of cells of several devices, ``w = sum_k gain_k w_k``, with the face of ``DeviceArray``.

    The devices number k of all cells are a plane: a ``DeviceArray`` with devices, noise and lines of its own. All
    planes share the pulse generators, so their lines fire with the same trains, and the converters of plane 0.

    Args:
        device: the device with its unit cell.
        shape: rows and columns.
        gains: gain of each device in a read.
        references: whether a reference cell is read along with each device; pairs that subtract need none.

    Raises:
        UsageError: a shape or thread count that is not positive.
    """

    def __init__(
        self,
        device: DeviceSpec,
        shape: tuple[int, int],
        *,
        gains: Sequence[float],
        references: bool,
        seed: int = 0,
        threads: int = 1,
        path: str = "array",
        faults: ArrayFaults | None = None,
    ) -> None:
        self.spec = device
        self.seed = seed
        self.path = path
        self.gains = tuple(gains)
        self.references = references
        one = device.model_copy(update={"unit_cell": SingleCell()})
        self.devices: tuple[DeviceArray, ...] = tuple(
            self._plane(
                k,
                one,
                shape,
                seed=seed,
                threads=threads,
                path=f"{path}.device{k}",
                trains=path,
                faults=None if faults is None else faults.of_plane(k),
            )
            for k in range(device.unit_cell.n_devices)
        )
        self.shape = self.devices[0].shape

    def _plane(self, k: int, one: DeviceSpec, shape: tuple[int, int], **options: Any) -> DeviceArray:  # noqa: ARG002
        """Make the plane of the devices number ``k``."""
        return DeviceArray(one, shape, **options)

    # Description

    @property
    def weights(self) -> F32:
        """The weights that a read sees, (rows, cols): the weighted sum of the devices."""
        total = np.zeros(self.shape, np.float32)
        for gain, device in zip(self.gains, self.devices, strict=True):
            total += np.float32(gain) * device.weights
        return total

    @property
    def granularity(self) -> float:
        """Mean weight change of one pulse on a device, as the planning of trains counts it."""
        return self.devices[0].granularity

    @property
    def n_states(self) -> float:
        """Mean number of steps between the bounds of a device."""
        return self.devices[0].n_states

    def line_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the sums of the weights over each row, (rows,), and over each column, (cols,)."""
        sums = [device.line_sums() for device in self.devices]
        rows = sum(gain * part[0] for gain, part in zip(self.gains, sums, strict=True))
        cols = sum(gain * part[1] for gain, part in zip(self.gains, sums, strict=True))
        return np.asarray(rows), np.asarray(cols)

    # Writing

    @abstractmethod
    def set_weights(self, w: ArrayLike) -> None:
        """Write weights (rows, cols) or one number; each device keeps within its bounds.

        Raises:
            DataError: wrong shape, NaN or infinity.
        """

    @abstractmethod
    def pulse(self, polarity: int | ArrayLike, probe: Region | None = None) -> UpdateResult:
        """Give every cell one pulse: +1 raises its weight, -1 lowers it, 0 none; one number or an array (rows, cols).

        Raises:
            DataError: wrong shape or other values.
        """

    @abstractmethod
    def _apply(self, x: F32, d: F32, plan: TrainPlan, probe: Region | None) -> list[UpdateResult]:
        """Apply planned trains to each device."""

    def update(
        self, x: ArrayLike, d: ArrayLike, lr: float, params: UpdateParameters | None = None, probe: Region | None = None
    ) -> UpdateResult:
        """Pulse n rank-1 updates one after the other; see :meth:`DeviceArray.update`.

        Raises:
            DataError: wrong shapes, NaN or infinity, or an endless pulse train.
        """
        x32, d32 = vectors(x, self.shape[1], "x"), vectors(d, self.shape[0], "d")
        plan = plan_trains(x32, d32, lr, self.granularity, params)
        return UpdateResult.together(plan.bl, plan.slots, self._apply(x32, d32, plan, probe))

    def apply_trains(self, x: ArrayLike, d: ArrayLike, plan: TrainPlan, probe: Region | None = None) -> UpdateResult:
        """Pulse n updates as planned; see :meth:`DeviceArray.apply_trains`.

        Raises:
            DataError: wrong shapes, NaN or infinity.
        """
        x32, d32 = finite_vectors(x, self.shape[1], "x"), finite_vectors(d, self.shape[0], "d")
        if not len(x32) == len(d32) == len(plan.bl):
            raise DataError(f"x has {len(x32)} samples, d {len(d32)} and the plan {len(plan.bl)}")
        return UpdateResult.together(plan.bl, plan.slots, self._apply(x32, d32, plan, probe))

    def _values(self, w: ArrayLike) -> F32:
        """Return weights to be written as (rows, cols)."""
        values = np.asarray(w)
        if values.ndim == 0:
            values = np.full(self.shape, values)
        if values.shape != self.shape:
            raise DataError(f"weights must have shape {self.shape}, got {values.shape}")
        return finite_vectors(values, self.shape[1], "weights")

    # Reading

    def forward(self, x: ArrayLike, io: IOParameters | None = None) -> F32:
        """Return W x of each vector of ``x`` (n, cols) through the converters, (n, rows)."""
        return self.read(x, io).y

    def backward(self, d: ArrayLike, io: IOParameters | None = None) -> F32:
        """Return W^T d of each vector of ``d`` (n, rows) through the converters, (n, cols)."""
        return self.read(d, io, transposed=True, purpose=READ_TRANSPOSED).y

    def read(
        self,
        x: ArrayLike,
        io: IOParameters | None = None,
        *,
        transposed: bool = False,
        input_scale: F32 | None = None,
        purpose: str = READ,
        weights: F32 | None = None,
    ) -> ReadResult:
        """Read the cells with the vectors ``x``; see :meth:`DeviceArray.read`."""
        return self.devices[0].read(
            x, io, transposed=transposed, input_scale=input_scale, purpose=purpose,
            weights=self.weights if weights is None else weights,
        )  # fmt: skip

    def read_line(
        self,
        index: int,
        axis: str = "column",
        io: IOParameters | None = None,
        value: float = 1.0,
        *,
        purpose: str = "transfer",
        weights: F32 | None = None,
    ) -> ReadResult:
        """Read one column (or row) by a one-hot input of height ``value``; see :meth:`DeviceArray.read_line`."""
        seen = self.weights if weights is None else weights
        return self.devices[0].read_line(index, axis, io, value, purpose=purpose, weights=seen)

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return all that changes."""
        return {"devices": [device.state() for device in self.devices]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned, bit for bit.

        Raises:
            DataError: the state is of cells of another shape or kind.
        """
        if set(state) != set(self.state()) or len(state["devices"]) != len(self.devices):
            raise DataError(f"this is no state of cells of shape {self.shape} with the device '{self.spec.name}'")
        for device, part in zip(self.devices, state["devices"], strict=True):
            device.restore(part)
