"""What the folder of a sweep holds: the table of its points, and which parameter moves which result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.errors import ResultsError
from hwsim.results import folder

if TYPE_CHECKING:
    import pandas as pd

SWEEP_SCHEMA = 1
"""Version of the sweep's folder that this release reads and writes."""

POINTS = "points"
"""Folder of the run folders, in the sweep's."""

TABLE = "sweep.parquet"
OUTCOMES = ("accuracy", "loss", "latency_s", "energy_J", "area_m2")
"""Results that a sensitivity is given for, where a sweep has them."""

GROUPS = 5
"""A parameter with more values than this many times two is split into this many groups of equal size."""


@dataclass(frozen=True)
class Effect:
    """How a parameter moves a result.

    ``share`` is the part of the result's variance that lies between the groups of points with equal (or close) values
    of the parameter; ``groups`` are (value, mean, lowest, highest, points) of each group, in order of the values.
    """

    parameter: str
    outcome: str
    share: float
    groups: tuple[tuple[Any, float, float, float, int], ...]


class SweepRecord:
    """What the folder of a sweep holds, and what follows from it.

    Raises:
        ResultsError: the folder is missing, is none of a sweep, or has another schema version.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.info = read_sweep_info(self.path)

    @property
    def state(self) -> str:
        """``complete``, or ``running`` (also after it was interrupted)."""
        return str(self.info["state"])

    @property
    def varied(self) -> list[str]:
        """The parameters that vary, without the seed."""
        return [str(name) for name in self.info["varied"]]

    @cached_property
    def table(self) -> pd.DataFrame:
        """One row for each point that has ended: its number, what varies, ``seed``, ``state``, ``error``, ``folder``
        and its results, each with its unit in its name.

        Raises:
            ResultsError: the sweep has not come so far, or the file is damaged.
        """
        return folder.read_parquet(self.path / TABLE)

    @property
    def failed(self) -> dict[str, str]:
        """Folder and reason of each failed point."""
        rows = self.table[self.table["state"] == "failed"]
        return {str(name): str(error) for name, error in zip(rows["folder"], rows["error"], strict=True)}

    @property
    def outcomes(self) -> list[str]:
        """The results among ``OUTCOMES`` that vary from point to point."""
        done = self.table[self.table["state"] == "complete"]
        return [name for name in OUTCOMES if name in done and done[name].nunique() > 1]

    def by_point(self) -> pd.DataFrame:
        """Return mean and standard deviation over the seeds for each combination of what varies.

        Columns: what varies, ``seeds`` (complete runs), and ``NAME`` and ``NAME_std`` of each result; the standard
        deviation is that of a sample, NaN for one seed.
        """
        import pandas as pd

        done = self.table[self.table["state"] == "complete"]
        found = [name for name in OUTCOMES if name in done and done[name].notna().any()]
        if not self.varied:
            rows: dict[str, list[float]] = {"seeds": [len(done)]}
            for name in found:
                rows |= {name: [done[name].mean()], f"{name}_std": [done[name].std()]}
            return pd.DataFrame(rows)
        groups = done.groupby(self.varied, sort=False, dropna=False)
        columns: dict[str, Any] = {"seeds": groups.size()}
        for name in found:
            columns |= {name: groups[name].mean(), f"{name}_std": groups[name].std()}
        return pd.DataFrame(columns).reset_index()

    def sensitivity(self) -> list[Effect]:
        """Return how each varied parameter, and the seed, moves each result, the largest share first.

        The share is the correlation ratio: squares between groups over squares in all. It is the first-order index of
        a balanced grid (Saltelli et al., Global Sensitivity Analysis, Wiley 2008, section 1.2.13). Where a parameter
        has many values it is split into groups of equal size, and the share is corrected for their number (epsilon
        squared: Kelley, PNAS 21 (1935)), never below 0.
        """
        done = self.table[self.table["state"] == "complete"]
        names = [name for name in (*self.varied, "seed") if done[name].nunique(dropna=False) > 1]
        effects = [_effect(done, name, outcome) for name in names for outcome in self.outcomes]
        return sorted(effects, key=lambda effect: (OUTCOMES.index(effect.outcome), -effect.share))

    def __repr__(self) -> str:
        total, ended = len(self.info["points"]), len(self.table)
        name, varied = type(self).__name__, ", ".join(self.varied) or "seed"
        return f"{name}({varied}: {ended} of {total} points, {len(self.failed)} failed)"

    def _repr_html_(self) -> str:
        return self.by_point().to_html(index=False, escape=True)


def _effect(rows: pd.DataFrame, parameter: str, outcome: str) -> Effect:
    import pandas as pd

    rows = rows[rows[outcome].notna()]
    values, results = rows[parameter], rows[outcome].astype(float)
    keys: Any = values.map(str) if values.dtype == object or values.isna().any() else values
    grouped = values.nunique(dropna=False) > 2 * GROUPS and pd.api.types.is_numeric_dtype(values)
    if grouped:
        keys = pd.qcut(values.rank(method="first"), GROUPS, labels=False)
    parts = results.groupby(keys, sort=True)
    total = float(((results - results.mean()) ** 2).sum())
    within = float((results - parts.transform("mean")).pow(2).sum())
    share = 1 - within / total if total else 0.0
    if grouped:
        spare = len(results) - parts.ngroups
        share = max(1 - (within / spare) / (total / (len(results) - 1)), 0.0) if spare > 0 and total else 0.0
    shown = values.groupby(keys, sort=True).mean() if grouped else None
    groups = tuple(
        (shown[key] if shown is not None else key, float(part.mean()), float(part.min()), float(part.max()), len(part))
        for key, part in parts
    )
    return Effect(parameter, outcome, share, groups)


def read_sweep_info(path: Path) -> dict[str, Any]:
    """Return ``sweep.json`` of a sweep's folder.

    Raises:
        ResultsError: the folder is missing, is none of a sweep, was written in another schema version, or has a link
            that leads out of it.
    """
    if not path.is_dir():
        raise ResultsError(f"no such folder of a sweep: {path}")
    folder.check_entries(path)
    if (path / POINTS).is_dir():
        folder.check_entries(path / POINTS)
    if not (path / "sweep.json").is_file():
        raise ResultsError(f"{path} is no folder of a sweep: it holds no sweep.json")
    info = folder.read_json(path / "sweep.json")
    if info.get("schema") != SWEEP_SCHEMA:
        raise ResultsError(f"{path} has schema version {info.get('schema')!r}; this hwsim reads {SWEEP_SCHEMA}")
    if not isinstance(info.get("points"), list) or not isinstance(info.get("varied"), list):
        raise ResultsError(f"{path / 'sweep.json'} was not written by hwsim: it names no points")
    return info


def write_sweep_table(path: Path, rows: Sequence[Mapping[str, Any]], varied: Sequence[str]) -> None:
    """Write the table of a sweep; a varied parameter whose values are of several types becomes text."""
    import os

    import pyarrow as pa
    import pyarrow.parquet as pq

    names = list(dict.fromkeys(name for row in rows for name in row)) or ["point", "state", "error", "folder"]
    columns = {name: [row.get(name) for row in rows] for name in names}
    for name in varied:
        kinds = {type(value) for value in columns.get(name, []) if value is not None}
        if kinds == {int, float}:
            columns[name] = [None if value is None else float(value) for value in columns[name]]
        elif len(kinds) > 1:
            columns[name] = [None if value is None else str(value) for value in columns[name]]
    part = path / f".{TABLE}.part"
    texts = {"state", "error", "folder"}
    arrays = [pa.array(values, pa.string() if name in texts else None) for name, values in columns.items()]
    schema = pa.schema(
        [pa.field(name, array.type) for name, array in zip(columns, arrays, strict=True)],
        metadata={"hwsim.schema": str(SWEEP_SCHEMA)},
    )
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), part)
    os.replace(part, path / TABLE)
