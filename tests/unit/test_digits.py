"""The digits are those of scikit-learn."""

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from hwsim.errors import DataError
from hwsim.training.data import digits


def test_digits_are_those_that_scikit_learn_loads() -> None:
    expected = load_digits()
    samples = digits.read_digits()
    np.testing.assert_array_equal(samples.x, expected.data)
    np.testing.assert_array_equal(samples.y, expected.target)
    assert samples.y.dtype == np.int64


def test_a_missing_file_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "FILE", str(Path("datasets") / "none.csv.gz"))
    with pytest.raises(DataError, match=r"none\.csv\.gz of scikit-learn"):
        digits.read_digits()
