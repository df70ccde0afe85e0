"""One step of digital SGD on networks of every kind of layer: its gradients are those of finite differences.

The loss is computed anew in float64, by loops over samples and positions, and every trained number is moved by itself.
"""

from collections.abc import Callable

import numpy as np
import pytest

from hwsim.chip.chip import Chip
from hwsim.devices import load_device
from hwsim.spec.layers import Add, Conv2d, FirstPosition, Flatten, Linear, Norm, Pool, SpaceToDepth
from hwsim.spec.load import load_chip
from hwsim.spec.training import TraceSpec
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.data.dataset import DataSet
from hwsim.training.trainer import Trainer

SAMPLES, CLASSES, RATE = 3, 4, 1e-3
Parameters = dict[str, np.ndarray]
ACTIVATE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda y: y,
    "tanh": np.tanh,
    "sigmoid": lambda y: 1 / (1 + np.exp(-y)),
    "relu": lambda y: np.maximum(y, 0),
    "log_softmax": lambda y: y - np.log(np.exp(y).sum(axis=0)),
}


def slide(x: np.ndarray, kernel, stride, padding, dilation, around, take) -> np.ndarray:
    """Apply ``take`` to each window of (channels, height, width)."""
    x = np.pad(x, ((0, 0), (padding, padding), (padding, padding)), constant_values=around)
    reach = dilation * (kernel - 1) + 1
    rows, cols = ((length - reach) // stride + 1 for length in x.shape[1:])
    found = [
        [take(x[:, i : i + reach : dilation, j : j + reach : dilation]) for j in range(0, cols * stride, stride)]
        for i in range(0, rows * stride, stride)
    ]
    return np.moveaxis(np.array(found), 2, 0)


def matrix(layer, x: np.ndarray, p: Parameters) -> np.ndarray:
    weight = p[f"{layer.name}.weight"]
    if isinstance(layer, Conv2d):
        own, rows = layer.inputs // layer.groups, layer.outputs // layer.groups

        def product(patch: np.ndarray) -> np.ndarray:
            parts = [patch[g * own : (g + 1) * own].ravel() for g in range(layer.groups)]
            return np.concatenate([weight[g * rows : (g + 1) * rows] @ part for g, part in enumerate(parts)])

        z = slide(x, layer.kernel, layer.stride, layer.padding, layer.dilation, 0.0, product)
    else:
        z = np.einsum("oc,chw->ohw", weight, x)
    scale, bias = p.get(f"{layer.name}.scale", np.ones(1)), p.get(f"{layer.name}.bias", np.zeros(1))
    return z * scale[:, None, None] + bias[:, None, None]


def norm(layer, samples: list[np.ndarray], p: Parameters) -> list[np.ndarray]:
    x = np.array(samples)
    axes = (0, 2, 3) if layer.kind == "batch_norm" else (1,)
    z = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + 1e-5)
    return list(p[f"{layer.name}.factor"][:, None, None] * z + p[f"{layer.name}.offset"][:, None, None])


def one(layer, x: np.ndarray, p: Parameters) -> np.ndarray:
    if isinstance(layer, Linear | Conv2d):
        return matrix(layer, x, p)
    if isinstance(layer, Pool):
        take = (lambda w: w.max(axis=(1, 2))) if layer.kind == "max_pool" else (lambda w: w.mean(axis=(1, 2)))
        around = -np.inf if layer.kind == "max_pool" else 0.0
        if layer.kernel is None:
            return take(x)[:, None, None]
        return slide(x, layer.kernel, layer.stride or layer.kernel, layer.padding, 1, around, take)
    if isinstance(layer, Flatten):
        return x.reshape(-1, 1, 1)
    if isinstance(layer, FirstPosition):
        return x[:, :1, :1]
    if isinstance(layer, SpaceToDepth):
        f = layer.factor
        parts = [x[c, i::f, j::f] for c in range(len(x)) for i in range(f) for j in range(f)]
        return np.array(parts)
    return x


def loss_of(trace: TraceSpec, x: np.ndarray, y: np.ndarray, p: Parameters) -> float:
    outputs = {"": [sample.reshape(trace.network.input.shape).astype(float) for sample in x]}
    for layer in trace.network.layers:
        given = [outputs[name] for name in trace.network.sources[layer.name]]
        if isinstance(layer, Norm):
            z = norm(layer, given[0], p)
        elif isinstance(layer, Add):
            z = [a + b for a, b in zip(*given, strict=True)]
        else:
            z = [one(layer, sample, p) for sample in given[0]]
        outputs[layer.name] = [ACTIVATE[getattr(layer, "activation", "none")](sample) for sample in z]
    last = outputs[trace.network.layers[-1].name]
    return float(-np.mean([sample.ravel()[target] for sample, target in zip(last, y, strict=True)]))


