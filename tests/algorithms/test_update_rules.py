"""Each algorithm against a plain transcription of its published rule, bit by bit on exact devices (see conftest).

The transcriptions follow the pseudo-code of the papers and of AIHWKit's kernels; they share no code with hwsim.
"""

from itertools import count

import numpy as np
import pytest

from hwsim.training.algorithms.mixed_precision import quantise
from hwsim.training.algorithms.multi_tile import plateau

STEP = 2.0**-12
EXACT_LR = 64 * STEP
EXACT = {"desired_bl": 64, "pulse_type": "mean_count", "update_management": False, "update_bl_management": False}
WRITE = {"desired_bl": 4096, "pulse_type": "mean_count", "update_management": False, "update_bl_management": False}
"""Trains in which a transfer at a rate of 1 writes exactly what was read: 4096 slots of one step each."""
FAST = {"fast_lr": EXACT_LR, "update": EXACT}


def samples(batches):
    for x_batch, d_batch in batches:
        for x, d in zip(x_batch, d_batch, strict=True):
            yield x.astype(float), d.astype(float)


def settle(h, n_max, momentum, forget, threshold=1.0):
    """The threshold rule of one element: returns (steps, what stays)."""
    n = max(-n_max, min(n_max, int(h / threshold)))
    if n == 0:
        return 0, h
    return n, (h * momentum if forget else h - (1 - momentum) * n * threshold)


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize("reads", [1, 2])
def test_tiki_taka(bench, batches, weights, columns, reads) -> None:
    options = {"transfer_update": WRITE, "scale_transfer_lr": False, "n_reads_per_transfer": reads}
    rig = bench("tiki-taka", FAST | options | {"transfer_columns": columns})
    rig.train(batches[:20])
    a, c = np.zeros((5, 7)), weights.astype(float)
    line = 0
    for t, (x, d) in enumerate(samples(batches[:20]), start=1):
        a -= EXACT_LR * np.outer(d, x)
        if t % 3 == 0:
            for _ in range(reads):
                if columns:
                    c[:, line] += a[:, line]
                else:
                    c[line] += a[line]
                line = (line + 1) % (7 if columns else 5)
    np.testing.assert_array_equal(rig.array(0), a)
    np.testing.assert_array_equal(rig.array(1), np.clip(c, -1, 1))


@pytest.mark.parametrize("name", ["tiki-taka", "ttv2", "c-ttv2"])
def test_without_a_rate_of_its_own_the_fast_array_learns_as_the_network(bench, batches, name) -> None:
    """AIHWKit: ``fast_lr`` 0 is the learning rate."""
    options = {"update": EXACT, "transfer_every": 1000.0, "in_chop_prob": 0.0}
    rig = bench(name, {key: value for key, value in options.items() if name == "c-ttv2" or "chop" not in key}
                | {"fast_lr": 0.0})  # fmt: skip
    rig.train(batches[:5], lr=EXACT_LR)
    expected = -EXACT_LR * sum(np.outer(d, x) for x, d in samples(batches[:5]))
    np.testing.assert_allclose(rig.array(0), expected, atol=1e-7)


@pytest.mark.parametrize("given", [False, True])
def test_a_chain_of_three_arrays_slows_by_the_columns(bench, batches, weights, given) -> None:
    """AIHWKit slows level k by the rows (its defect); the right factor is the number of lines that take their turn."""
    options = {"transfer_update": WRITE, "scale_transfer_lr": False, "n_arrays": 3, "units_in_mbatch": False}
    every = [2, 5] if given else [1, 7]
    vectors = {"transfer_every_vec": every, "transfer_lr_vec": [1.0, 1.0], "gamma_vec": [0.25, 0.5, 2.0]}
    rig = bench("tiki-taka", FAST | options | (vectors if given else {"gamma": 0.5}))
    start = rig.array(2).astype(float)
    gains = (0.25, 0.5, 2.0) if given else (0.25, 0.5, 1.0)
    np.testing.assert_allclose(rig.matrix.weights(), weights, atol=2 * STEP)
    rig.train(batches[:10])
    chain = [np.zeros((5, 7)), np.zeros((5, 7)), start]
    lines = [0, 0]
    for t, (x, d) in enumerate(samples(batches[:10]), start=1):
        chain[0] -= EXACT_LR * np.outer(d, x)
        for k in (0, 1):
            if t % every[k] == 0:
                chain[k + 1][:, lines[k]] += chain[k][:, lines[k]]
                np.clip(chain[k + 1], -1, 1, out=chain[k + 1])
                lines[k] = (lines[k] + 1) % 7
    for k in range(3):
        np.testing.assert_array_equal(rig.array(k), chain[k])
    seen = sum(gain * array for gain, array in zip(gains, chain, strict=True))
    np.testing.assert_allclose(rig.matrix.weights(), seen, rtol=1e-6)


