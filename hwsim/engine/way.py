"""Ways: the shared components that a stream passes one after the other, each a leg of it."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from hwsim._kernels.notes import Notes, Origin
from hwsim._kernels.timebase import Timebase
from hwsim._kernels.way import Leg, Stream, set_out, wait_until

__all__ = ["Leg", "Way", "set_out", "travel", "wait_until"]

Way = tuple[Leg, ...]


def travel(env: Timebase, notes: Notes, origin: Origin, stream: Stream, way: Way) -> Generator[Any, Any, Stream]:
    """Send a stream on its way; returns it as it leaves the last component, when its first vector does.

    ``set_out`` does the same at once, as far as nobody has to wait.
    """
    found = set_out(env, notes, origin, stream, way)
    return found if isinstance(found, Stream) else (yield from found)
