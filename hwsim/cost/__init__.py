"""Cost tables: what each action of each component of a chip costs, and where the number comes from."""

from hwsim.cost.table import ComponentCosts, Cost, CostTables

__all__ = ["ComponentCosts", "Cost", "CostTables"]
