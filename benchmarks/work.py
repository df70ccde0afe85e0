"""What is timed: rows of the benchmark, and the process that times one side of them.

Run as ``python work.py hwsim`` or ``python work.py aihwkit`` it answers requests, one JSON line each, on standard
output: ``{"prepare": row}`` makes the arrays and one call; ``{"time": repeats}`` returns the seconds of one call.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
SIZE, BATCH, BIT_LENGTH = 512, 64, 31
PEER_CLASSES = {
    "constant_step": "ConstantStepDevice",
    "linear_step": "LinearStepDevice",
    "soft_bounds": "SoftBoundsDevice",
    "soft_bounds_reference": "SoftBoundsReferenceDevice",
    "exp_step": "ExpStepDevice",
}


@dataclass(frozen=True)
class Row:
    """One line of the benchmark.

    ``kind`` is "dense" (uniform x and d, no management, mean slot probability ``density``), "stream" (the updates
    of ``file`` at the learning rate ``lr``, both managements on) or "forward" (reads through the default converters).
    """

    name: str
    kind: str
    law: str = "soft_bounds_reference"
    density: float = 0.0
    lr: float = 0.0
    file: str = ""
    threads: int = 1
    target: float | None = None
    overrides: tuple[tuple[str, float], ...] = ()

    def request(self) -> dict[str, Any]:
        return asdict(self)


class Side(Protocol):
    """One simulator: makes a call that does the work of a row once."""

    def call(self, row: Row) -> tuple[Callable[[], object], float]:
        """Return the call and what it does: pulses or, for reads, vectors; 0 where this side does not count."""


def uniform_vectors(scale: float) -> tuple[F32, F32]:
    """x and d, (batch, size), uniform in +-scale."""
    draw = np.random.default_rng(0).uniform(-scale, scale, (2, BATCH, SIZE)).astype(np.float32)
    return draw[0], draw[1]


def stream_of(row: Row) -> list[tuple[F32, F32]]:
    """The updates of a row of kind "stream"."""
    with np.load(row.file) as arrays:
        return list(zip(arrays["x"], arrays["d"], strict=True))


class OwnSide:
    """This package."""

    def call(self, row: Row) -> tuple[Callable[[], object], float]:
        from hwsim.devices import DeviceArray, UpdateParameters, load_device

        device = load_device(row.law, **dict(row.overrides))
        if row.kind == "stream":
            stream = stream_of(row)
            shape = stream[0][1].shape[1], stream[0][0].shape[1]
            cells = DeviceArray(device, shape, seed=1, threads=row.threads)
            pulses = sum(self._pulses(cells.update(x, d, row.lr)) for x, d in stream)
            return lambda: [cells.update(x, d, row.lr) for x, d in stream], pulses
        cells = DeviceArray(device, (SIZE, SIZE), seed=1, threads=row.threads)
        if row.kind == "forward":
            x = uniform_vectors(1.0)[0]
            return lambda: cells.forward(x), BATCH
        params = UpdateParameters(desired_bl=BIT_LENGTH, update_management=False, update_bl_management=False)
        # A slot's probability is sqrt(lr / (granularity BL)) |x|, of mean `density` for uniform x.
        x, d = uniform_vectors(2 * row.density)
        lr = BIT_LENGTH * cells.granularity
        return lambda: cells.update(x, d, lr, params), self._pulses(cells.update(x, d, lr, params))

    @staticmethod
    def _pulses(result: Any) -> float:
        return float((result.pulses_up + result.pulses_down).sum())


class PeerSide:
    """AIHWKit."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)

    def call(self, row: Row) -> tuple[Callable[[], object], float]:
        import torch
        from aihwkit.simulator import configs
        from aihwkit.simulator.configs import SingleRPUConfig, UpdateParameters
        from aihwkit.simulator.tiles import AnalogTile

        managed = row.kind == "stream"
        update = UpdateParameters(desired_bl=BIT_LENGTH, update_management=managed, update_bl_management=managed)
        config = SingleRPUConfig(device=getattr(configs, PEER_CLASSES[row.law])(**dict(row.overrides)), update=update)
        if row.kind == "stream":
            stream = [(torch.from_numpy(x), torch.from_numpy(d)) for x, d in stream_of(row)]
            tile = AnalogTile(stream[0][1].shape[1], stream[0][0].shape[1], config)
            tile.set_learning_rate(row.lr)
            return lambda: [tile.update(x, d) for x, d in stream], 0.0
        tile = AnalogTile(SIZE, SIZE, config)
        if row.kind == "forward":
            x = torch.from_numpy(uniform_vectors(1.0)[0])
            return lambda: tile.forward(x), BATCH
        x, d = (torch.from_numpy(v) for v in uniform_vectors(2 * row.density))
        tile.set_learning_rate(BIT_LENGTH * granularity(config.device))
        return lambda: tile.update(x, d), 0.0


def granularity(device: Any) -> float:
    """The mean step with which AIHWKit turns a learning rate into pulse probabilities."""
    from aihwkit.simulator.parameters.enums import RPUDataType

    return float(device.as_bindings(RPUDataType.FLOAT).calc_weight_granularity())


def serve(side: Side) -> None:
    """Answer requests until standard input ends."""
    call: Callable[[], object] | None = None
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            fields = request["prepare"] | {"overrides": tuple(map(tuple, request["prepare"]["overrides"]))}
            call, amount = side.call(Row(**fields))
            call()
            answer = {"amount": amount}
        else:
            assert call is not None
            start = time.perf_counter()
            for _ in range(request["time"]):
                call()
            answer = {"seconds": (time.perf_counter() - start) / request["time"]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve(PeerSide() if sys.argv[1] == "aihwkit" else OwnSide())
