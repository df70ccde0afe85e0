"""Operations that have the chip for themselves are played: the same numbers, times, energies and rows as processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hwsim
from hwsim.chip.operations import Operation
from hwsim.chip.sequencer import Sequencer


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("tiki-taka", {}),
        ("tiki-taka", {"algorithm.transfer_columns": False, "tile.forward.out_bound": 1.0}),
        ("tiki-taka", {"tile.rows": 16, "tile.cols": 24}),
        ("tiki-taka", {"device.lifetime": "1 ms", "device.diffusion": 0.1, "unit_cell.kind": "reference"}),
        ("tiki-taka", {"chip.schedule.kind": "overlapped"}),
        ("analog-sgd", {"tile.sample_hold.double_buffered": True}),
        ("residual-v2", {"bus": None, "interconnect": {"kind": "mesh", "model": "mesh-isaac", "rows": 3, "cols": 3}}),
        ("mixed-precision", {}),
        ("digital-sgd", {}),
        ("c-ttv2", {"algorithm.gamma": 0.3}),
    ],
    ids=str,
)  # fmt: skip
def test_a_played_run_equals_one_of_processes(
    algorithm: str, settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"algorithm": algorithm, "steps": 4, "set": settings, "log": "events"}
    played = hwsim.simulate(out=tmp_path / "played", **options)
    monkeypatch.setattr(Sequencer, "_alone", property(lambda _: False))
    processes = hwsim.simulate(out=tmp_path / "processes", **options)
    for name in ("events", "gauges", "metrics"):
        ours, theirs = (pd.read_parquet(run.path / f"{name}.parquet") for run in (played, processes))
        pd.testing.assert_frame_equal(ours, theirs, check_exact=True)
    with np.load(played.path / "weights.npz") as ours, np.load(processes.path / "weights.npz") as theirs:
        assert all((ours[name] == theirs[name]).all() for name in theirs.files)
    assert played.summary["counts"] == processes.summary["counts"]


def test_operations_are_played_where_nothing_else_is_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    playable = {kind for kind in subclasses(Operation) if "play" in vars(kind)}
    for kind in playable:
        play = kind.play

        def noted(self: Any, *rest: Any, play: Any = play) -> Any:
            seen.append(self.kind)
            return play(self, *rest)

        monkeypatch.setattr(kind, "play", noted)
    hwsim.simulate(steps=1, out=tmp_path / "sequential")
    assert set(seen) == {"forward", "backward", "update", "transfer_read", "transfer_write", "digital"}
    seen.clear()
    hwsim.simulate(steps=1, out=tmp_path / "pipelined", set={"chip.schedule.kind": "pipelined"})
    assert len(seen) < 20


def subclasses(kind: type) -> set[type]:
    """Return all classes below one."""
    return {below for own in kind.__subclasses__() for below in (own, *subclasses(own))}
