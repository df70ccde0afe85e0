"""Traces captured from PyTorch hold what the layers saw, and replay as that."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwsim.errors import DataError, UsageError
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.recorded import RecordedFile


def by_hand(model: Any, torch: Any) -> tuple[list[dict[str, list[Any]]], Any]:
    """Keep inputs, gradients of outputs and of weights of every layer, by PyTorch's own means."""
    seen: list[dict[str, list[Any]]] = []
    now: dict[str, list[Any]] = {}

    def watch(name: str, layer: Any) -> None:
        def after(_: Any, inputs: Any, output: Any) -> None:
            output.retain_grad()
            now[name] = [inputs[0].detach().clone(), output]

        layer.register_forward_hook(after)

    watched = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear | torch.nn.Conv2d)}
    for name, layer in watched.items():
        watch(name, layer)

    def step(_: int) -> None:
        seen.append({name: [x, y.grad, watched[name].weight.grad.clone()] for name, (x, y) in now.items()})

    return seen, step


@pytest.mark.parametrize("odd", [False, True])
def test_replayed_updates_of_lenet_are_the_recorded_ones(
    odd: bool, torch: Any, lenet: Any, train: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Vectors, x and d of each layer and step, against hooks of the test and the gradients of autograd."""
    import hwsim.torch

    model = lenet(odd=odd)
    start = {name: values.clone() for name, values in model.state_dict().items()}
    seen, each = by_hand(model, torch)
    with hwsim.torch.capture(model, tmp_path / "lenet.parquet") as recording:
        train(model, steps=3, batch=4, each=each)
    assert recording.steps == 3

    updates: list[Any] = []
    original = ALGORITHMS.get("analog-sgd").update

    def spy(self: Any, matrix: Any, x: np.ndarray, d: np.ndarray, lr: float) -> Any:
        updates.append((matrix.name, x.copy(), d.copy(), lr))
        return original(self, matrix, x, d, lr)

    monkeypatch.setattr(ALGORITHMS.get("analog-sgd"), "update", spy)
    run = hwsim.simulate(str(tmp_path / "lenet.parquet"), chip="large", out=tmp_path / "run")

    layers = ["0", "2", "6", "8"] if odd else ["0", "3", "7", "9"]
    assert [name for name, *_ in updates] == layers * 3
    for number, (name, x, d, rate) in enumerate(updates):
        assert rate == 0.05
        inputs, errors, gradient = seen[number // 4][name]
        layer = dict(model.named_modules())[name]
        rows = layer.weight.shape[0]
        # The sum of the replayed rank-1 updates is autograd's gradient.
        np.testing.assert_allclose((d.T @ x), gradient.reshape(rows, -1).numpy(), rtol=1e-3, atol=2e-5)
        if isinstance(layer, torch.nn.Linear):
            np.testing.assert_array_equal(x, inputs.numpy())
            np.testing.assert_array_equal(d, errors.numpy())
        elif not odd:
            patches = torch.nn.functional.unfold(inputs, layer.kernel_size)
            np.testing.assert_array_equal(x, patches.transpose(1, 2).reshape(-1, patches.shape[1]).numpy())
            np.testing.assert_array_equal(d, errors.flatten(2).transpose(1, 2).reshape(-1, rows).numpy())
    if not odd:
        assert run.summary["counts"]["update"] == 3 * 4 * (576 + 64 + 1 + 1)
        assert run.summary["counts"]["backward"] == 3 * 4 * (64 + 1 + 1)
    for name, weights in RecordedFile(tmp_path / "lenet.parquet").weights().items():
        np.testing.assert_array_equal(weights, start[f"{name}.weight"].reshape(len(weights), -1).numpy())


def test_capture_changes_nothing(torch: Any, lenet: Any, train: Any, tmp_path: Path) -> None:
    import hwsim.torch

    plain, captured = lenet(), lenet()
    recording = hwsim.torch.capture(captured, tmp_path / "a.parquet")
    assert train(captured) == train(plain)
    assert recording.close() == recording.file == tmp_path / "a.parquet"
    for one, other in zip(plain.parameters(), captured.parameters(), strict=True):
        assert torch.equal(one, other)
    size = recording.file.stat().st_size
    train(captured)
    assert recording.steps == 3
    assert recording.file.stat().st_size == size


def test_steps_of_accumulated_gradients_and_of_several_optimizers(torch: Any, tmp_path: Path) -> None:
    """Two mini-batches go into one step; each optimizer ends the steps of its own layers; a frozen layer has none."""
    import hwsim.torch

    nn = torch.nn
    torch.manual_seed(0)
    model = nn.ModuleDict(
        {"a": nn.Linear(3, 4), "b": nn.Linear(4, 2), "frozen": nn.Linear(2, 2), "idle": nn.Linear(9, 9)}
    )
    model["frozen"].requires_grad_(False)
    first = torch.optim.SGD(model["a"].parameters(), lr=0.1)
    second = torch.optim.Adam(model["b"].parameters(), lr=0.01)
    left_out = pytest.warns(UserWarning, match="layer 'frozen' is frozen and left out of the trace")
    with left_out as warned, hwsim.torch.capture(model, tmp_path / "a.parquet") as recording:
        for _ in range(2):
            for n in (5, 3):
                model["frozen"](model["b"](torch.tanh(model["a"](torch.randn(n, 3))))).square().sum().backward()
            first.step()
            second.step()
            model.eval()
            model["a"](torch.randn(5, 3)).sum().backward()
            model.train()
            with torch.no_grad():
                model["a"](torch.randn(7, 3))
            model.zero_grad()
            assert not any(seen.calls for seen in recording._seen.values()), "nothing waits for a step for ever"
    assert len(warned) == 1
    steps = list(RecordedFile(tmp_path / "a.parquet").steps())
    assert [list(step.streams) for step in steps] == [["a"], ["b"]] * 2
    assert [step.streams[name].vectors for step, name in zip(steps, "abab", strict=True)] == [8] * 4
    assert [step.streams[name].learning_rate for step, name in zip(steps, "abab", strict=True)] == [0.1, 0.01] * 2
    assert [len(step) for step in steps[::2]] == [8, 8]
    spec = RecordedFile(tmp_path / "a.parquet").spec
    assert [(layer.name, layer.backward) for layer in spec.layers] == [("a", False), ("b", True)]
    RecordedFile(tmp_path / "a.parquet").check()


def test_sequences_and_layers_that_are_used_twice(torch: Any, tmp_path: Path) -> None:
    import hwsim.torch

    layer = torch.nn.Linear(6, 6)
    with hwsim.torch.capture(layer, tmp_path / "a.parquet") as recording:
        layer(torch.tanh(layer(torch.randn(4, 5, 6)))).sum().backward()
        recording.step(0.2)
    (step,) = RecordedFile(tmp_path / "a.parquet").steps()
    stream = step.streams["linear"]
    assert (len(step), stream.vectors, stream.learning_rate) == (4, 40, 0.2)
    np.testing.assert_allclose(stream.d.T @ stream.x, layer.weight.grad.numpy(), rtol=1e-4, atol=1e-5)


def test_a_sample_of_the_vectors_costs_what_all_do(lenet: Any, train: Any, tmp_path: Path) -> None:
    import hwsim.torch

    summaries = []
    for name, vectors in (("all", None), ("some", 64)):
        with hwsim.torch.capture(lenet(), tmp_path / f"{name}.parquet", vectors=vectors) as recording:
            train(recording.model)
        run = hwsim.simulate(str(recording.file), fidelity="activity", chip="large", out=tmp_path / name)
        summaries.append(run.summary)
    one, other = summaries
    assert other["counts"]["update"] == one["counts"]["update"]
    assert other["latency_s"] == pytest.approx(one["latency_s"], rel=0.03)
    assert other["energy_J"] == pytest.approx(one["energy_J"], rel=0.03)
    assert (tmp_path / "some.parquet").stat().st_size < (tmp_path / "all.parquet").stat().st_size


def test_what_cannot_be_recorded_is_refused(torch: Any, lenet: Any, tmp_path: Path) -> None:
    import hwsim.torch

    with pytest.raises(UsageError, match="no Linear or Conv2d"):
        hwsim.torch.capture(torch.nn.ReLU(), tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="expected a torch"):
        hwsim.torch.capture("model", tmp_path / "a.parquet")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="does not know its size yet"):
        hwsim.torch.capture(torch.nn.LazyLinear(3), tmp_path / "a.parquet")
    spoilt = torch.nn.Linear(2, 2)
    spoilt.weight.data[0, 0] = float("inf")
    with pytest.raises(DataError, match="weights of layer 'linear' hold NaN or infinity"):
        hwsim.torch.capture(spoilt, tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="at least 1"):
        hwsim.torch.capture(lenet(), tmp_path / "a.parquet", vectors=0)
    with (
        pytest.raises(UsageError, match="no training step was recorded"),
        hwsim.torch.capture(lenet(), tmp_path / "a.parquet") as recording,
    ):
        recording.model(torch.randn(1, 1, 28, 28)).sum().backward()
    assert not list(tmp_path.iterdir())


def test_an_error_in_the_loop_keeps_the_steps_before_it(torch: Any, tmp_path: Path) -> None:
    import hwsim.torch

    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)

    def diverging() -> None:
        with hwsim.torch.capture(layer, tmp_path / "a.parquet"):
            for scale in (1.0, float("nan")):
                (scale * layer(torch.ones(1, 2))).sum().backward()
                optimizer.step()

    with pytest.raises(DataError, match="hold NaN or infinity in step 1"):
        diverging()
    assert RecordedFile(tmp_path / "a.parquet").spec.steps == 1


def test_without_pytorch_the_extra_is_named() -> None:
    code = "import sys; sys.modules['torch'] = None; import hwsim.torch"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode
    assert "UsageError: hwsim.torch needs PyTorch, which is not installed: pip install 'hwsim[torch]'" in result.stderr
