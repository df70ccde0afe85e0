"""Numbers inside a page: typed arrays as compressed text, and content that no name can break out of."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from typing import Any

import numpy as np
from markupsafe import Markup


def packed(values: np.ndarray) -> dict[str, Any]:
    """Return an array as plain data that the page's script unpacks into a typed array of the same type.

    The bytes of equal weight stand together, because sorted or similar numbers then compress several times better; no
    bit is lost.
    """
    flat = np.ascontiguousarray(values).ravel()
    flat = flat.astype(flat.dtype.newbyteorder("<"), copy=False)
    planes = flat.view(np.uint8).reshape(len(flat), flat.itemsize).T.tobytes()
    return {
        "type": flat.dtype.kind + str(flat.itemsize),
        "n": len(flat),
        "data": base64.b64encode(zlib.compress(planes, 6)).decode(),
    }


def json_block(name: str, data: Any) -> Markup:
    """Return plain data as a block that a script reads by its id; NaN is refused."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    # No name in the data can end the block or open a comment in it.
    text = text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
    return Markup('<script type="application/json" id="data-{}">{}</script>').format(name, Markup(text))


def script_hash(source: str) -> str:
    """Return the hash by which a page's policy lets this script run, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
