"""Traces from PyTorch, and PyTorch models on simulated chips; needs the extra ``hwsim[torch]``.

``capture`` records what every linear and convolutional layer of a model sees while it trains; ``analog`` puts these
layers on a simulated chip inside the same training loop.
"""

from __future__ import annotations

from hwsim.errors import UsageError

try:
    import torch as _torch  # noqa: F401
except ImportError:
    raise UsageError("hwsim.torch needs PyTorch, which is not installed: pip install 'hwsim[torch]'") from None

from hwsim.torch.analog import Analog, analog
from hwsim.torch.capture import Capture, capture

__all__ = ["Analog", "Capture", "analog", "capture"]
