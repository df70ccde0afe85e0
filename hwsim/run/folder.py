"""Writes a run folder: configuration first, logs as the run goes, results at the end."""

from __future__ import annotations

import fcntl
import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hwsim.chip.line_log import LINE_COLUMNS
from hwsim.engine.gauges import GAUGE_COLUMNS
from hwsim.engine.ledger import COLUMNS, Table
from hwsim.errors import RunError, UsageError
from hwsim.run.pages import PageCoding
from hwsim.run.table import Coding, Columns, TableWriter

SCHEMA_VERSION = 1

PULSE_COLUMNS: dict[str, tuple[str, str, str]] = {
    "t_ps": ("int64", "ps", "simulated time at which the pulse starts"),
    "step": ("int32", "1", "training step"),
    "sample": ("int64", "1", "sample whose update it belongs to, counted over the run; -1 for none"),
    "tile": ("int16", "1", "tile"),
    "array": ("int16", "1", "array of the tile"),
    "row": ("int32", "1", "row of the array"),
    "col": ("int32", "1", "column of the array"),
    "polarity": ("int8", "1", "+1 up, -1 down, 0 reset"),
    "dw": ("float32", "1", "change of the device's weight"),
    "w": ("float32", "1", "the device's weight after the pulse"),
    "device": ("int16", "1", "device of the unit cell; 0 where a cell has one"),
}
LINE_READ_COLUMNS: dict[str, tuple[str, str, str]] = {
    "t_ps": ("int64", "ps", "simulated time at which the read of the array starts, as in the event log"),
    "tile": ("int16", "1", "tile"),
    "array": ("int16", "1", "array of the tile"),
    "device": ("int16", "1", "device of the unit cells that was read alone; -1 for all of them"),
    "axis": ("int8", "1", "0: a column was read, 1: a row"),
    "line": ("int32", "1", "number of the column or row"),
}
"""Reads of single lines (transfer, refresh, zero-shifting) of probed tiles; every other read is of a whole array."""
METRIC_COLUMNS: dict[str, tuple[str, str, str]] = {
    "step": ("int32", "1", "training step"),
    "epoch": ("int32", "1", "epoch, from 0"),
    "samples": ("int64", "1", "samples trained so far"),
    "t_s": ("float64", "s", "simulated time so far"),
    "energy_J": ("float64", "J", "energy so far, leakage included"),
    "loss": ("float64", "1", "mean loss of the mini-batch"),
    "learning_rate": ("float64", "1", "learning rate"),
    "test_loss": ("float64", "1", "loss on held-out data, or what the trace's evaluation says; NaN: not evaluated"),
    "test_accuracy": ("float64", "1", "accuracy on the same data; NaN where it was not evaluated"),
}
PHASE_COLUMNS: dict[str, tuple[str, str, str]] = {
    "step": ("int32", "1", "training step after which the network was evaluated"),
    "phase": ("name", "1", "phase of training"),
    "t_s": ("float64", "s", "simulated time of the phase so far"),
    "energy_J": ("float64", "J", "energy of the phase so far"),
}
"""Columns of ``phases.parquet``: what each phase has cost when the network was evaluated."""

CODINGS: dict[str, Coding | PageCoding] = {
    "events": Coding(
        dictionary=[*(name for name, (kind, _, _) in COLUMNS.items() if kind == "name"), "dur_ps", "tile", "count"],
        delta=["t_ps"],
    ),
    "pulses": PageCoding(
        bare=["dw", "w"], statistics=["t_ps", "step", "sample", "tile", "array", "row", "col", "device"]
    ),
}
LEAST_ROWS = {"metrics": 64}
METRIC_ROWS = 64
"""Rows of metrics that go to their table in one piece: row by row they would take longer than a small step does."""
ALL_COLUMNS: dict[str, Columns] = {
    "events": COLUMNS,
    "gauges": GAUGE_COLUMNS,
    "pulses": PULSE_COLUMNS,
    "line_reads": LINE_READ_COLUMNS,
    "lines": LINE_COLUMNS,
    "metrics": METRIC_COLUMNS,
    "phases": PHASE_COLUMNS,
}
"""Columns of the tables that grow as a run goes."""
OUTCOME = ("summary.json", "stats.txt", "stats.parquet", "devices.parquet", "weights.npz", "statistics.yaml")
"""What is written at the end of a run."""


