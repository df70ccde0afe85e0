"""Runs the points of a sweep in processes of this machine."""

from __future__ import annotations

import multiprocessing
import shutil
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from hwsim.sweeps.work import Outcome, Task, make_run

ATTEMPTS = 2
"""How often a point is tried whose process dies; a run that needs too much memory dies every time."""


class LocalProcesses:
    """Makes runs in ``jobs`` processes, each with one worker that it keeps.

    A worker that dies takes only its own point with it, which is tried again in a new process.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Make the runs; gives each outcome as it comes."""
        waiting = list(reversed(list(tasks)))
        attempts: dict[int, int] = {}
        lanes = [_lane() for _ in range(min(self._jobs, len(waiting)))]
        running: dict[Future[str | None], tuple[int, Task]] = {}
        try:
            for lane in range(len(lanes)):
                _start(lanes[lane], waiting.pop(), lane, running)
            while running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    lane, task = running.pop(future)
                    try:
                        outcome = Outcome(task, future.result())
                    except BrokenProcessPool:
                        lanes[lane] = _lane()
                        attempts[task.index] = attempts.get(task.index, 1) + 1
                        outcome = Outcome(task, "its process died (out of memory, or killed)")
                        if attempts[task.index] <= ATTEMPTS:
                            shutil.rmtree(task.out, ignore_errors=True)
                            _start(lanes[lane], task, lane, running)
                            continue
                    if waiting:
                        _start(lanes[lane], waiting.pop(), lane, running)
                    yield outcome
        finally:
            if running:  # interrupted: what is running is of no use any more
                for process in multiprocessing.active_children():
                    process.terminate()
            for executor in lanes:
                executor.shutdown(cancel_futures=True)


def _lane() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"), initializer=_leave_interrupts)


def _leave_interrupts() -> None:
    """Ctrl-C goes to every process of a terminal; the one that started the sweep decides."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _start(
    executor: ProcessPoolExecutor, task: Task, lane: int, running: dict[Future[str | None], tuple[int, Task]]
) -> None:
    running[executor.submit(make_run, task.spec, task.out)] = (lane, task)
