"""Runs programs on a platform: issues their operations, keeps their order, and says who waits when nobody can go on."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from hwsim.chip.analog_matrix import Act
from hwsim.chip.operations import Operation
from hwsim.chip.platform import Platform
from hwsim.chip.program import Alone, Await, Claim, CountDown, Directive, Free, Join, Latch, Mark, Program, Start, Task
from hwsim.chip.sweep import Sweep
from hwsim.engine.ledger import FLUSH_POSTINGS
from hwsim.engine.station import Stream
from hwsim.engine.under_way import Kind, Level, Player, UnderWay
from hwsim.errors import RunError


@dataclass
class Thread:
    """A program at work: the step and sample it is at, and what it is doing."""

    name: str
    step: int = -1
    sample: int = -1
    doing: Operation | str = ""

    def __str__(self) -> str:
        doing = self.doing
        if isinstance(doing, Operation):
            doing = f"{doing.kind} of layer '{doing.layer}'" if doing.layer else doing.kind
        return f"{self.name}{f' (step {self.step})' if self.step >= 0 else ''}: {doing}"


class Sequencer:
    """The controller's program counter, one for each program that runs side by side.

    ``time_by`` is the simulated time by phase and layer (ps): time in which several operations are under way is shared
    equally between them, so that it adds up to the time of the run.
    """

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self._threads: dict[int, Thread] = {}
        self._started = 0
        self.time_by: dict[tuple[str, str], float] = {}
        self._under_way = UnderWay(platform.env, self.time_by)
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self._levels: dict[tuple[str, str], Level] = {}
        self._player = Player(platform.env, platform.ledger.notes, self._under_way, platform.controller.way)

    def run(self, program: Program) -> Any:
        """Run a program to its end in simulated time; returns what it returns.

        Raises:
            RunError: every program that is left waits for another one.
        """
        env = self._platform.env
        process = env.process(self._control(program, Thread("the program")))
        try:
            return env.run(process)
        except RuntimeError as error:
            # SimPy's way to say that nothing is scheduled any more although the process has not ended.
            if process.triggered or env.peek() != float("inf"):
                raise
            raise RunError(self._who_waits()) from error

    @property
    def idle(self) -> bool:
        """Whether no program runs beside the main one, between two of whose operations this is."""
        return len(self._threads) <= 1 and not self._under_way

    def state(self) -> dict[str, Any]:
        """Return how time has been shared; no operation is under way."""
        return {
            "started": self._started, "shared_until": self._under_way.until,
            "time_by": [[*key, time] for key, time in self.time_by.items()],
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned."""
        self._started, self._under_way.until = int(state["started"]), int(state["shared_until"])
        self.time_by.update({(phase, layer): float(time) for phase, layer, time in state["time_by"]})

    def _control(self, program: Program, thread: Thread) -> Generator[Any, Any, Any]:
        number = self._started
        self._started += 1
        self._threads[number] = thread
        try:
            return (yield from self._steps(program, thread))
        finally:
            del self._threads[number]

    def _steps(self, program: Program, thread: Thread) -> Generator[Any, Any, Any]:
        platform, under_way, kinds = self._platform, self._under_way, self._kinds
        notes, issue = platform.ledger.notes, platform.controller.issue_now
        player = self._player
        result = None
        while True:
            try:
                step = program.send(result)
            except StopIteration as stop:
                return stop.value
            if not isinstance(step, Operation):
                result = yield from self._obey(step, thread)
                continue
            thread.doing = step
            kind = kinds.get((step.kind, step.phase, step.layer)) or self._new_kind(step.kind, step.phase, step.layer)
            if self._alone and step.is_playable:
                result = step.play(platform, Act(player, kind, thread.step, thread.sample))
                if len(notes) >= FLUSH_POSTINGS:
                    self._flush_if_full()
                continue
            origin = under_way.begin(kind, thread.step, thread.sample)
            issued = issue(origin)
            if not isinstance(issued, Stream):
                yield from issued
            result = yield from step.time(platform, origin)
            under_way.end(kind, thread.step)
            if len(notes) >= FLUSH_POSTINGS:
                self._flush_if_full()

    @property
    def _alone(self) -> bool:
        """Whether no other program, and nothing that was scheduled, can come between operations."""
        return self._platform.env.is_empty and len(self._threads) == 1 and not self._under_way

    def _flush_if_full(self) -> None:
        ledger = self._platform.ledger
        if ledger.pending >= FLUSH_POSTINGS:
            ledger.flush(until=self._platform.env.now)

    def _kind(self, kind: str, phase: str, layer: str) -> Kind:
        """Return what the operations of one kind, phase and layer have in common."""
        return self._kinds.get((kind, phase, layer)) or self._new_kind(kind, phase, layer)

    def _new_kind(self, kind: str, phase: str, layer: str) -> Kind:
        level = self._levels.get((kind, layer))
        if level is None:
            gauge = self._platform.env.gauges.of("controller", f"{kind} {layer}".rstrip())
            level = self._levels[kind, layer] = Level(gauge)
        key = self._platform.ledger.origin(kind, phase, layer, -1, -1).key
        made = self._kinds[kind, phase, layer] = Kind((phase, layer), key, level)
        return made

    def _obey(self, directive: Directive, thread: Thread) -> Generator[Any, Any, Any]:
        match directive:
            case Mark():
                thread.step, thread.sample = directive.step, directive.sample
            case CountDown():
                _count_down(directive.latch)
            case Await():
                yield from self._wait(directive.latch, thread)
            case Start():
                return self._start(directive, thread)
            case Join():
                yield from self._wait(directive.task.done, thread)
                return directive.task.result
            case Claim():
                thread.doing = f"claiming {directive.n_bytes} bytes of the buffer for {directive.name}"
                yield from self._platform.buffer.room.claim(directive.n_bytes)
            case Free():
                self._platform.buffer.room.give_back(directive.n_bytes)
            case Alone():
                return self._alone
            case Sweep():
                directive.play(self._platform, self._player, self._kind, thread.step, thread.sample)
                self._flush_if_full()
        return None

    def _start(self, start: Start, thread: Thread) -> Task:
        task = Task(start.name, Latch(f"the end of {start.name}", 1))

        def whole() -> Generator[Any, Any, None]:
            own = Thread(start.name, thread.step, thread.sample)
            task.result = yield from self._control(start.program, own)
            _count_down(task.done)

        self._platform.env.process(whole())
        return task

    def _wait(self, latch: Latch, thread: Thread) -> Generator[Any, Any, None]:
        if latch.count > 0:
            thread.doing = f"waiting for {latch.name}"
            opened = self._platform.env.event()
            latch.waiting.append(opened)
            yield opened

    def _who_waits(self) -> str:
        lines = [f"  {thread}" for thread in self._threads.values()]
        buffer = self._platform.buffer.room
        room = f"{buffer.free} of {buffer.capacity} bytes of the buffer are free"
        return "\n".join(["the chip has come to a standstill: every program waits for another one", *lines, room])


