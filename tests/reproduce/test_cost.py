"""What an accuracy costs: means and spreads over the seeds that reach it; phases add up to the energy of the run."""

import math

import pandas as pd
import pytest

from hwsim.reproduce import Options, load_experiment
from hwsim.reproduce.cost import costs_to_targets, split_of, splits, summarized_costs
from hwsim.reproduce.execute import execute, key
from hwsim.reproduce.measures import measure
from hwsim.reproduce.plan import cases, chosen
from hwsim.reproduce.text import cost_matrix, cost_rows, cost_split
from hwsim.results import open_run


class Found:
    """Stands for a Reproduction: the text needs its costs only."""

    def __init__(self, costs: pd.DataFrame) -> None:
        self.costs = costs


def cost(seed: int, target: float, time: float = math.nan, energy: float = math.nan) -> dict:
    return {
        "series": "A", "at": "d", "seed": seed, "target": target, "reached": time == time, "epochs": 2.0,
        "latency_s": time, "energy_J": energy, "energy_J.update": 0.25 * energy,
    }  # fmt: skip


def test_means_and_spreads_are_of_the_seeds_that_reach_the_target() -> None:
    costs = pd.DataFrame([
        cost(0, 80.0, 0.010, 3e-6), cost(1, 80.0, 0.014, 5e-6), cost(2, 80.0),
        cost(0, 90.0, 0.020, 6e-6), cost(1, 90.0), cost(2, 90.0),
        cost(0, 95.0), cost(1, 95.0), cost(2, 95.0),
    ])  # fmt: skip
    rows = summarized_costs(costs).set_index("target")
    assert list(rows["reached"]) == [2, 1, 0]
    assert set(rows["count"]) == {3}
    assert rows.loc[80.0, "latency_s"] == pytest.approx(0.012)
    assert rows.loc[80.0, "latency_s_std"] == pytest.approx(0.004 / math.sqrt(2))
    assert math.isnan(rows.loc[90.0, "energy_J_std"])
    assert math.isnan(rows.loc[95.0, "energy_J"])

    first, second, third = cost_rows(Found(costs))
    assert (first["reached"], first["time"], first["energy"]) == ("2/3", "12 ms ± 24 %", "4 uJ ± 35 %")
    assert (second["time"], second["update"]) == ("20 ms", "25 %")
    assert cost_matrix(Found(costs), 80.0) == [{"algorithm": "A", "d": "12 ms ± 24 %, 4 uJ ± 35 % (2 of 3)"}]
    assert cost_matrix(Found(costs), 95.0) == [{"algorithm": "A", "d": "not reached"}]
    (split,) = cost_split(Found(costs), 90.0)
    assert (split["device"], split["algorithm"], split["energy"], split["update"]) == ("d", "A", "6 uJ", "25 %")
    assert split["transfer"] == "0 %"
    assert cost_split(Found(costs), 95.0) == []
    assert (third["reached"], third["time"], third["update"]) == ("0/3", "-", "-")


def test_costs_of_runs_add_up(tmp_path) -> None:
    """Phases until a target add up to the energy there; the last target is never reached and costs nothing known."""
    options = Options(fast=True)
    spec = chosen(load_experiment("fig-cost"), options).model_copy(update={"targets": (20.0, 100.0)})
    planned = cases(spec, options)
    paths = execute(planned, tmp_path, 1, None)
    table = measure(spec, planned, paths)
    costs = costs_to_targets(spec, table, tmp_path)
    digital = costs[costs["series"] == "Digital SGD"].set_index("target")
    assert list(digital["reached"]) == [True, False]
    phases = [name for name in costs if name.startswith("energy_J.")]
    assert digital.loc[20.0, phases].sum() == pytest.approx(digital.loc[20.0, "energy_J"], rel=1e-9)
    run = open_run(paths[key(planned[0])])
    assert digital.loc[20.0, "latency_s"] <= run.summary["latency_s"]
    split = split_of(table, tmp_path).loc["Digital SGD"]
    assert split.sum() * run.summary["samples"] == pytest.approx(run.summary["energy_J"], rel=1e-9)
    (parts,) = splits(table[table["series"] == "Digital SGD"], tmp_path).to_dict("records")
    for start in ("nJ.", "nJ of "):
        whole = sum(value for name, value in parts.items() if name.startswith(start))
        assert 1e-9 * whole * run.summary["samples"] == pytest.approx(run.summary["energy_J"], rel=1e-9)
    assert "nJ of tile.adc" in splits(table, tmp_path)
