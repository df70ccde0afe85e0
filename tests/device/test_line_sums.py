import numpy as np
import pytest

from hwsim._kernels import lines
from hwsim.devices import UpdateParameters, load_device, make_cells


def test_sums_over_lines() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(7, 300)).astype(np.float32)
    assert lines.squares(x) == pytest.approx((x.astype(float) ** 2).sum(axis=0), rel=1e-14, abs=0)
    drive, sums = rng.random(300), rng.normal(size=300)
    conductance = np.maximum(0.4 + 0.3 * sums, 0)
    assert (conductance == 0).any()
    charges = rng.random(300)
    expected = 5.0 * (drive @ conductance) + 0.7 * charges.sum()
    assert lines.exposed(drive, charges, sums, 0.4, 0.3, 5.0, 0.7) == pytest.approx(expected, rel=1e-13, abs=0)
    fires = rng.integers(0, 5, (7, 300)).astype(np.uint32)
    row_fires, row_sums = rng.integers(0, 5, (7, 20)).astype(np.uint32), rng.normal(size=20)
    rows, cols, on_lines = lines.fired(row_fires, fires, row_sums, sums)
    assert (rows, cols) == (row_fires.sum(), fires.sum())
    assert on_lines == pytest.approx((fires * sums).sum() + (row_fires * row_sums).sum(), rel=1e-12, abs=0)


def test_an_update_tells_what_was_on_its_lines() -> None:
    rng = np.random.default_rng(3)
    cells = make_cells(load_device("reram-sb"), (10, 20))
    x, d = rng.normal(size=(9, 20)), rng.normal(size=(9, 10))
    assert cells.update(x, d, 0.01).on_lines is None  # nobody had asked for the sums
    rows, cols = cells.line_sums()
    result = cells.update(x, d, 0.01)
    expected = (result.row_fires * rows).sum() + (result.col_fires * cols).sum()
    assert result.on_lines == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize("name", ["reram-sb", "reram-es", "reram-es-2", "pcm-pair", "ecram"])
def test_line_sums_follow_updates(name: str) -> None:
    rng = np.random.default_rng(1)
    cells = make_cells(load_device(name), (20, 70), seed=2)
    one_hot = np.zeros((1, 70), np.float32)
    one_hot[0, 69] = 1
    for step in range(12):
        before = [device.line_sums() for device in cells.devices]
        kept = [(rows.copy(), cols.copy()) for rows, cols in before]
        x = one_hot if step % 3 == 0 else rng.normal(size=(4, 70)) * (rng.random((4, 70)) < 0.5)
        cells.update(x, rng.normal(size=(len(x), 20)), 0.3, UpdateParameters())
        if step == 7:
            cells.set_weights(rng.uniform(-0.2, 0.2, (20, 70)))
        for device, was, now in zip(cells.devices, kept, before, strict=True):
            weights = device.weights.astype(float)
            rows, cols = device.line_sums()
            assert np.abs(rows - weights.sum(axis=1)).max() < 1e-12
            assert np.abs(cols - weights.sum(axis=0)).max() < 1e-12
            assert (was[0] == now[0]).all(), "sums that were handed out do not change"
            assert (was[1] == now[1]).all()
