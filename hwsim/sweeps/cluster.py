"""Runs the points of a sweep on a Dask cluster."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import Any

from hwsim.errors import UsageError
from hwsim.sweeps.work import Outcome, Task, make_run_elsewhere, put_files

CONNECT_SECONDS = 10


class DaskCluster:
    """Makes runs on the workers of the Dask scheduler at ``address``; their folders come back over the network.

    A point whose worker is lost runs on another one, as often as the scheduler's ``allowed-failures`` says.

    Raises:
        UsageError: the extra ``cluster`` is not installed, nobody answers at the address, there are no workers, or a
            worker has another hwsim.
    """

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise UsageError("--scheduler needs Dask: pip install 'hwsim[cluster]'") from None
        if not address.startswith(("tcp://", "tls://")):
            raise UsageError(f"expected the address of a Dask scheduler, tcp://HOST:PORT, got '{address}'")
        try:
            self._client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError, TypeError) as error:
            reason = " ".join(str(error).split()) or type(error).__name__
            raise UsageError(f"no Dask scheduler answers at {address}: {reason}") from None
        try:
            self._check_workers(address)
        except BaseException:
            self._client.close()
            raise

    def _check_workers(self, address: str) -> None:
        own = version("hwsim")
        found = self._client.run(_installed, on_error="return")
        if not found:
            raise UsageError(f"the Dask scheduler at {address} has no workers; start some: dask worker {address}")
        other = {worker: said if isinstance(said, str) else "none" for worker, said in found.items() if said != own}
        if other:
            said = ", ".join(f"{worker} has {which}" for worker, which in other.items())
            raise UsageError(f"every worker needs hwsim {own}, as here; {said}")

    def __call__(self, tasks: Iterable[Task]) -> Iterator[Outcome]:
        """Make the runs; gives each outcome as it comes."""
        from distributed import as_completed

        futures = {
            self._client.submit(
                make_run_elsewhere, task.spec, pure=False, key=f"hwsim-{task.spec.hash}-{task.index}"
            ): task
            for task in tasks
        }
        try:
            for future in as_completed(list(futures), loop=self._client.loop):
                task = futures.pop(future)
                failure = future.exception()
                error, files = (f"its worker failed: {failure}", {}) if failure is not None else future.result()
                if files:
                    put_files(files, task.out)
                yield Outcome(task, error)
        finally:
            if futures:
                self._client.cancel(list(futures))
            self._client.close()


def _installed() -> str:
    return version("hwsim")
