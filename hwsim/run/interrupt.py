"""Interrupts: SIGINT and SIGTERM let a run finish its step; a second one ends it at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupts:
    """Notes the first interrupt; ``received`` is its signal, 0 until then."""

    def __init__(self) -> None:
        self.received = 0

    def __call__(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 (called by the interpreter)
        """Take note of a signal; a second one interrupts at once."""
        if self.received:
            raise KeyboardInterrupt
        self.received = number


@contextmanager
def noted_interrupts(*, wanted: bool) -> Iterator[Interrupts]:
    """Note interrupts in place of being ended by them, if ``wanted`` and where Python allows it: in the main thread."""
    interrupts = Interrupts()
    before: dict[signal.Signals, Any] = {}
    if wanted and threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (None, signal.SIG_IGN):
                before[number] = signal.signal(number, interrupts)
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
