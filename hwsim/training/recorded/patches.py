"""Cuts the input of a convolution into the vectors that its matrix is multiplied with."""

from __future__ import annotations

import numpy as np

from hwsim.spec.recorded import RecordedLayer

_PADDING = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def unfolded_bytes(layer: RecordedLayer, samples: int, height: int, width: int) -> int:
    """Return the bytes of inputs and errors as float32 vectors."""
    rows, cols = layer.matrix
    out_height, out_width = layer.grid(height, width)
    return 4 * samples * out_height * out_width * layer.groups * (rows + cols)


def patches(layer: RecordedLayer, x: np.ndarray, d: np.ndarray, height: int, width: int) -> tuple[np.ndarray, ...]:
    """Return the vectors (n, cols) and errors (n, rows) of samples ``x`` (samples, words) and ``d`` (samples, words).

    The order is sample, position, group. The errors of a group are zero outside of its rows.
    """
    if layer.kind == "linear":
        return x.reshape(-1, layer.inputs), d.reshape(-1, layer.outputs)
    n, groups = len(x), layer.groups
    out_height, out_width = layer.grid(height, width)
    top, bottom, left, right = layer.padding
    maps = x.reshape(n, layer.inputs, height, width)
    if any(layer.padding):
        maps = np.pad(maps, ((0, 0), (0, 0), (top, bottom), (left, right)), mode=_PADDING[layer.padding_mode])  # type: ignore[call-overload]
    span = [dilation * (kernel - 1) + 1 for dilation, kernel in zip(layer.dilation, layer.kernel, strict=True)]
    windows = np.lib.stride_tricks.sliding_window_view(maps, span, axis=(2, 3))
    windows = windows[:, :, :: layer.stride[0], :: layer.stride[1], :: layer.dilation[0], :: layer.dilation[1]]
    # (sample, channel, row, column, kernel row, kernel column) to (sample, row, column, group, channel of group, ...)
    windows = windows.reshape(n, groups, layer.inputs // groups, out_height, out_width, *layer.kernel)
    vectors = windows.transpose(0, 3, 4, 1, 2, 5, 6).reshape(-1, layer.matrix[1])
    errors = d.reshape(n, layer.outputs, out_height * out_width).transpose(0, 2, 1)
    if groups == 1:
        return np.ascontiguousarray(vectors), np.ascontiguousarray(errors.reshape(-1, layer.outputs))
    share = layer.outputs // groups
    own = np.zeros((n, out_height * out_width, groups, layer.outputs), np.float32)
    for group in range(groups):
        rows = slice(group * share, (group + 1) * share)
        own[:, :, group, rows] = errors[:, :, rows]
    return np.ascontiguousarray(vectors), own.reshape(-1, layer.outputs)
