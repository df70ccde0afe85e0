"""What a chip description must satisfy together with the component models that it names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hwsim.errors import Problem
from hwsim.spec.chip import ChipSpec

if TYPE_CHECKING:
    from hwsim.cost.table import ComponentCosts

Tables = Mapping[str, "ComponentCosts"]
CHANNELS = ("bus", "interconnect", "off_chip_link", "buffer", "hidden_buffer")


def description_problems(chip: ChipSpec, tables: Tables) -> list[Problem]:
    """Return every mistake of a chip whose component models are known one by one."""
    return [*_widths(tables), *_integration(chip, tables), *_codings(chip, tables), *_output_bits(chip),
            *_instructions(chip, tables)]  # fmt: skip


def _widths(tables: Tables) -> Iterator[Problem]:
    """Memories and links move whole bytes, and at least one at a time."""
    for path in CHANNELS:
        if path not in tables:
            continue
        width = tables[path].property("width")
        if width < 8 or width % 8:
            yield Problem(
                f"'{tables[path].spec.name}' has a width of {width:g} bit; it must be a whole number of bytes, at "
                "least one",
                f"{path}.model",
            )
        if "buffer" in path and tables[path].property("capacity") < 1:
            yield Problem(f"'{tables[path].spec.name}' has no capacity; choose a larger one", f"{path}.model")


def _integration(chip: ChipSpec, tables: Tables) -> Iterator[Problem]:
    """A slice of the inputs is integrated at least as long as it is driven, in cycles of the crossbar's clock."""
    crossbar, at = chip.tile.crossbar, "tile.crossbar.integration_time"
    for path in ("tile.row_dac", "tile.col_dac"):
        costs = tables[path]
        driven = costs.property("drive_time") if "drive_time" in costs.model.properties else None
        if driven is None and crossbar.integration_time is None:
            yield Problem(
                f"this parameter is missing; '{costs.spec.name}' holds its voltage as long as it is integrated", at
            )
            return
        time = driven if crossbar.integration_time is None else crossbar.integration_time
        if driven is not None and time is not None and driven > time * (1 + 1e-9):
            yield Problem(
                f"'{costs.spec.name}' drives its line for {driven * 1e9:.6g} ns, longer than the integration of "
                f"{time * 1e9:.6g} ns; set {at} to at least {driven * 1e9:.6g} ns, leave it out, or change the "
                f"parameters of {path}",
                f"{path}.model",
            )
            continue
        try:
            tables["tile.crossbar"].clock.whole_cycles(time or 0.0, rounding=crossbar.rounding)
        except ValueError as error:
            where = at if crossbar.integration_time is not None else f"{path}.parameters"
            yield Problem(f"{error}; set tile.crossbar.rounding to 'up' or choose another time or clock", where)
            return


def _codings(chip: ChipSpec, tables: Tables) -> Iterator[Problem]:
    """Converters of inputs have the bits that the numbers of a read have; the sign of a level is its polarity."""
    tile = chip.tile
    for name, dac, reads in (
        ("row_dac", tile.row_dac, ("backward", "transfer")), ("col_dac", tile.col_dac, ("forward", "transfer")),
    ):  # fmt: skip
        costs = tables[f"tile.{name}"]
        if dac.sign != "polarity" and costs.spec.coding != "bit_serial":
            yield Problem(
                f"only a bit-serial converter can drive the sign as a slice, '{costs.spec.name}' is of coding "
                f"{costs.spec.coding}; leave this out",
                f"tile.{name}.sign",
            )
        if costs.spec.coding == "level":
            continue
        for read in reads:
            wanted = tile.reads()[read].inp_bits
            if wanted is not None and wanted > costs.property("bits"):
                yield Problem(
                    f"inputs of {wanted} bits are more than the {costs.property('bits'):g} of tile.{name}; give it "
                    "more bits or the inputs a coarser inp_res",
                    f"tile.{read}.inp_res",
                )


def _output_bits(chip: ChipSpec) -> Iterator[Problem]:
    """A converter that takes cycles by the bit converts to a number of bits."""
    if chip.tile.adc.kind not in ("sar", "flash", "ramp"):
        return
    for read, io in chip.tile.reads().items():
        if io.out_bits is None:
            yield Problem(
                f"the time of a {chip.tile.adc.kind} converter follows from its bits, but outputs are continuous; set "
                "out_res and out_bound",
                f"tile.{read}.out_res",
            )


def _instructions(chip: ChipSpec, tables: Tables) -> Iterator[Problem]:
    """The latency of an instruction is a number of cycles."""
    placed = chip.controller
    if placed.instruction_latency is None:
        return
    try:
        tables["controller"].clock.whole_cycles(placed.instruction_latency, rounding=placed.rounding)
    except ValueError as error:
        yield Problem(
            f"{error}; set controller.rounding to 'up' or choose another time or clock",
            "controller.instruction_latency",
        )
