"""The example runs, and its two ways agree on the work of the chip."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest


def test_lenet_captured_replayed_and_trained_on_the_chip(torch: Any, tmp_path: Path) -> None:  # noqa: ARG001
    file = Path(__file__).parents[2] / "examples" / "pytorch_lenet.py"
    spec = importlib.util.spec_from_file_location("pytorch_lenet", file)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    replayed, trained = example.main(tmp_path, steps=2)
    for name in ("forward", "backward", "update", "bytes_loaded", "digital_operations"):
        assert replayed.summary["counts"][name] == trained.summary["counts"][name]
    # Reads of the same number of vectors through the same converters take the same time but for retries.
    for phase in ("load", "forward", "backward"):
        assert replayed.summary["latency_by_phase"][phase] == pytest.approx(
            trained.summary["latency_by_phase"][phase], rel=0.02
        )
