import numpy as np
from numpy.typing import NDArray

def squares(x: NDArray[np.float32]) -> NDArray[np.float64]: ...
def exposed(
    heat: NDArray[np.float64],
    charges: NDArray[np.float64],
    weight_sums: NDArray[np.float64],
    offset: float,
    scale: float,
    time: float,
    capacitance: float,
) -> float: ...
def fired(
    row_fires: NDArray[np.uint32],
    col_fires: NDArray[np.uint32],
    row_sums: NDArray[np.float64],
    col_sums: NDArray[np.float64],
) -> tuple[int, int, float]: ...
def follow(
    weight: NDArray[np.float32],
    copy: NDArray[np.float32],
    row_fires: NDArray[np.uint32],
    col_fires: NDArray[np.uint32],
    row_before: NDArray[np.float64],
    col_before: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], float]: ...
