"""Base of every description: frozen, strict, with quantities that carry their unit."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from pydantic_core import PydanticCustomError

from hwsim.units import parse_quantity

AT = "misplaced"
"""Type of the errors of :func:`misplaced`; their context has the path ``at``."""


class Spec(BaseModel):
    """A frozen description. Unknown parameters, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


def misplaced(at: str, message: str) -> PydanticCustomError:
    """Return the error of a validator that has found a mistake further inside, at the path ``at``."""
    return PydanticCustomError(AT, "{message}", {"at": at, "message": message})


def _reader(unit: str) -> Any:
    def read(value: Any) -> Any:
        if isinstance(value, str):
            return parse_quantity(value, unit)
        if isinstance(value, float | int) and not isinstance(value, bool) and value == 0:
            return 0.0
        raise ValueError(f"expected a number with the unit {unit}, such as '1.5 {unit}', got {value!r}")

    return read


def _quantity(unit: str) -> Any:
    return Annotated[
        float,
        BeforeValidator(_reader(unit)),
        # repr keeps every bit, so that a written configuration reads back as the same description.
        PlainSerializer(lambda value: f"{value!r} {unit}", return_type=str),
    ]


Seconds = _quantity("s")
Joules = _quantity("J")
Watts = _quantity("W")
Siemens = _quantity("S")
Volts = _quantity("V")
Farads = _quantity("F")
Hertz = _quantity("Hz")
SquareMetres = _quantity("m^2")
Bytes = _quantity("B")
Metres = _quantity("m")
Amperes = _quantity("A")
Coulombs = _quantity("C")


class Measure(NamedTuple):
    """A number with its SI unit; the unit of a plain number is ``1``."""

    value: float
    unit: str = "1"


def _read_measure(value: Any) -> Measure:
    if isinstance(value, Measure):
        return value
    if isinstance(value, float | int) and not isinstance(value, bool):
        return Measure(float(value))
    if isinstance(value, str):
        for unit in MEASURE_UNITS:
            try:
                return Measure(parse_quantity(value, unit), unit)
            except ValueError:
                continue
    raise ValueError(f"expected a number with a unit ({', '.join(MEASURE_UNITS)}), got {value!r}")


MEASURE_UNITS = ("J", "s", "W", "m^2", "F", "S", "V", "A", "C", "Hz", "B", "ohm", "K", "m")
"""Units that a :data:`Quantity` may have."""


def measure_text(measure: Measure) -> Any:
    """Return a measure as it is written in a file, with every bit."""
    return measure.value if measure.unit == "1" else f"{measure.value!r} {measure.unit}"


Quantity = Annotated[Measure, BeforeValidator(_read_measure), PlainSerializer(measure_text, return_type=Any)]
"""A number with a unit that the file chooses."""
