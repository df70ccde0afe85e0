"""Small PyTorch models and loops."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(scope="session")
def torch() -> Any:
    """Return PyTorch on one thread; without it the tests of it are skipped."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    return torch


@pytest.fixture
def lenet(torch: Any) -> Any:
    """Return a function that makes LeNet-5 with a seed; ``odd``: with groups, strides, dilations and padding."""
    nn = torch.nn

    def make(seed: int = 0, *, odd: bool = False) -> Any:
        torch.manual_seed(seed)
        if odd:
            first = [nn.Conv2d(1, 4, (3, 5), stride=(2, 3), padding=(1, 2), padding_mode="circular"), nn.Tanh(),
                     nn.Conv2d(4, 8, 3, groups=2, dilation=2, padding="same", bias=False), nn.ReLU(inplace=True),
                     nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 16), nn.Tanh()]  # fmt: skip
            return nn.Sequential(*first, nn.Linear(16, 10, bias=False))
        return nn.Sequential(
            nn.Conv2d(1, 16, 5), nn.Tanh(), nn.MaxPool2d(2), nn.Conv2d(16, 32, 5), nn.Tanh(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(512, 128), nn.Tanh(), nn.Linear(128, 10),
        )  # fmt: skip

    return make


@pytest.fixture
def train(torch: Any) -> Any:
    """Return a training loop as users write it; it returns the loss of each step."""

    def loop(
        model: Any, steps: int = 3, batch: int = 4, rate: float = 0.05, *, seed: int = 1, each: Any = None
    ) -> list:
        optimizer = torch.optim.SGD(model.parameters(), lr=rate)
        random = torch.Generator().manual_seed(seed)
        losses = []
        for step in range(steps):
            x = torch.randn(batch, 1, 28, 28, generator=random)
            y = torch.randint(0, 10, (batch,), generator=random)
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(x), y)
            loss.backward()
            if each is not None:
                each(step)
            optimizer.step()
            losses.append(loss.item())
        return losses

    return loop
