"""What simulated time costs: the same training with timing off, with timing, and with timing and the event log.

    python benchmarks/timing_share.py [mnist-fcn] [--data FOLDER_WITH_MNIST] [--steps 1500] [--set PATH=VALUE]...

The three runs follow each other, round after round, so that all see the same machine; what is compared is the processor
time of a run's steps, evaluations of the network and the first steps left out. The costs of a round are differences
between its runs; printed are medians over the rounds, and their quartiles.
"""

from __future__ import annotations

import argparse
import math
import statistics
import tempfile
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
WARM_UP = 100
"""Steps of each run that are not counted."""


def seconds_of_a_step(options: Mapping[str, Any]) -> float:
    """Run a training; returns the mean processor time of its steps, s."""
    times: list[float] = []
    begun = time.thread_time()

    def progress(step: int, steps: int, epoch: int, metrics: Mapping[str, float]) -> None:  # noqa: ARG001
        nonlocal begun
        now = time.thread_time()
        if step > WARM_UP and math.isnan(metrics["test_loss"]):
            times.append(now - begun)
        begun = now

    with tempfile.TemporaryDirectory() as folder:
        hwsim.simulate(out=Path(folder) / "run", progress=progress, **options)
    return statistics.fmean(times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", nargs="?", default="mnist-fcn")
    parser.add_argument("--data", help="folder of data files")
    parser.add_argument("--steps", type=int, default=1500, help="steps of each run")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--epoch", type=int, default=6000, help="steps of an epoch, to which times are scaled")
    parser.add_argument("--set", action="append", default=[])
    given = parser.parse_args()
    if given.steps < 2 * WARM_UP:
        parser.error(f"{given.steps} steps are less than {2 * WARM_UP}; raise --steps")
    shared = {"trace": given.trace, "data": given.data, "steps": given.steps, "set": given.set}
    costs: dict[str, list[float]] = {name: [] for name in MODES}
    for _ in range(given.rounds):
        for name, options in MODES.items():
            costs[name].append(given.epoch * seconds_of_a_step({**shared, **options}))
    numbers, timed, logged = costs.values()
    print(
        f"{given.trace}: seconds of processor time in {given.epoch} steps, median of {given.rounds} rounds (quartiles)"
    )
    for name, values in costs.items():
        _line(name, values)
    _line("added by timing", [b - a for a, b in zip(numbers, timed, strict=True)])
    _line("added by the event log", [b - a for a, b in zip(timed, logged, strict=True)])
    print(f"  event log, part of all      {100 * (statistics.median(logged) / statistics.median(timed) - 1):7.1f} %")


def _line(name: str, values: list[float]) -> None:
    low, middle, high = statistics.quantiles(values, n=4)
    print(f"  {name:<28} {middle:7.2f}   ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main()
