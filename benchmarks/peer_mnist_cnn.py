"""The ``mnist-cnn`` setting in AIHWKit 1.1.0: run it with the Python of an environment that has aihwkit and torch.

    python benchmarks/peer_mnist_cnn.py --data DIR --epochs 1 --algorithm tiki-taka

Prints one line an epoch: training loss, test accuracy, wall and processor time of the training. With ``--steps N``
an epoch ends after N mini-batches, and the line says how much processor time a whole one would take.
"""

import argparse
import time
from pathlib import Path

import torch
from aihwkit.nn import AnalogConv2d, AnalogLinear, AnalogSequential
from aihwkit.optim import AnalogSGD
from peer_mnist_fcn import configuration, images, labels
from torch import nn

BATCH = 8


def network(config) -> AnalogSequential:
    return AnalogSequential(
        AnalogConv2d(1, 16, 5, rpu_config=config), nn.Tanh(), nn.MaxPool2d(2),
        AnalogConv2d(16, 32, 5, rpu_config=config), nn.Tanh(), nn.MaxPool2d(2), nn.Tanh(), nn.Flatten(),
        AnalogLinear(512, 128, rpu_config=config), nn.Tanh(),
        AnalogLinear(128, 10, rpu_config=config), nn.LogSoftmax(dim=1),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--algorithm", choices=["analog-sgd", "tiki-taka", "digital-sgd"], default="tiki-taka")
    parser.add_argument("--tau", type=float, default=0.8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(options.seed)
    model = network(configuration(options.algorithm, options.tau))
    optimizer = AnalogSGD(model.parameters(), lr=0.05)
    optimizer.regroup_param_groups(model)
    loss = nn.NLLLoss()
    x, y = images(options.data, "train").view(-1, 1, 28, 28), labels(options.data, "train")
    x_test, y_test = images(options.data, "t10k").view(-1, 1, 28, 28), labels(options.data, "t10k")
    for epoch in range(options.epochs):
        batches = torch.randperm(len(x)).split(BATCH)[: options.steps]
        losses = []
        started, processor = time.perf_counter(), time.process_time()
        for batch in batches:
            optimizer.zero_grad()
            value = loss(model(x[batch]), y[batch])
            value.backward()
            optimizer.step()
            losses.append(value.item())
        elapsed, processor = time.perf_counter() - started, time.process_time() - processor
        whole = processor / len(batches) * (len(x) / BATCH)
        with torch.no_grad():
            found = torch.cat([model(part).argmax(1) for part in x_test.split(500)])
        accuracy = (found == y_test).float().mean().item()
        print(
            f"epoch {epoch + 1}: training loss {sum(losses) / len(losses):.4f}, accuracy {100 * accuracy:.2f} %, "
            f"{elapsed:.1f} s wall, {processor:.1f} s processor ({whole:.0f} s for {len(x)} samples)",
            flush=True,
        )


if __name__ == "__main__":
    main()
