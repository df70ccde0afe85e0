"""Rows of the logs as an export reads them: a window of time, block by block, with the progress counted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from hwsim.results import queries

if TYPE_CHECKING:
    from pathlib import Path

STATIC = "phase <> 'static'"
"""Leakage is booked in one row a component at the end of a run, for the whole of it."""
REPORT_ROWS = 4096


class Reader:
    """Reads the logs of one run folder in the order of time; ``progress`` hears of the rows that have been read.

    ``selections`` are all that will be read, as (table, condition); they say how many rows there are.
    """

    def __init__(
        self, folder: Path, selections: Sequence[tuple[str, str]], progress: Callable[[int, int], None]
    ) -> None:
        self._folder = folder
        self._progress = progress
        self._done = 0
        for table in dict.fromkeys(table for table, _ in selections):
            queries.columns(folder, table)  # refuses a missing or damaged log by name
        self._total = sum(self.one(f"SELECT count(*) FROM {table} WHERE {where}")[0] for table, where in selections)

    def one(self, sql: str) -> tuple[Any, ...]:
        """Return the only row of an answer."""
        return self.all(sql)[0]

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        """Return every row of an answer that is short."""
        with queries.query(self._folder, sql) as answer:
            return list(answer.rows)

    def rows(self, table: str, columns: Iterable[str], where: str) -> Iterator[tuple[Any, ...]]:
        """Give rows in the order of the log."""
        chosen = ", ".join(f'"{column}"' for column in columns)  # some are words of SQL
        with queries.query(self._folder, f"SELECT {chosen} FROM {table} WHERE {where}") as answer:
            for row in answer.rows:
                self._done += 1
                if self._done % REPORT_ROWS == 0:
                    self._progress(self._done, max(self._done, self._total))
                yield row

    def finish(self) -> None:
        """Report that everything has been read."""
        self._progress(self._total, self._total)

    def end_of_run(self) -> int:
        """Return the time at which the last action of the event log ends, ps."""
        return int(self.one("SELECT coalesce(max(t_ps + dur_ps), 0) FROM events")[0])

    def levels_before(self, time: int) -> list[tuple[str, str, int, int]]:
        """Return the last change of every gauge before ``time``: component, gauge, value, step."""
        if time <= 0:
            return []
        numbered = f"SELECT *, row_number() OVER () AS n FROM gauges WHERE t_ps < {time}"
        sql = f"SELECT component, gauge, arg_max(value, n), arg_max(step, n) FROM ({numbered}) GROUP BY ALL"
        return self.all(f"{sql} ORDER BY ALL")  # type: ignore[return-value]
