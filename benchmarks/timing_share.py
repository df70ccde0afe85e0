"""What simulated time costs: the same training with timing off, with timing, and with timing and the event log.

    python benchmarks/timing_share.py [mnist-fcn] [--data FOLDER_WITH_MNIST] [--steps 3000] [--set PATH=VALUE]...

The three runs take turns in one process, a few steps each, so that all of them see the same load of the machine; what
is compared is the processor time of their threads. Turns are added up to rounds, long enough for the ledger to be
flushed in each. A round's costs are differences between the runs; printed are medians, and their quartiles.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hwsim

MODES: dict[str, dict[str, Any]] = {
    "numbers alone": {"timing": False},
    "with timing": {"log": "none"},
    "with timing and event log": {"log": "events"},
}
WARM_UP = 1
"""Rounds of each run that are not counted."""
TURN = 20
"""Steps of a turn."""


class Turns:
    """Lets threads work in turn, and keeps the processor time of each turn."""

    def __init__(self, names: list[str]) -> None:
        self._names = names
        self._at = 0
        self._left = set(names)
        self._change = threading.Condition()
        self.times: dict[str, list[float]] = {name: [] for name in names}

    def wait(self, name: str) -> float:
        """Wait for the turn of a thread; returns its processor time at the start."""
        with self._change:
            self._change.wait_for(lambda: self._names[self._at] == name)
        return time.thread_time()

    def pass_on(self, name: str, *, ended: bool = False) -> None:
        """Give the turn to the next thread that has not ended."""
        with self._change:
            if ended:
                self._left.discard(name)
            for _ in self._names:
                self._at = (self._at + 1) % len(self._names)
                if self._names[self._at] in self._left:
                    break
            self._change.notify_all()


def train(name: str, turns: Turns, options: Mapping[str, Any]) -> None:
    """Run a training in turns."""
    begun = turns.wait(name)

    def progress(step: int, steps: int, epoch: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG001
        nonlocal begun
        # The last step evaluates the network, which is no part of a step.
        if step % TURN == 0 and step < steps:
            turns.times[name].append(time.thread_time() - begun)
            turns.pass_on(name)
            begun = turns.wait(name)

    try:
        with tempfile.TemporaryDirectory() as folder:
            hwsim.simulate(out=Path(folder) / "run", progress=progress, **options)
    finally:
        turns.pass_on(name, ended=True)


def rounds(times: list[float], turns: int) -> list[float]:
    """Add up the times of so many turns each."""
    return [sum(times[first : first + turns]) for first in range(0, len(times) - turns + 1, turns)]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="?", default="mnist-fcn")
    parser.add_argument("--data", help="folder of data files")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--per-round", type=int, default=300, help=f"steps, a multiple of {TURN}")
    parser.add_argument("--epoch", type=int, default=6000, help="steps of an epoch, to which times are scaled")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    if given.per_round < TURN or given.per_round % TURN:
        parser.error(f"--per-round must be a multiple of {TURN}")
    if given.steps < (WARM_UP + 3) * given.per_round:
        parser.error(f"{given.steps} steps are less than {WARM_UP + 3} rounds of {given.per_round}; raise --steps")
    shared = {"trace": given.trace, "data": given.data, "steps": given.steps, "set": given.set}
    turns = Turns(list(MODES))
    threads = [
        threading.Thread(target=train, args=(name, turns, {**shared, **options})) for name, options in MODES.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    scale = given.epoch / given.per_round
    counted = {name: rounds(times, given.per_round // TURN)[WARM_UP:] for name, times in turns.times.items()}
    numbers, timed, logged = counted.values()
    print(
        f"{given.trace}: seconds of processor time in {given.epoch} steps, median of {len(numbers)} rounds (quartiles)"
    )
    for name, times in counted.items():
        _line(name, [each * scale for each in times])
    _line("added by timing", [(b - a) * scale for a, b in zip(numbers, timed, strict=True)])
    _line("added by the event log", [(b - a) * scale for a, b in zip(timed, logged, strict=True)])
    print(f"  event log, part of all      {100 * (statistics.median(logged) / statistics.median(timed) - 1):7.1f} %")


def _line(name: str, values: list[float]) -> None:
    low, middle, high = statistics.quantiles(values, n=4)
    print(f"  {name:<28} {middle:7.2f}   ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
