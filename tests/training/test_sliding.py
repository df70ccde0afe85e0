"""Patches, their transpose, and poolings, against loops over every position."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate2d

from hwsim.spec.layers import Conv2d, Pool, Shape
from hwsim.training.sliding import Sliding


@st.composite
def windows(draw):
    """A window with its padding on a grid that it fits."""
    kernel, padding, dilation = (draw(st.integers(*bounds)) for bounds in ((1, 3), (0, 2), (1, 2)))
    least = max(dilation * (kernel - 1) + 1 - 2 * padding, 1)
    height, width = (draw(st.integers(least, least + 5)) for _ in range(2))
    groups = draw(st.integers(1, 2))
    shape = Shape(groups * draw(st.integers(1, 2)), height, width)
    layer = Conv2d(
        name="a", kind="conv2d", inputs=shape.channels, outputs=groups, kernel=kernel, stride=draw(st.integers(1, 3)),
        padding=padding, dilation=dilation, groups=groups,
    )  # fmt: skip
    return layer, shape


def stream(shape: Shape, n: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n * shape.positions, shape.channels)).astype(np.float32)


def padded(x: np.ndarray, shape: Shape, padding: int, around: float = 0.0) -> np.ndarray:
    """The samples as (n, channels, height, width), with a border."""
    grid = x.reshape(-1, shape.height, shape.width, shape.channels).transpose(0, 3, 1, 2)
    return np.pad(grid, ((0, 0), (0, 0), (padding, padding), (padding, padding)), constant_values=around)


@settings(deadline=None, max_examples=60)
@given(windows())
def test_patches_are_what_a_loop_cuts_out(window) -> None:
    layer, shape = window
    x, output = stream(shape), layer.output(shape)
    grid, found = padded(x, shape, layer.padding), []
    reach, own = layer.dilation * (layer.kernel - 1) + 1, shape.channels // layer.groups
    for sample in grid:
        for row in range(0, output.height * layer.stride, layer.stride):
            for col in range(0, output.width * layer.stride, layer.stride):
                patch = sample[:, row : row + reach : layer.dilation, col : col + reach : layer.dilation]
                found += [patch[group * own : (group + 1) * own].ravel() for group in range(layer.groups)]
    patches = Sliding.of(layer, shape).patches(x, layer.groups)
    assert patches.shape == (2 * layer.vectors(shape), layer.matrix[1])
    np.testing.assert_array_equal(patches, found)


@settings(deadline=None, max_examples=60)
@given(windows())
def test_fold_is_the_transpose_of_patches(window) -> None:
    layer, shape = window
    sliding = Sliding.of(layer, shape)
    x = stream(shape)
    patches = sliding.patches(x, layer.groups)
    errors = stream(Shape(patches.shape[1], len(patches), 1), 1, seed=1)
    assert np.vdot(errors.astype(float), patches) == pytest.approx(
        np.vdot(sliding.fold(errors, layer.groups).astype(float), x), abs=1e-3
    )


def test_patches_times_a_matrix_are_the_correlations_of_scipy() -> None:
    shape = Shape(3, 9, 7)
    layer = Conv2d(name="a", kind="conv2d", inputs=3, outputs=4, kernel=3, padding=1)
    x, weight = stream(shape), stream(Shape(27, 4, 1), 1, seed=2)
    got = (Sliding.of(layer, shape).patches(x) @ weight.T).reshape(2, 9, 7, 4)
    kernels = weight.reshape(4, 3, 3, 3)
    for sample, image in enumerate(padded(x, shape, 0)):
        for output in range(4):
            wanted = sum(correlate2d(image[c], kernels[output, c], mode="same") for c in range(3))
            np.testing.assert_allclose(got[sample, :, :, output], wanted, atol=1e-4)


@settings(deadline=None, max_examples=60)
@given(windows(), st.booleans())
def test_poolings_and_their_errors_are_those_of_a_loop(window, whole: bool) -> None:
    conv, shape = window
    side = None if whole else conv.kernel
    pool = Pool(
        name="a", kind="max_pool", kernel=side, stride=None if whole else conv.stride,
        padding=0 if whole else min(conv.padding, conv.kernel // 2),
    )  # fmt: skip
    try:
        output = pool.output(shape)
    except ValueError:
        return
    sliding, x = Sliding.of(pool, shape), stream(shape)
    rows, cols = sliding.kernel
    errors = stream(output, seed=1)
    largest, mean = (np.zeros((2, *output), np.float32) for _ in range(2))
    of_largest, of_mean = (padded(np.zeros_like(x), shape, pool.padding) for _ in range(2))
    for index in np.ndindex(2, *output):
        sample, channel, row, col = index
        there = (sample, channel, slice(row * sliding.stride, row * sliding.stride + rows),
                 slice(col * sliding.stride, col * sliding.stride + cols))  # fmt: skip
        inside = padded(x, shape, pool.padding, -np.inf)[there]
        largest[index], mean[index] = inside.max(), padded(x, shape, pool.padding)[there].mean()
        error = errors.reshape(2, output.height, output.width, -1)[sample, row, col, channel]
        of_largest[there] += np.where(np.arange(inside.size) == inside.argmax(), error, 0).reshape(inside.shape)
        of_mean[there] += error / inside.size
    found, where = sliding.largest(x)
    np.testing.assert_array_equal(_by_channel(found, output), largest)
    np.testing.assert_allclose(_by_channel(sliding.mean(x), output), mean, atol=1e-5)
    cut = (slice(None), slice(None), *[slice(pool.padding, pool.padding + length) for length in shape[1:]])
    np.testing.assert_allclose(_by_channel(sliding.to_the_largest(errors, where), shape), of_largest[cut], atol=1e-5)
    np.testing.assert_allclose(_by_channel(sliding.spread(errors), shape), of_mean[cut], atol=1e-5)


def _by_channel(x: np.ndarray, shape: Shape) -> np.ndarray:
    return x.reshape(2, shape.height, shape.width, shape.channels).transpose(0, 3, 1, 2)


def test_of_equal_numbers_the_first_one_is_the_largest() -> None:
    shape = Shape(1, 2, 2)
    sliding = Sliding.of(Pool(name="a", kind="max_pool", kernel=2), shape)
    _, where = sliding.largest(np.zeros((4, 1), np.float32))
    error = sliding.to_the_largest(np.ones((1, 1), np.float32), where)
    assert error.ravel().tolist() == [1, 0, 0, 0]
