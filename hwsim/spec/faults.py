"""Faults in the hardware of a chip: where they are or how frequent they are, and what they do."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from hwsim.spec.base import Spec, misplaced

_RANGE = re.compile(r"^(\d+)(?:-(\d+))?$")
Side = Literal["row", "column"]


def _read_range(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value, value + 1
    match = _RANGE.match(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[2] or match[1]) < int(match[1]):
        raise ValueError(f"expected a number such as 3 or a range such as 0-15, got {value!r}")
    return int(match[1]), int(match[2] or match[1]) + 1


def _range_text(value: tuple[int, int]) -> int | str:
    return value[0] if value[1] == value[0] + 1 else f"{value[0]}-{value[1] - 1}"


Numbers = Annotated[tuple[int, int], BeforeValidator(_read_range), PlainSerializer(_range_text, return_type=Any)]
"""Half-open range of line numbers, written ``3`` or ``0-15``."""


class FaultSpec(Spec):
    """A fault of some places, which are drawn with a ``rate`` from the seed of the run, or named by ``tile``."""

    rate: float | None = Field(None, ge=0, le=1)
    """Probability that a place has the fault."""
    tile: int | None = Field(None, ge=0)
    """The tile that has it; without ``rows``, ``lines``, ... everywhere on it."""

    @model_validator(mode="after")
    def _rate_or_place(self) -> FaultSpec:
        if (self.rate is None) == (self.tile is None):
            raise ValueError("give either a rate or a place (tile, ...), and not both")
        for name in self.ranges():
            if self.tile is None and getattr(self, name) is not None:
                raise misplaced(name, "names a place on a tile; give its tile")
        return self

    def ranges(self) -> dict[str, Side]:
        """Return the fields that name lines, and of which side they are."""
        return {}

    def contradicts(self, other: FaultSpec) -> bool:
        """Return whether another fault of the same kind names a place that this one names too.

        Places that are drawn with a rate may meet by chance; of those that are written down, one would be without use.
        Errors and missed pulses of several causes add up at a place.
        """
        if type(self) is not type(other) or isinstance(self, ADD_UP) or None in (self.tile, other.tile):
            return False
        if any(getattr(self, name, None) != getattr(other, name, None) for name in ("tile", "side", "part")):
            return False
        of_all = [(getattr(self, name, None), getattr(other, name, None)) for name in ("array", "device")]
        ranges = [(getattr(self, name), getattr(other, name)) for name in self.ranges() or ("numbers",)]
        return all(None in pair or pair[0] == pair[1] for pair in of_all) and all(
            None in pair or max(pair[0][0], pair[1][0]) < min(pair[0][1], pair[1][1]) for pair in ranges
        )

    def check(self, at: str, tiles: int, shape: tuple[int, int], arrays: int) -> None:
        """Check places against a chip of ``tiles`` tiles of ``shape`` (rows, cols) with ``arrays`` arrays.

        Raises:
            PydanticCustomError: a place does not exist.
        """
        if self.tile is not None and self.tile >= tiles:
            raise misplaced(f"{at}.tile", f"the chip has tiles 0 to {tiles - 1}, got {self.tile}")
        array = getattr(self, "array", None)
        if array is not None and array >= arrays:
            raise misplaced(f"{at}.array", f"a tile has arrays 0 to {arrays - 1}, got {array}")
        for name, side in self.ranges().items():
            chosen, n = getattr(self, name), shape[0] if side == "row" else shape[1]
            if chosen is not None and chosen[1] > n:
                raise misplaced(f"{at}.{name}", f"a tile has {side}s 0 to {n - 1}, got {chosen[1] - 1}")


class StuckDevice(FaultSpec):
    """Devices that no pulse and no writing moves."""

    fault: Literal["stuck_device"]
    at: float | Literal["upper", "lower"]
    """The weight at which they are stuck; ``upper`` and ``lower``: each device at its own bound."""
    array: int | None = Field(None, ge=0)
    """Array of the tile; None: all."""
    device: int | None = Field(None, ge=0)
    """Device of the unit cells; None: all."""
    rows: Numbers | None = None
    cols: Numbers | None = None

    def ranges(self) -> dict[str, Side]:
        """Return the fields that name lines, and of which side they are."""
        return {"rows": "row", "cols": "column"}


class _OfLines(FaultSpec):
    side: Side
    lines: Numbers | None = None

    def ranges(self) -> dict[str, Side]:
        """Return the fields that name lines, and of which side they are."""
        return {"lines": self.side}


class OpenLine(_OfLines):
    """Lines that are interrupted at their driver: no input, output or pulse passes."""

    fault: Literal["open_line"]
    array: int | None = Field(None, ge=0)
    """Array of the tile; None: all."""


class ShortedLine(_OfLines):
    """Lines that touch the next one of their side: both carry the mean of what the two would."""

    fault: Literal["shorted_line"]
    array: int | None = Field(None, ge=0)
    """Array of the tile; None: all."""


class MissedPulses(_OfLines):
    """Pulse generators that leave out each pulse with some ``probability``; 1: they are dead."""

    fault: Literal["missed_pulses"]
    probability: float = Field(1.0, gt=0, le=1)


class _OfConverters(FaultSpec):
    part: Literal["adc", "integrator", "row_dac", "col_dac"]
    numbers: Numbers | None = None
    """Numbers of the converters in their rank. Line i goes to ADC i modulo their number; all others are one a line."""


class DeadConverter(_OfConverters):
    """Converters that give nothing: a DAC no voltage, an ADC the number 0."""

    fault: Literal["dead_converter"]
    part: Literal["adc", "row_dac", "col_dac"]


class ConverterError(_OfConverters):
    """Converters and integrators with an error of gain and offset: ``(1 + gain) v + offset``.

    Offsets are parts of the full scale of what passes: ``inp_bound`` of a DAC, ``out_bound`` of integrator and ADC (1
    where there is no bound). Each place draws its own gain and offset with the spreads.
    """

    fault: Literal["converter_error"]
    gain: float = Field(0.0, ge=-1, le=10)
    """Mean relative error of the gain."""
    gain_std: float = Field(0.0, ge=0, le=10)
    """Its spread from place to place."""
    offset: float = Field(0.0, ge=-10, le=10)
    """Mean offset, as a part of full scale."""
    offset_std: float = Field(0.0, ge=0, le=10)
    """Its spread from place to place."""

    @model_validator(mode="after")
    def _some_error(self) -> ConverterError:
        if not (self.gain or self.gain_std or self.offset or self.offset_std):
            raise ValueError("give at least one of gain, gain_std, offset and offset_std")
        return self


ADD_UP = (MissedPulses, ConverterError)
"""Faults that a place can have from several causes."""

Fault = Annotated[
    StuckDevice | OpenLine | ShortedLine | MissedPulses | DeadConverter | ConverterError, Field(discriminator="fault")
]