@pytest.mark.parametrize("columns", [True, False])
@pytest.mark.parametrize(("forget", "momentum"), [(True, 0.0), (True, 0.25), (False, 0.25)])
@pytest.mark.parametrize("gamma", [0.0, 0.5])
def test_ttv2(bench, batches, weights, columns, forget, momentum, gamma) -> None:
    options = {"transfer_lr": 0.125, "scale_transfer_lr": True, "forget_buffer": forget, "momentum": momentum,
               "thres_scale": 4.0, "gamma": gamma, "transfer_columns": columns}  # fmt: skip
    rig = bench("ttv2", FAST | options)
    rig.train(batches, lr=0.5)
    a, c, h = np.zeros((5, 7)), weights.astype(float), np.zeros((5, 7))
    line, writes = 0, 0
    for t, (x, d) in enumerate(samples(batches), start=1):
        a -= EXACT_LR * np.outer(d, x)
        if t % 3:
            continue
        cells = [(i, line) for i in range(5)] if columns else [(line, j) for j in range(7)]
        any_written = False
        for cell in cells:
            h[cell] += 0.125 * 0.5 * (gamma or 1) * a[cell]
            n, h[cell] = settle(h[cell], 1, momentum, forget, 4 * STEP)
            c[cell] += n * STEP
            any_written |= n != 0
        writes += any_written
        line = (line + 1) % (7 if columns else 5)
    np.testing.assert_array_equal(rig.array(0), a)
    np.testing.assert_allclose(rig.array(1), c, atol=1e-9)
    np.testing.assert_allclose(rig.algorithm.hidden["fc"], h, rtol=1e-5, atol=1e-8)
    assert 20 < writes == len(rig.kinds("transfer_write")) < len(rig.kinds("transfer_read"))
    np.testing.assert_allclose(rig.matrix.weights(), gamma * a + c, atol=1e-7)


@pytest.mark.parametrize("gains", [(0.0, 0.0, 1.0), (0.25, 0.5, 2.0)])
def test_a_chain_of_ttv2_has_a_buffer_between_any_two_arrays(bench, batches, gains) -> None:
    """Gains above 0 scale what is transferred by that of the array over that of the next; AIHWKit's kernels agree."""
    every, rates = [1, 3], [0.5, 0.25]
    options = {"n_arrays": 3, "gamma_vec": gains, "transfer_every_vec": [*every, 1], "transfer_lr_vec": [*rates, 1.0],
               "units_in_mbatch": False, "thres_scale": 2.0}  # fmt: skip
    rig = bench("ttv2", FAST | options)
    chain = [np.zeros((5, 7)), np.zeros((5, 7)), rig.array(2).astype(float)]
    buffers, lines, writes = [np.zeros((5, 7)), np.zeros((5, 7))], [0, 0], [0, 0]
    rig.train(batches * 3, lr=0.5)
    for t, (x, d) in enumerate(samples(batches * 3), start=1):
        chain[0] = np.clip(chain[0] - EXACT_LR * np.outer(d, x), -1, 1)
        for k in (0, 1):
            if t % every[k]:
                continue
            scale = rates[k] * 0.5 * (gains[k] / gains[k + 1] if gains[k] else 1.0)
            for i in range(5):
                h = buffers[k][i, lines[k]] + scale * chain[k][i, lines[k]]
                n, buffers[k][i, lines[k]] = settle(h, 1, 0.1, True, 2 * STEP)
                chain[k + 1][i, lines[k]] += n * STEP
                writes[k] += n != 0
            lines[k] = (lines[k] + 1) % 7
    for k in range(3):
        np.testing.assert_allclose(rig.array(k), chain[k], atol=1e-9)
    np.testing.assert_allclose(rig.algorithm.hidden["fc/1"], buffers[1], rtol=1e-4, atol=1e-8)
    assert min(writes) > 20


