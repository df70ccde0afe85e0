"""Chips that cannot be: refused with file, line, place and what to change, by ``check`` and before a run."""

from pathlib import Path

import pytest

from hwsim import library
from hwsim.errors import MappingError, SpecError
from hwsim.run import resolve, simulate
from hwsim.run.check import check_file

BUS = "bus: {model: bus-256b-isaac}"
ADC = "  adc: {model: adc-9b-100MSps-survey, lines_per_adc: 8}"
SAMPLE_HOLD = "  sample_hold: {model: sample-hold-isaac, double_buffered: false}"
CROSSBAR = "  crossbar: {model: crossbar-beol-400nm, integration_time: 40 ns}"
CONTROLLER = "controller: {model: controller-puma}"
MESH = "interconnect: {kind: mesh, model: bus-256b-isaac, "
CLOCKS = "clocks: {core: 1 GHz}"

DEVICE = "device: reram-sb"
TILES = "tiles: 8"
NUMBER = "  backward: {inp_bound: 1.0,"

CASES = {
    "a device that is not there": (
        DEVICE, "device: reram-sbb", "device: no device is called 'reram-sbb'; did you mean 'reram-sb'",
    ),
    "not a number": (NUMBER, "  backward: {inp_bound: .nan,", "tile.backward.inp_bound: expected a finite number"),
    "mesh too small": (BUS, MESH + "rows: 2, cols: 4}", "interconnect.rows: a mesh of 2 x 4 has 7 nodes beside"),
    "mesh without a size": (BUS, MESH + "rows: 3}", "interconnect.cols: a mesh needs cols"),
    "a node outside": (BUS, MESH + "rows: 3, cols: 4, buffer_node: 12}", "interconnect.buffer_node: the mesh has"),
    "a node twice": (BUS, MESH + "rows: 3, cols: 4, tile_nodes: [1, 2, 3, 4, 5, 6, 7, 1]}",
                     "interconnect.tile_nodes: node 1 is given to more than one tile"),
    "too few nodes": (BUS, MESH + "rows: 3, cols: 4, tile_nodes: [1, 2]}", "8 tiles, but 2 nodes are given"),
    "a tree too small": (BUS, "interconnect: {kind: htree, model: bus-256b-isaac, levels: 2}",
                         "interconnect.levels: an H-tree of 2 levels with 2 branches at each fork has 4 leaves"),
    "a leaf outside": (BUS, "interconnect: {kind: htree, model: bus-256b-isaac, levels: 3, "
                       "tile_nodes: [0, 1, 2, 3, 4, 5, 6, 8]}", "interconnect.tile_nodes: the htree has nodes 0 to 7"),
    "rows of a tree": (BUS, "interconnect: {kind: htree, model: bus-256b-isaac, rows: 2}",
                       "interconnect.rows: only an interconnect of kind mesh has rows, this is a htree"),
    "nodes of a bus": (BUS, "interconnect: {model: bus-256b-isaac, tile_nodes: [0]}", "all tiles are on the one bus"),
    "an unknown kind": (BUS, "interconnect: {kind: torus, model: bus-256b-isaac}",
                        "interconnect.kind: input should be 'bus', 'htree' or 'mesh'"),
    "no interconnect": (BUS, "", "bus: this parameter is missing; a chip has a bus or an interconnect"),
    "two interconnects": (BUS, BUS + "\n" + MESH + "rows: 3, cols: 4}", "interconnect: the chip has a bus already"),
    "two buses": (BUS, BUS + "\n" + BUS, "bus: this name is given twice"),
    "a wrong model": (BUS, "bus: {model: adc-9b-1GSps-isaac}", "bus.model: the model 'adc-9b-1GSps-isaac' is a adc"),
    "an unknown model": (BUS, "bus: {model: bus-256b-isac}", "bus.model: no component"),
    "an unknown clock": (BUS, "bus: {model: bus-256b-isaac, clock: fast}", "bus.clock: no clock is called 'fast'"),
    "no capacity": ("buffer: {model: sram-64KiB-256b, banks: 16, ports: 1}",
                    "buffer: {model: sram-64KiB-256b, banks: 0, ports: 1}", "buffer.banks: input should be greater"),
    "no port": ("buffer: {model: sram-64KiB-256b, banks: 16, ports: 1}",
                "buffer: {model: sram-64KiB-256b, banks: 16, ports: 0}", "buffer.ports: input should be greater"),
    "no lane": ("digital: {model: vector-alu-16b-puma, lanes: 32}", "digital: {model: vector-alu-16b-puma, lanes: 0}",
                "digital.lanes: input should be greater"),
    "no issue": (CONTROLLER, "controller: {model: controller-puma, issue_width: 0}", "controller.issue_width"),
    "an instruction between cycles": (
        CONTROLLER, "controller: {model: controller-puma, instruction_latency: 1.5 ns, rounding: error}",
        "controller.instruction_latency: 1500 ps is no whole number of cycles of 1000 ps; set controller.rounding",
    ),
    "a clock without a period": (CLOCKS, "clocks: {core: 0.3 THz}", "clocks.core: a clock of 3e+11 Hz has no period"),
    "a latency between cycles": (
        BUS, "bus: {model: bus-256b-isaac, clock: slow, rounding: error}",
        "actions.transfer.latency: 1000 ps is no whole number of cycles of 3000 ps; set bus.rounding to 'up'",
    ),
    "an integration between cycles": (
        CROSSBAR, "  crossbar: {model: crossbar-beol-400nm, integration_time: 40.5 ns, rounding: error}",
        "tile.crossbar.integration_time: 40500 ps is no whole number of cycles of 1000 ps",
    ),
    "an endless integration": (CROSSBAR, CROSSBAR.replace("40 ns", "1e30 s"),
                               "tile.crossbar.integration_time: 1e+30 s is more than the 1000 s"),
    "an endless instruction": (CONTROLLER, "controller: {model: controller-puma, instruction_latency: 1e9 s}",
                               "controller.instruction_latency: 1e+09 s is more than the 1000 s"),
    "no integration": (CROSSBAR, "  crossbar: {model: crossbar-beol-400nm}",
                       "tile.crossbar.integration_time: this parameter is missing; 'dac-8b-brahms' holds its voltage"),
    "an unknown reference": (CROSSBAR, CROSSBAR.replace("}", ", reference: column}"), "tile.crossbar.reference"),
    "oscillators that are shared": (ADC, ADC.replace("lines", "kind: current_controlled_oscillator, lines"),
                                    "tile.adc.lines_per_adc: must be 1"),
    "an unknown converter": (ADC, ADC.replace("lines", "kind: pipeline, lines"), "tile.adc.kind: input should be"),
    "no sample": (SAMPLE_HOLD, "", "tile.sample_hold: this parameter is missing; only oscillators convert without it"),
    "a sign slice of a level": ("  col_dac: {model: dac-8b-brahms}", "  col_dac: {model: dac-8b-brahms, sign: slice}",
                                "tile.col_dac.sign: only a bit-serial converter can drive the sign as a slice"),
    "inputs finer than their converter": (
        "  col_dac: {model: dac-8b-brahms}", "  col_dac: {model: dac-driver-isaac, parameters: {bits: 4}}",
        "tile.forward.inp_res: inputs of 7 bits are more than the 4 of tile.col_dac",
    ),
    "phases that differ": (
        "  col_pulser: {model: pulse-generator-lfsr16, polarity_phases: 2}",
        "  col_pulser: {model: pulse-generator-lfsr16, polarity_phases: 1}",
        "tile.col_pulser: row_pulser and col_pulser must have the same polarity_phases",
    ),
    "an unknown generator": (
        "  col_pulser: {model: pulse-generator-lfsr16, polarity_phases: 2}",
        "  col_pulser: {model: pulse-generator-lfsr16, kind: quantum}", "tile.col_pulser.kind: input should be 'lfsr'",
    ),
    "a link of another type": (BUS, BUS + "\noff_chip_link: {model: bus-256b-isaac}",
                               "off_chip_link.model: the model 'bus-256b-isaac' is a bus"),
    "a hidden buffer without capacity": (BUS, BUS + "\nhidden_buffer: {model: sram-64KiB-256b, banks: 0}",
                                         "hidden_buffer.banks: input should be greater"),
    "a parameter of another part": (BUS, "bus: {model: bus-256b-isaac, banks: 4}", "bus.banks: no such parameter"),
}  # fmt: skip
ELSEWHERE = ("no interconnect", "no sample", "a latency between cycles", "inputs finer than their converter")
"""What is missing, or stands in another line or file than the one that was changed."""


