"""Runs the cases of an experiment, one after the other or in processes, each into a run folder."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from hwsim.reproduce.plan import Case
from hwsim.run import simulate

Key = tuple[str, Any, int]
"""What a case is found by: series, swept value, seed."""
Progress = Callable[[int, int, str, float], None]
"""Called with cases done, all cases, the title of one at work, and the part of it that is done."""


def execute(cases: Sequence[Case], folder: Path, jobs: int, progress: Progress | None) -> dict[Key, Path]:
    """Run every case into a folder of ``folder`` and return these.

    Raises:
        HwsimError: as :func:`hwsim.simulate`; what was finished stays.
    """
    paths = {key(case): folder / slug(case) for case in cases}
    if jobs == 1:
        for done, case in enumerate(cases):
            _run(case, paths[key(case)], _within(progress, done, len(cases), case))
        return paths
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(_run, case, paths[key(case)], None): case for case in cases}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                future.result()
                if progress is not None:
                    progress(done, len(cases), futures[future].title, 0.0)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return paths


def key(case: Case) -> Key:
    """Return what a case is found by."""
    return case.series, case.at, case.seed


def slug(case: Case) -> str:
    """Return the name of a case's run folder."""
    return re.sub(r"[^a-z0-9.]+", "-", case.title.lower()).strip("-")


def _run(case: Case, path: Path, progress: Callable[..., None] | None) -> None:
    arguments = case.arguments
    if case.start is not None:
        before = simulate(**case.start, out=path.with_name(f"{path.name}-start"))
        weights = str(before.path / "weights.npz")
        settings = arguments["set"] | {"trace.network.weight_init": "file", "trace.network.init_file": weights}
        arguments = arguments | {"set": settings}
    simulate(**arguments, out=path, progress=progress)


def _within(progress: Progress | None, done: int, total: int, case: Case) -> Callable[..., None] | None:
    if progress is None:
        return None

    def step(number: int, n_steps: int, _epoch: int, _metrics: Mapping[str, Any]) -> None:
        progress(done, total, case.title, number / n_steps)

    return step
