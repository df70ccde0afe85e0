"""The device laws; importing this package registers them."""

from hwsim.devices.laws import (
    asymmetric_linear,
    constant_step,
    exp_step,
    exponential_response,
    linear_step,
    measured_curves,
    piecewise_step,
    pow_step,
    pow_step_reference,
    power_response,
    soft_bounds,
    soft_bounds_pmax,
    soft_bounds_reference,
)

__all__ = [
    "asymmetric_linear",
    "constant_step",
    "exp_step",
    "exponential_response",
    "linear_step",
    "measured_curves",
    "piecewise_step",
    "pow_step",
    "pow_step_reference",
    "power_response",
    "soft_bounds",
    "soft_bounds_pmax",
    "soft_bounds_reference",
]
