from typing import Any

class Timebase:
    _now: int | float
    _queue: list[Any]
    @property
    def now(self) -> int: ...
    def move_on(self, time: int) -> bool: ...
