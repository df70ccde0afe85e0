"""Pages that need nothing beside them: one file with its style, scripts and data, and no network."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from hwsim.errors import ResultsError, UsageError
from hwsim.results.embed import json_block, script_hash
from hwsim.results.layout import area_text, count
from hwsim.units import format_quantity

TEMPLATES = Path(__file__).parent / "templates"


def check_file(file: Path) -> None:
    """Refuse a file that cannot be a page, before the work of making one.

    Raises:
        UsageError: ``file`` is a folder, or its folder does not exist.
    """
    if file.is_dir():
        raise UsageError(f"{file} is a folder; name the file to write, such as {file / 'report.html'}")
    if not file.parent.is_dir():
        raise UsageError(f"cannot write {file}: there is no folder {file.parent}")


def write(file: Path, page: str) -> Path:
    """Write a page to ``file`` and return it; an existing file is replaced at once or not at all.

    Raises:
        ResultsError: the page cannot be written.
        UsageError: ``file`` is a folder, or its folder does not exist.
    """
    check_file(file)
    try:
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(page)
            umask = os.umask(0)
            os.umask(umask)
            Path(temporary).chmod(0o666 & ~umask)
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ResultsError(f"cannot write {file}: {error.strerror}") from None
    return file


def render(
    template: str, content: Mapping[str, Any], *, scripts: Sequence[str] = (), data: Mapping[str, Any] | None = None
) -> str:
    """Return a page: a template with its content, the named scripts as one, and data blocks for them.

    The page's policy lets this script run and nothing else, and nothing be fetched, whatever a name in it says.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(quantity=quantity, count=whole, percent=percent)
    script = _joined(tuple(scripts))
    blocks = Markup("\n").join(json_block(name, value) for name, value in (data or {}).items() if value is not None)
    frame = {
        "style": Markup((TEMPLATES / "page.css").read_text(encoding="utf-8")),
        "script": Markup(script),
        "policy": f"default-src 'none'; style-src 'unsafe-inline'; script-src '{script_hash(script)}'",
        "blocks": blocks,
    }
    return environment.get_template(template).render({**content, **frame})


@cache
def _joined(scripts: tuple[str, ...]) -> str:
    parts = [(TEMPLATES / "script" / f"{name}.js").read_text(encoding="utf-8") for name in scripts]
    return '(() => {\n"use strict";\n' + "\n".join(parts) + "})();\n"


def quantity(value: float | None, unit: str) -> str:
    """Write a number with its unit; None becomes a dash."""
    if value is None:
        return "-"
    return squared(area_text(value)) if unit == "m^2" else format_quantity(value, unit)


def squared(text: str) -> str:
    """Return a text of a terminal with the exponent of an area as a page has it."""
    return text.replace("m^2", "m²")


def whole(value: float) -> str:
    """Write a count in groups of three digits that stay on one line."""
    return count(value).replace(" ", "\N{NO-BREAK SPACE}")


def percent(fraction: float | None) -> str:
    """Write a part of 1 in per cent; None becomes a dash."""
    return "-" if fraction is None else f"{100 * fraction:.1f} %"
