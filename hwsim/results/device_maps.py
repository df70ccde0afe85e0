"""The maps of a page: weights, pulses and saturation of every device of every array."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.errors import UsageError
from hwsim.results import folder
from hwsim.results.embed import packed

if TYPE_CHECKING:
    import pandas as pd

    from hwsim.results.record import Record

MOST_DEVICES = 700_000
"""More devices than this are not put into a page; whole tiles are left out, and the page names them."""
MOST_EXACT = 120_000
"""Up to so many devices a page has every weight in full and the bounds of each; of more, weights in ``LEVELS``."""
NEAR_BOUND = 0.02
"""A device counts as saturated within this part of its range from one of its bounds."""
LEVELS, NONE = 65534, 65535
"""Levels that a weight has in a large page, and the number that stands for no device."""

PLACE = ["tile", "array", "device"]
SPARSEST = 1000
"""Places of an array for each device that it has, at most: layers that share a tile leave places empty."""
BOUNDS = ["w_low", "w_high"]
NUMBERS = ["w_start", "w_end", "pulses_up", "pulses_down"]


def device_maps(run: Record, tiles: list[int] | None = None) -> dict[str, Any] | None:
    """Return the maps of a run's arrays as plain data; None if the run kept no devices.

    ``tiles`` are those to show; None: all, from the first on, up to ``MOST_DEVICES``.

    Raises:
        ResultsError: ``devices.parquet`` is damaged.
        UsageError: a tile that holds no device.
    """
    if not (run.path / "devices.parquet").is_file():
        return None
    devices = folder.read_parquet(run.path / "devices.parquet")
    if not _whole(devices):
        raise folder.damaged(run.path / "devices.parquet")
    there = sorted(int(tile) for tile in devices["tile"].unique())
    for tile in tiles or []:
        if tile not in there:
            raise UsageError(f"tile {tile} holds no devices; those with devices are {', '.join(map(str, there))}")
    shown, left_out = _fitting(devices, tiles)
    exact = sum(len(part) for _, part in shown) <= MOST_EXACT
    conductance = run.summary.get("conductance")
    return {
        "arrays": [_array(key, part, exact=exact) for key, part in shown],
        "left_out": left_out,
        "devices": len(devices),
        "conductance": [conductance["at_zero_S"], conductance["per_weight_S"]] if conductance else None,
        "near_bound": NEAR_BOUND,
    }


def _whole(devices: pd.DataFrame) -> bool:
    """Return whether there are places and numbers that a map can be made of."""
    if not {*PLACE, "row", "col", *NUMBERS, *BOUNDS} <= set(devices) or not len(devices):
        return False
    with np.errstate(invalid="ignore"):  # a damaged number may be a NaN that signals
        numbers, bounds = (devices[names].to_numpy(np.float64) for names in (NUMBERS, BOUNDS))
    if not np.isfinite(numbers).all() or np.isnan(bounds).any() or devices[["row", "col"]].lt(0).any(axis=None):
        return False
    arrays = devices.groupby(PLACE, observed=True).agg(rows=("row", "max"), cols=("col", "max"), n=("row", "size"))
    return bool(((arrays["rows"] + 1.0) * (arrays["cols"] + 1.0) <= SPARSEST * arrays["n"]).all())


def _fitting(
    devices: pd.DataFrame, tiles: list[int] | None
) -> tuple[list[tuple[tuple[int, ...], pd.DataFrame]], list[int]]:
    """Return the devices by tile, array and device of the cell, and the tiles that do not fit into a page."""
    there, sizes = np.unique(devices["tile"].to_numpy(), return_counts=True)
    chosen: list[int] = []
    total = 0
    for tile, size in zip(there.tolist(), sizes.tolist(), strict=True):
        wanted = tiles is None or tile in tiles
        # The first tile is shown whatever its size: a page without any would show nothing.
        if wanted and (not chosen or total + size <= MOST_DEVICES):
            chosen.append(tile)
            total += size
    kept = devices[devices["tile"].isin(chosen)]
    groups = [(tuple(np.array(key).tolist()), part) for key, part in kept.groupby(PLACE, observed=True)]
    return groups, [tile for tile in there.tolist() if tile not in chosen]


def _array(key: tuple[int, ...], part: pd.DataFrame, *, exact: bool) -> dict[str, Any]:
    rows, cols = part["row"].to_numpy(), part["col"].to_numpy()
    shape = int(rows.max()) + 1, int(cols.max()) + 1
    place = rows * shape[1] + cols
    weights = {name: part[f"w_{name}"].to_numpy() for name in ("start", "end", "low", "high")}
    counts = {name: part[f"pulses_{name}"].to_numpy() for name in ("up", "down")}

    def laid_out(values: np.ndarray, nothing: float, dtype: Any) -> dict[str, Any]:
        grid = np.full(shape[0] * shape[1], nothing, dtype)
        grid[place] = values
        return packed(grid)

    position = _position(weights["end"], weights["low"], weights["high"])
    grids = {name: laid_out(values, 0, _smallest(values)) for name, values in counts.items()}
    grids["position"] = laid_out(np.rint(254 * np.nan_to_num(position, nan=0.5)), 255, np.uint8)
    scale = None
    if exact:
        grids |= {name: laid_out(values, np.nan, np.float32) for name, values in weights.items()}
    else:
        scale = _scale(weights["start"], weights["end"])
        for name in ("start", "end"):
            numbers = np.rint((weights[name].astype(np.float64) - scale[0]) / scale[1])
            grids[name] = laid_out(numbers, NONE, np.uint16)
    return {
        **dict(zip(PLACE, key, strict=True)),
        "shape": shape,
        "layers": _layers(part),
        "scale": scale,
        "at_low": int((position <= NEAR_BOUND).sum()),
        "at_high": int((position >= 1 - NEAR_BOUND).sum()),
        "n": len(part),
        "pulses": int(sum(int(values.sum()) for values in counts.values())),
        "unpulsed": int((counts["up"] + counts["down"] == 0).sum()),
        "grids": grids,
    }


def _scale(*values: np.ndarray) -> list[float]:
    """Return low and step so that low + number * step holds all values with numbers up to ``LEVELS``, 0 among them."""
    low, high = min(0.0, *(float(each.min()) for each in values)), max(0.0, *(float(each.max()) for each in values))
    step = (high - low) / (LEVELS - 2) or 1.0
    return [-float(np.ceil(-low / step)) * step, step]


def _position(weight: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return where a weight is between its bounds, 0 to 1; NaN for a device that cannot move."""
    span = high.astype(np.float64) - low
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(span > 0, np.clip((weight - low) / span, 0, 1), np.nan)


def _smallest(values: np.ndarray) -> Any:
    return np.uint16 if not len(values) or values.max() < 2**16 else np.uint32


def _layers(part: pd.DataFrame) -> list[dict[str, Any]]:
    found = []
    for name, cells in part.groupby("layer", observed=True, sort=False):
        rows, cols = cells["row"], cells["col"]
        found.append({"name": str(name), "rows": [int(rows.min()), int(rows.max())],
                      "cols": [int(cols.min()), int(cols.max())]})  # fmt: skip
    return found