def conv(name: str, inputs: int, outputs: int, kernel: int, **options) -> dict:
    return {"name": name, "kind": "conv2d", "inputs": inputs, "outputs": outputs, "kernel": kernel, **options}


def out(inputs: int) -> dict:
    return {"name": "out", "inputs": inputs, "outputs": CLASSES, "activation": "log_softmax"}


FLAT = {"name": "flat", "kind": "flatten"}
NETWORKS = {
    "lenet": [
        conv("a", 2, 3, 3, activation="tanh", output_scale="layer"), {"name": "pool", "kind": "max_pool", "kernel": 2},
        conv("b", 3, 4, 2, activation="tanh", output_scale="output"),
        {"name": "again", "kind": "activation", "activation": "tanh"}, FLAT, out(4),
    ],
    "strides, padding, overlapping averages": [
        conv("a", 2, 3, 3, stride=2, padding=1, activation="sigmoid"),
        {"name": "pool", "kind": "average_pool", "kernel": 2, "stride": 1, "padding": 1}, FLAT, out(48),
    ],
    "overlapping maxima with padding": [
        conv("a", 2, 2, 2, activation="tanh"),
        {"name": "pool", "kind": "max_pool", "kernel": 3, "stride": 2, "padding": 1},
        {"name": "up", "inputs": 2, "outputs": 3, "activation": "tanh"}, FLAT, out(27),
    ],
    "groups and dilation": [
        conv("a", 2, 4, 3, dilation=2, bias=False), conv("b", 4, 6, 2, groups=2, activation="tanh"),
        conv("c", 6, 4, 1, groups=2, output_scale="layer"), {"name": "mean", "kind": "average_pool"}, out(4),
    ],
    "residual, normalised": [
        conv("a", 2, 3, 3, padding=1), {"name": "batch", "kind": "batch_norm", "activation": "sigmoid"},
        conv("b", 3, 3, 3, padding=1, bias=False),
        {"name": "sum", "kind": "add", "plus": "batch", "activation": "tanh"},
        {"name": "layer", "kind": "layer_norm"}, {"name": "depth", "kind": "space_to_depth", "factor": 2},
        conv("c", 12, 3, 1, stride=2), {"name": "first", "kind": "first_position"}, out(3),
    ],
    "weights behind layers without any": [
        {"name": "pool", "kind": "average_pool", "kernel": 2},
        {"name": "act", "kind": "activation", "activation": "tanh"},
        {"name": "most", "kind": "max_pool"}, out(2),
    ],
}  # fmt: skip


def trainer_of(layers: list[dict]) -> Trainer:
    trace = TraceSpec.model_validate(
        {
            "name": "a", "description": "a", "source": "a", "data": {"name": "digits"}, "loss": "nll",
            "network": {"input": {"channels": 2, "height": 6, "width": 6}, "layers": tuple(layers)},
            "batch_size": SAMPLES, "epochs": 1, "learning_rate": RATE, "shuffle": False,
        }
    )  # fmt: skip
    rng = np.random.default_rng(5)
    x = rng.standard_normal((SAMPLES, 72)).astype(np.float32)
    y = np.arange(SAMPLES)
    data = DataSet("a", x, y, x[:0].copy(), y[:0].copy(), CLASSES)
    chip = Chip(load_chip("baseline"), load_device("soft_bounds"), timing=False)
    make = ALGORITHMS.get("digital-sgd")
    return Trainer(trace, data, chip, make(make.Parameters(), chip, 0), 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    trainer = trainer_of(NETWORKS[name])
    before = {key: value.astype(float) for key, value in trainer.weights().items()}
    losses: list[float] = []
    trainer.chip.run(trainer.program(1, 1, lambda metrics: losses.append(metrics.loss)))
    after = trainer.weights()
    trace, x, y = trainer.trace, trainer.data.x_train, trainer.data.y_train
    assert losses[0] == pytest.approx(loss_of(trace, x, y, before), rel=1e-5)
    trained = [key for key in before if key.split(".")[1] in ("weight", "bias", "scale", "factor", "offset")]
    for key in trained:
        got = (before[key] - after[key]) / RATE
        wanted = np.zeros_like(got)
        for index in np.ndindex(got.shape):
            nearby = []
            for step in (1e-5, -1e-5):
                moved = before[key].copy()
                moved[index] += step
                nearby.append(loss_of(trace, x, y, before | {key: moved}))
            wanted[index] = (nearby[0] - nearby[1]) / 2e-5
        # The weights are float32, and a step moves them by a thousandth of the gradient.
        np.testing.assert_allclose(got, wanted, atol=2e-4, err_msg=key)
        assert np.abs(wanted).max() > 1e-3 or key.endswith("bias"), key
