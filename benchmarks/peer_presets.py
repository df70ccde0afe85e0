"""Writes the numbers of AIHWKit's training presets to ``tests/data/aihwkit_presets.json``, for the test against them.

Run it with a Python that has AIHWKit 1.1.0: ``python benchmarks/peer_presets.py``.
"""

from __future__ import annotations

import dataclasses
import enum
import json
from pathlib import Path
from typing import Any

from aihwkit.simulator import presets
from aihwkit.version import __version__

TARGET = Path(__file__).parents[1] / "tests" / "data" / "aihwkit_presets.json"
READS = ("forward", "backward", "transfer_forward", "refresh_forward")
UPDATES = ("update", "transfer_update", "refresh_update")


def plain(value: Any) -> Any:
    """Return parameters as nested dictionaries of numbers and strings, with the class under ``class``."""
    if dataclasses.is_dataclass(value):
        fields = {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"class": type(value).__name__, **fields}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if isinstance(value, int | float | str | bool) else None


def lift(value: Any, tables: dict[str, dict[str, Any]], key: str = "") -> Any:
    """Replace parameters of converters, updates and devices by their number in a table, which holds each once."""
    if isinstance(value, list):
        return [lift(item, tables, key) for item in value]
    if not isinstance(value, dict):
        return value
    value = {name: lift(item, tables, name) for name, item in value.items()}
    table = "reads" if key in READS else "updates" if key in UPDATES else "devices" if "dw_min" in value else ""
    if not table:
        return value
    text = json.dumps(value)
    known = tables[table]
    return known.setdefault(text, (len(known), value))[0]


def main() -> None:
    """Write the file."""
    tables: dict[str, dict[str, Any]] = {"reads": {}, "updates": {}, "devices": {}}
    found = {}
    for name in sorted(dir(presets)):
        if not name.endswith(("Preset", "PresetDevice", "PresetUnitCell")):
            continue
        given = plain(getattr(presets, name)())
        parts = ("device", "forward", "backward", "update")
        found[name] = lift({part: given[part] for part in parts} if "forward" in given else given, tables)
    lines = [f'"version": {json.dumps(__version__)}']
    for table, known in tables.items():
        rows = ",\n".join(f"  {json.dumps(value)}" for _, value in known.values())
        lines.append(f'"{table}": [\n{rows}\n]')
    rows = ",\n".join(f"  {json.dumps(name)}: {json.dumps(value)}" for name, value in found.items())
    lines.append(f'"presets": {{\n{rows}\n}}')
    TARGET.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
