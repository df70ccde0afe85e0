"""Reads the files of a run folder and says clearly what is wrong with one that cannot be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.errors import ResultsError
from hwsim.foreign import json_value, strange_entry, too_large, yaml_node
from hwsim.results.unfinished import ends_in_footer, whole_part

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

SCHEMA = 1
"""Version of the run folder that this release reads."""

SUMMARY_KEYS = (
    "latency_s", "energy_J", "samples", "steps", "energy_by_component", "energy_by_phase", "energy_by_layer",
    "latency_by_phase", "utilization_by_component", "area_m2", "counts", "metrics",
)  # fmt: skip
"""What every ``summary.json`` holds."""


def read_info(folder: Path) -> dict[str, Any]:
    """Return ``run.json`` of a run folder.

    Raises:
        ResultsError: the folder is missing, is no run folder, was written in another schema version, or has a link that
            leads out of it.
    """
    if not folder.exists():
        raise ResultsError(f"no such run folder: {folder}{_neighbours(folder)}")
    if not folder.is_dir():
        raise ResultsError(f"{folder} is a file; a run is a folder that holds run.json")
    check_entries(folder)
    if not (folder / "run.json").is_file():
        raise ResultsError(f"{folder} is not a run folder: it holds no run.json")
    info = read_json(folder / "run.json")
    if "schema" not in info or info.get("state") not in ("running", "complete", "failed", "interrupted"):
        raise ResultsError(f"{folder / 'run.json'} was not written by hwsim: it names no schema and state of a run")
    if info["schema"] != SCHEMA:
        writer = f" (written by hwsim {info['hwsim']})" if info.get("hwsim") else ""
        raise ResultsError(f"{folder} has schema version {info['schema']!r}{writer}; this hwsim reads version {SCHEMA}")
    return info


def check_entries(folder: Path) -> None:
    """Refuse a folder that reaches outside of itself.

    Raises:
        ResultsError: it holds a link that leads out of it, or what is neither a file nor a folder.
    """
    try:
        wrong = strange_entry(folder)
    except (OSError, RuntimeError) as error:  # a link that leads to itself is a RuntimeError
        raise ResultsError(f"cannot read the folder {folder}: {error}") from None
    if wrong is not None:
        raise ResultsError(wrong)


def _neighbours(folder: Path) -> str:
    parent = folder.parent
    try:
        known = sorted(path.parent.name for path in parent.glob("*/run.json"))
    except OSError:
        return ""
    return f" (runs in {parent}: {', '.join(known[-8:])})" if known else ""


def read_summary(folder: Path) -> dict[str, Any]:
    """Return ``summary.json`` of a run folder.

    Raises:
        ResultsError: it is missing, unreadable or lacks a key of ``SUMMARY_KEYS``.
    """
    path = folder / "summary.json"
    summary = read_json(path)
    missing = [key for key in SUMMARY_KEYS if key not in summary]
    if missing:
        raise ResultsError(f"{path} is incomplete: it lacks {', '.join(missing)}")
    return summary


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises:
        ResultsError: the file is missing, unreadable, no JSON or no object.
    """
    try:
        value = json_value(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unreadable(path, error) from None
    except ValueError:  # also UnicodeDecodeError
        raise ResultsError(f"{path} is damaged: it is not valid JSON") from None
    if not isinstance(value, dict):
        raise ResultsError(f"{path} does not hold a JSON object")
    return value


def read_entries(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a YAML file, each a mapping.

    Raises:
        ResultsError: as :func:`read_yaml`, or an entry is something else.
    """
    entries: list[dict[str, Any]] = read_yaml(path, list)
    if not all(isinstance(entry, dict) for entry in entries):
        raise ResultsError(f"{path} does not hold a list of entries with names")
    return entries


def read_yaml(path: Path, expected: type) -> Any:
    """Return the content of a YAML file, which must be of the type ``expected``.

    Raises:
        ResultsError: the file is missing, unreadable, no YAML or of another type.
    """
    import yaml

    try:
        with path.open(encoding="utf-8") as stream:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(stream)
            node = yaml_node(loader)
            value = loader.construct_document(node) if node is not None else None
    except OSError as error:
        raise _unreadable(path, error) from None
    except (yaml.YAMLError, ValueError):
        raise ResultsError(f"{path} is damaged: it is not valid YAML") from None
    if not isinstance(value, expected):
        raise ResultsError(f"{path} does not hold a {expected.__name__}")
    return value


def read_parquet(path: Path, needed: Sequence[str] = ()) -> pd.DataFrame:
    """Return a whole Parquet file, which must have the ``needed`` columns.

    Raises:
        ResultsError: the file is missing, damaged (such as the log of a run that was killed), too large, or another
            table.
    """
    with parquet(path) as file:
        if reason := too_large(file):
            raise ResultsError(f"{path} is not read: {reason}")
        table: pd.DataFrame = file.read().to_pandas(use_threads=False)
    missing = [name for name in needed if name not in table]
    if missing:
        raise ResultsError(f"{path} is no {path.stem} of hwsim: it has no column {', '.join(missing)}")
    return table


def read_batches(path: Path, columns: Sequence[str], names: Sequence[str] = ()) -> Iterator[Any]:
    """Yield the Arrow record batches of some columns of a Parquet file, in order, one block in memory at a time.

    ``names`` are the columns of texts that come as dictionaries.

    Raises:
        ResultsError: the file is missing or damaged.
    """
    with parquet(path, names) as file:
        yield from file.iter_batches(columns=list(columns))


@contextmanager
def parquet(path: Path, names: Sequence[str] = ()) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file, or the whole part of one that was left amid a flush; ``names`` as in :func:`read_batches`.

    It is opened by its path, never as a Python stream.
    Arrow's threads may be the last to drop a stream, after the call has returned. Where the interpreter ends in that
    moment, it stops such a thread amid a destructor, and C++ aborts the process ("terminate called without an active
    exception"). So no thread of Arrow or DuckDB is given an object of Python, here and elsewhere.

    Raises:
        ResultsError: the file is missing or damaged.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        path.open("rb").close()  # says why a file cannot be opened more clearly than Arrow does
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        source: Any = path
        if not ends_in_footer(path):
            if (buffer := whole_part(path)) is None:
                raise damaged(path)
            source = pa.BufferReader(buffer)
        with pq.ParquetFile(source, read_dictionary=list(names)) as file:
            yield file
    except (pa.ArrowException, OSError, UnicodeDecodeError):  # damaged pages are an OSError
        raise damaged(path) from None


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Return the arrays of an ``.npz`` file by name.

    Raises:
        ResultsError: the file is missing or damaged.
    """
    import zlib
    from zipfile import BadZipFile

    import numpy as np

    try:
        with path.open("rb") as stream:
            try:
                with np.load(stream, allow_pickle=False) as archive:
                    return {name: archive[name] for name in archive.files}
            except (OSError, ValueError, BadZipFile, EOFError, AttributeError, zlib.error):
                raise damaged(path) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> ResultsError:
    if isinstance(error, FileNotFoundError):
        return ResultsError(f"the run folder {path.parent} holds no {path.name}")
    return ResultsError(f"cannot read {path}: {error.strerror or error}")


def damaged(path: Path) -> ResultsError:
    """Return the error for a file that ends too early or holds rubbish."""
    return ResultsError(f"{path} is damaged or was not finished (the run may have been killed while it wrote it)")
