"""The state of what trains - algorithms, layers - as plain data: whatever attributes it has, those of plug-ins too.

Numbers, text, arrays and generators in attributes, lists, dictionaries and objects are its state. What describes it
(specifications, functions) and what has a state of its own (the chip and its matrices) is not. A class with
``state()`` and ``restore()`` speaks for itself.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass
from functools import cached_property
from typing import Any

import numpy as np

from hwsim.chip.analog_matrix import AnalogMatrix
from hwsim.chip.digital_matrix import DigitalMatrix
from hwsim.chip.platform import Platform
from hwsim.chip.program import Task
from hwsim.errors import DataError, RunError
from hwsim.spec.base import Spec

ELSEWHERE = (Spec, Platform, AnalogMatrix, DigitalMatrix, Task, type)
PLAIN = (bool, int, float, str, type(None))
SEQUENCES: dict[str, Callable[[Any], Any]] = {"list": list, "tuple": tuple, "deque": deque, "set": set}


def state_of(value: Any, where: str) -> dict[str, Any]:
    """Return the state of an object's attributes; ``where`` is what a message calls it.

    Raises:
        RunError: an attribute is of a kind that no checkpoint can hold.
    """
    return {
        name: _taken(part, f"{where}.{name}") for name, part in attributes(value).items() if not _is_elsewhere(part)
    }


def restore_state(value: Any, state: Mapping[str, Any]) -> None:
    """Give an object that was made anew the state of :func:`state_of`; arrays are filled where they are.

    Raises:
        DataError: the state is of something else.
    """
    present = attributes(value)
    for name, part in state.items():
        if name.startswith("__") or callable(getattr(type(value), name, None)):
            raise DataError(f"the state names '{name}', which is no attribute of a {type(value).__name__}")
        # Also of a frozen object, which has changed if its owner has another one now.
        object.__setattr__(value, name, _given(present.get(name), part))


def attributes(value: Any) -> dict[str, Any]:
    """Return the attributes of an object by name, without cached properties, which follow from the others."""
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        for name, member in vars(kind).items():
            if isinstance(member, cached_property):
                found.pop(name, None)
        slots = getattr(kind, "__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if hasattr(value, name) and not name.startswith("__"):
                found[name] = getattr(value, name)
    return found


def _is_elsewhere(value: Any) -> bool:
    return isinstance(value, ELSEWHERE) or callable(value)


def _taken(value: Any, where: str) -> Any:
    """Return a value as plain data: itself, or its kind and content."""
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return {"array": np.array(value)} if isinstance(value, np.ndarray) else {"number": np.array(value)}
    if isinstance(value, np.random.Generator):
        return {"generator": _taken(value.bit_generator.state, where)}
    if isinstance(value, Mapping):
        return {"mapping": [[_taken(key, where), _taken(part, f"{where}[{key!r}]")] for key, part in value.items()
                            if not _is_elsewhere(part)]}  # fmt: skip
    for kind, make in SEQUENCES.items():
        if type(value) is make or (kind == "tuple" and isinstance(value, tuple)):
            parts = sorted(value) if kind == "set" else value
            return {kind: [_taken(part, f"{where}[{index}]") for index, part in enumerate(parts)]}
    if callable(getattr(value, "state", None)) and callable(getattr(value, "restore", None)):
        return {"own": value.state()}
    if is_dataclass(value) or type(value).__module__.partition(".")[0] == "hwsim":
        return {"object": state_of(value, where)}
    raise RunError(
        f"{where} is a {type(value).__name__}, which no checkpoint can hold: give its class state() and restore(), "
        "or run without checkpoints"
    )


def _given(present: Any, state: Any) -> Any:
    """Return the value of which this is the state; what is ``present`` is changed where it can be."""
    if isinstance(state, PLAIN):
        return state
    ((kind, content),) = state.items()
    if kind == "array":
        if isinstance(present, np.ndarray) and (present.shape, present.dtype) == (content.shape, content.dtype):
            present[...] = content
            return present
        return content.copy()
    if kind == "number":
        return content[()]
    if kind == "generator":
        present.bit_generator.state = _given(None, content)
        return present
    if kind == "mapping":
        return _given_mapping(present, content)
    if kind in SEQUENCES:
        known = list(present) if isinstance(present, list | tuple | deque) else []
        parts = [_given(known[index] if index < len(known) else None, part) for index, part in enumerate(content)]
        return type(present)(*parts) if hasattr(present, "_fields") else SEQUENCES[kind](parts)
    if present is None:
        raise DataError("the state holds an object that was not made anew; give its owner state() and restore()")
    present.restore(content) if kind == "own" else restore_state(present, content)
    return present


def _given_mapping(present: Any, content: Any) -> Any:
    """Fill a dictionary in the order of the state, without what it does not hold."""
    if not isinstance(present, dict):
        return {_given(None, key): _given(None, part) for key, part in content}
    known = dict(present)
    found = {key: _given(known.get(key), part) for key, part in ((_given(None, each), part) for each, part in content)}
    kept = {key: part for key, part in known.items() if _is_elsewhere(part)}
    present.clear()
    present.update(kept | found)
    return present
