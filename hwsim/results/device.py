"""The life of one device: every pulse, reset and read, with its time, its cause, the conductance and the energy.

Pulses and resets are rows of the pulse log. The operation and the layer that caused one are those of the array's write
or reset in the event log during which it fell. Reads are those of the device's array, and of reads of a single line
those of the device's own row or column. A weight w stands for the conductance g_min + (w - w_min) (g_max - g_min) /
(w_max - w_min) of the cell, as in the simulator's energies; between two pulses it is taken as constant, also where the
device ages (the next pulse shows what it has become).

Energy: of a pulse or reset what it dissipates in the device itself, t V^2 g at the conductance before it, or what it
charges in a cell that is written so (``hwsim.components.crossbar``); of a read the array's energy divided by the
devices that were read, because the log does not keep the inputs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.errors import ResultsError, UsageError, unknown
from hwsim.foreign import json_value
from hwsim.results import queries
from hwsim.results.queries import Rows, Time
from hwsim.units import parse_quantity

if TYPE_CHECKING:
    import pandas as pd

KINDS = ("pulse", "reset", "read")
"""What can happen to a device."""


@dataclass(frozen=True)
class Place:
    """A device: tile, row and column; ``array`` None stands for the devices of every array there."""

    tile: int
    row: int
    col: int
    array: int | None = None


@dataclass(frozen=True)
class CellModel:
    """Conductance and pulse energy of a device: ``g = offset + scale w`` (S), and ``fixed + by_g g`` (J)."""

    offset: float
    scale: float
    fixed: float
    by_g: float

    @classmethod
    def of(cls, device: Mapping[str, Any], folder: Path) -> CellModel:
        """Make the model of the device in the configuration of the run in ``folder``.

        Raises:
            ResultsError: the configuration does not describe its cell.
        """
        try:
            cell, parameters = device["cell"], device["parameters"]

            def value(name: str, unit: str) -> float:
                return parse_quantity(cell[name], unit)

            g_min, g_max = value("g_min", "S"), value("g_max", "S")
            scale = (g_max - g_min) / (float(parameters["w_max"]) - float(parameters["w_min"]))
            voltage, width = value("write_voltage", "V"), value("pulse_width", "s")
            if cell["write"] == "resistive":
                fixed, by_g = 0.0, width * voltage**2
            else:
                by_g = 0.0
                fixed = value("write_current", "A") * voltage * width + value("switching_charge", "C") * voltage
                fixed += value("gate_capacitance", "F") * voltage**2
            return cls(g_min - float(parameters["w_min"]) * scale, scale, fixed, by_g)
        except (KeyError, TypeError, ValueError, ZeroDivisionError) as error:
            raise ResultsError(f"{folder / 'config.yaml'} does not describe the cell of the device ({error})") from None


@contextmanager
def life(
    folder: Path,
    config: Mapping[str, Any],
    place: Place,
    *,
    start: Time | None = None,
    end: Time | None = None,
    only: str | None = None,
) -> Iterator[Rows]:
    """Give the life of a device in order of time; the rows are read while the context is open.

    ``start`` and ``end`` choose rows with start <= t_ps < end; ``only`` one of ``KINDS``.

    Raises:
        UsageError: no such tile, row, column or array, or the run did not log it; a time is wrong.
        ResultsError: the run kept no pulse log, or a log is damaged.
    """
    if only is not None and only not in KINDS:
        raise UsageError(unknown("kind", only, KINDS))
    window = queries.window(start, end) + ([f"kind = '{only}'"] if only is not None else [])
    for table in ("pulses", "events"):
        queries.check_there(folder, table)
    cell = CellModel.of(config.get("device") or {}, folder)
    probed = _check(place, probed_regions(folder))
    with queries.answer(folder, _sql(place, cell, probed, " AND ".join(window) or "true", folder)) as rows:
        yield rows


def frame(folder: Path, config: Mapping[str, Any], place: Place, **choice: Any) -> pd.DataFrame:
    """Return the life of a device as one table; arguments as :func:`life`."""
    import pandas as pd

    with life(folder, config, place, **choice) as answer:
        return pd.DataFrame(answer.rows, columns=list(answer.columns))


def probed_regions(folder: Path) -> dict[int, dict[str, Any]]:
    """Return what the run logged of each tile: ``rows`` and ``cols`` (half-open), ``shape``, ``arrays``, ``devices``.

    Raises:
        ResultsError: the run kept no pulse log, or it is damaged or does not say.
    """
    try:
        regions = json_value(queries.metadata(folder, "pulses")["hwsim.probes"])
        return {int(tile): _region(region) for tile, region in regions.items()}
    except (KeyError, ValueError, TypeError, AttributeError):
        raise ResultsError(f"{folder / 'pulses.parquet'} does not say which regions were probed") from None


def _region(region: Mapping[str, Any]) -> dict[str, Any]:
    pairs = {name: [int(number) for number in region[name]] for name in ("rows", "cols", "shape")}
    if any(len(pair) != 2 for pair in pairs.values()):
        raise ValueError("a region has two sides and each of them two ends")
    return pairs | {name: int(region[name]) for name in ("arrays", "devices")}


def _check(place: Place, probes: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """Return the probed region of the tile.

    Raises:
        UsageError: the device does not exist or was not probed.
    """
    region = probes.get(place.tile)
    if region is None:
        known = ", ".join(map(str, sorted(probes))) or "none"
        raise UsageError(f"tile {place.tile} was not probed; the run logged the pulses of these tiles: {known}")
    for index, (name, key) in enumerate((("row", "rows"), ("col", "cols"))):
        number, length, (first, last) = getattr(place, name), region["shape"][index], region[key]
        word = {"row": "row", "col": "column"}[name]
        if not 0 <= number < length:
            raise UsageError(f"{word} {number} does not exist; tile {place.tile} uses {word}s 0 to {length - 1}")
        if not first <= number < last:
            raise UsageError(
                f"{word} {number} of tile {place.tile} was not probed; the run logged {word}s {first} to {last - 1}"
            )
    if place.array is not None and not 0 <= place.array < region["arrays"]:
        raise UsageError(
            f"array {place.array} does not exist; tile {place.tile} uses arrays 0 to {region['arrays'] - 1}"
        )
    return region


def _sql(place: Place, cell: CellModel, region: Mapping[str, Any], window: str, folder: Path) -> str:
    rows, cols = region["shape"]
    devices = region["devices"]
    array = "" if place.array is None else f'AND "array" = {place.array}'
    lines = f'SELECT t_ps, "array", device, axis, line FROM line_reads WHERE tile = {place.tile}'
    if not (folder / "line_reads.parquet").is_file():
        lines = 'SELECT 0 AS t_ps, 0 AS "array", 0 AS device, 0 AS axis, 0 AS line WHERE false'
    return f"""
        WITH actions AS MATERIALIZED (
            SELECT t_ps, dur_ps, action, operation, layer, step, sample, "array", count, energy_J FROM events
            WHERE component = 'tile{place.tile}.crossbar' AND action IN ('read', 'write', 'reset') {array}
        ), own AS MATERIALIZED (
            SELECT t_ps, step, sample, "array", device, polarity, w - dw AS w_before, w AS w_after FROM pulses
            WHERE tile = {place.tile} AND row = {place.row} AND col = {place.col} {array}
        ), pulsed AS (
            SELECT own.t_ps, if(polarity = 0, 'reset', 'pulse') AS kind,
                   if(own.t_ps < cause.t_ps + cause.dur_ps, cause.operation, NULL) AS operation,
                   if(own.t_ps < cause.t_ps + cause.dur_ps, cause.layer, NULL) AS layer,
                   own.step, own.sample, own."array", device, 1 AS count, polarity, w_before, w_after
            FROM own ASOF LEFT JOIN (FROM actions WHERE action <> 'read') AS cause
                ON own."array" = cause."array" AND own.t_ps >= cause.t_ps
        ), lines AS ({lines}
        ), reads AS (
            SELECT actions.t_ps, operation, layer, step, sample, actions."array", number::SMALLINT AS device, count,
                   energy_J / if(line IS NULL, {rows * cols * devices},
                                 if(axis = 0, {rows}, {cols}) * if(lines.device < 0, {devices}, 1)) AS energy_J
            FROM actions
            LEFT JOIN lines ON actions.t_ps = lines.t_ps AND actions."array" = lines."array"
            CROSS JOIN range({devices}) AS numbers(number)
            WHERE action = 'read'
              AND (line IS NULL OR (line = if(axis = 0, {place.col}, {place.row}) AND lines.device IN (-1, number)))
        ), earliest AS (
            SELECT "array", device, arg_min(w_before, t_ps) AS w FROM own GROUP BY ALL
        ), seen AS (
            SELECT reads.*, coalesce(own.w_after, earliest.w) AS w
            FROM reads
            ASOF LEFT JOIN own ON reads."array" = own."array" AND reads.device = own.device AND reads.t_ps >= own.t_ps
            LEFT JOIN earliest ON reads."array" = earliest."array" AND reads.device = earliest.device
        ), life AS (
            SELECT t_ps, kind, operation, layer, step, sample, "array", device, count, polarity, w_before, w_after,
                   {cell.fixed!r} + {cell.by_g!r} * greatest({cell.offset!r} + {cell.scale!r} * w_before, 0) AS energy_J
            FROM pulsed
            UNION ALL
            SELECT t_ps, 'read', operation, layer, step, sample, "array", device, count, NULL, w, w, energy_J FROM seen
        )
        SELECT t_ps, kind, operation, layer, step, sample, "array", device, count, polarity, w_before, w_after,
               {cell.offset!r} + {cell.scale!r} * w_before AS g_before_S,
               {cell.offset!r} + {cell.scale!r} * w_after AS g_after_S, energy_J
        FROM life WHERE {window} ORDER BY t_ps, "array", device"""