def test_residual_v2(bench, batches, weights) -> None:
    options = {"fast_lr": EXACT_LR, "scale_fast_lr": False, "update": EXACT, "transfer_lr": 0.125, "gamma": 0.5}
    rig = bench("residual-v2", options)
    rig.train(batches)
    p, w, h = np.zeros((5, 7)), weights.astype(float), np.zeros((5, 7))
    column = 0
    for t, (x, d) in enumerate(samples(batches), start=1):
        p -= EXACT_LR * np.outer(d, x)
        if t % 3:
            continue
        for i in range(5):
            leaky = (1 - 0.125) * h[i, column] + 0.125 * p[i, column]
            fired = np.sign(leaky) if abs(leaky) >= STEP else 0.0
            w[i, column] += fired * STEP
            h[i, column] = leaky - fired * STEP
        column = (column + 1) % 7
    np.testing.assert_array_equal(rig.array(0), p)
    np.testing.assert_allclose(rig.array(1), w, atol=1e-9)
    np.testing.assert_allclose(rig.algorithm.hidden["fc"], h, rtol=1e-5, atol=1e-8)
    assert np.abs(w - weights).max() > 5 * STEP
    np.testing.assert_allclose(rig.matrix.weights(), 0.5 * p + w, atol=1e-7)


class Dice:
    """The same numbers for the algorithm and its transcription, one after the other by purpose."""

    def __init__(self) -> None:
        self.streams: dict[str, np.random.Generator] = {}

    def __call__(self, purpose, n):
        if purpose not in self.streams:
            self.streams[purpose] = np.random.default_rng(sum(map(ord, purpose)))
        return self.streams[purpose].random(n)


CHOPPED = [
    {"in_chop_prob": 0.5},
    {"in_chop_prob": 0.5, "out_chop_prob": 0.5},
    {"in_chop_prob": 0.5, "in_chop_random": False},
    {"in_chop_prob": 0.0},
    {"in_chop_prob": 0.0, "out_chop_prob": 0.75},
    {"in_chop_prob": 0.25, "forget_buffer": False, "momentum": 0.5},
    {"in_chop_prob": 0.25, "no_buffer": True, "auto_granularity": 0.0},
    {"in_chop_prob": 0.25, "gamma": 0.5, "out_chop_prob": 0.25},
    {"in_chop_prob": 0.25, "gamma": 0.5, "out_chop_prob": 0.25, "transfer_columns": False},
    {"in_chop_prob": 0.25, "correct_gradient_magnitudes": True},
    {"in_chop_prob": 0.25, "transfer_every": 1.0, "units_in_mbatch": True},
    {"in_chop_prob": 0.25, "transfer_update": {"desired_bl": 1}},
]


