"""Sweeps on a real Dask scheduler with worker processes of their own, over loopback."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import hwsim
from hwsim.errors import UsageError

pytest.importorskip("distributed")

GRID = {
    "trace": "least-squares",
    "steps": 5,
    "vary": {"device.dw_min": [0.001, 0.002, 0.004, 0.01], "algorithm": ["analog-sgd", "tiki-taka"]},
    "seeds": 3,
}


class Cluster:
    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.address = f"tcp://127.0.0.1:{probe.getsockname()[1]}"
        self._folder = folder
        self.processes = [self._start("scheduler", "--port", self.address.rpartition(":")[2])]

    def add_worker(self) -> subprocess.Popen[bytes]:
        worker = self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(self._folder)
        )
        self.processes.append(worker)
        return worker

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        log = (self._folder / f"{words[0]}-{time.monotonic_ns()}.log").open("wb")
        with log:
            return subprocess.Popen(
                [sys.executable, "-m", "dask", words[0], "--host", "127.0.0.1", "--no-dashboard", *words[1:]],
                stdout=log, stderr=log,
            )  # fmt: skip

    def wait_for(self, workers: int) -> None:
        from distributed import Client

        with Client(self.address, timeout=30, set_as_default=False) as client:
            if workers:
                client.wait_for_workers(workers, timeout=30)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path)
    yield started
    for process in reversed(started.processes):
        process.kill()
        process.wait()


def test_two_workers_make_the_table_of_local_processes_though_one_is_killed(cluster: Cluster, tmp_path: Path) -> None:
    victim = cluster.add_worker()
    cluster.add_worker()
    cluster.wait_for(2)

    def kill(ended: int, total: int, row: object) -> None:  # noqa: ARG001
        if ended == 3:
            victim.kill()

    remote = hwsim.sweep(GRID, out=tmp_path / "remote", scheduler=cluster.address, progress=kill)
    assert victim.wait() != 0
    local = hwsim.sweep(GRID, out=tmp_path / "local", jobs=2)
    assert len(remote.table) == 24
    assert (remote.path / "sweep.parquet").read_bytes() == (local.path / "sweep.parquet").read_bytes()
    for folder in remote.table["folder"]:
        ours, theirs = (path / folder / "metrics.parquet" for path in (local.path, remote.path))
        assert ours.read_bytes() == theirs.read_bytes()


def test_a_cluster_without_workers_is_refused(cluster: Cluster, tmp_path: Path) -> None:
    cluster.wait_for(0)
    with pytest.raises(UsageError, match="has no workers"):
        hwsim.sweep(GRID, out=tmp_path / "sweep", scheduler=cluster.address)
    assert not (tmp_path / "sweep").exists()
