"""Tables 7 and 8 of Li et al., arXiv 2510.02516, from the events of training steps on the chip ``li-2025``."""

import pytest

from hwsim.spec.load import load_chip

CHIP = "li-2025"
FIGURES = {figure.name: figure for figure in load_chip(CHIP).published}
TRAIN = {"desired_bl": 5, "update_management": False, "update_bl_management": False}
SAMPLES = {"units_in_mbatch": False, "update": TRAIN}
TTV2 = {**SAMPLES, "transfer_every": 2.0, "transfer_lr": 1e4, "momentum": 0.0}


def multi_tile(step: float) -> dict:
    """The cost model adds the transfers of endlessly many arrays, 1/2 + 1/4 + ... = 1 a sample with n_s = 2. Here the
    last of three levels is transferred as often as the one before it, which adds up to the same; what is read is the
    pulse probability itself."""
    return {
        **SAMPLES,
        "n_arrays": 4,
        "transfer_every_vec": [2.0, 4.0, 4.0],
        "transfer_lr_vec": [TRAIN["desired_bl"] * step] * 3,
        "transfer_update": TRAIN,
    }


MULTIPLY_ADD = {"digital.model": "li-2025-multiply-add"}


@pytest.fixture(scope="module")
def times(bench):
    """Return the update time of a sample, by name of the figure."""

    def mixed(shape, batch):
        # Every element of the digital matrix reaches one and a half steps: one pulse for each row of the array.
        return bench.Training(
            "mixed-precision", shape, batch, {"scaled": "inputs"}, batch=batch, lr=6 * bench.STEP / batch
        )

    square = (512, 512)
    trainings = {
        "time-sgd": (bench.Training("analog-sgd", square, 4, {"update": TRAIN}), {}),
        "time-ttv2": (bench.Training("ttv2", square, 8, TTV2), {}),
        "time-multi-tile": (bench.Training("multi-tile", square, 8, multi_tile(bench.STEP)), {}),
        "time-mixed-precision": (mixed(square, 100), {}),
        "time-mixed-precision-lenet": (mixed((128, 512), 8), MULTIPLY_ADD),
    }
    return {
        name: bench.update_time(training.on(bench.Bench(CHIP, settings)), training.samples)
        for name, (training, settings) in trainings.items()
    }


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("time")])
def test_time(check, times, name) -> None:
    check(FIGURES[name], times[name])
    assert FIGURES[name].met


@pytest.mark.parametrize("arrays", [2, 3, 4])
def test_partial_sums_of_the_series(bench, arrays) -> None:
    """With n arrays the transfers are 1/2 + ... + 1/2^(n-1) a sample, each a read and a train."""
    levels = arrays - 1
    periods = [2.0**level for level in range(1, arrays)]
    parameters = multi_tile(bench.STEP) | {
        "n_arrays": arrays, "transfer_every_vec": periods, "transfer_lr_vec": [5 * bench.STEP] * levels,
    }  # fmt: skip
    events = bench.Training("multi-tile", (64, 64), 8, parameters).on(bench.Bench(CHIP))
    share = 1 - 2.0**-levels
    assert bench.update_time(events, 8) == pytest.approx(128 / 175 + 25 + share * 65, abs=1e-3)


LENET = {"conv1": (16, 25), "conv2": (32, 400), "hidden": (128, 512), "output": (10, 128)}


@pytest.mark.parametrize(
    ("name", "algorithm", "batch"),
    [("sgd", "analog-sgd", 1), ("ttv2", "ttv2", 1), ("mixed-precision", "mixed-precision", 8)],
)
def test_storage_of_lenet(bench, check, name, algorithm, batch) -> None:
    platform = bench.Bench(CHIP)
    platform.place(algorithm, {}, LENET)
    measured = platform.chip.buffer.room.used + bench.vector_bytes(platform.chip, batch, last=True)
    check(FIGURES[f"storage-lenet-{name}"], measured / 1e3)


@pytest.fixture(scope="module")
def energy(bench):
    """Return what a perceptron 785-250-10 takes in nJ with 4 arrays: each read, pulses and transfer reads."""
    platform = bench.Bench(CHIP)
    train = TRAIN | {"desired_bl": 10}
    parameters = multi_tile(bench.STEP) | {"transfer_every_vec": [1.0, 10.0, 10.0], "update": train}
    algorithm, matrices = platform.place("multi-tile", parameters, {"hidden": (250, 785), "output": (10, 250)})
    events = platform.run(bench.step_of(algorithm, matrices))
    converters = events[events.component.str.endswith(("dac", "adc"))]
    found = {kind: bench.energy_of(converters, kind) for kind in ("forward", "backward", "transfer_read")}
    pulsers = events[events.component.str.endswith("pulser")]
    return found | {"pulses": bench.energy_of(pulsers, "update")}


def test_energy(check, energy) -> None:
    check(FIGURES["energy-forward"], energy["forward"])
    check(FIGURES["energy-backward"], energy["backward"])
    check(FIGURES["energy-pulses"], energy["pulses"])
    check(FIGURES["energy-multi-tile-update"], energy["pulses"] + energy["transfer_read"])
    check(FIGURES["energy-multi-tile-reads"], (energy["forward"] + energy["backward"]) / 4)


@pytest.mark.parametrize(
    ("name", "layers"),
    [("area-4096", {"tile": (4096, 4096)}), ("area-128x512", {"fc": (128, 512)}), ("area-lenet", LENET)],
)
def test_area(bench, check, name, layers) -> None:
    check(FIGURES[name], bench.array_area(CHIP, layers))
