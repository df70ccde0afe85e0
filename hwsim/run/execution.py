"""``simulate``: builds the chip, trains, and leaves a run folder behind."""

from __future__ import annotations

import gc
import json
import shutil
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.chip.activity import ActivityChip
from hwsim.chip.chip import Chip
from hwsim.chip.line_log import LINE_COLUMNS
from hwsim.chip.probe import Probe
from hwsim.devices import single_thread_blas
from hwsim.engine.gauges import GAUGE_COLUMNS
from hwsim.engine.ledger import COLUMNS
from hwsim.errors import DataError, HwsimError, MappingError, RunError, RunInterrupted, UsageError
from hwsim.results import Run, open_run
from hwsim.results.record import Record
from hwsim.run.checkpoint import read_checkpoint, remove_checkpoint
from hwsim.run.checkpoints import CheckpointPlan, Checkpoints, check_origin, check_plan, open_folder
from hwsim.run.config import DEFAULT_TRACE, Log, RunSpec, configured, located, resolve
from hwsim.run.devices import DeviceRecord
from hwsim.run.folder import LINE_READ_COLUMNS, PULSE_COLUMNS, RunFolder, check_new, free_path
from hwsim.run.interrupt import noted_interrupts
from hwsim.run.outcome import metric_row, phase_rows, write_outcome
from hwsim.spec.device import DeviceSpec
from hwsim.spec.network_trace import NetworkTraceSpec
from hwsim.spec.recorded import RecordedTraceSpec
from hwsim.spec.training import TraceSpec
from hwsim.training.activity import ActivityTrainer
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.data import DataSet, check_fit, load_data
from hwsim.training.recorded import RecordedFile
from hwsim.training.recording import Recording, recorded_to
from hwsim.training.replay import ReplayTrainer
from hwsim.training.trainer import StepMetrics, Trainer

Progress = Callable[[int, int, int, Mapping[str, float]], None]
RUNS = Path("runs")


def simulate(
    trace: str = DEFAULT_TRACE,
    *,
    chip: str | None = None,
    device: str | Mapping[str, Any] | DeviceSpec | None = None,
    algorithm: str | Mapping[str, Any] | None = None,
    seed: int = 0,
    epochs: int | None = None,
    steps: int | None = None,
    data: str | Path | None = None,
    set: Mapping[str, Any] | Sequence[str] | None = None,
    log: Log | None = None,
    probe: Sequence[str] = (),
    timing: bool = True,
    threads: int = 1,
    fidelity: str = "device",
    statistics: str | Path | None = None,
    out: str | Path | None = None,
    record: str | Path | None = None,
    checkpoint: int | None = None,
    progress: Progress | None = None,
) -> Run:
    """Train a network on a simulated chip and return the finished run.

    Args:
        trace: name or file of a live trace, an ``.npz`` with arrays ``x`` and ``y``, or a recorded trace (Parquet).
        chip: name or file of a chip; None: ``baseline``.
        device: name or file of a device, or a mapping with ``name`` and overrides; None: the trace's or the chip's.
        algorithm: name of an algorithm, or a mapping with ``name`` and parameters; None: the trace's.
        seed: seed of every random number.
        epochs: epochs to train; None: the trace's.
        steps: stop after so many mini-batches.
        data: folder of data files.
        set: overrides, ``{"tile.rows": 128}`` or ``["tile.rows=128"]``.
        log: ``none``, ``events`` (the default with timing) or ``pulses``.
        probe: regions of a pulse log, ``TILE[:ROWS[:COLS]]``.
        timing: False: only the numbers; no time and no energy. The weights are the same.
        threads: threads of the device kernels; they change no number.
        fidelity: ``device`` keeps every device; ``activity`` keeps none: statistics stand for the data, and the run has
            time and energy, no loss and no weights.
        statistics: at activity fidelity: a run folder, a file or a name; None: the trace's, or an assumption.
        out: a new folder; None: a free one in ``runs``.
        record: a new Parquet file for the vectors of every step, to be replayed on other chips; only of live traces at
            device fidelity.
        checkpoint: steps between two checkpoints, from which :func:`hwsim.resume` goes on after whatever ended the run;
            None: only when the run is interrupted (SIGINT, SIGTERM).
        progress: called with (step, steps, epoch, metrics) after each step.

    Raises:
        InputError: an argument or description is wrong; nothing has been written.
        RunError: the run failed; its folder says so.
        RunInterrupted: it was interrupted, finished its step and has left a checkpoint.
    """
    spec = resolve(
        trace, chip=chip, device=device, algorithm=algorithm, seed=seed, epochs=epochs, steps=steps, data=data, set=set,
        log=log, probe=probe, timing=timing, threads=threads, fidelity=fidelity, statistics=statistics,
    )  # fmt: skip
    if out is not None:
        check_new(Path(out))
    if record is not None and (spec.fidelity != "device" or not isinstance(spec.trace, TraceSpec)):
        raise UsageError("only live traces at device fidelity have vectors that can be recorded: leave record out")
    plan = check_plan(checkpoint, recorded=record is not None)
    try:
        return execute(
            spec, None if out is None else Path(out), progress, None if record is None else Path(record), plan
        )
    except MappingError as error:
        raise located(error, chip, set) from error


