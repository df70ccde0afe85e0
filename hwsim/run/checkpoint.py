"""The checkpoint of a run: one file that is whole or not there, and that holds numbers and text only.

Form: a line ``hwsim-checkpoint`` with a JSON object (schema version, hash of the configuration, length and SHA-256 of
the rest), then the bytes of an ``.npz``: the array ``state`` is JSON text in UTF-8, in which ``{"$array": n}`` stands
for the array ``an``. Nothing of it is executed: arrays of objects are refused, and the checksum is compared before
anything is parsed.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.errors import DataError, RunError
from hwsim.foreign import json_value

CHECKPOINT_FILE = "checkpoint.hwsim"
PART = f".{CHECKPOINT_FILE}.part"
SCHEMA_VERSION = 1
MAGIC = b"hwsim-checkpoint "
LONGEST_HEADER = 4096
REFERENCE = "$array"


def write_checkpoint(folder: Path, state: Mapping[str, Any], *, config_hash: str) -> None:
    """Write a checkpoint beside the last one and put it in its place when it has reached the disk.

    Raises:
        RunError: it cannot be written; the last one is as it was.
    """
    arrays: list[np.ndarray] = []
    text = json.dumps(_encoded(state, arrays))
    content = {"state": np.frombuffer(text.encode(), np.uint8)} | {f"a{n}": array for n, array in enumerate(arrays)}
    body = io.BytesIO()
    np.savez(body, **content)
    data = body.getbuffer()
    header = {
        "schema": SCHEMA_VERSION,
        "config_hash": config_hash,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    part = folder / PART
    try:
        with part.open("wb") as stream:
            stream.write(MAGIC + json.dumps(header).encode() + b"\n")
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, folder / CHECKPOINT_FILE)
        _sync_folder(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise RunError(f"cannot write the checkpoint {folder / CHECKPOINT_FILE}: {error.strerror or error}") from error


def read_checkpoint(folder: Path, *, config_hash: str) -> dict[str, Any]:
    """Return the state in the checkpoint of a run folder.

    Raises:
        DataError: there is none, it is damaged or of another schema or configuration.
    """
    path = folder / CHECKPOINT_FILE
    try:
        with path.open("rb") as stream:
            line = stream.readline(LONGEST_HEADER)
            header = _header(path, line)
            data = stream.read(header["bytes"] + 1)
    except FileNotFoundError:
        raise DataError(
            f"{folder} holds no {CHECKPOINT_FILE}: the run ended before its first checkpoint (hwsim run --checkpoint "
            "EVERY takes them); start it anew"
        ) from None
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from None
    if len(data) != header["bytes"] or hashlib.sha256(data).hexdigest() != header["sha256"]:
        raise DataError(f"{path} is damaged: its checksum is not that of its content; start the run anew")
    if header["config_hash"] != config_hash:
        raise DataError(
            f"{path} is of another configuration ({header['config_hash']}) than {folder / 'config.yaml'} "
            f"({config_hash}): put the files of one run back together"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            if sum(member.file_size for member in packed.infolist()) > len(data):
                raise ValueError("its arrays are compressed")  # A small file could fill the memory.
        with np.load(io.BytesIO(data), allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
        return _decoded(json.loads(arrays["state"].tobytes()), arrays)
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, RecursionError) as error:
        raise DataError(f"{path} cannot be read as a checkpoint: {error}") from None


def remove_checkpoint(folder: Path) -> None:
    """Take a checkpoint away that nobody needs any more."""
    (folder / CHECKPOINT_FILE).unlink(missing_ok=True)
    (folder / PART).unlink(missing_ok=True)


def _header(path: Path, line: bytes) -> dict[str, Any]:
    header: Any
    try:
        header = json_value(line[len(MAGIC) :]) if line.startswith(MAGIC) else {}
    except ValueError:
        header = {}
    complete = isinstance(header, dict) and {"schema", "config_hash", "bytes", "sha256"} <= set(header)
    if not complete or not isinstance(header["bytes"], int) or header["bytes"] < 0:
        raise DataError(f"{path} is no checkpoint of hwsim, or its first line is damaged; start the run anew")
    if header["schema"] != SCHEMA_VERSION:
        raise DataError(
            f"{path} has schema version {header['schema']!r}, and this hwsim reads {SCHEMA_VERSION}: "
            "resume the run with the version that began it (run.json)"
        )
    return header


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _encoded(value: Any, arrays: list[np.ndarray]) -> Any:
    """Return a value as JSON data, its arrays put into ``arrays``."""
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return {REFERENCE: len(arrays) - 1}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {_key(key): _encoded(part, arrays) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_encoded(part, arrays) for part in value]
    return value


def _key(key: Any) -> str:
    # A layer may be called like a reference.
    return f"${key}" if str(key).startswith("$") else str(key)


def _decoded(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_decoded(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    if set(value) == {REFERENCE}:
        return arrays[f"a{int(value[REFERENCE])}"]
    return {key[1:] if key.startswith("$") else key: _decoded(part, arrays) for key, part in value.items()}
