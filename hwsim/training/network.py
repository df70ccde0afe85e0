"""Initial weights and biases of a network; knows nothing of a chip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import DataError
from hwsim.spec.layers import MatrixLayer
from hwsim.spec.network import NetworkSpec
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
    """Draw the initial parameters of every layer with a matrix, by layer name, or read them from ``init_file``.

    Each layer has its own random stream, so changing one layer leaves the others as they are.

    Raises:
        DataError: the file cannot be read, or has no array of the right shape for a layer.
    """
    if network.init_file is not None:
        return _stored_parameters(network, Path(network.init_file))
    return {layer.name: _layer_parameters(layer, network, seed) for layer in network.matrix_layers}


def _stored_parameters(network: NetworkSpec, path: Path) -> dict[str, LayerParameters]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in stored.files}
    # zipfile, zlib and numpy raise some ten types of error for missing and damaged files.
    except Exception:
        raise DataError(f"{path}: not a readable .npz file of weights") from None

    def array(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
        found = arrays.get(name)
        if found is None or found.shape != shape or not np.isfinite(found).all():
            had = "no such array" if found is None else f"shape {found.shape}"
            raise DataError(f"{path}: '{name}' must hold finite numbers of shape {shape} ({had})")
        return found.astype(np.float32)

    return {
        layer.name: LayerParameters(
            array(f"{layer.name}.weight", layer.matrix),
            array(f"{layer.name}.bias", (layer.outputs,)) if layer.bias else None,
        )
        for layer in network.matrix_layers
    }


def _layer_parameters(layer: MatrixLayer, network: NetworkSpec, seed: int) -> LayerParameters:
    # nn.Linear and nn.Conv2d draw weights from kaiming_uniform(a=sqrt(5)), which is U(+-1/sqrt(columns)), and biases
    # from the same.
    shape = layer.matrix
    bound = shape[1] ** -0.5
    weight, bias = np.zeros(shape, np.float32), np.zeros(layer.outputs, np.float32)
    stream = generator(seed, f"weights/{layer.name}")
    weight_init = network.weight_init
    if weight_init == "uniform":
        weight = stream.uniform(-bound, bound, shape).astype(np.float32)
        bias = generator(seed, f"bias/{layer.name}").uniform(-bound, bound, layer.outputs).astype(np.float32)
    elif weight_init == "normal":
        weight = stream.normal(0.0, bound, shape).astype(np.float32)
    elif weight_init == "constant":
        weight[:], bias[:] = network.init_value, network.init_value
    return LayerParameters(weight, bias if layer.bias else None)
