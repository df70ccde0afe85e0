"""Networks from ONNX files, for runs at activity fidelity; needs the extra ``hwsim[onnx]``.

Only the graph is looked at: operators, shapes and small constants. Nothing in the file is executed, and no other file
is opened. The ONNX library, which some wrong files bring down, works in a process of its own.
"""

from hwsim.onnx.isolated import network_of

__all__ = ["network_of"]
