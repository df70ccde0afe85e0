"""The device laws; importing this package registers them."""

from hwsim.devices.laws import (
    constant_step,
    exp_step,
    linear_step,
    piecewise_step,
    pow_step,
    pow_step_reference,
    soft_bounds,
    soft_bounds_pmax,
    soft_bounds_reference,
)

__all__ = [
    "constant_step",
    "exp_step",
    "linear_step",
    "piecewise_step",
    "pow_step",
    "pow_step_reference",
    "soft_bounds",
    "soft_bounds_pmax",
    "soft_bounds_reference",
]
