"""Operation counts from the event log of a run against the table of the literature (algorithms.md, section 8.3).

Two layers of n inputs and m outputs, 64 -> 32 -> 10, on a tile each; 12 mini-batches of 10 samples. Management is off,
so that every train has ``desired_bl`` slots and every read one pass.
"""

from dataclasses import dataclass
from math import ceil

import pytest

import hwsim
from hwsim.errors import MappingError

N_SAMPLES = 120
LAYERS = {"hidden": (64, 32), "output": (32, 10)}
BL = 5
PHASES = 2
BUS_BITS = 256
"""Bits of one access of the buffer."""
STATE_BITS = 32
UPDATE = {"desired_bl": BL, "update_management": False, "update_bl_management": False}
READS = {"noise_management": "none", "bound_management": "none"}


@dataclass(frozen=True)
class Row:
    """What the table says of one algorithm for a layer of n inputs and m outputs.

    ``state`` are (reads, writes) of H, P, Pref for each transfer in lines of m; ``chopped`` whether n signs are read
    for each sample; ``thresholds`` whether each transfer compares m numbers.
    """

    arrays_read: int
    samples_per_transfer: tuple[int, ...] = ()
    state: tuple[int, int] = (0, 0)
    chopped: bool = False
    thresholds: bool = False


SAMPLES = {"n_reads_per_transfer": 1, "units_in_mbatch": False}
CASES = {
    "analog-sgd": ({}, Row(1)),
    "tiki-taka": ({"gamma": 0.5, **SAMPLES, "transfer_every": 2.0}, Row(2, (2,))),
    "ttv2": ({**SAMPLES, "transfer_every": 2.0}, Row(1, (2,), (1, 1), thresholds=True)),
    "residual-v2": ({"transfer_every": 3.0, "units_in_mbatch": False}, Row(2, (3,), (1, 1), thresholds=True)),
    "c-ttv2": ({"transfer_every": 2.0}, Row(1, (2,), (1, 1), chopped=True, thresholds=True)),
    "agad": ({"transfer_every": 1.0, "in_chop_prob": 0.5}, Row(1, (1,), (3, 2), chopped=True, thresholds=True)),
    "multi-tile": (
        {"n_arrays": 4, "transfer_every": 2.0, "transfer_every_factor": 3.0, "units_in_mbatch": False},
        Row(4, (2, 6, 18)),
    ),
}


def accesses(bits: int) -> int:
    return ceil(bits / BUS_BITS)


@pytest.fixture
def events(tmp_path):
    """Return a function that runs an algorithm and gives its event log and its counts."""

    def start(name, options):
        quiet = {f"tile.{use}.{key}": value for use in ("forward", "backward") for key, value in READS.items()}
        parameters = {"name": name, **options}
        parameters["update"] = UPDATE
        settings = {**quiet, "tile.arrays": 4}
        result = hwsim.simulate(algorithm=parameters, set=settings, steps=12, out=tmp_path / "run")
        return result.events(), result.summary["counts"]

    return start


def total(events, **where) -> int:
    for column, value in where.items():
        events = events[events[column].astype(str).str.endswith(value)]
    return int(events["count"].sum())


@pytest.mark.parametrize("name", CASES)
def test_reads_and_updates(events, name) -> None:
    options, row = CASES[name]
    log, _ = events(name, options)
    for layer, (n, m) in LAYERS.items():
        of = log[log.layer == layer]
        assert total(of, operation="forward", component="col_dac", action="convert") == N_SAMPLES * n
        assert total(of, operation="forward", component=".adc", action="convert") == N_SAMPLES * m
        backward = of[of.operation == "backward"]
        assert total(backward, component="row_dac", action="convert") == (N_SAMPLES * m if layer == "output" else 0)
        assert total(backward, component=".adc", action="convert") == (N_SAMPLES * n if layer == "output" else 0)
        read = of[(of.operation == "forward") & of.component.str.endswith("crossbar")]
        assert read.array.nunique() == row.arrays_read
        update = of[of.operation == "update"]
        # Every line's generator draws once a slot.
        assert total(update, component="col_pulser", action="draw") == N_SAMPLES * BL * PHASES * n
        assert total(update, component="row_pulser", action="draw") == N_SAMPLES * BL * PHASES * m
        written = update[update.component.str.endswith("crossbar")]
        assert set(written.array) == {0}


