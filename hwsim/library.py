"""Finds bundled and own descriptions by bare name.

Search order: a path that exists, ``./models`` or ``./traces``, each folder of ``$HWSIM_PATH``, the installed package.
"""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

from hwsim.errors import UsageError, unknown

KINDS = ("devices", "cells", "components", "chips", "algorithms", "traces")


def folders(kind: str) -> list[Path]:
    """Return the folders that are searched for descriptions of ``kind`` (one of ``KINDS``), first match first."""
    inner = Path("traces") if kind == "traces" else Path("models") / kind
    own = [Path(part) / inner for part in os.environ.get("HWSIM_PATH", "").split(os.pathsep) if part]
    package = "hwsim.traces" if kind == "traces" else "hwsim.models"
    installed = Path(str(files(package)))
    return [Path.cwd() / inner, *own, installed if kind == "traces" else installed / kind]


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
