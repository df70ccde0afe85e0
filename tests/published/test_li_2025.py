"""Tables 7 and 8 of Li et al., arXiv 2510.02516, from the events of training steps on the chip ``li-2025``."""

import pytest

from hwsim.reproduce import update_times
from hwsim.spec.load import load_chip

CHIP = "li-2025"
FIGURES = {figure.name: figure for figure in load_chip(CHIP).published}
ROWS = update_times.li_2025()
TRAIN = {"desired_bl": 5, "update_management": False, "update_bl_management": False}
LARGE = update_times.LARGE


@pytest.mark.parametrize("name", [name for name in FIGURES if name.startswith("time")])
def test_time(check, name) -> None:
    check(FIGURES[name], ROWS[name].time(CHIP))
    assert FIGURES[name].met


@pytest.mark.parametrize("arrays", [2, 3, 4])
def test_partial_sums_of_the_series(bench, arrays) -> None:
    """With n arrays the transfers are 1/2 + ... + 1/2^(n-1) a sample, each a read and a train."""
    levels = arrays - 1
    periods = [2.0**level for level in range(1, arrays)]
    parameters = update_times.multi_tile() | {
        "n_arrays": arrays, "transfer_every_vec": periods, "transfer_lr_vec": [5 * bench.STEP] * levels,
    }  # fmt: skip
    events = bench.Training("multi-tile", (64, 64), 8, parameters).on(bench.Bench(CHIP))
    share = 1 - 2.0**-levels
    assert bench.update_time(events, 8) == pytest.approx(128 / 175 + 25 + share * 65, abs=1e-3)


def test_the_layer_as_it_is_takes_less(bench) -> None:
    """The published row of ResNet-18 takes both vectors of its 512 x 4608 layer as 4608 long."""
    training = bench.Training("ttv2", (512, 4608), 4, update_times.ttv2())
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
    parameters = update_times.multi_tile() | {"transfer_every_vec": [1.0, 10.0, 10.0], "update": train}
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


def test_every_figure_is_measured() -> None:
    storage = {f"storage-{network}-{name}" for network in NETWORKS for name in STORED}
    measured = {*ROWS, *storage, *ENERGIES, *AREAS}
    assert measured == {name for name, figure in FIGURES.items() if figure.ours is not None}
