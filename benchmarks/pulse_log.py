"""Speed of the pulse log, from the kernel to Parquet on one core, and of queries over a log of 100 million rows.

    python benchmarks/pulse_log.py [--rows 100e6] [--keep FOLDER]

Writes a run folder with the project's own writers: every pulse of a 512 x 512 array (and of a probed part of it) under
batches of random vectors. The parts of the way are timed one by one: the kernel without a log, with its log, in order
of time, and in the file.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from hwsim.chip.pulse_book import PulseBook
from hwsim.devices import DeviceArray, TimedRegion, UpdateParameters, load_device, plan_trains
from hwsim.engine.ledger import COLUMNS, Ledger
from hwsim.run.folder import LINE_READ_COLUMNS, PULSE_COLUMNS, RunFolder
from hwsim.spec.base import Spec

SHAPE, SLOT, ROWS = (512, 512), 1000, 500_000
DEVICE = load_device("soft_bounds_reference")


def mebibytes() -> float:
    """Largest resident memory so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Way:
    """Updates of an array, and their pulses on the way to a file."""

    def __init__(self, density: float, sink: Any, part: int) -> None:
        g = np.random.default_rng(0)
        self.cells = DeviceArray(DEVICE, SHAPE, seed=1)
        samples = max(round(ROWS / (SHAPE[0] * SHAPE[1] * density**2 * 31)), 1)
        self.x, self.d = (g.uniform(-1, 1, (samples, n)).astype(np.float32) for n in reversed(SHAPE))
        params = UpdateParameters(desired_bl=31, update_management=False, update_bl_management=False)
        # The mean probability of a pulse on a line is gain / 2.
        lr = (2 * density) ** 2 * 31 * self.cells.granularity
        self.plan = plan_trains(self.x, self.d, lr, self.cells.granularity, params)
        self.now = self.rows = 0
        self.region = (slice(0, part), slice(0, part))
        self.book = PulseBook(sink, lambda _: None, lambda: self.now)
        self.ledger = Ledger()

    def update(self, how: str) -> None:
        """Do one batch: ``kernel`` alone, with its ``log``, or put into the ``book``."""
        slots = self.plan.slots
        starts = self.now + (np.cumsum(slots) - slots) * 2 * SLOT
        probe = None if how == "kernel" else TimedRegion(*self.region, starts, SLOT, 2)
        result = self.cells.apply_trains(self.x, self.d, self.plan, probe)
        self.now += int(slots.sum()) * 2 * SLOT
        log = result.log
        if log is not None:
            self.rows += len(log)
        if how == "book" and log is not None:
            origin = self.ledger.origin("update", "update", "layer", self.rows // 100_000, 0)
            self.book.add(origin, (0, 0, 0), log.columns())


def per_row(density: float, rows: int, part: int = SHAPE[0]) -> None:
    """Time the parts of the way, nanoseconds a pulse."""
    scratch = Path(tempfile.mkdtemp())
    try:
        folder = RunFolder(scratch / "run", {}, seed=0, config_hash="")
        table = folder.table("pulses", PULSE_COLUMNS)
        ways = {
            "kernel": (Way(density, lambda _: None, part), "kernel"),
            "log": (Way(density, lambda _: None, part), "log"),
            "book": (Way(density, lambda _: None, part), "book"),
            "file": (Way(density, table.write, part), "book"),
        }
        spent: dict[str, list[float]] = {name: [] for name in ways}
        way, how = ways["log"]
        way.update(how)
        batch = way.rows
        times = max(rows // batch, 12)
        for _ in range(times):
            for name, (way, how) in ways.items():
                began = time.process_time()
                way.update(how)
                spent[name].append(time.process_time() - began)
        # Row groups are written now and then, so the file's time is a mean.
        cost = {name: 1e9 * median(values) / batch for name, values in spent.items()}
        cost["file"] = cost["book"] + 1e9 * (sum(spent["file"]) - sum(spent["book"])) / batch / times
        cost["file"] = max(cost["file"], cost["book"])
        print(
            f"p = {density:4.2f}, {part} x {part} of 512 x 512: {batch:8d} rows a batch   kernel {cost['kernel']:6.1f}"
            f"   columns in order {cost['log'] - cost['kernel']:5.1f}   blocks {cost['book'] - cost['log']:5.1f}"
            f"   Parquet {cost['file'] - cost['book']:5.1f}   = {cost['file']:6.1f} ns a row"
            f" = {1e3 / cost['file']:5.1f} M rows/s",
            flush=True,
        )
        folder.close(host_seconds={})
    finally:
        shutil.rmtree(scratch)


def write_log(folder: Path, rows: int, part: int) -> None:
    """Write a run folder with a pulse log of so many rows."""
    config = {"device": json.loads(Spec.model_dump_json(DEVICE))}
    run = RunFolder(folder, config, seed=0, config_hash="")
    probes = {"0": {"rows": [0, part], "cols": [0, part], "shape": SHAPE, "arrays": 1, "devices": 1}}
    table = run.table("pulses", PULSE_COLUMNS, {"hwsim.probes": json.dumps(probes)})
    run.table("line_reads", LINE_READ_COLUMNS)
    run.table("events", COLUMNS)
    way = Way(0.1, table.write, part)
    ledger = Ledger(run.write_events)
    action = ledger.action("tile0.crossbar", "write", 0, 0)
    way.update("kernel")
    before, began = mebibytes(), time.process_time()
    while way.rows < rows:
        at, done = way.now, way.rows
        way.update("book")
        origin = ledger.origin("update", "update", "layer", done // 100_000, 0)
        ledger.book(origin, action, at, way.now - at, way.rows - done, 1e-9)
    way.book.flush()
    ledger.flush()
    run.close(host_seconds={})
    spent = time.process_time() - began
    size = (folder / "pulses.parquet").stat().st_size
    print(
        f"{way.rows} rows in {spent:.1f} s of one core: {way.rows / spent / 1e6:.1f} M rows/s, kernel included;"
        f" {size / way.rows:.1f} bytes a row; {mebibytes() - before:.0f} MiB more memory than without a log",
        flush=True,
    )


def ask(folder: Path) -> None:
    """Time queries, each in a process of its own as a user starts it."""
    hwsim = [sys.executable, "-m", "hwsim"]
    queries = {
        "hwsim device RUN 0 3 7": ["device", str(folder), "0", "3", "7", "--csv"],
        "pulses of one millisecond": ["events", str(folder), "--pulses", "--from", "1ms", "--to", "1.001ms", "--csv"],
    } | {
        sql: ["events", str(folder), "--csv", "--sql", sql]
        for sql in (
            "select count(*), sum(dw), min(w), max(w), avg(w) from pulses",
            "select polarity, count(*), sum(dw) from pulses group by polarity",
            "select row, count(*), sum(dw) from pulses group by row",
        )
    }
    for name, arguments in queries.items():
        walls, users = [], []
        for _ in range(5):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            began = time.perf_counter()
            done = subprocess.run([*hwsim, *arguments], check=True, capture_output=True, text=True)
            walls.append(time.perf_counter() - began)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            users.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        rows = len(done.stdout.splitlines()) - 1
        print(f"{median(walls):6.2f} s ({median(users):5.2f} s of the cores)  {rows:7d} rows  {name}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=float, default=100e6, help="rows of the log that is queried")
    parser.add_argument("--part", type=int, default=128, help="rows and columns of the array that are probed for it")
    parser.add_argument("--keep", type=Path, help="leave the run folder here")
    options = parser.parse_args()
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    scratch = Path(tempfile.mkdtemp())
    folder = options.keep or scratch / "run"
    write_log(folder, int(options.rows), options.part)
    for density in (0.5, 0.1, 0.03):
        per_row(density, 12_000_000)
    os.sched_setaffinity(0, cores)
    ask(folder)
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
