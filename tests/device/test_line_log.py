"""The log of lines: firings are those that the kernel counts, and coincidences are the pulses."""

import numpy as np
import pytest

from hwsim.devices import DeviceArray, UpdateParameters, load_device, make_cells

PROBE = (slice(2, 35), slice(1, 66))


def signed_slots(log, column, shape):
    """Return the signs of the firings of one side, shape (samples, slots, lines)."""
    found = np.zeros(shape, int)
    chosen = log.column == column
    found[log.sample[chosen], log.slot[chosen], log.line[chosen]] = log.sign[chosen]
    return found


@pytest.mark.parametrize("scheme", ["stochastic_compressed", "stochastic"])
@pytest.mark.parametrize(("resolution", "stochastic_rounding"), [(0.0, False), (0.01, True), (0.3, False)])
@pytest.mark.parametrize("lr", [0.01, -0.02])
def test_coincidences_of_lines_are_the_pulses(scheme, resolution, stochastic_rounding, lr) -> None:
    rng = np.random.default_rng(0)
    x, d = rng.normal(size=(7, 70)).astype(np.float32), rng.normal(size=(7, 40)).astype(np.float32)
    array = DeviceArray(load_device("reram-sb"), shape=(40, 70), seed=3)
    params = UpdateParameters(pulse_type=scheme, res=resolution, sto_round=stochastic_rounding)
    array.update(x, d, lr, params)
    result = array.update(x, d, lr, params, probe=PROBE)
    slots = int(result.slots.max())
    rows = signed_slots(result.lines, False, (7, slots, 40))
    cols = signed_slots(result.lines, True, (7, slots, 70))
    assert np.array_equal(np.abs(rows).sum(axis=1)[:, PROBE[0]], result.row_fires[:, PROBE[0]])
    assert np.array_equal(np.abs(cols).sum(axis=1)[:, PROBE[1]], result.col_fires[:, PROBE[1]])
    polarity = -rows[..., :, None] * cols[..., None, :]
    log = result.log
    assert np.count_nonzero(polarity) == len(log) > 1000
    assert np.array_equal(polarity[log.sample, log.slot, log.row, log.col], log.polarity)


def test_listening_changes_nothing() -> None:
    rng = np.random.default_rng(1)
    x, d = rng.normal(size=(5, 20)), rng.normal(size=(5, 10))
    heard, unheard = (DeviceArray(load_device("reram-sb"), shape=(10, 20), seed=3) for _ in range(2))
    for probe in (PROBE, None, PROBE):
        heard.update(x, d, 0.01, probe=probe)
        unheard.update(x, d, 0.01)
    assert np.array_equal(heard.weights, unheard.weights)


def test_devices_of_a_cell_hear_their_own_lines() -> None:
    rng = np.random.default_rng(2)
    x, d = rng.normal(size=(9, 20)), rng.normal(size=(9, 10))
    vector = {"kind": "vector", "devices": 2, "update_policy": "single_sequential", "choose_per": "vector"}
    cells = make_cells(
        load_device("reram-es", **{f"unit_cell__{key}": value for key, value in vector.items()}), (10, 20)
    )
    parts = cells.update(x, d, 0.01, probe=(slice(None), slice(None))).by_device
    assert [set(part.lines.sample % 2) for part in parts] == [{0}, {1}]
    pair = make_cells(load_device("pcm-pair"), (10, 20)).update(x, d, 0.01, probe=(slice(None), slice(None)))
    assert [part.lines.direction for part in pair.by_device] == [1, -1]
    reference = make_cells(load_device("reram-es", unit_cell__kind="reference"), (10, 20))
    parts = reference.update(x, d, 0.01, probe=(slice(None), slice(None))).by_device
    assert [len(part.lines) > 0 for part in parts] == [True, False]


def test_schemes_that_count_have_no_lines() -> None:
    cells = DeviceArray(load_device("reram-sb"), shape=(10, 20))
    for scheme in ("mean_count", "deterministic_implicit"):
        result = cells.update(np.ones(20), np.ones(10), 0.1, UpdateParameters(pulse_type=scheme), probe=PROBE)
        assert len(result.log) > 0
        assert result.lines is None
