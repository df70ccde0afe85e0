"""Table 1 of Rasch et al., Nat. Commun. 15:7133 (2024), from the events of training steps on the chip rasch-2024."""

import pytest

from hwsim.reproduce import update_times
from hwsim.spec.load import load_chip

CHIP = "rasch-2024"
N = 512
BATCH = 100
FIGURES = {figure.name: figure for figure in load_chip(CHIP).published}
ROWS = update_times.rasch_2024()


@pytest.fixture(scope="module")
def runs(bench):
    """Return the events and the chip of each algorithm's run, and the number of its samples."""
    results = {}
    for name, row in ROWS.items():
        platform = bench.Bench(CHIP)
        results[name.removeprefix("time-")] = (row.training.on(platform), platform.chip, row.training.samples)
    return results


def test_every_transfer_writes(bench, runs) -> None:
    for name in ("ttv2", "c-ttv2", "agad", "agad-10"):
        assert bench.writes_every_time(runs[name][0])


def measured(bench, runs, name: str) -> float:
    kind, _, algorithm = name.partition("-")
    events, chip, samples = runs[algorithm]
    if kind == "time":
        return bench.update_time(events, samples)
    if kind == "operations":
        where = {"component": ["digital"], "action": ["add", "mul"], "phase": bench.UPDATE_PHASES}
        return bench.count_of(events, **where) / samples
    if kind == "storage":
        return chip.buffer.room.used + bench.vector_bytes(chip, BATCH if algorithm == "mixed-precision" else 1)
    if kind == "state":
        return (chip.counts["state_bits_read"] + chip.counts["state_bits_written"]) / samples
    reads = bench.count_of(events, component=["buffer"], action=["read"], operation=["update"])
    return reads * chip.buffer.word_bytes * 8 / samples


@pytest.mark.parametrize("name", FIGURES)
def test_figure(bench, check, runs, name) -> None:
    check(FIGURES[name], measured(bench, runs, name))


def test_every_time_is_met() -> None:
    assert all(figure.met for name, figure in FIGURES.items() if name.startswith(("time", "operations")))
