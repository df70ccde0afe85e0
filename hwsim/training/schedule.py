"""When what is trained: the learning rate of an epoch and its mini-batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.spec.training import TrainingSpec
from hwsim.training.streams import generator


def learning_rate(trace: TrainingSpec, epoch: int) -> float:
    """Return the learning rate of ``epoch`` (counted from 0)."""
    schedule = trace.schedule
    if schedule.kind == "constant" or schedule.every is None or schedule.factor is None:
        return trace.learning_rate
    return trace.learning_rate * schedule.factor ** (epoch // schedule.every)


def batches(n_samples: int, batch_size: int, epoch: int, seed: int, *, shuffle: bool = True) -> list[NDArray[np.int64]]:
    """Return the sample indices of every mini-batch of ``epoch``, in order.

    Each sample occurs once; the last mini-batch holds what is left over. The order depends on ``seed`` and ``epoch``
    only, so a resumed run goes on with the same batches.
    """
    order = generator(seed, "shuffle", epoch).permutation(n_samples) if shuffle else np.arange(n_samples)
    return [order[start : start + batch_size] for start in range(0, n_samples, batch_size)]
