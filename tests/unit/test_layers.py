"""Imports point one way: every module imports only from its own layer or from layers before it."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "hwsim"
ORDER = [
    {"errors", "units", "html", "foreign", "registry", "library", "_kernels"},
    {"spec"},
    {"engine"},
    {"cost"},
    {"devices"},
    {"components"},
    {"chip"},
    {"training"},
    {"onnx"},
    {"run"},
    {"torch"},
    {"sweeps"},
    {"reproduce"},
    {"cli", "__main__"},
]
LAYER = {name: index for index, names in enumerate(ORDER) for name in names}
RESULTS_MAY_IMPORT = {"errors", "units", "html", "foreign", "results"}
LAYER_MAY_ALSO_IMPORT = {part: {"results"} for part in ("run", "sweeps", "reproduce", "torch", "cli", "__main__")}


def imported_parts(path: Path) -> set[str]:
    parts = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [
                f"{node.module}.{alias.name}" if node.module == "hwsim" else str(node.module) for alias in node.names
            ]
        parts |= {name.split(".")[1] for name in names if name.startswith("hwsim.")}
    return parts


def test_imports_point_one_way() -> None:
    wrong = []
    for path in sorted(PACKAGE.rglob("*.py")):
        part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for imported in imported_parts(path):
            if part == "__init__" or (imported not in LAYER and imported != "results"):
                continue
            if part == "results":
                allowed = imported in RESULTS_MAY_IMPORT
            elif imported == "results":
                allowed = imported in LAYER_MAY_ALSO_IMPORT.get(part, set())
            else:
                allowed = LAYER[imported] <= LAYER[part]
            if not allowed:
                wrong.append(f"{path.relative_to(PACKAGE)} imports hwsim.{imported}")
    assert not wrong


def test_every_part_has_a_layer() -> None:
    parts = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in PACKAGE.rglob("*.py")}
    assert parts - set(LAYER) - {"__init__", "results"} == set()


def test_simpy_and_results_stay_where_they_belong() -> None:
    for folder in ("spec", "cost", "devices"):
        for path in (PACKAGE / folder).rglob("*.py"):
            assert "import simpy" not in path.read_text(encoding="utf-8"), path


def imported_modules(path: Path) -> set[str]:
    """Modules of hwsim that a file imports when it runs, also within functions; not those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = [ast.Pass()]
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def test_no_module_of_results_imports_itself_round_a_circle() -> None:
    paths = {
        f"hwsim.results.{path.stem}": path for path in (PACKAGE / "results").glob("*.py") if path.stem != "__init__"
    }
    left = {name: imported_modules(path) & set(paths) - {name} for name, path in paths.items()}
    while free := [name for name, wanted in left.items() if not wanted & set(left)]:
        for name in free:
            del left[name]
    assert not left, f"these import each other: {sorted(left)}"
