"""One side of the training benchmark: trains a row of it, some steps at a time.

Run as ``python train.py hwsim|aihwkit ROW DATA`` it answers requests, one line each: a number of steps to train, or
``end``, which stops the training and gives the accuracy on the test set.
"""

from __future__ import annotations

import json
import math
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MANY_STEPS = 1_000_000


@dataclass(frozen=True)
class Row:
    """One line of the benchmark: an algorithm or preset, and what makes it AIHWKit's ``preset`` (none: the paper's).

    ``steps`` are those of one timing, ``warm_up`` those before the first; ``target`` is the ratio that is asked for.
    """

    name: str
    algorithm: str
    batch: int
    preset: str
    steps: int
    warm_up: int
    target: float


ROWS = {
    row.name: row
    for row in (
        Row("tiki-taka, batch 10", "tiki-taka", 10, "", 150, 100, 1.5),
        Row("ttv2, batch 64", "ttv2-reram-sb", 64, "TTv2ReRamSBPreset", 6, 2, 8.0),
        Row("c-ttv2, batch 64", "c-ttv2-reram-sb", 64, "ChoppedTTv2ReRamSBPreset", 6, 2, 8.0),
        Row("agad, batch 64", "agad-reram-sb", 64, "AGADReRamSBPreset", 6, 2, 8.0),
    )
}


class Ended(BaseException):
    """The benchmark wants no more steps; no error of a run."""


class Turns:
    """The requests of the benchmark: :meth:`step` is called after every step and waits where a request is done."""

    def __init__(self) -> None:
        self._left = 0
        self._started = 0.0

    def step(self) -> None:
        """Count a step.

        Raises:
            Ended: the benchmark is over.
        """
        self._left -= 1
        if self._left > 0:
            return
        if self._left == 0:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            answer({"seconds": time.process_time() - self._started, "peak_MiB": peak})
        request = sys.stdin.readline().strip()
        if not request or request == "end":
            raise Ended
        self._left, self._started = int(request), time.process_time()


def answer(content: dict[str, Any]) -> None:
    print(json.dumps(content), flush=True)


def train_own(row: Row, data: str, step: Callable[[], None]) -> Callable[[], float]:
    """Train with this package, with time, energy and the event log; returns what gives the test accuracy."""
    import hwsim

    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        # A mini-batch of 64 with AGAD's digital state takes more than the default chip's buffer.
        settings = {"trace.batch_size": row.batch, "trace.epochs": 1000, "chip.buffer.banks": 256}
        reached: list[float] = []

        def progress(done: int, steps: int, epoch: int, metrics: Any) -> None:  # noqa: ARG001
            if not math.isnan(metrics["test_accuracy"]):
                reached[:] = [metrics["test_accuracy"]]
            step()

        with suppress(Ended):
            hwsim.simulate(
                "mnist-fcn", algorithm=None if row.algorithm == "tiki-taka" else row.algorithm, data=data, out=out,
                set=settings, steps=MANY_STEPS, progress=progress,
            )  # fmt: skip
        return lambda: reached[0] if reached else math.nan


def train_peer(row: Row, data: str, step: Callable[[], None]) -> Callable[[], float]:
    """Train with AIHWKit; returns what gives the test accuracy."""
    import torch
    from aihwkit.nn import AnalogLinear, AnalogSequential
    from aihwkit.optim import AnalogSGD
    from aihwkit.simulator import presets
    from peer_mnist_fcn import configuration, images, labels
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = getattr(presets, row.preset)() if row.preset else configuration(row.algorithm, 0.8)
    config.mapping.learn_out_scaling = True
    config.mapping.weight_scaling_columnwise = True
    model = AnalogSequential(
        AnalogLinear(784, 256, True, rpu_config=config), nn.Sigmoid(),
        AnalogLinear(256, 128, True, rpu_config=config), nn.Sigmoid(),
        AnalogLinear(128, 10, True, rpu_config=config), nn.LogSoftmax(dim=1),
    )  # fmt: skip
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    optimizer.regroup_param_groups(model)
    loss = nn.NLLLoss()
    folder = Path(data)
    x, y = images(folder, "train"), labels(folder, "train")
    with suppress(Ended):
        step()
        while True:
            for batch in torch.randperm(len(x)).split(row.batch):
                optimizer.zero_grad()
                loss(model(x[batch]), y[batch]).backward()
                optimizer.step()
                step()

    def accuracy() -> float:
        with torch.no_grad():
            return (model(images(folder, "t10k")).argmax(1) == labels(folder, "t10k")).float().mean().item()

    return accuracy


def main() -> None:
    side, name, data = sys.argv[1:]
    train = {"hwsim": train_own, "aihwkit": train_peer}[side]
    answer({"accuracy": train(ROWS[name], data, Turns().step)()})


if __name__ == "__main__":
    main()