def _count_down(latch: Latch) -> None:
    latch.count -= 1
    if latch.count == 0:
        for opened in latch.waiting:
            opened.succeed()


class NumbersOnly:
    """Runs programs without time: every started program runs to its end at once, in the order of the starts."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform

    @property
    def idle(self) -> bool:
        """Always: every operation ends at once."""
        return True

    def state(self) -> dict[str, Any]:
        """Return nothing: there is no time to share."""
        return {}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue from what ``state()`` returned."""

    def run(self, program: Program) -> Any:
        """Run a program; returns what it returns.

        Raises:
            RunError: it waits for something that only happens later.
        """
        result = None
        try:
            while True:
                step = program.send(result)
                result = step.run(self._platform) if isinstance(step, Operation) else self._obey(step)
        except StopIteration as stop:
            return stop.value

    def _obey(self, directive: Directive) -> Any:
        match directive:
            case CountDown():
                directive.latch.count -= 1
            case Await() if directive.latch.count > 0:
                raise RunError(f"a program waits for {directive.latch.name}, which needs time: leave timing on")
            case Start():
                return Task(directive.name, Latch(directive.name, 0), self.run(directive.program))
            case Join():
                return directive.task.result
            case Alone():
                return True
            case Sweep():
                directive.run(self._platform)
        return None
