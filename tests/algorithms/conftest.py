"""A chip on which every number is exact: steps and learning rates are powers of two, reads are perfect.

Gradients are multiples of 1/8, in trains of 64 slots with rounded mean counts at ``lr = 64 dw_min``: a sample of
``x = a/8``, ``d = b/8`` moves a device by exactly ``a b`` steps, so an algorithm must agree with its transcription bit
by bit.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hwsim.chip.chip import Chip
from hwsim.chip.operations import Operation
from hwsim.devices import load_device
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import Document, assign, build, mutable, named_document
from hwsim.training.algorithms import ALGORITHMS

STEP = 2.0**-12
ROWS, COLS = 5, 7
EXACT_LR = 64 * STEP
EXACT = {"desired_bl": 64, "pulse_type": "mean_count", "update_management": False, "update_bl_management": False}


class Bench:
    """An algorithm with one layer of 5 x 7 weights on tiles of 4 x 4, and every operation that it emitted."""

    def __init__(
        self, name: str, options: dict[str, Any], weights: np.ndarray, changes: dict[str, Any], reset_std: float
    ) -> None:
        data = mutable(named_document("chips", "small-tiles").data)
        perfect = {f"tile.{use}": {"is_perfect": True} for use in ("forward", "backward", "transfer")}
        for path, value in {"tile.rows": 4, "tile.cols": 4, "tile.arrays": 4, "tiles": 4, **perfect, **changes}.items():
            assign(data, path, mutable(value))
        device = load_device(
            "constant_step", dw_min=STEP, dw_min_dtod=0.0, dw_min_std=0.0, up_down_dtod=0.0, w_max=1.0, w_min=-1.0,
            w_max_dtod=0.0, w_min_dtod=0.0, reset_std=reset_std,
        )  # fmt: skip
        self.chip = Chip(build(ChipSpec, Document(data)), device)
        parameters = build(ALGORITHMS.get(name).Parameters, Document(mutable(options)))
        self.algorithm: Any = ALGORITHMS.get(name)(parameters, self.chip, 0)
        self.matrix = self.algorithm.place("fc", weights)
        self.chip.finish_placement()
        self.operations: list[Operation] = []

    def train(self, batches: list[tuple[np.ndarray, np.ndarray]], lr: float = 1.0) -> None:
        def program():
            for x, d in batches:
                emitted = self.algorithm.update(self.matrix, x, d, lr)
                answer = None
                while True:
                    try:
                        operation = emitted.send(answer)
                    except StopIteration:
                        break
                    self.operations.append(operation)
                    answer = yield operation

        self.chip.run(program())

    def array(self, index: int) -> np.ndarray:
        return self.matrix.weights(index)

    def kinds(self, kind: str) -> list[Any]:
        return [operation for operation in self.operations if operation.kind == kind]


@pytest.fixture
def weights() -> np.ndarray:
    """Return start weights that the devices can hold exactly."""
    return (np.random.default_rng(1).integers(-800, 800, (ROWS, COLS)) * STEP).astype(np.float32)


@pytest.fixture
def bench(weights) -> Callable[..., Bench]:
    """Return a maker of benches."""

    def make(name: str, options: dict[str, Any] | None = None, reset_std: float = 0.01, **changes: Any) -> Bench:
        settings = {key.replace("__", "."): value for key, value in changes.items()}
        return Bench(name, options or {}, weights, settings, reset_std)

    return make


@pytest.fixture
def batches() -> list[tuple[np.ndarray, np.ndarray]]:
    """Return 60 mini-batches of three samples with a drift, so that buffers fill."""
    rng = np.random.default_rng(2)
    drift = rng.integers(-2, 3, COLS)
    result = []
    for _ in range(60):
        x = np.clip(rng.integers(-5, 6, (3, COLS)) + drift, -8, 8) / 8
        d = np.clip(rng.integers(-3, 6, (3, ROWS)), -8, 8) / 8
        result.append((x.astype(np.float32), d.astype(np.float32)))
    return result
