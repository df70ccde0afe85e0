"""``simulate``: builds the chip, trains, and leaves a run folder behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.chip.activity import ActivityChip
from hwsim.chip.chip import Chip
from hwsim.chip.probe import Probe
from hwsim.devices import single_thread_blas
from hwsim.engine.ledger import COLUMNS
from hwsim.errors import HwsimError, RunError
from hwsim.results import Run, open_run
from hwsim.run.activity import STATISTICS_FILE, recorded
from hwsim.run.config import DEFAULT_TRACE, Log, RunSpec, resolve
from hwsim.run.folder import METRIC_COLUMNS, PHASE_COLUMNS, PULSE_COLUMNS, RunFolder, check_new, free_path
from hwsim.run.statistics import statistics, statistics_text
from hwsim.run.summary import summarize
from hwsim.spec.device import DeviceSpec
from hwsim.spec.network_trace import NetworkTraceSpec
from hwsim.spec.training import TraceSpec
from hwsim.training.activity import ActivityTrainer
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.data import DataSet, check_fit, load_data
from hwsim.training.network_trainer import NetworkTrainer
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
    progress: Progress | None = None,
) -> Run:
    """Train a network on a simulated chip and return the finished run.

    Args:
        trace: name or file of a live trace, or an ``.npz`` with arrays ``x`` and ``y``.
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
        progress: called with (step, steps, epoch, metrics) after each step.

    Raises:
        InputError: an argument or description is wrong; nothing has been written.
        RunError: the run failed; its folder says so.
    """
    spec = resolve(
        trace, chip=chip, device=device, algorithm=algorithm, seed=seed, epochs=epochs, steps=steps, data=data, set=set,
        log=log, probe=probe, timing=timing, threads=threads, fidelity=fidelity, statistics=statistics,
    )  # fmt: skip
    if out is not None:
        check_new(Path(out))
    return execute(spec, None if out is None else Path(out), progress)


def execute(spec: RunSpec, out: Path | None = None, progress: Progress | None = None) -> Run:
    """Run a resolved configuration; see :func:`simulate`."""
    begun = time.perf_counter()
    samples = _samples(spec)
    folder: RunFolder | None = None

    def events(table: Any) -> None:
        assert folder is not None
        folder.write_events(table)

    def pulses(columns: Any) -> None:
        assert folder is not None
        folder.write_pulses(columns)

    with single_thread_blas():
        chip = _chip(
            spec, events=events if spec.log != "none" else None, pulses=pulses if spec.log == "pulses" else None
        )
        trainer = _trainer(spec, samples, chip)
        chip.finish_placement()
        path = out or free_path(RUNS, f"{spec.trace.name}-{spec.algorithm.title}")
        folder = RunFolder(path, spec.model_dump(mode="json"), seed=spec.seed, config_hash=spec.hash)
        folder.write_yaml("tables.yaml", chip.tables.rows())
        if spec.log != "none":
            folder.table("events", COLUMNS)
        if spec.log == "pulses":
            folder.table("pulses", PULSE_COLUMNS)
        started = time.perf_counter()
        try:
            _run(spec, chip, trainer, folder, progress)
        except BaseException as error:
            reason = str(error) or type(error).__name__
            folder.close(host_seconds={"total": time.perf_counter() - begun}, error=reason)
            if isinstance(error, HwsimError) or not isinstance(error, Exception):
                raise
            raise RunError(f"the run failed: {reason}; its folder is {path}") from error
    ended = time.perf_counter()
    folder.close(host_seconds={"set_up": started - begun, "run": ended - started, "total": ended - begun})
    return open_run(path)


def _samples(spec: RunSpec) -> DataSet | int:
    """Return the data, or how many training samples an epoch has where that is all that is needed."""
    known = spec.statistics
    if isinstance(spec.trace, NetworkTraceSpec):
        return spec.trace.samples
    if known is not None and known.samples is not None and known.trace == spec.trace.name:
        return min(known.samples, spec.trace.data.limit_train or known.samples)
    samples = load_data(spec.trace.data, data_dir=spec.data_dir, seed=spec.seed)
    check_fit(samples, spec.trace)
    return samples if known is None else len(samples.x_train)


def _chip(spec: RunSpec, **sinks: Any) -> Chip:
    shared = {"seed": spec.seed, "threads": spec.threads, "timing": spec.timing, **sinks}
    if spec.statistics is not None:
        replicas = spec.trace.layer_replicas() if isinstance(spec.trace, NetworkTraceSpec) else {}
        return ActivityChip(spec.chip, spec.device, statistics=spec.statistics, replicas=replicas, **shared)
    return Chip(spec.chip, spec.device, probes=[Probe.parse(text) for text in spec.probe], **shared)


def _trainer(spec: RunSpec, samples: DataSet | int, chip: Chip) -> Trainer:
    algorithm = ALGORITHMS.get(spec.algorithm.name)(spec.algorithm.parameters, chip, spec.seed)
    if isinstance(chip, ActivityChip):
        if isinstance(spec.trace, NetworkTraceSpec):
            return NetworkTrainer(spec.trace, chip, algorithm, spec.seed)
        assert isinstance(samples, int)
        return ActivityTrainer(spec.trace, samples, chip, algorithm, spec.seed)
    assert isinstance(samples, DataSet)
    assert isinstance(spec.trace, TraceSpec)
    return Trainer(spec.trace, samples, chip, algorithm, spec.seed)


def _run(spec: RunSpec, chip: Chip, trainer: Trainer, folder: RunFolder, progress: Progress | None) -> None:
    history: list[StepMetrics] = []
    phases: dict[int, dict[str, tuple[float, float]]] = {}
    n_steps = min(spec.epochs * trainer.steps_per_epoch, spec.steps or spec.epochs * trainer.steps_per_epoch)

    def report(metrics: StepMetrics) -> None:
        history.append(metrics)
        if spec.timing and (metrics.test_loss == metrics.test_loss or metrics.step + 1 == n_steps):
            phases[metrics.step] = chip.phases_so_far()
        if progress is not None:
            progress(metrics.step + 1, n_steps, metrics.epoch, asdict(metrics))

    try:
        # Overflow is not silent: the trainer refuses values that are not finite with a message of its own.
        with np.errstate(over="ignore", invalid="ignore"):
            chip.run(trainer.program(spec.epochs, spec.steps, report))
    finally:
        chip.finish()
        if history:
            _write_metrics(folder, history, timed=spec.timing)
        if phases:
            _write_phases(folder, phases)
    summary = summarize(spec, chip, trainer, history[-1], history)
    folder.write_json("summary.json", summary)
    rows = statistics(chip, summary)
    folder.write_text("stats.txt", statistics_text(rows))
    columns = {"path": ("string", "1", "statistic"), "value": ("float64", "1", "its value, in its unit"),
               "description": ("string", "1", "what it is"), "unit": ("string", "1", "unit of the value")}  # fmt: skip
    folder.write_table("stats", columns, dict(zip(columns, zip(*rows, strict=True), strict=True)))
    if spec.fidelity == "device":
        folder.write_weights(trainer.weights())
        said = (
            f"recorded by hwsim at device fidelity: trace {spec.trace.name}, chip {spec.chip.name}, device "
            f"{spec.device.name}, algorithm {spec.algorithm.title}, seed {spec.seed}, {trainer.step} steps"
        )
        folder.write_yaml(
            STATISTICS_FILE,
            recorded(
                chip, trace=spec.trace.name, algorithm=spec.algorithm.name, samples=trainer.samples_per_epoch, said=said
            ),
        )


def _write_phases(folder: RunFolder, phases: Mapping[int, Mapping[str, tuple[float, float]]]) -> None:
    names = sorted({phase for costs in phases.values() for phase in costs})
    rows = [
        (step, names.index(phase), t_ps * 1e-12, energy)
        for step, costs in phases.items()
        for phase, (t_ps, energy) in costs.items()
    ]
    columns = dict(zip(PHASE_COLUMNS, map(np.array, zip(*rows, strict=True)), strict=True))
    folder.table("phases", PHASE_COLUMNS).write(columns, names)


def _write_metrics(folder: RunFolder, history: list[StepMetrics], *, timed: bool) -> None:
    rows = [asdict(row) for row in history]
    for row in rows:
        row["t_s"] = row.pop("t_ps") * 1e-12 if timed else float("nan")
        row["energy_J"] = row["energy_J"] if timed else float("nan")
    folder.write_table("metrics", METRIC_COLUMNS, {name: [row[name] for row in rows] for name in METRIC_COLUMNS})
