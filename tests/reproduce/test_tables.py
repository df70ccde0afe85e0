"""Tables of a page on costs: written by a command, also from an experiment that was stopped."""

import csv
import json
import shutil

import pandas as pd
import pytest
from click.testing import CliRunner

from hwsim.cli.group import hwsim
from hwsim.errors import UsageError
from hwsim.reproduce import Options, reproduce
from hwsim.reproduce.tables import write_tables


def rows_of(path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def costs(tmp_path_factory):
    return reproduce("fig-cost", Options(fast=True), tmp_path_factory.mktemp("costs") / "out")


def test_tables_have_what_the_experiment_found(costs, tmp_path) -> None:
    (tmp_path / "fig-cost-split-95.csv").write_text("of a run that reached it", encoding="utf-8")
    written = write_tables(costs, tmp_path)
    assert sorted(written) == sorted(tmp_path.iterdir())
    names = [path.name for path in written]
    assert names[0] == "fig-cost-accuracy.csv"
    assert {"fig-cost-80.csv", "fig-cost-90.csv", "fig-cost-95.csv", "fig-cost.png"} < set(names)
    assert "fig-cost-split-95.csv" not in names
    accuracies = {row["algorithm"]: row["reram-sb"] for row in rows_of(written[0])}
    table = costs.table.set_index("series")
    for name in ("Digital SGD", "Tiki-Taka"):
        assert accuracies[name] == f"{table.loc[name, 'value']:.1f}, best {table.loc[name, 'best']:.1f}"
    whole = pd.read_csv(costs.folder / "cost-80.csv", keep_default_na=False).astype(str)
    assert rows_of(tmp_path / "fig-cost-80.csv") == whole.to_dict("records")
    assert (tmp_path / "fig-cost.png").stat().st_size < (costs.folder / "figure.png").stat().st_size


def test_only_finished_runs_of_a_stopped_experiment(costs, tmp_path) -> None:
    """Nothing is run or removed; series without a complete run are left out."""
    folder = tmp_path / "out"
    shutil.copytree(costs.folder, folder)
    stopped = folder / "runs" / "tiki-taka-reram-sb-seed-0"
    info = json.loads((stopped / "run.json").read_text(encoding="utf-8"))
    (stopped / "run.json").write_text(json.dumps(info | {"state": "interrupted"}), encoding="utf-8")
    found = reproduce("fig-cost", Options(fast=True), folder, only_finished=True)
    assert list(found.table["series"]) == ["Digital SGD"]
    assert json.loads((stopped / "run.json").read_text(encoding="utf-8"))["state"] == "interrupted"
    with pytest.raises(UsageError, match="other settings"):
        reproduce("fig-cost", Options(fast=True, epochs=3), folder, only_finished=True)
    shutil.rmtree(folder / "runs" / "digital-sgd-seed-0")
    with pytest.raises(UsageError, match="has no complete run of this experiment; run it without --finished"):
        reproduce("fig-cost", Options(fast=True), folder, only_finished=True)


def test_the_command(costs, tmp_path) -> None:
    line = ["reproduce", "fig-cost", "--fast", "--finished", "--quiet", "--out", str(costs.folder)]
    done = CliRunner().invoke(hwsim, [*line, "--tables", str(tmp_path / "tables")])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "tables" / "fig-cost-80.csv").is_file()
    wrong = CliRunner().invoke(hwsim, ["reproduce", "fig1", "--fast", "--tables", str(tmp_path)])
    assert wrong.exit_code == 2
    assert "fig1 has no target accuracies" in wrong.output
    nowhere = CliRunner().invoke(hwsim, ["reproduce", "fig-cost", "--finished"])
    assert nowhere.exit_code == 2
    assert "--finished reads a folder: name it with --out" in nowhere.output
