"""What each ONNX operator is to a chip: work of the digital unit for each number that it gives, or a reshape.

Counts are those of ``hwsim.training.stages`` and ``hwsim.training.activations``: an addition, product, division or
comparison each, a look-up for one number of a function. The backward column is the work of the derivative.
"""

from __future__ import annotations

from typing import NamedTuple

Counts = dict[str, int]

MATRICES = ("Conv", "Gemm", "MatMul")
"""Products with weights, on crossbars; without weights work of the digital unit."""

RESHAPES = (
    "Cast", "Concat", "DepthToSpace", "Dropout", "Expand", "Flatten", "Gather", "Identity", "Pad", "Reshape", "Slice",
    "SpaceToDepth", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
)  # fmt: skip
"""Numbers change their place or name; nothing is charged."""

SHAPES = ("Shape", "Size", "ConstantOfShape", "Range", "Constant")
"""They give constants, because every size is known."""

ACTIVATIONS = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Gelu": "gelu", "LogSoftmax": "log_softmax",
}  # fmt: skip
"""Those that a layer in front takes in."""


class Work(NamedTuple):
    """Operations for each number that comes out, forward and backward."""

    forward: Counts
    backward: Counts


_LOOK_UP = Work({"nonlinear": 1}, {"mul": 1, "nonlinear": 1})
_COMPARE = Work({"compare": 1}, {"compare": 1})

WORK: dict[str, Work] = {
    "Relu": _COMPARE,
    "LeakyRelu": Work({"compare": 1, "mul": 1}, {"compare": 1, "mul": 1}),
    "PRelu": Work({"compare": 1, "mul": 1}, {"compare": 1, "mul": 2, "add": 1}),
    "Clip": Work({"compare": 2}, {"compare": 2}),
    "HardSigmoid": Work({"mul": 1, "add": 1, "compare": 2}, {"mul": 1, "compare": 2}),
    "HardSwish": Work({"mul": 2, "add": 1, "compare": 2}, {"mul": 2, "add": 1, "compare": 2}),
    "Sigmoid": Work({"nonlinear": 1}, {"add": 1, "mul": 2}),
    "Tanh": Work({"nonlinear": 1}, {"add": 1, "mul": 2}),
    "Gelu": Work({"mul": 1, "nonlinear": 1}, {"mul": 1, "nonlinear": 1}),
    "Mish": Work({"mul": 1, "nonlinear": 1}, {"mul": 1, "nonlinear": 1}),
    "Swish": Work({"mul": 1, "nonlinear": 1}, {"mul": 1, "nonlinear": 1}),
    **dict.fromkeys(("Elu", "Selu", "Celu", "Softplus", "Softsign", "Erf"), _LOOK_UP),
    **dict.fromkeys(("Exp", "Log", "Sqrt", "Pow", "Sin", "Cos"), _LOOK_UP),
    "Reciprocal": Work({"div": 1}, {"mul": 2}),
    "Neg": Work({"add": 1}, {"add": 1}),
    "Abs": _COMPARE,
    **dict.fromkeys(("Add", "Sub", "Sum"), Work({"add": 1}, {})),
    "Mul": Work({"mul": 1}, {"mul": 2}),
    "Div": Work({"div": 1}, {"div": 1, "mul": 2}),
    **dict.fromkeys(("Max", "Min", "Where", "Equal", "Greater", "Less", "Not", "And", "Or"), _COMPARE),
    "Softmax": Work({"compare": 1, "add": 2, "nonlinear": 1, "div": 1}, {"mul": 2, "add": 1}),
    "LogSoftmax": Work({"compare": 1, "add": 3, "nonlinear": 1}, {"add": 2, "mul": 1, "nonlinear": 1}),
    "BatchNormalization": Work({"add": 4, "mul": 3}, {"add": 4, "mul": 4}),
    "LayerNormalization": Work({"add": 4, "mul": 3}, {"add": 4, "mul": 4}),
    "InstanceNormalization": Work({"add": 4, "mul": 3}, {"add": 4, "mul": 4}),
    "GroupNormalization": Work({"add": 4, "mul": 3}, {"add": 4, "mul": 4}),
    "RMSNormalization": Work({"add": 1, "mul": 3}, {"add": 2, "mul": 4}),
    "LpNormalization": Work({"add": 1, "mul": 2}, {"add": 1, "mul": 3}),
}
"""Operators whose work is the same for each number that they give."""


def pooling(operator: str, window: int) -> Work | None:
    """Return the work of bringing ``window`` numbers down to one; None for another operator."""
    further = window - 1
    if operator in ("MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin"):
        return Work({"compare": further}, {"add": 1})
    if operator in ("AveragePool", "GlobalAveragePool", "ReduceMean"):
        return Work({"add": further, "mul": 1}, {"mul": 1})
    if operator in ("ReduceSum", "ReduceSumSquare", "ReduceL2"):
        squares = {"mul": window} if operator != "ReduceSum" else {}
        return Work({"add": further, **squares}, squares)
    return None


POOLS = ("MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "AveragePool", "GlobalAveragePool", "ReduceMean",
         "ReduceSum", "ReduceSumSquare", "ReduceL2")  # fmt: skip
SUPPORTED = sorted({*MATRICES, *RESHAPES, *SHAPES, *WORK, *POOLS})
"""Every operator that can be read."""
