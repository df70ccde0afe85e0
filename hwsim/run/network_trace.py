"""Turns the description of a network into a trace of its training, without data or with them."""

from __future__ import annotations

from hwsim.spec.load import Document
from hwsim.spec.network import NetworkSpec

NETWORK_TRACE = "network-trace"
"""The kind of such a trace."""


def network_trace_document(network: Document) -> Document:
    """Return the trace of training a network with mini-batches of 32, cross entropy and Analog SGD.

    Everything can be set: ``--set trace.batch_size=64``. With ``trace.data`` it becomes a live trace.
    """
    data = {
        "kind": NETWORK_TRACE,
        "name": network.data.get("name"),
        "description": network.data.get("description"),
        "source": f"the network; mini-batch and loss are assumptions. Network: {network.data.get('source')}",
        "network": network.data,
        "loss": "cross_entropy",
        "batch_size": 32,
        "epochs": 1,
        "learning_rate": 0.1,
    }
    lines = {("network", *path): line for path, line in network.lines.items()}
    return Document(data, network.file, lines)


def with_data(trace: Document) -> Document:
    """Return the live trace that a trace of a network is once it has data; any other trace as it is."""
    network = trace.data.get("network")
    if trace.data.get("kind") != NETWORK_TRACE or not trace.data.get("data") or not isinstance(network, dict):
        return trace
    layers = {key: value for key, value in network.items() if key in NetworkSpec.model_fields}
    return Document({**trace.data, "kind": "live", "network": layers}, trace.file, trace.lines)
