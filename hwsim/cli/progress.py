"""The progress bar of a run: on stderr, only on a terminal, at most ten updates a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

INTERVAL = 0.1
"""Shortest time between two updates, s."""

Progress = Callable[[int, int, int, Mapping[str, Any]], None]


@contextmanager
def progress_bar(*, show: bool = True) -> Iterator[Progress | None]:
    """Give a callable(step, n_steps, epoch, metrics) that draws a progress bar, or None where none is wanted."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        MofNCompleteColumn(),
        TextColumn("steps"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("", total=None)
        last = 0.0

        def update(step: int, n_steps: int, epoch: int, metrics: Mapping[str, Any]) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last < INTERVAL and step < n_steps:
                return
            last = now
            bar.update(task, completed=step, total=n_steps, description=_describe(epoch, metrics), refresh=True)

        yield update


@contextmanager
def rows_bar(*, show: bool = True) -> Iterator[Callable[[int, int], None] | None]:
    """Give a callable(done, total) that draws a progress bar of rows, or None where none is wanted."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (MofNCompleteColumn(), TextColumn("rows"), BarColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("", total=None)
        last = 0.0

        def update(done: int, total: int) -> None:
            nonlocal last
            now = time.monotonic()
            if now - last >= INTERVAL or done == total:
                last = now
                bar.update(task, completed=done, total=total, refresh=True)

        yield update


@contextmanager
def points_bar(*, show: bool = True) -> Iterator[Callable[[int, int, Mapping[str, Any]], None] | None]:
    """Give a callable(ended, total, row) that draws how far a sweep is, or None where no bar is wanted."""
    if not show or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        MofNCompleteColumn(),
        TextColumn("points"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)
        failed = 0

        def update(ended: int, total: int, row: Mapping[str, Any]) -> None:
            nonlocal failed
            failed += row.get("state") == "failed"
            bar.update(task, completed=ended, total=total, description=f"{failed} failed" if failed else "")

        yield update


def _describe(epoch: int, metrics: Mapping[str, Any]) -> str:
    parts = [f"epoch {epoch}"]
    for label, key, scale, digits in (("loss", "loss", 1, ".3f"), ("accuracy", "test_accuracy", 100, ".1f")):
        value = metrics.get(key)
        if isinstance(value, int | float) and value == value:
            parts.append(f"{label} {scale * value:{digits}}")
    return "  ".join(parts)
