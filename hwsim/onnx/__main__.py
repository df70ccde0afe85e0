"""``python -m hwsim.onnx FILE``: print the network in an ONNX file, or what is wrong with it, as JSON."""

import json
import sys

from hwsim.errors import InputError
from hwsim.onnx.network import network_document

if __name__ == "__main__":
    try:
        answer = {"document": network_document(sys.argv[1]).data}
    except InputError as error:
        answer = {"error": str(error)}
    sys.stdout.write(json.dumps(answer))
