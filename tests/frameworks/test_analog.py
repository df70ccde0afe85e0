"""PyTorch models train on simulated chips inside the user's own loop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwsim.errors import MappingError, RunError, UsageError


@pytest.fixture
def small(torch: Any) -> Any:
    """Return a function that makes a small perceptron."""

    def make() -> Any:
        torch.manual_seed(0)
        return torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3))

    return make


def batches(torch: Any, n: int = 4) -> Any:
    random = torch.Generator().manual_seed(0)
    return [(torch.randn(8, 6, generator=random), torch.randint(0, 3, (8,), generator=random)) for _ in range(n)]


def fit(model: Any, torch: Any, optimizer: Any, n: int = 4) -> list[float]:
    losses = []
    for x, y in batches(torch, n):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("odd", [False, True])
def test_exact_matrices_train_as_pytorch_does(odd: bool, lenet: Any, train: Any, tmp_path: Path) -> None:
    """With the digital algorithm, products and updates are those of PyTorch to rounding: same losses, same weights."""
    import hwsim.torch

    plain, on_chip = lenet(odd=odd), lenet(odd=odd)
    with hwsim.torch.analog(on_chip, chip="large", algorithm="digital-sgd", out=tmp_path / "run") as handle:
        losses = train(on_chip, steps=3 if odd else 2)
    np.testing.assert_allclose(losses, train(plain, steps=len(losses)), rtol=1e-4)
    for (name, one), other in zip(plain.named_parameters(), on_chip.parameters(), strict=True):
        np.testing.assert_allclose(other.detach(), one.detach(), rtol=1e-3, atol=1e-5, err_msg=name)
    assert handle.run.summary["steps"] == len(losses)
    assert handle.run.summary["samples"] == 4 * len(losses)


def test_a_chip_trains_and_gives_time_and_energy(torch: Any, small: Any, tmp_path: Path) -> None:
    import hwsim.torch

    model = small()
    x, y = batches(torch, 1)[0]
    with hwsim.torch.analog(model, algorithm="tiki-taka", device="idealized", out=tmp_path / "run", seed=3) as handle:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.2)
        losses = []
        for _ in range(60):
            before = handle.latency_s, handle.energy_J
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            handle.note(loss=loss.item())
            losses.append(loss.item())
            assert (handle.latency_s, handle.energy_J) > before
        model.eval()
        before = handle.latency_s
        model(x).sum().backward()
        with torch.no_grad():
            accuracy = float((model(x).argmax(1) == y).float().mean())
        assert handle.latency_s == before
        handle.note(test_accuracy=accuracy)
        assert model[0].weight.grad is None
    run = handle.run
    assert losses[-1] < 0.7 * losses[0]
    np.testing.assert_allclose(run.metrics.loss, losses)
    assert run.summary["metrics"]["accuracy"] == accuracy
    assert run.state == "complete"
    counts = run.summary["counts"]
    assert (counts["forward"], counts["backward"], counts["update"]) == (60 * 16, 60 * 8, 60 * 16)
    # 6 words of 16 bits a sample come in; only the first layer's input does.
    assert counts["bytes_loaded"] == 60 * 8 * 6 * run.config["chip"]["word_bits"] // 8
    for by in ("component", "phase", "layer", "tile"):
        assert handle.energy(by).energy_J.sum() == pytest.approx(handle.summary()["energy_J"], rel=1e-9)
    assert handle.latency("layer").latency_s.sum() == pytest.approx(handle.summary()["latency_s"], rel=1e-9)
    assert run.events().energy_J.sum() == pytest.approx(run.summary["energy_J"], rel=1e-9)
    assert set(run.events().step) == {-1, *range(60)}
    np.testing.assert_array_equal(run.weights()["0.weight"], model[0].weight.detach())
    assert type(model[0]) is torch.nn.Linear
    assert hwsim.open_run(tmp_path / "run").report(tmp_path / "r.html").is_file()


def test_the_same_seed_gives_the_same_bits(torch: Any, small: Any, tmp_path: Path) -> None:
    import hwsim.torch

    found = []
    for name, options in (("a", {}), ("b", {"log": "none"}), ("c", {"timing": False}), ("d", {"seed": 1})):
        model = small()
        with hwsim.torch.analog(model, device="reram-sb", out=tmp_path / name, **options):
            fit(model, torch, torch.optim.SGD(model.parameters(), lr=0.1))
        found.append(model[0].weight.detach().numpy())
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[3])


def test_loops_without_an_optimizer_say_when_a_step_ends(torch: Any, small: Any, tmp_path: Path) -> None:
    import hwsim.torch

    model = small()
    handle = hwsim.torch.analog(model, out=tmp_path / "run")
    for x, y in batches(torch):
        torch.nn.functional.cross_entropy(model(x), y).backward()
        with pytest.raises(UsageError, match="learning rate"):
            handle.step()
        handle.step(0.1)
    with pytest.raises(UsageError, match="close the handle first"):
        handle.energy()
    run = handle.close()
    assert handle.close() is run
    assert list(run.metrics.learning_rate) == [0.1] * 4
    assert "4 steps" in repr(handle)


def test_frozen_layers_and_gradients_of_inputs(torch: Any, small: Any, tmp_path: Path) -> None:
    """A frozen layer is read, forward and backward, but not updated; errors go through to the input."""
    import hwsim.torch

    model, plain = small(), small()
    model[2].requires_grad_(False)
    start = model[2].weight.clone()
    x = torch.randn(4, 6, requires_grad=True)
    with hwsim.torch.analog(model, algorithm="digital-sgd", out=tmp_path / "run") as handle:
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        model(x).square().sum().backward()
        errors, x.grad = x.grad, None
        plain(x).square().sum().backward()
        np.testing.assert_allclose(errors, x.grad, rtol=1e-4, atol=1e-6)
        optimizer.step()
    assert torch.equal(model[2].weight, start)
    assert handle.run.summary["counts"]["update"] == 4
    assert handle.run.summary["counts"]["backward"] == 8


def test_loaded_weights_go_into_the_arrays(torch: Any, small: Any, tmp_path: Path) -> None:
    import hwsim.torch

    model, other = small(), small()
    with torch.no_grad():
        other[0].weight.mul_(0.5)
    with hwsim.torch.analog(
        model, device="idealized", set={"tile.forward.is_perfect": True}, out=tmp_path / "r"
    ) as handle:
        model.load_state_dict(other.state_dict())
        x = torch.randn(3, 6)
        np.testing.assert_allclose(model[0](x).detach(), other[0](x).detach(), rtol=1e-4, atol=1e-5)
        model(x).sum().backward()
        handle.step(0.1)


def test_an_optimizer_that_does_more_than_steps_is_warned_about(torch: Any, small: Any, tmp_path: Path) -> None:
    import hwsim.torch

    model = small()
    with (
        hwsim.torch.analog(model, out=tmp_path / "run", learning_rate=0.05) as handle,
        pytest.warns(UserWarning, match="Adam trains biases") as warned,
    ):
        fit(model, torch, torch.optim.Adam(model.parameters(), lr=0.001))
    assert len(warned) == 1
    assert set(handle.run.metrics.learning_rate) == {0.05}


def test_what_does_not_go_on_a_chip_is_refused(torch: Any, small: Any, lenet: Any, tmp_path: Path) -> None:
    import hwsim.torch

    out = tmp_path / "run"
    with pytest.raises(MappingError, match=r"needs .* tiles"):
        hwsim.torch.analog(lenet(), out=out, set={"chip.tiles": 1})
    with pytest.raises(UsageError, match="schedule pipelined"):
        hwsim.torch.analog(small(), out=out, set={"chip.schedule.kind": "pipelined"})
    with pytest.raises(UsageError, match="did you mean"):
        hwsim.torch.analog(small(), out=out, algorithm="tiki-tak")
    tied = small()
    tied[0] = torch.nn.Linear(3, 5)
    tied[2].weight = torch.nn.Parameter(torch.zeros(5, 3))
    tied[0].weight = tied[2].weight
    with pytest.raises(UsageError, match=r"'0.weight' and '2.weight' are one parameter"):
        hwsim.torch.analog(tied, out=out)
    assert not out.exists()
    model = small()
    assert type(model[0]) is torch.nn.Linear

    def penalised() -> None:
        with hwsim.torch.analog(model, out=out):
            (model(torch.ones(1, 6)).sum() + model[0].weight.square().sum()).backward()
            torch.optim.SGD(model.parameters(), lr=0.1).step()

    with pytest.raises(UsageError, match="a gradient beside that of their products"):
        penalised()
    assert hwsim.open_run(out).state == "failed"
    assert type(model[0]) is torch.nn.Linear


def test_runs_that_end_early_say_so(torch: Any, small: Any, tmp_path: Path) -> None:
    import hwsim.torch

    with pytest.raises(UsageError, match="no training step was made"), hwsim.torch.analog(small(), out=tmp_path / "a"):
        pass
    assert "no training step" in str(hwsim.open_run(tmp_path / "a").error)

    def interrupted() -> None:
        model = small()
        with hwsim.torch.analog(model, out=tmp_path / "b") as handle:
            model(torch.ones(1, 6)).sum().backward()
            handle.step(0.1)
            raise KeyError

    with pytest.raises(KeyError):
        interrupted()
    failed = hwsim.open_run(tmp_path / "b")
    assert (failed.state, len(failed.metrics)) == ("failed", 1)

    def diverging() -> None:
        model = small()
        with hwsim.torch.analog(model, algorithm="digital-sgd", out=tmp_path / "c") as handle:
            for _ in range(5):
                model(torch.full((1, 6), 1e30)).square().sum().backward()
                handle.step(1e30)

    with pytest.raises(RunError, match="gives values that are not finite"):
        diverging()
    assert hwsim.open_run(tmp_path / "c").state == "failed"
