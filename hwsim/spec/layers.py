"""Kinds of layers that a network is a list of, with the shapes of what they take and give for one sample."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, field_validator, model_validator

from hwsim.spec.base import Spec

Activation = Literal["none", "sigmoid", "tanh", "relu", "gelu", "log_softmax"]
OperationKind = Literal["add", "mul", "div", "compare", "nonlinear"]
OutputScale = Literal["none", "layer", "output"]
_LAYER_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


class Shape(NamedTuple):
    """What a layer takes or gives for one sample: vectors of ``channels`` numbers on a grid of height x width; a
    sequence has width 1, a single vector both 1."""

    channels: int
    height: int
    width: int

    @property
    def positions(self) -> int:
        """Vectors of a sample."""
        return self.height * self.width

    @property
    def words(self) -> int:
        """Numbers of a sample."""
        return self.channels * self.positions

    def __str__(self) -> str:
        return f"{self.channels} x {self.height} x {self.width}"


class InputSpec(Spec):
    """What the network takes for one sample."""

    channels: int = Field(ge=1)
    height: int = Field(1, ge=1)
    width: int = Field(1, ge=1)

    @property
    def shape(self) -> Shape:
        """The shape of a sample."""
        return Shape(self.channels, self.height, self.width)


class NamedLayer(Spec):
    """What every layer has."""

    name: str
    """Name of the layer in reports and logs: letters, digits and underscores, starting with a letter; unique."""
    after: str | None = None
    """The layer whose output it takes; None: the one before it."""

    @property
    def inputs_of(self) -> tuple[str | None, ...]:
        """The layers whose outputs it takes; None stands for the one before it."""
        return (self.after,)

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not _LAYER_NAME.fullmatch(name):
            raise ValueError(f"a layer name has letters, digits and underscores and starts with a letter, got '{name}'")
        return name

    def output(self, given: Shape) -> Shape:
        """Return the output's shape for an input of shape ``given``.

        Raises:
            ValueError: the input does not fit.
        """
        return given

    def parameters(self, given: Shape) -> int:  # noqa: ARG002
        """Return the trained numbers."""
        return 0

    def macs(self, given: Shape) -> int:  # noqa: ARG002
        """Return the multiply-accumulate operations of one sample's forward pass."""
        return 0


