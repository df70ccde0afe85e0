"""Rows of the logs as an export reads them: a window of time, one row group after the other, with the progress told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from math import inf
from typing import TYPE_CHECKING, Any, Literal

from hwsim.results import queries
from hwsim.results.device import probed_regions
from hwsim.results.export.window import Window
from hwsim.results.folder import damaged
from hwsim.results.logs import recovered
from hwsim.results.unfinished import ends_in_footer

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa
    import pyarrow.parquet as pq

STATIC = "static"
"""Phase of leakage, which is booked in one row a component at the end of a run, for the whole of it."""
BLOCK_ROWS = 4096

Leakage = Literal["with", "without", "only"]


@dataclass(frozen=True)
class Selection:
    """Rows of a log in a window, in the order of the log.

    ``reaching`` takes the rows that last into the window (``dur_ps``), otherwise those that start in it. ``tiles``
    None: all; ``lasting``: only rows with a duration; ``leakage``: of the event log, all but leakage, or nothing else.
    """

    table: str
    columns: tuple[str, ...]
    window: Window
    reaching: bool = False
    tiles: tuple[int, ...] | None = None
    lasting: bool = False
    leakage: Leakage = "without"

    @property
    def _by_phase(self) -> bool:
        return self.table == "events" and self.leakage != "with"

    @property
    def needed(self) -> list[str]:
        """The columns to read."""
        tests = {"t_ps", "dur_ps" if self.reaching or self.lasting else "t_ps"}
        tests |= {"tile"} if self.tiles is not None else set()
        tests |= {"phase"} if self._by_phase else set()
        return [*self.columns, *sorted(tests - set(self.columns))]

    def of(self, rows: pa.Table) -> pa.Table:
        """Return the chosen rows and columns of a part of the log."""
        import pyarrow.compute as pc

        start, tests = rows["t_ps"], []
        if self.window.start:
            late = pc.greater_equal(start, self.window.start)
            lasts = pc.greater(pc.add(start, rows["dur_ps"]), self.window.start) if self.reaching else late
            tests.append(pc.or_(late, lasts))
        if self.window.end is not None:
            tests.append(pc.less(start, self.window.end))
        if self.lasting:
            tests.append(pc.greater(rows["dur_ps"], 0))
        if self.tiles is not None:
            tests.append(pc.is_in(rows["tile"], value_set=_like(self.tiles, rows["tile"].type)))
        if self._by_phase:
            compare = pc.equal if self.leakage == "only" else pc.not_equal
            tests.append(compare(rows["phase"].cast("string"), STATIC))
        if tests:
            rows = rows.filter(reduce(pc.and_, tests))
        return rows.select(list(self.columns))

    def may_hold(self, group: Any, names: Sequence[str]) -> bool:
        """Return whether a row group may hold chosen rows, by its statistics."""
        bounds = {name: group.column(names.index(name)).statistics for name in ("t_ps", "dur_ps") if name in names}
        if any(found is None or not found.has_min_max for found in bounds.values()):
            return True
        last = self.latest(group, names) if self.reaching else bounds["t_ps"].max
        return last >= self.window.start and (self.window.end is None or bounds["t_ps"].min < self.window.end)

    @staticmethod
    def latest(group: Any, names: Sequence[str]) -> float:
        """Return a time (ps) until which all rows of a row group have ended."""
        bounds = [group.column(names.index(name)).statistics for name in ("t_ps", "dur_ps")]
        if any(found is None or not found.has_min_max for found in bounds):
            return inf
        return float(sum(found.max for found in bounds))


def _read(file: pq.ParquetFile | pa.Table, group: int, columns: list[str]) -> pa.Table:
    return file.read_row_group(group, columns=columns) if hasattr(file, "metadata") else file.select(columns)


def _undamaged(path: Path, read: Callable[[], Any]) -> Any:
    """Return what is read from a log.

    Raises:
        ResultsError: the log is damaged.
    """
    import pyarrow as pa

    try:
        return read()
    except (pa.ArrowException, OSError, UnicodeDecodeError, IndexError):
        raise damaged(path) from None


def _lists(rows: Any) -> list[list[Any]]:
    return [column.to_pylist() for column in rows.columns]


def _like(values: Sequence[int], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    return pa.array(values, kind)


class Reader:
    """Reads the logs of one run folder in the order of time, a row group at a time.

    ``progress`` hears of the rows that have been passed and of all that there are in ``selections``.
    """

    def __init__(self, folder: Path, selections: Sequence[Selection], progress: Callable[[int, int], None]) -> None:
        self._folder = folder
        self._progress = progress
        self._done = 0
        self._files: dict[str, pq.ParquetFile | pa.Table] = {}
        self._total = sum(rows for selection in selections for _, rows in self._groups(selection))

    def _file(self, table: str) -> pq.ParquetFile | pa.Table:
        """Return a log, as a table if its writer was killed in the moment in which its file has no end."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        if table not in self._files:
            queries.columns(self._folder, table)  # refuses a missing or damaged log by name
            path = self._folder / f"{table}.parquet"
            try:
                whole = ends_in_footer(path)
                self._files[table] = pq.ParquetFile(path) if whole else recovered(path).to_table()
            except (pa.ArrowException, OSError, UnicodeDecodeError):
                raise damaged(path) from None
        return self._files[table]

    def _groups(self, selection: Selection) -> Iterator[tuple[int, int]]:
        """Give number and rows of the row groups that may hold chosen rows."""
        file = self._file(selection.table)
        if not hasattr(file, "metadata"):
            yield 0, file.num_rows
            return
        names = file.schema_arrow.names
        for number in range(file.metadata.num_row_groups):
            group = file.metadata.row_group(number)
            if selection.may_hold(group, names):
                yield number, group.num_rows

    def rows(self, selection: Selection) -> Iterator[tuple[Any, ...]]:
        """Give the chosen rows.

        Raises:
            ResultsError: the log is damaged.
        """
        for number, n_rows in self._groups(selection):
            path = self._folder / f"{selection.table}.parquet"
            chosen = _undamaged(path, partial(self._chosen, selection, number))
            done = self._done
            for block in chosen.to_batches(max_chunksize=BLOCK_ROWS):
                yield from zip(*_undamaged(path, partial(_lists, block)), strict=True)
                done += n_rows * block.num_rows // chosen.num_rows
                self._progress(done, self._total)
            self._done += n_rows
            self._progress(self._done, self._total)

    def _chosen(self, selection: Selection, number: int) -> pa.Table:
        return selection.of(_read(self._file(selection.table), number, selection.needed))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Return every row of an answer, which is short."""
        with queries.query(self._folder, sql) as answer:
            return list(answer.rows)

    def probes(self) -> dict[int, dict[str, tuple[int, int]]]:
        """Return the first probed line of each ``row`` and ``column`` side of a tile, and the one after the last."""
        regions = probed_regions(self._folder)
        return {
            tile: {"row": tuple(region["rows"]), "column": tuple(region["cols"])} for tile, region in regions.items()
        }

    def end_of_run(self) -> int:
        """Return the time at which the last action of the event log ends, ps."""
        selection = Selection("events", ("t_ps", "dur_ps"), Window(), leakage="with")
        file, end = self._file("events"), 0
        for number, _ in reversed(list(self._groups(selection))):
            known = hasattr(file, "metadata")
            if not known or selection.latest(file.metadata.row_group(number), file.schema_arrow.names) > end:
                path = self._folder / "events.parquet"
                rows = _lists(_undamaged(path, partial(_read, file, number, selection.needed)))
                end = max(end, *(start + duration for start, duration in zip(*rows, strict=True)))
        return end

    def levels_before(self, time: int) -> list[tuple[str, str, int, int]]:
        """Return the last change of every gauge before ``time``: component, gauge, value, step."""
        if time <= 0:
            return []
        numbered = f"SELECT *, row_number() OVER () AS n FROM gauges WHERE t_ps < {time}"
        sql = f"SELECT component, gauge, arg_max(value, n), arg_max(step, n) FROM ({numbered}) GROUP BY ALL"
        return self.ask(f"{sql} ORDER BY ALL")