class RunFolder:
    """The folder of one run.

    Args:
        path: a folder that does not exist yet.
        config: resolved configuration, plain data.
        seed: seed of the run.
        config_hash: hash of the configuration.

    Raises:
        UsageError: the folder exists or cannot be made.
    """

    def __init__(self, path: Path, config: dict[str, Any], *, seed: int, config_hash: str) -> None:
        self.path = path
        check_new(path)
        try:
            path.mkdir(parents=True)
        except OSError as error:
            raise UsageError(f"cannot make the run folder {path}: {error.strerror}") from None
        self._metadata = {
            "hwsim.schema": str(SCHEMA_VERSION),
            "hwsim.version": version("hwsim"),
            "hwsim.seed": str(seed),
            "hwsim.config_hash": config_hash,
        }
        self._state: dict[str, Any] = {
            "schema": SCHEMA_VERSION,
            "state": "running",
            "hwsim": version("hwsim"),
            "python": platform.python_version(),
            "numpy": version("numpy"),
            "simpy": version("simpy"),
            "seed": seed,
            "config_hash": config_hash,
            "started": datetime.now(UTC).isoformat(timespec="seconds"),
            "host_seconds": {},
            "error": None,
        }
        self.write_yaml("config.yaml", config)
        self._write_state()
        self._tables: dict[str, TableWriter] = {}
        self._metrics: list[list[Any]] = []
        self._lock = _locked(path)

    @classmethod
    def reopen(cls, path: Path, info: Mapping[str, Any], tables: Mapping[str, Any]) -> RunFolder:
        """Go on with the folder of a run that has not ended; ``info`` is its ``run.json``.

        ``tables`` are those of :meth:`checkpoint`; what has been written since is cut away.

        Raises:
            UsageError: another process is at work in it.
            ValueError: a table is shorter than it was.
        """
        folder = cls.__new__(cls)
        folder.path = path
        folder._lock = _locked(path)
        folder._metadata = {}
        folder._tables = {}
        folder._metrics = [list(row) for row in tables.get("metrics", {}).get("rows", [])]
        for name, table in tables.items():
            folder._metadata = dict(table["metadata"])
            folder.table(name, ALL_COLUMNS[name], footer=table["footer"].tobytes()).take_up(table["waiting"])
        for name in OUTCOME:
            (path / name).unlink(missing_ok=True)
        folder._state = {**info, "state": "running", "error": None}
        folder._state["resumed"] = [*info.get("resumed", []), datetime.now(UTC).isoformat(timespec="seconds")]
        folder._write_state()
        return folder

    def checkpoint(self) -> dict[str, Any]:
        """Return where every table is, as plain data, once what is in the folder has reached the disk."""
        for name in ("config.yaml", "tables.yaml", "run.json"):
            with (self.path / name).open("rb") as stream:
                os.fsync(stream.fileno())
        found = {name: {**table.checkpoint(), "metadata": self._metadata} for name, table in self._tables.items()}
        if "metrics" in found:
            found["metrics"]["rows"] = [list(row) for row in self._metrics]
        return found

    def table(
        self,
        name: str,
        columns: Columns,
        metadata: Mapping[str, str] | None = None,
        footer: bytes | None = None,
    ) -> TableWriter:
        """Return the writer of a table that grows as the run goes; ``metadata`` is added to that of every table.

        ``footer``: that of a file to go on with, see :class:`~hwsim.run.table.TableWriter`.
        """
        if name not in self._tables:
            self._tables[name] = TableWriter(
                self.path / f"{name}.parquet",
                columns,
                self._metadata | dict(metadata or {}),
                coding=CODINGS.get(name),
                least=LEAST_ROWS.get(name, 8192),
                footer=footer,
            )
        return self._tables[name]

    def write_events(self, table: Table) -> None:
        """Append ledger rows to the event log."""
        self.table("events", COLUMNS).write(table.columns, table.names)

    def write_pulses(self, columns: dict[str, np.ndarray]) -> None:
        """Append pulses to the pulse log."""
        self.table("pulses", PULSE_COLUMNS).write(columns)

    def write_phases(self, columns: dict[str, np.ndarray], names: list[str]) -> None:
        """Append what the phases have cost so far."""
        self.table("phases", PHASE_COLUMNS).write(columns, names)

    def write_gauges(self, columns: dict[str, np.ndarray], names: list[str]) -> None:
        """Append changes of gauges."""
        self.table("gauges", GAUGE_COLUMNS).write(columns, names)

    def write_lines(self, columns: dict[str, np.ndarray], names: list[str]) -> None:
        """Append firings of lines."""
        self.table("lines", LINE_COLUMNS).write(columns, names)

    def write_metrics(self, row: Mapping[str, Any]) -> None:
        """Append the metrics of a step."""
        table = self.table("metrics", METRIC_COLUMNS)
        self._metrics.append([row[name] for name in METRIC_COLUMNS])
        if len(self._metrics) == METRIC_ROWS:
            self._pass_on_metrics(table)

    def _pass_on_metrics(self, table: TableWriter) -> None:
        if self._metrics:
            columns = zip(METRIC_COLUMNS, zip(*self._metrics, strict=True), strict=True)
            table.write({name: np.array(values) for name, values in columns})
            self._metrics = []

    def write_line_reads(self, columns: Mapping[str, np.ndarray]) -> None:
        """Append reads of single lines to their log."""
        self.table("line_reads", LINE_READ_COLUMNS).write(columns)

    def write_yaml(self, name: str, data: Any) -> None:
        """Write a YAML file."""
        self._replace(name, yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120))

    def write_json(self, name: str, data: Any) -> None:
        """Write a JSON file; NaN is refused."""
        self._replace(name, json.dumps(data, indent=2, allow_nan=False) + "\n")

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        self._replace(name, text)

    def _replace(self, name: str, text: str) -> None:
        # Written beside and moved over, so that a reader never sees half a file.
        part = self.path / f".{name}.part"
        part.write_text(text, encoding="utf-8")
        os.replace(part, self.path / name)

    def write_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Write ``weights.npz``."""
        np.savez(self.path / "weights.npz", **weights)  # type: ignore[arg-type]

    def write_table(self, name: str, columns: Mapping[str, tuple[str, str, str]], data: Mapping[str, Any]) -> None:
        """Write a whole table."""
        self.table(name, columns).write({key: np.asarray(value) for key, value in data.items()})

    def close(self, *, host_seconds: Mapping[str, float], error: str | None = None, interrupted: bool = False) -> None:
        """Close every table and write the final state: complete, or failed or ``interrupted`` with ``error``.

        Raises:
            RunError: a table could not be written, and there was no error before.
        """
        unwritten = None
        for name, table in self._tables.items():
            try:
                if name == "metrics":
                    self._pass_on_metrics(table)
                table.close()
            except OSError as problem:
                unwritten = unwritten or f"cannot write {self.path / name}.parquet: {problem.strerror or problem}"
        reason = error or unwritten
        state = "interrupted" if interrupted else "failed" if reason else "complete"
        self._state |= {"state": state, "host_seconds": dict(host_seconds), "error": reason}
        try:
            self._write_state()
        finally:
            if self._lock >= 0:
                os.close(self._lock)
                self._lock = -1
        if unwritten and not error:
            raise RunError(f"the run failed: {unwritten}; its folder is {self.path}")

    def _write_state(self) -> None:
        self.write_json("run.json", self._state)


def _locked(path: Path) -> int:
    """Hold a folder for this process; returns the handle that holds it.

    Raises:
        UsageError: another process holds it.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(f"another process is at work in {path}: wait for its end, or end it") from None
    except OSError:
        pass  # A file system without locks: nobody can tell.
    return handle


def check_new(path: Path) -> None:
    """Refuse a folder that exists.

    Raises:
        UsageError: the path exists.
    """
    if path.exists() or path.is_symlink():
        raise UsageError(f"{path} exists already; choose another --out, nothing is overwritten")


def free_path(base: Path, stem: str) -> Path:
    """Return ``base/stem-NNN`` with the lowest number from 001 on that does not exist."""
    number = 1
    while (path := base / f"{stem}-{number:03d}").exists():
        number += 1
    return path
