"""What the commands that list and show library entries share: parameters with value and meaning."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from hwsim.cli.output import echo_table, first_sentence, plain_text
from hwsim.errors import InputError
from hwsim.results.layout import compact

if TYPE_CHECKING:
    from pydantic import BaseModel


def overview(names: Iterable[str], describe: Callable[[str], dict[str, Any]]) -> list[dict[str, Any]]:
    """Return ``describe(name)`` for each name; an entry whose file is wrong says so and does not stop the others."""
    entries = []
    for name in names:
        try:
            entries.append({"name": name} | describe(name))
        except InputError as error:
            first = str(error).splitlines()[0]
            entries.append({"name": name, "description": f"not valid: {first}"})
    return entries


def echo_overview(entries: list[dict[str, Any]], columns: tuple[str, ...], *, right: tuple[str, ...] = ()) -> None:
    """Print entries as a table of the given columns, the first sentence of the description last."""
    names = ("name", *columns, "description")
    rows = [[_cell(entry, name) for name in names] for entry in entries]
    echo_table(names, rows, right=[names.index(name) for name in right])


def _cell(entry: Mapping[str, Any], name: str) -> str:
    text = str(entry.get(name, ""))
    return first_sentence(text) if name == "description" else text


def parameters(model: BaseModel, *, leave_out: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return every parameter of a description: name, value as written in a file, and meaning.

    The parameters of a description inside it have names with dots, as ``--set`` takes them.
    """
    from pydantic import BaseModel

    values = model.model_dump()
    rows: list[dict[str, Any]] = []
    for name, field in type(model).model_fields.items():
        inner = getattr(model, name)
        if name in leave_out:
            continue
        if isinstance(inner, BaseModel):
            rows += [row | {"name": f"{name}.{row['name']}"} for row in parameters(inner)]
        else:
            rows.append({"name": name, "value": values[name], "meaning": plain_text(field.description)})
    return rows


def defaults(model: type[BaseModel]) -> list[dict[str, Any]]:
    """Return every parameter of a class of descriptions: name, whether it is required, default and meaning."""
    from pydantic import BaseModel

    rows: list[dict[str, Any]] = []
    for name, field in model.model_fields.items():
        default = None if field.is_required() else field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            inner = [{"required": False, "default": row.pop("value")} | row for row in parameters(default)]
            rows += [row | {"name": f"{name}.{row['name']}"} for row in inner]
        else:
            meaning = plain_text(field.description)
            rows.append({"name": name, "required": field.is_required(), "default": default, "meaning": meaning})
    return rows


def echo_parameters(rows: Iterable[Mapping[str, Any]], *, column: str = "value", indent: str = "  ") -> None:
    """Print parameters as a table of name, value and meaning."""
    shown = [
        (row["name"], "required" if row.get("required") else value_text(row[column]), row["meaning"]) for row in rows
    ]
    echo_table(("", "", ""), shown, indent=indent)


def value_text(value: Any) -> str:
    """Return a value of a description as it is written in YAML, quantities with a fitting prefix."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.7g}"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {value_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return "none" if value is None else compact(str(value))
