"""Programs: what the controller runs. Operations come one after the other; directives let parts run side by side.

A program is a generator that yields operations and directives and receives the result of each. ``Start`` sets another
program going beside it, ``Join`` waits for that one's end, and a ``Latch`` lets one program wait for what others have
done. Directives take no time and no energy of their own.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import simpy

from hwsim.chip.operations import Operation
from hwsim.chip.sweep import Sweep


@dataclass(frozen=True)
class Mark:
    """From here on the program's operations belong to a training step and begin with this sample."""

    step: int
    sample: int


@dataclass
class Latch:
    """Opens when it has been counted down ``count`` times; ``name`` says what it stands for."""

    name: str
    count: int
    waiting: list[simpy.Event] = field(default_factory=list)


@dataclass(frozen=True)
class CountDown:
    """Count a latch down by one."""

    latch: Latch


@dataclass(frozen=True)
class Await:
    """Wait until a latch is open."""

    latch: Latch


@dataclass(frozen=True)
class Start:
    """Set a program going beside this one; the result is its :class:`Task`. It inherits the step and sample."""

    name: str
    program: Program


@dataclass
class Task:
    """A program that was started, and its result once it has ended."""

    name: str
    done: Latch
    result: Any = None


@dataclass(frozen=True)
class Join:
    """Wait for the end of a task; the result is what its program returned."""

    task: Task


@dataclass(frozen=True)
class Claim:
    """Reserve room in the buffer, first come, first served; waits while it is full."""

    n_bytes: int
    name: str


@dataclass(frozen=True)
class Free:
    """Give back room that was claimed in the buffer."""

    n_bytes: int


@dataclass(frozen=True)
class Alone:
    """Ask whether no other program is under way; the result is the answer, which holds until the program's next one."""


Directive = Mark | CountDown | Await | Start | Join | Claim | Free | Alone | Sweep
Program = Generator[Operation | Directive, Any, Any]
