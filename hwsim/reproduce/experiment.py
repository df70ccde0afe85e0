"""Runs an experiment and writes its folder: data, figure, page, and what came out beside what was published."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from hwsim.errors import UsageError
from hwsim.reproduce.checks import Verdict, checks_of, verdicts
from hwsim.reproduce.cost import costs_to_targets, splits, summarized_costs
from hwsim.reproduce.execute import Key, Progress, execute, finished
from hwsim.reproduce.figures import draw
from hwsim.reproduce.measures import curves, measure, summarized
from hwsim.reproduce.plan import Case, Options, cases, choose_variant, chosen, is_shortened, load_experiment
from hwsim.reproduce.update_times import TABLES, measured
from hwsim.run.folder import check_new, free_path
from hwsim.spec.experiment import ExperimentSpec

BASE = Path("reproduced")


@dataclass(frozen=True)
class Reproduction:
    """What came out of an experiment: ``table`` has one row a run (or published figure), ``curves`` one an evaluation.

    ``comparison`` has one row a series and swept value: mean, spread, what the closed form says, what was published.
    """

    spec: ExperimentSpec
    options: Options
    variant: str | None
    folder: Path
    table: pd.DataFrame
    curves: pd.DataFrame
    comparison: pd.DataFrame
    verdicts: list[Verdict]
    costs: pd.DataFrame = field(default_factory=pd.DataFrame)

    @property
    def passed(self) -> bool:
        """Whether no check failed."""
        return all(each.state != "fail" for each in self.verdicts)


def reproduce(
    name: str, options: Options | None = None, out: Path | str | None = None, progress: Progress | None = None,
    *, resume: bool = False, only_finished: bool = False,
) -> Reproduction:  # fmt: skip
    """Run a published experiment and write everything into a new folder.

    Args:
        name: name or file of an experiment (``models/experiments``).
        options: seeds, epochs, the reading of the source, data; None: as the experiment says.
        out: a new folder; None: a free one in ``reproduced``.
        progress: called with runs done, all runs, the title of the run at work, and the part of it that is done.
        resume: ``out`` is the folder of the same experiment, which was stopped: runs that are complete there are kept.
        only_finished: ``out`` is such a folder; what came out so far is written, nothing is run.

    Raises:
        InputError: a name, option or the data are wrong; nothing has been written.
        RunError: a run failed; what was finished stays in the folder.
    """
    options = options or Options()
    whole = load_experiment(name)
    checks_of(whole)
    spec = chosen(whole, options)
    folder = Path(out) if out is not None else free_path(BASE, spec.name)
    if resume or only_finished:
        _check_begun(folder, spec)
    else:
        check_new(folder)
    if spec.needs_data and options.data is None and not os.environ.get("HWSIM_DATA"):
        raise UsageError(f"{spec.name} trains on files: name their folder with --data DIR, or in $HWSIM_DATA")
    if find_spec("matplotlib") is None:
        raise UsageError("figures are drawn by matplotlib, which is not installed: pip install 'hwsim[figures]'")
    if spec.chips:
        found = _figures(spec, options, folder, progress)
    else:
        planned, runs = cases(spec, options), folder / "runs"
        if only_finished:
            planned, paths = finished(planned, runs)
        else:
            paths = execute(planned, runs, options.jobs, progress)
        found = _found(spec, options, folder, planned, paths)
    _write(found)
    return found


def _check_begun(folder: Path, spec: ExperimentSpec) -> None:
    if spec.chips:
        raise UsageError(f"{spec.name} has no runs to go on with; leave out --resume")
    if folder.is_symlink() or not (folder / "runs").is_dir():
        raise UsageError(f"{folder} is not the folder of an experiment: there is no runs/ in it to go on with")


def _found(
    spec: ExperimentSpec, options: Options, folder: Path, planned: Sequence[Case], paths: Mapping[Key, Path]
) -> Reproduction:
    """Measure the runs of the planned cases."""
    table = measure(spec, planned, paths, closed_form=not options.fast)
    comparison = summarized(table)
    comparison[["published", "published_spread"]] = [
        _published(spec, series, at) for series, at in zip(comparison["series"], comparison["at"], strict=True)
    ]
    shortened = options.fast or (spec.measure == "floor" and is_shortened(spec, options))
    costs = costs_to_targets(spec, table, folder / "runs") if spec.targets else pd.DataFrame()
    return Reproduction(
        spec, options, choose_variant(spec, options.variant), folder, table, curves(spec, planned, paths), comparison,
        verdicts(spec, table, shortened=shortened), costs,
    )  # fmt: skip


def _published(spec: ExperimentSpec, series: str, at: Any) -> tuple[float, float]:
    for each in spec.published:
        if each.series == series and (each.at is None or each.at == at):
            return each.value, np.nan if each.spread is None else each.spread
    return np.nan, np.nan


def _figures(spec: ExperimentSpec, options: Options, folder: Path, progress: Progress | None) -> Reproduction:
    """Measure the published figures of chips by running them."""
    chips = spec.chips[:1] if options.fast else spec.chips
    total, rows, judged = sum(len(TABLES[chip]()) for chip in chips), [], []
    for chip in chips:
        for figure, value in measured(chip):
            met = figure.published_figure.shows(value)
            rows.append({
                "series": figure.figure, "at": chip, "seed": 0, "value": value,
                "published": figure.published_figure.value, "met": met, "source": figure.source,
                "difference": figure.difference,
            })  # fmt: skip
            judged.append(
                Verdict(f"{chip}, {figure.figure}: {figure.published}", f"{value:.1f} ns", "pass" if met else "fail")
            )
            if progress is not None:
                progress(len(rows), total, f"{chip} {figure.name}", 0.0)
    table = pd.DataFrame(rows)
    comparison = table[["series", "at", "value", "published"]].rename(columns={"value": "mean"})
    comparison.insert(3, "std", np.nan)
    comparison.insert(4, "count", 1)
    comparison["published_spread"] = np.nan
    folder.mkdir(parents=True)
    return Reproduction(spec, options, None, folder, table, pd.DataFrame(), comparison, judged)


def _write(found: Reproduction) -> None:
    from hwsim.reproduce.page import write_page
    from hwsim.reproduce.text import cost_matrix, cost_split

    folder = found.folder
    (folder / "experiment.yaml").write_text(
        yaml.safe_dump(found.spec.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120),
        encoding="utf-8",
    )
    tables = {"table": found.table, "curves": found.curves, "comparison": found.comparison, "costs": found.costs}
    for name, table in tables.items():
        if len(table):
            plain = table.assign(at=table["at"].map(lambda at: "" if at is None or at != at else str(at)))
            plain.to_parquet(folder / f"{name}.parquet", index=False)
            if name != "curves":
                plain.to_csv(folder / f"{name}.csv", index=False)
    if len(found.costs):
        for target in found.spec.targets:
            pd.DataFrame(cost_matrix(found, target)).to_csv(folder / f"cost-{target:g}.csv", index=False)
            pd.DataFrame(cost_split(found, target)).to_csv(folder / f"split-{target:g}.csv", index=False)
        splits(found.table, folder / "runs").to_csv(folder / "splits.csv", index=False, float_format="%.4g")
    draw(found.spec, found.table, found.curves, folder / "runs", folder / "figure.png")
    (folder / "results.json").write_text(
        json.dumps(as_object(found), indent=2, allow_nan=False) + "\n", encoding="utf-8"
    )
    write_page(found, folder / "index.html")


def as_object(found: Reproduction) -> dict[str, Any]:
    """Return everything that came out as plain data."""
    made: dict[str, Any] = {
        "experiment": found.spec.name, "title": found.spec.title, "source": found.spec.source, "variant": found.variant,
        "fast": found.options.fast, "epochs": found.options.epochs or found.spec.epochs, "hwsim": version("hwsim"),
        "folder": str(found.folder), "passed": found.passed,
        "results": _records(found.comparison), "runs": _records(found.table),
        "checks": [{"statement": each.statement, "found": each.found, "state": each.state} for each in found.verdicts],
        "assumptions": list(found.spec.assumptions),
    }  # fmt: skip
    if len(found.costs):
        made["costs"] = _records(summarized_costs(found.costs))
    return made


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): _plain(value) for name, value in row.items()} for row in table.to_dict("records")]


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no number for NaN and infinity."""
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
