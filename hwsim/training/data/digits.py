"""The 8 x 8 digits that come with scikit-learn."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from hwsim.errors import DataError
from hwsim.training.data.dataset import Samples

FILE = "datasets/data/digits.csv.gz"
"""Its rows are 64 pixels, 0 to 16, and the digit."""


def read_digits() -> Samples:
    """Read the 1797 samples as ``sklearn.datasets.load_digits`` does.

    From its file: importing scikit-learn takes longer than training with these data.

    Raises:
        DataError: the file is not there.
    """
    found = find_spec("sklearn")
    folder = None if found is None or found.origin is None else Path(found.origin).parent
    if folder is None or not (folder / FILE).is_file():
        raise DataError(f"the data set 'digits' is the file {FILE} of scikit-learn, which is missing: install it again")
    table = np.loadtxt(folder / FILE, delimiter=",")
    return Samples(table[:, :-1], table[:, -1].astype(np.int64))
