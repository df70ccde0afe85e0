"""The digital work of activations."""

from __future__ import annotations

from hwsim.spec.layers import Activation
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.operations import Operations, operations


def forward_work(activation: Activation, width: int) -> Operations:
    """Return the operations of an activation for one vector; GELU is a look-up and a product a number."""
    if activation == "gelu":
        return operations(mul=width, nonlinear=width)
    return ACTIVATIONS[activation].forward_operations(width)


def backward_work(activation: Activation, width: int) -> Operations:
    """Return the operations of its derivative; that of GELU is a look-up and a product a number."""
    if activation == "gelu":
        return operations(mul=width, nonlinear=width)
    return ACTIVATIONS[activation].backward_operations(width)
