"""The work of one point of a sweep, in whatever process makes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hwsim.errors import HwsimError
from hwsim.run.config import RunSpec
from hwsim.run.execution import execute


@dataclass(frozen=True)
class Task:
    """A run to make: the number of its point, its configuration and the new folder that it goes to."""

    index: int
    spec: RunSpec
    out: Path


@dataclass(frozen=True)
class Outcome:
    """What became of a task: ``error`` is None where its run is complete. Its folder may hold a part of a run."""

    task: Task
    error: str | None


Scheduler = Callable[[Iterable[Task]], Iterator[Outcome]]
"""Makes runs, each in its folder, and gives their outcomes as they come."""


def make_run(spec: RunSpec, out: Path) -> str | None:
    """Make a run in the new folder ``out``; returns why it failed, or None."""
    try:
        execute(spec, out)
    except HwsimError as error:
        return str(error)
    except MemoryError:
        return "not enough memory for this run"
    return None


def make_run_elsewhere(spec: RunSpec) -> tuple[str | None, dict[str, bytes]]:
    """Make a run on a machine that shares no folder with the sweep; returns why it failed, and the run's files."""
    with TemporaryDirectory(prefix="hwsim-") as place:
        out = Path(place) / "run"
        error = make_run(spec, out)
        return error, {path.name: path.read_bytes() for path in sorted(out.glob("*")) if path.is_file()}


def put_files(files: dict[str, bytes], out: Path) -> None:
    """Write the files of a run that another machine has made; their names cannot lead out of ``out``."""
    out.mkdir()
    for name, content in files.items():
        (out / Path(name).name).write_bytes(content)
