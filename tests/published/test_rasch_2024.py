"""Table 1 of Rasch et al., Nat. Commun. 15:7133 (2024), from the events of training steps on the chip rasch-2024."""

import pytest

from hwsim.spec.load import load_chip

CHIP = "rasch-2024"
N = 512
BATCH = 100
FIGURES = {figure.name: figure for figure in load_chip(CHIP).published}
TRAIN = {"desired_bl": 5, "update_management": False, "update_bl_management": False}
SAMPLES = {"units_in_mbatch": False, "update": TRAIN}
EAGER = 1e4
"""Transfer rate at which every transfer writes, as the published averages take it."""


def past_first_periods(algorithm) -> None:
    """AGAD writes nothing in the first periods of its choppers, which take thousands of samples."""
    for choppers in algorithm.choppers.values():
        choppers.sweeps = 1000


@pytest.fixture(scope="module")
def runs(bench):
    """Return the events and the chip of each algorithm's run, the number of its samples, and its matrix."""
    transfers = {**SAMPLES, "transfer_every": 2.0, "transfer_lr": EAGER}
    trainings = {
        "sgd": bench.Training("analog-sgd", (N, N), 4, {"update": TRAIN}),
        # H is cleared where it was written, as in c-TTv2.
        "ttv2": bench.Training("ttv2", (N, N), 8, {**transfers, "momentum": 0.0}),
        "c-ttv2": bench.Training("c-ttv2", (N, N), 8, transfers),
        "agad": bench.Training("agad", (N, N), 8, transfers, ready=past_first_periods),
        "agad-10": bench.Training(
            "agad", (N, N), 20, transfers | {"transfer_every": 10.0, "update": TRAIN | {"desired_bl": 1}},
            ready=past_first_periods,
        ),
        # Every element of the digital matrix reaches one and a half steps: one pulse for each row of the array.
        "mixed-precision": bench.Training("mixed-precision", (N, N), BATCH, batch=BATCH, lr=6 * bench.STEP / BATCH),
    }  # fmt: skip
    results = {}
    for name, training in trainings.items():
        platform = bench.Bench(CHIP)
        results[name] = (training.on(platform), platform.chip, training.samples)
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
