"""What carries streams between tiles, memories and digital unit: a bus, an H-tree or a mesh of links."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Literal, NamedTuple

from hwsim.components.base import Component, SharedComponent
from hwsim.components.channel import Channel, Link
from hwsim.cost import ComponentCosts
from hwsim.engine.env import Env
from hwsim.engine.ledger import Ledger, Origin
from hwsim.engine.parallel import Part, side_by_side
from hwsim.engine.station import Stream
from hwsim.engine.way import Way, travel
from hwsim.spec.interconnect import InterconnectPlacement

Unit = Literal["buffer", "digital", "off_chip_link"]
Place = Unit | int
"""A unit of the chip, or a tile by its number."""


BESIDE = ("buffer", "digital")
"""Units that need no bus between them."""


class Delivery(NamedTuple):
    """What one tile gets of a stream: bytes of each vector, and what happens when they arrive."""

    tile: int
    n_bytes: int
    then: Callable[[Stream], Part]


class Share(NamedTuple):
    """A stream on its way to several tiles: where it comes from, and the bytes of a whole vector.

    Kinds that send a vector to all tiles together carry these bytes; others only what each tile needs of them.
    """

    stream: Stream
    n_bytes: int
    source: Unit


class Interconnect(ABC):
    """Carries streams between places."""

    def __init__(self, env: Env, ledger: Ledger) -> None:
        self.env = env
        self._ledger = ledger

    @property
    @abstractmethod
    def channels(self) -> list[SharedComponent]:
        """The links that streams have queued for."""

    @property
    def components(self) -> list[Component]:
        """Everything that books or leaks."""
        return list(self.channels)

    def state(self) -> list[str]:
        """Return the links that have been made as streams took them; none here."""
        return []

    def restore(self, state: Sequence[str]) -> None:  # noqa: B027 (most interconnects make all links at once)
        """Make the links that ``state()`` returned."""

    @abstractmethod
    def way(self, n_bytes: int, source: Place, target: Place) -> Way:
        """Return the links that ``n_bytes`` take from one place to another."""

    @abstractmethod
    def way_to(self, whole: int, own: int, source: Unit, tile: int) -> Way:
        """Return the links from a unit to a tile that is the only one to get ``own`` of ``whole`` bytes."""

    def transfer(self, origin: Origin, stream: Stream, n_bytes: int, source: Place, target: Place) -> Part:
        """Move ``n_bytes`` for each vector of a stream from one place to another."""
        return travel(self.env, self._ledger.notes, origin, stream, self.way(n_bytes, source, target))

    @abstractmethod
    def scatter(self, origin: Origin, share: Share, deliveries: Sequence[Delivery]) -> Part:
        """Move a stream of vectors from a unit to several tiles, and go on at each as its share arrives.

        Returns the stream of what all tiles have done with it.
        """


class Bus(Interconnect):
    """One channel that everything shares; every tile takes what it needs of a vector.

    Buffer and digital unit are beside each other and do not use it between them.
    """

    def __init__(self, env: Env, costs: ComponentCosts, ledger: Ledger) -> None:
        super().__init__(env, ledger)
        self.channel = Channel(env, "bus", costs, ledger)

    @property
    def channels(self) -> list[SharedComponent]:
        """The bus."""
        return [self.channel]

    def way(self, n_bytes: int, source: Place, target: Place) -> Way:
        """Return the bus; between buffer and digital unit there is no way."""
        return () if source in BESIDE and target in BESIDE else (self.channel.leg(n_bytes),)

    def way_to(self, whole: int, own: int, source: Unit, tile: int) -> Way:  # noqa: ARG002 (every tile listens)
        """Return the bus, which carries the whole vector."""
        return (self.channel.leg(whole),)

    def scatter(self, origin: Origin, share: Share, deliveries: Sequence[Delivery]) -> Part:
        """Send each vector once; all tiles listen."""
        stream = yield from self.channel.transfer(origin, share.stream, share.n_bytes)
        return (yield from side_by_side(self.env, [delivery.then(stream) for delivery in deliveries]))


class Network(Interconnect):
    """Links between nodes; a stream cuts through all links of its route.

    Unloaded, a vector of w words takes h latencies and w - 1 intervals over h links. Each link is held while the words
    pass; a node has room for words whose next link is not free.
    """

    def __init__(
        self, env: Env, placed: InterconnectPlacement, costs: ComponentCosts, ledger: Ledger, tiles: int
    ) -> None:
        super().__init__(env, ledger)
        self.placed = placed
        self.nodes = placed.nodes_of_tiles(tiles)
        self._costs = costs
        self._links: dict[str, Link] = {}
        self._ways: dict[tuple[int, Place, Place], Way] = {}
        self._static = Component(placed.kind, costs, ledger, instances=placed.instances(tiles))

    @property
    def channels(self) -> list[SharedComponent]:
        """The links that streams have taken."""
        return list(self._links.values())

    @property
    def components(self) -> list[Component]:
        """The links, and the routers or branchings, which leak."""
        return [self._static, *self._links.values()]

    def link(self, name: str) -> Link:
        """Return the link of this name."""
        if name not in self._links:
            self._links[name] = Link(self.env, f"{self.placed.kind}.{name}", self._costs, self._ledger)
        return self._links[name]

    def state(self) -> list[str]:
        """Return the links that streams have taken, in the order in which they were made."""
        return list(self._links)

    def restore(self, state: Sequence[str]) -> None:
        """Make the links that ``state()`` returned."""
        for name in state:
            self.link(name)

    @abstractmethod
    def route(self, source: Place, target: Place) -> list[str]:
        """Return the names of the links from one place to another, in order."""

    def way(self, n_bytes: int, source: Place, target: Place) -> Way:
        """Return the links of the route, through all of which the words cut but the last."""
        way = self._ways.get((n_bytes, source, target))
        if way is None:
            links = [self.link(name) for name in self.route(source, target)]
            way = tuple(link.leg(n_bytes, cut_through=True) for link in links[:-1])
            way += tuple(link.leg(n_bytes) for link in links[-1:])
            self._ways[n_bytes, source, target] = way
        return way


class Mesh(Network):
    """Routers in rows and columns. Each has a link to its neighbours and one to what is attached to it.

    Words go along the row first, then along the column (X-Y routing, which cannot deadlock). A route of Manhattan
    distance m takes m + 1 links, the last of them from the router to the place; between units at one router there is no
    way.
    """

    def _node(self, place: Place) -> int:
        return self.nodes[place] if isinstance(place, int) else self.placed.unit_nodes()[place]

    def route(self, source: Place, target: Place) -> list[str]:
        """Return the names of the links: ROW_COL.DIRECTION of the router that they start from."""
        cols = self.placed.cols or 1
        (row, col), (last_row, last_col) = divmod(self._node(source), cols), divmod(self._node(target), cols)
        if (row, col) == (last_row, last_col) and not isinstance(source, int) and not isinstance(target, int):
            return []
        links = []
        while col != last_col:
            links.append(f"{row}_{col}.{'east' if col < last_col else 'west'}")
            col += 1 if col < last_col else -1
        while row != last_row:
            links.append(f"{row}_{col}.{'south' if row < last_row else 'north'}")
            row += 1 if row < last_row else -1
        return [*links, f"{row}_{col}.out"]

    def way_to(self, whole: int, own: int, source: Unit, tile: int) -> Way:  # noqa: ARG002 (the tile's own part goes)
        """Return the route, on which only what the tile needs is sent."""
        return self.way(own, source, tile)

    def scatter(self, origin: Origin, share: Share, deliveries: Sequence[Delivery]) -> Part:
        """Send to each tile by itself what it needs."""

        def one(delivery: Delivery) -> Part:
            arrived = yield from self.transfer(origin, share.stream, delivery.n_bytes, share.source, delivery.tile)
            return (yield from delivery.then(arrived))

        return (yield from side_by_side(self.env, [one(delivery) for delivery in deliveries]))


class HTree(Network):
    """A tree with the units at its root and the tiles at its leaves; each edge has a link up and a link down."""

    def __init__(
        self, env: Env, placed: InterconnectPlacement, costs: ComponentCosts, ledger: Ledger, tiles: int
    ) -> None:
        super().__init__(env, placed, costs, ledger, tiles)
        self.depth = placed.depth(tiles)

    def _edge(self, leaf: int, level: int) -> str:
        return f"{level}_{leaf // self.placed.arity ** (self.depth - level)}"

    def route(self, source: Place, target: Place) -> list[str]:
        """Return the names of the links: up to the last fork that both have, and down."""
        up = self._edges(source)
        down = self._edges(target)
        while up and down and up[0] == down[0]:
            up, down = up[1:], down[1:]
        return [f"up.{edge}" for edge in reversed(up)] + [f"down.{edge}" for edge in down]

    def _edges(self, place: Place) -> list[str]:
        """Edges from the root to a place."""
        if not isinstance(place, int):
            return []
        return [self._edge(self.nodes[place], level) for level in range(1, self.depth + 1)]

    def way_to(self, whole: int, own: int, source: Unit, tile: int) -> Way:  # noqa: ARG002 (whole vectors go down)
        """Return the edges down to the tile, which carry the whole vector."""
        return self.way(whole, source, tile)

    def scatter(self, origin: Origin, share: Share, deliveries: Sequence[Delivery]) -> Part:
        """Send each vector down every edge that leads to one of the tiles, once."""
        return (yield from self._down(origin, share.stream, share.n_bytes, 1, deliveries))

    def _down(self, origin: Origin, stream: Stream, n_bytes: int, level: int, deliveries: Sequence[Delivery]) -> Part:
        def branch(edge: str, below: Sequence[Delivery]) -> Part:
            last = level == self.depth
            arrived = yield from self.link(f"down.{edge}").transfer(origin, stream, n_bytes, cut_through=not last)
            if last:
                return (yield from below[0].then(arrived))
            return (yield from self._down(origin, arrived, n_bytes, level + 1, below))

        def key(delivery: Delivery) -> str:
            return self._edge(self.nodes[delivery.tile], level)

        groups = [(edge, list(below)) for edge, below in groupby(sorted(deliveries, key=self._leaf), key=key)]
        return (yield from side_by_side(self.env, [branch(edge, below) for edge, below in groups]))

    def _leaf(self, delivery: Delivery) -> int:
        return self.nodes[delivery.tile]


def build_interconnect(
    env: Env, placed: InterconnectPlacement, costs: ComponentCosts, ledger: Ledger, tiles: int
) -> Interconnect:
    """Make the interconnect of a chip with ``tiles`` tiles."""
    if placed.kind == "bus":
        return Bus(env, costs, ledger)
    kind = Mesh if placed.kind == "mesh" else HTree
    return kind(env, placed, costs, ledger, tiles)
