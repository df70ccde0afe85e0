import pytest
from pydantic import ValidationError

from hwsim.errors import SpecError
from hwsim.spec.load import Document, build, load_trace, mutable
from hwsim.spec.training import DataSpec, TraceSpec


def document(*, activation="log_softmax", outputs=10, **changes):
    layer = {"name": "output", "inputs": 64, "outputs": outputs, "activation": activation}
    return {
        "name": "small",
        "description": "one layer",
        "source": "made for a test",
        "network": {"layers": [layer]},
        "data": {"name": "digits"},
        "loss": "nll",
        "batch_size": 10,
        "epochs": 2,
        "learning_rate": 0.1,
        **changes,
    }


def trace(**changes):
    return build(TraceSpec, Document(document(**changes)))


def test_defaults():
    spec = trace()
    assert (spec.kind, spec.shuffle, spec.schedule.kind) == ("live", True, "constant")
    assert (spec.device, spec.settings) == (None, {})


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"data": {"file": "a.npz", "test_fraction": 0.5}},
        {"data": {"name": "least-squares", "rows": 7}, "loss": "mse", "activation": "none", "outputs": 1},
        {"schedule": {"kind": "step", "every": 2, "factor": 0.5}, "settings": {"tile.rows": 8}},
        {"algorithm": {"name": "tiki-taka", "gamma": 0.1}, "device": {"name": "reram-sb", "w_max": 1.0}},
    ],
)
def test_a_written_trace_reads_back(changes):
    spec = trace(**changes)
    assert build(TraceSpec, Document(mutable(spec.model_dump()))) == spec


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "none"}, "loss nll needs log-probabilities; give layer 'output' activation: log_softmax"),
        ({"loss": "cross_entropy"}, "use loss: nll"),
        ({"loss": "mse"}, "loss mse does not take log-probabilities; use loss: nll"),
        ({"outputs": 1}, "needs at least 2 outputs"),
        ({"data": {"name": "least-squares"}}, "needs classes, but least-squares has real targets; use loss: mse"),
        ({"loss": "hinge"}, "'mse' or 'half_mse', got 'hinge'"),
        ({"batch_size": 0}, "batch_size: input should be greater than or equal to 1, got 0"),
        ({"epochs": 1.5}, "epochs: input should be a valid integer, got 1.5"),
        ({"learning_rate": 0.0}, "learning_rate"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"learning_rate": "fast"}, "valid number, got 'fast'"),
        ({"schedule": {"kind": "step", "every": 3}}, "needs both every"),
        ({"schedule": {"factor": 0.1}}, "belong to kind: step"),
        ({"schedule": {"kind": "step", "every": 3, "factor": 0.0}}, "schedule.factor"),
        ({"algorithm": {"gamma": 0.1}}, "algorithm: expected a name, or a mapping with a name"),
        ({"algorithm": 3}, "algorithm: expected a name"),
        ({"device": ""}, "device: expected a name"),
        ({"source": ""}, "source"),
        ({"kind": "recorded"}, "kind"),
        ({"lerning_rate": 1.0}, "did you mean 'learning_rate'?"),
        ({"data": {"name": "digits", "limit_trian": 5}}, "did you mean 'limit_train'?"),
    ],
)
def test_wrong_traces_are_refused(changes, message):
    with pytest.raises(SpecError) as refused:
        trace(**changes)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "give either name"),
        ({"name": "digits", "file": "a.npz"}, "give either name"),
        ({"name": "cifar"}, "'digits', 'mnist', 'fashion-mnist' or 'least-squares'"),
        ({"file": "a.csv"}, r"file must be an \.npz"),
        ({"name": "digits", "rows": 5}, r"digits has no option rows \(it has: normalisation, test_fraction"),
        ({"name": "mnist", "test_fraction": 0.5}, "mnist has no option test_fraction"),
        ({"name": "least-squares", "limit_train": 5}, "least-squares has no option limit_train"),
        ({"file": "a.npz", "sigma_a": 2.0, "sigma_w": 1.0}, "a file has no option sigma_a, sigma_w"),
        ({"name": "digits", "test_fraction": 1.0}, "less than 1"),
        ({"name": "digits", "limit_test": 0}, "greater than or equal to 1"),
        ({"name": "least-squares", "sigma_w": float("inf")}, "finite"),
        ({"name": "least-squares", "label_noise": -1.0}, "greater than or equal to 0"),
    ],
)
def test_wrong_data_options_are_refused(options, message):
    with pytest.raises(ValidationError, match=message):
        DataSpec.model_validate(options)


def test_mse_takes_classes_and_cross_entropy_any_activation_but_log_softmax():
    assert trace(loss="mse", activation="sigmoid").loss == "mse"
    assert trace(loss="cross_entropy", activation="none").loss == "cross_entropy"


def test_a_mistake_in_a_file_is_found_by_line(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\ndescription: a\nsource: b\nnetwork:\n  layers:\n    - {name: a, inputs: 4, outputz: 3}\n"
    )
    with pytest.raises(SpecError) as refused:
        load_trace(str(file))
    message = str(refused.value)
    assert f"{file}:6: network.layers.0.outputz" in message
    assert "data: this parameter is missing" in message
