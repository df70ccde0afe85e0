"""Trains a network that is given as a list of layers, at activity fidelity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import prod
from typing import Any

import numpy as np

from hwsim.chip.activity import ActivityChip
from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.mapping import Placement
from hwsim.chip.operations import Matrix
from hwsim.chip.program import CountDown
from hwsim.chip.vectors import Vectors
from hwsim.errors import MappingError
from hwsim.spec.architecture import ArchitectureSpec, MatrixLayer, NamedLayer, also_read
from hwsim.spec.network_trace import NetworkTraceSpec
from hwsim.training.activity import ActivityTrainer
from hwsim.training.algorithms.base import Algorithm
from hwsim.training.stages import STAGES, MatrixStage, Stage
from hwsim.training.step import Emits, TrainingStep


class NetworkStep(TrainingStep):
    """The program of one mini-batch through the stages of a network."""

    _layers: list[Any]

    def _samples(self, group: int) -> int:
        part = self._groups[group]
        return part.stop - part.start

    def _forward(self, index: int, group: int, x: Any) -> Emits:  # noqa: ARG002 (only its size would matter)
        stage: Stage = self._layers[index]
        yield from stage.forward(self._samples(group))
        return Vectors(self._samples(group), stage.output.words)

    def _backward(self, group: int, error: Any) -> Emits:  # noqa: ARG002
        n = self._samples(group)
        for index in range(len(self._layers) - 1, -1, -1):
            stage: Stage = self._layers[index]
            yield from stage.error_sum(n)
            yield from stage.backward(n)
            yield CountDown(self._done[index])

    def _update(self, index: int) -> Emits:
        stage: Stage = self._layers[index]
        n = len(self._x)
        yield from stage.digital_update(n)
        if isinstance(stage, MatrixStage):
            x, d = (_any(stream) for stream in stage.streams(n))
            yield from self._refreshes.after(self._algorithm.update(stage.matrix, x, d, self._rate))


def _any(value: Any) -> Any:
    return value


class NetworkTrainer(ActivityTrainer):
    """Trains a list of layers on a chip at activity fidelity.

    Args:
        trace: the network and its mini-batches.
        chip: where the network is placed.
        algorithm: how the weights are placed and updated.
        seed: seed of the algorithm's own choices.

    Raises:
        MappingError: the network does not fit the chip; the message says what would.
    """

    step_type = NetworkStep

    def __init__(self, trace: NetworkTraceSpec, chip: ActivityChip, algorithm: Algorithm, seed: int) -> None:
        self.network: ArchitectureSpec = trace.network
        self._replicas = trace.layer_replicas()
        super().__init__(_any(trace), trace.samples, chip, algorithm, seed)

    def _place(self) -> Any:
        network, chip = self.network, self.chip
        tiles = tiles_needed(network, self._replicas, chip.spec.tile.rows, chip.spec.tile.cols,
                             share=chip.spec.mapping.share_tiles)  # fmt: skip
        readers = Counter(network.sources.values())
        readers.update(name for layer in network.layers for name in also_read(layer))
        stages = []
        try:
            for layer in network.layers:
                stages.append(self._stage(layer, readers[layer.name]))
        except MappingError as error:
            if tiles <= chip.spec.tiles:
                raise
            raise MappingError(
                f"{network.name} needs {tiles} tiles of {chip.spec.tile.rows} x {chip.spec.tile.cols}, but "
                f"chip '{chip.spec.name}' has {chip.spec.tiles}; use --set chip.tiles={tiles}, a larger chip (such as "
                "--chip large), or fewer replicas"
            ) from error
        digital = network.parameters - sum(prod(layer.matrix) for layer in network.matrix_layers)
        n_bytes = -(-digital * chip.spec.weight_bits // 8)
        chip.buffer.allocate(n_bytes, f"the digital parameters of {network.name}")
        return stages

    def _matrices(self) -> Iterator[Matrix]:
        for stage in self.layers:
            if isinstance(stage, MatrixStage) and stage.matrix is not None:
                yield stage.matrix

    def _stage(self, layer: NamedLayer, readers: int) -> Stage:
        network = self.network
        first = network.sources[layer.name] == ""
        shapes = (network.given(layer), network.outputs[layer.name])
        if not isinstance(layer, MatrixLayer):
            return STAGES.get(type(layer), Stage)(layer, *shapes, readers, first)
        # A matrix of zeros that takes no memory: only its shape is looked at.
        matrix = self.algorithm.place(layer.name, np.broadcast_to(np.float32(0), layer.matrix))
        if isinstance(matrix, AnalogMatrix):
            self.chip.expectations(layer.name).check(backward=not first)
        return MatrixStage(layer, *shapes, readers, first, matrix=matrix)

    def _samples(self, indices: np.ndarray) -> tuple[Any, Any]:
        return Vectors(len(indices), self.network.input.shape.words), Vectors(len(indices), 1)


def tiles_needed(network: ArchitectureSpec, replicas: dict[str, int], rows: int, cols: int, *, share: bool) -> int:
    """Return how many tiles of (rows, cols) all matrices of a network take with their replicas."""
    placement = Placement((rows, cols), share=share)
    for layer in network.matrix_layers:
        taken: set[int] = set()
        for _ in range(replicas[layer.name]):
            grid = placement.place(layer.matrix, 1, taken)
            taken |= {block.tile for row in grid for block in row}
    return placement.tiles
