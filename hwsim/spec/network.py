"""Description of a network: a list of layers, in the order in which they are computed."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Literal

from pydantic import Field, model_validator

from hwsim.spec.base import Spec, misplaced
from hwsim.spec.layers import Add, InputSpec, LayerSpec, MatrixLayer, NamedLayer, Shape

WeightInit = Literal["uniform", "normal", "zeros", "constant", "file"]


class NetworkSpec(Spec):
    """A list of layers. Each takes the output of the one before it, unless it says otherwise."""

    input: InputSpec
    """What a sample is; without it, the vector that a linear first layer takes."""
    layers: tuple[LayerSpec, ...] = Field(min_length=1)
    """From the input to the output."""
    weight_init: WeightInit = "uniform"
    """``uniform``: weights and biases within +-1/sqrt(columns of the matrix), as PyTorch's ``nn.Linear`` and
    ``nn.Conv2d``; ``normal``: weights with standard deviation 1/sqrt(columns), biases zero; ``zeros``: both zero;
    ``constant``: both ``init_value``; ``file``: those of ``init_file``."""
    init_value: float = 0.0
    """Every weight and bias at the start, with ``weight_init: constant``; arrays cut it to their devices' bounds."""
    init_file: str | None = None
    """With ``weight_init: file``: an ``.npz`` with arrays ``LAYER.weight`` (rows, columns of the matrix) and
    ``LAYER.bias``, such as the ``weights.npz`` of a run."""

    @property
    def inputs(self) -> int:
        """Numbers of a sample."""
        return self.input.shape.words

    @property
    def outputs(self) -> int:
        """Width of the network's output."""
        return self.shapes[self.layers[-1].name].words

    @property
    def activation(self) -> str:
        """What the last layer ends in."""
        return str(getattr(self.layers[-1], "activation", "none"))

    @property
    def matrix_layers(self) -> tuple[MatrixLayer, ...]:
        """The layers with weights on crossbars."""
        return tuple(layer for layer in self.layers if isinstance(layer, MatrixLayer))

    @cached_property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """The layers that each layer takes its inputs from, by name; empty for the network's input."""
        return dict(zip((layer.name for layer in self.layers), self._sources_in_order(), strict=True))

    def _sources_in_order(self) -> list[tuple[str, ...]]:
        before = ("", *(layer.name for layer in self.layers))
        return [
            tuple(previous if name is None else name for name in layer.inputs_of)
            for layer, previous in zip(self.layers, before, strict=False)
        ]

    @cached_property
    def shapes(self) -> dict[str, Shape]:
        """The shape that each layer gives, by name; of the empty name the network's input."""
        shapes = {"": self.input.shape}
        for layer in self.layers:
            shapes[layer.name] = layer.output(shapes[self.sources[layer.name][0]])
        return shapes

    def given(self, layer: NamedLayer) -> Shape:
        """Return the shape that a layer takes."""
        return self.shapes[self.sources[layer.name][0]]

    @property
    def parameters(self) -> int:
        """Trained numbers of all layers."""
        return sum(layer.parameters(self.given(layer)) for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations of one sample's forward pass: of matrices and of attention."""
        return sum(layer.macs(self.given(layer)) for layer in self.layers)

    @model_validator(mode="before")
    @classmethod
    def _input_of_a_linear_layer(cls, data: Any) -> Any:
        layers = data.get("layers") if isinstance(data, dict) else None
        first = layers[0] if isinstance(layers, list | tuple) and layers else None
        if not isinstance(first, dict) or "input" in data or first.get("kind", "linear") != "linear":
            return data
        width = first.get("inputs")
        # A width that is none is refused where it stands.
        return {**data, "input": {"channels": width if type(width) is int and width > 0 else 1}}

    @model_validator(mode="after")
    def _chained(self) -> NetworkSpec:
        unknown = self._unknown_names()
        problems = [*unknown, *self._duplicate_names(), *self._unread(), *self._early_log_softmax()]
        problems += [] if unknown else self._broken_links()
        if not self.matrix_layers:
            problems.append((0, "a network needs at least one layer with weights: linear or conv2d"))
        problems += [(0, problem) for problem in self._initial_weights()]
        if problems:
            first = min(index for index, _ in problems)
            raise misplaced(f"layers.{first}", "; ".join(problem for _, problem in problems))
        return self

    def _unknown_names(self) -> list[tuple[int, str]]:
        names = [layer.name for layer in self.layers]
        return [
            (index, f"layer '{layer.name}' names '{name}', which is no layer before it")
            for index, layer in enumerate(self.layers)
            for name in layer.inputs_of
            if name and name not in names[:index]
        ]

    def _initial_weights(self) -> list[str]:
        problems = []
        if self.weight_init in ("zeros", "constant") and len(self.matrix_layers) > 1:
            problems.append(f"weight_init {self.weight_init} trains only a network of one layer; use uniform or normal")
        if (self.weight_init == "file") != (self.init_file is not None):
            problems.append("init_file and weight_init: file belong together; give both or neither")
        if self.init_value and self.weight_init != "constant":
            problems.append("init_value needs weight_init: constant")
        return problems

    def _duplicate_names(self) -> list[tuple[int, str]]:
        names = [layer.name for layer in self.layers]
        return [
            (index, f"two layers are called '{name}'")
            for index, name in enumerate(names)
            if names[:index].count(name) == 1
        ]

    def _unread(self) -> list[tuple[int, str]]:
        taken = {name for names in self._sources_in_order() for name in names}
        return [
            (index, f"no layer takes the output of layer '{layer.name}'")
            for index, layer in enumerate(self.layers[:-1])
            if layer.name not in taken
        ]

    def _early_log_softmax(self) -> list[tuple[int, str]]:
        return [
            (index, f"layer '{layer.name}' has activation log_softmax, which only the last layer may have")
            for index, layer in enumerate(self.layers[:-1])
            if getattr(layer, "activation", None) == "log_softmax"
        ]

    def _broken_links(self) -> list[tuple[int, str]]:
        """Return the first layer that does not fit behind what it takes; what comes after it has no shape to fit."""
        shapes = {"": self.input.shape}
        for index, (layer, sources) in enumerate(zip(self.layers, self._sources_in_order(), strict=True)):
            source = sources[0]
            try:
                shapes[layer.name] = layer.output(shapes[source])
                if isinstance(layer, Add) and shapes[layer.plus] != shapes[source]:
                    raise ValueError(f"it adds {shapes[layer.plus]} (of '{layer.plus}') to {shapes[source]}")
            except ValueError as error:
                taken = f"layer '{source}'" if source else "the network's input"
                return [(index, f"layer '{layer.name}' does not fit behind {taken}: {error}")]
        last = self.layers[-1].name
        if shapes[last].positions != 1:
            text = f"the last layer must give one vector a sample for the loss, but gives {shapes[last]}; add a flatten"
            return [(len(self.layers) - 1, text)]
        return []
