"""Every training preset of AIHWKit 1.1.0 has a preset here, with the same numbers wherever both have a parameter.

``tests/data/aihwkit_presets.json`` holds the peer's numbers; ``benchmarks/peer_presets.py`` writes it.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from hwsim.devices import device_names, load_device
from hwsim.run import resolve
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.presets import preset_names

PEER = json.loads((Path(__file__).parents[1] / "data" / "aihwkit_presets.json").read_text(encoding="utf-8"))
DEVICES = {
    "ReRamES": "reram-es", "ReRamSB": "reram-sb", "Capacitor": "capacitor", "EcRam": "ecram", "EcRamMO": "ecram-mo",
    "Idealized": "idealized", "GokmenVlasov": "gokmen-vlasov", "PCM": "pcm", "ReRamArrayOM": "reram-array-om",
    "ReRamArrayHfO2": "reram-array-hfo2",
}  # fmt: skip
FAMILIES = {
    "": "analog-sgd", "TikiTaka": "tiki-taka", "TTv2": "ttv2", "ChoppedTTv2": "c-ttv2", "AGAD": "agad",
    "MixedPrecision": "mixed-precision",
}  # fmt: skip
PATTERN = re.compile(rf"({'|'.join(FAMILIES)})({'|'.join(DEVICES)})([24]?)Preset")
INFERENCE = {"StandardHWATrainingPreset"}
WITHOUT_ARRAY = {"FloatingPointPreset": "digital-sgd"}
OTHER_MEANING = {
    "lifetime": "the peer counts mini-batches, hwsim seconds",
    "class": "no parameter",
    "gamma_vec": "an empty list stands for 1/n there, and for the powers of gamma",
}
DEVICE_PRESETS = sorted(name for name in PEER["presets"] if name.endswith("PresetDevice"))
CONFIGS = sorted(name for name in PEER["presets"] if PATTERN.fullmatch(name))


def counterpart(name: str) -> str:
    """The preset of hwsim that a configuration preset of the peer stands for."""
    family, device, count = PATTERN.fullmatch(name).groups()  # type: ignore[union-attr]
    return f"{FAMILIES[family]}-{DEVICES[device]}" + (f"-{count}" if count else "")


def differences(own: BaseModel, peer: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Parameters that both have with different values; (own, peer) by name."""
    found = {}
    for key in set(peer) & set(type(own).model_fields) - set(OTHER_MEANING):
        mine, theirs = getattr(own, key), peer[key]
        if isinstance(mine, BaseModel):
            found |= {f"{key}.{inner}": pair for inner, pair in differences(mine, theirs).items()}
        elif isinstance(theirs, str):
            if mine != re.sub(r"(?<!^)(?=[A-Z])", "_", theirs).lower():
                found[key] = mine, theirs
        elif mine != (tuple(theirs) if isinstance(theirs, list) else pytest.approx(theirs, rel=1e-6, abs=1e-12)):
            found[key] = mine, theirs
    return found


def compared(own: BaseModel, peer: dict[str, Any]) -> int:
    return len(set(peer) & set(type(own).model_fields) - set(OTHER_MEANING))


def test_no_preset_of_the_peer_is_left_out() -> None:
    rest = set(PEER["presets"]) - set(CONFIGS) - set(DEVICE_PRESETS) - {"PCMPresetUnitCell"}
    assert rest == INFERENCE | set(WITHOUT_ARRAY)
    assert set(WITHOUT_ARRAY.values()) <= set(ALGORITHMS.names())
    assert len(CONFIGS) == 52
    assert {counterpart(name) for name in CONFIGS} <= set(preset_names())


@pytest.mark.parametrize("name", [*DEVICE_PRESETS, "PCMPresetUnitCell"])
def test_device_presets_have_the_peers_numbers(name: str) -> None:
    if name == "PCMPresetUnitCell":
        own, peer = load_device("pcm-pair"), PEER["presets"][name]
        assert same_cell(own, peer) > 5
        return
    own_name = DEVICES[name.removesuffix("PresetDevice")]
    assert own_name in device_names()
    parameters, peer = load_device(own_name).parameters, PEER["devices"][PEER["presets"][name]]
    assert compared(parameters, peer) >= 20
    assert differences(parameters, peer) == {}


def same_cell(own: Any, peer: Any) -> int:
    """Compare a device with the peer's, which is a number, or a cell of several; returns the parameters compared."""
    if isinstance(peer, int):
        assert own.unit_cell.kind == "single"
        assert differences(own.parameters, PEER["devices"][peer]) == {}
        return compared(own.parameters, PEER["devices"][peer])
    devices = peer["unit_cell_devices"]
    assert own.unit_cell.n_devices == len(devices)
    for device in devices:
        assert differences(own.parameters, PEER["devices"][device]) == {}
    looked_up = dict(peer)
    for key, table in (("refresh_forward", "reads"), ("refresh_update", "updates")):
        if key in peer:
            looked_up[key] = PEER[table][peer[key]]
    assert differences(own.unit_cell, looked_up) == {}
    return compared(own.unit_cell, looked_up)


@pytest.mark.parametrize("name", CONFIGS)
def test_configuration_presets_have_the_peers_numbers(name: str) -> None:
    peer = PEER["presets"][name]
    spec = resolve(algorithm=counterpart(name))
    for part in ("forward", "backward"):
        assert differences(getattr(spec.chip.tile, part), PEER["reads"][peer[part]]) == {}
    parameters, device = spec.algorithm.parameters, peer["device"]
    assert differences(parameters.update, PEER["updates"][peer["update"]]) == {}
    if isinstance(device, int) or device["class"] in ("VectorUnitCell", "PCMPresetUnitCell"):
        assert same_cell(spec.device, device) > 1
        return
    compound = {key: value for key, value in device.items() if key not in ("transfer_forward", "transfer_update")}
    assert compared(parameters, compound) >= 7
    assert differences(parameters, compound) == {}
    if "transfer_update" in device:
        assert differences(parameters.transfer_update, PEER["updates"][device["transfer_update"]]) == {}
        assert differences(spec.chip.tile.transfer, PEER["reads"][device["transfer_forward"]]) == {}
        for each in device["unit_cell_devices"]:
            assert differences(spec.device.parameters, PEER["devices"][each]) == {}
    else:
        same_cell(spec.device, device["device"])
