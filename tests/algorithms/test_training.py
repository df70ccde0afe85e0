"""Every algorithm trains the bundled digits on a device that suits it; presets, options and refusals."""

import numpy as np
import pytest

import hwsim
from hwsim import library
from hwsim.devices import load_device
from hwsim.errors import MappingError, SpecError, UsageError
from hwsim.run import resolve
from hwsim.training.algorithms import ALGORITHMS
from hwsim.training.presets import find_preset, load_table, preset_names

PER_SAMPLE = {"transfer_every": 1.0, "units_in_mbatch": False, "n_reads_per_transfer": 1}
TRAINS = {
    "ttv2": (PER_SAMPLE | {"transfer_lr": 0.2}, 0.6),
    "residual-v2": ({"transfer_every": 1.0, "units_in_mbatch": False, "fast_lr": 0.5, "transfer_lr": 0.05}, 0.85),
    "c-ttv2": ({"fast_lr": 0.1, "transfer_lr": 0.4, "in_chop_prob": 0.05}, 0.5),
    "agad": ({"fast_lr": 0.2, "transfer_lr": 0.2, "in_chop_prob": 0.05}, 0.65),
    "mixed-precision": ({}, 0.9),
    "multi-tile": ({"transfer_every": 2.0, "units_in_mbatch": False, "fast_lr": 0.5}, 0.85),
}


@pytest.fixture
def run(tmp_path):
    """Return ``simulate`` with a new output folder for each call."""
    count = iter(range(100))

    def start(**options):
        return hwsim.simulate(out=tmp_path / f"run{next(count)}", **options)

    return start


@pytest.mark.parametrize("name", TRAINS)
def test_digits_are_learnt(run, name) -> None:
    """On 600 states with 30 % spread; chance is 10 %."""
    options, accuracy = TRAINS[name]
    settings = {"tile.arrays": 3} if name == "multi-tile" else {}
    result = run(algorithm={"name": name, **options}, set=settings, epochs=3, timing=False)
    assert result.summary["metrics"]["accuracy"] > accuracy


@pytest.mark.parametrize("name", TRAINS)
def test_timing_threads_and_logs_change_no_weight_and_energy_adds_up(run, name) -> None:
    options = {
        "algorithm": {"name": name, **TRAINS[name][0]},
        "set": {"tile.arrays": 3},
        "chip": "small-tiles",
        "steps": 4,
    }
    base = run(**options)
    for other in ({"timing": False}, {"threads": 2, "log": "pulses", "probe": ["0:1-3:*"]}):
        again = run(**options, **other)
        for key, value in base.weights().items():
            np.testing.assert_array_equal(value, again.weights()[key])
    total = base.summary["energy_J"]
    assert base.events().energy_J.sum() == pytest.approx(total, rel=1e-9)
    assert sum(base.summary["energy_by_phase"].values()) == pytest.approx(total, rel=1e-9)
    assert base.summary["energy_by_phase"]["transfer"] > 0


def test_the_price_of_mixed_precision_is_its_outer_product(run) -> None:
    """Rasch et al. 2024, table 1: its update takes far longer than that of an algorithm that updates in memory."""
    options = {"steps": 20, "log": "none"}
    mixed = run(algorithm="mixed-precision", **options).summary["latency_by_phase"]
    analog = run(algorithm={"name": "c-ttv2", "in_chop_prob": 0.1}, **options).summary["latency_by_phase"]
    assert mixed["update"] > 5 * analog["update"]


# Presets


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_resolves_to_its_device_and_parameters(name) -> None:
    spec = resolve(algorithm=name)
    preset = find_preset(name)
    device = preset.device["name"] if isinstance(preset.device, dict) else preset.device
    assert spec.device.name == device
    assert spec.algorithm.preset == spec.algorithm.title == name
    assert (spec.chip.tile.forward.out_bound, spec.chip.tile.backward.out_noise) == (20.0, 0.1)
    for key, value in preset.parameters.items():
        given = getattr(spec.algorithm.parameters, key)
        assert (given.desired_bl == value["desired_bl"]) if isinstance(value, dict) else given == value


