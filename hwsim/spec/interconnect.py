"""Description of what carries data between tiles, memories and digital unit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from hwsim.spec.base import misplaced
from hwsim.spec.placement import PlacedComponent

MESH_ONLY = ("rows", "cols", "buffer_node", "digital_node", "off_chip_node")
TREE_ONLY = ("fanout", "levels")


class InterconnectPlacement(PlacedComponent):
    """A bus, an H-tree or a mesh of equal links.

    The component model is one link: ``width``, and for each word that crosses it the energy, latency (of a hop, with
    its router) and interval of ``transfer``. A link serves one stream at a time, first come, first served. Streams cut
    through: a word goes on as soon as the next link is free, and a router has room for what must wait (an assumption).

    ``bus``: one link that everything shares; a word reaches every tile at once. ``htree``: a tree whose leaves are the
    tiles, and whose root is at the memories and the digital unit; each edge has a link up and a link down, and words to
    several tiles fork where their paths part. ``mesh``: routers in ``rows`` x ``cols``, a link in each direction
    between neighbours and one from each router to what is attached there; words go along the row first, then along the
    column (X-Y routing), and words to several tiles are sent to each by itself.
    """

    kind: Literal["bus", "htree", "mesh"] = "bus"
    rows: int | None = Field(None, ge=1, le=1024)
    """Rows of routers of a mesh."""
    cols: int | None = Field(None, ge=1, le=1024)
    """Columns of routers of a mesh."""
    fanout: int | None = Field(None, ge=2, le=64)
    """Branches at each fork of an H-tree; None: 2."""
    levels: int | None = Field(None, ge=1, le=16)
    """Forks from the root of an H-tree to a leaf; None: as few as hold the tiles."""
    tile_nodes: tuple[int, ...] | None = None
    """Node of each tile, in the order of the tiles: routers of a mesh are counted row by row from 0, leaves of an
    H-tree from 0. None: one node after the other; in a mesh, tiles leave out the nodes of buffer, digital unit and
    off-chip link."""
    buffer_node: int | None = Field(None, ge=0)
    """Router of a mesh that the buffer is attached to; None: 0."""
    digital_node: int | None = Field(None, ge=0)
    """Router of the digital unit with its hidden buffer; None: that of the buffer."""
    off_chip_node: int | None = Field(None, ge=0)
    """Router of the off-chip link; None: that of the buffer."""

    @model_validator(mode="after")
    def _fields_of_kind(self) -> InterconnectPlacement:
        for kind, names in (("mesh", MESH_ONLY), ("htree", TREE_ONLY)):
            for name in names:
                if self.kind != kind and getattr(self, name) is not None:
                    raise misplaced(name, f"only an interconnect of kind {kind} has {name}, this is a {self.kind}")
        if self.kind == "bus" and self.tile_nodes is not None:
            raise misplaced("tile_nodes", "all tiles are on the one bus; only a mesh or an H-tree has nodes")
        if self.kind == "mesh":
            for name in ("rows", "cols"):
                if getattr(self, name) is None:
                    raise misplaced(name, f"a mesh needs {name}")
            for name in ("buffer_node", "digital_node", "off_chip_node"):
                node = getattr(self, name)
                if node is not None and node >= self.nodes:
                    raise misplaced(name, f"the mesh has nodes 0 to {self.nodes - 1}, got {node}")
        return self

    @property
    def nodes(self) -> int:
        """Routers of a mesh; 1 for the others."""
        return (self.rows or 1) * (self.cols or 1)

    @property
    def arity(self) -> int:
        """Branches at each fork of an H-tree."""
        return self.fanout or 2

    def unit_nodes(self) -> dict[str, int]:
        """Return the routers of a mesh at which ``buffer``, ``digital`` and ``off_chip_link`` are."""
        buffer = self.buffer_node or 0
        return {
            "buffer": buffer,
            "digital": buffer if self.digital_node is None else self.digital_node,
            "off_chip_link": buffer if self.off_chip_node is None else self.off_chip_node,
        }

    def depth(self, tiles: int) -> int:
        """Return the levels of the H-tree that holds ``tiles`` tiles."""
        if self.levels is not None:
            return self.levels
        most = max(self.tile_nodes) + 1 if self.tile_nodes else tiles
        levels = 1
        while self.arity**levels < most:
            levels += 1
        return levels

    def nodes_of_tiles(self, tiles: int) -> tuple[int, ...]:
        """Return the node of each of ``tiles`` tiles."""
        if self.tile_nodes is not None:
            return self.tile_nodes[:tiles]
        taken = set(self.unit_nodes().values()) if self.kind == "mesh" else set()
        return tuple(node for node in range(tiles + len(taken)) if node not in taken)[:tiles]

    def edges(self, tiles: int) -> Iterator[tuple[int, int]]:
        """Yield level (1 at the root) and number of each edge of the H-tree that leads to a tile."""
        depth = self.depth(tiles)
        for level in range(1, depth + 1):
            below = self.arity ** (depth - level)
            yield from ((level, index) for index in sorted({leaf // below for leaf in self.nodes_of_tiles(tiles)}))

    def instances(self, tiles: int) -> int:
        """Return how many of the component model it takes: the bus, the edges of a tree or the routers of a mesh."""
        if self.kind == "htree":
            return sum(1 for _ in self.edges(tiles))
        return self.nodes

    def problem(self, tiles: int) -> tuple[str, str] | None:
        """Return what keeps ``tiles`` tiles from having a node each: the field and what to change; None if nothing."""
        if self.kind == "bus":
            return None
        if self.tile_nodes is not None:
            return self._node_problem(tiles, self.tile_nodes)
        if self.kind == "htree":
            leaves = self.arity ** self.depth(tiles)
            if tiles > leaves:
                return (
                    "levels",
                    f"an H-tree of {self.levels} levels with {self.arity} branches at each fork has {leaves} leaves, "
                    f"the chip has {tiles} tiles; leave levels out",
                )
            return None
        free = self.nodes - len(set(self.unit_nodes().values()))
        if tiles > free:
            return (
                "rows",
                f"a mesh of {self.rows} x {self.cols} has {free} nodes beside those of buffer, digital unit and "
                f"off-chip link, the chip has {tiles} tiles; give it more rows or cols",
            )
        return None

    def _node_problem(self, tiles: int, nodes: tuple[int, ...]) -> tuple[str, str] | None:
        most = self.nodes if self.kind == "mesh" else self.arity ** self.depth(tiles)
        if len(nodes) != tiles:
            return "tile_nodes", f"the chip has {tiles} tiles, but {len(nodes)} nodes are given"
        wrong = [node for node in nodes if not 0 <= node < most]
        if wrong:
            return "tile_nodes", f"the {self.kind} has nodes 0 to {most - 1}, got {wrong[0]}"
        twice = sorted({node for node in nodes if nodes.count(node) > 1})
        if twice:
            return "tile_nodes", f"node {twice[0]} is given to more than one tile"
        return None
