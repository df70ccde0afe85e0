"""No thread of Arrow or DuckDB uses an object of Python, which aborts a process that ends in that moment."""

import builtins
import io
import threading
from pathlib import Path

import pandas as pd
import pytest

import hwsim
from hwsim.devices import load_device
from hwsim.results import folder

REPEATS = 40
"""Reads of a file: Arrow reads a Python stream in a thread of its own about once in two."""


class Watched(io.BufferedReader):
    """A file that remembers which threads read it."""

    def __init__(self, path: Path | str, readers: set[int]) -> None:
        super().__init__(io.FileIO(path))
        self.readers = readers

    def read(self, size: int | None = -1, /) -> bytes:
        self.readers.add(threading.get_ident())
        return super().read(size)


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The threads that read from a file which Python opened."""
    found: set[int] = set()
    plain = io.open

    def watched(file, mode="r", *arguments, **options):
        return Watched(file, found) if mode == "rb" else plain(file, mode, *arguments, **options)

    monkeypatch.setattr(io, "open", watched)
    monkeypatch.setattr(builtins, "open", watched)
    return found


def read_curves(run: Path) -> None:
    path = run.parent / "curves.parquet"
    pd.DataFrame({"device": 0, "weight": [-1.0, 1.0], "up": 0.1, "down": 0.1}).to_parquet(path)
    load_device("measured_curves", curves=str(path), dw_min_std=0)


READS = {
    "a table": lambda run: folder.read_parquet(run / "metrics.parquet"),
    "a log by blocks": lambda run: list(folder.read_batches(run / "events.parquet", ["t_ps"])),
    "a query": lambda run: hwsim.open_run(run).events(limit=5),
    "measured curves": read_curves,
}


@pytest.mark.parametrize("what", READS)
def test_arrow_reads_no_python_stream(what, shared_run, tmp_path, readers) -> None:
    run = tmp_path / "run"
    run.symlink_to(shared_run.path)
    for _ in range(REPEATS):
        READS[what](run)
    assert readers <= {threading.get_ident()}


def test_rows_of_a_log_with_a_broken_end_are_queried_in_one_thread(make_run) -> None:
    run = make_run()
    threads = "SELECT current_setting('threads') AS threads, count(*) AS rows FROM events"
    whole = run.sql(threads)
    with (run.path / "events.parquet").open("ab") as log:
        log.write(b"half a row group")
    broken = run.sql(threads)
    assert broken["rows"][0] == whole["rows"][0] > 0
    assert broken["threads"][0] == 1
