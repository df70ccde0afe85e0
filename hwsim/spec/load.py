"""Reads YAML descriptions and reports every mistake with file, line and path."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from hwsim import library
from hwsim.errors import Problem, SpecError, suggest
from hwsim.foreign import yaml_node
from hwsim.spec.activity import ActivitySpec
from hwsim.spec.architecture import ArchitectureSpec
from hwsim.spec.base import AT
from hwsim.spec.chip import ChipSpec
from hwsim.spec.component import ComponentSpec
from hwsim.spec.device import CellSpec
from hwsim.spec.network import NetworkSpec
from hwsim.spec.scaling import ScalingSpec
from hwsim.spec.training import TraceSpec

Model = TypeVar("Model", bound=BaseModel)
Location = tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A YAML file as plain data, with the line of every path in it."""

    data: Any
    file: Path | None = None
    lines: Mapping[Location, int] = field(default_factory=dict)

    def line(self, path: Sequence[str | int]) -> int | None:
        """Return the line of ``path``, or of its nearest parent that has one."""
        parts = tuple(str(part) for part in path)
        while parts and parts not in self.lines:
            parts = parts[:-1]
        return self.lines.get(parts)


class _Loader(yaml.SafeLoader):
    """Safe YAML in which ``1e-3`` is a number, as every user expects (YAML 1.1 reads a string)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?(?:\d[\d_]*\.?\d*|\.\d+)[eE][-+]?\d+$"),
    list("-+0123456789."),
)


def parse_value(text: str) -> Any:
    """Read one YAML value, such as the right side of ``--set path=value``.

    Raises:
        SpecError: the text is no YAML.
    """
    try:
        loader = _Loader(text)
        node = yaml_node(loader)
        return loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        raise SpecError(f"cannot read the value '{text}': {error}") from None


def load_document(path: Path | str) -> Document:
    """Read a YAML file.

    Raises:
        SpecError: the file cannot be read, is no YAML, or names a key twice.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise SpecError([Problem(f"cannot read the file: {reason}", file=path)]) from None
    loader = None
    try:
        loader = _Loader(text)
        node = yaml_node(loader)
        lines: dict[Location, int] = {}
        problems: list[Problem] = []
        if node is not None:
            _collect_lines(node, (), lines, problems, path)
        if problems:
            raise SpecError(problems)
        data = loader.construct_document(node) if node is not None else None
    except yaml.YAMLError as error:
        raise SpecError([_not_yaml(error, text, path)]) from None
    finally:
        if loader is not None:
            loader.dispose()
    if not isinstance(data, dict):
        raise SpecError([Problem("expected a mapping of names to values", file=path, line=1)])
    return Document(data, path, lines)


def _not_yaml(error: yaml.YAMLError, text: str, path: Path) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem(f"not valid YAML: the character U+{error.character:04X} is not allowed", file=path, line=line)
    mark = getattr(error, "problem_mark", None)
    message = getattr(error, "problem", None) or str(error)
    return Problem(f"not valid YAML: {message}", file=path, line=mark.line + 1 if mark else None)


def _collect_lines(
    node: yaml.Node, path: Location, lines: dict[Location, int], problems: list[Problem], file: Path, depth: int = 0
) -> None:
    if depth > 50:
        raise SpecError([Problem("nested too deeply, or an alias refers to itself", ".".join(path[:3]), file)])
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen:
                problems.append(Problem("this name is given twice", ".".join((*path, name)), file, line))
            seen.add(name)
            lines[(*path, name)] = line
            _collect_lines(value, (*path, name), lines, problems, file, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*path, str(index)), lines, problems, file, depth + 1)


