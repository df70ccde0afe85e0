"""Runs that are killed (SIGKILL) at random times and resumed, against one that was not: are the bytes equal?

    python benchmarks/random_kills.py --kills 20 --epochs 2

A run starts, is killed, resumed, maybe killed again, until it is complete; then every file but ``run.json``, which has
host times, is compared. Prints the kills, and the time that checkpoints take.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import hwsim
from hwsim.run.checkpoint import CHECKPOINT_FILE


def command(*options: str) -> list[str]:
    return [sys.executable, "-m", "hwsim", "run", "--quiet", *options]


def differences(run: Path, whole: Path) -> list[str]:
    names = {path.name for folder in (run, whole) for path in folder.iterdir()} - {"run.json"}
    found = []
    for name in sorted(names):
        both = [folder / name for folder in (run, whole)]
        if not all(path.exists() for path in both) or both[0].read_bytes() != both[1].read_bytes():
            found.append(name)
    return found


def killed(arguments: list[str], out: Path, delay: float) -> bool:
    """Run a command and kill it ``delay`` seconds after its first checkpoint; returns whether the run is complete."""
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    while not (out / CHECKPOINT_FILE).exists() and process.poll() is None:
        time.sleep(0.002)
    time.sleep(delay)
    process.kill()
    process.wait()
    return bool(hwsim.open_run(out).state == "complete")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--every", type=int, default=10)
    parser.add_argument("--algorithm", default="tiki-taka")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    run = ("--epochs", str(options.epochs), "--algorithm", options.algorithm)
    every = ("--checkpoint", str(options.every))
    with tempfile.TemporaryDirectory() as folder:
        base, whole = Path(folder), Path(folder) / "whole"
        begun = time.perf_counter()
        subprocess.run(command(*run, "--out", str(whole)), check=True, stdout=subprocess.DEVNULL)
        alone = time.perf_counter() - begun
        begun = time.perf_counter()
        subprocess.run(command(*run, *every, "--out", str(base / "saved")), check=True, stdout=subprocess.DEVNULL)
        print(f"{alone:.2f} s without checkpoints, {time.perf_counter() - begun:.2f} s with one every {options.every}")
        kills = unequal = number = 0
        while kills < options.kills:
            out = base / f"killed{number}"
            number += 1
            done = killed(command(*run, *every, "--out", str(out)), out, rng.uniform(0, 0.3) * alone)
            while not done:
                kills += 1
                # The clock of a resumed run starts with its process, since there is a checkpoint already.
                done = killed(command("--resume", str(out), *every), out, rng.uniform(0.4, 1) * alone)
            hwsim.resume(out)
            wrong = differences(out, whole)
            unequal += bool(wrong)
            print(
                f"run {number}: {kills} kills so far, {'differs: ' + ', '.join(wrong) if wrong else 'same bytes'}",
                flush=True,
            )
    print(f"{kills} kills in {number} runs, {unequal} runs with other bytes")
    sys.exit(bool(unequal))


if __name__ == "__main__":
    main()
