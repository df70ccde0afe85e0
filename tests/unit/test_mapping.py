import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.chip.mapping import split
from hwsim.chip.probe import Probe, probed_regions
from hwsim.errors import UsageError


@given(st.integers(1, 700), st.integers(1, 700), st.integers(20, 300), st.integers(20, 300))
def test_blocks_cover_the_matrix_once_and_fit_a_tile(rows: int, cols: int, tile_rows: int, tile_cols: int) -> None:
    grid = split((rows, cols), (tile_rows, tile_cols), first_tile=3)
    covered = np.zeros((rows, cols), dtype=int)
    blocks = [block for row in grid for block in row]
    for block in blocks:
        covered[block.rows, block.cols] += 1
        assert block.shape[0] <= tile_rows
        assert block.shape[1] <= tile_cols
    assert (covered == 1).all()
    assert [block.tile for block in blocks] == list(range(3, 3 + len(blocks)))
    assert len(blocks) == -(-rows // tile_rows) * -(-cols // tile_cols)


def test_probes() -> None:
    shapes = {0: (4, 8), 1: (2, 2)}
    regions = probed_regions([Probe.parse("0:1-2:*"), Probe.parse("1")], shapes)
    assert regions == {0: (slice(1, 3), slice(0, 8)), 1: (slice(0, 2), slice(0, 2))}
    for text, message in (
        ("x", "cannot read the probe"),
        ("0:3-1", "ends before"),
        ("0:a", "cannot read 'a'"),
        ("0:1:2:3", "cannot read"),
    ):
        with pytest.raises(UsageError, match=message):
            Probe.parse(text)
    for text, message in (
        ("2", "tiles 0 to 1 are in use"),
        ("0:4", "it uses rows 0 to 3"),
        ("1:0:0-2", "it uses columns 0 to 1"),
    ):
        with pytest.raises(UsageError, match=message):
            probed_regions([Probe.parse(text)], shapes)
    with pytest.raises(UsageError, match="probed twice"):
        probed_regions([Probe.parse("0"), Probe.parse("0:1")], shapes)
