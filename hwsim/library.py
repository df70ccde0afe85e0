"""Finds bundled and own descriptions by bare name.

A chip is a file ``chips/NAME.yaml`` or a folder ``chips/NAME`` with a ``chip.yaml``; such a folder may hold
``components``, ``cells`` and ``devices`` of its own, which are found by name like all others.

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

KINDS = (
    "devices", "cells", "components", "scaling", "chips", "algorithms", "traces", "networks", "statistics",
    "experiments",
)  # fmt: skip
OF_CHIPS = ("devices", "cells", "components")
"""What the folder of a chip may hold beside the chip."""
CHIP_FILE = "chip.yaml"


def folders(kind: str) -> list[Path]:
    """Return the folders that are searched for descriptions of ``kind`` (one of ``KINDS``), first match first."""
    if kind == "traces":
        own = [Path(part) / "traces" for part in _own_places()]
        return [Path.cwd() / "traces", *own, Path(str(files("hwsim.traces"))), *(f / kind for f in _added_folders())]
    own = [Path(part) / "models" for part in _own_places()]
    roots = [Path.cwd() / "models", *own, Path(str(files("hwsim.models"))), *_added_folders()]
    found = []
    for root in roots:
        found.append(root / kind)
        if kind in OF_CHIPS:
            found += sorted((root / "chips").glob(f"*/{kind}"))
    return found


def _own_places() -> list[str]:
    return [part for part in os.environ.get("HWSIM_PATH", "").split(os.pathsep) if part]


@cache
def _added_folders() -> tuple[Path, ...]:
    """The folders of other packages, each that of a module."""
    return tuple(Path(str(files(load_plugin(point)))) for point in entry_points(group="hwsim.models"))


def names(kind: str) -> list[str]:
    """Return the sorted names of every description of ``kind`` that can be found."""
    places = [folder for folder in folders(kind) if folder.is_dir()]
    found = {path.stem for folder in places for path in folder.glob("*.yaml")}
    if kind == "chips":
        found |= {path.parent.name for folder in places for path in folder.glob(f"*/{CHIP_FILE}")}
    return sorted(found)


def is_path(name: str) -> bool:
    """Return whether ``name`` is the path of a file and no bare name."""
    return name.endswith((".yaml", ".yml")) or os.sep in name


def find(kind: str, name: str) -> Path:
    """Return the file of the description called ``name``, or ``name`` itself if it is a path to a file.

    Raises:
        UsageError: no such name or file; the message lists the known names.
    """
    if is_path(name):
        path = Path(name)
        if not os.path.isfile(path):
            raise UsageError(f"no such file: {path}")
        return path
    for folder in folders(kind):
        places = [folder / f"{name}.yaml", *([folder / name / CHIP_FILE] if kind == "chips" else [])]
        for path in places:
            if os.path.isfile(path):
                return path
    raise UsageError(unknown(kind.removesuffix("s"), name, names(kind)))
