"""What subcommands share in writing their results to stdout."""

from __future__ import annotations

import json
import math
import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click

from hwsim.foreign import visible
from hwsim.results.layout import clip, table


def echo(text: object = "", *, err: bool = False) -> None:
    """Print a line, on stderr with ``err``; what is in it cannot steer the terminal."""
    click.echo(visible(str(text)), err=err)


def echo_json(value: Any) -> None:
    """Print one JSON value; what JSON has no number for (NaN, infinity) becomes null."""
    echo(json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False))


def plain(value: Any) -> Any:
    """Return a value in plain JSON types: numbers of NumPy and decimals as numbers, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, str | bool | int):
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None


def echo_table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = (), indent: str = ""
) -> None:
    """Print an aligned table; on a terminal, lines are cut at its width."""
    width = line_width()
    for line in table(header, list(rows), right=right):
        echo(clip(indent + line, width) if width else indent + line)


def line_width() -> int | None:
    """Return the width of the terminal, or None if stdout is no terminal and nothing should be cut."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def echo_wrapped(text: str, *, indent: str = "") -> None:
    """Print a text as lines of at most 100 characters."""
    width = min(line_width() or 100, 100)
    echo(textwrap.fill(" ".join(text.split()), width, initial_indent=indent, subsequent_indent=indent))


class References:
    """Numbers sources in the order of their first use, so that a table can name them in few characters."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def mark(self, source: str) -> str:
        """Return the mark of a source, such as ``[2]``."""
        return f"[{self._numbers.setdefault(source, len(self._numbers) + 1)}]"

    def echo(self) -> None:
        """Print the list of sources."""
        if self._numbers:
            echo("sources")
        for source, number in self._numbers.items():
            echo_wrapped(f"[{number}] {source}", indent="  ")


def first_sentence(text: str | None) -> str:
    """Return the first sentence of a description in one line; brackets with what they hold are left out."""
    line = re.sub(r"\s*\([^()]*\)", "", " ".join((text or "").split()))
    return line.partition(". ")[0].rstrip(".")


def plain_text(text: str | None) -> str:
    """Return a docstring or description in one line, without the marks of its markup."""
    return " ".join((text or "").replace("``", "").split())
