"""What must hold of the results of an experiment: each check is a description with a verdict."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from hwsim.errors import Problem, SpecError, UsageError
from hwsim.registry import Registry
from hwsim.reproduce.measures import summarized
from hwsim.spec.base import Spec
from hwsim.spec.experiment import ExperimentSpec, Value
from hwsim.spec.load import Document, build, mutable

State = Literal["pass", "fail", "not judged"]


@dataclass(frozen=True)
class Verdict:
    """What a check says: its statement, what was found, and whether it holds."""

    statement: str
    found: str
    state: State


class Undecided(Exception):
    """Why runs that are there cannot decide a statement; no error."""


class Check(Spec):
    """Base of the checks. ``judge`` gets the table of :func:`hwsim.reproduce.measures.measure`."""

    note: str = ""
    """Where the statement comes from, or why it has this tolerance."""
    epochs: float = 0.0
    """Shorter runs are not judged."""

    @property
    @abstractmethod
    def statement(self) -> str:
        """What must hold, in words."""

    @abstractmethod
    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:
        """Return what was found and whether it holds.

        Raises:
            LookupError: the table does not have what it needs.
            Undecided: what it has cannot decide.
        """


CHECKS: Registry[type[Check]] = Registry("checks", "check of an experiment")


def verdicts(spec: ExperimentSpec, table: pd.DataFrame, *, shortened: bool) -> list[Verdict]:
    """Return the verdict of every check.

    Shortened runs are not judged, and a statement on floors does not fail by runs that still fall.
    """
    found = []
    for check in checks_of(spec):
        text = check.statement + (f" ({check.note})" if check.note else "")
        if shortened or (len(table) and table["epochs"].min() < check.epochs):
            reason = "a shortened run" if shortened else f"needs {check.epochs:g} epochs"
            found.append(Verdict(text, reason, "not judged"))
            continue
        found.append(_verdict(check, text, spec, table))
    return found


def _verdict(check: Check, text: str, spec: ExperimentSpec, table: pd.DataFrame) -> Verdict:
    try:
        said, holds = check.judge(spec, table)
    except LookupError as error:
        return Verdict(text, f"nothing to judge: {error.args[0]}", "not judged")
    except Undecided as reason:
        return Verdict(text, str(reason), "not judged")
    if not holds and (falling := _falling(check, table)):
        return Verdict(text, f"{said}, but {', '.join(falling)} still falls; give more steps (--epochs)", "not judged")
    return Verdict(text, said, "pass" if holds else "fail")


def _falling(check: Check, table: pd.DataFrame) -> list[str]:
    """Return the series of a check of which runs still fall where their floor is taken."""
    if "falling" not in table:
        return []
    given = [getattr(check, "series", ()), getattr(check, "reference", ())]
    names = [name for each in given for name in ([each] if isinstance(each, str) else each)]
    return [name for name in names if table.loc[table["series"] == name, "falling"].any()]


def checks_of(spec: ExperimentSpec) -> list[Check]:
    """Build the checks of an experiment.

    Raises:
        SpecError: one is unknown or has wrong parameters.
    """
    made, problems = [], []
    for number, given in enumerate(spec.checks):
        data = mutable(given)
        try:
            made.append(build(CHECKS.get(str(data.pop("check"))), Document(data)))
        except UsageError as error:
            problems.append(Problem(str(error), f"checks.{number}"))
        except SpecError as error:
            problems += [Problem(each.message, f"checks.{number}.{each.path}") for each in error.problems]
    if problems:
        raise SpecError(problems)
    return made


def of_series(table: pd.DataFrame, series: str) -> pd.DataFrame:
    """Return mean, spread and count of a series at each swept value.

    Raises:
        LookupError: the table does not have it.
    """
    found = summarized(table)
    found = found[found["series"] == series]
    if found.empty:
        raise LookupError(f"there are no runs of {series}")
    return found


def at_or_once(rows: pd.DataFrame, at: Any) -> float:
    """Return the mean at a swept value, or the only mean of a series that runs once.

    Raises:
        LookupError: there is none.
    """
    found = rows[rows["at"] == at] if rows["at"].notna().any() else rows
    if found.empty:
        raise LookupError(f"there is no run at {at}")
    return float(found["mean"].iloc[0])


@CHECKS.register("proportional")
class Proportional(Check):
    """The measure of a series goes with a power of the swept value: slope of its logarithm, within a tolerance."""

    series: str
    exponent: float = 1.0
    tolerance: float = Field(0.1, gt=0)

    @property
    def statement(self) -> str:  # noqa: D102
        power = "" if self.exponent == 1 else f" to the power {self.exponent:g}"
        return f"{self.series}: proportional to the swept value{power}, exponent within {self.tolerance:g}"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        rows = of_series(table, self.series)
        if len(rows) < 2:
            raise LookupError("only one swept value")
        slope = float(np.polyfit(np.log(rows["at"].astype(float)), np.log(rows["mean"]), 1)[0])
        return f"exponent {slope:.3f}", abs(slope - self.exponent) <= self.tolerance


@CHECKS.register("independent")
class Independent(Check):
    """The measure of some series, or of one at all swept values, is the same: largest over smallest."""

    series: tuple[str, ...] = Field(min_length=1)
    tolerance: float = Field(0.25, gt=0)

    @property
    def statement(self) -> str:  # noqa: D102
        return f"{', '.join(self.series)}: the same throughout, largest over smallest at most {1 + self.tolerance:g}"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        means = np.concatenate([of_series(table, name)["mean"].to_numpy(float) for name in self.series])
        if len(means) < 2:
            raise LookupError("only one value")
        ratio = float(means.max() / means.min())
        return f"largest over smallest {ratio:.3f}", ratio <= 1 + self.tolerance


@CHECKS.register("predicted")
class Predicted(Check):
    """The measure is what the closed form says, within a tolerance, at every swept value."""

    series: str
    tolerance: float = Field(0.1, gt=0)

    @property
    def statement(self) -> str:  # noqa: D102
        return f"{self.series}: within {100 * self.tolerance:g} % of the closed form"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        runs = table[table["series"] == self.series].dropna(subset=["predicted"])
        if runs.empty:
            raise LookupError(f"there is no closed form for {self.series} with these devices, reads and data")
        ratios = (runs["value"] / runs["predicted"]).groupby(runs["at"].map(str)).mean()
        worst = ratios.iloc[int(np.argmax(np.abs(np.log(ratios.to_numpy()))))]
        ok = bool((np.abs(ratios - 1) <= self.tolerance).all())
        return f"measured over predicted {ratios.min():.3f} to {ratios.max():.3f}, worst {worst:.3f}", ok


@CHECKS.register("falls")
class Falls(Check):
    """The measure of a series falls (or rises) with every swept value, in their order.

    ``tolerance`` is how much it may go the other way, by its value, before it counts as doing so.
    """

    series: str
    rises: bool = False
    tolerance: float = Field(0.0, ge=0)

    @property
    def statement(self) -> str:  # noqa: D102
        chance = f" (or stays, within {100 * self.tolerance:g} %)" if self.tolerance else ""
        return f"{self.series}: {'rises' if self.rises else 'falls'} from swept value to swept value{chance}"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        means = of_series(table, self.series)["mean"].to_numpy(float)
        if len(means) < 2:
            raise LookupError("only one swept value")
        steps = np.diff(means) if self.rises else -np.diff(means)
        return " -> ".join(f"{each:.3g}" for each in means), bool((steps > -self.tolerance * means[:-1]).all())


@CHECKS.register("below")
class Below(Check):
    """A series is below another by a factor, at every swept value that both have (or ``at`` one).

    With several seeds their ratios, seed by seed, must differ from the factor by more than chance (Student's t, 95 %).
    """

    series: str
    reference: str
    factor: float = Field(1.0, gt=0)
    at: Value | None = None

    @property
    def statement(self) -> str:  # noqa: D102
        where = "" if self.at is None else f" at {self.at}"
        return f"{self.series}: below {self.reference} by a factor of {self.factor:g} at least{where}"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        ours, theirs = of_series(table, self.series), of_series(table, self.reference)
        places = [self.at] if self.at is not None else list((theirs if ours["at"].isna().all() else ours)["at"])
        ratios = [at_or_once(theirs, at) / at_or_once(ours, at) for at in places]
        text = f"factor {min(ratios):.4g}" + (f" to {max(ratios):.4g}" if len(ratios) > 1 else "")
        holds = min(ratios) >= self.factor
        worst = places[int(np.argmin(ratios))]
        spread, uncertain = self._chance(table, worst)
        text += f", {spread}" if spread else ""
        if uncertain:
            raise Undecided(f"{text}: within chance; more seeds would tell")
        step = table[table["series"] == self.series].get("resolution", pd.Series(dtype=float)).mean()
        wanted = min(at_or_once(theirs, at) for at in places) / self.factor
        if not holds and wanted < step:
            raise Undecided(
                f"{text}; a factor of {self.factor:g} is {wanted:.2g}, which pulses do not resolve: weights one step "
                f"off have {step:.2g}"
            )
        return text, holds

    def _chance(self, table: pd.DataFrame, at: Any) -> tuple[str, bool]:
        """Return the spread of the seeds' ratios in words, and whether chance may make their mean pass or miss."""
        from scipy.stats import t as student_t

        ours, theirs = (_by_seed(table, name, at) for name in (self.series, self.reference))
        logs = (theirs / ours).dropna().map(math.log)
        if len(logs) < 2:
            return "", False
        text = f"over the seeds {math.exp(logs.min()):.3g} to {math.exp(logs.max()):.3g}"
        error = logs.std() / math.sqrt(len(logs))
        return text, abs(logs.mean() - math.log(self.factor)) < student_t.ppf(0.95, len(logs) - 1) * error


def _by_seed(table: pd.DataFrame, series: str, at: Any) -> pd.Series:
    """Return the measure of a series at a swept value, or of one that runs once, by seed."""
    rows = table[table["series"] == series]
    if rows["at"].notna().any():
        rows = rows[rows["at"] == at]
    return rows.set_index("seed")["value"]


@CHECKS.register("above-published")
class AbovePublished(Check):
    """A series reaches its published value, or is at most so many points below it, at every value that is published."""

    series: str
    tolerance: float = Field(1.0, gt=0)

    @property
    def statement(self) -> str:  # noqa: D102
        return f"{self.series}: at most {self.tolerance:g} points below what is published"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102
        rows = of_series(table, self.series)
        published = [each for each in spec.published if each.series == self.series]
        if not published:
            raise LookupError("nothing is published")
        gaps = [at_or_once(rows, each.at) - each.value for each in published]
        return ", ".join(f"{gap:+.2f}" for gap in gaps) + " points", min(gaps) >= -self.tolerance


@CHECKS.register("between")
class Between(Check):
    """The measure of a series is between two numbers at every swept value, or at those named."""

    series: str
    low: float = -math.inf
    high: float = math.inf
    at: tuple[Value, ...] | None = None

    @property
    def statement(self) -> str:  # noqa: D102
        where = "" if self.at is None else f" at {', '.join(map(str, self.at))}"
        bounds = [f"at least {self.low:g}"] * math.isfinite(self.low) + [f"at most {self.high:g}"] * math.isfinite(
            self.high
        )
        return f"{self.series}{where}: {' and '.join(bounds)}"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        rows = of_series(table, self.series)
        means = list(rows["mean"]) if self.at is None else [at_or_once(rows, at) for at in self.at]
        return ", ".join(f"{each:.4g}" for each in means), all(self.low <= each <= self.high for each in means)


@CHECKS.register("agrees")
class Agrees(Check):
    """A series agrees with another at every swept value that both have: their ratio is within a factor."""

    series: str
    reference: str
    factor: float = Field(1.5, gt=1)

    @property
    def statement(self) -> str:  # noqa: D102
        return f"{self.series}: within a factor of {self.factor:g} of {self.reference}"

    def judge(self, spec: ExperimentSpec, table: pd.DataFrame) -> tuple[str, bool]:  # noqa: D102, ARG002
        ours, theirs = of_series(table, self.series), of_series(table, self.reference)
        ratios = [at_or_once(ours, at) / at_or_once(theirs, at) for at in ours["at"]]
        ok = all(1 / self.factor <= ratio <= self.factor for ratio in ratios)
        return "ratio " + ", ".join(f"{ratio:.3f}" for ratio in ratios), ok
