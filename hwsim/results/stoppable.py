"""Work of DuckDB that a signal, or the end of its time, stops."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from time import monotonic
from types import TracebackType
from typing import Any, Self, TypeVar

from hwsim.errors import UsageError

Answer = TypeVar("Answer")

BETWEEN = 0.05
"""Seconds between two requests to stop: one that comes before DuckDB has begun is forgotten."""


class Stoppable:
    """Lets DuckDB work in a thread of its own: in the main thread it would hear no signal before it has done.

    Args:
        connection: the connection that works.
        seconds: how long it may work in all; None: as long as it takes.
    """

    def __init__(self, connection: Any, seconds: float | None) -> None:
        self._connection = connection
        self._seconds = seconds
        self._worked = 0.0
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._pool.shutdown()

    def __call__(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        """Return what ``work`` returns.

        Raises:
            UsageError: the time is over.
        """
        begun = monotonic()
        working = self._pool.submit(work, *arguments)
        try:
            return working.result(None if self._seconds is None else max(self._seconds - self._worked, 0.0))
        except TimeoutError:
            raise UsageError(
                f"query: it has no answer after {self._seconds:g} s: ask for less, such as the time between two "
                "moments or one component, or give it more time (--timeout SECONDS; 0: without end)"
            ) from None
        finally:
            while not working.done():
                self._connection.interrupt()
                wait([working], BETWEEN)
            self._worked += monotonic() - begun
