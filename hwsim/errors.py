"""Errors of hwsim. Every error a user can mend derives from :class:`InputError` (exit code 2)."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

LONGEST_NAME = 80
"""Longer names are cut in messages."""


class HwsimError(Exception):
    """Base of every error that hwsim raises on purpose."""

    exit_code = 1


class RunError(HwsimError):
    """A simulation failed after it had started."""


class RunInterrupted(KeyboardInterrupt):
    """A run was interrupted by ``signal_number`` and has left a checkpoint in ``path``."""

    def __init__(self, path: Path, step: int, signal_number: int) -> None:
        super().__init__(
            f"interrupted after step {step}; to go on: hwsim run --resume {shlex.quote(str(path))} "
            f"(in Python: hwsim.resume({str(path)!r}))"
        )
        self.path = path
        self.signal_number = signal_number


class InputError(HwsimError):
    """Something the user gave is wrong; nothing has been run or written."""

    exit_code = 2


class UsageError(InputError):
    """A wrong argument, option or name."""


class DataError(InputError):
    """A data set that is missing, corrupt or of the wrong shape."""


class MappingError(InputError):
    """A network or algorithm that does not fit the chip; ``at`` is the path of the chip's part that is too small."""

    def __init__(self, message: str, at: str) -> None:
        super().__init__(message)
        self.at = at


class ResultsError(InputError):
    """A run folder that is missing, foreign or incomplete."""


@dataclass(frozen=True)
class Problem:
    """One mistake in a description: where it stands and what to do about it.

    ``file`` and ``line`` are None for values that were given in Python or on the command line.
    """

    message: str
    path: str = ""
    file: Path | str | None = None
    line: int | None = None

    def __str__(self) -> str:
        place = str(self.file) if self.file is not None else ""
        if self.line is not None:
            place += f":{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class SpecError(InputError):
    """A wrong description; carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = [Problem(problems)] if isinstance(problems, str) else list(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def suggest(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the nearest known name, or an empty string."""
    close = get_close_matches(str(name), list(known), n=1, cutoff=0.6)
    return f"; did you mean '{close[0]}'?" if close else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """Return the message for a name that is not among ``known``."""
    known = sorted(known)
    shown = name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..."
    return f"no {what} is called '{shown}'{suggest(name, known)} (known: {', '.join(known) or 'none'})"
