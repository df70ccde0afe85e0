"""Activations and losses against closed forms and finite differences."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwsim.errors import RunError
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.losses import LOSSES, accuracy

batches = arrays(np.float32, st.tuples(st.integers(1, 4), st.integers(2, 6)), elements=st.floats(-1000, 1000, width=32))


def slope(function, y, d, step=1e-3):
    """Central difference of sum(d * function(y)) for each element of y, in float32 steps."""
    result = np.zeros(y.shape)
    for index in np.ndindex(y.shape):
        up, down = y.copy(), y.copy()
        up[index] += step
        down[index] -= step
        change = np.sum(d * (function(up).astype(np.float64) - function(down)))
        result[index] = change / (float(up[index]) - float(down[index]))
    return result


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_backward_is_the_derivative_of_forward(name):
    random = np.random.default_rng(5)
    y = random.uniform(0.1, 2, (3, 4)).astype(np.float32) * random.choice([-1, 1], (3, 4)).astype(np.float32)
    d = random.normal(size=(3, 4)).astype(np.float32)
    activation = ACTIVATIONS[name]
    error = activation.backward(d, activation.forward(y))
    assert error.dtype == np.float32
    np.testing.assert_allclose(error, slope(activation.forward, y, d), atol=2e-3)


@given(y=batches)
def test_activations_stay_finite_and_float32(y):
    for activation in ACTIVATIONS.values():
        output = activation.forward(y)
        assert output.dtype == np.float32
        assert np.isfinite(output).all()
        assert np.isfinite(activation.backward(np.ones_like(y), output)).all()


def test_closed_forms():
    y = np.array([[-200, -1, 0, 1, 200]], np.float32)
    exact = y.astype(np.float64)
    np.testing.assert_allclose(ACTIVATIONS["sigmoid"].forward(y), 0.5 * (1 + np.tanh(exact / 2)), atol=1e-7)
    np.testing.assert_allclose(ACTIVATIONS["tanh"].forward(y), np.tanh(exact), rtol=1e-6)
    np.testing.assert_array_equal(ACTIVATIONS["relu"].forward(y), [[0, 0, 0, 1, 200]])
    np.testing.assert_array_equal(ACTIVATIONS["relu"].backward(np.ones_like(y), y), [[0, 0, 0, 1, 1]])
    assert ACTIVATIONS["none"].forward(y) is y


@given(y=batches)
def test_log_softmax_gives_probabilities(y):
    output = ACTIVATIONS["log_softmax"].forward(y)
    np.testing.assert_allclose(np.exp(output.astype(np.float64)).sum(axis=1), 1, rtol=1e-4)
    np.testing.assert_allclose(
        ACTIVATIONS["log_softmax"].backward(np.ones_like(y), output), 1 - y.shape[1] * np.exp(output), atol=1e-5
    )


def test_nan_is_not_hidden():
    y = np.array([[np.nan, 1.0]], np.float32)
    for activation in ACTIVATIONS.values():
        assert np.isnan(activation.forward(y)).any()


@pytest.mark.parametrize("name", LOSSES)
def test_the_error_is_the_derivative_of_the_loss(name):
    random = np.random.default_rng(3)
    output = random.normal(size=(4, 5)).astype(np.float32)
    target = np.array([0, 4, 2, 2])
    loss = LOSSES[name]
    value, error = loss.value_and_error(output, target)
    assert error.dtype == np.float32
    assert value == loss.value(output, target)
    numeric = slope(lambda y: np.array(loss.value(y, target)), output, 1.0, step=1e-2)
    np.testing.assert_allclose(error, numeric, atol=1e-4)


def test_loss_values():
    probabilities = np.array([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    logs = np.log(probabilities).astype(np.float32)
    classes = np.array([0, 1])
    expected = -(np.log(0.5) + np.log(0.1)) / 2
    assert LOSSES["nll"].value(logs, classes) == pytest.approx(expected, rel=1e-6)
    assert LOSSES["cross_entropy"].value(logs + 3, classes) == pytest.approx(expected, rel=1e-6)
    targets = np.array([[1, 2], [3, 4]], np.float32)
    assert LOSSES["mse"].value(targets + 1, targets) == 1.0
    np.testing.assert_array_equal(LOSSES["mse"].value_and_error(targets + 1, targets)[1], np.full((2, 2), 0.5))
    assert LOSSES["mse"].value(np.zeros((2, 4), np.float32), classes) == pytest.approx(0.25)


@given(y=batches)
def test_cross_entropy_is_nll_after_log_softmax(y):
    classes = np.arange(len(y)) % y.shape[1]
    log_softmax = ACTIVATIONS["log_softmax"]
    output = log_softmax.forward(y)
    value, d = LOSSES["nll"].value_and_error(output, classes)
    direct, error = LOSSES["cross_entropy"].value_and_error(y, classes)
    assert direct == pytest.approx(value, rel=1e-6)
    np.testing.assert_allclose(error, log_softmax.backward(d, output), atol=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_mean_over_the_batch(name):
    output = np.array([[0.1, -0.7, -0.2]], np.float32)
    once = LOSSES[name].value_and_error(output, np.array([1]))
    thrice = LOSSES[name].value_and_error(np.repeat(output, 3, axis=0), np.array([1, 1, 1]))
    assert thrice[0] == pytest.approx(once[0], rel=1e-6)
    np.testing.assert_allclose(thrice[1].sum(axis=0), once[1][0], rtol=1e-5)


@pytest.mark.parametrize("name", LOSSES)
def test_divergence_is_an_error(name):
    with pytest.raises(RunError, match="diverged"):
        LOSSES[name].value(np.full((1, 2), np.nan, np.float32), np.array([0]))


def test_accuracy():
    output = np.array([[1, 2], [3, 1], [0, 5], [2, 2]], np.float32)
    assert accuracy(output, np.array([1, 0, 0, 0])) == 0.75


def test_operation_counts_of_a_vector():
    assert ACTIVATIONS["none"].forward_operations(10) == {}
    assert ACTIVATIONS["sigmoid"].forward_operations(10) == {"nonlinear": 10}
    assert ACTIVATIONS["tanh"].backward_operations(10) == {"add": 10, "mul": 20}
    assert ACTIVATIONS["relu"].backward_operations(10) == {"compare": 10}
    assert ACTIVATIONS["log_softmax"].forward_operations(10) == {"add": 29, "compare": 9, "nonlinear": 11}
    assert ACTIVATIONS["log_softmax"].backward_operations(10) == {"add": 19, "mul": 10, "nonlinear": 10}
    assert LOSSES["nll"].operations(10) == {"add": 1}
    assert LOSSES["cross_entropy"].operations(10) == {"add": 31, "mul": 10, "compare": 9, "nonlinear": 21}
    assert LOSSES["mse"].operations(1) == {"add": 2, "mul": 2}