def test_the_published_tables_are_complete() -> None:
    six = {"reram-es", "reram-sb", "capacitor", "ecram", "ecram-mo", "idealized"}
    tables = {name: set(load_table(name).presets) for name in library.names("algorithms")}
    assert tables == dict.fromkeys(("tiki-taka", "ttv2", "c-ttv2", "agad"), six) | {
        "mixed-precision": six | {"gokmen-vlasov", "pcm"},
        "analog-sgd": six | {"gokmen-vlasov", "pcm"} | {f"{device}-{n}" for device in six for n in (2, 4)},
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # The class definitions of AIHWKit 1.1.0, simulator/presets/configs.py.
        ("ttv2-reram-es", {"in_chop_prob": 0.0, "fast_lr": 0.5, "auto_granularity": 1000.0, "desired_bl": 31}),
        ("c-ttv2-ecram", {"in_chop_prob": 0.01, "fast_lr": 1.0, "auto_granularity": 500.0, "desired_bl": 100}),
        ("c-ttv2-idealized", {"in_chop_prob": 0.001, "fast_lr": 0.1, "auto_granularity": 500.0, "desired_bl": 100}),
        ("agad-ecram", {"in_chop_prob": 0.005, "tail_weightening": 50.0, "auto_granularity": 750.0, "desired_bl": 31}),
        ("agad-capacitor", {"in_chop_prob": 0.01, "tail_weightening": 20.0, "auto_granularity": 1000.0}),
    ],
)
def test_presets_have_the_published_numbers(name, expected) -> None:
    parameters = resolve(algorithm=name).algorithm.parameters
    for key, value in expected.items():
        assert (parameters.update.desired_bl if key == "desired_bl" else getattr(parameters, key)) == value
    assert parameters.auto_scale
    assert not parameters.units_in_mbatch
    assert not parameters.transfer_update.update_management


def test_mixed_precision_on_phase_change_pairs_refreshes_them(run) -> None:
    result = run(algorithm={"name": "mixed-precision-pcm", "granularity": 0.002}, steps=10)
    counts = result.summary["counts"]
    assert result.config["device"]["unit_cell"]["kind"] == "one_sided"
    # Both layers are refreshed after each mini-batch that has written to them.
    assert 0 < counts["refresh"] <= 20
    assert counts["transfer_write"] >= counts["refresh"]
    assert result.summary["energy_by_phase"]["refresh"] > 0


def test_a_users_word_goes_before_a_presets(run) -> None:
    spec = resolve(algorithm="ttv2-reram-sb", device="idealized", set=["tile.forward.out_noise=0.02", "fast_lr=0.25"])
    assert spec.device.name == "idealized"
    assert spec.chip.tile.forward.out_noise == 0.02
    assert spec.algorithm.parameters.fast_lr == 0.25
    assert resolve(algorithm={"name": "ttv2-reram-sb", "step": 0.5}).algorithm.parameters.step == 0.5
    assert resolve(algorithm="ttv2-reram-sb").device.parameters.subtract_symmetry_point
    result = run(algorithm="c-ttv2-reram-sb", steps=2)
    assert result.summary["algorithm"] == "c-ttv2-reram-sb"
    assert result.config["algorithm"]["name"] == "c-ttv2"


