"""The ``mnist-fcn`` setting in AIHWKit 1.1.0: run it with the Python of an environment that has aihwkit and torch.

    python benchmarks/peer_mnist_fcn.py --data DIR --epochs 2 --algorithm tiki-taka

Prints one line an epoch: test accuracy and wall time of the training alone.
"""

import argparse
import gzip
import time
from pathlib import Path

import numpy as np
import torch
from aihwkit.nn import AnalogLinear, AnalogSequential
from aihwkit.optim import AnalogSGD
from aihwkit.simulator.configs import (
    FloatingPointRPUConfig,
    SingleRPUConfig,
    SoftBoundsReferenceDevice,
    TransferCompound,
    UnitCellRPUConfig,
)
from torch import nn


def images(folder: Path, name: str) -> torch.Tensor:
    with gzip.open(folder / f"{name}-images-idx3-ubyte.gz") as file:
        data = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)
    return torch.tensor(data / 255.0, dtype=torch.float32)


def labels(folder: Path, name: str) -> torch.Tensor:
    with gzip.open(folder / f"{name}-labels-idx1-ubyte.gz") as file:
        return torch.tensor(np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64))


def configuration(algorithm: str, tau: float):
    device = SoftBoundsReferenceDevice(w_max=tau, w_min=-tau)
    if algorithm == "digital-sgd":
        config = FloatingPointRPUConfig()
    elif algorithm == "analog-sgd":
        config = SingleRPUConfig(device=device)
    else:
        compound = TransferCompound(
            unit_cell_devices=[device, SoftBoundsReferenceDevice(w_max=tau, w_min=-tau)],
            fast_lr=0.01, n_reads_per_transfer=1, transfer_every=1.0, units_in_mbatch=True, gamma=0.0,
        )  # fmt: skip
        config = UnitCellRPUConfig(device=compound)
    config.mapping.learn_out_scaling = True
    config.mapping.weight_scaling_columnwise = True
    return config


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--algorithm", choices=["analog-sgd", "tiki-taka", "digital-sgd"], default="tiki-taka")
    parser.add_argument("--tau", type=float, default=0.8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    config = configuration(options.algorithm, options.tau)
    model = AnalogSequential(
        AnalogLinear(784, 256, True, rpu_config=config), nn.Sigmoid(),
        AnalogLinear(256, 128, True, rpu_config=config), nn.Sigmoid(),
        AnalogLinear(128, 10, True, rpu_config=config), nn.LogSoftmax(dim=1),
    )  # fmt: skip
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    optimizer.regroup_param_groups(model)
    loss = nn.NLLLoss()
    x, y = images(options.data, "train"), labels(options.data, "train")
    x_test, y_test = images(options.data, "t10k"), labels(options.data, "t10k")
    for epoch in range(options.epochs):
        started = time.perf_counter()
        for batch in torch.randperm(len(x)).split(10):
            optimizer.zero_grad()
            loss(model(x[batch]), y[batch]).backward()
            optimizer.step()
        elapsed = time.perf_counter() - started
        with torch.no_grad():
            accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
        print(f"epoch {epoch + 1}: accuracy {100 * accuracy:.2f} %, {elapsed:.1f} s", flush=True)


if __name__ == "__main__":
    main()
