"""The closed-form floor of a run on least squares, taken from its configuration."""

from __future__ import annotations

import numpy as np

from hwsim.devices import DeviceArray
from hwsim.reproduce.theory import Array, Problem, analog_floor, digital_floor
from hwsim.run.config import RunSpec
from hwsim.spec.device import DeviceSpec
from hwsim.training.data import load_data
from hwsim.training.network import initial_parameters

SPREADS = ("dw_min_dtod", "dw_min_std", "up_down_dtod", "w_max_dtod", "w_min_dtod", "reference_std", "write_noise_std")
FACTORS = {"mse": 2.0, "half_mse": 1.0}


def predicted_floor(run: RunSpec) -> float | None:
    """Return the mean training loss at which a run stops, or None where there is no closed form for it.

    There is one for one linear output and full batches with Analog SGD on soft bounds without spreads and reads with
    additive noise only, and with digital SGD.
    """
    problem = problem_of(run)
    if problem is None:
        return None
    if run.algorithm.name == "digital-sgd":
        noise = run.algorithm.parameters.gradient_noise
        return digital_floor(problem, run.trace.learning_rate, noise) if noise else None
    array = array_of(run)
    if array is None:
        return None
    start = initial_parameters(run.trace.network, run.seed)[run.trace.network.layers[0].name]
    weights = np.clip(start.weight[0], array.w_min, array.w_max)
    bias = [] if start.bias is None else list(start.bias)
    try:
        return analog_floor(problem, array, run.trace.learning_rate, np.array([*weights, *bias], float)).loss
    except ArithmeticError:
        return None


def problem_of(run: RunSpec) -> Problem | None:
    """Return the least-squares problem of a run, or None if it is another one."""
    trace = run.trace
    layers = trace.network.layers
    if len(layers) != 1 or layers[0].outputs != 1 or layers[0].activation != "none" or trace.loss not in FACTORS:
        return None
    if trace.schedule.kind != "constant" or layers[0].output_scale != "none":
        return None
    data = load_data(trace.data, data_dir=run.data_dir, seed=run.seed)
    if trace.batch_size < len(data.x_train):
        return None
    return Problem(
        data.x_train.astype(float), data.y_train[:, 0].astype(float), FACTORS[trace.loss], bias=layers[0].bias
    )


def array_of(run: RunSpec) -> Array | None:
    """Return what Analog SGD runs on, or None if its devices or reads have more to them."""
    device, io = run.device, run.chip.tile.forward
    values = device.parameters
    if run.algorithm.name != "analog-sgd" or device.law != "soft_bounds_reference" or device.unit_cell.n_devices > 1:
        return None
    if any(getattr(values, name, 0.0) for name in SPREADS) or values.ages:
        return None
    if io.is_perfect:
        w_noise, bound = 0.0, float("inf")
    elif io.inp_res or io.out_res or io.out_noise or io.inp_noise or io.w_noise_type == "pcm_read":
        return None
    else:
        w_noise = io.w_noise if io.w_noise_type == "additive_constant" else 0.0
        bound = io.out_bound if io.out_bound and io.bound_management == "none" and io.noise_management == "none" else float("inf")
    up, down = (abs(_step(device, polarity)) / values.dw_min for polarity in (+1, -1))
    return Array(values.w_max, values.w_min, values.dw_min, w_noise, bound, run.algorithm.parameters.update.desired_bl, up, down)


def _step(device: DeviceSpec, polarity: int) -> float:
    """Return the change of a device at weight 0 by one pulse."""
    cells = DeviceArray(device, (1, 1), seed=0)
    cells.set_weights(0.0)
    cells.pulse(polarity)
    return float(cells.weights[0, 0])
