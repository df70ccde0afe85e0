"""Cost tables: what each action of each component of a chip costs, and where the number comes from."""

from hwsim.cost.model import ComponentModel, component_model
from hwsim.cost.scaling import NodeScaling, node_scaling
from hwsim.cost.table import DEPENDS, ComponentCosts, Cost, CostTables

__all__ = [
    "DEPENDS",
    "ComponentCosts",
    "ComponentModel",
    "Cost",
    "CostTables",
    "NodeScaling",
    "component_model",
    "node_scaling",
]
