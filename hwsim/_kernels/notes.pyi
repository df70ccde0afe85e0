from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

class Bill:
    number: int
    energy: float
    def __init__(self, number: int, energy: float) -> None: ...

class Origin:
    key: int
    step: int
    sample: int
    def __init__(self, key: int, step: int, sample: int) -> None: ...

class Notes:
    energy: float
    def __len__(self) -> int: ...
    def post(self, origin: Origin, bill: Bill, start: int, times: int = 1) -> None: ...
    def book(self, origin: Origin, action: int, start: int, duration: int, count: int, energy: float) -> None: ...
    def columns(self) -> tuple[list[Integers], Integers, NDArray[np.float64]]: ...
    def restore(
        self, notes: Iterable[Iterable[int]], counts: Iterable[int], energies: Iterable[float], energy: float
    ) -> None: ...
    def clear(self) -> None: ...
