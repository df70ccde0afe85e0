"""Streams that pass through several parts side by side."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

import simpy

from hwsim.engine.env import Env
from hwsim.engine.station import Stream

Part = Generator[Any, Any, Stream]


def side_by_side(env: Env, parts: Sequence[Part]) -> Part:
    """Run parts at the same time; returns the stream that has a vector when every part has it."""
    return parts[0] if len(parts) == 1 else _processes(env, parts)


def _processes(env: Env, parts: Sequence[Part]) -> Part:
    processes = [env.process(part) for part in parts]
    yield simpy.AllOf(env, processes)
    streams: list[Stream] = [process.value for process in processes]  # type: ignore[misc]
    return Stream(streams[0].n, env.now, max(stream.last for stream in streams))
