"""The face that all arrays of weights share, and the choice of its kind by description."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwsim.devices.array import DeviceArray, Region
from hwsim.devices.faults import ArrayFaults
from hwsim.devices.plan import TrainPlan
from hwsim.devices.results import ReadResult, UpdateResult
from hwsim.devices.unit_cell_pair import OneSidedCells, ReferenceCells
from hwsim.devices.unit_cell_vector import VectorCells
from hwsim.spec.analog import IOParameters, UpdateParameters
from hwsim.spec.device import DeviceSpec


class Cells(Protocol):
    """A (rows, cols) array of weights, each made of one or more devices: what tiles and users work with.

    ``devices`` are the planes of devices, ``gains`` how each counts in a read, and ``references`` says whether a
    reference cell is read along with each device.
    """

    @property
    def spec(self) -> DeviceSpec: ...  # noqa: D102
    @property
    def shape(self) -> tuple[int, int]: ...  # noqa: D102
    @property
    def devices(self) -> Sequence[DeviceArray]: ...  # noqa: D102
    @property
    def gains(self) -> Sequence[float]: ...  # noqa: D102
    @property
    def references(self) -> bool: ...  # noqa: D102
    @property
    def weights(self) -> NDArray[np.float32]: ...  # noqa: D102
    @property
    def granularity(self) -> float: ...  # noqa: D102
    @property
    def n_states(self) -> float: ...  # noqa: D102

    def set_weights(self, w: ArrayLike) -> None: ...  # noqa: D102
    def pulse(self, polarity: int | ArrayLike, probe: Region | None = None) -> UpdateResult: ...  # noqa: D102
    def update(  # noqa: D102
        self, x: ArrayLike, d: ArrayLike, lr: float, params: UpdateParameters | None = None, probe: Region | None = None
    ) -> UpdateResult: ...
    def apply_trains(  # noqa: D102
        self, x: ArrayLike, d: ArrayLike, plan: TrainPlan, probe: Region | None = None
    ) -> UpdateResult: ...
    def forward(self, x: ArrayLike, io: IOParameters | None = None) -> NDArray[np.float32]: ...  # noqa: D102
    def backward(self, d: ArrayLike, io: IOParameters | None = None) -> NDArray[np.float32]: ...  # noqa: D102
    def read(  # noqa: D102
        self,
        x: ArrayLike,
        io: IOParameters | None = None,
        *,
        transposed: bool = False,
        input_scale: NDArray[np.float32] | None = None,
        purpose: str = "forward",
        weights: NDArray[np.float32] | None = None,
    ) -> ReadResult: ...
    def read_line(  # noqa: D102
        self,
        index: int,
        axis: str = "column",
        io: IOParameters | None = None,
        value: float = 1.0,
        *,
        purpose: str = "transfer",
        weights: NDArray[np.float32] | None = None,
    ) -> ReadResult: ...
    def line_sums(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...  # noqa: D102
    def state(self) -> dict[str, Any]: ...  # noqa: D102
    def restore(self, state: Mapping[str, Any]) -> None: ...  # noqa: D102


KINDS: dict[str, Callable[..., Cells]] = {
    "single": DeviceArray,
    "vector": VectorCells,
    "reference": ReferenceCells,
    "one_sided": OneSidedCells,
}
"""Makers of cells by the kind of their unit cell."""


def make_cells(
    device: DeviceSpec,
    shape: tuple[int, int],
    *,
    seed: int = 0,
    threads: int = 1,
    path: str = "array",
    faults: ArrayFaults | None = None,
) -> Cells:
    """Make a (rows, cols) array of the unit cells of ``device``; see :class:`DeviceArray` for the arguments.

    Raises:
        UsageError: a shape or thread count that is not positive.
    """
    return KINDS[device.unit_cell.kind](device, shape, seed=seed, threads=threads, path=path, faults=faults)
