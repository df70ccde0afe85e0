"""Replicas of matrices and several layers on a tile: where blocks go, and what that does to time and energy."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.chip.activity import ActivityChip
from hwsim.chip.chip import Chip
from hwsim.chip.expected import Tallies
from hwsim.chip.mapping import Placement
from hwsim.chip.operations import Backward, Forward, Update
from hwsim.chip.vectors import Vectors
from hwsim.devices import UpdateParameters, load_device
from hwsim.spec.load import load_chip, load_statistics

LENGTH = st.integers(1, 90)


@settings(deadline=None)
@given(st.lists(st.tuples(LENGTH, LENGTH, st.integers(1, 2)), min_size=1, max_size=12), st.booleans())
def test_blocks_never_share_a_row_or_a_column_of_a_tile(matrices: list[tuple[int, int, int]], share: bool) -> None:
    placement = Placement((40, 60), share=share)
    taken: dict[int, list[tuple[range, range, int]]] = {}
    for rows, cols, arrays in matrices:
        for block in (block for row in placement.place((rows, cols), arrays) for block in row):
            on_rows = range(block.first_row, block.first_row + block.shape[0])
            on_cols = range(block.first_col, block.first_col + block.shape[1])
            assert on_rows.stop <= 40
            assert on_cols.stop <= 60
            for other_rows, other_cols, other_arrays in taken.setdefault(block.tile, []):
                assert share
                assert other_arrays == arrays
                assert not set(on_rows) & set(other_rows)
                assert not set(on_cols) & set(other_cols)
            taken[block.tile].append((on_rows, on_cols, arrays))
    assert sorted(taken) == list(range(placement.tiles))


def test_small_matrices_share_a_tile_and_replicas_do_not() -> None:
    placement = Placement((64, 64), share=True)
    places = [placement.place((20, 30), 1)[0][0] for _ in range(3)]
    assert [(block.tile, block.first_row, block.first_col) for block in places] == [(0, 0, 0), (0, 20, 30), (1, 0, 0)]
    assert placement.place((2, 2), 1, apart_from={0})[0][0].tile == 1


@given(st.lists(st.floats(0, 7), min_size=1, max_size=60))
def test_tallies_never_drift(expected: list[float]) -> None:
    tallies, total = Tallies(), 0
    for value in expected:
        total += tallies.take("any", value)
    assert abs(total - sum(expected)) <= 0.5 + 1e-9


DEVICE = load_device("constant_step")
UPDATE = UpdateParameters(update_management=False, update_bl_management=False)


def activity_chip(replicas: int = 1) -> ActivityChip:
    statistics = load_statistics("default")
    return ActivityChip(load_chip("large"), DEVICE, statistics=statistics, replicas={"a": replicas})


def placed(chip: Chip, shape: tuple[int, int]):
    matrix = chip.place_analog("a", np.zeros(shape, np.float32), arrays=1, gains=(1.0,))
    chip.finish_placement()
    return matrix


def timed(chip: Chip, operation) -> int:
    def program():
        yield operation

    chip.run(program())
    return chip.env.now


@pytest.mark.parametrize("kind", [Forward, Backward])
@pytest.mark.parametrize("shape", [(30, 40), (600, 700)], ids=str)
def test_a_stream_of_unknown_vectors_takes_the_time_of_a_known_one(kind, shape: tuple[int, int]) -> None:
    n, lines = 37, shape[1] if kind is Forward else shape[0]
    device = Chip(load_chip("large"), DEVICE)
    vectors = np.random.default_rng(0).uniform(-1, 1, (n, lines)).astype(np.float32)
    known = timed(device, kind(placed(device, shape), vectors))
    activity = activity_chip()
    assert timed(activity, kind(placed(activity, shape), Vectors(n, lines))) == known
    for one, other in zip(device.components, activity.components, strict=True):
        assert (one.name, one.busy) == (other.name, other.busy)


def test_replicas_share_the_reads_and_all_take_the_updates() -> None:
    n, shape = 6000, (16, 20)
    times = {}
    for replicas in (1, 3):
        chip = activity_chip(replicas)
        matrix = placed(chip, shape)
        times[replicas] = timed(chip, Forward(matrix, Vectors(n, 20)))
        assert len(chip.tiles) == replicas
        assert chip.counts["adc_conversions"] == n * 16
        busy = [tile.adc.busy for tile in chip.tiles]
        assert busy == [busy[0]] * replicas
        drawn = [tile.row_pulser.busy for tile in chip.tiles]
        assert drawn == [0] * replicas
        timed(chip, Update(matrix, 0, Vectors(n, 20), Vectors(n, 16), 0.1, UPDATE))
        slot = chip.tiles[0].slot * chip.tiles[0].phases
        assert [tile.row_pulser.busy for tile in chip.tiles] == [5 * n * slot] * replicas
    # A vector keeps a tile for its conversion to analog and the integration. Three tiles share the stream, but a bus
    # carries one stream of results at a time, so a second one waits for the end of the first.
    tile = chip.tiles[0]
    interval = tile.col_dac.cost("convert").latency + round(chip.spec.tile.crossbar.integration_time * 1e12)
    assert times[1] == pytest.approx(n * interval, rel=0.01)
    assert n * interval / 3 < times[3] < 0.7 * times[1]


def test_layers_on_one_tile_take_turns_and_learn_as_on_their_own(run) -> None:
    own, shared = (
        run(fidelity="device", steps=12, set=[f"chip.mapping.share_tiles={share}"]) for share in ("false", "true")
    )
    assert (own.summary["tiles_used"], shared.summary["tiles_used"]) == (2, 1)
    assert shared.summary["mapping"]["output"]["tiles"] == [0]
    assert shared.summary["cell_utilization"] == pytest.approx(2 * own.summary["cell_utilization"])
    # In a sequential schedule layers never meet, so the tile is no bottleneck; only its leakage is saved.
    assert shared.summary["latency_s"] == pytest.approx(own.summary["latency_s"], rel=0.01)
    stats = shared.stats.set_index("path").value
    assert stats["tile0.requests"] > own.stats.set_index("path").value["tile0.requests"]


def test_a_shared_tile_is_contended_where_layers_overlap(run) -> None:
    settings_ = ["chip.schedule.kind=pipelined", "chip.schedule.vectors=1"]
    own, shared = (
        run(steps=6, set=[*settings_, f"chip.mapping.share_tiles={share}"]).summary for share in ("false", "true")
    )
    assert shared["latency_s"] >= own["latency_s"]


def test_a_probe_on_a_shared_tile_is_refused(run) -> None:
    from hwsim.errors import UsageError

    with pytest.raises(UsageError, match="several layers share it"):
        run(fidelity="device", log="pulses", probe=["0"], set=["chip.mapping.share_tiles=true"])
