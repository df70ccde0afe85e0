"""The folder of a sweep: its description, a run folder for each point, and the table of all of them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from hwsim.errors import ResultsError, UsageError
from hwsim.results import open_run
from hwsim.results.folder import read_json
from hwsim.results.sweep_record import POINTS, SWEEP_SCHEMA, read_sweep_info, write_sweep_table
from hwsim.run.folder import check_new
from hwsim.sweeps.points import Point
from hwsim.sweeps.spec import SweepSpec, load_sweep

DESCRIPTION = "sweep.yaml"
FAILURE = "failure.json"


class SweepFolder:
    """The folder of one sweep. A point's run is made beside its place and moved there when it has ended.

    Args:
        path: the folder.
        points: all points of the sweep.
    """

    def __init__(self, path: Path, points: Sequence[Point]) -> None:
        self.path = path
        self.points = list(points)
        self._rows: dict[int, dict[str, Any]] = {}

    @classmethod
    def make(cls, path: Path, sweep: SweepSpec, points: Sequence[Point]) -> SweepFolder:
        """Make the folder of a new sweep.

        Raises:
            UsageError: it exists or cannot be made.
        """
        check_new(path)
        try:
            (path / POINTS).mkdir(parents=True)
        except OSError as error:
            raise UsageError(f"cannot make the sweep's folder {path}: {error.strerror}") from None
        text = yaml.safe_dump(sweep.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120)
        _replace(path / DESCRIPTION, text)
        made = cls(path, points)
        made.note_state("running")
        return made

    @staticmethod
    def description(path: Path) -> SweepSpec:
        """Return what the sweep in a folder is.

        Raises:
            ResultsError: it is no folder of a sweep.
            SpecError: its description is damaged.
        """
        read_sweep_info(path)
        return load_sweep(path / DESCRIPTION)

    @classmethod
    def reopen(cls, path: Path, points: Sequence[Point]) -> SweepFolder:
        """Open the folder of a sweep to go on with it: points that are not complete are removed.

        Raises:
            ResultsError: it is no folder of a sweep, what it describes has changed since, or a file is a link.
        """
        hashes = read_sweep_info(path)["points"]
        if hashes != [point.spec.hash for point in points]:
            raise ResultsError(
                f"{path} was begun with other descriptions: a chip, device, trace or hwsim itself has changed since; "
                "start a new sweep"
            )
        links = [entry for place in (path, path / POINTS) for entry in sorted(place.glob("*")) if entry.is_symlink()]
        if links:
            raise ResultsError(f"{links[0]} is a link, and a sweep is resumed in its own folder only: take it away")
        opened = cls(path, points)
        for point in opened.points:
            opened._keep_or_remove(point)
        return opened

    def _keep_or_remove(self, point: Point) -> None:
        shutil.rmtree(self.part(point), ignore_errors=True)
        place = self.path / POINTS / point.name
        if not place.exists():
            return
        try:
            run = open_run(place)
            complete = run.state == "complete" and run.info.get("config_hash") == point.spec.hash
        except ResultsError:
            complete = False
        if complete:
            self._rows[point.index] = self._row(point)
        else:
            shutil.rmtree(place)

    @property
    def missing(self) -> list[Point]:
        """The points that have no result yet."""
        return [point for point in self.points if point.index not in self._rows]

    @property
    def failed(self) -> dict[str, str]:
        """The failed points: name to reason."""
        rows = [self._rows[index] for index in sorted(self._rows)]
        return {row["folder"]: row["error"] for row in rows if row["state"] == "failed"}

    def part(self, point: Point) -> Path:
        """Return where the run of a point is made."""
        return self.path / POINTS / f".{point.name}.part"

    def adopt(self, point: Point, error: str | None) -> dict[str, Any]:
        """Take in the run of a point that has ended; returns its row of the table."""
        part, place = self.part(point), self.path / POINTS / point.name
        if error is not None:
            part.mkdir(exist_ok=True)
            (part / FAILURE).write_text(
                json.dumps({"error": error.replace(str(part), str(place))}, indent=2) + "\n", encoding="utf-8"
            )
        os.replace(part, place)
        self._rows[point.index] = self._row(point)
        return self._rows[point.index]

    def _row(self, point: Point) -> dict[str, Any]:
        name = f"{POINTS}/{point.name}"
        row: dict[str, Any] = {"point": point.index, **point.values, "seed": point.seed, "state": "complete"}
        row |= {"error": None, "folder": name}
        failure = self.path / name / FAILURE
        if failure.exists():
            return row | {"state": "failed", "error": str(read_json(failure)["error"])}
        return row | _results(open_run(self.path / name).summary)

    def write_table(self) -> None:
        """Write ``sweep.parquet``: a row for each point that has ended, in order."""
        rows = [self._rows[index] for index in sorted(self._rows)]
        varied = list(self.points[0].values) if self.points else []
        write_sweep_table(self.path, rows, varied)

    def note_state(self, state: str) -> None:
        """Write ``sweep.json``."""
        info = {
            "schema": SWEEP_SCHEMA,
            "state": state,
            "hwsim": version("hwsim"),
            "varied": list(self.points[0].values) if self.points else [],
            "points": [point.spec.hash for point in self.points],
        }
        _replace(self.path / "sweep.json", json.dumps(info, indent=2) + "\n")


def _results(summary: dict[str, Any]) -> dict[str, Any]:
    metrics = summary["metrics"]
    row = {key: metrics.get(key) for key in ("accuracy", "loss", "train_loss")}
    row |= {key: summary[key] for key in ("latency_s", "energy_J", "area_m2", "samples", "steps")}
    for quantity in ("latency_s", "energy_J"):
        name, unit = quantity.split("_")
        for phase, value in (summary.get(f"{name}_by_phase") or {}).items():
            row[f"{name}_{phase}_{unit}"] = value
    return row


def _replace(path: Path, text: str) -> None:
    # Written beside and moved over, so that a reader never sees half a file.
    part = path.with_name(f".{path.name}.part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
