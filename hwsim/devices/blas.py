"""Keeps BLAS on one thread, so that products have the same bytes on every machine load and thread setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
_depth = 0


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_thread_blas() -> Iterator[None]:
    """Limit BLAS to one thread; inside another such block it costs nothing. A run enters it once."""
    global _depth
    with _lock:
        outermost = _depth == 0
        _depth += 1
        limit = _controller().limit(limits=1, user_api="blas") if outermost else None
        if limit is not None:
            limit.__enter__()
            _limits.append(limit)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                _limits.pop().__exit__(None, None, None)


_limits: list[object] = []
