"""Presets of algorithms by name: an algorithm with parameters, a device and converters that were published together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hwsim import library
from hwsim.errors import Problem, SpecError, UsageError, unknown
from hwsim.spec.algorithm import AlgorithmTableSpec
from hwsim.spec.load import Document, build, mutable, named_document
from hwsim.training.algorithms import ALGORITHMS, AlgorithmParameters


@dataclass(frozen=True)
class AlgorithmPreset:
    """A preset: ``algorithm`` with ``parameters``, the ``device`` it is for (or None) and chip ``settings`` by path."""

    name: str
    algorithm: str
    parameters: dict[str, Any]
    device: str | dict[str, Any] | None
    settings: dict[str, Any]
    description: str
    source: str


def preset_names() -> list[str]:
    """Return the names of all presets whose tables can be read, table by table."""
    names = []
    for table in library.names("algorithms"):
        try:
            names += [f"{table}-{key}" for key in load_table(table).presets]
        except SpecError:
            continue
    return names


def load_table(name: str) -> AlgorithmTableSpec:
    """Read a table of presets by name or path.

    Raises:
        UsageError: there is none.
        SpecError: it is wrong; every mistake at once.
    """
    return table_from_document(named_document("algorithms", name))


def table_from_document(document: Document) -> AlgorithmTableSpec:
    """Build a table and check the parameters of every preset in it.

    Raises:
        SpecError: with one problem for each mistake.
    """
    table = build(AlgorithmTableSpec, document)
    problems = []
    for key, preset in table.presets.items():
        at = ("presets", key, "parameters")
        try:
            _parameters(table.algorithm, Document(_merged(table, key), document.file, document.lines), at)
        except SpecError as error:
            problems += error.problems
        if isinstance(preset.device, dict) and not isinstance(preset.device.get("name"), str):
            line = document.line(("presets", key, "device"))
            problems.append(Problem("a mapping needs a name", f"presets.{key}.device", document.file, line))
    if problems:
        raise SpecError(problems)
    return table


def _parameters(algorithm: str, document: Document, at: tuple[str, ...]) -> AlgorithmParameters:
    try:
        model = ALGORITHMS.get(algorithm).Parameters
    except UsageError as error:
        raise SpecError(str(error)) from None
    return build(model, document, document.data, at)


def _merged(table: AlgorithmTableSpec, key: str) -> dict[str, Any]:
    return mutable({**table.parameters, **table.presets[key].parameters})


def find_preset(name: str) -> AlgorithmPreset | None:
    """Return the preset called ``name``, or None if no table has it.

    Raises:
        SpecError: the table that should have it is wrong.
    """
    for table_name in library.names("algorithms"):
        key = name.removeprefix(f"{table_name}-")
        if key == name:
            continue
        table = load_table(table_name)
        if key in table.presets:
            settings = {
                f"{path}.{last}": value for path, values in table.settings.items() for last, value in values.items()
            }
            return AlgorithmPreset(
                name, table.algorithm, _merged(table, key), mutable(table.presets[key].device), mutable(settings),
                f"{table.description}. Device {key}.", table.source,
            )  # fmt: skip
    return None


def find_algorithm(name: str) -> tuple[str, AlgorithmPreset | None]:
    """Return the registered algorithm that ``name`` stands for, and the preset if it is one's name.

    Raises:
        UsageError: neither an algorithm nor a preset has this name.
        SpecError: the table of the preset is wrong.
    """
    if name in ALGORITHMS:
        return name, None
    preset = find_preset(name)
    if preset is None:
        raise UsageError(unknown("algorithm", name, [*ALGORITHMS.names(), *preset_names()]))
    return preset.algorithm, preset
