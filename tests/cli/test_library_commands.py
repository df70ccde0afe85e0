import pytest


@pytest.mark.parametrize(
    ("command", "name", "expected"),
    [
        ("chips", "baseline", ("tile.adc", "on the chip", "cells", "source: ")),
        ("chips", "hermes", ("published figures", "9.76 TOPS/W", "-1.6 %", "four times the energy", "source: ")),
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


def test_components_take_parameters(call, call_json):
    shown = call("components", "adc-survey", "--set", "bits=9", "--set", "node=14nm").stdout
    for text in ("494.", "formulas", "ln 14", "bits = 9", "a whole number from 4 to 12"):
        assert text in shown
    plain = call_json("components", "adc-sar-isaac", "--set", "node=14 nm")
    assert plain["parameters"]["node"]["value"] == pytest.approx(14e-9, rel=1e-9, abs=0)
    energy = plain["actions"]["convert"]["energy"]
    assert energy["value"] == pytest.approx(0.351e-12, rel=0.005, abs=0)
    assert energy["provenance"] == "derived"
    assert energy["derivation"]["inputs"] == {"bits": "8", "node": "14 nm"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("adc-survey", "--set", "bits=20"), "--set bits: must be a whole number from 4 to 12"),
        (("adc-survey", "--set", "bit=8"), "did you mean 'bits'?"),
        (("adc-survey", "--set", "bits"), "expected PARAMETER=VALUE"),
        (("--set", "bits=8"), "--set needs the NAME"),
        (("--type", "adk"), "did you mean 'adc'?"),
        (("adc-survey", "--type", "adc"), "leave it out with a NAME"),
    ],
)
def test_wrong_parameters_of_components(call, arguments, message):
    assert message in call("components", *arguments, code=2).stderr


def test_components_by_type_with_status_and_source(call, call_json):
    entries = call_json("components", "--type", "adc")["components"]
    assert len(entries) >= 12
    assert {entry["type"] for entry in entries} == {"adc"}
    assert all(entry["source"] and entry["status"] for entry in entries)
    shown = call("components", "--type", "adc").stdout
    assert "status" in shown.splitlines()[0]
    assert "sources" in shown


def test_area_and_static_power_of_a_chip_by_component(call, call_json):
    chip = call_json("chips", "baseline")
    parts = {entry["component"]: entry for entry in chip["components"]}
    assert sum(part["area_m2"] for part in parts.values()) == pytest.approx(chip["area_m2"], rel=1e-9, abs=0)
    assert sum(part["leakage_W"] for part in parts.values()) == pytest.approx(chip["leakage_W"], rel=1e-9, abs=0)
    assert parts["tile.adc"]["area_m2"] == pytest.approx(1024 * 4324e-12, rel=1e-9, abs=0)
    shown = call("chips", "baseline").stdout
    assert "static power" in shown
    assert "6.912 mW" in shown


def test_tables_say_how_numbers_came_about(call, tmp_path):
    from hwsim import library

    text = library.find("chips", "baseline").read_text(encoding="utf-8").replace("name: baseline", "name: mine")
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("device: reram-sb", "node: 14 nm\ndevice: reram-sb"), encoding="utf-8")
    shown = call("tables", str(path)).stdout
    assert "how numbers came about" in shown
    assert "node_energy(40 -> 14 nm at 0.8 V) = " in shown
    assert "Stillmaker & Baas" in shown
    assert "1280 ps up to whole clocks of 1000 ps" in shown
