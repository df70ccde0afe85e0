"""``devices.parquet``: what it says of each device is what weights, counts and the pulse log say."""

import numpy as np
import pytest

import hwsim


@pytest.fixture(scope="module", params=["reram-sb", "pcm-pair", "reram-es-2"])
def run(request, tmp_path_factory):
    return hwsim.simulate(
        steps=25, device=request.param, log="pulses", probe=["0:0-9:*"], out=tmp_path_factory.mktemp("devices") / "run"
    )


def test_pulses_of_all_devices_add_up_to_the_counts(run):
    counts, devices = run.summary["counts"], run.devices()
    pulses = int(devices.pulses_up.sum() + devices.pulses_down.sum())
    by_kind = sum(n for name, n in counts.items() if name in ("coincidences", "transfer_pulses", "refresh_pulses"))
    assert pulses == by_kind > 0


def test_the_pulse_log_leads_from_the_start_to_the_end(run):
    place = ["tile", "array", "row", "col", "device"]
    devices = run.devices().set_index(place)
    log = run.pulses("polarity <> 0")
    for polarity, name in ((1, "pulses_up"), (-1, "pulses_down")):
        logged = log[log.polarity == polarity].groupby(place).size()
        probed = devices[name][
            (devices.index.get_level_values("tile") == 0) & (devices.index.get_level_values("row") < 10)
        ]
        np.testing.assert_array_equal(logged.reindex(probed.index, fill_value=0), probed)
    last = run.pulses().groupby(place).w.last()
    np.testing.assert_array_equal(devices.w_end.loc[last.index], last)


def test_weights_are_those_of_the_arrays(run):
    weights, devices = run.weights(), run.devices()
    n_devices = devices.device.max() + 1
    for layer, tile in (("hidden", 0), ("output", 1)):
        for array in (0, 1):
            cells = devices[(devices.tile == tile) & (devices.array == array)]
            assert set(cells.layer) == {layer}
            expected = weights[f"{layer}.array{array}"].ravel()
            assert len(cells) == n_devices * len(expected)
            if n_devices == 1:
                np.testing.assert_array_equal(cells.w_end, expected)


def test_layers_that_share_a_tile_have_places_of_their_own(tmp_path):
    run = hwsim.simulate(steps=1, set={"chip.mapping.share_tiles": True}, out=tmp_path / "run")
    devices = run.devices()
    assert set(devices.tile) == {0}
    hidden, output = (devices[devices.layer == name] for name in ("hidden", "output"))
    assert (output.row.min(), output.col.min()) == (hidden.row.max() + 1, hidden.col.max() + 1)
    assert not devices.duplicated(["tile", "array", "row", "col", "device"]).any()
    assert "Devices" in run.report(tmp_path / "r.html").read_text()


def test_a_digital_run_has_none(tmp_path):
    run = hwsim.simulate(steps=1, algorithm="digital-sgd", out=tmp_path / "run")
    assert not (run.path / "devices.parquet").exists()
    assert "kept no record of its devices" in run.report(tmp_path / "r.html").read_text()