class MatrixLayer(NamedLayer):
    """A layer with weights: outputs = activation(scale * (weights @ inputs) + bias) for each vector.

    The weights live on the crossbars; bias, scale and activation are digital.
    """

    inputs: int = Field(ge=1)
    """Channels that it takes: of a single vector its width."""
    outputs: int = Field(ge=1)
    """Channels that it gives."""
    bias: bool = True
    """True: a digital bias for each output channel, trained by plain SGD."""
    activation: Activation = "none"
    """What follows the linear part; ``log_softmax`` only in the last layer."""
    output_scale: OutputScale = "none"
    """A digital factor behind the matrix, trained by plain SGD: one for the whole ``layer`` (AIHWKit's
    ``learn_out_scaling`` as it runs with default mapping), one for each ``output`` channel, or ``none``."""

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns of the weight matrix."""
        return self.outputs, self.inputs

    @property
    def folds(self) -> bool:
        """Whether the errors at its inputs come in vectors that overlap."""
        return False

    def vectors(self, given: Shape) -> int:
        """Return how many vectors of a sample the matrix is multiplied with."""
        return self.output(given).positions

    @property
    def scales(self) -> int:
        """Digital factors behind the matrix."""
        return {"none": 0, "layer": 1, "output": self.outputs}[self.output_scale]

    def parameters(self, given: Shape) -> int:  # noqa: ARG002
        """Return the weights, biases and output scales."""
        rows, cols = self.matrix
        return rows * cols + (self.outputs if self.bias else 0) + self.scales

    def macs(self, given: Shape) -> int:
        """Return a product for each weight and position."""
        rows, cols = self.matrix
        return self.output(given).positions * rows * cols

    def _check_channels(self, given: Shape) -> None:
        if given.channels != self.inputs:
            raise ValueError(f"it takes {self.inputs} inputs, but gets {given.channels} (of {given})")


class Linear(MatrixLayer):
    """A linear layer, applied to every position alike."""

    kind: Literal["linear"] = "linear"

    def output(self, given: Shape) -> Shape:
        """Return as many positions, of ``outputs`` channels."""
        self._check_channels(given)
        return Shape(self.outputs, given.height, given.width)


class Conv2d(MatrixLayer):
    """A convolution: a stream of patches, one for each output position, through a matrix of outputs x (inputs / groups
    x kernel^2). With groups, each position gives a patch for each group, one after the other.

    A patch has its numbers in PyTorch's order: channel by channel, each kernel row by kernel row.
    """

    kind: Literal["conv2d"]
    kernel: int = Field(ge=1)
    """Side of the square kernel."""
    stride: int = Field(1, ge=1)
    """Positions from one patch to the next, in both directions."""
    padding: int = Field(0, ge=0)
    """Zeros around the input, on each side."""
    dilation: int = Field(1, ge=1)
    """Positions from one number of a patch to the next, in both directions."""
    groups: int = Field(1, ge=1)
    """Groups of channels that do not see each other."""

    @model_validator(mode="after")
    def _divides(self) -> Conv2d:
        if self.inputs % self.groups or self.outputs % self.groups:
            raise ValueError(f"{self.groups} groups must divide both {self.inputs} inputs and {self.outputs} outputs")
        return self

    @property
    def matrix(self) -> tuple[int, int]:
        """Rows and columns of the weight matrix."""
        return self.outputs, self.inputs // self.groups * self.kernel**2

    @property
    def folds(self) -> bool:
        """Whether patches overlap: they have more than one position."""
        return self.kernel > 1

    def vectors(self, given: Shape) -> int:
        """Return a patch for each output position and group."""
        return self.output(given).positions * self.groups

    def output(self, given: Shape) -> Shape:
        """Return the grid that is left by kernel, stride and padding."""
        self._check_channels(given)
        return Shape(self.outputs, *_slide(given, self.kernel, self.stride, self.padding, self.dilation))


class Products(MatrixLayer):
    """A matrix and how often it is used: ``per_sample`` vectors of ``inputs`` numbers a sample, whatever they are made
    of, give ``outputs`` channels on a grid of height x width."""

    kind: Literal["products"]
    per_sample: int = Field(ge=1)
    height: int = Field(1, ge=1)
    width: int = Field(1, ge=1)
    patches: bool = False
    """True: the vectors overlap, so that the errors at the inputs are added up."""

    @property
    def folds(self) -> bool:
        """Whether the vectors overlap."""
        return self.patches

    def vectors(self, given: Shape) -> int:  # noqa: ARG002
        """Return the vectors of a sample."""
        return self.per_sample

    def output(self, given: Shape) -> Shape:  # noqa: ARG002
        """Return the grid of outputs."""
        return Shape(self.outputs, self.height, self.width)

    def macs(self, given: Shape) -> int:  # noqa: ARG002
        """Return a product for each weight and vector."""
        return self.per_sample * self.inputs * self.outputs


class DigitalWork(NamedLayer):
    """Any work of the digital unit that gives ``channels`` numbers on a grid of height x width; without operations a
    reshape, where nothing moves."""

    kind: Literal["digital"]
    operator: str = Field(min_length=1)
    """What it is called in reports."""
    also: tuple[str, ...] = ()
    """Further layers that it takes; empty for the network's input."""
    channels: int = Field(ge=1)
    height: int = Field(1, ge=1)
    width: int = Field(1, ge=1)
    forward: dict[OperationKind, int] = Field(default_factory=dict)
    """Operations of each number that it gives."""
    backward: dict[OperationKind, int] = Field(default_factory=dict)
    products: int = Field(0, ge=0)
    """Products that are added up for each number that it gives, where it multiplies matrices; among the operations."""
    trained: int = Field(0, ge=0)
    """Trained numbers."""
    looks_up: bool = False
    """True: a sample updates as many of them as it gives numbers; False: each step updates all."""

    @property
    def inputs_of(self) -> tuple[str | None, ...]:
        """The layers whose outputs it takes; None stands for the one before it."""
        return (self.after, *self.also)

    def output(self, given: Shape) -> Shape:  # noqa: ARG002
        """Return the grid."""
        return Shape(self.channels, self.height, self.width)

    def parameters(self, given: Shape) -> int:  # noqa: ARG002
        """Return the trained numbers."""
        return self.trained

    def macs(self, given: Shape) -> int:
        """Return the products that are added up."""
        return self.products * self.output(given).words


class Norm(NamedLayer):
    """Normalisation with a trained factor and offset for each channel, on the digital unit."""

    kind: Literal["batch_norm", "layer_norm"]
    activation: Activation = "none"

    def parameters(self, given: Shape) -> int:
        """Return a factor and an offset for each channel."""
        return 2 * given.channels


class Pool(NamedLayer):
    """Pooling, on the digital unit; without ``kernel`` over the whole grid."""

    kind: Literal["max_pool", "average_pool"]
    kernel: int | None = Field(None, ge=1)
    """Side of the square window; None: the whole grid."""
    stride: int | None = Field(None, ge=1)
    """Positions from one window to the next, in both directions; None: the kernel."""
    padding: int = Field(0, ge=0)
    """Positions around the input, on each side: zeros of an average, never the largest of a maximum."""

    @model_validator(mode="after")
    def _no_empty_window(self) -> Pool:
        if self.kernel is None and (self.stride is not None or self.padding):
            raise ValueError("a pooling of the whole grid has neither stride nor padding; give a kernel with them")
        if self.kernel is not None and 2 * self.padding > self.kernel:
            raise ValueError(f"padding {self.padding} is more than half of the kernel {self.kernel}: empty windows")
        return self

    def window(self, given: Shape) -> int:
        """Return how many positions go into one."""
        return given.positions if self.kernel is None else self.kernel**2

    def output(self, given: Shape) -> Shape:
        """Return the grid that is left."""
        if self.kernel is None:
            return Shape(given.channels, 1, 1)
        return Shape(given.channels, *_slide(given, self.kernel, self.stride or self.kernel, self.padding))


