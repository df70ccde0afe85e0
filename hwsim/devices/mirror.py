"""The mirror image of devices: what they do to w, done to -w, so that an up pulse acts as their down pulse."""

from __future__ import annotations

from dataclasses import replace

from hwsim.devices.law import Floats, KernelForm
from hwsim.errors import UsageError

PER_DIRECTION = {"constant": 1, "affine": 2, "additive": 3, "exponential": 1}
"""Parameter planes of each direction of the kernel laws; where there are two or more, the slope k comes first."""


def mirrored(form: KernelForm) -> KernelForm:
    """Return the form of the law in v = -w: directions swap, offsets, spreads and bounds change sign, slopes stay.

    From w += k w + o follows v += k v - o. The exponential law s max(1 - a exp(+-g (q (w + c) + b)), 0) also swaps its
    shared a and g and turns the signs of b and c.

    Raises:
        UsageError: a kernel law whose mirror image is not known.
    """
    n = PER_DIRECTION.get(form.law)
    if n is None:
        known = ", ".join(PER_DIRECTION)
        raise UsageError(f"copy_inverted needs a law of one of the forms {known}; this one is '{form.law}'")
    up, down, rest = form.planes[:n], form.planes[n : 2 * n], form.planes[2 * n :]
    slopes = 1 if n > 1 else 0

    def turned(planes: tuple[Floats, ...]) -> tuple[Floats, ...]:
        return (*planes[:slopes], *(-plane for plane in planes[slopes:]))

    shape = rest[:-2]
    planes = (*turned(down), *turned(up), *shape, -form.high, -form.low)
    scalars = form.scalars
    if form.law == "exponential":
        a_up, a_down, g_up, g_down, b, *noise = scalars
        scalars = (a_down, a_up, g_down, g_up, -b, *noise)
        planes = (*turned(down), *turned(up), shape[0], -shape[1], -form.high, -form.low)
    return replace(form, planes=planes, scalars=scalars, low=-form.high, high=-form.low)
