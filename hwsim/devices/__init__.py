"""Pulsed devices: laws, presets, arrays, updates and reads."""

from hwsim.devices.array import DeviceArray
from hwsim.devices.blas import single_thread_blas
from hwsim.devices.cells import Cells, make_cells
from hwsim.devices.load import (
    device_document,
    device_from_document,
    device_names,
    law_names,
    load_device,
)
from hwsim.devices.mvm import applied_inputs
from hwsim.devices.plan import TrainPlan, plan_trains
from hwsim.devices.results import (
    ColumnWrites,
    PulseLog,
    ReadResult,
    Region,
    TimedRegion,
    UpdateResult,
    WatchedUpdate,
    ZeroShiftResult,
)
from hwsim.devices.scale import RunningScale, input_scale, largest_magnitudes, running_means
from hwsim.spec.analog import IOParameters, UpdateParameters

__all__ = [
    "Cells",
    "ColumnWrites",
    "DeviceArray",
    "IOParameters",
    "PulseLog",
    "ReadResult",
    "Region",
    "RunningScale",
    "TimedRegion",
    "TrainPlan",
    "UpdateParameters",
    "UpdateResult",
    "WatchedUpdate",
    "ZeroShiftResult",
    "applied_inputs",
    "device_document",
    "device_from_document",
    "device_names",
    "input_scale",
    "largest_magnitudes",
    "law_names",
    "load_device",
    "make_cells",
    "plan_trains",
    "running_means",
    "single_thread_blas",
]