class Add(NamedLayer):
    """The sum with the output of another layer (a residual connection), on the digital unit."""

    kind: Literal["add"]
    plus: str
    """The other layer."""
    activation: Activation = "none"

    @property
    def inputs_of(self) -> tuple[str | None, ...]:
        """The layers whose outputs it takes; None stands for the one before it."""
        return (self.after, self.plus)


class Activate(NamedLayer):
    """An activation by itself, on the digital unit."""

    kind: Literal["activation"]
    activation: Activation


class Attention(NamedLayer):
    """Scaled dot-product attention within windows, on the digital unit; takes queries, keys and values side by side."""

    kind: Literal["attention"]
    heads: int = Field(ge=1)
    window: int | None = Field(None, ge=1)
    """Side of the square windows that positions attend within; None: all positions."""
    relative_bias: bool = False
    """True: a trained bias for each head and relative position within a window."""

    def tokens(self, given: Shape) -> int:
        """Return how many positions each position attends to."""
        return given.positions if self.window is None else self.window**2

    def output(self, given: Shape) -> Shape:
        """Return the values: a third of the channels."""
        if given.channels % (3 * self.heads):
            raise ValueError(
                f"it takes queries, keys and values for {self.heads} heads, a multiple of {3 * self.heads} channels, "
                f"but gets {given.channels}"
            )
        if self.window is not None and (given.height % self.window or given.width % self.window):
            raise ValueError(f"windows of {self.window} x {self.window} do not tile its input {given}")
        if self.relative_bias and self.window is None:
            raise ValueError("relative_bias needs a window")
        return Shape(given.channels // 3, given.height, given.width)

    def parameters(self, given: Shape) -> int:  # noqa: ARG002
        """Return the relative biases: (2 window - 1)^2 for each head."""
        return self.heads * (2 * self.window - 1) ** 2 if self.relative_bias and self.window else 0

    def macs(self, given: Shape) -> int:
        """Return the products of queries with keys, and of the result with values."""
        return 2 * given.positions * self.tokens(given) * (given.channels // 3)


class Embedding(NamedLayer):
    """Look-ups in trained tables, added up: a row of ``width`` numbers from each table for each position."""

    kind: Literal["embedding"]
    entries: tuple[int, ...] = Field(min_length=1)
    """Rows of each table."""
    width: int = Field(ge=1)

    def output(self, given: Shape) -> Shape:
        """Return ``width`` channels for each position."""
        if given.channels != 1:
            raise ValueError(f"it takes one number a position, but gets {given.channels} (of {given})")
        return Shape(self.width, given.height, given.width)

    def parameters(self, given: Shape) -> int:  # noqa: ARG002
        """Return the numbers of all tables."""
        return sum(self.entries) * self.width


class Flatten(NamedLayer):
    """All numbers of a sample as one vector; nothing moves."""

    kind: Literal["flatten"]

    def output(self, given: Shape) -> Shape:
        """Return one position."""
        return Shape(given.words, 1, 1)


class SpaceToDepth(NamedLayer):
    """Squares of factor x factor positions as one position with all their channels, those of a channel side by side
    (PyTorch's ``PixelUnshuffle``); nothing moves."""

    kind: Literal["space_to_depth"]
    factor: int = Field(ge=2)

    def output(self, given: Shape) -> Shape:
        """Return a grid that is smaller by the factor."""
        if given.height % self.factor or given.width % self.factor:
            raise ValueError(f"squares of {self.factor} x {self.factor} do not tile its input {given}")
        return Shape(given.channels * self.factor**2, given.height // self.factor, given.width // self.factor)


class FirstPosition(NamedLayer):
    """The first position only; nothing moves."""

    kind: Literal["first_position"]

    def output(self, given: Shape) -> Shape:
        """Return one position."""
        return Shape(given.channels, 1, 1)


def _linear_by_default(value: Any) -> Any:
    return {"kind": "linear", **value} if isinstance(value, dict) else value


LayerSpec = Annotated[
    Annotated[
        Linear
        | Conv2d
        | Products
        | Norm
        | Pool
        | Add
        | Activate
        | Attention
        | Embedding
        | DigitalWork
        | Flatten
        | SpaceToDepth
        | FirstPosition,
        Field(discriminator="kind"),
    ],
    BeforeValidator(_linear_by_default),
]
"""Any layer; one without ``kind`` is linear."""


def _slide(given: Shape, kernel: int, stride: int, padding: int, dilation: int = 1) -> tuple[int, int]:
    reach = dilation * (kernel - 1) + 1
    if reach > min(given.height, given.width) + 2 * padding:
        spread = f" with dilation {dilation}" if dilation > 1 else ""
        raise ValueError(
            f"a kernel of {kernel} x {kernel}{spread} is larger than its input {given} with padding {padding}"
        )
    return (given.height + 2 * padding - reach) // stride + 1, (given.width + 2 * padding - reach) // stride + 1
