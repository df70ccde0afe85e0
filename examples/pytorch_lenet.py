"""A PyTorch LeNet-5 on handwritten digits: captured while it trains, replayed on a chip, and trained on the chip.

    python examples/pytorch_lenet.py [FOLDER]

needs ``pip install 'hwsim[torch]'``. The digits are scikit-learn's 8 x 8 images, drawn as large as LeNet takes them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import hwsim.torch
from hwsim.results import Run

ON_CHIP = {"chip": "large", "algorithm": "analog-sgd", "device": "idealized"}


def lenet() -> nn.Sequential:
    """Return LeNet-5 in the form that the analog training papers use."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.Tanh(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(512, 128), nn.Tanh(), nn.Linear(128, 10),
    )  # fmt: skip


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Return images (n, 1, 28, 28) within 0..1 and classes (n,)."""
    data = load_digits()
    images = np.pad(data.images.repeat(3, axis=1).repeat(3, axis=2) / 16, ((0, 0), (2, 2), (2, 2)))
    return torch.tensor(images[:, None], dtype=torch.float32), torch.tensor(data.target)


def train(model: nn.Module, steps: int, batch: int = 16) -> float:
    """Train with plain SGD, as any PyTorch program does; returns the last loss."""
    images, classes = digits()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    loss = torch.zeros(())
    for step in range(steps):
        chosen = slice(step * batch, (step + 1) * batch)
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images[chosen]), classes[chosen])
        loss.backward()
        optimizer.step()
    return loss.item()


def main(folder: Path, steps: int = 20) -> tuple[Run, Run]:
    """Capture and replay a training, then do it on the chip; returns both runs."""
    folder.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(0)
    model = lenet()
    recording = hwsim.torch.capture(model, folder / "lenet.parquet")
    train(model, steps)
    file = recording.close()
    replayed = hwsim.simulate(str(file), out=folder / "replayed", **ON_CHIP)
    print(f"recorded {recording.steps} steps, {file.stat().st_size / 2**20:.1f} MiB; replayed: {replayed}")

    torch.manual_seed(0)
    model = lenet()
    with hwsim.torch.analog(model, out=folder / "trained", **ON_CHIP) as chip:
        loss = train(model, steps)
        chip.note(loss=loss)
    print(f"trained on the chip, last loss {loss:.3f}: {chip.run}")
    print(chip.energy(by="layer").to_string(index=False))
    return replayed, chip.run


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "pytorch-lenet"))
