"""A float weight matrix in the buffer, multiplied and updated by the digital unit: the yardstick of the analog ones."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Any

import numpy as np

from hwsim.chip.platform import Platform
from hwsim.engine.ledger import Origin
from hwsim.errors import DataError


class DigitalMatrix:
    """A (rows, cols) float32 matrix; its weights are fetched from the buffer once for each stream of vectors."""

    def __init__(self, chip: Platform, name: str, shape: tuple[int, int]) -> None:
        self.name = name
        self.shape = shape
        self.n_arrays = 1
        self.is_playable = False
        self._chip = chip
        self._weights = np.zeros(shape, dtype=np.float32)
        self._n_bytes = -(-shape[0] * shape[1] * chip.spec.weight_bits // 8)
        chip.buffer.allocate(self._n_bytes, f"the weights of layer '{name}'")

    def weights(self, array: int | None = None) -> np.ndarray:  # noqa: ARG002 (same face as an analog matrix)
        """Return a copy of the weights."""
        return self._weights.copy()

    def set_weights(self, array: int, weights: np.ndarray) -> None:  # noqa: ARG002 (same face as an analog matrix)
        """Set the weights."""
        self._weights = np.array(weights, dtype=np.float32)

    def read(self, x: np.ndarray, *, transposed: bool = False, purpose: str = "forward") -> tuple[np.ndarray, None]:  # noqa: ARG002
        """Multiply (n, inputs) by the matrix in float32."""
        return x @ (self._weights if transposed else self._weights.T), None

    def time_read(
        self, origin: Origin, x: np.ndarray, *, transposed: bool = False, purpose: str = "forward"
    ) -> Generator[Any, Any, tuple[np.ndarray, None]]:
        """Let the hardware multiply: weights and inputs come from the buffer, results go back there."""
        n = len(x)
        chip = self._chip
        n_in, n_out = self.shape if transposed else self.shape[::-1]
        word_bytes = chip.spec.word_bits / 8
        fetched = yield from chip.load(origin, chip.stream(1), self._n_bytes)
        yield from chip.wait_until(fetched.last)
        stream = yield from chip.load(origin, chip.stream(n), int(np.ceil(n_in * word_bytes)))
        y = self.read(x, transposed=transposed, purpose=purpose)
        stream = yield from chip.digital.compute(origin, stream, {"mul": n_in * n_out, "add": n_in * n_out})
        stream = yield from chip.store(origin, stream, int(np.ceil(n_out * word_bytes)))
        yield from chip.wait_until(stream.last)
        return y

    def apply_gradient(
        self, x: np.ndarray, d: np.ndarray, lr: float, noise: np.ndarray | None = None, tau: float = float("inf")
    ) -> None:
        """Subtract ``lr g`` and ``(lr / tau) |g| W``: g is ``d x^T``, summed over the vectors (n, cols) and (n, rows),
        plus ``noise``."""
        gradient = d.T @ x if noise is None else d.T @ x + noise
        pull = np.abs(gradient) * self._weights / np.float32(tau) if np.isfinite(tau) else np.float32(0)
        self._weights -= np.float32(lr) * (gradient + pull)

    def state(self) -> dict[str, Any]:
        """Return the weights."""
        return {"weights": self._weights.copy()}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned.

        Raises:
            DataError: the state is of another matrix.
        """
        if set(state) != {"weights"} or np.shape(state["weights"]) != self.shape:
            raise DataError(f"this is no state of the matrix '{self.name}' of shape {self.shape}")
        self.set_weights(0, state["weights"])

    def time_update(self, origin: Origin, n: int) -> Generator[Any, Any, None]:
        """Let the hardware do the outer products and write the weights back."""
        chip = self._chip
        rows, cols = self.shape
        word_bytes = chip.spec.word_bits / 8
        fetched = yield from chip.load(origin, chip.stream(1), self._n_bytes)
        yield from chip.wait_until(fetched.last)
        stream = yield from chip.load(origin, chip.stream(n), int(np.ceil((rows + cols) * word_bytes)))
        # The learning rate scales d once a line; every weight takes a product and an addition.
        stream = yield from chip.digital.compute(origin, stream, {"mul": rows * cols + rows, "add": rows * cols})
        yield from chip.wait_until(stream.last)
        written = yield from chip.store(origin, chip.stream(1), self._n_bytes)
        yield from chip.wait_until(written.last)
