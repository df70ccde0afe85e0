"""Every bundled trace is valid, and trains in float32 with plain SGD."""

from pathlib import Path

import numpy as np
import pytest

from hwsim.spec.load import load_trace
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.data import check_fit, load_data
from hwsim.training.losses import LOSSES, accuracy
from hwsim.training.network import initial_parameters
from hwsim.training.schedule import batches, learning_rate

TRACES = Path(__file__).parents[2] / "traces"


def bundled(name):
    return load_trace(str(TRACES / f"{name}.yaml"))


class FloatNetwork:
    """The network of a trace in plain NumPy, trained with SGD: what every algorithm is measured against."""

    def __init__(self, trace, seed=0):
        self.activations = [ACTIVATIONS[layer.activation] for layer in trace.network.layers]
        parameters = initial_parameters(trace.network, seed).values()
        self.weights = [layer.weight.copy() for layer in parameters]
        self.biases = [np.zeros(1, np.float32) if layer.bias is None else layer.bias.copy() for layer in parameters]
        self.scales = [np.ones(layer.outputs, np.float32) for layer in trace.network.layers]
        self.specs = trace.network.layers
        self.trace, self.loss, self.seed = trace, LOSSES[trace.loss], seed

    def forward(self, x):
        outputs, self.products = [x], []
        for weight, scale, bias, activation in zip(
            self.weights, self.scales, self.biases, self.activations, strict=True
        ):
            self.products.append(outputs[-1] @ weight.T)
            outputs.append(activation.forward(scale * self.products[-1] + bias))
        return outputs

    def train(self, data, epochs):
        for epoch in range(epochs):
            rate = np.float32(learning_rate(self.trace, epoch))
            order = batches(len(data.x_train), self.trace.batch_size, epoch, self.seed, shuffle=self.trace.shuffle)
            for batch in order:
                self.step(data.x_train[batch], data.y_train[batch], rate)

    def step(self, x, y, rate):
        outputs = self.forward(x)
        d = self.loss.value_and_error(outputs[-1], y)[1]
        for index in reversed(range(len(self.weights))):
            d = self.activations[index].backward(d, outputs[index + 1])
            if self.specs[index].bias:
                self.biases[index] -= rate * d.sum(axis=0)
            at_matrix = d * self.scales[index]
            if self.specs[index].output_scale == "layer":
                self.scales[index] -= rate * (d * self.products[index]).sum()
            gradient = at_matrix.T @ outputs[index]
            d = at_matrix @ self.weights[index]
            self.weights[index] -= rate * gradient


@pytest.mark.parametrize("path", sorted(TRACES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_trace_loads_and_its_name_is_its_file(path):
    trace = load_trace(str(path))
    assert trace.name == path.stem
    assert len(trace.source) > 50


def test_digits_mlp_trains_in_float():
    trace = bundled("digits-mlp")
    data = load_data(trace.data)
    check_fit(data, trace)
    network = FloatNetwork(trace)
    network.train(data, trace.epochs)
    assert trace.epochs <= 30
    assert accuracy(network.forward(data.x_test)[-1], data.y_test) >= 0.96


def test_least_squares_reaches_its_solution():
    trace = bundled("least-squares")
    data = load_data(trace.data, seed=1)
    check_fit(data, trace)
    network = FloatNetwork(trace)
    assert network.loss.value(network.forward(data.x_train)[-1], data.y_train) > 1
    network.train(data, trace.epochs)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert network.loss.value(network.forward(x)[-1], y) < 1e-8


def test_mnist_fcn_is_the_setting_of_the_paper():
    trace = bundled("mnist-fcn")
    assert [(layer.inputs, layer.outputs) for layer in trace.network.layers] == [(784, 256), (256, 128), (128, 10)]
    assert all(layer.output_scale == "layer" and layer.bias for layer in trace.network.layers)
    assert (trace.batch_size, trace.epochs) == (10, 80)
    assert [learning_rate(trace, epoch) for epoch in (0, 35, 70)] == pytest.approx([5e-2, 5e-3, 5e-4])
    assert trace.device == {"name": "soft_bounds_reference", "w_max": 0.8, "w_min": -0.8}
