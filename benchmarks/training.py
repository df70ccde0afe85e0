"""Training of the ``mnist-fcn`` network, side by side with AIHWKit: with time, energy and events here, without there.

    python benchmarks/training.py --peer PYTHON --data DIR [--rounds 9] [--epoch]

``--peer`` names an interpreter that has AIHWKit, ``--data`` a folder with MNIST's IDX files. Both sides train on one
thread in processes of their own and are timed in turn, some steps of one and some steps of the other. Times are those
of the processor, which without other load are wall times; figures are medians, a ratio is the median of the ratios of
neighbours. ``--epoch`` trains a whole epoch of the first row instead and
prints the test accuracy that both reach.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from train import ROWS, Row

HERE = Path(__file__).parent


class Trainer:
    """A process in which one side trains."""

    def __init__(self, python: str, side: str, row: Row, data: Path) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [python, str(HERE / "train.py"), side, row.name, str(data)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def ask(self, request: str | int) -> dict[str, Any]:
        """Train so many steps, or ``end``; returns seconds and peak memory, or the accuracy."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(request, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("a training process ended early; its message stands above")
        return json.loads(answer)


def compare(row: Row, sides: list[Trainer], rounds: int) -> None:
    """Print one row: milliseconds of a step on both sides, their ratio, and their peak memory."""
    for side in sides:
        side.ask(row.warm_up)
    answers = [[side.ask(row.steps) for side in sides] for _ in range(rounds)]
    own, other = np.array([[answer["seconds"] for answer in pair] for pair in answers]).T / row.steps
    memory = [answer["peak_MiB"] for answer in answers[-1]]
    print(
        f"{row.name:22}{1e3 * np.median(own):10.3f}{1e3 * np.median(other):10.3f}"
        f"{np.median(other / own):8.2f}{row.target:8.1f}{memory[0]:10.0f}{memory[1]:10.0f}",
        flush=True,
    )


def train_an_epoch(row: Row, sides: list[Trainer]) -> None:
    """Train one epoch on each side, a tenth of it at a time in turn, and print times and accuracies."""
    parts = [[side.ask(600)["seconds"] for side in sides] for _ in range(10)]
    seconds = np.sum(parts, axis=0)
    accuracy = [side.ask("end")["accuracy"] for side in sides]
    for name, time, reached in zip(("hwsim", "AIHWKit"), seconds, accuracy, strict=True):
        print(f"{row.name}, one epoch, {name}: {time:.1f} s, test accuracy {100 * reached:.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="PYTHON", required=True, help="interpreter with AIHWKit")
    parser.add_argument("--data", metavar="DIR", type=Path, required=True, help="folder with MNIST's IDX files")
    parser.add_argument("--rounds", type=int, default=9, help="timings of each side in each row")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name holds this text")
    parser.add_argument("--epoch", action="store_true", help="train a whole epoch of the first row")
    options = parser.parse_args()
    rows = list(ROWS.values())[:1] if options.epoch else [row for row in ROWS.values() if options.only in row.name]
    if not options.epoch:
        print("one thread; milliseconds of a step, peak memory in MiB")
        print(f"{'training':22}{'hwsim':>10}{'AIHWKit':>10}{'ratio':>8}{'target':>8}{'hwsim':>10}{'AIHWKit':>10}")
    for row in rows:
        with ExitStack() as stack:
            pythons = (sys.executable, "hwsim"), (options.peer, "aihwkit")
            sides = [stack.enter_context(Trainer(python, side, row, options.data)) for python, side in pythons]
            if options.epoch:
                train_an_epoch(row, sides)
            else:
                compare(row, sides, options.rounds)


if __name__ == "__main__":
    main()
