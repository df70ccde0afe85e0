"""Description of a published experiment: the runs it takes, what is measured, what was published, what must hold."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hwsim.spec.base import Spec
from hwsim.spec.training import named_choice

Value = float | int | str
Measure = Literal["floor", "accuracy"]
FigureKind = Literal["floors", "curves", "panels", "accuracy", "histogram", "bars", "figures", "cost"]


class Setting(Spec):
    """What a run is told beside its trace; later settings come on top of earlier ones."""

    chip: str | None = None
    device: str | dict[str, Any] | None = None
    algorithm: str | dict[str, Any] | None = None
    set: dict[str, Any] = Field(default_factory=dict)
    """Values by path, as with ``hwsim run --set``."""
    tau: float | None = Field(None, gt=0)
    """Saturation level: ``w_max`` and ``-w_min`` of the device, ``tau`` of the smooth dynamic."""
    tau_over_dw_min: float | None = Field(None, gt=0)
    """Steps from 0 to tau at the size of a step at 0: sets ``dw_min`` of the device."""
    gradient_noise: float | None = Field(None, ge=0)
    """Standard deviation of the noise: on the gradient where the algorithm is digital, on every weight in a read where
    it is not."""
    noise_of_reads: Literal["same", "over-singular-values"] | None = None
    """What the noise on a weight is: the ``same`` number, or that over the mean singular value of the data's matrix, by
    which the published code converts the one into the other."""

    _named = field_validator("device", "algorithm", mode="before")(named_choice)


class Series(Setting):
    """One line of a figure: runs that differ in the swept value only."""

    name: str = Field(min_length=1)
    at: tuple[Value, ...] | None = None
    """Swept values at which it runs; None: all; empty: it does not depend on them and runs once."""
    epochs: int | None = Field(None, ge=1)
    """Epochs of its runs, in place of the experiment's."""
    note: str = ""
    """What a reader should know about it, such as that the publication does not have it."""
    window: float | None = Field(None, gt=0, le=1)
    """Share of the steps at its end over which its floor is the mean, in place of the experiment's."""
    reads_all_columns: bool = False
    """True: a transfer takes all columns of the first layer (``n_reads_per_transfer`` is its inputs)."""
    start: tuple[str, int] | None = None
    """A series of the same experiment and its training steps after which this one starts, from its weights."""


class Point(Setting):
    """One swept value, and what it sets."""

    value: Value


class Sweep(Spec):
    """What is varied within a series."""

    label: str
    """Name of the quantity, with its unit, as an axis has it."""
    points: tuple[Point, ...] = Field(min_length=1)
    log: bool = False

    @property
    def values(self) -> tuple[Value, ...]:
        """The swept values."""
        return tuple(point.value for point in self.points)


class Variant(Setting):
    """One reading of the source, where its text and its published code differ."""

    description: str = Field(min_length=1)
    epochs: int | None = Field(None, ge=1)
    sweep: Sweep | None = None
    """What is varied in this reading, in place of the experiment's."""
    series: dict[str, Setting] = Field(default_factory=dict)
    """What it sets for single series, by their names."""


class Fast(Spec):
    """What the smoke version leaves out."""

    epochs: int | None = Field(None, ge=1)
    points: tuple[Value, ...] | None = None
    """Swept values that it runs; None: all."""
    series: tuple[str, ...] | None = None
    set: dict[str, Any] = Field(default_factory=dict)


class PublishedValue(Spec):
    """A published number: of which series, at which swept value."""

    series: str
    at: Value | None = None
    value: float
    spread: float | None = None
    """Standard deviation over the published runs."""
    epochs: int | None = None
    """Training that the number took; None: the experiment's."""


class FigureSpec(Spec):
    """What the figure shows."""

    kind: FigureKind
    x: str = ""
    y: str = ""
    log_x: bool = False
    log_y: bool = False
    smooth: float = Field(0.0, ge=0, lt=1)
    """Share of the last value in an exponential mean along a curve, as published figures have it."""


class ExperimentSpec(Spec):
    """A published experiment."""

    kind: Literal["experiment"] = "experiment"
    name: str = Field(min_length=1)
    title: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    """Where settings and results are published; an assumption says that it is one."""
    chips: tuple[str, ...] = ()
    """Chips whose published figures are measured; the experiment has no training runs then."""
    trace: str | None = None
    epochs: int | None = Field(None, ge=1)
    seeds: int = Field(3, ge=1)
    timing: bool = False
    """True: the runs have time and energy."""
    needs_data: bool = False
    """True: the trace needs files (``--data``)."""
    common: Setting = Setting()
    variants: dict[str, Variant] = Field(default_factory=dict)
    """Readings of the source by name; the first one is the default."""
    sweep: Sweep | None = None
    series: tuple[Series, ...] = ()
    measure: Measure = "floor"
    window: float = Field(0.4, gt=0, le=1)
    """Share of the steps at the end over which a floor is the mean."""
    per_input: bool = False
    """True: losses are divided by the width of the input, as the published code does."""
    unit: str = ""
    targets: tuple[float, ...] = ()
    """Accuracies, %, whose time and energy are told."""
    published: tuple[PublishedValue, ...] = ()
    checks: tuple[dict[str, Any], ...] = ()
    """What must hold (``hwsim.reproduce.checks``); each has ``check`` and its parameters."""
    figure: FigureSpec
    fast: Fast = Fast()
    assumptions: tuple[str, ...] = ()
    """What the results rest on beside the sources."""

    @model_validator(mode="after")
    def _fits(self) -> ExperimentSpec:
        problems = []
        if (self.trace is None) == (not self.chips):
            problems.append("give either a trace with series, or chips")
        if self.trace is not None and not self.series:
            problems.append("an experiment with a trace needs series")
        names = {each.name for each in self.series}
        values = self.sweep.values if self.sweep is not None else ()
        for published in self.published:
            if published.series not in names:
                problems.append(f"published: there is no series '{published.series}'")
            if published.at is not None and published.at not in values:
                problems.append(f"published: {published.at} is not swept")
        for series in self.series:
            unknown = [each for each in series.at or () if each not in values]
            problems += [f"series '{series.name}': {each} is not swept" for each in unknown]
            if series.start is not None and series.start[0] not in names:
                problems.append(f"series '{series.name}' starts from '{series.start[0]}', which does not exist")
        for name, variant in self.variants.items():
            problems += [
                f"variant '{name}': there is no series '{each}'" for each in variant.series if each not in names
            ]
        for check in self.checks:
            if not isinstance(check.get("check"), str):
                problems.append("every check needs the name of what it checks: {check: NAME, ...}")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def variant_names(self) -> tuple[str, ...]:
        """The readings of the source, the default first."""
        return tuple(self.variants)
