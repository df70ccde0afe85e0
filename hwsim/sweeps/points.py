"""The points of a sweep: which runs it consists of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from hwsim.errors import HwsimError, Problem, SpecError
from hwsim.run.config import RunSpec, resolve
from hwsim.sweeps.spec import RUN_ARGUMENTS, Range, SweepSpec, Value


@dataclass(frozen=True)
class Point:
    """One run of a sweep: its number, what varies there, its seed, and its resolved configuration."""

    index: int
    values: Mapping[str, Value]
    seed: int
    spec: RunSpec

    @property
    def name(self) -> str:
        """The name of its run folder."""
        return f"{self.index:04d}"


def points(sweep: SweepSpec) -> list[Point]:
    """Return the runs of a sweep, in order; the seed varies fastest.

    Raises:
        SpecError: points are not possible; every mistake at once, with the values of the point.
    """
    found: list[Point] = []
    problems: list[Problem] = []
    for values in combinations(sweep):
        for seed in sweep.seeds:
            try:
                found.append(Point(len(found), values, seed, resolve(**arguments(sweep, values, seed))))
            except HwsimError as error:
                known = {(problem.message, problem.path) for problem in problems}
                each = error.problems if isinstance(error, SpecError) else [Problem(str(error), _said(values))]
                problems += [problem for problem in each if (problem.message, problem.path) not in known]
    if problems:
        raise SpecError(problems)
    return found


def _said(values: Mapping[str, Value]) -> str:
    return ", ".join(f"{path}={value}" for path, value in values.items())


def combinations(sweep: SweepSpec) -> list[dict[str, Value]]:
    """Return what varies at each point: every combination, or a Latin hypercube of ``samples`` points.

    In a Latin hypercube each parameter takes its values, or equal parts of its range, equally often. Source: McKay,
    Beckman and Conover, Technometrics 21(2) (1979).
    """
    if sweep.samples is None:
        lists = [tuple(values) for values in sweep.vary.values() if not isinstance(values, Range)]
        return [dict(zip(sweep.vary, choice, strict=True)) for choice in product(*lists)]
    from scipy.stats import qmc

    fractions = qmc.LatinHypercube(len(sweep.vary), rng=sweep.sampling_seed).random(sweep.samples)
    return [
        {
            path: values.at(float(fraction)) if isinstance(values, Range) else values[int(fraction * len(values))]
            for (path, values), fraction in zip(sweep.vary.items(), row, strict=True)
        }
        for row in fractions
    ]


def arguments(sweep: SweepSpec, values: Mapping[str, Value], seed: int) -> dict[str, Any]:
    """Return the arguments of :func:`hwsim.simulate` for one point."""
    fixed: dict[str, Any] = {name: getattr(sweep, name) for name in (*RUN_ARGUMENTS, "data", "log", "timing")}
    chosen = {name: value for name, value in values.items() if name in RUN_ARGUMENTS}
    settings = {**sweep.settings, **{path: value for path, value in values.items() if path not in RUN_ARGUMENTS}}
    return {**fixed, **chosen, "set": settings, "seed": seed}


def command(sweep: SweepSpec, point: Point, out: str) -> str:
    """Return the command line that makes the run of a point."""
    import shlex

    given = arguments(sweep, point.values, point.seed)
    words = ["hwsim", "run", given["trace"]]
    for name in (*RUN_ARGUMENTS[1:], "data", "log"):
        if given[name] is not None and not (name == "fidelity" and given[name] == "device"):
            words += [f"--{name}", str(given[name])]
    for path, value in given["set"].items():
        words += ["--set", f"{path}={_yaml(value)}"]
    words += [] if given["timing"] else ["--no-timing"]
    return shlex.join([*words, "--seed", str(point.seed), "--out", out])


def _yaml(value: Any) -> str:
    import yaml

    return yaml.safe_dump(value, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")