@pytest.mark.parametrize("name", CASES)
def test_transfers_and_digital_state(events, name) -> None:
    options, row = CASES[name]
    log, _ = events(name, options)
    for layer, (n, m) in LAYERS.items():
        of = log[log.layer == layer]
        transfers = sum(N_SAMPLES // every for every in row.samples_per_transfer)
        reads = of[of.operation == "transfer_read"]
        assert total(reads, component="col_dac", action="convert") == transfers
        assert total(reads, component=".adc", action="convert") == transfers * m
        for array, every in enumerate(row.samples_per_transfer):
            assert total(reads[reads.array == array], component="crossbar", action="read") == N_SAMPLES // every
        state = of[(of.operation == "digital") & (of.phase == "transfer")]
        # Beside its state a transfer fetches what was read, m words of 16 bit, and leaves as many for the write.
        words = accesses(16 * m) if row.state[0] else 0
        signs = 1 if row.chopped else 0
        expected = transfers * (row.state[0] * accesses(STATE_BITS * m) + words + signs)
        assert total(state, component="buffer", action="read") == expected
        if name == "agad":
            # Reference rows are written, and signs flip, only once a period.
            sweeps = transfers // n
            assert sweeps >= 1
            least = transfers * (row.state[1] * accesses(STATE_BITS * m) + words)
            flips = (sweeps // 2) * n + (transfers - sweeps * n if sweeps % 2 else 0)
            new_references = max(0, transfers - 2 * n)
            references = min(new_references, n) * accesses(STATE_BITS * m)
            assert total(state, component="buffer", action="write") == least + flips + references
        elif name != "c-ttv2":
            expected = transfers * (row.state[1] * accesses(STATE_BITS * m) + words)
            assert total(state, component="buffer", action="write") == expected
        compares = transfers * (m + signs) if row.thresholds else 0
        assert total(state, component="digital", action="compare") == compares
        applied = of[(of.operation == "digital") & (of.phase == "update")]
        assert total(applied, component="buffer", action="read") == (N_SAMPLES * accesses(n) if row.chopped else 0)
        assert total(applied, component="digital") == 0


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("ttv2", {"transfer_lr": 0.3}),
        ("c-ttv2", {"auto_granularity": 1000.0}),
        ("agad", {}),
        ("residual-v2", {"transfer_lr": 0.012}),
    ],
)
def test_single_pulses_are_written_in_one_slot_or_not_at_all(events, name, more) -> None:
    log, counts = events(name, CASES[name][0] | more)
    writes = log[log.operation == "transfer_write"]
    n_writes = 0
    for layer, (_, m) in LAYERS.items():
        of = writes[writes.layer == layer]
        cycles = int(of.component.str.endswith("crossbar").sum())
        assert total(of, component="row_pulser", action="draw") == cycles * PHASES * m
        n_writes += cycles
    assert 0 < n_writes == counts["transfer_write"] < counts["transfer_read"]


def test_auto_scale_keeps_two_running_means(events) -> None:
    log, _ = events("c-ttv2", {"transfer_every": 2.0, "auto_scale": True, "in_chop_prob": 0.0})
    work = log[(log.operation == "digital") & (log.phase == "update")]
    assert total(work, component="buffer", action="read") == 2 * N_SAMPLES
    assert total(work, component="buffer", action="write") == 2 * N_SAMPLES
    assert {a: total(work, component="digital", action=a) for a in ("mul", "add", "div")} == {
        "mul": 5 * 2 * N_SAMPLES,
        "add": 2 * 2 * N_SAMPLES,
        "div": 2 * N_SAMPLES,
    }


@pytest.mark.parametrize("scaled", ["errors", "inputs"])
def test_mixed_precision(events, scaled) -> None:
    """Each sample reads and writes chi and takes 2 m n operations; m n thresholds a batch; no gradient pulses."""
    log, _ = events("mixed-precision", {"scaled": scaled})
    assert not (log.operation == "update").any()
    assert not (log.operation == "transfer_read").any()
    for layer, (n, m) in LAYERS.items():
        of = log[(log.layer == layer) & (log.operation == "digital")]
        products = of[of.phase == "update"]
        chi = accesses(STATE_BITS * m * n)
        assert total(products, component="buffer", action="read") == N_SAMPLES * (chi + accesses(16 * (n + m)))
        assert total(products, component="buffer", action="write") == N_SAMPLES * chi
        assert total(products, component="digital", action="add") == N_SAMPLES * m * n
        scaled_lines = m if scaled == "errors" else n
        assert total(products, component="digital", action="mul") == N_SAMPLES * (m * n + scaled_lines)
        steps = of[of.phase == "transfer"]
        assert total(steps, component="digital", action="compare") == total(steps, component="digital") == 12 * m * n
        writes = log[(log.layer == layer) & (log.operation == "transfer_write")]
        assert 0 < writes.component.str.endswith("crossbar").sum() <= 12 * m


def test_the_buffer_must_hold_the_state(tmp_path) -> None:
    wide = {"trace.network.layers.0.outputs": 400, "trace.network.layers.1.inputs": 400, "buffer.banks": 1}
    with pytest.raises(MappingError, match="state 'H' of layer 'hidden' needs 102400 bytes"):
        hwsim.simulate(algorithm="ttv2", set=wide, out=tmp_path / "run")
