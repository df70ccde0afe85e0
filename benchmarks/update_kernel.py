"""Pulsed updates and reads of one array, side by side with AIHWKit, and what bounds them.

    python benchmarks/update_kernel.py --peer PYTHON --data DIR

``--peer`` names an interpreter that has AIHWKit (without it only this package is timed), ``--data`` a folder with
MNIST's IDX files (without it the rows with MNIST gradients are left out). Both sides run on one thread in processes of
their own and are timed in turn, call by call; figures are medians, a ratio is the median of the ratios of neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from mnist_gradients import LEARNING_RATE, layer_updates
from roofline import print_roofline
from work import BATCH, PEER_CLASSES, SIZE, Row

HERE = Path(__file__).parent
LEAST_CALL = 0.02
"""Seconds of one timing; short calls are repeated within it."""


class Worker:
    """A process that times the rows of one side."""

    def __init__(self, python: str, side: str) -> None:
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        command = [python, str(HERE / "work.py"), side]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment)
        self._repeats = 1

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request: dict[str, Any]) -> dict[str, float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps(request), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("a timing process ended early; its message stands above")
        return json.loads(answer)

    def prepare(self, row: Row) -> float:
        """Set a row up; returns the pulses (or vectors) of one call."""
        amount = self._ask({"prepare": row.request()})["amount"]
        self._repeats = 1
        self._repeats = max(1, round(LEAST_CALL / self.seconds()))
        return amount

    def seconds(self) -> float:
        return self._ask({"time": self._repeats})["seconds"]


def rows(data: Path | None, folder: Path) -> Iterator[Row]:
    """All rows, in the order in which they are printed."""
    for law in (*PEER_CLASSES, "measured_curves"):
        for density, least in ((0.1, 4.0), (0.5, 12.0)):
            target = least if law in ("constant_step", "soft_bounds_reference", "exp_step") else None
            yield Row(f"{law}, p = {density}", "dense", law, density, target=target)
    yield Row("soft_bounds_reference, p = 0.01", "dense", density=0.01)
    if data is not None:
        for batch, before, count in ((64, 400, 8), (10, 2000, 40)):
            for layer, updates in layer_updates(data, batch, before, count).items():
                path = folder / f"{layer}-{batch}.npz"
                x, d = (np.stack(part) for part in zip(*updates, strict=True))
                np.savez(path, x=x, d=d)
                name = f"MNIST gradients {layer}, batch {batch}"
                yield Row(name, "stream", lr=LEARNING_RATE, file=str(path), target=3.0)
    yield Row("forward, all converters", "forward", target=2.0)


def interleaved(first: Worker, second: Worker, rounds: int) -> tuple[float, float, float]:
    """Median seconds of both sides, and the median of second / first."""
    times = np.array([(first.seconds(), second.seconds()) for _ in range(rounds)])
    return float(np.median(times[:, 0])), float(np.median(times[:, 1])), float(np.median(times[:, 1] / times[:, 0]))


def print_row(
    name: str, own: float, other: float | None, ratio: float | None, target: float | None, pulse: float
) -> None:
    """One line: seconds of a call on either side, their ratio, and this package's nanoseconds for a pulse or vector."""
    cells = [f"{name:38}", f"{1e6 * own:11.1f}", "-".rjust(11) if other is None else f"{1e6 * other:11.1f}"]
    cells += ["-".rjust(8) if ratio is None else f"{ratio:8.2f}", "-".rjust(8) if target is None else f"{target:8.1f}"]
    print(*cells, f"{1e9 * pulse:10.2f}", flush=True)


def compare(row: Row, own: Worker, peer: Worker | None, rounds: int) -> None:
    amount = own.prepare(row)
    if peer is None or row.law not in PEER_CLASSES:
        seconds = float(np.median([own.seconds() for _ in range(rounds)]))
        print_row(row.name, seconds, None, None, row.target, seconds / amount)
        return
    peer.prepare(row)
    seconds, other, ratio = interleaved(own, peer, rounds)
    print_row(row.name, seconds, other, ratio, row.target, seconds / amount)


def compare_threads(one: Worker, two: Worker, rounds: int) -> None:
    """Two threads against one."""
    print(f"\n{'two threads':38}{'two':>12}{'one':>12}{'ratio':>9}{'target':>9}{'ns/pulse':>11}")
    for law in ("constant_step", "soft_bounds_reference", "exp_step"):
        amount = two.prepare(Row(law, "dense", law, 0.5, threads=2))
        one.prepare(Row(law, "dense", law, 0.5))
        seconds, other, ratio = interleaved(two, one, rounds)
        print_row(f"{law}, p = 0.5", seconds, other, ratio, 1.7, seconds / amount)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer", metavar="PYTHON", help="interpreter with AIHWKit")
    parser.add_argument("--data", metavar="DIR", type=Path, help="folder with MNIST's IDX files")
    parser.add_argument("--rounds", type=int, default=15, help="timings of each side in each row")
    parser.add_argument("--only", metavar="TEXT", default="", help="rows whose name holds this text")
    options = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        own = stack.enter_context(Worker(sys.executable, "hwsim"))
        peer = stack.enter_context(Worker(options.peer, "aihwkit")) if options.peer else None
        print(f"{SIZE} x {SIZE}, batch {BATCH}, bit length 31, default noise, one thread; microseconds of a call")
        print(f"{'work':38}{'hwsim':>12}{'AIHWKit':>12}{'ratio':>9}{'target':>9}{'ns/pulse':>11}")
        for row in rows(options.data, folder):
            if options.only in row.name:
                compare(row, own, peer, options.rounds)
        if options.only in "two threads":
            compare_threads(own, stack.enter_context(Worker(sys.executable, "hwsim")), options.rounds)
        if options.only in "roofline":
            print_roofline(own)


if __name__ == "__main__":
    main()