@pytest.mark.parametrize("own", CHOPPED, ids=str)
def test_c_ttv2(bench, batches, weights, own) -> None:
    options = {"transfer_lr": 2.0**-4, "transfer_every": 1.0, "auto_granularity": 14.0, "momentum": 0.25} | own
    if options.get("correct_gradient_magnitudes"):
        options["transfer_lr"] = 2.0**-10
    if "transfer_update" in own:
        options["transfer_update"] = {"desired_bl": 1, "update_management": False, "update_bl_management": False}
    rig = bench("c-ttv2", FAST | options)
    rolled, mirrored = Dice(), Dice()
    rig.algorithm.drawn = lambda _, purpose, n: rolled(purpose, n)
    rig.train(batches)

    columns = options.get("transfer_columns", True)
    n_lines, n_cells = (7, 5) if columns else (5, 7)
    line_signs, cell_signs = np.ones(n_lines), np.ones(n_cells)
    a, c, h = np.zeros((5, 7)), weights.astype(float), np.zeros((5, 7))
    line, sweeps = 0, 0
    bg = STEP * (options["auto_granularity"] / n_lines if options["auto_granularity"] else 1)
    k = options["transfer_lr"] / bg / (EXACT_LR if options.get("correct_gradient_magnitudes") else 1)
    k *= options.get("gamma", 0) or 1
    for t, (x, d) in enumerate(samples(batches), start=1):
        cx, cd = (line_signs, cell_signs) if columns else (cell_signs, line_signs)
        a -= EXACT_LR * np.outer(d * cd, x * cx)
        if options.get("units_in_mbatch") and t % 3:
            continue
        for cell in range(n_cells):
            at = (cell, line) if columns else (line, cell)
            before = 0.0 if options.get("no_buffer") else h[at]
            filled = before + k * a[at] * line_signs[line] * cell_signs[cell]
            n, h[at] = settle(filled, 1, options["momentum"], options.get("forget_buffer", True))
            c[at] += n * STEP
        if options["in_chop_prob"]:
            if options.get("in_chop_random", True):
                if mirrored("in-chopper", 1)[0] < options["in_chop_prob"]:
                    line_signs[line] *= -1
            elif sweeps % int(1 / options["in_chop_prob"]) + 1 == int(1 / options["in_chop_prob"]):
                line_signs[line] *= -1
        if line == n_lines - 1:
            if options.get("out_chop_prob"):
                cell_signs[mirrored("out-chopper", n_cells) < options["out_chop_prob"]] *= -1
            sweeps += 1
        line = (line + 1) % n_lines
    np.testing.assert_array_equal(rig.array(0), a)
    np.testing.assert_allclose(rig.array(1), c, atol=1e-9)
    assert np.abs(c - weights).max() > 3 * STEP
    cx, cd = (line_signs, cell_signs) if columns else (cell_signs, line_signs)
    # AIHWKit's CPU reduction indexes this matrix the wrong way round; 5 x 7 on four tiles would show it.
    seen = options.get("gamma", 0) * np.outer(cd, cx) * a + c
    np.testing.assert_allclose(rig.matrix.weights(), seen, atol=1e-7)
    y, _ = rig.matrix.read(np.eye(7, dtype=np.float32))
    np.testing.assert_allclose(y.T, seen, atol=1e-6)


AGAD = [
    {},
    {"in_chop_prob": 0.25, "tail_weightening": 2.0},
    {"in_chop_random": True, "in_chop_prob": 0.25},
    {"forget_buffer": False, "momentum": 0.25, "buffer_cap": 1.5},
    {"experimental_correct_accumulation": True},
    {"transfer_columns": False, "gamma": 0.5},
]


