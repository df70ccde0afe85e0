"""The page on what an accuracy costs shows every algorithm and device of its experiment."""

import csv
from pathlib import Path

import pytest

from hwsim.reproduce import load_experiment

TABLES = Path(__file__).parents[2] / "docs" / "results" / "cost"


@pytest.mark.parametrize(("experiment", "start"), [("fig-cost", "fig-cost"), ("fig-cost-mnist", "fig-cost-mnist-tanh")])
def test_tables_have_every_algorithm_and_device(experiment, start) -> None:
    spec = load_experiment(experiment)
    names = list(dict.fromkeys(series.name for series in spec.series))
    for table in (f"{start}-accuracy", *(f"{start}-{target:g}" for target in spec.targets)):
        rows = list(csv.DictReader((TABLES / f"{table}.csv").read_text(encoding="utf-8").splitlines()))
        assert [row["algorithm"] for row in rows] == names
        assert list(rows[0]) == ["algorithm", *spec.sweep.values]
        assert all(row[place] for row in rows for place in spec.sweep.values)
