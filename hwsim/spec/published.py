"""Figures that were published of a chip, beside what the simulated chip gives."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from pydantic import Field, model_validator

from hwsim.spec.base import Spec
from hwsim.spec.component import Provenance

_FIGURE = re.compile(r"(-?\d+(?:\.\d+)?(?:e\d+)?)(?: (\S.*))?")


class Figure(NamedTuple):
    """A number as it is printed, with the unit behind it (``1`` if there is none)."""

    number: Decimal
    unit: str

    @property
    def value(self) -> float:
        """The number."""
        return float(self.number)

    @property
    def resolution(self) -> float:
        """Half of the last printed digit."""
        exponent = self.number.as_tuple().exponent
        assert isinstance(exponent, int)
        return 0.5 * 10.0**exponent

    def shows(self, value: float) -> bool:
        """Return whether ``value`` is this number to its last printed digit."""
        return abs(value - self.value) <= self.resolution * (1 + 1e-9)


class PublishedFigure(Spec):
    """One published figure, what the chip gives for it when it runs, and why, if the two differ.

    The chip meets a figure if the published number is its own to the last printed digit.
    """

    name: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    """What tests call it."""
    figure: str = Field(min_length=1)
    """What was published, and under which conditions."""
    published: str
    """The number as printed, with its unit, such as ``56.3 ns``."""
    ours: str | None = None
    """What the chip gives, in the same unit; None: it is not simulated, and ``difference`` says why."""
    difference: str = ""
    """Why the chip does not meet the figure, or where a number of the description was set to meet it."""
    source: str = Field(min_length=1)
    """Where the figure is printed."""
    provenance: Provenance
    """How it is known."""

    @model_validator(mode="after")
    def _check(self) -> PublishedFigure:
        published, ours = self.published_figure, self.our_figure
        if ours is not None and ours.unit != published.unit:
            raise ValueError(f"ours is in {ours.unit}, the published figure in {published.unit}; give both in one unit")
        if not self.met and not self.difference:
            raise ValueError(
                f"ours is {self.ours or 'missing'}, published are {self.published}; difference: must say why"
            )
        return self

    @property
    def published_figure(self) -> Figure:
        """The published number."""
        return _figure(self.published)

    @property
    def our_figure(self) -> Figure | None:
        """The chip's number."""
        return None if self.ours is None else _figure(self.ours)

    @property
    def met(self) -> bool:
        """Whether the chip's number is the published one to its last printed digit."""
        return (ours := self.our_figure) is not None and self.published_figure.shows(ours.value)

    @property
    def deviation(self) -> float | None:
        """Ours over published, less 1; None if there is nothing to compare."""
        ours, published = self.our_figure, self.published_figure
        return None if ours is None or not published.value else ours.value / published.value - 1


def _figure(text: str) -> Figure:
    match = _FIGURE.fullmatch(text)
    if match is None:
        raise ValueError(f"expected a number and its unit, such as '56.3 ns', got '{text}'")
    return Figure(Decimal(match.group(1)), match.group(2) or "1")
