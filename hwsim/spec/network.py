"""Description of a network: a chain of linear layers, each with its activation."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from hwsim.spec.base import Spec

Activation = Literal["none", "sigmoid", "tanh", "relu", "log_softmax"]
WeightInit = Literal["uniform", "normal", "zeros", "constant", "file"]
OutputScale = Literal["none", "layer", "output"]

_LAYER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class LayerSpec(Spec):
    """A linear layer: outputs = activation(scale * (weights @ inputs) + bias).

    The weights (outputs, inputs) live on the crossbars; bias, scale and activation are digital.
    """

    name: str
    """Name of the layer in reports and logs: letters, digits and underscores, starting with a letter."""
    inputs: int = Field(ge=1)
    """Width of the input vector (columns of the weight matrix)."""
    outputs: int = Field(ge=1)
    """Width of the output vector (rows of the weight matrix)."""
    bias: bool = True
    """True: a digital bias for each output, trained by plain SGD."""
    activation: Activation = "none"
    """What follows the linear part; ``log_softmax`` only in the last layer."""
    output_scale: OutputScale = "none"
    """A digital factor behind the matrix, trained by plain SGD: one for the whole ``layer`` (AIHWKit's
    ``learn_out_scaling`` as it runs with default mapping), one for each ``output``, or ``none``."""

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _LAYER_NAME.fullmatch(name):
            raise ValueError(f"a layer name has letters, digits and underscores and starts with a letter, got '{name}'")
        return name


class NetworkSpec(Spec):
    """A chain of layers."""

    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    """From the input to the output; each takes what the one before gives."""
    weight_init: WeightInit = "uniform"
    """``uniform``: weights and biases within +-1/sqrt(inputs), as PyTorch's ``nn.Linear``; ``normal``: weights with
    standard deviation 1/sqrt(inputs), biases zero; ``zeros``: both zero; ``constant``: both ``init_value``; ``file``:
    those of ``init_file``."""
    init_value: float = 0.0
    """Every weight and bias at the start, with ``weight_init: constant``; arrays cut it to the bounds of their devices."""
    init_file: str | None = None
    """With ``weight_init: file``: an ``.npz`` with arrays ``LAYER.weight`` (outputs, inputs) and ``LAYER.bias``, such as
    the ``weights.npz`` of a run."""

    @property
    def inputs(self) -> int:
        """Width of the network's input."""
        return self.layers[0].inputs

    @property
    def outputs(self) -> int:
        """Width of the network's output."""
        return self.layers[-1].outputs

    @model_validator(mode="after")
    def _chained(self) -> NetworkSpec:
        problems = [*self._duplicate_names(), *self._broken_links(), *self._early_log_softmax()]
        if self.weight_init in ("zeros", "constant") and len(self.layers) > 1:
            problems.append(
                f"weight_init {self.weight_init} trains only a network of one layer; use uniform or normal"
            )
        if (self.weight_init == "file") != (self.init_file is not None):
            problems.append("init_file and weight_init: file belong together; give both or neither")
        if self.init_value and self.weight_init != "constant":
            problems.append("init_value needs weight_init: constant")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _duplicate_names(self) -> list[str]:
        names = [layer.name for layer in self.layers]
        return [f"two layers are called '{name}'" for name in dict.fromkeys(names) if names.count(name) > 1]

    def _broken_links(self) -> list[str]:
        return [
            f"layer '{after.name}' takes {after.inputs} inputs, but layer '{before.name}' gives {before.outputs}"
            for before, after in zip(self.layers, self.layers[1:], strict=False)
            if before.outputs != after.inputs
        ]

    def _early_log_softmax(self) -> list[str]:
        return [
            f"layer '{layer.name}' has activation log_softmax, which only the last layer may have"
            for layer in self.layers[:-1]
            if layer.activation == "log_softmax"
        ]
