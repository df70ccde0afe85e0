"""Schedules of a training step: what they change (time, and staleness where weights are old) and what they must not."""

import numpy as np
import pytest

import hwsim
from hwsim.errors import MappingError, UsageError

PERFECT = {f"chip.tile.{read}.is_perfect": True for read in ("forward", "backward", "transfer")}


def run(folder, kind, steps=30, timing=True, algorithm=None, **changes):
    return hwsim.simulate(
        steps=steps, seed=3, timing=timing, algorithm=algorithm, out=folder / f"{kind}-{len(list(folder.iterdir()))}",
        set={"chip.schedule.kind": kind, **changes},
    )  # fmt: skip


def weights(run):
    with np.load(run.path / "weights.npz") as arrays:
        return {name: arrays[name] for name in arrays.files}


def assert_equal(one, two) -> None:
    assert one.keys() == two.keys()
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)


@pytest.mark.parametrize("algorithm", ["tiki-taka", "c-ttv2", "digital-sgd"])
def test_overlapped_updates_change_time_alone(tmp_path, algorithm) -> None:
    plain = run(tmp_path, "sequential", algorithm=algorithm)
    overlapped = run(tmp_path, "overlapped", algorithm=algorithm)
    untimed = run(tmp_path, "overlapped", timing=False, algorithm=algorithm)
    assert_equal(weights(plain), weights(overlapped))
    assert_equal(weights(plain), weights(untimed))
    assert overlapped.summary["latency_s"] < plain.summary["latency_s"]
    assert overlapped.summary["counts"] == plain.summary["counts"]
    # Only leakage depends on time.
    one, two = (part.summary["energy_by_phase"] for part in (plain, overlapped))
    assert {k: v for k, v in one.items() if k != "static"} == pytest.approx(
        {k: v for k, v in two.items() if k != "static"}, rel=1e-9, abs=0
    )
    assert two["static"] < one["static"]


def test_a_pipeline_computes_the_same_and_takes_less_time(tmp_path) -> None:
    """With noise-free converters the groups of a mini-batch give its sums up to rounding, hence the same pulses."""
    plain = run(tmp_path, "sequential", algorithm="digital-sgd", **PERFECT)
    for vectors in (1, 3, 10):
        grouped = run(tmp_path, "pipelined", algorithm="digital-sgd", **PERFECT, **{"chip.schedule.vectors": vectors})
        for name, values in weights(plain).items():
            np.testing.assert_allclose(weights(grouped)[name], values, atol=2e-6, err_msg=name)
        assert grouped.metrics.loss.to_numpy() == pytest.approx(plain.metrics.loss.to_numpy(), rel=1e-5)


def test_a_pipeline_overlaps_layers_on_analog_tiles(tmp_path) -> None:
    plain = run(tmp_path, "sequential")
    grouped = run(tmp_path, "pipelined")
    assert grouped.summary["latency_s"] < 0.85 * plain.summary["latency_s"]
    assert grouped.summary["counts"]["forward"] == plain.summary["counts"]["forward"]
    for part in (plain, grouped):
        assert sum(part.summary["latency_by_phase"].values()) == pytest.approx(
            part.summary["latency_s"], rel=1e-9, abs=0
        )
        assert sum(part.summary["latency_by_layer"].values()) == pytest.approx(
            part.summary["latency_s"], rel=1e-9, abs=0
        )
        assert part.events().energy_J.sum() == pytest.approx(part.summary["energy_J"], rel=1e-9, abs=0)


def test_delayed_updates_are_stale_in_events_and_loss(tmp_path) -> None:
    plain = run(tmp_path, "pipelined")
    delayed = run(tmp_path, "delayed")
    events = delayed.events()
    # The first layer is read first and written last.
    layer = events[(events.layer == events.layer[events.operation == "forward"].iloc[0])]
    stale = 0
    for step in range(1, 29):
        reads = layer[(layer.operation == "forward") & (layer.step == step) & (layer.action == "read")]
        writes = layer[(layer.operation == "transfer_write") & (layer.step == step - 1) & (layer.action == "write")]
        stale += reads.t_ps.min() < writes.t_ps.max()
    assert stale > 20
    assert not np.array_equal(plain.metrics.loss, delayed.metrics.loss)
    assert delayed.summary["latency_s"] < plain.summary["latency_s"]


def test_steps_of_a_delayed_schedule_are_reported_in_order(tmp_path) -> None:
    delayed = run(tmp_path, "delayed", **{"chip.schedule.max_delay": 4})
    assert delayed.metrics.step.tolist() == list(range(30))
    assert delayed.metrics.samples.is_monotonic_increasing
    assert delayed.metrics.t_s.is_monotonic_increasing


def test_a_full_buffer_stalls_the_next_mini_batch(tmp_path) -> None:
    """With room for one mini-batch alone the next one starts when the last one's room is free."""
    roomy = run(tmp_path, "delayed", **{"trace.batch_size": 160})
    tight = run(tmp_path, "delayed", **{"trace.batch_size": 160, "chip.buffer.banks": 1})
    assert tight.summary["latency_s"] > 1.02 * roomy.summary["latency_s"]


def test_a_buffer_without_room_for_a_mini_batch_is_refused(tmp_path) -> None:
    with pytest.raises(MappingError, match=r"mini-batch's activations and errors.*buffer\.banks"):
        run(tmp_path, "sequential", **{"trace.batch_size": 1600, "chip.buffer.banks": 1})
    assert list(tmp_path.iterdir()) == []


def test_a_delayed_schedule_needs_time(tmp_path) -> None:
    with pytest.raises(UsageError, match="numbers depend on time"):
        run(tmp_path, "delayed", timing=False)
    assert list(tmp_path.iterdir()) == []
