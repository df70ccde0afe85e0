"""The critical path of a step: a hand-made log whose path is known, and real runs whose links add up."""

import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

import hwsim
from hwsim.cli.group import hwsim as main
from hwsim.errors import UsageError
from hwsim.results.critical_path import _walk

COLUMNS = ["t_ps", "dur_ps", "component", "action", "operation", "phase", "layer", "sample"]


def rows(*given) -> pd.DataFrame:
    return pd.DataFrame(given, columns=COLUMNS)


def test_the_path_follows_hand_overs_and_the_slower_of_two_branches() -> None:
    log = rows(
        (0, 1, "controller", "issue", "forward", "forward", "a", 0),
        (1, 4, "buffer", "read", "forward", "forward", "a", 0),
        (5, 2, "bus", "transfer", "forward", "forward", "a", 0),
        (7, 9, "tile0.dac", "convert", "forward", "forward", "a", 0),
        (7, 50, "tile1.dac", "convert", "forward", "forward", "a", 0),
        (57, 3, "bus", "transfer", "forward", "forward", "a", 0),
        (60, 1, "controller", "issue", "digital", "digital", "a", 0),
        (61, 8, "digital", "add", "digital", "digital", "a", 0),
    )
    path = [log.component[index] for index in _walk(log)]
    assert path == ["controller", "buffer", "bus", "tile1.dac", "bus", "controller", "digital"]


def test_a_wait_for_a_busy_component_leads_to_who_held_it() -> None:
    log = rows(
        (0, 1, "controller", "issue", "update", "update", "b", 0),
        (1, 30, "buffer", "read", "update", "update", "b", 0),
        (2, 1, "controller", "issue", "forward", "forward", "a", 0),
        (31, 5, "buffer", "read", "forward", "forward", "a", 0),
    )
    assert [int(log.t_ps[index]) for index in _walk(log)] == [0, 1, 31]


@pytest.fixture(scope="module", params=["sequential", "pipelined"])
def trained(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("path") / "run"
    return hwsim.simulate(steps=4, out=folder, set={"chip.schedule.kind": request.param})


def test_links_add_up_to_the_duration_of_the_step(trained) -> None:
    for step in range(4):
        path = trained.critical_path(step)
        events = trained.events(where=f"step = {step}")
        # A pipelined stream may still drain after its component's last work.
        assert path.path_ps.sum() == (events.t_ps + events.dur_ps).max() - events.t_ps.min()
        assert (path.path_ps > 0).all()
        np.testing.assert_array_equal(path.t_ps + path.path_ps, [*path.t_ps[1:], (events.t_ps + events.dur_ps).max()])
    pd.testing.assert_frame_equal(trained.critical_path(), trained.critical_path(3))


def test_a_step_that_is_not_in_the_log_is_refused(trained) -> None:
    with pytest.raises(UsageError, match="no step 99"):
        trained.critical_path(99)


def test_the_command_prints_sums_links_and_json(trained) -> None:
    def printed(*options: str) -> str:
        done = CliRunner().invoke(main, ["path", str(trained.path), *options])
        assert done.exit_code == 0, done.output
        return done.output

    total = int(trained.critical_path(2).path_ps.sum())
    links = json.loads(printed("--step", "2", "--json"))
    assert sum(link["path_ps"] for link in links) == total
    assert f"{len(links)} actions in" in printed("--step", "2")
    assert len(printed("--step", "2", "--all").splitlines()) == len(links) + 2


def test_a_run_without_a_log_has_no_path(tmp_path) -> None:
    run = hwsim.simulate(steps=1, log="none", out=tmp_path / "run")
    done = CliRunner().invoke(main, ["path", str(run.path)])
    assert done.exit_code == 2
    assert "log" in done.output + str(done.exception)


def test_a_log_of_another_kind_is_refused(trained, tmp_path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "run.json").write_bytes((trained.path / "run.json").read_bytes())
    pq.write_table(pa.table({"a": [1]}), folder / "events.parquet")
    done = CliRunner().invoke(main, ["path", str(folder)])
    assert done.exit_code == 2


@pytest.mark.filterwarnings("error")
def test_a_path_without_length_has_no_shares(tmp_path) -> None:
    """The digital unit and the memory of this chip take no time, as in the model that it stands for."""
    hwsim.simulate("digits-mlp", chip="puma", algorithm="digital-sgd", steps=2, out=tmp_path / "run")
    done = CliRunner().invoke(main, ["path", str(tmp_path / "run")])
    assert done.exit_code == 0, done.output
    assert "nan" not in done.output
    assert "in 0 s" in done.output
