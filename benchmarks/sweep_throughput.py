"""Throughput of a sweep in two processes against one.

    python benchmarks/sweep_throughput.py --points 16 --repeats 3

Prints the median wall times and their ratio; the processes' start, about a second each, is in both.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import hwsim


def seconds(jobs: int, points: int, epochs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        hwsim.sweep({"trace": "digits-mlp", "epochs": epochs, "seeds": points}, out=Path(folder) / "sweep", jobs=jobs)
        return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    pairs = [[seconds(jobs, options.points, options.epochs) for jobs in (1, 2)] for _ in range(options.repeats)]
    one, two = (statistics.median(times) for times in zip(*pairs, strict=True))
    ratio = statistics.median(first / second for first, second in pairs)
    print(f"{options.points} points of digits-mlp, {options.epochs} epochs each, median of {options.repeats}")
    print(f"one process {one:.1f} s, two processes {two:.1f} s, ratio {ratio:.2f}")


if __name__ == "__main__":
    main()
