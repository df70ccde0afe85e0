"""The pulse log of a chip: rows in order of time, whatever order operations tell of them in, and in bounded parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import hwsim
from hwsim.chip import analog_matrix, pulse_book
from hwsim.chip.pulse_book import ENOUGH_ROWS, TimeOrder
from hwsim.run import execution


def block(times: Any, mark: int) -> dict[str, np.ndarray]:
    times = np.asarray(times, np.int64)
    return {"t_ps": times, "mark": np.full(len(times), mark)}


def collected() -> tuple[list[dict[str, np.ndarray]], Callable[[str], list[int]]]:
    out: list[dict[str, np.ndarray]] = []
    return out, lambda name: [int(value) for rows in out for value in rows[name]]


def test_blocks_that_overlap_are_merged() -> None:
    out, column = collected()
    order = TimeOrder(out.append, lambda: 0)
    order.add(block([10, 20, 20, 30], 0))
    order.add(block([5, 20, 40], 1))
    order.flush(until=30)
    # Rows of one time in the order in which they came.
    assert column("t_ps") == [5, 10, 20, 20, 20]
    assert column("mark") == [1, 0, 0, 0, 1]
    order.add(block([30, 31], 2))
    state = order.state()
    order.flush()
    assert column("t_ps") == [5, 10, 20, 20, 20, 30, 30, 31, 40]
    assert column("mark")[5:] == [0, 2, 2, 1]
    again, column = collected()
    restored = TimeOrder(again.append, lambda: 0)
    restored.restore(state)
    restored.flush()
    assert column("mark") == [0, 2, 2, 1]


def test_rows_wait_until_their_turn_is_sure() -> None:
    out, column = collected()
    sure = 0
    order = TimeOrder(out.append, lambda: sure)
    order.add(block(np.arange(ENOUGH_ROWS), 0))
    assert not out
    sure = 100
    order.add(block([50], 1))
    assert column("t_ps")[:52] == [*range(51), 50]
    assert len(column("t_ps")) == 101


def logged(tmp_path: Any, name: str, **options: Any) -> Any:
    return hwsim.simulate(steps=12, log="pulses", probe=["0", "1"], out=tmp_path / name, **options)


@pytest.mark.parametrize("schedule", ["sequential", "pipelined"])
def test_a_stream_that_is_logged_in_parts_leaves_the_same_run(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, schedule: str
) -> None:
    options = {"device": "reram-es", "algorithm": "analog-sgd", "set": {"chip.schedule.kind": schedule}}
    whole = logged(tmp_path, "whole", **options)
    monkeypatch.setattr(analog_matrix, "LOGGED_SLOTS", 64 * 32 * 31)  # about one sample of the first tile
    parts = logged(tmp_path, "parts", **options)
    silent = hwsim.simulate(steps=12, out=tmp_path / "silent", **options)
    for file in ("pulses.parquet", "weights.npz"):
        assert (whole.path / file).read_bytes() == (parts.path / file).read_bytes()
    for name, weights in silent.weights().items():
        np.testing.assert_array_equal(weights, parts.weights()[name])
    assert parts.summary["energy_J"] == silent.summary["energy_J"]
    assert whole.pulses()["t_ps"].is_monotonic_increasing
    assert set(whole.pulses()["tile"]) == {0, 1}


def test_a_long_stream_needs_no_memory_for_all_of_its_pulses(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One update of a whole batch hands its rows on while it is applied, not when it ends."""
    most = 0
    make = execution.RunFolder.write_pulses

    def watched(self: Any, columns: Any) -> None:
        nonlocal most
        most = max(most, len(columns["t_ps"]))
        make(self, columns)

    monkeypatch.setattr(execution.RunFolder, "write_pulses", watched)
    monkeypatch.setattr(analog_matrix, "LOGGED_SLOTS", 64 * 32 * 31)
    monkeypatch.setattr(pulse_book, "ENOUGH_ROWS", 100)
    run = hwsim.simulate(
        steps=1, algorithm="analog-sgd", device="reram-es", log="pulses", probe=["0"], out=tmp_path / "run",
        set={"trace.batch_size": 1000, "trace.algorithm.update.update_bl_management": False},
    )  # fmt: skip
    total = run.sql("select count(*) n from pulses")["n"][0]
    assert total > 3 * most
