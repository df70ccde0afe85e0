"""The device laws; importing this package registers them."""

from hwsim.devices.laws import constant_step, exp_step, linear_step, soft_bounds, soft_bounds_reference

__all__ = ["constant_step", "exp_step", "linear_step", "soft_bounds", "soft_bounds_reference"]