def build(model: type[Model], document: Document, data: Any = None, at: Location = ()) -> Model:
    """Build a description from a document, or from ``data`` found at the path ``at`` of it.

    Raises:
        SpecError: with one problem for each mistake.
    """
    value = document.data if data is None and not at else data
    if not isinstance(value, dict):
        raise SpecError([Problem(f"expected a mapping, got {value!r}", ".".join(at), document.file, document.line(at))])
    try:
        return model.model_validate(value := _tuples(value))
    except ValidationError as error:
        raise SpecError([_problem(model, detail, document, at, value) for detail in error.errors()]) from None


def _tuples(value: Any) -> Any:
    """Lists become tuples: descriptions are frozen and strict."""
    if isinstance(value, dict):
        return {str(key): _tuples(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(_tuples(item) for item in value)
    return value


def _problem(model: type[BaseModel], detail: Any, document: Document, at: Location, data: Any) -> Problem:
    location = tuple(str(part) for part in detail["loc"])
    kind, message = detail["type"], detail["msg"]
    path = (*at, *_in_data(location, data, keep_last=kind == "missing"))
    if kind == AT:
        path = (*path, *detail["ctx"]["at"].split("."))
    given = detail.get("input")
    if kind == "extra_forbidden":
        known = _fields_at(model, location[:-1])
        message = f"no such parameter{suggest(location[-1], known)}"
        if "did you mean" not in message and known:
            message += f" (known: {', '.join(sorted(known))})"
    elif kind == "missing":
        message = "this parameter is missing"
    elif kind == AT:
        message = detail["ctx"]["message"]
    elif kind == "value_error":
        message = message.removeprefix("Value error, ")
    elif kind == "finite_number":
        message = f"expected a finite number, got {given!r}"
    elif isinstance(given, str | int | float | bool | type(None)):
        message = f"{message[0].lower()}{message[1:]}, got {given!r}"
    else:
        message = f"{message[0].lower()}{message[1:]}"
    return Problem(message, ".".join(path), document.file, document.line(path))


def _in_data(location: Location, data: Any, *, keep_last: bool) -> Location:
    """Leave out the parts of a location that the data do not have, such as the name of an alternative."""
    found: Location = ()
    for index, part in enumerate(location):
        if isinstance(data, Mapping) and part in data:
            data, found = data[part], (*found, part)
        elif isinstance(data, list | tuple) and part.isdigit() and int(part) < len(data):
            data, found = data[int(part)], (*found, part)
        elif keep_last and index == len(location) - 1:
            found = (*found, part)
    return found


def _fields_at(model: Any, location: Sequence[str]) -> set[str]:
    """Return the field names of the description that stands at ``location`` inside ``model``."""
    candidates = [model]
    for part in location:
        tagged = [each for each in candidates if part in _tags(each)]
        owner = next((each for each in candidates if part in each.model_fields), None)
        if tagged:
            candidates = tagged
        elif owner is not None:
            candidates = _models_of(owner.model_fields[part].annotation)
            if not candidates:
                return set()
    return set(candidates[0].model_fields)


def _tags(model: type[BaseModel]) -> set[str]:
    """Return the names by which a description is told from its alternatives."""
    fields = (model.model_fields[name] for name in ("rule", "factor", "fault", "kind") if name in model.model_fields)
    return {str(tag) for each in fields for tag in getattr(each.annotation, "__args__", ())}


def _models_of(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for argument in getattr(annotation, "__args__", ()) for found in _models_of(argument)]


def assign(data: dict[str, Any], path: str, value: Any) -> None:
    """Set ``a.b.c`` in nested mappings, making them where they are missing. Lists are addressed by index.

    Raises:
        SpecError: the path runs through something that is neither.
    """
    *parents, last = path.split(".")
    place: Any = data
    for part in parents:
        if isinstance(place, dict):
            if not isinstance(place.get(part), dict | list):
                place[part] = {}
            place = place[part]
        else:
            place = _item(place, part, path)
    if isinstance(place, dict):
        place[last] = value
    else:
        _item(place, last, path)
        place[int(last)] = value


def _item(place: Any, part: str, path: str) -> Any:
    if isinstance(place, list) and part.isdigit() and int(part) < len(place):
        return place[int(part)]
    raise SpecError([Problem(f"'{part}' is not an index of a list of {len(place)}", path)])


def mutable(value: Any, *, finite: bool = True, at: tuple[str, ...] = ()) -> Any:
    """Return a deep copy of plain data in which tuples are lists; ``at`` is its path in messages.

    With ``finite`` false, numbers that are not finite stay: a schema will refuse them and say where they are.

    Raises:
        SpecError: a number is not finite.
    """
    if isinstance(value, Mapping):
        return {str(key): mutable(item, finite=finite, at=(*at, str(key))) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [mutable(item, finite=finite, at=(*at, str(index))) for index, item in enumerate(value)]
    if finite and isinstance(value, float) and not math.isfinite(value):
        raise SpecError([Problem(f"expected a finite number, got {value!r}", ".".join(at))])
    return value


def refuse_infinite(document: Document, *keys: str) -> None:
    """Refuse numbers that are not finite under some keys, which no schema of the document describes.

    Raises:
        SpecError: with one problem for each of them.
    """
    data = document.data if isinstance(document.data, Mapping) else {}
    problems = [
        Problem(f"expected a finite number, got {value!r}", ".".join(path), document.file, document.line(path))
        for key in keys
        for path, value in _leaves(data.get(key), (key,))
        if isinstance(value, float) and not math.isfinite(value)
    ]
    if problems:
        raise SpecError(problems)


def _leaves(value: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    if isinstance(value, Mapping | list | tuple):
        for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _leaves(item, (*path, str(key)))
    else:
        yield path, value


@lru_cache(maxsize=256)
def _cached(path: Path, _stamp: int) -> Document:
    return load_document(path)


def named_document(kind: str, name: str) -> Document:
    """Read the description ``name`` (a bare name or a path) of one of ``library.KINDS``.

    Raises:
        UsageError: no such description.
        SpecError: the file is not readable YAML.
    """
    path = library.find(kind, name)
    return _cached(path, path.stat().st_mtime_ns)


def load_chip(name: str) -> ChipSpec:
    """Read a chip description by name or path."""
    return build(ChipSpec, named_document("chips", name))


def load_component(name: str) -> ComponentSpec:
    """Read a component description by name or path."""
    return build(ComponentSpec, named_document("components", name))


def load_scaling(name: str) -> ScalingSpec:
    """Read a table of technology factors by name or path."""
    return build(ScalingSpec, named_document("scaling", name))


def load_cell(name: str) -> CellSpec:
    """Read a cell description by name or path."""
    return build(CellSpec, named_document("cells", name))


def load_trace(name: str) -> TraceSpec:
    """Read a live-trace description by name or path."""
    return build(TraceSpec, with_network(named_document("traces", name)))


def with_network(trace: Document) -> Document:
    """Return a live trace in which the layers stand in place of the name of a network.

    ``network`` may be the name of a network, or a mapping with ``name`` and what is to be different. Any other trace is
    returned as it is.

    Raises:
        UsageError: no such network.
        SpecError: the network is wrong.
    """
    wanted = trace.data.get("network")
    chosen = {"name": wanted} if isinstance(wanted, str) else dict(wanted) if isinstance(wanted, dict) else {}
    if "name" not in chosen or "kind" in chosen:
        return trace
    network = named_document("networks", str(chosen.pop("name")))
    build(ArchitectureSpec, network)
    layers = {key: value for key, value in network.data.items() if key in NetworkSpec.model_fields}
    return Document({**trace.data, "network": {**layers, **chosen}}, trace.file, trace.lines)


def load_statistics(name: str) -> ActivitySpec:
    """Read activity statistics by name or path."""
    return build(ActivitySpec, named_document("statistics", name))


def load_network(name: str) -> ArchitectureSpec:
    """Read a network's list of layers by name or path."""
    return build(ArchitectureSpec, named_document("networks", name))
