"""Networks from ONNX files, for runs at activity fidelity; needs the extra ``hwsim[onnx]``.

Only the graph is looked at: operators, shapes and small constants. Nothing in the file is executed, and no other file
is opened.
"""

from hwsim.onnx.network import network_document

__all__ = ["network_document"]
