"""The critical path of a training step: the chain of actions that its duration consists of.

It is walked backwards through the event log from the last action of the step. What an action waited for is an action
that ended at the moment when it started; if there is none, the action of the same operation that started last before
it, because a component starts on a stream when the one before hands it the first result; and before the first action of
an operation the action that had ended last. Each link of the chain lasts until the next one starts, so the links add up
to the duration of the step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hwsim.errors import UsageError
from hwsim.results import queries

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

NAMES = ["component", "action", "operation", "phase", "layer"]


def critical_path(path: Path, step: int | None = None) -> pd.DataFrame:
    """Return the critical path of a training step of the run in a folder, in time order.

    Columns: ``t_ps`` (start of the link), ``path_ps`` (how long it is on the path), ``dur_ps`` (how long the component
    works), component, action, operation, phase and layer. Without ``step`` it is the last step of the log.

    Raises:
        UsageError: the log has no such step.
        ResultsError: the run kept no event log, or it is damaged.
    """
    queries.columns(path, "events")
    if step is None:
        last = queries.frame(path, "SELECT coalesce(max(step), -1) AS last FROM events")
        step = int(last["last"].to_numpy()[0])
        if step < 0:
            raise UsageError(f"the event log of {path} holds no step so far")
    chosen = queries.select("events", where=f"step = {int(step)} and operation <> 'static'")
    rows = queries.frame(path, chosen)
    if not len(rows):
        raise UsageError(f"the event log of {path} has no step {step}")
    rows = rows.sort_values("t_ps", kind="stable", ignore_index=True)
    chain = _walk(rows)
    links = rows.iloc[chain].reset_index(drop=True)
    end = int((rows.t_ps + rows.dur_ps).max())
    starts = links.t_ps.to_numpy()
    links["path_ps"] = np.append(starts[1:], end) - starts
    return links[["t_ps", "path_ps", "dur_ps", *NAMES]]


def _walk(rows: pd.DataFrame) -> list[int]:
    start = rows.t_ps.to_numpy()
    end = start + rows.dur_ps.to_numpy()
    group = rows.groupby(["operation", "phase", "layer", "sample"], sort=False, dropna=False).ngroup().to_numpy()
    current = int(np.argmax(end))
    chain = [current]
    while True:
        before = start < start[current]
        handed_over = np.flatnonzero(before & (end == start[current]))
        # An operation of the same kind may have run before: the controller's issue begins a new one.
        same = np.flatnonzero(before & (group == group[current]))
        if len(handed_over):
            current = int(handed_over[np.argmin(start[handed_over])])
        elif rows.action[current] != "issue" and len(same):
            current = int(same[np.argmax(start[same])])
        elif before.any():
            others = np.flatnonzero(before)
            ended = others[end[others] <= start[current]]
            current = int(ended[np.argmax(end[ended])]) if len(ended) else int(others[np.argmax(start[others])])
        else:
            return chain[::-1]
        chain.append(current)
