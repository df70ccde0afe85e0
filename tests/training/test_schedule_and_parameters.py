import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.spec.network import NetworkSpec
from hwsim.spec.training import ScheduleSpec, TraceSpec
from hwsim.training.network import initial_parameters
from hwsim.training.schedule import batches, learning_rate
from hwsim.training.streams import generator


def trace(schedule):
    return TraceSpec.model_construct(learning_rate=0.05, schedule=schedule)


def test_constant_learning_rate():
    assert {learning_rate(trace(ScheduleSpec()), epoch) for epoch in range(5)} == {0.05}


def test_step_schedule_is_that_of_steplr():
    stepped = trace(ScheduleSpec(kind="step", every=35, factor=0.1))
    rates = [learning_rate(stepped, epoch) for epoch in (0, 34, 35, 69, 70, 79)]
    assert rates == pytest.approx([0.05, 0.05, 0.005, 0.005, 0.0005, 0.0005])


@given(n=st.integers(1, 200), size=st.integers(1, 250), epoch=st.integers(0, 9), shuffle=st.booleans())
def test_batches_hold_each_sample_once(n, size, epoch, shuffle):
    found = batches(n, size, epoch, seed=1, shuffle=shuffle)
    assert sorted(np.concatenate(found)) == list(range(n))
    assert all(len(batch) == size for batch in found[:-1])
    assert 1 <= len(found[-1]) <= size
    if not shuffle:
        assert list(np.concatenate(found)) == list(range(n))


def test_order_depends_on_seed_and_epoch_only():
    def order(epoch, seed):
        return np.concatenate(batches(100, 7, epoch, seed)).tolist()

    assert order(3, 0) == order(3, 0)
    assert len({tuple(order(epoch, seed)) for epoch in range(3) for seed in range(3)}) == 9


def network(weight_init, *, hidden=200, bias=True):
    layers = (
        {"name": "a", "inputs": 100, "outputs": hidden, "bias": bias},
        {"name": "b", "inputs": hidden, "outputs": 50},
    )
    return NetworkSpec.model_validate(
        {"layers": layers[:1] if weight_init == "zeros" else layers, "weight_init": weight_init}
    )


def test_uniform_weights_are_those_of_pytorch():
    first, second = initial_parameters(network("uniform"), seed=0).values()
    assert first.weight.shape == (200, 100)
    assert first.weight.dtype == first.bias.dtype == np.float32
    assert abs(first.weight).max() == pytest.approx(0.1, rel=1e-3)
    assert abs(first.bias).max() <= 0.1
    assert first.weight.std() == pytest.approx(0.1 / 3**0.5, rel=0.02)
    assert first.bias.std() == pytest.approx(0.1 / 3**0.5, rel=0.2)
    assert abs(second.weight).max() <= 200**-0.5


def test_normal_and_zero_weights():
    normal = initial_parameters(network("normal"), seed=0)["a"]
    assert normal.weight.std() == pytest.approx(0.1, rel=0.02)
    assert not normal.bias.any()
    zero = initial_parameters(network("zeros"), seed=0)["a"]
    assert not zero.weight.any()
    assert not zero.bias.any()


def test_a_layer_without_bias():
    assert initial_parameters(network("uniform", bias=False), seed=0)["a"].bias is None


def test_each_layer_has_its_own_stream():
    one = initial_parameters(network("uniform"), seed=4)
    same = initial_parameters(network("uniform", bias=False), seed=4)
    other = initial_parameters(network("uniform"), seed=5)
    np.testing.assert_array_equal(one["a"].weight, same["a"].weight)
    np.testing.assert_array_equal(one["b"].bias, same["b"].bias)
    assert (one["a"].weight != other["a"].weight).any()


def test_streams_by_purpose_and_index():
    draws = {generator(seed, purpose, index).random() for seed in (0, 1) for purpose in "ab" for index in (0, 1)}
    assert len(draws) == 8
    assert generator(0, "a", 1).random() == generator(0, "a", 1).random()
