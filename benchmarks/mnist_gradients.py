"""What the updates of a perceptron on MNIST see: inputs and gradients of each layer while it trains.

The network is that of ``traces/mnist-fcn.yaml``: 784-256-128-10, sigmoids, log-softmax, NLL, inputs 0..1, learning rate
0.05, trained here in floating point from torch's uniform initial weights.
"""

from __future__ import annotations

import gzip
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
Updates = list[tuple[F32, F32]]
"""Mini-batches of one layer: x (batch, inputs) and d (batch, outputs), the gradients of the mean loss."""

SIZES = (784, 256, 128, 10)
LEARNING_RATE = 0.05


def mnist(folder: Path) -> tuple[F32, NDArray[np.int64]]:
    """Training images (60000, 784) in 0..1 and their labels, from the IDX files of ``folder``."""

    def content(name: str, header: int) -> NDArray[np.uint8]:
        path = folder / name
        data = path.read_bytes() if path.exists() else gzip.decompress((folder / f"{name}.gz").read_bytes())
        return np.frombuffer(data, np.uint8, offset=header)

    images = content("train-images-idx3-ubyte", 16).reshape(-1, SIZES[0])
    return (images / 255.0).astype(np.float32), content("train-labels-idx1-ubyte", 8).astype(np.int64)


def layer_updates(folder: Path, batch: int, before: int, count: int, seed: int = 0) -> dict[str, Updates]:
    """The updates of ``count`` mini-batches after the first ``before`` ones, by layer ("784-256", ...)."""
    images, labels = mnist(folder)
    g = np.random.default_rng(seed)
    shapes = list(pairwise(SIZES))
    weights = [g.uniform(-1, 1, (out, inp)) / np.sqrt(inp) for inp, out in shapes]
    biases = [g.uniform(-1, 1, out) / np.sqrt(inp) for inp, out in shapes]
    found: dict[str, Updates] = {f"{inp}-{out}": [] for inp, out in shapes}
    for step in range(before + count):
        chosen = g.integers(0, len(images), batch)
        inputs, deltas = gradients(weights, biases, images[chosen].astype(float), labels[chosen])
        for layer, (x, d) in enumerate(zip(inputs, deltas, strict=True)):
            weights[layer] -= LEARNING_RATE * d.T @ x
            biases[layer] -= LEARNING_RATE * d.sum(axis=0)
            if step >= before:
                found[f"{SIZES[layer]}-{SIZES[layer + 1]}"].append((x.astype(np.float32), d.astype(np.float32)))
    return found


def gradients(
    weights: list[NDArray[np.float64]],
    biases: list[NDArray[np.float64]],
    x: NDArray[np.float64],
    labels: NDArray[np.int64],
) -> tuple[list[NDArray[np.float64]], list[NDArray[np.float64]]]:
    """Inputs of every layer and the gradients of the mean loss at their outputs before the activation."""
    inputs = [x]
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        inputs.append(1 / (1 + np.exp(-(inputs[-1] @ weight.T + bias))))
    scores = inputs[-1] @ weights[-1].T + biases[-1]
    share = np.exp(scores - scores.max(axis=1, keepdims=True))
    share /= share.sum(axis=1, keepdims=True)
    share[np.arange(len(labels)), labels] -= 1
    deltas = [share / len(labels)]
    for weight, activation in zip(weights[:0:-1], inputs[:0:-1], strict=True):
        deltas.append(deltas[-1] @ weight * activation * (1 - activation))
    return inputs, deltas[::-1]
