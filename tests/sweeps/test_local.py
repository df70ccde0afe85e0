"""Sweeps in local processes: one table, failures kept apart, dead workers replaced, resumed where they stopped."""

import json
import multiprocessing
import shlex
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import hwsim
from hwsim.cli.group import hwsim as group
from hwsim.errors import ResultsError


def call(*words: str) -> None:
    group.main(list(words))


SMALL = {"trace": "least-squares", "steps": 6, "vary": {"device.dw_min": [0.001, 0.01]}, "seeds": 2}


def test_the_table_holds_what_single_runs_give(tmp_path: Path) -> None:
    swept = hwsim.sweep(SMALL, out=tmp_path / "sweep", jobs=2)
    assert swept.state == "complete"
    table = swept.table
    assert list(table["point"]) == [0, 1, 2, 3]
    assert set(table["state"]) == {"complete"}
    for row in table.itertuples():
        run = hwsim.simulate(
            "least-squares", steps=6, seed=row.seed, set={"device.dw_min": table["device.dw_min"][row.point]},
            log="none", out=tmp_path / f"run{row.point}",
        )  # fmt: skip
        assert row.loss == run.summary["metrics"]["loss"]
        assert row.energy_J == run.summary["energy_J"]
        assert row.latency_update_s == run.summary["latency_by_phase"]["update"]
        swept_weights, own = (each.weights() for each in (hwsim.open_run(swept.path / row.folder), run))
        assert all(np.array_equal(swept_weights[name], own[name]) for name in own)


def test_a_failed_point_does_not_stop_the_rest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "sweep"
    words = ["sweep", "digits-mlp", "--steps", "2", "--vary", "tile.rows=2,128", "--out", str(out), "-j", "1"]
    with pytest.raises(SystemExit) as caught:
        call(*words)
    assert caught.value.code == 1
    said = capsys.readouterr()
    assert "failed: points/0000: " in said.out
    assert "1 of 2 points failed" in said.err
    table = pd.read_parquet(out / "sweep.parquet")
    assert list(table["state"]) == ["failed", "complete"]
    assert "needs 16 tiles" in table["error"][0]


def test_a_killed_worker_loses_nothing(tmp_path: Path) -> None:
    killed = []

    def kill(ended: int, total: int, row: object) -> None:  # noqa: ARG001
        if ended == 1:
            victim = multiprocessing.active_children()[0]
            victim.kill()
            killed.append(victim.pid)

    swept = hwsim.sweep({**SMALL, "seeds": 4}, out=tmp_path / "killed", jobs=2, progress=kill)
    assert killed
    whole = hwsim.sweep({**SMALL, "seeds": 4}, out=tmp_path / "whole", jobs=2)
    assert (swept.path / "sweep.parquet").read_bytes() == (whole.path / "sweep.parquet").read_bytes()


def test_an_interrupted_sweep_goes_on(tmp_path: Path) -> None:
    whole = hwsim.sweep(SMALL, out=tmp_path / "whole", jobs=1)

    def interrupt(ended: int, total: int, row: object) -> None:  # noqa: ARG001
        if ended == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hwsim.sweep(SMALL, out=tmp_path / "half", jobs=1, progress=interrupt)
    half = hwsim.results.sweep.Sweep(tmp_path / "half")
    assert half.state == "running"
    assert len(half.table) == 2
    kept = (half.path / "points" / "0000" / "run.json").stat().st_mtime_ns
    shutil.copytree(half.path / "points" / "0000", half.path / "points" / ".0003.part")
    (half.path / "points" / "0001" / "run.json").write_text("{")
    resumed = hwsim.resume_sweep(tmp_path / "half", jobs=1)
    assert resumed.state == "complete"
    assert (half.path / "points" / "0000" / "run.json").stat().st_mtime_ns == kept
    assert (resumed.path / "sweep.parquet").read_bytes() == (whole.path / "sweep.parquet").read_bytes()


def test_a_sweep_of_changed_descriptions_is_not_resumed(tmp_path: Path) -> None:
    swept = hwsim.sweep({**SMALL, "seeds": 1}, out=tmp_path / "sweep", jobs=1)
    info = json.loads((swept.path / "sweep.json").read_text())
    info["points"][0] = "0" * 16
    (swept.path / "sweep.json").write_text(json.dumps(info))
    with pytest.raises(ResultsError, match="changed since"):
        hwsim.resume_sweep(swept.path, jobs=1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--vary", "tile.rows"], "path=a,b,c"),
        (["--vary", "tile.rowz=1,2"], "did you mean"),
        (["--vary", "device.dw_min=0.1..1"], "only with 'samples'"),
        ([], "nothing varies"),
        (["--resume", "nowhere"], "no such folder of a sweep"),
        (["--vary", "tile.rows=64,128", "--scheduler", "here:1"], "tcp://HOST:PORT"),
        (["least-squares", "--seeds", "2", "--out", "."], "exists already"),
    ],
)
def test_mistakes_end_with_exit_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        call("sweep", *words)
    assert caught.value.code == 2
    assert said in capsys.readouterr().err


def test_printed_commands_make_the_same_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call(
            "sweep",
            "least-squares",
            "--steps",
            "3",
            "--vary",
            "device.dw_min=0.002,0.004",
            "--print",
            "--out",
            str(tmp_path),
        )
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    with pytest.raises(SystemExit) as caught:
        call(*shlex.split(lines[1])[1:])
    assert caught.value.code == 0
    run = hwsim.open_run(tmp_path / "0001")
    assert run.config["device"]["parameters"]["dw_min"] == 0.004
    assert run.summary["steps"] == 3
