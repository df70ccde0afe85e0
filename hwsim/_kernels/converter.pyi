import numpy as np
from numpy.typing import NDArray

def dac(
    x: NDArray[np.float32],
    scale: NDArray[np.float32],
    ordinals: NDArray[np.uint64],
    round_number: int,
    bound: float,
    step: float,
    noise: float,
    asymmetry: float,
    stochastic_rounding: bool,
    keys: tuple[int, int, int],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def adc(
    y: NDArray[np.float32],
    weight_std: NDArray[np.float32] | None,
    factor: NDArray[np.float32],
    ordinals: NDArray[np.uint64],
    round_number: int,
    bound: float,
    step: float,
    noise: float,
    asymmetry: float,
    stochastic_rounding: bool,
    test_negative: bool,
    keys: tuple[int, int, int],
    noise_std: NDArray[np.float32] | None = None,
    nonlinearity: NDArray[np.float32] | None = None,
    slope: float = 1.0,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]: ...
def measure(x: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...
def input_scale(x: NDArray[np.float32], largest_value: bool, limit: float, of_zeros: float) -> NDArray[np.float32]: ...
def running_means(values: NDArray[np.float32], mean: float, share: float) -> NDArray[np.float32]: ...
def is_finite(x: NDArray[np.float32]) -> bool: ...
def product(x: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]: ...
def one_sided_sums(x: NDArray[np.float32]) -> NDArray[np.float64]: ...
def line_sums(weight: NDArray[np.float32], cols: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...

Half = tuple[float, float, float, float, bool, tuple[int, int, int]]

class ReadChain:
    def __init__(
        self,
        dac: Half,
        adc: Half,
        out_scale: float,
        test_negative: bool,
        most_retries: int,
        noise_std: NDArray[np.float32] | None = None,
        nonlinearity: NDArray[np.float32] | None = None,
        slope: float = 1.0,
    ) -> None: ...
    def read(
        self, weights: NDArray[np.float32], x: NDArray[np.float32], scale: NDArray[np.float32], first: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32], int, int]: ...
    def read_lines(
        self, lines: NDArray[np.float32], value: float, scale: float, first: int
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int32], int, int]: ...
