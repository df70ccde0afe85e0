"""Bus, H-tree and mesh: routes, unloaded latency, loaded throughput, contention and broadcast (ps at 1 GHz)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.chip.operations import Backward, Digital, Forward, Move, Update
from hwsim.components.interconnect import Delivery, HTree, Mesh, Share
from hwsim.devices import UpdateParameters
from hwsim.spec.interconnect import InterconnectPlacement

HOP, ISSUE, BUFFER = 1000, 1000, 2000
PASS = 1000 + 40_000 + 1000 + 40_000 + 1000
PACE = 41_000
MESH = {"kind": "mesh", "rows": 3, "cols": 4, "model": "bus-256b-isaac"}
TREE = {"kind": "htree", "fanout": 2, "model": "bus-256b-isaac"}
NARROW = {"kind": "mesh", "rows": 3, "cols": 4, "model": "bus-wire",
          "parameters": {"width": 64, "length": "10 um", "node": "130 nm"}, "rounding": "up"}  # fmt: skip


def with_network(make_chip, network, **changes):
    return make_chip({"bus": None, "interconnect": network} | changes)


def run(chip, *operations):
    def program():
        results = []
        for operation in operations:
            results.append((yield operation))
        return results

    chip.run(program())
    return chip.env.now


def origin_of(chip):
    return chip.origin(Move(1, 1))


def words(chip, prefix=""):
    """Return the words that crossed each link, by name."""
    chip.finish()
    totals = chip.ledger.totals()
    return {t.component: t.count for t in totals if t.action == "transfer" and t.component.startswith(prefix)}


# Mesh


def mesh(rows: int, cols: int, **nodes: int) -> Mesh:
    """Return a mesh with a tile at every node that has no unit; only its routes work."""
    placed = InterconnectPlacement(kind="mesh", model="none", rows=rows, cols=cols, **nodes)
    found = Mesh.__new__(Mesh)
    found.placed = placed
    found.nodes = placed.nodes_of_tiles(rows * cols - len(set(placed.unit_nodes().values())))
    return found


@settings(max_examples=100, deadline=None)
@given(rows=st.integers(1, 6), cols=st.integers(2, 6), data=st.data())
def test_routes_go_along_the_row_then_the_column(rows: int, cols: int, data: st.DataObject) -> None:
    """Manhattan distance and one link out; links are neighbours; no turn from a column into a row."""
    buffer = data.draw(st.integers(0, rows * cols - 1))
    network = mesh(rows, cols, buffer_node=buffer)
    tile = data.draw(st.integers(0, len(network.nodes) - 1))
    node = network.nodes[tile]
    assert node != buffer
    for source, target, start, end in (("buffer", tile, buffer, node), (tile, "buffer", node, buffer)):
        route = network.route(source, target)
        (row, col), (last_row, last_col) = divmod(start, cols), divmod(end, cols)
        assert len(route) == abs(row - last_row) + abs(col - last_col) + 1
        directions = [name.partition(".")[2] for name in route]
        assert directions == sorted(directions, key=lambda way: ("east west".find(way) < 0, way == "out"))
        steps = {"east": (0, 1), "west": (0, -1), "north": (-1, 0), "south": (1, 0), "out": (0, 0)}
        at = row, col
        for name, way in zip(route, directions, strict=True):
            assert name == f"{at[0]}_{at[1]}.{way}"
            at = at[0] + steps[way][0], at[1] + steps[way][1]
        assert at == (last_row, last_col)


@pytest.mark.parametrize(("tile", "hops"), [(0, 2), (3, 2), (4, 3), (6, 5)])
@pytest.mark.parametrize(("n_bytes", "n"), [(1, 1), (32, 1), (80, 1), (80, 7)])
def test_a_stream_cuts_through_the_mesh(make_chip, assert_ready_at, tile, hops, n_bytes, n) -> None:
    """h latencies for the first word, an interval for each further one; w intervals for each further vector."""
    chip = with_network(make_chip, MESH)
    part = chip.interconnect.transfer(origin_of(chip), chip.stream(n), n_bytes, "buffer", tile)
    w = -(-n_bytes // 32)
    stream = assert_ready_at(chip, part, hops * HOP + (w - 1) * HOP)
    assert stream.last == stream.first + (n - 1) * w * HOP
    assert words(chip, "mesh") == dict.fromkeys(
        (f"mesh.{name}" for name in chip.interconnect.route("buffer", tile)), n * w
    )


@pytest.mark.parametrize(("n", "tile", "hops"), [(1, 0, 2), (6, 0, 2), (6, 10, 6)])
def test_forward_of_a_layer_over_a_mesh(make_chip, weights, n, tile, hops) -> None:
    chip = with_network(make_chip, MESH | {"tile_nodes": [*range(tile + 1, 12), *range(1, tile + 1)][:8]})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    elapsed = run(chip, Forward(matrix, np.ones((n, 8), np.float32)))
    assert elapsed == ISSUE + BUFFER + hops * HOP + PASS + hops * HOP + BUFFER + (n - 1) * PACE


def test_units_apart_from_each_other_pay_the_way_between_them(make_chip) -> None:
    """Words to the digital unit and back cross 5 links each; beside each other they cross none."""
    times = []
    for node in (0, 11):
        chip = with_network(make_chip, MESH | {"digital_node": node})
        times.append(run(chip, Digital("work", "", 1, {"add": 4}, lambda: None, words_in=16, words_out=16)))
    assert times[0] == ISSUE + BUFFER + 1000 + BUFFER
    assert times[1] == times[0] + 2 * 6 * HOP


def test_streams_on_one_link_take_turns_and_others_do_not_wait(make_chip) -> None:
    """Tiles 0 and 1 lie one behind the other along the first row, tile 3 in the column below the buffer."""
    for second, delay in ((1, 10 * 2 * HOP), (3, 0)):
        chip = with_network(make_chip, MESH)
        arrivals = {}

        def send(tile, chip=chip, arrivals=arrivals):
            stream = yield from chip.interconnect.transfer(origin_of(chip), chip.stream(10), 64, "buffer", tile)
            arrivals[tile] = stream.first

        chip.env.process(send(0))
        chip.env.process(send(second))
        chip.env.run()
        alone = (len(chip.interconnect.route("buffer", second)) + 1) * HOP
        assert arrivals[second] == alone + delay
        shared = chip.interconnect.link("0_0.east").station
        assert shared.wait_time == delay


def test_a_mesh_sends_to_each_tile_what_it_needs(make_chip) -> None:
    """A matrix of 8 x 24 on three tiles: each gets its slice of x and all of d for an update."""
    chip = with_network(make_chip, MESH)
    matrix = chip.place_analog("fc", np.full((8, 24), 0.1, np.float32), arrays=1, gains=(1.0,))
    params = UpdateParameters(desired_bl=10, update_management=False, update_bl_management=False)
    run(chip, Update(matrix, 0, np.full((1, 24), 0.5, np.float32), np.full((1, 8), 0.5, np.float32), 0.01, params))
    # 16 probabilities of 8 bit are one word to each of the tiles at nodes 1, 2 and 3.
    assert words(chip, "mesh") == {
        "mesh.0_0.east": 3, "mesh.0_1.east": 2, "mesh.0_2.east": 1,
        "mesh.0_1.out": 1, "mesh.0_2.out": 1, "mesh.0_3.out": 1,
    }  # fmt: skip


# H-tree


@pytest.mark.parametrize(("fanout", "levels"), [(2, 3), (4, 2), (8, 1)])
@pytest.mark.parametrize(("n_bytes", "n"), [(32, 1), (80, 4)])
def test_levels_of_a_tree_are_its_latency(make_chip, assert_ready_at, fanout, levels, n_bytes, n) -> None:
    chip = with_network(make_chip, TREE | {"fanout": fanout})
    w = -(-n_bytes // 32)
    for tile in (0, 7):
        for source, target in (("buffer", tile), (tile, "digital")):
            part = chip.interconnect.transfer(origin_of(chip), chip.stream(n), n_bytes, source, target)
            stream = assert_ready_at(chip, part, levels * HOP + (w - 1) * HOP)
            assert stream.last == stream.first + (n - 1) * w * HOP
            chip.env.run(until=chip.env.now + 100_000)
    # The edges that lead to one of the eight tiles.
    assert chip.tables["interconnect"].count == sum(
        -(-8 // fanout ** (levels - level)) for level in range(1, levels + 1)
    )


def test_a_tree_forks_a_word_and_a_mesh_repeats_it(make_chip) -> None:
    """To tiles 0, 1 and 5 of a binary tree: edges 1_0, 1_1, 2_0, 2_2, 3_0, 3_1, 3_5, each once; all arrive together."""
    chip = with_network(make_chip, TREE)
    arrived = {}

    def at(tile):
        def then(stream):
            arrived[tile] = chip.env.now
            return stream
            yield

        return then

    deliveries = [Delivery(tile, 32, at(tile)) for tile in (5, 0, 1)]
    chip.env.process(chip.interconnect.scatter(origin_of(chip), Share(chip.stream(1), 32, "digital"), deliveries))
    chip.env.run()
    assert arrived == {0: 3 * HOP, 1: 3 * HOP, 5: 3 * HOP}
    edges = ("1_0", "1_1", "2_0", "2_2", "3_0", "3_1", "3_5")
    assert words(chip, "htree") == {f"htree.down.{edge}": 1 for edge in edges}


def test_a_tree_without_branching_is_a_chain(make_chip, weights) -> None:
    """Tile 3 of a tree of four levels: four links each way."""
    chip = with_network(make_chip, TREE | {"levels": 4, "tile_nodes": [3, 0, 1, 2, 4, 5, 6, 7]})
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    assert run(chip, Backward(matrix, np.ones((1, 8), np.float32))) == ISSUE + BUFFER + 2 * 4 * HOP + PASS + BUFFER


def test_tiles_route_over_their_last_common_fork() -> None:
    tree = HTree.__new__(HTree)
    tree.placed = InterconnectPlacement(kind="htree", model="none")
    tree.depth, tree.nodes = 3, tuple(range(8))
    assert tree.route(4, 6) == ["up.3_4", "up.2_2", "down.2_3", "down.3_6"]
    assert tree.route("buffer", "digital") == []


# Bus and all of them


def test_every_kind_gives_the_same_numbers_and_books_its_words(make_chip) -> None:
    weights = np.random.default_rng(0).uniform(-0.4, 0.4, (16, 24)).astype(np.float32)
    results = []
    for network in ({"kind": "bus", "model": "bus-256b-isaac"}, TREE, MESH):
        chip = with_network(make_chip, network)
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        x = np.random.default_rng(1).uniform(-1, 1, (5, 24)).astype(np.float32)
        d = np.random.default_rng(2).uniform(-1, 1, (5, 16)).astype(np.float32)
        run(chip, Forward(matrix, x), Backward(matrix, d), Update(matrix, 0, x, d, 0.1, UpdateParameters()))
        results.append(matrix.weights())
        for component in chip.interconnect.channels:
            assert component.station.queue_length == 0
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


def test_a_bus_as_an_interconnect_is_the_bus(make_chip, weights) -> None:
    times = []
    for network in ({}, {"bus": None, "interconnect": {"kind": "bus", "model": "bus-256b-isaac"}}):
        chip = make_chip(network)
        matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
        times.append((run(chip, Forward(matrix, np.ones((3, 8), np.float32))), words(chip)))
    assert times[0] == times[1]


@pytest.mark.parametrize("network", [TREE, MESH, NARROW])
def test_networks_leak_by_their_routers_not_by_their_links(make_chip, weights, network) -> None:
    chip = with_network(make_chip, network)
    matrix = chip.place_analog("fc", weights, arrays=1, gains=(1.0,))
    run(chip, Forward(matrix, np.ones((3, 8), np.float32)))
    parts = chip.interconnect.components
    assert parts[0].instances == chip.tables["interconnect"].count
    assert sum(part.leakage for part in parts[1:]) == 0
    assert len({part.name for part in chip.components}) == len(chip.components)


def test_halving_the_width_of_a_link_that_is_the_bottleneck(make_chip) -> None:
    """Eight times 400 bytes over the mesh: the pace of the stream is words a vector; the busiest link is never idle."""
    env: dict[int, int] = {}
    for width in (128, 64):
        chip = with_network(make_chip, NARROW | {"parameters": NARROW["parameters"] | {"width": width}})

        def send(chip=chip):
            yield from chip.interconnect.transfer(origin_of(chip), chip.stream(8), 400, "buffer", 6)

        chip.env.process(send())
        chip.env.run()
        cost = chip.interconnect.link("0_0.east").cost("transfer")
        busy = chip.interconnect.link("0_0.east").busy
        assert busy == 8 * (400 * 8 // width) * cost.interval
        env[width] = busy
    assert env[64] == 2 * env[128]
