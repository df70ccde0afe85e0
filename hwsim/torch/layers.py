"""Linear and convolutional layers of a PyTorch model: which they are, and how hwsim describes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from hwsim.errors import UsageError

MATRIX_LAYERS = (nn.Linear, nn.Conv2d)


def matrix_layers(model: nn.Module) -> dict[str, Any]:
    """Return every ``Linear`` and ``Conv2d`` of a model by its name.

    Raises:
        UsageError: there is none, or its size is not known yet.
    """
    if not isinstance(model, nn.Module):
        raise UsageError(f"expected a torch.nn.Module, got {type(model).__name__}")
    found = {name or type(model).__name__.lower(): part for name, part in model.named_modules() if _is_matrix(part)}
    if not found:
        raise UsageError(f"{type(model).__name__} has no Linear or Conv2d layer")
    for name, layer in found.items():
        if isinstance(layer.weight, nn.parameter.UninitializedParameter):
            raise UsageError(f"layer '{name}' does not know its size yet: send a mini-batch through the model first")
    return found


def _is_matrix(layer: nn.Module) -> bool:
    # Lazy layers are subclasses until their first call; quantised and other subclasses have a forward of their own.
    return isinstance(layer, MATRIX_LAYERS) and type(layer).forward in (nn.Linear.forward, nn.Conv2d.forward)


def description(name: str, layer: Any, *, backward: bool = True, input_words: int = 1, output_words: int = 1) -> Any:
    """Return the fields of a ``RecordedLayer``, as plain data."""
    common = {
        "name": name, "bias": layer.bias is not None, "backward": backward, "input_words": input_words,
        "output_words": output_words,
    }  # fmt: skip
    if isinstance(layer, nn.Linear):
        return {"kind": "linear", "inputs": layer.in_features, "outputs": layer.out_features, **common}
    return {
        "kind": "conv2d", "inputs": layer.in_channels, "outputs": layer.out_channels, **common,
        "kernel": list(layer.kernel_size), "stride": list(layer.stride), "dilation": list(layer.dilation),
        "padding": list(padding(layer)), "padding_mode": layer.padding_mode, "groups": layer.groups,
    }  # fmt: skip


def padding(layer: Any) -> tuple[int, int, int, int]:
    """Return the padding of a convolution: rows above and below, columns left and right."""
    if layer.padding == "valid":
        return 0, 0, 0, 0
    if layer.padding == "same":
        # PyTorch puts the larger half behind.
        spans = [dilation * (kernel - 1) for dilation, kernel in zip(layer.dilation, layer.kernel_size, strict=True)]
        return spans[0] // 2, spans[0] - spans[0] // 2, spans[1] // 2, spans[1] - spans[1] // 2
    rows, cols = layer.padding
    return rows, rows, cols, cols


def samples_of(layer: Any, x: torch.Tensor) -> int:
    """Return the samples of an input; one without a dimension for them is one sample."""
    return int(x.shape[0]) if x.dim() > (1 if isinstance(layer, nn.Linear) else 3) else 1


def matrix_weights(layer: Any) -> np.ndarray:
    """Return a copy of the weights as a (rows, cols) float32 matrix."""
    return to_numpy(layer.weight).reshape(layer.weight.shape[0], -1).copy()


def to_numpy(values: torch.Tensor) -> np.ndarray:
    """Return a tensor as a contiguous float32 array on the processor; its memory is shared where it can be."""
    return values.detach().to("cpu", torch.float32).contiguous().numpy()
