"""A replayed trace asks of the chip what was recorded, at both fidelities and under every schedule."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hwsim
from hwsim.errors import MappingError, SpecError, UsageError
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.recorded import Call, RecordedFile


@pytest.fixture
def replay(tmp_path: Path) -> Any:
    """Return ``simulate`` of a file with a new output folder for each call."""
    count = iter(range(100))
    return lambda path, **options: hwsim.simulate(str(path), out=tmp_path / f"run{next(count)}", **options)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a live run and the file that it recorded."""
    folder = tmp_path_factory.mktemp("live")
    run = hwsim.simulate(
        "digits-mlp", steps=15, algorithm="tiki-taka", out=folder / "run", record=folder / "live.parquet", seed=5
    )
    return run, folder / "live.parquet"


def test_the_replay_of_a_live_trace_has_its_weights(live: Any, replay: Any) -> None:
    """Same devices, same vectors: the same pulses to the last bit, transfers and reads included."""
    run, file = live
    config = run.config
    replayed = replay(
        file, seed=5, device=config["device"], algorithm={"name": "tiki-taka", **config["algorithm"]["parameters"]},
    )  # fmt: skip
    kept, again = run.weights(), replayed.weights()
    assert {name for name in kept if ".bias" not in name and ".scale" not in name} == set(again)
    for name, weights in again.items():
        np.testing.assert_array_equal(weights, kept[name])
    counts = {name: n for name, n in run.summary["counts"].items() if name != "digital_operations"}
    assert {name: n for name, n in replayed.summary["counts"].items() if name != "digital_operations"} == counts
    assert np.array_equal(replayed.metrics.learning_rate, run.metrics.learning_rate)
    assert replayed.summary["steps"] == 15
    for phase in ("forward", "backward", "update", "transfer"):
        assert replayed.summary["energy_by_phase"][phase] == pytest.approx(
            run.summary["energy_by_phase"][phase], rel=1e-9
        )


def test_replayed_updates_are_the_recorded_ones(trace: Path, toy: Any, replay: Any, monkeypatch: Any) -> None:
    """Number of vectors, x and d of every layer and step, as the algorithm gets them."""
    seen = []
    update = ALGORITHMS.get("analog-sgd").update

    def spy(self: Any, matrix: Any, x: np.ndarray, d: np.ndarray, lr: float) -> Any:
        seen.append((matrix.name, x.copy(), d.copy(), lr))
        return update(self, matrix, x, d, lr)

    monkeypatch.setattr(ALGORITHMS.get("analog-sgd"), "update", spy)
    run = replay(trace)
    assert [name for name, *_ in seen] == ["conv", "fc", "head"] * toy.STEPS
    for (name, x, d, rate), step in zip(seen, np.repeat(np.arange(toy.STEPS), 3), strict=True):
        expected_rate, calls = toy.draw(step)[name]
        assert rate == expected_rate
        if name != "conv":
            np.testing.assert_array_equal(x, np.concatenate([call.x.reshape(-1, x.shape[1]) for call in calls]))
            np.testing.assert_array_equal(d, np.concatenate([call.d.reshape(-1, d.shape[1]) for call in calls]))
        else:
            assert x.shape == (4 * 2 * 8 * 2, 12)
            # Each error once, in the group of its channel.
            assert np.sort(d[d != 0]).tolist() == np.sort(calls[0].d.ravel()).tolist()
    vectors = toy.STEPS * (4 * 2 * 8 * 2 + 6 * 3 + 4)
    assert run.summary["counts"]["update"] == run.summary["counts"]["forward"] == vectors
    assert run.summary["counts"]["backward"] == toy.STEPS * (6 * 3 + 4)
    assert any("between the layers" in text for text in run.summary["assumptions"])


@pytest.mark.parametrize("algorithm", ["analog-sgd", "tiki-taka", "digital-sgd"])
def test_activity_agrees_with_device(algorithm: str, trace: Path, replay: Any) -> None:
    """Known vectors tell drive and trains, so reads and updates cost what they cost with devices."""
    device = replay(trace, algorithm=algorithm, device="idealized")
    activity = replay(trace, algorithm=algorithm, device="idealized", fidelity="activity")
    one, other = device.summary, activity.summary
    assert other["latency_s"] == pytest.approx(one["latency_s"], rel=0.01)
    for phase in ("forward", "backward"):
        assert other["energy_by_phase"][phase] == pytest.approx(one["energy_by_phase"][phase], rel=0.01)
    if algorithm != "digital-sgd":
        assert other["energy_by_phase"]["update"] == pytest.approx(one["energy_by_phase"]["update"], rel=0.01)
        pulses = one["counts"]["coincidences"]
        # Trains are random: the count is binomial at least, so its standard error is at most its root.
        assert other["counts"]["coincidences"] == pytest.approx(pulses, abs=5 * pulses**0.5)
    assert activity.metrics.loss.isna().all()
    assert not (activity.path / "weights.npz").exists()


