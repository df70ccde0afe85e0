"""Digital operations that the vector unit is charged for."""

from __future__ import annotations

from typing import Literal

Kind = Literal["add", "mul", "div", "compare", "nonlinear"]
Operations = dict[str, int]
"""How many operations of each kind; ``nonlinear`` is one look-up (sigmoid, tanh, exp or log of one number)."""


def operations(*, add: int = 0, mul: int = 0, div: int = 0, compare: int = 0, nonlinear: int = 0) -> Operations:
    """Return a count without the kinds that do not occur."""
    counts: Operations = {"add": add, "mul": mul, "div": div, "compare": compare, "nonlinear": nonlinear}
    return {kind: count for kind, count in counts.items() if count}


def plus(*counts: Operations) -> Operations:
    """Return the sum of several counts."""
    total: Operations = {}
    for count in counts:
        for kind, n in count.items():
            total[kind] = total.get(kind, 0) + n
    return total
