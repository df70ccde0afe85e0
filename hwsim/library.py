"""Finds bundled and own descriptions by bare name.

Search order: a path that exists, ``./models`` or ``./traces``, each folder of ``$HWSIM_PATH``, the installed package,
then packages that add descriptions by an entry point in the group ``hwsim.models`` (laid out as ``models``).
"""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import entry_points
from importlib.resources import files
from pathlib import Path

from hwsim.errors import UsageError, unknown
from hwsim.registry import load_plugin

KINDS = ("devices", "cells", "components", "scaling", "chips", "algorithms", "traces")


def folders(kind: str) -> list[Path]:
    """Return the folders that are searched for descriptions of ``kind`` (one of ``KINDS``), first match first."""
    inner = Path("traces") if kind == "traces" else Path("models") / kind
    own = [Path(part) / inner for part in os.environ.get("HWSIM_PATH", "").split(os.pathsep) if part]
    package = "hwsim.traces" if kind == "traces" else "hwsim.models"
    installed = Path(str(files(package)))
    added = [folder / kind for folder in _added_folders()]
    return [Path.cwd() / inner, *own, installed if kind == "traces" else installed / kind, *added]


@cache
def _added_folders() -> tuple[Path, ...]:
    """The folders of other packages, each that of a module."""
    return tuple(Path(str(files(load_plugin(point)))) for point in entry_points(group="hwsim.models"))


def names(kind: str) -> list[str]:
    """Return the sorted names of every description of ``kind`` that can be found."""
    return sorted({path.stem for folder in folders(kind) if folder.is_dir() for path in folder.glob("*.yaml")})


def find(kind: str, name: str) -> Path:
    """Return the file of the description called ``name``, or ``name`` itself if it is a path to a file.

    Raises:
        UsageError: no such name or file; the message lists the known names.
    """
    if name.endswith((".yaml", ".yml")) or os.sep in name:
        path = Path(name)
        if not path.is_file():
            raise UsageError(f"no such file: {path}")
        return path
    for folder in folders(kind):
        path = folder / f"{name}.yaml"
        if path.is_file():
            return path
    raise UsageError(unknown(kind.removesuffix("s"), name, names(kind)))
