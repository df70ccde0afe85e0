"""Small runs and a small network that several tests look at."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

import hwsim
from hwsim.results import Run

SMALL: dict[str, Any] = {
    "kind": "network",
    "name": "small",
    "description": "A convolution, a residual block, a classifier",
    "source": "made up for a test",
    "input": {"channels": 2, "height": 8, "width": 8},
    "layers": [
        {"name": "conv1", "kind": "conv2d", "inputs": 2, "outputs": 6, "kernel": 3, "padding": 1, "bias": False},
        {"name": "norm1", "kind": "batch_norm", "activation": "relu"},
        {"name": "conv2", "kind": "conv2d", "inputs": 6, "outputs": 6, "kernel": 3, "padding": 1, "activation": "relu"},
        {"name": "sum", "kind": "add", "plus": "norm1", "activation": "relu"},
        {"name": "pool", "kind": "max_pool", "kernel": 2},
        {"name": "flat", "kind": "flatten"},
        {"name": "fc", "kind": "linear", "inputs": 96, "outputs": 4},
    ],
}


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Run]:
    """Return ``simulate`` at activity fidelity with a new output folder for each call."""
    count = iter(range(1000))

    def start(trace: str = "digits-mlp", **options: Any) -> Run:
        options.setdefault("fidelity", "activity")
        options.setdefault("steps", 1)
        return hwsim.simulate(trace, out=tmp_path / f"run{next(count)}", **options)

    return start


@pytest.fixture
def small(tmp_path: Path) -> Callable[..., str]:
    """Return a writer of the small network, with changes to its top level; it returns the file's name."""

    def write(**changes: Any) -> str:
        file = tmp_path / "small.yaml"
        file.write_text(yaml.safe_dump(SMALL | changes), encoding="utf-8")
        return str(file)

    return write
