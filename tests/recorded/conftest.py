"""A small recorded trace: a convolution with everything that one can have, and two linear layers."""

from pathlib import Path

import numpy as np
import pytest

from hwsim.training.recorded import Call, RecordWriter

LAYERS = [
    {
        "name": "conv", "kind": "conv2d", "inputs": 4, "outputs": 6, "kernel": [3, 2], "stride": [2, 1],
        "dilation": [1, 2], "padding": [1, 0, 2, 1], "groups": 2, "backward": False, "input_words": 140,
        "output_words": 96,
    },
    {"name": "fc", "inputs": 24, "outputs": 5, "input_words": 72, "output_words": 15},
    {"name": "head", "inputs": 15, "outputs": 3, "bias": False, "input_words": 15, "output_words": 3},
]  # fmt: skip
STEPS, SAMPLES = 6, 4


def draw(step: int) -> dict[str, tuple[float, list[Call]]]:
    """Return the calls of a step; the layer fc sees three positions a sample, and is called twice."""
    rng = np.random.default_rng(step)

    def call(n: int, x: int, d: int, height: int, width: int, vectors: int) -> Call:
        return Call(
            rng.normal(0, 1, (n, x)).astype(np.float32), rng.normal(0, 0.1, (n, d)).astype(np.float32), height, width,
            vectors,
        )  # fmt: skip

    return {
        "conv": (0.05, [call(SAMPLES, 140, 96, 5, 7, 2 * 8 * 2)]),
        "fc": (0.1, [call(SAMPLES, 72, 15, 3, 1, 3), call(2, 72, 15, 3, 1, 3)]),
        "head": (0.1, [call(SAMPLES, 15, 3, 1, 1, 1)]),
    }


def write(path: Path, layers: list[dict] = LAYERS, change=None, **close) -> Path:
    writer = RecordWriter(path, name="toy", description="A toy", source="drawn by a test")
    rng = np.random.default_rng(99)
    for name, shape in (("conv", (6, 12)), ("fc", (5, 24)), ("head", (3, 15))):
        writer.weights(name, rng.normal(0, 0.1, shape).astype(np.float32))
    for step in range(STEPS):
        calls = draw(step)
        writer.step(change(step, calls) if change else calls, SAMPLES)
    return writer.close(layers, **close)


@pytest.fixture
def trace(tmp_path: Path) -> Path:
    """Return a recorded trace."""
    return write(tmp_path / "toy.parquet")


@pytest.fixture(scope="session")
def toy():
    """Give tests the functions that make the trace."""
    return type("Toy", (), {"draw": staticmethod(draw), "write": staticmethod(write), "LAYERS": LAYERS,
                            "STEPS": STEPS, "SAMPLES": SAMPLES})  # fmt: skip
