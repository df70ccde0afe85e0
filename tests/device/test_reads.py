"""Options of the converters: against AIHWKit's numbers, closed forms and distributions; and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwsim.devices import DeviceArray, IOParameters, RunningScale, input_scale, load_device
from hwsim.errors import SpecError
from hwsim.spec.load import Document, build

IDEAL = {
    "inp_res": 0.0, "out_res": 0.0, "out_noise": 0.0, "inp_bound": 0.0, "out_bound": 0.0, "noise_management": "none",
    "bound_management": "none",
}  # fmt: skip
ONE, SUM, DIGITAL = "one_pass", "pos_neg_separate", "pos_neg_separate_digital_sum"
DROP = {"ir_drop": 1.0, "ir_drop_g_ratio": 20.0}
BEND = {"out_nonlinearity": 0.5, "out_bound": 1.0}

# Outputs of AIHWKit 1.1.0 (CPU) for the weights and the vector of `seeded`, converters otherwise ideal.
PEER: list[tuple[str, dict[str, Any], list[float]]] = [
    (ONE, {"out_asymmetry": 0.5}, [-0.07444919, -0.12800612, -0.19255985]),
    (ONE, {"inp_asymmetry": 0.5}, [-0.1770896, -0.07976303, -0.35833633]),
    (ONE, BEND, [-0.13858113, -0.22695997, -0.32293534]),
    (ONE, {"out_bound": 0.1}, [-0.1, -0.1, -0.1]),
    (ONE, DROP, [-0.150908, -0.25390834, -0.38623175]),
    (ONE, {"r_series": 0.5}, [-0.09778717, -0.16133854, -0.23142931]),
    (ONE, {"r_series": 0.5, "v_offset_w_min": 0.0}, [-0.13858113, -0.22695997, -0.32293534]),
    (SUM, {"out_asymmetry": 0.5}, [-0.07444919, -0.1280061, -0.19255985]),
    (SUM, {"inp_asymmetry": 0.5}, [-0.1770896, -0.07976303, -0.35833633]),
    (SUM, BEND, [-0.13858113, -0.22695994, -0.32293534]),
    (SUM, DROP, [-0.151423, -0.25311872, -0.38618886]),
    (SUM, {"r_series": 0.5}, [-0.08988181, -0.07646656, -0.21106079]),
    (SUM, {"r_series": 0.5, "v_offset_w_min": 0.0}, [-0.13133553, -0.20763442, -0.33657473]),
    (DIGITAL, {"out_asymmetry": 0.5}, [-0.04625797, -0.07976303, -0.19255985]),
    (DIGITAL, BEND, [-0.13133553, -0.20763442, -0.33657473]),
    (DIGITAL, {"out_bound": 0.1}, [-0.04361756, -0.00351386, -0.15356675]),
    (DIGITAL, DROP, [-0.151423, -0.25311872, -0.38618886]),
    (DIGITAL, {"r_series": 0.5}, [-0.08988181, -0.07646656, -0.21106079]),
]  # fmt: skip


def array(shape: tuple[int, int], seed: int = 1) -> DeviceArray:
    return DeviceArray(load_device("constant_step", w_max_dtod=0, w_min_dtod=0), shape, seed=seed)


def seeded() -> tuple[DeviceArray, np.ndarray]:
    g = np.random.default_rng(0)
    cells = array((3, 5))
    cells.set_weights(g.uniform(-0.5, 0.5, (3, 5)))
    return cells, g.uniform(-1, 1, (1, 5))


@pytest.mark.parametrize(("mode", "options", "expected"), PEER)
def test_outputs_are_those_of_the_peer(mode: Any, options: dict[str, Any], expected: list[float]) -> None:
    cells, x = seeded()
    assert cells.forward(x, IOParameters(**IDEAL | options, mv_type=mode))[0] == pytest.approx(expected, abs=2e-7)


def test_noise_of_every_output_has_its_own_fixed_strength() -> None:
    """std of output i is |0.1 (1 + 0.3 xi_i)|: it spreads by 0.3 over the outputs and is the same in every read."""
    cells = array((600, 3))
    io = IOParameters(**IDEAL | {"out_noise": 0.1, "out_noise_std": 0.3})
    first, second = (cells.forward(np.zeros((800, 3)), io).std(axis=0) for _ in range(2))
    assert np.corrcoef(first, second)[0, 1] > 0.95
    assert first.mean() == pytest.approx(0.1, rel=5 * 0.3 / np.sqrt(600))
    assert first.std() / 0.1 == pytest.approx(0.3, rel=0.15)
    backward = array((3, 600)).read(np.zeros((800, 3)), io, transposed=True).y.std(axis=0)
    assert abs(np.corrcoef(first, backward)[0, 1]) < 0.2


def test_offsets_are_half_a_gaussian_and_multiply_the_output() -> None:
    """y (1 - v), v = max(std xi, 0), without reference: half of the outputs are exact."""
    cells = array((2000, 1))
    cells.set_weights(0.5)
    y = cells.forward([[1.0]], IOParameters(**IDEAL | {"v_offset_std": 0.1, "v_offset_w_min": 0.0}))[0]
    v = 1 - y / 0.5
    assert (v > -1e-6).all()
    assert (v < 1e-6).mean() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2000))
    assert np.sqrt((v[v > 1e-6] ** 2).mean()) == pytest.approx(0.1, rel=0.1)


def test_calibration_restores_the_slope_inside_the_range() -> None:
    """f y / (1 + n y) has slope 1 where f = (1 + n y)^2: at half the output range for slope_calibration 0.5."""
    cells = array((1, 1))
    cells.set_weights(0.5)
    io = IOParameters(**IDEAL | {"out_bound": 1.0, "out_nonlinearity": 0.8, "slope_calibration": 0.5})
    step = 1e-3
    y = cells.forward(np.array([[1 - step], [1 + step]]), io)[:, 0]
    assert (y[1] - y[0]) / step == pytest.approx(1.0, abs=1e-3)


def test_polarity_dependence_belongs_to_the_device() -> None:
    """Negative inputs see w (1 - f_ij), in forward and backward reads alike; positive ones see w."""
    cells = array((30, 40))
    cells.set_weights(0.4)
    io = IOParameters(**IDEAL | {"w_read_asymmetry_dtod": 0.2}, mv_type=SUM)
    assert pytest.approx(np.full((30, 40), 0.4), abs=1e-6) == cells.forward(np.eye(40), io).T
    f = 1 + cells.forward(-np.eye(40), io).T / 0.4
    assert f.std() == pytest.approx(0.2, rel=0.1)
    assert f.mean() == pytest.approx(0, abs=5 * 0.2 / np.sqrt(1200))
    assert 1 + cells.backward(-np.eye(30), io) / 0.4 == pytest.approx(f, abs=1e-5)


def test_ir_drop_grows_with_the_current_and_with_the_way() -> None:
    cells = array((1, 64))
    cells.set_weights(0.5)
    io = IOParameters(**IDEAL | {"ir_drop": 1.0})
    y = cells.forward(np.array([np.ones(64), np.full(64, 0.5)]), io)[:, 0]
    assert 1 - y[0] / 32 > 1.5 * (1 - y[1] / 16) > 0
    singles = cells.forward(np.eye(64), IOParameters(**IDEAL | {"ir_drop": 1.0, "ir_drop_g_ratio": 20.0}))[:, 0]
    assert (np.diff(singles) < 0).all()
    assert singles[0] == pytest.approx(0.5)


def test_two_passes_double_the_output_noise_power_only_when_each_is_converted() -> None:
    cells = array((50, 4))
    spreads = []
    for mode in (ONE, SUM, DIGITAL):
        io = IOParameters(**IDEAL | {"out_noise": 0.1}, mv_type=mode)
        spreads.append(cells.forward(np.zeros((400, 4)), io).std())
    assert spreads == pytest.approx([0.1, 0.1, 0.1 * np.sqrt(2)], rel=0.03)


def test_passes_and_conversions_are_counted() -> None:
    cells = array((3, 100))
    cells.set_weights(0.5)
    x = np.zeros((3, 100))
    x[0, 0], x[1], x[2, :30] = 1, 1, -1
    counts = {}
    for mode in (ONE, SUM, DIGITAL):
        result = cells.read(x, IOParameters(out_noise=0, mv_type=mode))
        counts[mode] = (result.passes.tolist(), result.conversions.tolist(), result.retries.tolist())
    assert counts[ONE] == ([1, 4, 2], [1, 4, 2], [0, 3, 1])
    assert counts[SUM] == ([2, 8, 4], [1, 4, 2], [0, 3, 1])
    assert counts[DIGITAL] == ([2, 8, 4], [2, 8, 4], [0, 3, 1])
    perfect = cells.read(x, IOParameters(is_perfect=True, mv_type=DIGITAL))
    assert perfect.passes.tolist() == perfect.conversions.tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("options", "reduction"),
    [
        ({}, 16),
        ({"inp_res": 1 / 62}, 8),
        ({"max_bm_factor": 1}, 2),
        ({"max_bm_factor": 3}, 4),
        ({"max_bm_factor": 4}, 8),
        ({"inp_res": -1.0}, 1024),
        ({"inp_res": -1.0, "max_bm_factor": 10}, 16),
        ({"inp_res": 1 / 30, "max_bm_res": 0.05}, 1),
    ],
)
def test_bound_management_gives_up_where_the_peer_does(options: dict[str, Any], reduction: int) -> None:
    """What AIHWKit 1.1.0 reads of a weight that saturates at 1e-5 for good: the bound times the reduction."""
    cells = array((1, 1))
    cells.set_weights(0.5)
    io = IOParameters(out_noise=0, out_bound=1e-5, **options)
    assert cells.forward([[1.0]], io)[0, 0] == pytest.approx(1e-5 * reduction)


@pytest.mark.parametrize(
    ("management", "options", "reduction"),
    [
        # The largest magnitude of 1, then the sums over 1e-5 up to 0.25 of 1 / 63, halved until above the factor.
        ("abs_max", {"max_bm_factor": 3}, 15.75 * 4),
        ("constant", {"max_bm_factor": 3, "nm_thres": 3.0}, 15.75 * 4),
        ("average_abs_max", {"max_bm_factor": 3}, 15.75 * 4),
        ("abs_max_np_sum", {"max_bm_factor": 3}, 15.75 * 4),
        ("abs_max_np_sum", {"max_bm_factor": 3, "nm_thres": 0.5}, 15.75 * 2),
        ("none", {"max_bm_factor": 3}, 4),
        ("none", {}, 16),
        ("abs_max", {"inp_res": 1 / 30, "max_bm_res": 0.05}, 1),
        ("constant", {"inp_res": 1 / 30, "max_bm_res": 0.05, "nm_thres": 3.0}, 3),
    ],
)
def test_worst_case_bound_management_gives_up_where_the_peer_does(
    management: Any, options: dict[str, Any], reduction: float
) -> None:
    """As above, recorded from AIHWKit 1.1.0; where it counts anew from the second divisor, and where it does not."""
    cells = array((1, 1))
    cells.set_weights(0.5)
    io = IOParameters(
        out_noise=0, out_bound=1e-5, bound_management="iterative_worst_case", noise_management=management, **options
    )
    assert cells.forward([[1.0]], io)[0, 0] == pytest.approx(1e-5 * reduction)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 15.75),  # 0.25 of 1 / 63; the sums ask for 25.6
        ({"inp_res": -1.0}, 25.6),
        ({"inp_res": -1.0, "nm_thres": 0.5}, 25.6),
        ({"nm_thres": 0.5}, 0.5 * 15.75),
        ({"out_bound": 0.0, "inp_res": -1.0}, 512 * 0.6),
    ],
)
def test_sums_of_one_sign_widen_the_divisor(options: dict[str, Any], expected: float) -> None:
    """512 ones over weights of 0.6 at most and outputs up to 12, as AIHWKit 1.1.0 scales them."""
    io = IOParameters(noise_management="abs_max_np_sum", **options)
    assert input_scale(np.ones((1, 512), np.float32), io)[0] == pytest.approx(expected)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("management", ["abs_max", "max", "abs_max_np_sum"])
@pytest.mark.parametrize("vectors", [3, 40])
def test_a_vector_of_zeros_reads_zeros(vectors: int, management: Any, transposed: bool) -> None:
    """Noise management leaves nothing of the noise behind the converters: the limit of ever smaller vectors."""
    cells = array((4, 4))
    cells.set_weights(0.3)
    x = np.ones((vectors, 4), np.float32)
    x[1] = 0
    read = cells.backward if transposed else cells.forward
    y = read(x, IOParameters(noise_management=management, bound_management="none"))
    assert (y[1] == 0).all()
    assert (y[0] != 0).any()
    noisy = read(x, IOParameters(noise_management="none", bound_management="none"))
    assert (noisy[1] != 0).any()


def test_average_abs_max_has_no_upper_limit() -> None:
    io = IOParameters(noise_management="average_abs_max", nm_thres=0.5)
    assert input_scale(np.full((2, 3), 4.0, np.float32), io).tolist() == [4.0, 4.0]


def test_average_abs_max_follows_the_vectors() -> None:
    """AIHWKit 1.1.0 gives these means for these batches: the first starts the mean, each vector counts once."""
    io = IOParameters(noise_management="average_abs_max")
    running = RunningScale()
    means = []
    for batch in ([3.0], [1.0], [1.0], [6.0, 2.0, 2.0], [-9.0]):
        scale = input_scale(np.array(batch, np.float32)[:, None] * np.ones((1, 5), np.float32), io, running)
        means.append(scale[-1])
    assert means == pytest.approx([3.0, 2.997999906539917, 2.996001958847046, 2.99700927734375, 3.0030124187469482])


def test_average_abs_max_belongs_to_array_and_direction() -> None:
    io = IOParameters(noise_management="average_abs_max")
    cells = array((4, 6))
    assert cells.read(np.full(6, 3.0), io).input_scale == pytest.approx([3.0])
    assert cells.read(np.full(4, 5.0), io, transposed=True, purpose="backward").input_scale == pytest.approx([5.0])
    assert cells.read(np.full(6, 1.0), io).input_scale == pytest.approx([2.998])
    assert cells.read(np.full(6, 9.0), io, purpose="evaluation").input_scale == pytest.approx([2.998])
    assert cells.read_line(0, io=io).input_scale == pytest.approx([2.998])
    saved = cells.state()
    expected = cells.read(np.full(6, 2.0), io)
    other = array((4, 6))
    other.restore(saved)
    again = other.read(np.full(6, 2.0), io)
    assert again.input_scale.tolist() == expected.input_scale.tolist()
    assert (again.y == expected.y).all()


def test_fixed_spreads_do_not_depend_on_what_was_read() -> None:
    io = IOParameters(v_offset_std=0.2, out_noise_std=0.3, out_nonlinearity=0.1, out_nonlinearity_std=0.5)
    x = np.ones((2, 6))
    fresh, used = array((4, 6)), array((4, 6))
    for cells in (fresh, used):
        cells.set_weights(0.3)
    used.forward(
        x,
        IOParameters(v_offset_std=0.5),
    )
    used.restore(fresh.state())
    assert (used.forward(x, io) == fresh.forward(x, io)).all()
    assert (array((4, 6), seed=2).forward(x, io) != fresh.forward(x, io)).any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"w_read_asymmetry_dtod": 0.1}, "needs mv_type"),
        ({"out_nonlinearity": 0.1, "out_bound": 0.0}, "relative to out_bound"),
        ({"slope_calibration": 0.1, "out_bound": 0.0}, "relative to out_bound"),
        ({"ir_drop": -1.0}, "ir_drop"),
        ({"ir_drop_g_ratio": 0.0}, "ir_drop_g_ratio"),
        ({"v_offset_w_min": 0.5}, "v_offset_w_min"),
        ({"r_series": -0.1}, "r_series"),
        ({"out_noise_std": float("nan")}, "out_noise_std"),
        ({"mv_type": "bit_wise"}, "mv_type"),
        ({"noise_management": "average"}, "noise_management"),
    ],
)  # fmt: skip
def test_illegal_converters_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        build(IOParameters, Document(values))
