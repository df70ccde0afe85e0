"""Reads run folders: tables, queries over the logs, reports. Works on folders that another machine wrote."""

from hwsim.results.run import Run, open_run

__all__ = ["Run", "open_run"]
