"""When a training step ends: whenever an optimizer that holds weights of the watched layers has made its step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook


def learning_rates(optimizer: torch.optim.Optimizer, weights: Mapping[str, Any]) -> dict[str, float]:
    """Return the learning rate of each of the ``weights`` (parameters by name) that the optimizer trains."""
    rates = {id(parameter): float(group["lr"]) for group in optimizer.param_groups for parameter in group["params"]}
    return {name: rates[id(weight)] for name, weight in weights.items() if id(weight) in rates}


class Steps:
    """Calls ``stepped`` with optimizer and learning rates by name after each step of one that trains any ``weights``.

    No optimizer has to be named: PyTorch tells of the steps of all of them.
    """

    def __init__(
        self, weights: Mapping[str, Any], stepped: Callable[[torch.optim.Optimizer, dict[str, float]], None]
    ) -> None:
        self._weights = weights
        self._stepped = stepped
        self._handle = register_optimizer_step_post_hook(self._after)

    def _after(self, optimizer: torch.optim.Optimizer, _arguments: Any, _options: Any) -> None:
        rates = learning_rates(optimizer, self._weights)
        if rates:
            self._stepped(optimizer, rates)

    def close(self) -> None:
        """Listen no longer."""
        self._handle.remove()


class SampleCounter:
    """Counts the samples of a step from the calls of the network's first layer.

    Calls of one forward pass (a recurrent layer) take the same samples; a call after a backward pass takes others
    (gradients that are accumulated over several mini-batches).
    """

    def __init__(self) -> None:
        self._before = self._now = 0
        self._went_back = False

    def forward(self, samples: int) -> None:
        """Note a call of the first layer."""
        if self._went_back:
            self._before, self._now, self._went_back = self._before + self._now, 0, False
        self._now = max(self._now, samples)

    def backward(self) -> None:
        """Note that errors have arrived."""
        self._went_back = True

    def take(self) -> int:
        """Return the samples since the last step, at least 1."""
        samples = self._before + self._now
        self._before = self._now = 0
        self._went_back = False
        return max(samples, 1)