@pytest.mark.parametrize("case", CASES)
def test_refused_with_the_line(tmp_path: Path, case: str) -> None:
    old, new, message = CASES[case]
    text = library.find("chips", "baseline").read_text(encoding="utf-8")
    assert old in text
    text = text.replace(old, new, 1)
    if "clock: slow" in new:
        text = text.replace(CLOCKS, "clocks: {core: 1 GHz, slow: 333333333.3 Hz}")
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    problems = [str(problem) for problem in check_file(file)]
    (found,) = [problem for problem in problems if message in problem]
    if case not in ELSEWHERE:
        lines = text.splitlines()
        given = new.splitlines()[-1]
        line = len(lines) - next(n for n, text in enumerate(reversed(lines)) if text.startswith(given))
        # Short forms have everything on one line.
        assert found.startswith(f"{file}:{line}: ")
    with pytest.raises(SpecError) as caught:
        resolve("digits-mlp", chip=str(file))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "algorithm"),
    [("tiles: 8", "tiles: 1", "tiki-taka"), ("arrays: 2", "arrays: 1", "tiki-taka"),
     ("buffer: {model: sram-64KiB-256b, banks: 16", "buffer: {model: sram-64KiB-256b, banks: 1", "ttv2")],
)  # fmt: skip
def test_a_network_that_does_not_fit_names_the_line(tmp_path: Path, old: str, new: str, algorithm: str) -> None:
    text = library.find("chips", "baseline").read_text(encoding="utf-8").replace(old, new, 1)
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    line = 1 + next(n for n, part in enumerate(text.splitlines()) if new in part)
    wide = {"trace.network.layers.0.outputs": 600, "trace.network.layers.1.inputs": 600}
    with pytest.raises(MappingError) as caught:
        simulate("digits-mlp", chip=str(file), algorithm=algorithm, set=wide, out=tmp_path / "run")
    assert str(caught.value).startswith(f"{file}:{line}: ")
    assert "--set chip." in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_an_override_that_does_not_fit_has_no_line(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as caught:
        simulate("digits-mlp", set={"chip.tiles": 1}, out=tmp_path / "run")
    assert str(caught.value).startswith("digits-mlp needs 2 tiles of 256 x 1024")


def test_an_infinite_number_of_a_trace_names_the_line(tmp_path: Path) -> None:
    text = library.find("traces", "mnist-fcn").read_text(encoding="utf-8")
    text = text.replace("fast_lr: 0.01", "fast_lr: .inf").replace("out_noise: 0.06", "out_noise: .nan")
    file = tmp_path / "mine.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        resolve(str(file))
    lines = str(caught.value).splitlines()
    assert any(line.startswith(f"{file}:31: algorithm.fast_lr: expected a finite number, got inf") for line in lines)
    assert any(": settings.tile.forward.out_noise: expected a finite number, got nan" in line for line in lines)


def test_a_link_narrower_than_a_byte(tmp_path: Path) -> None:
    """Three lines of one bit each would take no bytes at a time."""
    models = tmp_path / "models" / "components"
    models.mkdir(parents=True)
    text = library.find("components", "bus-256b-isaac").read_text(encoding="utf-8")
    own = models / "bus-4b.yaml"
    own.write_text(text.replace("name: bus-256b-isaac", "name: bus-4b").replace("value: 256", "value: 4"), "utf-8")
    chip = tmp_path / "mine.yaml"
    baseline = library.find("chips", "baseline").read_text(encoding="utf-8")
    chip.write_text(baseline.replace(BUS, f"bus: {{model: {own}}}"), encoding="utf-8")
    (problem,) = check_file(chip)
    assert "'bus-4b' has a width of 4 bit; it must be a whole number of bytes, at least one" in str(problem)


@pytest.mark.parametrize(("setting", "value"), [("cell.pulse_width", "1e30 s"), ("device.cell.pulse_gap", "-1 ns")])
def test_an_override_of_a_cell_is_named(setting: str, value: str) -> None:
    with pytest.raises(SpecError, match=f"--set {setting}: must be between 0 s and 1000 s, got"):
        resolve("digits-mlp", set={setting: value})


def test_one_value_of_a_named_cell_can_be_set() -> None:
    plain = resolve("digits-mlp").device.cell
    changed = resolve("digits-mlp", set={"cell.pulse_width": "7 ns"}).device.cell
    assert changed == plain.model_copy(update={"pulse_width": 7e-9})
    given = resolve("digits-mlp", device={"name": "ecram", "cell.read_voltage": "0.15 V", "dw_min": 0.01}).device
    assert (given.cell.read_voltage, given.cell.name, given.parameters.dw_min) == (0.15, "ecram-gate", 0.01)


def test_an_override_is_named() -> None:
    with pytest.raises(SpecError, match=r"--set bus: .*a chip has a bus or an interconnect"):
        resolve("digits-mlp", set={"bus": None})
    mesh = {"kind": "mesh", "model": "bus-256b-isaac", "rows": 2, "cols": 2}
    with pytest.raises(SpecError, match=r"--set interconnect\.rows: a mesh of 2 x 2 has 3 nodes"):
        resolve("digits-mlp", set={"bus": None, "interconnect": mesh})
