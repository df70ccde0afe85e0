"""Technology scaling: factors of energy and area between two nodes, from a table of the library.

Between the nodes of the table the logarithm of a factor runs in a straight line over the logarithm of the node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

from hwsim.spec.load import load_scaling
from hwsim.spec.scaling import NodeFactors, ScalingSpec
from hwsim.units import parse_quantity


class NodeScaling:
    """The technology factors of one table.

    Args:
        spec: the table.
    """

    def __init__(self, spec: ScalingSpec) -> None:
        self.spec = spec
        self._nodes = sorted((parse_quantity(name, "m"), factors) for name, factors in spec.nodes.items())

    @property
    def range(self) -> tuple[float, float]:
        """Smallest and largest node, m."""
        return self._nodes[0][0], self._nodes[-1][0]

    def area(self, node: float, reference: float) -> float:
        """Return area at ``node`` over area at ``reference`` (both m).

        Raises:
            ValueError: a node is outside the table.
        """
        return math.exp(self._log_area(node) - self._log_area(reference))

    def energy(self, node: float, reference: float, voltage: float) -> float:
        """Return energy of an operation at ``node`` over that at ``reference`` (both m), at a supply ``voltage`` (V).

        Raises:
            ValueError: a node is outside the table.
        """
        return math.exp(self._log_energy(node, voltage) - self._log_energy(reference, voltage))

    def _log_area(self, node: float) -> float:
        return self._between(node, lambda factors: factors.area)

    def _log_energy(self, node: float, voltage: float) -> float:
        return self._between(node, lambda each: each.a * voltage**2 + each.b * voltage + each.c)

    def _between(self, node: float, factor: Callable[[NodeFactors], float]) -> float:
        low, high = self.range
        if not low * (1 - 1e-9) <= node <= high * (1 + 1e-9):
            raise ValueError(f"{_nm(node)} is outside the scaling table '{self.spec.name}', {_nm(low)} to {_nm(high)}")
        points = [(math.log(each), factor(factors)) for each, factors in self._nodes]
        if min(value for _, value in points) <= 0:
            raise ValueError(f"the scaling table '{self.spec.name}' has no positive factor at this voltage")
        return interpolate([(x, math.log(y)) for x, y in points], math.log(node))


def interpolate(points: Sequence[tuple[float, float]], x: float) -> float:
    """Return the straight line between sorted ``points`` at ``x``, which lies within them."""
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1 + 1e-12 * abs(x1):
            return y0 if x0 == x1 else y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return points[-1][1]


def _nm(node: float) -> str:
    return f"{node * 1e9:g} nm"


@lru_cache(maxsize=16)
def node_scaling(name: str) -> NodeScaling:
    """Return a table of technology factors of the library.

    Raises:
        InputError: there is no such table, or its file is wrong.
    """
    return NodeScaling(load_scaling(name))
