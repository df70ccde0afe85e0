"""The page of an experiment: one HTML file with its figure inside, that needs nothing beside it."""

from __future__ import annotations

import base64
from pathlib import Path

from hwsim.reproduce.experiment import Reproduction
from hwsim.reproduce.text import comparison, cost_matrix, cost_split


def write_page(found: Reproduction, file: Path) -> None:
    """Write the page beside the figure of an experiment's folder."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    header, rows = comparison(found)
    figure = base64.b64encode((found.folder / "figure.png").read_bytes()).decode("ascii")
    page = environment.get_template("experiment.html").render(
        found=found, spec=found.spec, header=header, rows=rows, figure=figure, command=command(found),
        costs=[(target, cost_matrix(found, target), cost_split(found, target)) for target in found.spec.targets],
        notes=[(each.name, each.note) for each in found.spec.series if each.note],
        differences=_differences(found),
    )  # fmt: skip
    file.write_text(page, encoding="utf-8")


def command(found: Reproduction) -> str:
    """Return the command that runs the experiment again."""
    options = found.options
    parts = ["hwsim reproduce", found.spec.name]
    if found.variant is not None:
        parts.append(f"--variant {found.variant}")
    if options.epochs is not None:
        parts.append(f"--epochs {options.epochs}")
    if options.seeds is not None:
        parts.append(f"--seeds {','.join(map(str, options.seeds))}")
    parts += ["--fast"] * options.fast + ["--data DATA"] * (options.data is not None)
    parts += [f"--set {path}={value}" for path, value in options.set.items()]
    return " ".join(parts)


def _differences(found: Reproduction) -> list[tuple[str, str]]:
    if not found.spec.chips:
        return []
    rows = found.table.to_dict("records")
    return [(f"{row['at']}, {row['series']}", str(row["difference"])) for row in rows if row["difference"]]
