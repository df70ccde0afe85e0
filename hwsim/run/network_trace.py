"""Turns the description of a network into a trace of its training."""

from __future__ import annotations

from hwsim.spec.load import Document

NETWORK_TRACE = "network-trace"
"""The kind of such a trace."""


def network_trace_document(network: Document) -> Document:
    """Return the trace of training a network with mini-batches of 32, cross entropy and Analog SGD.

    Everything can be set: ``--set trace.batch_size=64``.
    """
    data = {
        "kind": NETWORK_TRACE,
        "name": network.data.get("name"),
        "description": network.data.get("description"),
        "source": f"the network; mini-batch and loss are assumptions. Network: {network.data.get('source')}",
        "network": network.data,
    }
    lines = {("network", *path): line for path, line in network.lines.items()}
    return Document(data, network.file, lines)
