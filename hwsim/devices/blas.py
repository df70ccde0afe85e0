"""Keeps BLAS on one thread, so that products have the same bytes on every machine load and thread setting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController

_lock = Lock()
_blocks: list[AbstractContextManager[object] | None] = []
"""Blocks that are open; the outermost one holds the limit."""


@cache
def _controller() -> ThreadpoolController:
    return ThreadpoolController()


@contextmanager
def single_thread_blas() -> Iterator[None]:
    """Limit BLAS to one thread; inside another such block it costs nothing. A run enters it once."""
    with _lock:
        limit = None if _blocks else _controller().limit(limits=1, user_api="blas")
        if limit is not None:
            limit.__enter__()
        _blocks.append(limit)
    try:
        yield
    finally:
        with _lock:
            # The outermost block stands first, so whoever leaves last lifts the limit, whichever thread set it.
            held = _blocks.pop()
            if held is not None:
                held.__exit__(None, None, None)
