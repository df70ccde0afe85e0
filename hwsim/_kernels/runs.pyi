from typing import Any

import numpy as np
from numpy.typing import NDArray

def changes(values: NDArray[Any], most: int) -> NDArray[np.int64] | None: ...
def pack(values: NDArray[Any], least: int, bits: int) -> NDArray[np.uint8]: ...
