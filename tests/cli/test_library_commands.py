import pytest


@pytest.mark.parametrize(
    ("command", "name", "expected"),
    [
        ("chips", "baseline", ("tile.adc", "on the chip", "cells", "source: ")),
        ("components", "adc-9b-1GSps-isaac", ("convert", "provenance", "sources", "[1]")),
        ("traces", "digits-mlp", ("64 -> 32", "log_softmax", "learning rate", "source: ")),
        ("devices", "reram-sb", ("dw_min", "source: ", "cell ", "g_min", "pulses up", "*")),
        ("algorithms", "tiki-taka", ("transfer_every", "defaults", "gamma")),
    ],
)
def test_lists_and_shows(call, call_json, command, name, expected):
    listed = call(command).stdout
    assert listed.splitlines()[0].startswith("name")
    assert name in listed
    assert all(line == line.rstrip() for line in listed.splitlines())
    assert name in [entry["name"] for entry in call_json(command)[command]]
    shown = call(command, name).stdout
    for text in expected:
        assert text in shown
    assert call_json(command, name)["name"] == name


@pytest.mark.parametrize("command", ["chips", "components", "traces", "devices", "algorithms"])
def test_every_bundled_entry_can_be_shown(call, call_json, command):
    entries = call_json(command)[command]
    assert entries
    for entry in entries:
        assert "not valid" not in entry["description"]
    for entry in entries if command != "devices" else entries[:2]:
        call(command, entry["name"])


@pytest.mark.parametrize("command", ["chips", "components", "traces", "devices", "algorithms", "tables"])
def test_unknown_names(call, command):
    near = {
        "chips": "baselin",
        "tables": "baselin",
        "components": "bus-256b",
        "traces": "digits-ml",
        "devices": "reram-s",
        "algorithms": "tikitaka",
    }
    result = call(command, near[command], code=2)
    assert "did you mean" in result.stderr
    assert "no such file: " in call(command, "no/such.yaml", code=2).stderr or command == "algorithms"


def test_tables_name_every_source(call, call_json):
    shown = call("tables", "baseline").stdout
    rows = call_json("tables", "baseline")["tables"]
    assert all(row["source"] for row in rows)
    for row in rows:
        assert row["action"] in shown
    numbers = len({row["source"] for row in rows})
    assert f"[{numbers}] " in shown
    assert f"[{numbers + 1}]" not in shown


def test_response_of_a_device_goes_up_and_down(call_json):
    response = call_json("devices", "reram-sb")["response"]
    weights = response["mean_weight"]
    assert len(weights) == len(response["pulses"]) == 61
    assert weights[0] == pytest.approx(0, abs=0.05)
    assert max(weights) == pytest.approx(weights[30], abs=0.05)
    assert weights[-1] < weights[30]


def test_sketch():
    from hwsim.cli.devices import sketch

    lines = sketch([0.0, 1.0, 2.0], [0.0, 1.0, 0.0], height=3)
    assert [line.split("|")[1] for line in lines[:3]] == [" *", "", "* *"]
    assert sketch([0.0, 1.0], [5.0, 5.0])
