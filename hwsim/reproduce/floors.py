"""The closed-form floor of a run on least squares, taken from its configuration."""

from __future__ import annotations

import numpy as np

from hwsim.devices import DeviceArray
from hwsim.reproduce.theory import Array, Problem, analog_floor, digital_floor
from hwsim.run.config import RunSpec
from hwsim.spec.device import DeviceSpec
from hwsim.spec.layers import Linear
from hwsim.spec.training import TraceSpec
from hwsim.training.algorithms.analog_sgd import AnalogSgdParameters
from hwsim.training.algorithms.digital_sgd import DigitalSgdParameters
from hwsim.training.data import load_data
from hwsim.training.network import initial_parameters

SPREADS = ("dw_min_dtod", "dw_min_std", "up_down_dtod", "w_max_dtod", "w_min_dtod", "reference_std", "write_noise_std")
FACTORS = {"mse": 2.0, "half_mse": 1.0}
DIGITAL = ("digital-sgd", "smooth-analog-sgd")
"""Algorithms whose weights are numbers, not devices."""


def minimum_loss(run: RunSpec) -> float:
    """Return the least training loss of a run on least squares, from which floors are counted; 0 for other runs."""
    problem = problem_of(run)
    return 0.0 if problem is None else problem.minimum


def resolution(run: RunSpec) -> float | None:
    """Return the loss above its minimum when every weight is off by one step of the devices.

    Where pulses stop resolving the weights, whatever the algorithm. None for digital weights and other problems.
    """
    problem, step = problem_of(run), getattr(run.device.parameters, "dw_min", None)
    if problem is None or step is None or run.algorithm.name in DIGITAL:
        return None
    return problem.resolution(float(step))


def predicted_floor(run: RunSpec) -> float | None:
    """Return the mean training loss above its minimum at which a run stops, or None where there is no closed form.

    There is one for one linear output and full batches with Analog SGD on soft bounds without spreads and reads with
    additive noise only, and with digital SGD.
    """
    problem = problem_of(run)
    if problem is None or not isinstance(run.trace, TraceSpec):
        return None
    if run.trace.schedule.kind != "constant" or run.trace.batch_size < len(problem.b):
        return None
    parameters, rate = run.algorithm.parameters, run.trace.learning_rate
    if isinstance(parameters, DigitalSgdParameters) and run.algorithm.name == "digital-sgd":
        return digital_floor(problem, rate, parameters.gradient_noise) if parameters.gradient_noise else None
    array = array_of(run, parameters.update.desired_bl) if isinstance(parameters, AnalogSgdParameters) else None
    if array is None:
        return None
    (start,) = initial_parameters(run.trace.network, run.seed).values()
    weights = np.clip(start.weight[0], array.w_min, array.w_max)
    bias = [] if start.bias is None else list(start.bias)
    try:
        return analog_floor(problem, array, rate, np.array([*weights, *bias], float)).loss - problem.minimum
    except ArithmeticError:
        return None


def problem_of(run: RunSpec) -> Problem | None:
    """Return the least-squares problem of a run, or None if it is another one."""
    trace = run.trace
    if not isinstance(trace, TraceSpec):
        return None
    layer = trace.network.layers[0]
    if len(trace.network.layers) != 1 or not isinstance(layer, Linear) or layer.outputs != 1:
        return None
    if layer.activation != "none" or layer.output_scale != "none" or trace.loss not in FACTORS:
        return None
    data = load_data(trace.data, data_dir=run.data_dir, seed=run.seed)
    return Problem(data.x_train.astype(float), data.y_train[:, 0].astype(float), FACTORS[trace.loss], bias=layer.bias)


def array_of(run: RunSpec, desired_bl: int) -> Array | None:
    """Return what Analog SGD runs on, or None if its devices or reads have more to them than the closed form has."""
    device, io = run.device, run.chip.tile.forward
    values = device.parameters
    if device.law != "soft_bounds_reference" or device.unit_cell.n_devices > 1 or values.ages:
        return None
    if any(getattr(values, name, 0.0) for name in SPREADS):
        return None
    w_noise, bound = 0.0, float("inf")
    if not io.is_perfect:
        if io.inp_res or io.out_res or io.out_noise or io.inp_noise or io.w_noise_type == "pcm_read":
            return None
        w_noise = io.w_noise if io.w_noise_type == "additive_constant" else 0.0
        managed = io.bound_management != "none" or io.noise_management != "none"
        bound = io.out_bound if io.out_bound and not managed else bound
    up, down = (abs(_step(device, polarity)) / values.dw_min for polarity in (+1, -1))
    return Array(values.w_max, values.w_min, values.dw_min, w_noise, bound, desired_bl, up, down)


def _step(device: DeviceSpec, polarity: int) -> float:
    """Return the change of a device at weight 0 by one pulse."""
    cells = DeviceArray(device, (1, 1), seed=0)
    cells.set_weights(0.0)
    cells.pulse(polarity)
    return float(cells.weights[0, 0])
