"""Reader of IDX files, the format of MNIST: magic number, big-endian sizes, raw values (Y. LeCun's MNIST page)."""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import DataError
from hwsim.training.data.dataset import Samples

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}

_FOLDERS = {"mnist": ("mnist", "MNIST/raw"), "fashion-mnist": ("fashion-mnist", "fashion", "FashionMNIST/raw")}
# The two sets have the same file names and sizes; only their contents tell them apart.
_FIRST_LABELS = {"mnist": (5, 0, 4, 1, 9, 2, 1, 3, 1, 4), "fashion-mnist": (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)}
_IMAGE_SIDE = 28
_N_CLASSES = 10


def read_idx(path: Path) -> NDArray[Any]:
    """Read an IDX file, gzipped if its name ends with ``.gz``, as an array in native byte order.

    Raises:
        DataError: the file cannot be read, is no IDX file, or is shorter or longer than its header says.
    """
    content = _content(path)
    if len(content) < 4 or content[:2] != b"\0\0":
        raise DataError(f"{path}: not an IDX file (it must start with two zero bytes)")
    code, n_dimensions = content[2], content[3]
    if code not in _TYPES or n_dimensions == 0:
        raise DataError(f"{path}: not an IDX file (unknown type 0x{code:02x} with {n_dimensions} dimensions)")
    header = 4 + 4 * n_dimensions
    if len(content) < header:
        raise DataError(f"{path}: truncated in its header ({len(content)} of {header} bytes)")
    shape = struct.unpack(f">{n_dimensions}I", content[4:header])
    dtype = np.dtype(_TYPES[code])
    expected = header + math.prod(shape) * dtype.itemsize
    if len(content) != expected:
        what = "truncated" if len(content) < expected else "too long"
        size = " x ".join(map(str, shape))
        raise DataError(f"{path}: {what}; its header says {size} values, {expected} bytes, but it has {len(content)}")
    return np.frombuffer(content, dtype, offset=header).reshape(shape).astype(dtype.newbyteorder("="))


def _content(path: Path) -> bytes:
    try:
        if path.suffix == ".gz":
            with gzip.open(path) as stream:
                return stream.read()
        return path.read_bytes()
    except gzip.BadGzipFile:
        raise DataError(f"{path}: not a gzip file, or damaged") from None
    except (EOFError, zlib.error):
        raise DataError(f"{path}: the gzip file is truncated or damaged") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror}") from None


def read_images(name: str, data_dir: Path | None) -> tuple[Samples, Samples]:
    """Read the training and test images (n, 28, 28) and labels (n,) of ``mnist`` or ``fashion-mnist``.

    Raises:
        DataError: no folder was given, a file is missing or damaged, or the files do not belong together.
    """
    if data_dir is None:
        raise DataError(
            f"{name} needs its IDX files: give their folder with --data DIR (in Python data=DIR) or in $HWSIM_DATA"
        )
    if not data_dir.is_dir():
        raise DataError(f"no such data folder: {data_dir}")
    train, test = (_read_pair(name, data_dir, part) for part in ("train", "t10k"))
    for other, labels in _FIRST_LABELS.items():
        if other != name and tuple(train.y[: len(labels)]) == labels:
            raise DataError(f"the files in {data_dir} hold {other}, not {name}; put {name} in {data_dir / name}")
    return train, test


def _read_pair(name: str, data_dir: Path, part: str) -> Samples:
    images_file = _find(name, data_dir, f"{part}-images", 3)
    labels_file = _find(name, data_dir, f"{part}-labels", 1)
    images, labels = read_idx(images_file), read_idx(labels_file)
    if images.shape[1:] != (_IMAGE_SIDE, _IMAGE_SIDE) or images.dtype != np.uint8:
        raise DataError(f"{images_file}: expected uint8 images of 28 x 28, got {images.dtype} {images.shape}")
    if labels.ndim != 1 or labels.dtype != np.uint8:
        raise DataError(f"{labels_file}: expected one uint8 label for each image, got {labels.dtype} {labels.shape}")
    if len(images) != len(labels):
        raise DataError(f"{labels_file}: {len(labels)} labels, but {images_file.name} has {len(images)} images")
    if not len(labels):
        raise DataError(f"{labels_file}: holds no samples")
    if labels.max() >= _N_CLASSES:
        raise DataError(f"{labels_file}: label {labels.max()} is outside of 0..9")
    return Samples(images, labels.astype(np.int64))


def _find(name: str, data_dir: Path, stem: str, n_dimensions: int) -> Path:
    files = [f"{stem}{separator}idx{n_dimensions}-ubyte{end}" for end in ("", ".gz") for separator in "-."]
    for folder in (*(data_dir / folder for folder in _FOLDERS[name]), data_dir):
        for file in files:
            if (folder / file).is_file():
                return folder / file
    raise DataError(f"{name}: no {files[0]}[.gz] in {data_dir} or {data_dir / name}")
