"""Resets after transfers, and zero-shifting before the training: what the algorithms emit, and what it changes."""

from itertools import pairwise

import numpy as np
import pytest

import hwsim
from hwsim.errors import SpecError, UsageError
from hwsim.run import resolve

STEP = 2.0**-12
EXACT_LR = 64 * STEP
EXACT = {"desired_bl": 64, "pulse_type": "mean_count", "update_management": False, "update_bl_management": False}
WRITE = {**EXACT, "desired_bl": 4096}
FAST = {"fast_lr": EXACT_LR, "update": EXACT, "transfer_update": WRITE, "scale_transfer_lr": False}


def test_tiki_taka_resets_the_columns_that_it_has_read(bench, batches, weights) -> None:
    """With probability 1: a column of A that has been transferred starts again from zero (reset_std is 0 here)."""
    rig = bench("tiki-taka", FAST | {"with_reset_prob": 1.0}, reset_std=0.0)
    rig.train(batches[:20])
    a, c = np.zeros((5, 7)), weights.astype(float)
    for turn, (x, d) in enumerate(batches[:20]):
        a -= EXACT_LR * d.astype(float).T @ x.astype(float)
        c[:, turn % 7] += a[:, turn % 7]
        a[:, turn % 7] = 0
    np.testing.assert_array_equal(rig.array(0), a)
    np.testing.assert_array_equal(rig.array(1), np.clip(c, -1, 1))
    assert [operation.columns for operation in rig.kinds("reset")] == [(turn % 7,) for turn in range(20)]
    assert rig.chip.counts["reset_devices"] == 100


@pytest.mark.parametrize("name", ["tiki-taka", "ttv2"])
def test_a_reset_follows_each_read_with_its_probability(bench, batches, name) -> None:
    rig = bench(name, {"with_reset_prob": 0.5, "n_reads_per_transfer": 2})
    rig.train(batches[:40])
    kinds = [operation.kind for operation in rig.operations if operation.kind in ("transfer_read", "reset")]
    assert kinds.count("transfer_read") == 80
    assert ("reset", "reset") not in pairwise(kinds)
    resets = kinds.count("reset")
    assert resets == pytest.approx(40, abs=4 * 20**0.5)
    assert rig.chip.counts["reset_devices"] == 5 * resets


def test_resets_go_with_columns_only() -> None:
    with pytest.raises(SpecError, match="with_reset_prob resets columns"):
        resolve(algorithm={"name": "tiki-taka", "with_reset_prob": 0.5, "transfer_columns": False})
    with pytest.raises(SpecError, match=r"with_reset_prob: .*less than or equal to 1"):
        resolve(algorithm={"name": "ttv2", "with_reset_prob": 1.5})
    with pytest.raises(SpecError, match=r"zero_shift_pulses: .*multiple of 2, got 3"):
        resolve(algorithm={"name": "tiki-taka", "zero_shift_pulses": 3})


def test_a_run_starts_with_zero_shifting_and_says_what_it_cost(tmp_path) -> None:
    run = hwsim.simulate(
        algorithm={"name": "tiki-taka", "zero_shift_pulses": 100, "with_reset_prob": 1.0}, steps=4, log="pulses",
        probe=["0:0:0-1"], out=tmp_path / "run",
    )  # fmt: skip
    counts, cells = run.summary["counts"], 32 * 64 + 10 * 32
    assert (counts["zero_shift"], counts["zero_shift_pulses"]) == (2, 100 * cells)
    assert counts["reset"] == counts["transfer_read"] > 0
    events = run.events()
    first = events[events.operation == "zero_shift"]
    assert set(first.step) == {-1}
    assert first.t_ps.max() < events[events.step >= 0].t_ps.min()
    pulses = run.pulses()
    shifted = pulses[pulses.step == -1]
    assert len(shifted) == 2 * 100
    assert set(shifted.array) == {0}
    for part in ("energy_by_phase", "latency_by_phase"):
        assert run.summary[part]["zero_shift"] > 0
        assert run.summary[part]["reset"] > 0
    assert sum(run.summary["energy_by_phase"].values()) == pytest.approx(run.summary["energy_J"], rel=1e-9)


def test_devices_without_a_symmetric_point_are_refused_before_the_run(tmp_path) -> None:
    with pytest.raises(UsageError, match="no device of 'idealized' has a symmetric point"):
        hwsim.simulate(
            algorithm={"name": "tiki-taka", "zero_shift_pulses": 100}, device="idealized", steps=1, out=tmp_path / "run"
        )
    assert not (tmp_path / "run").exists()