@pytest.mark.parametrize("own", AGAD, ids=str)
def test_agad(bench, batches, weights, own) -> None:
    options = {"transfer_lr": 2.0**-4, "auto_granularity": 7.0, "in_chop_prob": 0.34, "tail_weightening": 1.5} | own
    rig = bench("agad", FAST | options)
    rolled, mirrored = Dice(), Dice()
    rig.algorithm.drawn = lambda _, purpose, n: rolled(purpose, n)
    rig.train(batches)

    columns = options.get("transfer_columns", True)
    n_lines, n_cells = (7, 5) if columns else (5, 7)
    period = max(int(np.ceil(1 / options["in_chop_prob"])), 2)
    beta = min(options["tail_weightening"] / period, 1.0)
    signs, switched = np.ones(n_lines), np.zeros(n_lines, bool)
    a, c, h, mean, past = np.zeros((5, 7)), weights.astype(float), *(np.zeros((5, 7)) for _ in range(3))
    line, sweeps, early = 0, 0, 0
    for x, d in samples(batches):
        cx, cd = (signs, np.ones(5)) if columns else (np.ones(7), signs)
        a -= EXACT_LR * np.outer(d * cd, x * cx)
        k = options["transfer_lr"] * (options.get("gamma", 0) or 1) / (STEP * 7.0 / n_lines)
        if options.get("experimental_correct_accumulation"):
            k /= min(sweeps % period + 1, 1 / STEP)
        for cell in range(n_cells):
            at = (cell, line) if columns else (line, cell)
            if switched[line]:
                past[at] = mean[at]
            filled = h[at] + k * signs[line] * (a[at] - past[at])
            n, h[at] = settle(filled, 1, options.get("momentum", 0), options.get("forget_buffer", True))
            if n and options.get("buffer_cap"):
                h[at] = np.clip(h[at], -options["buffer_cap"], options["buffer_cap"])
            mean[at] = (1 - beta) * mean[at] + beta * a[at]
            if sweeps > period:
                c[at] += n * STEP
            else:
                early += n != 0
        switched[line] = False
        flip = sweeps % period + 1 == period
        if options.get("in_chop_random"):
            flip |= bool(mirrored("in-chopper", 1)[0] < options["in_chop_prob"]) if not flip else False
        if flip:
            signs[line] *= -1
            switched[line] = True
        if line == n_lines - 1:
            sweeps += 1
        line = (line + 1) % n_lines
    assert early > 0, "the rule that nothing is written before there is a reference must matter here"
    np.testing.assert_array_equal(rig.array(0), a)
    np.testing.assert_allclose(rig.algorithm.means["fc"], mean, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rig.algorithm.references["fc"], past, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(rig.array(1), c, atol=1e-9)
    assert np.abs(c - weights).max() > 3 * STEP


def test_auto_scale_follows_the_running_means(bench, batches) -> None:
    """lr_A = fast_lr BL dw_min / (m_x m_d); means start at the first value, skip zeros, rate (1 - momentum)/batch."""
    rig = bench("c-ttv2", {"auto_scale": True, "fast_lr": 0.5, "auto_momentum": 0.9, "transfer_every": 2.0})
    given = [*batches[:6], (np.zeros((3, 7), np.float32), batches[0][1]), batches[7]]
    rig.train(given)
    emitted = np.concatenate([operation.lr for operation in rig.kinds("update")])
    means, expected = [0.0, 0.0], []
    for x, d in samples(given):
        for side, largest in enumerate((np.abs(x).max(), np.abs(d).max())):
            if means[side] <= 0:
                means[side] = largest
            elif largest > 0:
                means[side] += 0.1 / 3 * (largest - means[side])
        expected.append(0.5 * 31 * STEP / (means[0] * means[1]))
    np.testing.assert_allclose(emitted, expected, rtol=1e-5)
    assert rig.algorithm.choppers["fc"].rate == pytest.approx(expected[-1], rel=1e-5)


def test_a_rate_for_each_sample_is_what_each_sample_gets(bench, batches) -> None:
    """Half of the samples at rate 0: the others alone must give the same weights."""
    x, d = batches[0]
    plans = [
        bench("analog-sgd", {"update": EXACT}).matrix.plan(0, x, d, lr, bench("analog-sgd").algorithm.parameters.update)
        for lr in (np.array([0.01, 0.02, 0.0]), 0.01, 0.02, 0.0)
    ]
    for sample in range(3):
        for name in ("bl", "col_gain", "row_gain"):
            assert getattr(plans[0], name)[sample] == getattr(plans[1 + sample], name)[sample]


def test_transfers_spread_over_the_states_of_the_fast_array(bench, batches) -> None:
    """A negative transfer_every: states / columns times its magnitude, 8192 / 7 * 0.01 = 11.7 samples."""
    rig = bench("c-ttv2", FAST | {"transfer_every": -0.01})
    rig.train(batches[:40])
    assert len(rig.kinds("transfer_read")) == 120 // 12


@pytest.mark.parametrize(
    "options", [{}, {"n_rows_per_transfer": 2}, {"transfer_every": 3.0}, {"granularity": 4 * STEP}]
)
def test_mixed_precision(bench, batches, weights, options) -> None:
    rig = bench("mixed-precision", {"update": {"desired_bl": 64, "pulse_type": "mean_count"}, **options})
    small = [(x, d / 4) for x, d in batches]
    rig.train(small, lr=EXACT_LR)
    w, chi = weights.astype(float), np.zeros((5, 7))
    size = options.get("granularity", STEP)
    row, due = 0, count(1)
    for x, d in small:
        chi += EXACT_LR * d.astype(float).T @ x
        if next(due) % options.get("transfer_every", 1):
            continue
        for _ in range(options.get("n_rows_per_transfer", 5)):
            n = np.trunc(chi[row] / size)
            chi[row] -= n * size
            w[row] -= n * size
            row = (row + 1) % 5
    np.testing.assert_allclose(rig.algorithm.chi["fc"], chi, atol=1e-8)
    # A write is rounded to whole pulses by its trains; here that is exact to a step or two over the whole run.
    assert np.abs(rig.array(0) - w).max() <= 4 * size
    assert np.abs(w - weights).max() > 10 * STEP


def test_quantisation_rounds_to_its_levels_and_without_bias() -> None:
    values = np.array([[1.0, 0.6, -0.26, 0.1, 0.0]], np.float32)
    np.testing.assert_allclose(quantise(values, 4, None), [[1.0, 0.5, -0.5, 0.0, 0.0]])
    assert quantise(values, 0, None) is values
    rng = np.random.default_rng(0)
    drawn = np.concatenate([quantise(values, 4, rng) for _ in range(4000)])
    assert set(np.unique(drawn * 2)) <= {-1.0, 0.0, 1.0, 2.0}
    np.testing.assert_allclose(drawn.mean(axis=0), values[0], atol=5 * 0.25 / np.sqrt(4000))
    np.testing.assert_array_equal(quantise(np.zeros((2, 3), np.float32), 4, rng), np.zeros((2, 3)))


def test_multi_tile(bench, batches, weights) -> None:
    options = {
        "fast_lr": EXACT_LR,
        "scale_fast_lr": False,
        "update": EXACT,
        "transfer_update": WRITE,
        "gamma": 0.5,
        "n_arrays": 4,
        "transfer_every": 1.0,
        "transfer_every_factor": 2.0,
        "transfer_lr_vec": [1.0, 1.0, 1.0],
    }
    rig = bench("multi-tile", options)
    rig.train(batches[:24])
    tiles = [np.zeros((5, 7)) for _ in range(3)] + [weights.astype(float)]
    columns = [0, 0, 0]
    for t, (x, d) in enumerate(samples(batches[:24]), start=1):
        tiles[0] -= EXACT_LR * np.outer(d, x)
        for k in range(3):
            if t % (3 * 2**k) == 0:
                tiles[k + 1][:, columns[k]] += tiles[k][:, columns[k]]
                np.clip(tiles[k + 1], -1, 1, out=tiles[k + 1])
                columns[k] = (columns[k] + 1) % 7
    for k in range(4):
        np.testing.assert_array_equal(rig.array(k), tiles[k])
    seen = sum(0.5 ** (3 - k) * tiles[k] for k in range(4))
    np.testing.assert_allclose(rig.matrix.weights(), seen, atol=1e-7)


def test_warm_start_fills_the_arrays_from_the_most_significant_down(bench, batches) -> None:
    rig = bench("multi-tile", {"warm_start": True, "n_arrays": 4, "transfer_every": 1.0, "transfer_every_factor": 1.0})
    targets = []
    for loss in (3.0, 2.0, 2.5, 2.6, 2.7, 2.8):
        rig.operations.clear()
        rig.train(batches[:1])
        targets.append([(read.array, write.array) for read, write in
                        zip(rig.kinds("transfer_read"), rig.kinds("transfer_write"), strict=True)])  # fmt: skip
        rig.algorithm.end_epoch(loss)
    down_the_chain = [(0, 1), (1, 2), (2, 3)]
    assert targets == [[(0, 3)], [(0, 3)], [(0, 3)], [(0, 2)], [(0, 1)], down_the_chain]


def test_plateau_rule() -> None:
    assert not plateau([1.0], 0)
    assert plateau([1.0, 1.1], 3)
    assert not plateau([1.0, 0.9], 0)
    assert not plateau([1.0, 1.1, 1.2, 1.3, 1.4], 4)
    assert plateau([1.0, 1.1, 1.0, 1.1, 1.0, 0.9], 4)
    assert not plateau([1.0, 1.1, 1.0, 0.9, 0.8, 0.7], 4)
