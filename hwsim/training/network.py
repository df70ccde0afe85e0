"""Initial weights and biases of a network; knows nothing of a chip."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.spec.layers import MatrixLayer
from hwsim.spec.network import NetworkSpec, WeightInit
from hwsim.training.streams import generator


@dataclass(frozen=True)
class LayerParameters:
    """Trainable numbers of a layer before training, all float32.

    ``weight`` is (rows, columns) of the matrix, a row for each output; ``bias`` (outputs,), or None if the layer has
    none.
    """

    weight: NDArray[np.float32]
    bias: NDArray[np.float32] | None


def initial_parameters(network: NetworkSpec, seed: int) -> dict[str, LayerParameters]:
    """Draw the initial parameters of every layer with a matrix, by layer name.

    Each layer has its own random stream, so changing one layer leaves the others as they are.
    """
    return {layer.name: _layer_parameters(layer, network.weight_init, seed) for layer in network.matrix_layers}


def _layer_parameters(layer: MatrixLayer, weight_init: WeightInit, seed: int) -> LayerParameters:
    # nn.Linear and nn.Conv2d draw weights from kaiming_uniform(a=sqrt(5)), which is U(+-1/sqrt(columns)), and biases
    # from the same.
    shape = layer.matrix
    bound = shape[1] ** -0.5
    weight, bias = np.zeros(shape, np.float32), np.zeros(layer.outputs, np.float32)
    stream = generator(seed, f"weights/{layer.name}")
    if weight_init == "uniform":
        weight = stream.uniform(-bound, bound, shape).astype(np.float32)
        bias = generator(seed, f"bias/{layer.name}").uniform(-bound, bound, layer.outputs).astype(np.float32)
    elif weight_init == "normal":
        weight = stream.normal(0.0, bound, shape).astype(np.float32)
    return LayerParameters(weight, bias if layer.bias else None)
