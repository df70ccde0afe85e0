"""Sweeps: a mini-batch with its transfers as a whole gives the numbers, times and rows of its operations one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import hwsim
from hwsim.chip.sweep import Sweep
from hwsim.devices import DeviceArray, UpdateParameters, load_device, plan_trains

ROOM = {"chip.buffer.banks": 64}
STEPS = 12


def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sweep, "is_possible", staticmethod(lambda *_: False))


def trained(algorithm: str, out: Path, settings: dict[str, Any], **options: Any) -> hwsim.Run:
    return hwsim.simulate(algorithm=algorithm, steps=STEPS, out=out, set=ROOM | settings, **options)


def weights(run: hwsim.Run) -> dict[str, np.ndarray]:
    with np.load(run.path / "weights.npz") as stored:
        return {name: stored[name] for name in stored.files}


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[Sweep]:
    """Return the sweeps that are played while the test runs."""
    found: list[Sweep] = []
    play = Sweep.play

    def noted(sweep: Sweep, *rest: Any) -> None:
        found.append(sweep)
        play(sweep, *rest)

    monkeypatch.setattr(Sweep, "play", noted)
    return found


@pytest.mark.parametrize(
    ("algorithm", "settings"),
    [
        ("ttv2-reram-sb", {}),
        ("c-ttv2-reram-sb", {"trace.batch_size": 70}),
        ("c-ttv2", {"algorithm.transfer_every": 3, "algorithm.in_chop_random": False, "algorithm.momentum": 0.3}),
        ("c-ttv2-ecram", {"algorithm.no_buffer": True, "tile.transfer.inp_noise": 0.05}),
        ("agad-reram-sb", {"algorithm.in_chop_prob": 0.5}),
        ("agad-ecram", {"algorithm.transfer_every": -1, "trace.batch_size": 7, "algorithm.in_chop_random": True}),
        ("c-ttv2", {"algorithm.transfer_every": 25, "tile.transfer.is_perfect": True}),
        ("agad", {"algorithm.correct_gradient_magnitudes": True, "tile.transfer.bound_management": "iterative"}),
    ],
)  # fmt: skip
def test_a_sweep_equals_its_operations(
    algorithm: str, settings: dict[str, Any], tmp_path: Path, played: list[Sweep], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = trained(algorithm, tmp_path / "whole", settings, log="events")
    assert len(played) == 2 * STEPS
    one_by_one(monkeypatch)
    parts = trained(algorithm, tmp_path / "parts", settings, log="events")
    assert len(played) == 2 * STEPS
    for name, values in weights(parts).items():
        assert (weights(whole)[name] == values).all(), name
    ours, theirs = whole.events(), parts.events()
    for column in theirs.columns.drop("energy_J"):
        assert (ours[column].to_numpy() == theirs[column].to_numpy()).all(), column
    # Both add up the same weights, in another order; in a stream of several samples a sweep takes the weights before
    # each sample, an update those before the stream.
    error = 1e-7 if settings.get("algorithm.transfer_every", 1) == 1 else 1e-4
    assert ours["energy_J"].to_numpy() == pytest.approx(theirs["energy_J"].to_numpy(), rel=error)
    assert whole.summary["counts"] == parts.summary["counts"]
    assert whole.summary["latency_s"] == parts.summary["latency_s"]
    assert whole.metrics.loss.tolist() == parts.metrics.loss.tolist()
    found, wanted = (yaml.safe_load((run.path / "statistics.yaml").read_text("utf-8")) for run in (whole, parts))
    compare(found["layers"], wanted["layers"])


def compare(found: Any, wanted: Any) -> None:
    """Assert that statistics agree to rounding."""
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        for name, value in wanted.items():
            compare(found[name], value)
    elif isinstance(wanted, list):
        assert len(found) == len(wanted)
        for ours, theirs in zip(found, wanted, strict=True):
            compare(ours, theirs)
    else:
        assert found == (pytest.approx(wanted, rel=1e-9, abs=1e-12) if isinstance(wanted, float) else wanted)


def test_a_sweep_has_the_same_numbers_without_time_and_on_two_threads(tmp_path: Path, played: list[Sweep]) -> None:
    whole = trained("c-ttv2-reram-sb", tmp_path / "timed", {})
    assert played
    for name, options in (("numbers", {"timing": False}), ("threads", {"threads": 2})):
        other = trained("c-ttv2-reram-sb", tmp_path / name, {}, **options)
        assert all((weights(other)[key] == value).all() for key, value in weights(whole).items())


@pytest.mark.parametrize(
    "settings",
    [
        {"algorithm.gamma": 0.1},
        {"algorithm.transfer_columns": False},
        {"algorithm.out_chop_prob": 0.1},
        {"chip.schedule.kind": "pipelined"},
        {"tile.rows": 8},
        {"device.lifetime": "1 s"},
        {"unit_cell.kind": "reference"},
        {"algorithm.update.pulse_type": "none_with_device"},
        {"chip.faults": [{"fault": "missed_pulses", "side": "row", "rate": 0.3, "probability": 0.2}]},
    ],
    ids=str,
)  # fmt: skip
def test_what_a_sweep_does_not_know_goes_one_by_one(
    settings: dict[str, Any], tmp_path: Path, played: list[Sweep]
) -> None:
    hwsim.simulate(algorithm="c-ttv2", steps=2, out=tmp_path / "run", set=ROOM | settings)
    assert not played


def test_logged_pulses_are_those_of_a_run_without_log(tmp_path: Path, played: list[Sweep]) -> None:
    logged = trained("ttv2-reram-sb", tmp_path / "logged", {}, log="pulses", probe=["0:0-3:*"])
    assert not played
    plain = trained("ttv2-reram-sb", tmp_path / "plain", {})
    assert played
    assert all((weights(plain)[name] == value).all() for name, value in weights(logged).items())


SHAPE = (45, 70)


def cells(name: str, threads: int = 1, **overrides: Any) -> DeviceArray:
    made = DeviceArray(load_device(name, **overrides), SHAPE, seed=3, threads=threads)
    made.set_weights(np.random.default_rng(2).uniform(-0.2, 0.2, SHAPE))
    return made


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", ["reram-sb", "exp_step", "measured_curves", "constant_step"])
def test_columns_are_looked_at_between_the_samples(name: str, threads: int) -> None:
    g = np.random.default_rng(5)
    x, d = (g.uniform(-1, 1, (17, lines)).astype(np.float32) for lines in SHAPE[::-1])
    x[3], d[5] = 0, 0
    columns = g.integers(-1, SHAPE[1], 17).astype(np.int32)
    whole, parts = cells(name, threads), cells(name)
    params = UpdateParameters(desired_bl=40, update_management=False, update_bl_management=False)
    plan = plan_trains(x, d, 0.05, whole.granularity, params)
    seen = whole.update_watched(x, d, plan, columns)
    for sample, column in enumerate(columns):
        before = parts.weights.astype(float)
        own = slice(sample, sample + 1)
        result = parts.apply_trains(x[own], d[own], plan.part(own))
        on_lines = result.row_fires[0] @ before.sum(axis=1) + result.col_fires[0] @ before.sum(axis=0)
        assert seen.on_lines[sample] == pytest.approx(on_lines, rel=1e-5, abs=1e-3)
        assert (seen.columns[sample] == (parts.weights[:, column] if column >= 0 else 0)).all()
        assert seen.result.pulses_up[sample] == result.pulses_up[0]
    assert (whole.weights == parts.weights).all()


@pytest.mark.parametrize("name", ["reram-sb", "exp_step", "measured_curves"])
def test_writes_of_columns_are_updates_with_one_hot_vectors(name: str) -> None:
    g = np.random.default_rng(6)
    columns = np.array([3, 69, 3, 0, 31], np.int32)
    one_hot = np.zeros((5, SHAPE[1]), np.float32)
    one_hot[np.arange(5), columns] = 1
    d = g.integers(-1, 2, (5, SHAPE[0])).astype(np.float32)
    whole, parts = cells(name, count_pulses=True), cells(name, count_pulses=True)
    params = UpdateParameters(desired_bl=1, update_management=False, update_bl_management=False)
    plan = plan_trains(one_hot, d, whole.granularity, whole.granularity, params)
    writes = whole.write_columns(columns, d, plan)
    for sample in range(5):
        before = parts.weights.astype(float)
        own = slice(sample, sample + 1)
        result = parts.apply_trains(one_hot[own], d[own], plan.part(own))
        on_lines = result.row_fires[0] @ before.sum(axis=1) + result.col_fires[0] @ before.sum(axis=0)
        assert writes.on_lines[sample] == pytest.approx(on_lines, rel=1e-9, abs=1e-9)
        assert (writes.pulses_up[sample], writes.pulses_down[sample]) == (result.pulses_up[0], result.pulses_down[0])
    assert (whole.weights == parts.weights).all()
    assert all((a == b).all() for a, b in zip(whole.pulse_counts, parts.pulse_counts, strict=True))
    for ours, theirs in zip(whole.line_sums(), parts.line_sums(), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12, abs=1e-12)
