"""Writes the pages that list what comes with hwsim: components with their costs, devices, algorithms, chips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from hwsim.cli.group import hwsim

FOLDER = "reference/library"

ABOUT_COMPONENTS = """\
Every number stands in `models/components/` with its source. A component with parameters is shown at their defaults;
`hwsim components NAME --set PARAMETER=VALUE` shows it at others, and `hwsim tables CHIP` what a chip uses. Provenance:
**verified** was read in the named source, **derived** computed from such numbers, **unverified** quoted from elsewhere,
**assumed** is a choice of this project.
"""
ABOUT_DEVICES = """\
Presets and laws, as `hwsim devices` lists them; `hwsim devices NAME` shows every parameter. The laws are written out in
{doc}`/physics/devices`.
"""
ABOUT_CHIPS = """\
`hwsim chips NAME` shows one; of a published design it prints the published figures beside those of our own runs.
"""


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx: the pages are written before it looks for sources."""
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True}


def write_pages(app: Any) -> None:
    """Write a page for each kind of description; unchanged pages keep their time."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in (
        ("components", components()), ("devices", devices()), ("algorithms", algorithms()), ("chips", chips()),
    ):  # fmt: skip
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text(encoding="utf-8") != page:
            path.write_text(page, encoding="utf-8")


def ask(*words: str) -> Any:
    """Return what a command says as JSON."""
    result = CliRunner().invoke(hwsim, [*words, "--json"], catch_exceptions=False)
    if result.exit_code:
        raise RuntimeError(f"hwsim {' '.join(words)}: {result.output}")
    return json.loads(result.stdout)


def table(header: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell(each) for each in line) + " |" for line in lines) + "\n"


def cell(text: Any) -> str:
    """Return a text that stays in its cell."""
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("$", "\\$")


def quantity(number: dict[str, Any] | None) -> str:
    """Return a number of a component with its unit, such as 2.34 pJ."""
    from hwsim.units import format_quantity

    if number is None:
        return ""
    value, unit = number.get("value"), number.get("unit", "1")
    if value is None:
        return "depends on data"
    if unit == "1":
        return f"{value:.4g}"
    return f"{value * 1e12:.4g} um²" if unit == "m^2" else format_quantity(value, unit)


def components() -> str:
    """The component library with every number and its source."""
    parts = [f"# Components and their costs\n\n{ABOUT_COMPONENTS}\n"]
    listed = ask("components")["components"]
    for kind in sorted({each["type"] for each in listed}):
        parts.append(f"## {kind.replace('_', ' ').capitalize()}\n")
        parts += [component(each["name"]) for each in listed if each["type"] == kind]
    return "\n".join(parts)


def component(name: str) -> str:
    """One component: its description and a row for each number."""
    one = ask("components", name)
    rows = []
    for action, costs in one["actions"].items():
        for what in ("energy", "latency", "interval"):
            if costs.get(what):
                rows.append([f"{action}: {what}", quantity(costs[what]), costs.get("per", ""), *origin(costs[what])])
    for what in ("area", "leakage"):
        if one.get(what):
            rows.append([what, quantity(one[what]), "instance", *origin(one[what])])
    for what, number in (one.get("properties") or {}).items():
        rows.append([what, quantity(number), "", *origin(number)])
    node = f" Node: {one['node']}." if one.get("node") else ""
    chosen = ", ".join(f"`{key}`" for key in one.get("parameters") or {})
    settings = f" Parameters: {chosen}." if chosen else ""
    header = ["number", "value", "of one", "provenance", "source"]
    return f"### {name}\n\n{cell(one['description'])}{node}{settings}\n\n{table(header, rows)}"


def origin(number: dict[str, Any]) -> list[str]:
    """Return provenance and source of a number."""
    return [str(number.get("provenance", "")), str(number.get("source", ""))]


def devices() -> str:
    """The devices: presets and laws."""
    rows = []
    for each in ask("devices")["devices"]:
        one = ask("devices", each["name"])
        rows.append(
            [f"`{each['name']}`", f"`{each['law']}`", f"{each['states']:.4g}", one["description"], one["source"]]
        )
    return f"# Devices\n\n{ABOUT_DEVICES}\n" + table(["name", "law", "states", "description", "source"], rows)


def algorithms() -> str:
    """The algorithms with their parameters, and their presets."""
    listed = ask("algorithms")["algorithms"]
    parts = ["# Training algorithms\n"]
    for each in listed:
        if each["name"] != each["algorithm"]:
            continue
        one = ask("algorithms", each["name"])
        rows = [
            [f"`{p['name']}`", "" if p["required"] else f"`{json.dumps(p['default'])}`", p["meaning"]]
            for p in one["parameters"]
        ]
        presets = [f"`{p['name']}`" for p in listed if p["algorithm"] == each["name"] != p["name"]]
        parts.append(f"## {each['name']}\n\n{escaped(one['description'])}\n")
        if rows:
            parts.append(table(["parameter", "default", "meaning"], rows))
        if presets:
            parts.append(f"Presets: {', '.join(presets)}.\n")
    return "\n".join(parts)


def escaped(text: str) -> str:
    """Return a docstring whose signs Markdown does not take for its own."""
    for sign in ("\\", "*", "_", "<", "$", "`", "[", "]"):
        text = text.replace(sign, f"\\{sign}")
    return text


def chips() -> str:
    """The chips, with what was published of them."""
    rows = [
        [f"`{each['name']}`", each["tiles"], each["array"], f"`{each['device']}`", each["description"]]
        for each in ask("chips")["chips"]
    ]
    return f"# Chips\n\n{ABOUT_CHIPS}\n" + table(["name", "tiles", "arrays", "device", "description"], rows)
