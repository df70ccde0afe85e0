import numpy as np
from numpy.typing import NDArray

LogColumns = tuple[
    NDArray[np.int64] | None,
    NDArray[np.int64],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int32],
    NDArray[np.int8],
    NDArray[np.float32],
    NDArray[np.float32],
]

LineColumns = tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.bool_], NDArray[np.int32], NDArray[np.int8]]

LAWS: dict[str, int]
PLANES: dict[str, int]
SCHEMES: dict[str, tuple[int, bool]]
SIDES: dict[str, int]

def plan(
    x: NDArray[np.float32],
    d: NDArray[np.float32],
    rates: NDArray[np.float64],
    granularity: float,
    desired_bl: int,
    fixed_bl: bool,
    update_management: bool,
    update_bl_management: bool,
    grad_scale: float,
    longest: int,
) -> tuple[int, int, NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]: ...

class PulsedCells:
    weight: NDArray[np.float32]
    apparent: NDArray[np.float32] | None
    positions: NDArray[np.uint64]
    def __init__(
        self,
        law: str,
        cols: int,
        weight: NDArray[np.float32],
        apparent: NDArray[np.float32] | None,
        params: NDArray[np.float32],
        scalars: NDArray[np.float32],
        write_noise: float,
        positions: NDArray[np.uint64],
        keys: dict[str, int],
        pulse_counts: NDArray[np.uint32] | None = None,
    ) -> None: ...
    def parameters_changed(self) -> None: ...
    def update(
        self,
        x: NDArray[np.float32],
        d: NDArray[np.float32],
        bl: NDArray[np.int32],
        col_gain: NDArray[np.float64],
        row_gain: NDArray[np.float64],
        negative_rate: bool,
        scheme: str,
        resolution: tuple[float, float],
        stochastic_rounding: bool,
        first_ordinal: int,
        probe: tuple[int, int, int, int] | None,
        threads: int,
        side: str = "both",
        clock: tuple[NDArray[np.int64], int, int] | None = None,
        columns: NDArray[np.int32] | None = None,
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.uint32],
        NDArray[np.uint32],
        LogColumns | None,
        LineColumns | None,
        tuple[int, int, float, int, int],
        tuple[NDArray[np.float32], NDArray[np.float64]] | None,
    ]: ...
    def write_columns(
        self,
        columns: NDArray[np.int32],
        d: NDArray[np.float32],
        bl: NDArray[np.int32],
        col_gain: NDArray[np.float64],
        row_gain: NDArray[np.float64],
        negative_rate: bool,
        scheme: str,
        resolution: tuple[float, float],
        stochastic_rounding: bool,
        first_ordinal: int,
        threads: int,
        row_sums: NDArray[np.float64],
        col_sums: NDArray[np.float64],
    ) -> tuple[
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float64],
        NDArray[np.int64],
        NDArray[np.int64],
        NDArray[np.float64],
    ]: ...
    def pulse(
        self, polarity: NDArray[np.int32], probe: tuple[int, int, int, int] | None, threads: int
    ) -> tuple[int, int, float, LogColumns | None]: ...
    def apply_write_noise(self) -> None: ...