def resume(
    run: str | Path, *, data: str | Path | None = None, checkpoint: int | None = None, progress: Progress | None = None
) -> Run:
    """Go on with a run from its last checkpoint; it ends as if it had never been interrupted, byte for byte.

    A run that is complete is returned as it is.

    Args:
        run: its folder.
        data: folder of data files, if they have moved.
        checkpoint: steps between two further checkpoints; None: only when the run is interrupted again.
        progress: called with (step, steps, epoch, metrics) after each step.

    Raises:
        InputError: the folder holds no run to go on with, or no checkpoint that is whole and fits it.
        RunError: the run failed; its folder says so.
        RunInterrupted: it was interrupted again.
    """
    path = Path(run)
    record = Record(path)
    if record.state == "complete":
        # It may have been killed just before its checkpoint was gone.
        remove_checkpoint(path)
        return open_run(path)
    spec = configured(record.config, path / "config.yaml")
    if data is not None:
        spec = spec.model_copy(update={"data_dir": str(data)})
    if spec.hash != record.info.get("config_hash"):
        raise DataError(f"{path / 'config.yaml'} is not the configuration that the run was begun with (run.json)")
    plan = check_plan(checkpoint, recorded=False)
    state = read_checkpoint(path, config_hash=spec.hash)
    return execute(spec, path, progress, None, plan, Continued(record.info, state))


@dataclass(frozen=True)
class Continued:
    """What a run goes on from: its ``run.json`` and the state of its checkpoint."""

    info: Mapping[str, Any]
    state: Mapping[str, Any]


def execute(
    spec: RunSpec,
    out: Path | None = None,
    progress: Progress | None = None,
    record: Path | None = None,
    plan: CheckpointPlan | None = None,
    continued: Continued | None = None,
) -> Run:
    """Run a resolved configuration; see :func:`simulate` and :func:`resume`."""
    begun = time.perf_counter()
    samples = _samples(spec)
    folder: RunFolder | None = None

    def made() -> RunFolder:
        assert folder is not None
        return folder

    with single_thread_blas(), recorded_to(record, spec.trace.name, spec.seed) as recording:
        chip = build_chip(spec, **log_sinks(spec, made))
        trainer = _trainer(spec, samples, chip, recording)
        chip.finish_placement()
        if continued is None or out is None:
            folder = new_folder(spec, chip, out)
        else:
            check_origin(out, continued.state, spec, samples)
            folder = open_folder(out, continued.info, continued.state, chip.tables.rows())
        path = folder.path
        started = time.perf_counter()
        try:
            with kept_out_of_collection(), noted_interrupts(wanted=plan is not None) as interrupts:
                history: deque[StepMetrics] = deque(maxlen=trainer.steps_per_epoch)
                devices = DeviceRecord(chip) if spec.fidelity == "device" else None
                checkpoints = Checkpoints(
                    plan or CheckpointPlan(), spec, samples, chip, trainer, folder, devices, history, interrupts
                )
                if continued is not None:
                    checkpoints.restore(continued.state)
                _run(checkpoints, progress)
        except BaseException as error:
            reason = str(error) or type(error).__name__
            stopped = isinstance(error, RunInterrupted)
            with suppress(OSError):  # where the disk is full, run.json cannot say so, but this error does
                folder.close(host_seconds={"total": time.perf_counter() - begun}, error=reason, interrupted=stopped)
            if isinstance(error, HwsimError) or not isinstance(error, Exception):
                raise
            raise RunError(f"the run failed: {reason}; its folder is {path}") from error
    ended = time.perf_counter()
    try:
        folder.close(host_seconds={"set_up": started - begun, "run": ended - started, "total": ended - begun})
    except OSError as error:
        raise RunError(f"the run failed: cannot write {path / 'run.json'}: {error.strerror or error}") from error
    remove_checkpoint(path)
    return open_run(path)


def new_folder(spec: RunSpec, chip: Chip, out: Path | None) -> RunFolder:
    """Make the folder of a run that is about to begin; None: a free one in ``runs``.

    Raises:
        RunError: there is no room for it; nothing of it is left.
    """
    path = out or free_path(RUNS, f"{spec.trace.name}-{spec.algorithm.title}")
    try:
        return _filled(RunFolder(path, spec.model_dump(mode="json"), seed=spec.seed, config_hash=spec.hash), spec, chip)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise RunError(f"cannot write the run folder {path}: {error.strerror or error}") from error


