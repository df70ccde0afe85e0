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
LARGE = {"tile.rows": 4608, "tile.cols": 4608}


@pytest.fixture(scope="module")
def times(bench):
    """Return the update time of a sample, by name of the figure."""

    def mixed(shape, batch):
        # Every element of the digital matrix reaches one and a half steps: one pulse for each row of the array.
        return bench.Training(
            "mixed-precision", shape, batch, {"scaled": "inputs"}, batch=batch, lr=6 * bench.STEP / batch
        )

    square, large = (512, 512), (4608, 4608)
    trainings = {
        "time-sgd": (bench.Training("analog-sgd", square, 4, {"update": TRAIN}), {}),
        "time-ttv2": (bench.Training("ttv2", square, 8, TTV2), {}),
        "time-multi-tile": (bench.Training("multi-tile", square, 8, multi_tile(bench.STEP)), {}),
        "time-mixed-precision": (mixed(square, 100), {}),
        "time-mixed-precision-lenet": (mixed((128, 512), 8), MULTIPLY_ADD),
        "time-sgd-resnet": (bench.Training("analog-sgd", large, 2, {"update": TRAIN}), LARGE),
        "time-ttv2-resnet": (bench.Training("ttv2", large, 2, TTV2), LARGE),
        "time-multi-tile-resnet": (bench.Training("multi-tile", large, 4, multi_tile(bench.STEP)), LARGE),
        "time-mixed-precision-resnet": (mixed((512, 4608), 128), LARGE | MULTIPLY_ADD),
    }
    return {
        name: bench.update_time(
            training.on(bench.Bench(CHIP, settings, keep_devices=not name.endswith("resnet"))), training.samples
        )
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


def test_the_layer_as_it_is_takes_less(bench) -> None:
    """The published row of ResNet-18 takes both vectors of its 512 x 4608 layer as 4608 long."""
    training = bench.Training("ttv2", (512, 4608), 4, TTV2)
    events = training.on(bench.Bench(CHIP, LARGE, keep_devices=False))
    assert bench.update_time(events, training.samples) == pytest.approx((5120 + 512) / 175 + 27.5 + 20, abs=2e-3)


LENET = {"conv1": (16, 25), "conv2": (32, 400), "hidden": (128, 512), "output": (10, 128)}


def resnet_layers() -> dict[str, tuple[int, int]]:
    """The layers of ResNet-18 that are on arrays: layer3, layer4 and the last one, of 100 classes (CIFAR-100)."""
    shapes = [(256, 1152), *[(256, 2304)] * 3, (256, 128), (512, 2304), *[(512, 4608)] * 3, (512, 256), (100, 512)]
    return {f"layer{index}": shape for index, shape in enumerate(shapes)}


NETWORKS = ("lenet", "resnet")
STORED = ("sgd", "ttv2", "mixed-precision")


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("name", STORED)
def test_storage(bench, check, network, name) -> None:
    layers, batch = (LENET, 8) if network == "lenet" else (resnet_layers(), 128)
    platform = bench.Bench(CHIP, LARGE | {"tiles": len(layers)}, keep_devices=False)
    platform.place("analog-sgd" if name == "sgd" else name, {}, layers)
    kept = bench.vector_bytes(platform.chip, batch if name == "mixed-precision" else 1, last=True)
    check(FIGURES[f"storage-{network}-{name}"], (platform.chip.buffer.room.used + kept) / 1e3)


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


ENERGIES = {
    "energy-forward": lambda energy: energy["forward"],
    "energy-backward": lambda energy: energy["backward"],
    "energy-pulses": lambda energy: energy["pulses"],
    "energy-multi-tile-update": lambda energy: energy["pulses"] + energy["transfer_read"],
    "energy-multi-tile-reads": lambda energy: (energy["forward"] + energy["backward"]) / 4,
}


@pytest.mark.parametrize("name", ENERGIES)
def test_energy(check, energy, name) -> None:
    check(FIGURES[name], ENERGIES[name](energy))


AREAS = {
    "area-4096": {"tile": (4096, 4096)},
    "area-128x512": {"hidden": (128, 512)},
    "area-lenet": LENET,
    "area-resnet": resnet_layers(),
}


@pytest.mark.parametrize("name", AREAS)
def test_area(bench, check, name) -> None:
    check(FIGURES[name], bench.array_area(CHIP, AREAS[name]))


def test_every_figure_is_measured(times) -> None:
    storage = {f"storage-{network}-{name}" for network in NETWORKS for name in STORED}
    measured = {*times, *storage, *ENERGIES, *AREAS}
    assert measured == {name for name, figure in FIGURES.items() if figure.ours is not None}