@pytest.mark.parametrize("device", ["reram-es-2", "pcm-pair", "idealized-4"])
def test_devices_of_a_unit_cell_get_their_share_of_the_pulses(device: str, trace: Path, replay: Any) -> None:
    settings = {"unit_cell.refresh_every": 0} if device == "pcm-pair" else {}
    counts = [
        replay(trace, device=device, set=settings, fidelity=fidelity).summary["counts"]["coincidences"]
        for fidelity in ("device", "activity")
    ]
    assert counts[1] == pytest.approx(counts[0], abs=5 * counts[0] ** 0.5 + 10)


@pytest.mark.parametrize("kind", ["overlapped", "pipelined", "delayed"])
def test_every_schedule_does_the_same_work(kind: str, trace: Path, replay: Any) -> None:
    sequential = replay(trace)
    scheduled = replay(
        trace, set={"chip.schedule.kind": kind, **({"chip.schedule.max_delay": 1} if kind == "delayed" else {})}
    )
    for name in ("forward", "backward", "update", "bytes_loaded"):
        assert scheduled.summary["counts"][name] == sequential.summary["counts"][name]
    assert scheduled.summary["latency_s"] < sequential.summary["latency_s"]


def test_a_sample_of_the_vectors_stands_for_all(tmp_path: Path, toy: Any, replay: Any) -> None:
    """Half of the vectors of each step, drawn at random, give the cost of all."""
    rng = np.random.default_rng(3)

    def sampled(step: int, calls: Any) -> Any:
        found = {}
        whole = next(each for number, each in enumerate(RecordedFile(full).steps()) if number == step)
        for name, stream in whole.streams.items():
            keep = rng.choice(len(stream.x), max(len(stream.x) // 2, 1), replace=False)
            x, d = stream.x[keep].reshape(1, -1), stream.d[keep].reshape(1, -1)
            first = calls[name][1][0]
            found[name] = (calls[name][0], [Call(x, d, first.height, first.width, stream.vectors, sampled=True)])
        return found

    full = toy.write(tmp_path / "full.parquet")
    part = toy.write(tmp_path / "part.parquet", change=sampled, sampled=200)
    one, other = (replay(path, fidelity="activity").summary for path in (full, part))
    for name in ("forward", "backward", "update", "adc_conversions"):
        assert other["counts"][name] == one["counts"][name]
    assert other["latency_s"] == pytest.approx(one["latency_s"], rel=0.05)
    assert other["energy_J"] == pytest.approx(one["energy_J"], rel=0.05)
    with pytest.raises(UsageError, match=r"a sample of the vectors .* use --fidelity activity"):
        replay(part)


def test_replay_takes_epochs_steps_and_a_learning_rate(trace: Path, replay: Any) -> None:
    run = replay(trace, epochs=2, steps=8, set={"learning_rate": 0.01})
    assert run.summary["steps"] == 8
    assert set(run.metrics.learning_rate) == {0.01}
    assert run.config["trace"]["digest"] == RecordedFile(trace).digest()


def test_what_a_trace_holds_cannot_be_set(trace: Path, replay: Any, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no such parameter"):
        replay(trace, set={"layers": []})
    with pytest.raises(MappingError, match="needs 3 tiles"):
        replay(trace, set={"chip.tiles": 2})
    config = tmp_path / "trace.yaml"
    config.write_text(f"kind: recorded\nname: toy\nfile: {trace}\n")
    with pytest.raises(SpecError, match=r"hwsim run FILE\.parquet"):
        replay(config)


def test_only_live_traces_at_device_fidelity_are_recorded(trace: Path, tmp_path: Path, replay: Any) -> None:
    for options in ({}, {"fidelity": "activity"}):
        with pytest.raises(UsageError, match="leave record out"):
            replay(trace, record=tmp_path / "again.parquet", **options)
    with pytest.raises(MappingError):
        replay("digits-mlp", record=tmp_path / "small.parquet", set={"chip.tiles": 1})
    assert not list(tmp_path.glob("*small*"))
