"""Base of every description: frozen, strict, with quantities that carry their unit."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from hwsim.units import parse_quantity


class Spec(BaseModel):
    """A frozen description. Unknown parameters, wrong types, NaN and infinity are refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False, use_attribute_docstrings=True
    )


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
