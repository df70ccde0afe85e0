"""A sweep, opened from its folder."""

from __future__ import annotations

from pathlib import Path

from hwsim.results.run import Run, open_run
from hwsim.results.sweep_page import write_sweep_page
from hwsim.results.sweep_record import SweepRecord


class Sweep(SweepRecord):
    """The results of a sweep: its table, its runs, what moves what, and a page of it.

    Raises:
        ResultsError: the folder is missing, is none of a sweep, or has another schema version.
    """

    def runs(self) -> list[Run]:
        """Return the complete runs, in the order of the points."""
        done = self.table[self.table["state"] == "complete"]
        return [open_run(self.path / name) for name in done["folder"]]

    def report(self, file: Path | str) -> Path:
        """Write the comparison page, self-contained, and return its path.

        Raises:
            ResultsError: the page cannot be written.
        """
        return write_sweep_page(self, Path(file))
