"""A small chip whose every latency is a round number, so that closed forms can be written by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hwsim.chip.chip import Chip
from hwsim.devices import load_device
from hwsim.spec.chip import ChipSpec
from hwsim.spec.load import Document, assign, build, mutable, named_document

NOISE_FREE = {"inp_res": 0.0, "out_res": 0.0, "out_noise": 0.0, "noise_management": "none", "bound_management": "none"}


@pytest.fixture
def make_chip() -> Callable[..., Chip]:
    """Return a maker of chips: tiles of 8 x 8 with two converters each, 1 GHz, noise-free reads unless changed."""

    def make(changes: dict[str, Any] | None = None, device: Any = None, **options: Any) -> Chip:
        data = mutable(named_document("chips", "baseline").data)
        defaults: dict[str, Any] = {
            "tile.rows": 8, "tile.cols": 8, "tile.adc.lines_per_adc": 4, "digital.lanes": 4,
            "tile.forward": NOISE_FREE, "tile.backward": NOISE_FREE, "tile.transfer": NOISE_FREE,
        }  # fmt: skip
        for path, value in (defaults | (changes or {})).items():
            assign(data, path, mutable(value))
        if device is None:
            device = load_device("constant_step", dw_min=0.01, dw_min_dtod=0.0, dw_min_std=0.0, up_down_dtod=0.0,
                                 w_max_dtod=0.0, w_min_dtod=0.0)  # fmt: skip
        return Chip(build(ChipSpec, Document(data)), device, **options)

    return make


@pytest.fixture
def weights() -> np.ndarray:
    """Return an 8 x 8 weight matrix within +-0.4."""
    return np.random.default_rng(5).uniform(-0.4, 0.4, (8, 8)).astype(np.float32)


@pytest.fixture
def assert_ready_at() -> Callable[[Chip, Any, int], Any]:
    """Return a check that a part of the chip is not done a picosecond before its time (ps from now), and done then."""

    def check(chip: Chip, part: Any, time: int) -> Any:
        done: list[tuple[int, Any]] = []

        def watch() -> Any:
            result = yield from part
            done.append((chip.env.now, result))

        due = chip.env.now + time
        chip.env.process(watch())
        if time > 1:
            chip.env.run(until=due - 1)
            assert done == []
        chip.env.run(until=due + 1)
        assert [when for when, _ in done] == [due]
        return done[0][1]

    return check
