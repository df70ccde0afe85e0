"""The same seed gives the same bytes, whatever is logged, timed or threaded."""

import numpy as np
import pytest

ALGORITHMS = ["digital-sgd", "analog-sgd", "tiki-taka"]


def same_weights(a, b) -> bool:
    first, second = a.weights(), b.weights()
    return set(first) == set(second) and all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("chip", ["baseline", "small-tiles"])
def test_timing_logs_threads_and_probes_change_no_weight(run, algorithm: str, chip: str) -> None:
    base = run(algorithm=algorithm, chip=chip)
    variants = [{"timing": False}, {"log": "none"}, {"threads": 2}, {}]
    if algorithm != "digital-sgd":
        variants += [{"log": "pulses", "probe": ["0"]}, {"log": "pulses", "probe": ["0:1-3:*", "1:0"]}]
    for options in variants:
        other = run(algorithm=algorithm, chip=chip, **options)
        assert same_weights(base, other), options
        np.testing.assert_array_equal(base.metrics.loss, other.metrics.loss)


def test_another_seed_gives_other_weights(run) -> None:
    assert not same_weights(run(seed=0), run(seed=1))


def test_two_equal_runs_leave_equal_logs(run) -> None:
    first, second = (run(log="pulses", probe=["0"]) for _ in range(2))
    for name in ("events.parquet", "pulses.parquet", "metrics.parquet"):
        assert (first.path / name).read_bytes() == (second.path / name).read_bytes()
    assert first.summary == second.summary


def test_evaluating_more_often_changes_no_weight(run) -> None:
    """A run of one long epoch and one with an early end agree up to that end."""
    long, short = run(steps=20), run(steps=10)
    np.testing.assert_array_equal(long.metrics.loss[:10], short.metrics.loss)
