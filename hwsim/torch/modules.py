"""Layers of a PyTorch model whose products are those of a matrix on a chip."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from hwsim.chip.operations import Backward, Forward, Matrix, Move
from hwsim.chip.program import Program
from hwsim.errors import RunError
from hwsim.spec.recorded import RecordedLayer
from hwsim.torch.layers import matrix_weights, padding, samples_of, to_numpy
from hwsim.training.replay import bias_forward, bias_update, fold

_MODES = {"reflect": "reflect", "replicate": "replicate", "circular": "circular"}


class LayerOnChip:
    """A layer, its matrix on the chip, and its passes since the last step.

    ``handle`` is the :class:`hwsim.torch.Analog` that runs the chip; ``order`` the layer's place in the network, None
    until it is first called.
    """

    def __init__(self, handle: Any, spec: RecordedLayer, layer: Any, matrix: Matrix) -> None:
        self.handle, self.spec, self.layer, self.matrix = handle, spec, layer, matrix
        self.name = spec.name
        self.order: int | None = None
        self.passes: list[tuple[np.ndarray, np.ndarray]] = []
        self.claimed = 0
        self.hook: Any = None

    @property
    def place(self) -> int:
        """Its place in the network, the first one until it is called."""
        return self.order or 0

    def forward(self, x: torch.Tensor, samples: int, words: int, outside: bool) -> np.ndarray:
        """Multiply the (n, cols) vectors ``x`` of a training pass: ``samples`` samples of ``words`` words in all.

        ``outside``: nobody asks for the errors of the input, so it comes from outside of the network.

        Raises:
            RunError: a product is not finite.
        """
        values = to_numpy(x)
        first = self.handle.went_forward(self, samples)

        def program() -> Program:
            if first and outside:
                yield Move(samples, -(-words // samples))
            yield from self.handle.keep(words + len(values) // self.spec.groups * self.spec.outputs, self)
            y = yield Forward(self.matrix, values)
            yield from bias_forward(self.spec, len(values))
            return y

        return self._finite(self.handle.do(program()))

    def backward(self, d: torch.Tensor, words: int) -> np.ndarray:
        """Return the errors (n, cols) of a training pass at its inputs, given those at its outputs (n, rows)."""
        values = to_numpy(d)

        def program() -> Program:
            error = yield Backward(self.matrix, values)
            yield from fold(self.spec, len(values), words)
            return error

        return self._finite(self.handle.do(program()))

    def evaluate(self, x: torch.Tensor, *, transposed: bool = False) -> np.ndarray:
        """Multiply without simulated time and energy, with random streams of its own."""
        y, _ = self.matrix.read(to_numpy(x), transposed=transposed, purpose="evaluate")
        return y

    def _finite(self, y: Any) -> np.ndarray:
        if not np.isfinite(y).all():
            raise RunError(f"layer '{self.name}' gives values that are not finite: the training has diverged")
        return np.asarray(y)

    def keep(self, x: torch.Tensor, d: torch.Tensor) -> None:
        """Keep the vectors and errors of a pass until the update."""
        self.handle.went_backward()
        # The memory of both is the program's, which may use it again before the update.
        self.passes.append((to_numpy(x).copy(), to_numpy(d).copy()))

    def take_passes(self) -> tuple[np.ndarray, np.ndarray]:
        """Return all vectors and errors since the last step, and forget them."""
        x, d = (np.concatenate(parts) if len(parts) > 1 else parts[0] for parts in zip(*self.passes, strict=True))
        self.passes = []
        return x, d

    def bias_update(self, vectors: int) -> Program:
        """Emit the digital work of the bias's step, which PyTorch makes."""
        return bias_update(self.spec, vectors)

    def follow(self) -> None:
        """Put the weights that a read sees into the layer's parameter."""
        weights = torch.from_numpy(self.matrix.weights())
        with torch.no_grad():
            self.layer.weight.copy_(weights.reshape(self.layer.weight.shape))

    def write(self) -> None:
        """Put the layer's parameter into the arrays, as at the start."""
        self.matrix.set_weights(self.matrix.n_arrays - 1, matrix_weights(self.layer))
        for array in range(self.matrix.n_arrays - 1):
            self.matrix.set_weights(array, np.zeros(self.matrix.shape, np.float32))


