"""The description of a sweep: what all its runs share, and what varies from run to run."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from hwsim import library
from hwsim.errors import Problem, SpecError
from hwsim.run.config import DEFAULT_TRACE, Fidelity, Log
from hwsim.spec.base import Spec, misplaced
from hwsim.spec.load import Document, build, load_document, mutable, parse_value

Value = bool | int | float | str | None
"""What one varied parameter can be."""

RUN_ARGUMENTS = ("trace", "chip", "device", "algorithm", "epochs", "steps", "fidelity", "statistics")
"""What can vary beside the parameters of the descriptions: arguments of a run, by the same name."""

NAMED = {"trace": "traces", "chip": "chips", "device": "devices", "algorithm": "algorithms", "statistics": "statistics"}
"""Arguments that are a name or a file."""

_RANGE = re.compile(r"^(?P<low>[^,\s]+)\.\.(?P<high>[^,\s]+?)(?P<log>:log)?$")
_NUMBER = re.compile(r"^\s*(?P<number>[-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*(?P<unit>.*?)\s*$")


class Range(Spec):
    """An interval that values are drawn from; its ends are numbers, or texts with the same unit."""

    low: int | float | str
    high: int | float | str
    scale: Literal["linear", "log"] = "linear"
    """Evenly spread values, or evenly spread logarithms."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        (low, unit), (high, other) = _split(self.low), _split(self.high)
        if unit != other:
            raise ValueError(f"both ends need the same unit, got '{self.low}' and '{self.high}'")
        if not low < high:
            raise ValueError(f"low must be below high, got '{self.low}' and '{self.high}'")
        if self.scale == "log" and low <= 0:
            raise ValueError(f"a log scale needs positive ends, got '{self.low}'")
        return self

    def at(self, fraction: float) -> Value:
        """Return the value at a fraction of the range; whole where both ends are whole numbers."""
        (low, unit), (high, _) = _split(self.low), _split(self.high)
        if isinstance(self.low, int) and isinstance(self.high, int):
            if self.scale == "log":
                return round(math.exp(math.log(low) + fraction * (math.log(high) - math.log(low))))
            return min(int(low) + int(fraction * (int(high) - int(low) + 1)), int(high))
        if self.scale == "log":
            value = math.exp(math.log(low) + fraction * (math.log(high) - math.log(low)))
        else:
            value = low + fraction * (high - low)
        return f"{value!r} {unit}" if unit else value


def _split(end: int | float | str) -> tuple[float, str]:
    if not isinstance(end, str):
        return float(end), ""
    match = _NUMBER.match(end)
    try:
        number = float(match["number"]) if match else math.nan
    except ValueError:
        number = math.nan
    if match is None or not math.isfinite(number):
        raise ValueError(f"expected a number, or a number with a unit such as '1.5 ns', got '{end}'")
    return number, match["unit"]


class SweepSpec(Spec):
    """Many variations of one run."""

    kind: Literal["sweep"] = "sweep"
    description: str = ""
    trace: str = DEFAULT_TRACE
    chip: str | None = None
    device: str | None = None
    algorithm: str | None = None
    epochs: int | None = Field(None, ge=1)
    steps: int | None = Field(None, ge=1)
    data: str | None = None
    """Folder of data files, where the runs are made."""
    settings: dict[str, Any] = Field(default_factory=dict)
    """Parameters that every run has, by their path, such as ``tile.rows``."""
    vary: dict[str, tuple[Value, ...] | Range] = Field(default_factory=dict)
    """Parameters that vary: their values, or the range that they are drawn from."""
    seeds: tuple[int, ...] = (0,)
    """Each point runs with each of these seeds; one number n in a file stands for the seeds 0 to n - 1."""
    samples: int | None = Field(None, ge=1)
    """Draw so many points; None: the grid of all combinations."""
    sampling_seed: int = Field(0, ge=0)
    log: Log = "none"
    timing: bool = True
    fidelity: Fidelity = "device"
    statistics: str | None = None

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        if isinstance(value, int) and not isinstance(value, bool):
            if value < 1:
                raise ValueError(f"at least one seed is needed, got {value}")
            return tuple(range(value))
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.seeds)) != len(self.seeds) or not self.seeds or min(self.seeds) < 0:
            raise misplaced("seeds", f"expected different seeds from 0 on, got {list(self.seeds)}")
        for path, values in self.vary.items():
            if path == "seed":
                raise misplaced("vary.seed", "seeds are not varied like a parameter: give 'seeds' (--seeds)")
            if isinstance(values, Range):
                if self.samples is None:
                    raise misplaced(f"vary.{path}", "values are drawn from a range only with 'samples' (--samples)")
                if path in NAMED:
                    raise misplaced(f"vary.{path}", f"a {path} is a name, which has no range")
            elif not values:
                raise misplaced(f"vary.{path}", "at least one value is needed")
            elif len({repr(value) for value in values}) != len(values):
                raise misplaced(f"vary.{path}", f"a value is given twice in {list(values)}")
        if not self.vary and len(self.seeds) < 2:
            raise ValueError("nothing varies: give 'vary' (--vary) or more than one seed (--seeds)")
        return self


def load_sweep(path: Path | str) -> SweepSpec:
    """Read the description of a sweep; names of files in it are relative to it.

    Raises:
        SpecError: the file is missing or wrong; every mistake at once.
    """
    document = load_document(path)
    data = mutable(document.data)
    for holder in (data, data.get("vary") if isinstance(data.get("vary"), dict) else {}):
        for key in (*NAMED, "data"):
            if key in holder:
                holder[key] = _located(holder[key], Path(path).parent, key)
    return build(SweepSpec, Document(data, document.file, document.lines))


def _located(value: Any, folder: Path, key: str) -> Any:
    """Return file names as absolute paths; the data folder is always one."""
    if isinstance(value, list):
        return [_located(each, folder, key) for each in value]
    is_file = isinstance(value, str) and (key == "data" or library.is_path(value) or value.endswith(".npz"))
    return str((folder / value).resolve()) if is_file else value


def read_vary(texts: Sequence[str]) -> dict[str, list[Any] | dict[str, Any]]:
    """Read ``path=a,b,c`` and ``path=low..high`` (or ``low..high:log``) as given on the command line.

    Raises:
        SpecError: a text is of another form.
    """
    vary: dict[str, list[Any] | dict[str, Any]] = {}
    for text in texts:
        path, equals, values = (part.strip() for part in text.partition("="))
        if not equals or not path or not values:
            raise SpecError(
                [Problem("expected path=a,b,c or path=low..high, such as tile.rows=64,128", f"--vary {text}")]
            )
        if path in vary:
            raise SpecError([Problem(f"'{path}' is varied twice", f"--vary {text}")])
        interval = _RANGE.match(values)
        if interval and path not in NAMED:
            low, high = parse_value(interval["low"]), parse_value(interval["high"])
            vary[path] = {"low": low, "high": high, "scale": "log" if interval["log"] else "linear"}
        else:
            vary[path] = parse_value(f"[{values}]")
    return vary


def make_sweep(description: Mapping[str, Any], *, at: str = "") -> SweepSpec:
    """Build a sweep from plain values; ``at`` is what messages call their place.

    Raises:
        SpecError: a value is wrong; every mistake at once.
    """
    try:
        return build(SweepSpec, Document({key: mutable(value) for key, value in description.items()}))
    except SpecError as error:
        raise SpecError([Problem(each.message, f"{at}{each.path}") for each in error.problems]) from None
