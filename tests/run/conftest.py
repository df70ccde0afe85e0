"""Small runs that several tests look at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwsim
from hwsim.results import Run


@pytest.fixture
def npz(tmp_path: Path) -> Path:
    """Return a data file of 60 samples with 9 features and 3 classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 60)
    x = (rng.normal(0, 0.3, (60, 9)) + np.eye(3).repeat(3, axis=1)[y]).astype(np.float32)
    path = tmp_path / "small.npz"
    np.savez(path, x=x, y=y)
    return path


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """Return ``simulate`` with a new output folder for each call and few steps."""
    count = iter(range(1000))

    def start(trace: str = "digits-mlp", **options: Any) -> Run:
        options.setdefault("steps", 12)
        return hwsim.simulate(trace, out=tmp_path / f"run{next(count)}", **options)

    return start
