"""When a run takes checkpoints, what is in them, and how a run goes on from one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.chip.checkpoint import chip_state, restore_chip
from hwsim.chip.chip import Chip
from hwsim.errors import DataError, RunError, RunInterrupted, UsageError
from hwsim.run.checkpoint import CHECKPOINT_FILE, write_checkpoint
from hwsim.run.config import RunSpec
from hwsim.run.devices import DeviceRecord
from hwsim.run.folder import RunFolder
from hwsim.run.interrupt import Interrupts
from hwsim.training.data import DataSet
from hwsim.training.trainer import StepMetrics, Trainer


@dataclass(frozen=True)
class CheckpointPlan:
    """A checkpoint after every ``every`` steps (0: only when the run is interrupted)."""

    every: int = 0


def check_plan(every: int | None, *, recorded: bool) -> CheckpointPlan | None:
    """Return when checkpoints are taken; None where there are none.

    Raises:
        UsageError: they are asked for where there can be none.
    """
    if every is not None and every < 1:
        raise UsageError(f"checkpoints come every 1 steps or more, got {every}")
    if not recorded:
        return CheckpointPlan(every or 0)
    if every is not None:
        raise UsageError(
            "no checkpoints: a run that records its vectors cannot be taken up again; leave out record, or checkpoint"
        )
    return None


@dataclass
class Checkpoints:
    """Takes the checkpoints of a run, between two of its steps.

    Steps of a ``delayed`` schedule overlap; there it is between two epochs.
    """

    plan: CheckpointPlan
    spec: RunSpec
    samples: Any
    chip: Chip
    trainer: Trainer
    folder: RunFolder
    devices: DeviceRecord | None
    history: Any
    interrupts: Interrupts
    last: int = 0

    def between_steps(self) -> None:
        """Take a checkpoint if one is due, and stop where the run was interrupted.

        Raises:
            RunInterrupted: it was.
            RunError: the checkpoint cannot be written.
        """
        due = self.plan.every and self.trainer.step // self.plan.every > self.last // self.plan.every
        if not due and not self.interrupts.received:
            return
        if not self.chip.idle:
            raise RunError("operations are under way between two steps: no checkpoint can be taken")
        write_checkpoint(self.folder.path, self.state(), config_hash=self.spec.hash)
        self.last = self.trainer.step
        if self.interrupts.received:
            raise RunInterrupted(self.folder.path, self.trainer.step, self.interrupts.received)

    def state(self) -> dict[str, Any]:
        """Return the state of the whole run."""
        return {
            "hwsim": version("hwsim"),
            "data": digest(self.samples),
            "chip": chip_state(self.chip),
            "trainer": self.trainer.state(),
            "history": [list(asdict(metrics).values()) for metrics in self.history],
            "start": [] if self.devices is None else self.devices.state(),
            "tables": self.folder.checkpoint(),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned: on a new chip and trainer, in the folder of the run.

        Raises:
            DataError: the state is of another chip.
        """
        path = self.folder.path
        try:
            restore_chip(self.chip, state["chip"])
            self.trainer.restore(state["trainer"])
            self.history.extend(StepMetrics(*values) for values in state["history"])
            if self.devices is not None:
                self.devices.restore(state["start"])
        except (KeyError, ValueError, TypeError, IndexError, AttributeError) as error:
            raise DataError(f"{path / CHECKPOINT_FILE} does not fit the chip of its run: {error}") from error
        self.last = self.trainer.step


def digest(samples: DataSet | int) -> str:
    """Return what tells one data set from another."""
    if not isinstance(samples, DataSet):
        return str(samples)
    found = sha256()
    for array in (samples.x_train, samples.y_train, samples.x_test, samples.y_test):
        found.update(f"{array.shape}{array.dtype}".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def check_origin(path: Path, state: Mapping[str, Any], spec: RunSpec, samples: DataSet | int) -> None:
    """Check that a checkpoint in the run folder ``path`` is of this version of hwsim, and of these data.

    Raises:
        DataError: it is not.
    """
    here = version("hwsim")
    if state.get("hwsim") != here:
        raise DataError(
            f"{path / CHECKPOINT_FILE} was written by hwsim {state.get('hwsim')}, and this is {here}, which may give "
            "other numbers: resume with the version that began the run"
        )
    if state.get("data") != digest(samples):
        raise DataError(
            f"the data of trace '{spec.trace.name}' have changed since the run {path} was begun: bring them back"
        )


def open_folder(
    path: Path, info: Mapping[str, Any], state: Mapping[str, Any], costs: Sequence[Mapping[str, Any]]
) -> RunFolder:
    """Open the folder of a run to go on with it, its tables cut back to where they were in the checkpoint.

    ``costs`` are the rows of its ``tables.yaml``, whose end a loss of power may have taken.

    Raises:
        DataError: a table is shorter than it was, or a file is a link, which could lead out of the folder.
    """
    links = sorted(entry.name for entry in path.iterdir() if entry.is_symlink())
    if links:
        raise DataError(f"{path / links[0]} is a link, and a run is resumed in its own folder only: take it away")
    try:
        folder = RunFolder.reopen(path, info, state["tables"])
        folder.write_yaml("tables.yaml", costs)
        return folder
    except OSError as error:
        raise DataError(f"cannot go on in {path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"the tables in {path} do not fit its checkpoint: {error}") from None
