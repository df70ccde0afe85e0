"""What comes from other people: YAML that unfolds without end, links out of a folder, texts that steer a terminal."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import yaml

MOST_VALUES = 1_000_000
"""Values of a YAML file at most, each counted as often as aliases name it: a few lines can stand for any number."""

COPIES = 3
"""How often a table is in memory while it is read: as it was decoded, as columns of pandas, and as what it becomes."""

STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that move the cursor, colour or hide text or turn its direction; lines and tabs are none."""


def yaml_node(loader: Any) -> yaml.Node | None:
    """Return the one document of a YAML loader, or None if it is empty.

    Raises:
        yaml.YAMLError: it is no YAML, nested too deeply, or unfolds to more than ``MOST_VALUES`` values.
    """
    import yaml

    try:
        node: yaml.Node | None = loader.get_single_node()
        size = 0 if node is None else _unfolded(node, {})
    except RecursionError:
        raise yaml.YAMLError("nested too deeply, or an alias refers to itself") from None
    if size > MOST_VALUES:
        raise yaml.YAMLError(f"its aliases unfold to more than {MOST_VALUES} values; write out what is meant")
    return node


def _unfolded(node: yaml.Node, known: dict[int, int]) -> int:
    """Return the number of values that a node stands for. One that holds itself has no end: a RecursionError."""
    if id(node) not in known:
        parts = node.value if isinstance(node.value, list) else []  # text, values, or pairs of a name and a value
        values = (value for part in parts for value in (part if isinstance(part, tuple) else (part,)))
        known[id(node)] = 1 + sum(_unfolded(value, known) for value in values)
    return known[id(node)]


def memory_limit() -> int:
    """Return the bytes that a file may take in memory: half of the machine's."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def too_large(table: Any) -> str | None:
    """Return why a Parquet file must not be read whole: a few bytes of it can stand for any number of equal values."""
    numbers = table.metadata.num_rows * max(table.metadata.num_columns, 1)
    if numbers * COPIES * 8 <= memory_limit():
        return None
    return f"its {numbers} numbers take more than half of this machine's memory ({memory_limit() / 2**30:.1f} GiB)"


def json_value(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is no JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def strange_entry(folder: Path) -> str | None:
    """Return what is wrong with an entry of a folder that leads out of it, or is neither a file nor a folder."""
    place = folder.resolve()
    for entry in sorted(folder.iterdir()):
        if entry.is_symlink() and not entry.resolve().is_relative_to(place):
            return f"{entry} is a link that leads out of its folder: take it away, or put the file in its place"
        if not (entry.is_symlink() or entry.is_file() or entry.is_dir()):
            return f"{entry} is neither a file nor a folder: take it away"
    return None


def visible(text: str) -> str:
    """Return a text with characters that steer a terminal written as ``\\u001b``, which is the same text in JSON."""
    return STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
