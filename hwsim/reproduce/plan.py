"""Turns the description of an experiment into the runs it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hwsim import library
from hwsim.errors import DataError, UsageError, unknown
from hwsim.reproduce.floors import problem_of
from hwsim.run import RunSpec, resolve
from hwsim.spec.experiment import ExperimentSpec, Point, Series, Setting, Value
from hwsim.spec.load import build, load_document, load_trace, mutable, named_document
from hwsim.spec.training import TraceSpec
from hwsim.training.data import load_data

SCHEDULE = "trace.schedule"


@dataclass(frozen=True)
class Options:
    """What a user asks for: seeds, epochs, the reading of the source, data, overrides, smoke version."""

    seeds: tuple[int, ...] | None = None
    epochs: int | None = None
    variant: str | None = None
    data: Path | None = None
    set: Mapping[str, Any] = field(default_factory=dict)
    fast: bool = False
    jobs: int = 1


@dataclass(frozen=True)
class Case:
    """One run: a series at a swept value with a seed. ``arguments`` are those of :func:`hwsim.simulate`."""

    series: str
    at: Value | None
    seed: int
    arguments: dict[str, Any]
    start: dict[str, Any] | None = None
    """Arguments of the run whose weights it starts from."""

    @property
    def title(self) -> str:
        """What progress and run folders call it."""
        return " ".join([self.series, *([str(self.at)] if self.at is not None else []), f"seed {self.seed}"])


def load_experiment(name: str) -> ExperimentSpec:
    """Read an experiment by name or path.

    Raises:
        UsageError: there is none of this name.
        SpecError: it is wrong; every mistake at once.
    """
    if library.is_path(name):
        return build(ExperimentSpec, load_document(name))
    if name not in library.names("experiments"):
        raise UsageError(unknown("experiment", name, library.names("experiments")))
    return build(ExperimentSpec, named_document("experiments", name))


def choose_variant(spec: ExperimentSpec, name: str | None) -> str | None:
    """Return the reading of the source to take.

    Raises:
        UsageError: the experiment has none of this name.
    """
    if name is None:
        return next(iter(spec.variants), None)
    if name not in spec.variants:
        raise UsageError(unknown(f"variant of {spec.name}", name, list(spec.variants) or ["(it has none)"]))
    return name


def chosen(spec: ExperimentSpec, options: Options) -> ExperimentSpec:
    """Return the experiment as one reading of the source has it, without what its smoke version leaves out.

    Raises:
        UsageError: the reading is unknown.
    """
    variant = choose_variant(spec, options.variant)
    if variant is not None and (sweep := spec.variants[variant].sweep) is not None:
        kept = tuple(each for each in spec.published if each.at is None or each.at in sweep.values)
        spec = spec.model_copy(update={"sweep": sweep, "published": kept})
    if not options.fast:
        return spec
    fast = spec.fast
    changes: dict[str, Any] = {}
    if spec.sweep is not None and fast.points is not None:
        points = tuple(point for point in spec.sweep.points if point.value in fast.points)
        changes["sweep"] = spec.sweep.model_copy(update={"points": points})
        changes["published"] = tuple(each for each in spec.published if each.at is None or each.at in fast.points)
    if fast.series is not None:
        changes["series"] = tuple(each for each in spec.series if each.name in fast.series)
        changes["published"] = tuple(
            each for each in changes.get("published", spec.published) if each.series in fast.series
        )
    return spec.model_copy(update=changes)


def cases(spec: ExperimentSpec, options: Options) -> list[Case]:
    """Return every run of an experiment.

    Raises:
        InputError: a variant is unknown, or data do not fit.
    """
    seeds = options.seeds or (tuple(range(spec.seeds)) if not options.fast else (0,))
    variant = choose_variant(spec, options.variant)
    own_data = _own_data(spec, options.data)
    planned = [
        _case(spec, series, point, seed, variant, own_data, options)
        for series in spec.series
        for point in points_of(spec, series)
        for seed in seeds
    ]
    if own_data:
        _check_steps(planned)
    return planned


def _check_steps(planned: Sequence[Case]) -> None:
    """Raise a UsageError for rows on which the steps of digital SGD grow without bound."""
    for case in planned:
        run = resolve(**case.arguments)
        problem = problem_of(run) if run.algorithm.name == "digital-sgd" else None
        if problem is None or not isinstance(run.trace, TraceSpec):
            continue
        rate, largest = run.trace.learning_rate, float(np.linalg.eigvalsh(problem.hessian)[-1])
        if rate * largest >= 2:
            raise UsageError(
                f"{case.title} diverges on {run.trace.data.file}: its learning rate of {rate:g} must stay below 2 over "
                f"the largest eigenvalue of the Hessian, {largest:.3g}; divide x by {np.sqrt(rate * largest / 2):.2g} "
                "or more"
            )


def points_of(spec: ExperimentSpec, series: Series) -> Sequence[Point | None]:
    """Return the swept values at which a series runs; a single None for one that does not depend on them."""
    if spec.sweep is None or series.at == ():
        return [None]
    return [point for point in spec.sweep.points if series.at is None or point.value in series.at]


def _case(
    spec: ExperimentSpec, series: Series, point: Point | None, seed: int, variant: str | None, own_data: dict[str, Any],
    options: Options,
) -> Case:  # fmt: skip
    arguments = _arguments(spec, series, point, seed, variant, own_data, options)
    start = None
    if series.start is not None:
        name, steps = series.start
        before = next(each for each in spec.series if each.name == name)
        start = _arguments(spec, before, point, seed, variant, own_data, options) | {"steps": steps, "epochs": steps}
    return Case(series.name, point.value if point is not None else None, seed, arguments, start)


def _arguments(
    spec: ExperimentSpec, series: Series, point: Point | None, seed: int, variant: str | None, own_data: dict[str, Any],
    options: Options,
) -> dict[str, Any]:  # fmt: skip
    reading = spec.variants[variant] if variant is not None else None
    own = reading.series.get(series.name) if reading is not None else None
    layers: list[Setting | None] = [spec.common, reading, point, series, own]
    arguments: dict[str, Any] = {
        "trace": spec.trace, "seed": seed, "timing": spec.timing, "log": "none", "data": _folder(options.data),
    }  # fmt: skip
    settings: dict[str, Any] = {}
    for layer in layers:
        if layer is None:
            continue
        for name in ("chip", "device", "algorithm"):
            if getattr(layer, name) is not None:
                arguments[name] = mutable(getattr(layer, name))
        settings |= layer.set
    settings |= own_data | (spec.fast.set if options.fast else {}) | dict(options.set)
    arguments["set"] = mutable(settings)
    usual = _usual_epochs(spec, series, variant)
    arguments["epochs"] = options.epochs or (spec.fast.epochs if options.fast else None) or usual
    if options.epochs is not None and usual is not None:
        _stretch(arguments["set"], series, options.epochs / usual)
    _add_physics(arguments, [each for each in layers if each is not None], reads_all_columns=series.reads_all_columns)
    return arguments


def _usual_epochs(spec: ExperimentSpec, series: Series, variant: str | None) -> int | None:
    reading = spec.variants[variant] if variant is not None else None
    return series.epochs or (reading.epochs if reading is not None else None) or spec.epochs


def is_shortened(spec: ExperimentSpec, options: Options) -> bool:
    """Return whether some series has fewer epochs than the experiment gives it."""
    variant = choose_variant(spec, options.variant)
    usual = [_usual_epochs(spec, series, variant) or 0 for series in spec.series]
    return options.epochs is not None and options.epochs < max(usual)


def _stretch(settings: dict[str, Any], series: Series, factor: float) -> None:
    """Stretch the schedule that a series has of its own over its epochs."""
    if "every" in series.set.get(SCHEDULE, {}) and settings[SCHEDULE] == mutable(series.set[SCHEDULE]):
        every = max(1, round(settings[SCHEDULE]["every"] * factor))
        settings[SCHEDULE] = settings[SCHEDULE] | {"every": every}


def _add_physics(arguments: dict[str, Any], layers: Sequence[Setting], *, reads_all_columns: bool) -> None:
    """Set what tau and noise are for the algorithm of the run, and what depends on its data."""

    def last(name: str) -> Any:
        return next((value for each in reversed(layers) if (value := getattr(each, name)) is not None), None)

    tau, ratio, noise = last("tau"), last("tau_over_dw_min"), last("gradient_noise")
    run = resolve(**arguments)
    own = type(run.algorithm.parameters).model_fields
    found: dict[str, Any] = {}
    if tau is not None:
        found |= {"device.w_max": tau, "device.w_min": -tau} | ({"algorithm.tau": tau} if "tau" in own else {})
        found |= {"device.dw_min": tau / ratio} if ratio is not None else {}
    if noise is not None and "gradient_noise" in own:
        found["algorithm.gradient_noise"] = noise
    elif noise is not None:
        value = noise / (_mean_singular_value(run) if last("noise_of_reads") == "over-singular-values" else 1.0)
        found |= {f"tile.{read}.w_noise": value for read in ("forward", "backward")}
    if reads_all_columns:
        found["algorithm.n_reads_per_transfer"] = load_rows(run).shape[1]
    arguments["set"] = found | arguments["set"]


def _mean_singular_value(run: RunSpec) -> float:
    return float(np.linalg.svd(load_rows(run), compute_uv=False).mean())


def load_rows(run: RunSpec) -> np.ndarray:
    """Return the training inputs (n, d) of a run on data."""
    assert isinstance(run.trace, TraceSpec)
    return load_data(run.trace.data, data_dir=run.data_dir, seed=run.seed).x_train.astype(float)


def _folder(data: Path | None) -> str | None:
    return str(data) if data is not None and data.suffix != ".npz" else None


def _own_data(spec: ExperimentSpec, data: Path | None) -> dict[str, Any]:
    """Return what makes a least-squares experiment take the rows of an ``.npz`` in place of drawn ones.

    Raises:
        DataError: the file cannot be read, or has no ``x`` (n, d) and ``y`` (n,).
        UsageError: the experiment does not take such a file.
    """
    if data is None or data.suffix != ".npz" or spec.trace is None:
        return {}
    if load_trace(spec.trace).data.name != "least-squares":
        raise UsageError(f"{spec.name} takes a folder of data files with --data, not {data}")
    try:
        with np.load(data, allow_pickle=False) as stored:
            x = stored["x"]
    # zipfile, zlib and numpy raise some ten types of error for missing and damaged files.
    except Exception:
        raise DataError(f"{data}: not a readable .npz with arrays x (n, d) and y (n,)") from None
    return {
        "trace.data": {"file": str(data), "normalisation": "none", "test_fraction": 0},
        "trace.network.layers.0.inputs": int(np.prod(x.shape[1:])),
        "trace.batch_size": len(x),
    }
