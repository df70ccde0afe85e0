"""The layers of a network as stages of a training step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from hwsim.spec.layers import (
    Activate,
    Add,
    Attention,
    Conv2d,
    DigitalWork,
    Embedding,
    FirstPosition,
    Flatten,
    Linear,
    NamedLayer,
    Norm,
    Pool,
    Products,
    SpaceToDepth,
)
from hwsim.spec.network import NetworkSpec
from hwsim.training.activations import ACTIVATIONS
from hwsim.training.stages.base import Numbers, Pass, Stage, known, unknown
from hwsim.training.stages.counted import DigitalWorkStage, ProductsStage
from hwsim.training.stages.digital import ActivateStage, AddStage, NormStage, PoolStage
from hwsim.training.stages.matrix import MatrixStage
from hwsim.training.stages.reshape import FirstPositionStage, FlattenStage, SpaceToDepthStage, by_position
from hwsim.training.stages.sequence import AttentionStage, EmbeddingStage

__all__ = [
    "STAGES", "MatrixStage", "Numbers", "Pass", "Stage", "by_position", "known", "make_stages", "unknown",
    "without_numbers",
]  # fmt: skip

STAGES: dict[type[NamedLayer], type[Stage]] = {
    Linear: MatrixStage,
    Conv2d: MatrixStage,
    Products: ProductsStage,
    Norm: NormStage,
    Pool: PoolStage,
    Add: AddStage,
    Activate: ActivateStage,
    Attention: AttentionStage,
    Embedding: EmbeddingStage,
    DigitalWork: DigitalWorkStage,
    Flatten: FlattenStage,
    SpaceToDepth: SpaceToDepthStage,
    FirstPosition: FirstPositionStage,
}
"""The stage of each kind of layer."""


def make_stages(network: NetworkSpec, numbers: Numbers) -> list[Stage]:
    """Return the stages of a network, in its order; those with matrices have none yet."""
    readers = Counter(name for names in network.sources.values() for name in names)
    needed = {"": False}
    stages = []
    for layer in network.layers:
        sources, given = network.sources[layer.name], network.given(layer)
        learns, wanted = layer.parameters(given) > 0, any(needed[name] for name in sources)
        needed[layer.name] = learns or wanted
        stages.append(
            STAGES[type(layer)](
                layer, given, network.shapes[layer.name], sources, readers[layer.name],
                first="" in sources, learns=learns, wanted=wanted, numbers=numbers,
            )
        )  # fmt: skip
    return stages


def without_numbers(network: NetworkSpec) -> Iterator[tuple[int, str]]:
    """Yield the number of each layer that has time and energy only, and what it is that has no numbers."""
    for index, layer in enumerate(network.layers):
        if not STAGES[type(layer)].computes:
            yield index, f"layers of kind {getattr(layer, 'kind', '')}"
        elif (activation := getattr(layer, "activation", "none")) not in ACTIVATIONS:
            yield index, f"activation {activation}"
