from typing import Any

import numpy as np
from numpy.typing import NDArray

def changes(values: NDArray[Any], most: int) -> NDArray[np.int64] | None: ...