def _filled(folder: RunFolder, spec: RunSpec, chip: Chip) -> RunFolder:
    folder.write_yaml("tables.yaml", chip.tables.rows())
    if spec.log != "none":
        folder.table("events", COLUMNS)
        folder.table("gauges", GAUGE_COLUMNS)
    if spec.log == "pulses":
        folder.table("pulses", PULSE_COLUMNS, {"hwsim.probes": json.dumps(chip.probed())})
        folder.table("line_reads", LINE_READ_COLUMNS)
        folder.table("lines", LINE_COLUMNS)
    return folder


def log_sinks(spec: RunSpec, folder: Callable[[], RunFolder]) -> dict[str, Any]:
    """Return what takes the logs of a run's chip, which is built before there is a folder."""
    sinks: dict[str, Any] = {}
    if spec.log != "none":
        sinks["events"] = lambda table: folder().write_events(table)
        sinks["gauges"] = lambda *change: folder().write_gauges(*change)
    if spec.log == "pulses":
        sinks["pulses"] = lambda columns: folder().write_pulses(columns)
        sinks["line_reads"] = lambda columns: folder().write_line_reads(columns)
        sinks["lines"] = lambda *fired: folder().write_lines(*fired)
    return sinks


@contextmanager
def kept_out_of_collection() -> Iterator[None]:
    """Spare the garbage collector what exists already: a run makes many objects that live for one operation."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _samples(spec: RunSpec) -> DataSet | int:
    """Return the data, or how many training samples an epoch has where that is all that is needed."""
    known = spec.statistics
    if isinstance(spec.trace, NetworkTraceSpec | RecordedTraceSpec):
        return spec.trace.samples
    if known is not None and known.samples is not None and known.trace == spec.trace.name:
        return min(known.samples, spec.trace.data.limit_train or known.samples)
    samples = load_data(spec.trace.data, data_dir=spec.data_dir, seed=spec.seed)
    check_fit(samples, spec.trace)
    return samples if known is None else len(samples.x_train)


def build_chip(spec: RunSpec, **sinks: Any) -> Chip:
    """Build the chip of a run; ``sinks`` take its logs."""
    shared = {
        "seed": spec.seed, "threads": spec.threads, "timing": spec.timing, "replicas": spec.trace.layer_replicas(),
        **sinks,
    }  # fmt: skip
    if spec.statistics is not None:
        return ActivityChip(spec.chip, spec.device, statistics=spec.statistics, **shared)
    return Chip(spec.chip, spec.device, probes=[Probe.parse(text) for text in spec.probe], **shared)


def _trainer(spec: RunSpec, samples: DataSet | int, chip: Chip, recording: Recording | None = None) -> Trainer:
    algorithm = ALGORITHMS.get(spec.algorithm.name)(spec.algorithm.parameters, chip, spec.seed)
    if recording is not None:
        algorithm = recording.of(algorithm)
    if isinstance(spec.trace, RecordedTraceSpec):
        return ReplayTrainer(spec.trace, RecordedFile(str(spec.trace.file)), chip, algorithm, spec.seed)
    if isinstance(chip, ActivityChip):
        assert isinstance(samples, int)
        return ActivityTrainer(spec.trace, samples, chip, algorithm, spec.seed)
    assert isinstance(samples, DataSet)
    assert isinstance(spec.trace, TraceSpec)
    return Trainer(spec.trace, samples, chip, algorithm, spec.seed)


def _run(run: Checkpoints, progress: Progress | None) -> None:
    spec, chip, trainer, folder, history = run.spec, run.chip, run.trainer, run.folder, run.history
    n_steps = min(spec.epochs * trainer.steps_per_epoch, spec.steps or spec.epochs * trainer.steps_per_epoch)

    def report(metrics: StepMetrics) -> None:
        history.append(metrics)
        folder.write_metrics(metric_row(metrics, timed=spec.timing))
        if spec.timing and (metrics.test_loss == metrics.test_loss or metrics.step + 1 == n_steps):
            folder.write_phases(*phase_rows(metrics.step, chip.phases_so_far()))
        if progress is not None:
            progress(metrics.step + 1, n_steps, metrics.epoch, dict(vars(metrics)))

    try:
        # Overflow is not silent: the trainer refuses values that are not finite with a message of its own.
        with np.errstate(over="ignore", invalid="ignore"):
            chip.run(trainer.program(spec.epochs, spec.steps, report, run.between_steps))
    finally:
        chip.finish()
    write_outcome(spec, chip, trainer, folder, list(history), run.devices)
