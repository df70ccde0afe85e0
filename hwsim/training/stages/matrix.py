"""Linear layers and convolutions: streams of vectors through a matrix on the chip, bias and activation behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.chip.operations import Backward, Forward, Matrix
from hwsim.chip.vectors import joined
from hwsim.spec.layers import Conv2d, MatrixLayer
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.operations import Operations, operations, plus
from hwsim.training.sliding import Sliding
from hwsim.training.stages.activations import backward_work, forward_work
from hwsim.training.stages.base import Emits, KeptStage, Pass


@dataclass
class MatrixStage(KeptStage):
    """A linear or convolutional layer; ``matrix`` is on the chip.

    ``bias`` (outputs,) and ``scale`` (one, or outputs) are None where the layer has none, or where nothing is computed.
    With ``exact_evaluation`` it is evaluated with the weights as they are, and not through the converters.
    """

    spec: MatrixLayer
    matrix: Matrix | None = None
    bias: np.ndarray | None = None
    scale: np.ndarray | None = None
    exact_evaluation: bool = False

    def kept_words(self, *, last: bool) -> int:
        """Return the output, the errors at it, the matrix's own output where a scale is trained, and the network's
        input where the stage takes it."""
        return super().kept_words(last=last) + self.output.words * (1 + self._scaled)

    @property
    def _scaled(self) -> bool:
        return self.spec.output_scale != "none"

    @property
    def placed(self) -> Matrix:
        """The matrix."""
        assert self.matrix is not None
        return self.matrix

    @cached_property
    def _forward_work(self) -> Operations:
        """Digital operations on one output vector of the matrix: scale, bias, activation."""
        width = self.output.channels
        return plus(
            forward_work(self.spec.activation, width),
            operations(mul=width if self._scaled else 0, add=width if self.spec.bias else 0),
        )

    @cached_property
    def _backward_work(self) -> Operations:
        """Digital operations on one error vector: activation and scale."""
        width = self.output.channels
        return plus(backward_work(self.spec.activation, width), operations(mul=width if self._scaled else 0))

    # Forward

    def forward(self, seen: Pass, *inputs: Any) -> Emits:
        """Emit the products, then scale, bias and activation where there are any."""
        seen.x = self._vectors(seen.n, inputs[0])
        z = yield Forward(self.placed, seen.x)
        seen.z = self._of_own_group(seen.n, z)
        width = self.output.channels
        seen.output = yield from self.work(
            "activation", seen.n, self._forward_work, width, width, lambda: self._activated(seen.z)
        )  # fmt: skip
        return seen.output

    def evaluate(self, n: int, *inputs: Any) -> Any:
        """Return the output; the arrays are read with own random streams."""
        vectors = self._vectors(n, inputs[0])
        if self.exact_evaluation:
            z = vectors @ self.placed.weights().T
        else:
            z, _ = self.placed.read(vectors, purpose="evaluate")
        return self._activated(self._of_own_group(n, z))

    def _vectors(self, n: int, x: Any) -> Any:
        """Return the vectors that the matrix is multiplied with: the patches of a convolution."""
        window, groups = self._window, self._groups
        if window is None:
            return x
        return self.numbers(lambda: window.patches(x, groups), n * self.spec.vectors(self.given), self.spec.matrix[1])

    def _of_own_group(self, n: int, z: Any) -> Any:
        """Return the outputs (n positions, outputs): of each group's vector those that belong to the group."""
        groups, rows = self._groups, self.output.channels
        if groups == 1:
            return z
        own = np.arange(groups)

        def chosen() -> np.ndarray:
            found = z.reshape(-1, groups, groups, rows // groups)[:, own, own]
            return np.ascontiguousarray(found.reshape(-1, rows))

        return self.numbers(chosen, n * self.output.positions, rows)

    def _activated(self, z: np.ndarray) -> np.ndarray:
        if self.scale is not None:
            z = z * self.scale
        return ACTIVATIONS[self.spec.activation].forward(z if self.bias is None else z + self.bias)

    # Backward

    def backward(self, seen: Pass, error: Any) -> Emits:
        """Emit the activation's share and, unless nobody needs them, the errors at the inputs.

        A convolution's errors come patch by patch; each is added into the map of its input.
        """
        width = self.output.channels
        activation = ACTIVATIONS.get(self.spec.activation)
        seen.d = yield from self.work(
            "activation-backward", seen.n, self._backward_work, 2 * width, width,
            lambda: error if activation is None else activation.backward(error, seen.output),
        )  # fmt: skip
        scaled = seen.d if self.scale is None else seen.d * self.scale
        seen.at_matrix = self._to_own_group(seen.n, scaled)
        if not self.wanted:
            return None
        errors = yield Backward(self.placed, seen.at_matrix)
        return (yield from self._folded(seen.n, errors))

    def _to_own_group(self, n: int, d: Any) -> Any:
        """Return the errors (n vectors, outputs): a group's vector has none at the outputs of the others."""
        groups, rows = self._groups, self.output.channels
        if groups == 1:
            return d
        own = np.arange(groups)

        def spread() -> np.ndarray:
            errors = np.zeros((len(d), groups, groups, rows // groups), np.float32)
            errors[:, own, own] = d.reshape(-1, groups, rows // groups)
            return errors.reshape(-1, rows)

        return self.numbers(spread, n * self.spec.vectors(self.given), rows)

    def _folded(self, n: int, errors: Any) -> Emits:
        window, groups = self._window, self._groups
        if window is None:
            return errors
        cols, vectors = self.spec.matrix[1], self.spec.vectors(self.given)
        # Patches of single positions do not overlap, so there is nothing to add.
        work: Operations = operations(add=cols) if window.positions > 1 else {}
        return (
            yield from self.work_on(
                "fold", n * vectors, work, cols, -(-self.given.words // vectors), lambda: window.fold(errors, groups),
                self.at_inputs(n),
            )
        )  # fmt: skip

    @cached_property
    def _window(self) -> Sliding | None:
        """The window that slides over the input; None where the input's vectors are the matrix's."""
        layer = self.spec
        if not isinstance(layer, Conv2d):
            return None
        plain = (layer.kernel, layer.stride, layer.padding, layer.groups) == (1, 1, 0, 1)
        return None if plain else Sliding.of(layer, self.given)

    @property
    def _groups(self) -> int:
        return self.spec.groups if isinstance(self.spec, Conv2d) else 1

    # Update

    def streams(self, passes: Sequence[Pass]) -> tuple[Any, Any]:
        """Return the inputs (vectors, cols) and the errors (vectors, rows) of a mini-batch."""
        return joined([seen.x for seen in passes]), joined([seen.at_matrix for seen in passes])

    def digital_update(self, passes: Sequence[Pass], rate: np.float32) -> Emits:
        """Emit plain SGD of bias and output scale.

        Each vector adds to the sums of the gradients; the step itself is spread over the vectors of the mini-batch.
        """
        n_parameters = self.spec.bias + self._scaled
        if not n_parameters:
            return
        width, vectors = self.output.channels, sum(seen.n for seen in passes) * self.output.positions
        step_share = -(-2 * width * n_parameters // vectors)
        work = operations(add=width * n_parameters + step_share, mul=width if self._scaled else 0)
        yield from self.work_on(
            "bias-and-scale", vectors, work, width * n_parameters, 0, lambda: self._learn(passes, rate), (0, 0)
        )

    def _learn(self, passes: Sequence[Pass], rate: np.float32) -> None:
        d, z = joined([seen.d for seen in passes]), joined([seen.z for seen in passes])
        if self.scale is not None:
            self.scale -= rate * (np.einsum("ni,ni->i", d, z) if len(self.scale) > 1 else np.vdot(d, z))
        if self.bias is not None:
            self.bias -= rate * np.add.reduce(d)

    def parameters(self) -> dict[str, np.ndarray]:
        """Return copies of bias and scale."""
        found = {"bias": self.bias, "scale": self.scale}
        return {name: value.copy() for name, value in found.items() if value is not None}
