"""Registries of device laws, algorithms and components: look-up by name, open to other packages.

A third-party package adds to a registry with an entry point in the group ``hwsim.<kind>`` (for example
``hwsim.algorithms``) whose object is imported on first use and registers itself.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Generic, TypeVar

from hwsim.errors import UsageError, unknown

T = TypeVar("T")


def load_plugin(point: EntryPoint) -> Any:
    """Return the object of an entry point.

    Raises:
        UsageError: it cannot be imported; the message names its package.
    """
    try:
        return point.load()
    except Exception as error:
        package = point.dist.name if point.dist is not None else "an unknown package"
        raise UsageError(
            f"the plug-in '{point.name}' of {package} cannot be loaded ({point.value}): {error}; "
            "mend or uninstall that package"
        ) from error


class Registry(Generic[T]):
    """Names to objects of one kind, in order of registration.

    ``kind`` is the plural word of the entry-point group, ``what`` the singular word of messages.
    """

    def __init__(self, kind: str, what: str) -> None:
        self.kind = kind
        self.what = what
        self._objects: dict[str, T] = {}
        self._loaded_plugins = False

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that registers its object under ``name``.

        Raises:
            UsageError: the name is taken.
        """

        def add(thing: T) -> T:
            if name in self._objects:
                raise UsageError(f"a {self.what} called '{name}' is registered already")
            self._objects[name] = thing
            return thing

        return add

    def get(self, name: str) -> T:
        """Return the object called ``name``.

        Raises:
            UsageError: there is none; the message names the nearest one.
        """
        self._load_plugins()
        if name not in self._objects:
            raise UsageError(unknown(self.what, name, self._objects))
        return self._objects[name]

    def names(self) -> list[str]:
        """Return every registered name."""
        self._load_plugins()
        return list(self._objects)

    def __contains__(self, name: Any) -> bool:
        self._load_plugins()
        return name in self._objects

    def _load_plugins(self) -> None:
        if self._loaded_plugins:
            return
        self._loaded_plugins = True
        for point in entry_points(group=f"hwsim.{self.kind}"):
            thing = load_plugin(point)
            if point.name not in self._objects:
                self._objects[point.name] = thing
