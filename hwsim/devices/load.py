"""Loads device descriptions: presets and laws by name, own files, mappings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwsim import library
from hwsim.devices import laws  # noqa: F401 - registers the laws
from hwsim.devices.law import LAWS
from hwsim.errors import InputError, Problem, SpecError, UsageError, suggest, unknown
from hwsim.spec.device import CellSpec, DeviceSpec
from hwsim.spec.load import Document, build, load_cell, mutable, named_document
from hwsim.spec.unit_cell import UNIT_CELLS, UnitCellSpec

DEFAULT_CELL = "rpu-24Mohm"
"""Cell of a law that has no file of its own (one registered by another package)."""


def law_names() -> list[str]:
    """Return the registered names of the device laws."""
    return LAWS.names()


def device_names() -> list[str]:
    """Return the names of every device that can be loaded: presets, and laws with their default parameters."""
    return sorted({*library.names("devices"), *law_names()})


def load_device(name: str, **overrides: Any) -> DeviceSpec:
    """Load a device by the name of a preset or law (``-`` and ``_`` are the same) or by the path of a YAML file.

    ``overrides`` replace parameters of the law by name, of the cell with the prefix ``cell__``
    (``cell__pulse_width="50 ns"``), of the unit cell with ``unit_cell__`` (``unit_cell__kind="reference"``).

    Raises:
        SpecError: an unknown name, or a value that is not allowed; every mistake at once.
    """
    try:
        source = device_document(name)
    except UsageError as error:
        raise SpecError(str(error)) from None
    data = mutable(source.data)
    cell, unit_cell, parameters = _by_part(overrides)
    data["parameters"] = {**(data.get("parameters") or {}), **parameters}
    if unit_cell:
        data["unit_cell"] = {**(data.get("unit_cell") or {}), **unit_cell}
    if cell:
        named = data.get("cell")
        base = load_cell(named).model_dump(mode="json") if isinstance(named, str) else dict(named or {})
        data["cell"] = {**base, **cell}
    given = {("parameters", key) for key in overrides} | {("cell", key) for key in cell}
    lines = {path: line for path, line in source.lines.items() if path[:2] not in given}
    return device_from_document(Document(data, None if overrides else source.file, {} if overrides else lines))


def _by_part(overrides: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Split overrides into those of the cell, of the unit cell and of the law."""
    parts: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = ({}, {}, {})
    for key, value in overrides.items():
        for part, prefix in zip(parts, ("cell__", "unit_cell__", ""), strict=True):
            if key.startswith(prefix):
                part[key.removeprefix(prefix)] = value
                break
    return parts


def device_document(name: str) -> Document:
    """Return the description of the device ``name`` as plain data, completed by that of its ``base``.

    Raises:
        UsageError: no device, law or file has this name.
        SpecError: its base is unknown or has a base of its own.
    """
    return _with_base(_named(name))


def _with_base(document: Document) -> Document:
    """Complete a description by the one named ``base``: whatever it does not say itself, parameter by parameter."""
    data = document.data
    if "base" not in data:
        return _anchored(document, data.get("law"))
    at = ("base",)
    try:
        named = _named(str(data["base"]))
        base = _anchored(named, named.data.get("law")).data
    except UsageError as error:
        raise SpecError([Problem(str(error), "base", document.file, document.line(at))]) from None
    if "base" in base:
        raise SpecError([Problem("a base must not have a base of its own", "base", document.file, document.line(at))])
    document = _anchored(document, data.get("law", base.get("law")))
    data = document.data
    merged = {**base, **{key: value for key, value in data.items() if key != "base"}}
    merged["parameters"] = {**(base.get("parameters") or {}), **(data.get("parameters") or {})}
    return Document(merged, document.file, document.lines)


def _anchored(document: Document, law: Any) -> Document:
    """Take the paths in the law's parameters as relative to the folder of the description that names them."""
    name = str(law).replace("-", "_")
    given = document.data.get("parameters")
    if document.file is None or name not in LAWS or not isinstance(given, Mapping):
        return document
    folder = document.file.absolute().parent
    paths = {key: given.get(key) for key in LAWS.get(name).parameters.file_parameters}
    moved = {key: str(folder / path) for key, path in paths.items() if isinstance(path, str) and Path(path).suffix}
    return Document({**document.data, "parameters": {**given, **moved}}, document.file, document.lines)


def _named(name: str) -> Document:
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        return named_document("devices", name)
    found = library.names("devices")
    for spelling in (name, name.replace("_", "-"), name.replace("-", "_")):
        if spelling in found:
            return named_document("devices", spelling)
    law = name.replace("-", "_")
    if law in LAWS:
        return Document(
            {"name": law, "source": "registered law with its default parameters", "law": law, "cell": DEFAULT_CELL}
        )
    raise UsageError(unknown("device", name, device_names()))


def device_from_document(document: Document | Mapping[str, Any]) -> DeviceSpec:
    """Build a device from a mapping (or the document of a file); its cell is a mapping or the name of a cell.

    ``base`` names a device that gives whatever is not said.

    Raises:
        SpecError: with one problem for each mistake.
    """
    if not isinstance(document, Document):
        document = Document(mutable(document))
    document = _with_base(document)
    data = document.data
    problems: list[Problem] = []
    built: dict[str, Any] = {}
    for part, builder in (("parameters", _parameters), ("cell", _cell), ("unit_cell", _unit_cell)):
        try:
            built[part] = builder(document)
        except SpecError as error:
            problems += error.problems
        except InputError as error:
            problems.append(Problem(str(error), part, document.file, document.line((part,))))
    rest = {key: value for key, value in data.items() if key not in ("parameters", "cell", "unit_cell", "kind")}
    allowed = [*DeviceSpec.model_fields]
    for key in [key for key in rest if key not in allowed]:
        message = f"no such parameter{suggest(key, allowed)} (known: {', '.join(sorted(allowed))})"
        problems.append(Problem(message, str(key), document.file, document.line((key,))))
        del rest[key]
    if problems:
        raise SpecError(problems)
    return build(DeviceSpec, document, {**rest, **built})


def _parameters(document: Document) -> Any:
    name = document.data.get("law")
    if not isinstance(name, str):
        raise SpecError([Problem("this parameter is missing: the name of a device law", "law", document.file)])
    law = name.replace("-", "_")
    if law not in LAWS:
        raise SpecError(
            [Problem(unknown("device law", name, law_names()), "law", document.file, document.line(("law",)))]
        )
    given = document.data.get("parameters")
    return build(LAWS.get(law).parameters, document, {} if given is None else given, ("parameters",))


def _cell(document: Document) -> CellSpec:
    given = document.data.get("cell")
    if isinstance(given, CellSpec):
        return given
    if isinstance(given, str):
        return load_cell(given)
    if given is None:
        raise UsageError("this parameter is missing: the name of a cell, or a mapping")
    return build(CellSpec, document, given, ("cell",))


def _unit_cell(document: Document) -> UnitCellSpec:
    given = document.data.get("unit_cell", {})
    if isinstance(given, UnitCellSpec):
        return given
    kind = given.get("kind", "single") if isinstance(given, Mapping) else "single"
    if not isinstance(kind, str) or kind not in UNIT_CELLS:
        at = ("unit_cell", "kind")
        message = unknown("unit cell", str(kind), list(UNIT_CELLS))
        raise SpecError([Problem(message, ".".join(at), document.file, document.line(at))])
    return build(UNIT_CELLS[kind], document, given, ("unit_cell",))
