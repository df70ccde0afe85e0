"""The mirror image of devices: what they do to w, done to -w, so that an up pulse acts as their down pulse."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hwsim.devices.law import Floats, KernelForm
from hwsim.errors import UsageError

Planes = tuple[Floats, ...]


def mirrored(form: KernelForm) -> KernelForm:
    """Return the form of the law in v = -w: directions swap, offsets, spreads and bounds change sign.

    Raises:
        UsageError: a kernel law whose mirror image is not known.
    """
    mirror = MIRRORS.get(form.law)
    if mirror is None:
        known = ", ".join(MIRRORS)
        raise UsageError(f"copy_inverted needs a law of one of the forms {known}; this one is '{form.law}'")
    return mirror(replace(form, low=-form.high, high=-form.low), form)


def _negative(planes: Planes) -> Planes:
    return tuple(-plane for plane in planes)


def _stepwise(per_direction: int) -> Callable[[KernelForm, KernelForm], KernelForm]:
    """From w += k w + o follows v += k v - o: slopes stay; where there is one, it is a direction's first plane."""

    def mirror(image: KernelForm, form: KernelForm) -> KernelForm:
        up, down = form.planes[:per_direction], form.planes[per_direction : 2 * per_direction]
        slopes = 1 if per_direction > 1 else 0
        turned = [(*side[:slopes], *_negative(side[slopes:])) for side in (down, up)]
        return replace(image, planes=(*turned[0], *turned[1], image.low, image.high))

    return mirror


def _exponential(image: KernelForm, form: KernelForm) -> KernelForm:
    """s max(1 - a exp(+-g (q (w + c) + b)), 0): the shared a and g swap, b and c change sign."""
    up, down, q, shift = form.planes[:4]
    a_up, a_down, g_up, g_down, b, *noise = form.scalars
    planes = (-down, -up, q, -shift, image.low, image.high)
    return replace(image, planes=planes, scalars=(a_down, a_up, g_down, g_up, -b, *noise))


def _distance(image: KernelForm, form: KernelForm) -> KernelForm:
    """s y(b) with the distance b to the bound ahead: the bounds swap, so shapes and scales of both sides do."""
    up, down, g_up, g_down, inverse_up, inverse_down = form.planes[:6]
    planes = (-down, -up, g_down, g_up, -inverse_down, -inverse_up, image.low, image.high)
    return replace(image, planes=planes)


def _piecewise(image: KernelForm, form: KernelForm) -> KernelForm:
    """s y(w) with nodes equally spaced from bound to bound: the tables swap and run the other way."""
    up, down, density = form.planes[:3]
    sigma, count = form.scalars[:2]
    nodes = int(count)
    table_up, table_down = form.scalars[2 : 2 + nodes], form.scalars[2 + nodes :]
    scalars = (sigma, count, *table_down[::-1], *table_up[::-1])
    return replace(image, planes=(-down, -up, density, image.low, image.high), scalars=scalars)


def _table(image: KernelForm, form: KernelForm) -> KernelForm:
    """y(w) between nodes of each device: the nodes change sign, and everything runs the other way."""
    nodes = len(form.planes) // 3
    weight, up, down = (form.planes[start : start + nodes][::-1] for start in (0, nodes, 2 * nodes))
    return replace(image, planes=(*_negative(weight), *_negative(down), *_negative(up)))


MIRRORS: dict[str, Callable[[KernelForm, KernelForm], KernelForm]] = {
    "constant": _stepwise(1),
    "affine": _stepwise(2),
    "additive": _stepwise(3),
    "exponential": _exponential,
    "power": _distance,
    "exponential_response": _distance,
    "piecewise": _piecewise,
    "table": _table,
}
"""How each kernel law is mirrored: from the form with its bounds turned, and the form itself."""
