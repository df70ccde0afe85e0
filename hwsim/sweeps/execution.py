"""``sweep``: makes the runs of a sweep and gathers their results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from hwsim.errors import UsageError
from hwsim.results.sweep import Sweep
from hwsim.run.folder import check_new, free_path
from hwsim.sweeps.cluster import DaskCluster
from hwsim.sweeps.folder import SweepFolder
from hwsim.sweeps.local import LocalProcesses
from hwsim.sweeps.points import points as points_of
from hwsim.sweeps.spec import SweepSpec, load_sweep, make_sweep
from hwsim.sweeps.work import Scheduler, Task

Progress = Callable[[int, int, Mapping[str, Any]], None]
"""Called with the number of points that have ended, of all points, and the row of the last one."""

SWEEPS = Path("runs")
TABLE_SECONDS = 5.0
"""The table is written again after so much time, s, so that an interrupted sweep has one."""


def sweep(
    description: SweepSpec | Mapping[str, Any] | str | Path,
    *,
    out: str | Path | None = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    progress: Progress | None = None,
) -> Sweep:
    """Run a sweep and return its results.

    Args:
        description: a :class:`SweepSpec`, its fields as a mapping, or a YAML file.
        out: a new folder; None: a free one in ``runs``.
        jobs: processes on this machine; None: one for each processor.
        scheduler: address of a Dask scheduler whose workers make the runs instead.
        progress: called after each point.

    Raises:
        InputError: the description or a point of it is wrong; nothing has been run.
    """
    if isinstance(description, str | Path):
        description = load_sweep(description)
    elif not isinstance(description, SweepSpec):
        description = make_sweep(description)
    points = points_of(description)
    if out is not None:
        check_new(Path(out))
    how = _scheduler(jobs, scheduler)
    path = Path(out) if out is not None else free_path(SWEEPS, f"sweep-{Path(description.trace).stem}")
    return _finish(SweepFolder.make(path, description, points), how, progress)


def resume_sweep(
    path: str | Path, *, jobs: int | None = None, scheduler: str | None = None, progress: Progress | None = None
) -> Sweep:
    """Go on with a sweep that was interrupted: makes the runs that are missing or have failed.

    Raises:
        InputError: it is no folder of a sweep, or its descriptions have changed since.
    """
    path = Path(path)
    points = points_of(SweepFolder.description(path))
    how = _scheduler(jobs, scheduler)
    return _finish(SweepFolder.reopen(path, points), how, progress)


def _scheduler(jobs: int | None, address: str | None) -> Scheduler:
    if address is not None:
        if jobs is not None:
            raise UsageError("give either jobs or a scheduler: a cluster has the workers that it has")
        return DaskCluster(address)
    if jobs is not None and jobs < 1:
        raise UsageError(f"at least one process is needed, got {jobs}")
    return LocalProcesses(jobs or os.cpu_count() or 1)


def _finish(folder: SweepFolder, scheduler: Scheduler, progress: Progress | None) -> Sweep:
    missing = {point.index: point for point in folder.missing}
    ended, total = len(folder.points) - len(missing), len(folder.points)
    folder.note_state("running")
    written = time.monotonic()
    try:
        for outcome in scheduler(Task(point.index, point.spec, folder.part(point)) for point in missing.values()):
            row = folder.adopt(missing[outcome.task.index], outcome.error)
            ended += 1
            if progress is not None:
                progress(ended, total, row)
            if time.monotonic() - written > TABLE_SECONDS:
                folder.write_table()
                written = time.monotonic()
    finally:
        folder.write_table()
    folder.note_state("complete")
    result = Sweep(folder.path)
    result.report(folder.path / "sweep.html")
    return result
