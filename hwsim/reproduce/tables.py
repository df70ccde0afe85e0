"""The tables and the figure of an experiment on costs, as files that a page of the documentation includes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from hwsim.errors import UsageError
from hwsim.reproduce.experiment import Reproduction
from hwsim.reproduce.text import cost_matrix, cost_split

COLORS = 96
"""Colours of a figure on a page."""


def write_tables(found: Reproduction, folder: Path) -> list[Path]:
    """Write ``NAME-accuracy.csv``, ``NAME-TARGET.csv``, ``NAME-split-TARGET.csv`` and ``NAME.png``; return their paths.

    NAME is the experiment's, with its reading where it has several. Files of this name that are there are replaced,
    and those of targets that no run reaches any more are removed.

    Raises:
        UsageError: the experiment says nothing about costs.
    """
    check_has_costs(found.spec.name, found.spec.targets)
    folder.mkdir(parents=True, exist_ok=True)
    start = found.spec.name if found.variant is None else f"{found.spec.name}-{found.variant}"
    written = [_write(accuracies(found), folder / f"{start}-accuracy.csv")]
    for target in found.spec.targets:
        written.append(_write(cost_matrix(found, target), folder / f"{start}-{target:g}.csv"))
        split, path = cost_split(found, target), folder / f"{start}-split-{target:g}.csv"
        if split:
            written.append(_write(split, path))
        else:
            path.unlink(missing_ok=True)
    written.append(folder / f"{start}.png")
    _write_reduced(found.folder / "figure.png", written[-1])
    return written


def check_has_costs(name: str, targets: Sequence[float]) -> None:
    """Raise a UsageError for an experiment that says nothing about costs."""
    if not targets:
        raise UsageError(f"{name} has no target accuracies, so there are no tables to write; leave out --tables")


def accuracies(found: Reproduction) -> list[dict[str, str]]:
    """Return the accuracies (%) at the end and the best on the way, one row a series, devices side by side."""
    table = found.table
    places = [str(at) for at in table["at"].dropna().unique()] or ["any"]
    rows = []
    for series in dict.fromkeys(table["series"]):
        own = table[table["series"] == series]
        cells = {place: _accuracy(own[own["at"].isna() | (own["at"].map(str) == place)]) for place in places}
        rows.append({"algorithm": str(series)} | cells)
    return rows


def _accuracy(runs: pd.DataFrame) -> str:
    if runs.empty:
        return ""
    mean, spread = runs["value"].mean(), runs["value"].std()
    end = f"{mean:.1f}" if math.isnan(spread) else f"{mean:.1f} ± {spread:.1f}"
    return f"{end}, best {runs['best'].mean():.1f}"


def _write_reduced(figure: Path, path: Path) -> None:
    """Write a figure in a palette, which takes a quarter of the bytes in a repository."""
    from PIL import Image

    with Image.open(figure) as image:
        image.convert("RGB").quantize(COLORS, dither=Image.Dither.NONE).save(path, optimize=True)


def _write(rows: list[dict[str, str]], path: Path) -> Path:
    pd.DataFrame(rows).to_csv(path, index=False)
    return path
