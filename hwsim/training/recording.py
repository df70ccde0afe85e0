"""Records a live trace while it trains: what every matrix is updated with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.chip.operations import Matrix
from hwsim.training.algorithms.base import Algorithm, Emits
from hwsim.training.recorded import Call, RecordWriter


@contextmanager
def recorded_to(path: Path | None, trace: str, seed: int) -> Iterator[Recording | None]:
    """Give a recording into the new file ``path``, finished at the end and gone after an error; None without a path.

    Raises:
        UsageError: the file exists, or its folder does not.
    """
    if path is None:
        yield None
        return
    recording = Recording(path, trace, seed)
    try:
        yield recording
    except BaseException:
        recording.discard()
        raise
    recording.close()


class Recording:
    """The file of a recording, and the step that is being recorded.

    A layer's update ends its part of a step; a step ends when a layer is updated that has been updated in it already.
    With the schedule ``delayed`` the steps of different layers are told apart the same way.
    """

    def __init__(self, path: Path, trace: str, seed: int) -> None:
        self._writer = RecordWriter(
            path, name=path.stem, description=f"The trace {trace}, recorded while it trained",
            source=f"hwsim run {trace} --record, seed {seed}",
        )  # fmt: skip
        self._layers: dict[str, dict[str, Any]] = {}
        self._steps: list[dict[str, tuple[float, list[Call]]]] = []

    def of(self, algorithm: Algorithm) -> Algorithm:
        """Return the algorithm with a record of what it places and of every update."""
        return _Recorded(algorithm, self)

    def placed(self, layer: str, weights: np.ndarray) -> None:
        """Take note of a layer."""
        rows, cols = weights.shape
        self._writer.weights(layer, weights)
        self._layers[layer] = {
            "name": layer, "inputs": cols, "outputs": rows, "bias": False, "backward": bool(self._layers),
            "input_words": cols, "output_words": rows,
        }  # fmt: skip

    def updated(self, layer: str, x: np.ndarray, d: np.ndarray, rate: float) -> None:
        """Take note of an update with (n, cols) inputs and (n, rows) errors."""
        step = next((step for step in self._steps if layer not in step), None)
        if step is None:
            self._steps.append(step := {})
        step[layer] = (float(rate), [Call(x, d, 1, 1, 1)])
        while self._steps and len(self._steps[0]) == len(self._layers):
            done = self._steps.pop(0)
            self._writer.step({name: done[name] for name in self._layers}, len(x))

    def close(self) -> Path:
        """Finish the file and return its path."""
        return self._writer.close(list(self._layers.values()))

    def discard(self) -> None:
        """Leave no file behind."""
        self._writer.discard()


class _Recorded(Algorithm):
    """An algorithm whose placements and updates are recorded."""

    def __init__(self, algorithm: Algorithm, recording: Recording) -> None:
        super().__init__(algorithm.parameters, algorithm.chip, algorithm.seed)
        self._algorithm = algorithm
        self._recording = recording

    def place(self, layer: str, weights: np.ndarray) -> Matrix:
        """Place the weights of a layer."""
        self._recording.placed(layer, weights)
        return self._algorithm.place(layer, weights)

    def prepare(self, matrix: Any) -> Emits:
        """Emit what a matrix needs before the first sample."""
        return self._algorithm.prepare(matrix)

    def update(self, matrix: Any, x: np.ndarray, d: np.ndarray, lr: float) -> Emits:
        """Emit the update of a mini-batch."""
        self._recording.updated(matrix.name, x, d, lr)
        return self._algorithm.update(matrix, x, d, lr)

    def end_epoch(self, loss: float) -> None:
        """Take note of an epoch's end."""
        self._algorithm.end_epoch(loss)
