"""Every data file of the packages is declared in setup.py, so that wheels carry it."""

import ast
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[2]
FOLDERS = {"hwsim": ROOT / "hwsim", "hwsim.models": ROOT / "models", "hwsim.traces": ROOT / "traces"}
NOT_DATA = {".py", ".so", ".pyc", ".md"}


def declared() -> dict[str, list[str]]:
    for node in ast.walk(ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg == "package_data":
            return ast.literal_eval(node.value)
    raise AssertionError("setup.py declares no package_data")


def folder_of(package: str) -> Path:
    if package in FOLDERS:
        return FOLDERS[package]
    return FOLDERS["hwsim"].joinpath(*package.split(".")[1:])


def test_wheels_carry_every_data_file() -> None:
    covered = {
        path
        for package, patterns in declared().items()
        for pattern in patterns
        for path in folder_of(package).glob(pattern)
    }
    files = {
        path
        for folder in FOLDERS.values()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix not in NOT_DATA and "__pycache__" not in PurePath(path).parts
    }
    assert files - covered == set()
    assert {path.suffix for path in covered} >= {".yaml", ".html", ".pyi", ".typed"}