class _Product(torch.autograd.Function):
    """``y = x W^T`` of (n, cols) vectors on a chip. The weight takes no gradient: its arrays are updated by pulses."""

    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, unit: LayerOnChip, samples: int, words: int, outside: bool) -> Any:
        ctx.unit, ctx.words, ctx.trained = unit, words, weight.requires_grad
        ctx.save_for_backward(x)
        return torch.from_numpy(unit.forward(x, samples, words, outside)).to(x)

    @staticmethod
    def backward(ctx: Any, d: Any) -> Any:
        unit: LayerOnChip = ctx.unit
        (x,) = ctx.saved_tensors
        if ctx.trained:
            unit.keep(x, d)
        error = torch.from_numpy(unit.backward(d, ctx.words)).to(x) if ctx.needs_input_grad[0] else None
        return error, None, None, None, None, None


class _Evaluation(torch.autograd.Function):
    """The same outside of training: no time, no energy, no update."""

    @staticmethod
    def forward(ctx: Any, x: Any, unit: LayerOnChip) -> Any:
        ctx.unit = unit
        return torch.from_numpy(unit.evaluate(x)).to(x)

    @staticmethod
    def backward(ctx: Any, d: Any) -> Any:
        return torch.from_numpy(ctx.unit.evaluate(d, transposed=True)).to(d), None


def _product(unit: LayerOnChip, vectors: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Multiply the (n, cols) ``vectors``, which were made of the layer's input ``x``."""
    layer = unit.layer
    training = layer.training and torch.is_grad_enabled() and (x.requires_grad or layer.weight.requires_grad)
    if not training:
        return _Evaluation.apply(vectors, unit)
    return _Product.apply(vectors, layer.weight, unit, samples_of(layer, x), x.numel(), not x.requires_grad)


class AnalogLinear(nn.Linear):
    """A linear layer whose weights are on a chip; its bias is digital."""

    unit: LayerOnChip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the products and the bias."""
        y = _product(self.unit, x.reshape(-1, self.in_features), x).reshape(*x.shape[:-1], self.out_features)
        return y if self.bias is None else y + self.bias


class AnalogConv2d(nn.Conv2d):
    """A convolution whose kernels are on a chip; its patches are a stream of vectors, its bias is digital."""

    unit: LayerOnChip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the products of every patch and the bias."""
        batch = x if x.dim() == 4 else x[None]
        top, bottom, left, right = padding(self)
        if top or bottom or left or right:
            mode = _MODES.get(self.padding_mode, "constant")
            batch = functional.pad(batch, (left, right, top, bottom), mode=mode)
        n, groups = len(batch), self.groups
        height, width = self.unit.spec.grid(*x.shape[-2:])
        # (n, channels x kernel, positions) to a vector for each position and group, groups one after the other.
        patches = functional.unfold(batch, self.kernel_size, self.dilation, 0, self.stride)
        vectors = (
            patches.reshape(n, groups, -1, height * width).permute(0, 3, 1, 2).reshape(n * height * width * groups, -1)
        )
        y = _product(self.unit, vectors, x).reshape(n, height * width, groups, self.out_channels)
        share = self.out_channels // groups
        parts = [y[:, :, group, group * share : (group + 1) * share] for group in range(groups)]
        joined = parts[0] if groups == 1 else torch.cat(parts, dim=2)
        maps = joined.transpose(1, 2).reshape(n, self.out_channels, height, width)
        if self.bias is not None:
            maps = maps + self.bias[:, None, None]
        return maps if x.dim() == 4 else maps[0]


def put_on_chip(unit: LayerOnChip) -> None:
    """Swap a layer for the one on the chip; it stays the same object with the same parameters."""
    layer = unit.layer
    layer.__class__ = AnalogLinear if isinstance(layer, nn.Linear) else AnalogConv2d
    layer.unit = unit
    unit.hook = layer.register_load_state_dict_post_hook(lambda *_: unit.write())


def take_off_chip(unit: LayerOnChip) -> None:
    """Swap it back."""
    layer = unit.layer
    if isinstance(layer, AnalogLinear | AnalogConv2d):
        layer.__class__ = nn.Linear if isinstance(layer, AnalogLinear) else nn.Conv2d
        del layer.unit
        unit.hook.remove()
