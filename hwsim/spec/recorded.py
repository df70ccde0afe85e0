"""Description of a recorded training trace: the matrices of a network, and how vectors were made of what went in."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from hwsim.spec.base import Spec
from hwsim.spec.training import ScheduleSpec, named_choice

Pair = tuple[int, int]
LONGEST_LINE = 2**20
"""Most rows or columns of a recorded matrix."""


class RecordedLayer(Spec):
    """A matrix of a network that was trained elsewhere.

    A ``linear`` layer multiplies each of its inputs; a ``conv2d`` layer multiplies the patches of its input, position
    by position and, with groups, group by group.
    """

    name: str = Field(min_length=1, max_length=200)
    kind: Literal["linear", "conv2d"] = "linear"
    inputs: int = Field(ge=1)
    """Channels that it takes."""
    outputs: int = Field(ge=1)
    """Channels that it gives."""
    bias: bool = True
    """Whether the digital unit adds and trains a bias."""
    backward: bool = True
    """Whether errors at the inputs were asked for."""
    kernel: Pair = (1, 1)
    """Height and width; those below likewise."""
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    """Rows above and below, columns left and right."""
    padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros"
    groups: int = Field(1, ge=1)
    input_words: int = Field(ge=1)
    """Numbers that go in for one sample of a step, the most that occurred."""
    output_words: int = Field(ge=1)
    """Numbers that come out, the most that occurred."""

    @property
    def matrix(self) -> Pair:
        """Rows and columns of the weight matrix."""
        return self.outputs, self.inputs // self.groups * prod(self.kernel)

    @model_validator(mode="after")
    def _sensible(self) -> RecordedLayer:
        for name, smallest in (("kernel", 1), ("stride", 1), ("dilation", 1), ("padding", 0)):
            if min(getattr(self, name)) < smallest:
                raise ValueError(f"{name} must be at least {smallest}, got {list(getattr(self, name))}")
        if self.inputs % self.groups or self.outputs % self.groups:
            raise ValueError(f"{self.groups} groups must divide both {self.inputs} inputs and {self.outputs} outputs")
        if max(self.matrix) > LONGEST_LINE:
            raise ValueError(f"a matrix of {self.matrix[0]} x {self.matrix[1]} is too large (at most {LONGEST_LINE})")
        if self.kind == "linear" and self.matrix != (self.outputs, self.inputs):
            raise ValueError("a linear layer has neither kernel nor groups")
        return self

    def grid(self, height: int, width: int) -> Pair:
        """Return the positions of the output, for an input of height x width.

        Raises:
            ValueError: the kernel is larger than the padded input.
        """
        if self.kind == "linear":
            return height, width
        top, bottom, left, right = self.padding
        sizes = []
        for size, kernel, stride, dilation in zip(
            (height + top + bottom, width + left + right), self.kernel, self.stride, self.dilation, strict=True
        ):
            span = dilation * (kernel - 1) + 1
            if span > size:
                raise ValueError(f"a kernel of {span} does not fit into {size}")
            sizes.append((size - span) // stride + 1)
        return sizes[0], sizes[1]


class RecordedTraceSpec(Spec):
    """Training whose vectors come from elsewhere: from a Parquet file, or from a PyTorch program while it trains."""

    kind: Literal["recorded", "pytorch"] = "recorded"
    name: str = Field(min_length=1)
    description: str = Field(min_length=1)
    source: str = Field(min_length=1)
    file: str | None = None
    """The Parquet file; None: the vectors come as the program makes them."""
    digest: str | None = None
    """SHA-256 of the file, so that the configuration says which vectors were replayed."""
    layers: tuple[RecordedLayer, ...] = Field(min_length=1)
    """In the order in which they are computed."""
    steps: int = Field(1, ge=1)
    """Training steps of the file."""
    samples: int = Field(1, ge=1)
    """Training samples of the file."""
    batch_size: int = Field(1, ge=1)
    """Samples of the largest step."""
    sampled: int | None = Field(None, ge=1)
    """The most vectors that were kept of each layer and step, drawn at random; None: all."""
    learning_rate: float | None = Field(None, gt=0)
    """Learning rate of every layer and step; None: as recorded."""
    epochs: int = Field(1, ge=1)
    """How many times the file is replayed."""
    algorithm: str | dict[str, Any] = "analog-sgd"
    device: str | dict[str, Any] | None = None
    settings: dict[str, Any] = Field(default_factory=dict)
    statistics: str | None = None

    _named = field_validator("algorithm", "device", mode="before")(named_choice)

    @property
    def schedule(self) -> ScheduleSpec:
        """The learning rate's schedule: none of its own, each step has its rate."""
        return ScheduleSpec()

    @model_validator(mode="after")
    def _unique(self) -> RecordedTraceSpec:
        names = [layer.name for layer in self.layers]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice:
            raise ValueError(f"two layers are called '{twice[0]}'")
        return self

    def layer_replicas(self) -> dict[str, int]:
        """Return how many copies of each matrix there are: one."""
        return {layer.name: 1 for layer in self.layers}