def test_an_own_table_in_the_working_folder(tmp_path, monkeypatch) -> None:
    folder = tmp_path / "models" / "algorithms"
    folder.mkdir(parents=True)
    text = ("kind: algorithms\nname: own\ndescription: mine\nsource: an assumption\nalgorithm: ttv2\npresets:\n"
            "  fast: {parameters: {fast_lr: 0.25}}\n")  # fmt: skip
    (folder / "own.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    spec = resolve(algorithm="own-fast")
    assert (spec.algorithm.name, spec.algorithm.parameters.fast_lr) == ("ttv2", 0.25)
    assert spec.device.name == "soft_bounds_reference"
    (folder / "own.yaml").write_text(text.replace("fast_lr", "fast_rate"), encoding="utf-8")
    with pytest.raises(SpecError, match=r"own.yaml:7: presets.fast.parameters.fast_rate: no such parameter"):
        resolve(algorithm="own-fast")
    (folder / "own.yaml").write_text(text.replace("ttv2", "ttv3"), encoding="utf-8")
    with pytest.raises(SpecError, match="no algorithm is called 'ttv3'; did you mean 'ttv2'"):
        resolve(algorithm="own-fast")


# Refusals


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("ttv2", {"thres_scale": 0.0}, r"thres_scale: .*greater than 0, got 0.0"),
        ("ttv2", {"momentum": 1.5}, r"momentum: .*less than or equal to 1, got 1.5"),
        ("ttv2", {"transfer_every": 0.0}, r"transfer_every: .*greater than 0"),
        ("c-ttv2", {"fast_lr": 0.0, "auto_scale": True}, r"fast_lr must be above 0 with auto_scale"),
        ("tiki-taka", {"fast_lr": -0.1}, r"fast_lr: .*greater than or equal to 0"),
        ("c-ttv2", {"thres_scale": 2.0}, r"thres_scale: no such parameter"),
        ("c-ttv2", {"in_chop_prob": 1.5}, r"in_chop_prob: .*less than or equal to 1"),
        ("c-ttv2", {"transfer_every": 0.0}, r"transfer_every: transfer_every must not be 0: above 0"),
        ("c-ttv2", {"auto_momentum": 1.0}, r"auto_momentum: .*less than 1"),
        ("agad", {"in_chop_prob": 0.0}, r"in_chop_prob: .*greater than 0"),
        ("agad", {"tail_weightening": 0.0}, r"tail_weightening: .*greater than 0"),
        ("residual-v2", {"transfer_lr": 2.0}, r"transfer_lr: .*less than or equal to 1"),
        ("residual-v2", {"transfer_update": {}}, r"transfer_update: no such parameter"),
        ("tiki-taka", {"n_arrays": 1}, r"n_arrays: .*greater than or equal to 2"),
        ("tiki-taka", {"n_arrays": 3, "gamma_vec": [1.0, 1.0]}, r"gamma_vec has 2 numbers, but a chain of 3 arrays"),
        ("tiki-taka", {"gamma_vec": [1.0, 0.0]}, r"gamma_vec must not end in 0"),
        ("tiki-taka", {"transfer_every_vec": [-1.0]}, r"transfer_every_vec must be positive"),
        ("tiki-taka", {"transfer_lr_vec": [1.0, 2.0, 3.0]}, r"transfer_lr_vec has 3 numbers"),
        ("multi-tile", {"gamma": 1.0}, r"gamma: .*less than 1"),
        ("multi-tile", {"transfer_lr_vec": [1.0]}, r"transfer_lr_vec has 1 numbers, but 3 arrays need 2"),
        ("multi-tile", {"transfer_every_vec": [1.0, 0.0]}, r"transfer_every_vec must be positive"),
        ("mixed-precision", {"n_rows_per_transfer": 0}, r"n_rows_per_transfer must be -1"),
        ("mixed-precision", {"transfer_every": 1.5}, r"transfer_every must be a whole number of mini-batches, got 1.5"),
        ("mixed-precision", {"n_x_bins": 1}, r"n_x_bins must be 0"),
    ],
)
def test_bad_parameters_are_refused(name, options, message) -> None:
    with pytest.raises(SpecError, match=message):
        resolve("least-squares", algorithm={"name": name, **options})


def test_unknown_names_and_too_few_arrays(run) -> None:
    with pytest.raises(UsageError, match="no algorithm is called 'ttv2-reram-sp'; did you mean 'ttv2-reram-sb'"):
        resolve(algorithm="ttv2-reram-sp")
    with pytest.raises(MappingError, match=r"needs 3 arrays in a tile.*chip\.tile\.arrays=3"):
        run(algorithm="multi-tile")


@pytest.mark.parametrize("name", sorted(ALGORITHMS.names()))
def test_every_algorithm_takes_from_a_trace_what_means_the_same_to_it(name) -> None:
    """mnist-fcn is written for Tiki-Taka, whose gamma of 0 would be none for multi-tile and end residual learning."""
    parameters = resolve("mnist-fcn", algorithm=name, set={"tile.arrays": 3}).algorithm.parameters
    default = type(parameters)()
    if name in ("residual-v2", "multi-tile"):
        assert parameters == default
    if name in ("ttv2", "c-ttv2", "agad"):
        assert (parameters.fast_lr, parameters.gamma) == (0.01, default.gamma)
        assert parameters.units_in_mbatch == default.units_in_mbatch
    assert resolve("least-squares", algorithm="ttv2").algorithm.parameters.update.desired_bl == 800


def test_a_partial_override_keeps_the_other_defaults_of_single_pulses() -> None:
    parameters = resolve(algorithm="c-ttv2", set=["algorithm.transfer_update.desired_bl=3"]).algorithm.parameters
    assert parameters.transfer_update.desired_bl == 3
    assert not parameters.transfer_update.update_bl_management


def test_every_algorithm_documents_its_source_and_every_parameter() -> None:
    for name in ALGORITHMS.names():
        algorithm = ALGORITHMS.get(name)
        assert algorithm.__doc__
        for key, field in algorithm.Parameters.model_fields.items():
            assert field.description, f"{name}.{key}"


def test_presets_name_devices_that_exist() -> None:
    for name in preset_names():
        device = find_preset(name).device
        overrides = dict(device) if isinstance(device, dict) else {"name": device}
        assert load_device(overrides.pop("name"), **overrides)
