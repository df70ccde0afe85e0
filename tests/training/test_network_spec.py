import pytest
from pydantic import ValidationError

from hwsim.spec.network import NetworkSpec


def layer(name="a", inputs=4, outputs=3, **options):
    return {"name": name, "inputs": inputs, "outputs": outputs, **options}


def network(*layers, **options):
    return NetworkSpec.model_validate({"layers": layers, **options})


def test_a_chain_of_layers():
    spec = network(
        layer("hidden", 4, 3, activation="relu"), layer("output", 3, 2, activation="log_softmax", bias=False)
    )
    assert (spec.inputs, spec.outputs) == (4, 2)
    assert spec.layers[0].bias
    assert spec.layers[0].output_scale == "none"
    assert NetworkSpec.model_validate(spec.model_dump()) == spec


def test_a_network_is_frozen():
    spec = network(layer())
    with pytest.raises(ValidationError, match="frozen"):
        spec.layers[0].inputs = 5


@pytest.mark.parametrize(
    ("layers", "options", "message"),
    [
        ([], {}, "at least 1 item"),
        ([layer("a"), layer("b", 5, 2)], {}, "layer 'b' does not fit behind layer 'a': it takes 5 inputs, but gets 3"),
        ([layer("a"), layer("a", 3, 2)], {}, "two layers are called 'a'"),
        ([layer("a", activation="log_softmax"), layer("b", 3, 2)], {}, "only the last layer may have"),
        ([layer("a b")], {}, "letters, digits and underscores"),
        ([layer("1st")], {}, "starts with a letter"),
        ([layer("a.b")], {}, "letters, digits and underscores"),
        ([layer(inputs=0)], {}, "greater than or equal to 1"),
        ([layer(outputs=-3)], {}, "greater than or equal to 1"),
        ([layer(inputs="4")], {}, "valid integer"),
        ([layer(inputs=4.5)], {}, "valid integer"),
        ([layer(bias="yes")], {}, "valid boolean"),
        ([layer(activation="swish")], {}, "'none', 'sigmoid', 'tanh', 'relu', 'gelu' or 'log_softmax'"),
        ([layer(kernel=3)], {}, "kernel"),
        ([layer()], {"weight_init": "xavier"}, "'zeros', 'constant' or 'file'"),
        ([layer("a"), layer("b", 3, 2)], {"weight_init": "zeros"}, "use uniform or normal"),
    ],
)
def test_wrong_networks_are_refused(layers, options, message):
    with pytest.raises(ValidationError, match=message):
        network(*layers, **options)


def test_every_mistake_of_the_chain_is_named():
    with pytest.raises(ValidationError) as refused:
        network(layer("a", activation="log_softmax"), layer("a", 5, 2))
    for part in ("two layers", "takes 5 inputs", "log_softmax"):
        assert part in str(refused.value)
