"""Evaluation exact or through converters, on other data, at other steps; initial weights; gradient noise."""

import numpy as np
import pytest

from hwsim.errors import DataError, SpecError
from hwsim.run import resolve, simulate
from hwsim.spec.training import DataSpec
from hwsim.training.data.least_squares import draw_least_squares

EXACT = {"trace.evaluation": {"data": "training", "reads": "exact"}}


@pytest.fixture
def run(tmp_path):
    """Return ``simulate`` of the least-squares trace with a new folder for each call."""
    count = iter(range(100))

    def start(steps=3, **options):
        options["set"] = EXACT | options.pop("set", {})
        return simulate("least-squares", steps=steps, out=tmp_path / f"run{next(count)}", **options)

    return start


def training_rows(run):
    rows, _ = draw_least_squares(DataSpec.model_validate({"name": "least-squares"}), run.info["seed"])
    return rows.x, rows.y[:, 0]


def test_exact_evaluation_takes_the_weights_as_they_are(run) -> None:
    found = run(timing=False)
    x, y = training_rows(found)
    loss = np.mean((x @ found.weights()["linear.weight"][0] - y) ** 2)
    assert found.metrics.test_loss.iloc[-1] == pytest.approx(loss, rel=1e-5)


def test_half_mse_is_half_in_value_and_step(run) -> None:
    whole, half = (run(timing=False, set={"trace.loss": loss, "trace.learning_rate": lr}, algorithm="digital-sgd")
                   for loss, lr in (("mse", 0.05), ("half_mse", 0.1)))  # fmt: skip
    assert half.metrics.test_loss.to_numpy() == pytest.approx(whole.metrics.test_loss.to_numpy() / 2, rel=1e-5)


def test_evaluation_at_every_so_many_steps_and_at_the_end(tmp_path) -> None:
    found = simulate(steps=25, set={"trace.evaluation.every": 10}, out=tmp_path / "run", log="none")
    assert list(found.metrics[found.metrics.test_loss.notna()].step) == [9, 19, 24]
    assert sorted(set(found.phases.step)) == [9, 19, 24]


def test_phases_add_up_at_every_evaluation_and_at_the_end(tmp_path) -> None:
    found = simulate(steps=25, set={"trace.evaluation.every": 10}, out=tmp_path / "run", log="none")
    energy = found.phases.groupby("step").energy_J.sum()
    told = found.metrics.set_index("step").energy_J[energy.index]
    assert energy.to_numpy() == pytest.approx(told.to_numpy(), rel=1e-9)
    last = found.phases[found.phases.step == 24].set_index("phase")
    for phase, value in found.summary["energy_by_phase"].items():
        assert last.energy_J[phase] == pytest.approx(value, rel=1e-9)
    for phase, value in found.summary["latency_by_phase"].items():
        assert last.t_s[phase] == pytest.approx(value, rel=1e-9)


def test_gradient_noise_has_its_size(run) -> None:
    """One step from the same start: the difference is the learning rate times the noise."""
    options = {"steps": 1, "timing": False, "seed": 4}
    plain = run(algorithm="digital-sgd", **options).weights()["linear.weight"]
    noisy = run(algorithm={"name": "digital-sgd", "gradient_noise": 0.3}, **options).weights()["linear.weight"]
    spread = (noisy - plain).std() / (0.1 * 0.3)
    assert spread == pytest.approx(1, abs=4 / np.sqrt(2 * plain.size))


def test_smooth_dynamic_is_eq_3(run) -> None:
    """W - lr g - (lr / tau) |g| W from a constant start, with g by hand."""
    start = {"trace.network.weight_init": "constant", "trace.network.init_value": 0.5}
    found = run(algorithm={"name": "smooth-analog-sgd", "tau": 2.0}, steps=1, set=start, timing=False)
    x, y = training_rows(found)
    g = 2 / len(x) * x.T @ (x @ np.full(40, 0.5) - y)
    expected = 0.5 - 0.1 * g - 0.1 / 2 * np.abs(g) * 0.5
    assert found.weights()["linear.weight"][0] == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_a_run_starts_from_the_weights_of_another(run, tmp_path) -> None:
    first = run(steps=4, algorithm="digital-sgd", timing=False)
    file = str(first.path / "weights.npz")
    given = {"trace.network.weight_init": "file", "trace.network.init_file": file, "trace.learning_rate": 1e-9}
    second = run(steps=1, algorithm="digital-sgd", timing=False, set=given)
    assert second.weights()["linear.weight"] == pytest.approx(first.weights()["linear.weight"], abs=1e-6)
    np.savez(tmp_path / "other.npz", **{"linear.weight": np.zeros((2, 3))})
    with pytest.raises(DataError, match=r"'linear.weight' must hold finite numbers of shape \(1, 40\)"):
        run(set=given | {"trace.network.init_file": str(tmp_path / "other.npz")})
    with pytest.raises(DataError, match=r"not a readable \.npz"):
        run(set=given | {"trace.network.init_file": str(tmp_path / "none.npz")})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"trace.network.weight_init": "file"}, "belong together"),
        ({"trace.network.init_value": 0.5}, "needs weight_init: constant"),
        ({"trace.evaluation.reads": "perfect"}, "trace.evaluation.reads"),
    ],
)
def test_wrong_starts_are_refused(settings, message) -> None:
    with pytest.raises(SpecError, match=message):
        resolve("least-squares", set=settings)


def test_an_offset_moves_every_target() -> None:
    plain, moved = (resolve("least-squares", set={"trace.data.offset": value}).trace.data for value in (0.0, 0.5))
    for here, there in zip(draw_least_squares(plain, 1), draw_least_squares(moved, 1), strict=True):
        assert there.y - here.y == pytest.approx(0.5)
