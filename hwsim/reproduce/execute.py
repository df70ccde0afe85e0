"""Runs the cases of an experiment, one after the other or in processes, each into a run folder."""

from __future__ import annotations

import multiprocessing
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from hwsim.errors import ResultsError, UsageError
from hwsim.reproduce.plan import Case
from hwsim.results import open_run
from hwsim.run import resolve, simulate

Key = tuple[str, Any, int]
"""What a case is found by: series, swept value, seed."""
Progress = Callable[[int, int, str, float], None]
"""Called with cases done, all cases, the title of one at work, and the part of it that is done."""


def execute(cases: Sequence[Case], folder: Path, jobs: int, progress: Progress | None) -> dict[Key, Path]:
    """Run every case into a folder of ``folder`` and return these; runs that are complete there are taken as they are.

    Cases are run seed by seed, so that what was stopped half-way has every series.

    Raises:
        UsageError: a run of the folder was made with other settings.
        HwsimError: as :func:`hwsim.simulate`; what was finished stays.
    """
    paths = {key(case): folder / slug(case) for case in cases}
    missing = [case for case in cases if not _is_complete(_arguments(case, paths[key(case)]), paths[key(case)])]
    missing.sort(key=lambda case: case.seed)
    before = len(cases) - len(missing)
    if jobs == 1:
        for done, case in enumerate(missing, before):
            _run(case, paths[key(case)], _within(progress, done, len(cases), case))
        return paths
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        futures = {pool.submit(_run, case, paths[key(case)], None): case for case in missing}
        try:
            for done, future in enumerate(as_completed(futures), before + 1):
                future.result()
                if progress is not None:
                    progress(done, len(cases), futures[future].title, 0.0)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return paths


def finished(cases: Sequence[Case], folder: Path) -> tuple[list[Case], dict[Key, Path]]:
    """Return the cases whose runs are complete in a folder, and these; nothing is run or removed.

    Raises:
        UsageError: there is none, or one was made with other settings.
    """
    paths = {key(case): folder / slug(case) for case in cases}
    done = [case for case in cases if _state(paths[key(case)]) == "complete"]
    for case in done:
        _check_settings(_arguments(case, paths[key(case)]), paths[key(case)])
    if not done:
        raise UsageError(f"{folder} has no complete run of this experiment; run it without --finished")
    return done, {key(case): paths[key(case)] for case in done}


def key(case: Case) -> Key:
    """Return what a case is found by."""
    return case.series, case.at, case.seed


def slug(case: Case) -> str:
    """Return the name of a case's run folder."""
    return re.sub(r"[^a-z0-9.]+", "-", case.title.lower()).strip("-")


def _is_complete(arguments: Mapping[str, Any], path: Path) -> bool:
    """Return whether the run of these arguments is there; one that was stopped is removed.

    Raises:
        UsageError: it was made with other settings, or the path is not a folder of a run.
    """
    state = _state(path)
    if state is None:
        return False
    if state != "complete":
        shutil.rmtree(path)
        return False
    _check_settings(arguments, path)
    return True


def _state(path: Path) -> str | None:
    """Return the state of a run, None where there is none.

    Raises:
        UsageError: the path is a link, or not a folder of a run.
    """
    if path.is_symlink():
        raise UsageError(f"{path} is a link, and an experiment goes on in its own folder only: take it away")
    if not path.exists():
        return None
    try:
        return open_run(path).state
    except ResultsError:
        raise UsageError(f"{path} is not a run of this experiment; choose another --out") from None


def _check_settings(arguments: Mapping[str, Any], path: Path) -> None:
    if open_run(path).info.get("config_hash") != resolve(**arguments).hash:
        raise UsageError(f"{path} was made with other settings or by another version; choose another --out")


def _run(case: Case, path: Path, progress: Callable[..., None] | None) -> None:
    if case.start is not None and not _is_complete(case.start, _start(path)):
        simulate(**case.start, out=_start(path))
    simulate(**_arguments(case, path), out=path, progress=progress)


def _start(path: Path) -> Path:
    return path.with_name(f"{path.name}-start")


def _arguments(case: Case, path: Path) -> dict[str, Any]:
    """Return the arguments of a case's run, with the weights that another run leaves it."""
    if case.start is None:
        return case.arguments
    weights = {"trace.network.weight_init": "file", "trace.network.init_file": str(_start(path) / "weights.npz")}
    return case.arguments | {"set": case.arguments["set"] | weights}


def _within(progress: Progress | None, done: int, total: int, case: Case) -> Callable[..., None] | None:
    if progress is None:
        return None

    def step(number: int, n_steps: int, _epoch: int, _metrics: Mapping[str, Any]) -> None:
        progress(done, total, case.title, number / n_steps)

    return step
