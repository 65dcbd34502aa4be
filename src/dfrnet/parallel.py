"""Work in several processes, in one way for the whole package: on this machine, or on a cluster that is there already.

:func:`in_parallel` is the only place that starts processes. Where they run is chosen once, around everything::

    with engine("ray"):
        evaluate(method, clips, out, jobs=64)

The numbers are the same on every engine: a piece of work gets one thread, and depends on nothing but its item.

Ray and Dask get the work as their own tasks, not through joblib's back ends for them. Ray's (2.60) hands out no result
before all are there and gives up with the first worker that dies; Dask's (joblib 1.6) waits for ever once the only
worker that held the function's data has died. Neither must happen to a run of days.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

from dfrnet.types import UserError, unknown_name

Item = TypeVar("Item")
Result = TypeVar("Result")

IDLE_SECONDS = 10
"""How long a local worker waits for more: a killed command must not leave its workers behind for minutes."""

WAIT_SECONDS = 60
"""How long a Dask cluster may be without a worker: a batch system starts them when it pleases."""

DEATHS = 3
"""How many workers may die at the same item before it counts as the item's fault; more memory is what it then needs."""

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
"""What numerical libraries read when they are loaded."""


class WorkerDiedError(UserError):
    """A process that worked on an item is gone: killed, out of memory, or by a fault in a library."""


class Work(Protocol):
    """How an engine does ``function`` of every item."""

    def __call__(
        self, function: Callable[[Item], Result], items: Iterable[Item], jobs: int, ordered: bool, /
    ) -> Iterator[Result]: ...


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int, ordered: bool = True
) -> Iterator[Result]:
    """``function`` of every item, ``jobs`` at once with one thread each; results as they come unless ``ordered``.

    Inside :func:`engine`, on that engine; there ``jobs`` 0 is as many as its cluster has cores. Where a worker of a
    cluster dies its item is done again, so ``function`` must do no harm when called twice. An error of ``function``
    is raised here as it was raised there, and ends the rest. WorkerDiedError if an item's workers die ``DEATHS`` + 1
    times, or one of this machine's once.
    """
    return _chosen.get()(function, items, jobs, ordered)


def every_one(
    function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int, died: Callable[[Item], Result]
) -> Iterator[Result]:
    """As :func:`in_parallel`, results as they come; an item that kills its process gets ``died(item)`` for a result.

    When a process dies, nobody knows at which of the items under way. So each one without a result is then done again,
    alone in a process, and ``function`` must do no harm when called twice. With one job, in this process, a death is
    this process's own.
    """
    left = dict(enumerate(items))
    try:
        for position, result in in_parallel(partial(_numbered, function), list(left.items()), jobs=jobs, ordered=False):
            del left[position]
            yield result
    except WorkerDiedError:
        for item in left.values():
            try:
                (result,) = in_parallel(function, [item], jobs=2)  # one job would be done in this process
            except WorkerDiedError:
                result = died(item)
            yield result


def _numbered(function: Callable[[Item], Result], numbered: tuple[int, Item]) -> tuple[int, Result]:
    return numbered[0], function(numbered[1])


@contextmanager
def engine(name: str = "local", *, jobs: int = 0, address: str | None = None) -> Iterator[None]:
    """Have :func:`in_parallel` work on the engine ``name`` of ``ENGINES`` within the ``with`` block.

    ``address`` names a running cluster; without it, the variable that Ray or Dask read themselves does (RAY_ADDRESS,
    DASK_SCHEDULER_ADDRESS). Without either, a cluster of ``jobs`` workers (0: one a core) is started on this machine,
    reachable from nowhere else, and ended with the block. UserError for an unknown name, a cluster that does not
    answer or one that cannot give equal numbers; ModuleNotFoundError where the engine's package is not installed.
    """
    if name not in ENGINES:
        raise unknown_name("engine", name, ENGINES)
    with ENGINES[name](jobs, address) as work:
        before = _chosen.set(work)
        try:
            yield
        finally:
            _chosen.reset(before)


def _with_joblib(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int, ordered: bool, /
) -> Iterator[Result]:
    from concurrent.futures.process import BrokenProcessPool

    import joblib

    # loky says so where a worker has idled for IDLE_SECONDS, or frees its memory by ending: another one starts at once
    # and no item is lost. It says it in a thread of its own while results are awaited, so the filter must be the whole
    # process's and cannot end with this function: other threads may have a pool too.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given to the executor", UserWarning)
    way = "generator" if ordered else "generator_unordered"
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1, idle_worker_timeout=IDLE_SECONDS):
        pool = joblib.Parallel(n_jobs=jobs, return_as=way)
    try:
        yield from pool(joblib.delayed(function)(item) for item in items)
    except BrokenProcessPool as error:
        raise WorkerDiedError(
            "a process that worked died, perhaps for want of memory; give fewer --jobs: what is finished is kept"
        ) from error


@dataclass(frozen=True)
class Cluster:
    """What is needed of a running cluster; a handle stands for one submitted item.

    ``share`` a value with all workers, once. ``submit`` a shared function and an item; ``first`` finished of some
    handles; its ``result``, or the error raised there. Nothing is cancelled: what was begun when an error ends the work
    is finished unseen, since Ray (2.60) may abort this whole process where a task ends while it is being cancelled.
    """

    cores: Callable[[], int]
    share: Callable[[Any], Any]
    submit: Callable[[Any, Held[Any]], Any]
    first: Callable[[list[Any]], Any]
    result: Callable[[Any], Any]

    def __call__(
        self, function: Callable[[Item], Result], items: Iterable[Item], jobs: int, ordered: bool, /
    ) -> Iterator[Result]:
        """As ``Work``: never more than ``jobs`` items are on their way, so a long list costs no memory there."""
        shared, numbered = self.share(function), enumerate(items)
        running: dict[Any, int] = {}
        finished: dict[int, Result] = {}
        following = 0
        for position, item in islice(numbered, jobs or self.cores()):
            running[self.submit(shared, Held(item))] = position
        while running:
            handle = self.first(list(running))
            finished[running.pop(handle)] = self.result(handle)
            for position, item in islice(numbered, 1):
                running[self.submit(shared, Held(item))] = position
            if not ordered:
                yield finished.popitem()[1]
            while ordered and following in finished:
                yield finished.pop(following)
                following += 1


@dataclass(frozen=True)
class Held(Generic[Item]):
    """An item as it travels: Dask would look into a bare tuple or list for work of its own."""

    item: Item


def _alone(function: Callable[[Item], Result], held: Held[Item]) -> Result:
    """In a worker: ``function`` of the item, on one thread, whatever the cluster's owner has set."""
    from threadpoolctl import threadpool_limits

    os.environ.update(dict.fromkeys(THREADS, "1"))  # for libraries that are still to be loaded
    threadpool_limits(1)  # for those that are
    return function(held.item)


def _same(value: Item) -> Item:
    return value


def _cores() -> int:
    import joblib

    return int(joblib.cpu_count())


def _died(engine: str, error: BaseException) -> WorkerDiedError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return WorkerDiedError(
        f"{engine}: the workers of one item died {DEATHS + 1} times, or the cluster is gone ({reason}); give workers "
        "more memory or fewer --jobs: what is finished is kept"
    )


@contextmanager
def _local(jobs: int, address: str | None) -> Iterator[Work]:
    del jobs
    if address:
        raise UserError(f"the engine local works on this machine only, not at {address}; choose ray or dask")
    yield _with_joblib


@contextmanager
def _ray(jobs: int, address: str | None) -> Iterator[Work]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # nothing is reported to anybody; read when Ray is imported
    address = address or os.environ.get("RAY_ADDRESS")
    if address:
        # An attempt to reach a cluster takes 40 s, and Ray makes twenty before it says that none answers.
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")
    else:
        # Ray's own switch for a node that no other may join: it then listens on the loopback alone.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    import ray
    from ray import exceptions

    task = ray.remote(num_cpus=1, max_retries=DEATHS)(_alone)

    def result(handle: Any) -> Any:
        try:
            return ray.get(handle)
        except exceptions.RayTaskError as error:
            raise error.cause from error
        except exceptions.RayError as error:
            raise _died("ray", error) from error

    ours = not ray.is_initialized()
    if ours:
        _start_ray(address, jobs)
    try:
        yield Cluster(
            cores=lambda: max(1, int(ray.cluster_resources().get("CPU", 1))),
            share=ray.put,
            submit=task.remote,
            first=lambda handles: ray.wait(handles, num_returns=1, fetch_local=False)[0][0],
            result=result,
        )
    finally:
        if ours:
            ray.shutdown()


def _start_ray(address: str | None, jobs: int) -> None:
    """Join the cluster at ``address``, or start one on this machine."""
    import ray

    own = {} if address else {"num_cpus": jobs or _cores(), "include_dashboard": False}
    on_main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address or "local", logging_level=logging.ERROR, **own)
    except Exception as error:  # Ray raises a bare one where its own processes are not up within its 30 s
        if "InvalidAuthToken" in str(error.__cause__):
            raise UserError(
                f"ray: the cluster at {address} wants its token; copy ~/.ray/auth_token from the machine that began it "
                "and set RAY_AUTH_MODE=token"
            ) from error
        if address:
            raise _unreachable("ray", "RAY_ADDRESS", "ray start --head", address, error) from error
        reason = str(error).strip().partition("\n")[0].rstrip(".")
        raise UserError(
            f"ray: could not be started on this machine ({reason}); try again when it is less busy, or without --engine"
        ) from error
    finally:
        if on_main:
            signal.signal(signal.SIGTERM, before)  # Ray puts its own there, and a command ends as it would without


@contextmanager
def _dask(jobs: int, address: str | None) -> Iterator[Work]:
    import distributed

    def submit(shared: Any, held: Held[Any]) -> Any:
        return client.submit(_alone, shared, held, pure=False)

    def share(value: Any) -> Any:
        with warnings.catch_warnings():
            # Scattered data dies with the workers that hold it; a task's argument stays with the scheduler.
            warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
            return client.submit(_same, value, pure=False)

    def first(handles: list[Any]) -> Any:
        while True:
            try:
                return next(iter(distributed.wait(handles, WAIT_SECONDS, "FIRST_COMPLETED").done))
            except distributed.CancelledError:  # its result says so
                return next(handle for handle in handles if handle.cancelled())
            except TimeoutError:
                # Dask itself would wait for ever for workers that nobody begins any more.
                _wait_for_workers(client, "of this cluster")

    def result(handle: Any) -> Any:
        while True:
            try:
                return handle.result(WAIT_SECONDS)
            except (distributed.CancelledError, distributed.scheduler.KilledWorker) as error:
                raise _died("dask", error) from error
            except TimeoutError:  # the worker died with the result before it was fetched, or the work itself timed out
                if handle.status == "error":
                    raise
                _wait_for_workers(client, "of this cluster")

    address = address or os.environ.get("DASK_SCHEDULER_ADDRESS")
    with _dask_client(address, jobs) as client:
        yield Cluster(cores=lambda: _equal_workers(client), share=share, submit=submit, first=first, result=result)


@contextmanager
def _dask_client(address: str | None, jobs: int) -> Iterator[Any]:
    """A client of the cluster at ``address``, or of one started on this machine."""
    import dask
    import distributed

    if not address:
        with (
            # Within 15 s a killed worker is to be back, or Dask never begins it anew: not enough on a busy machine.
            dask.config.set({"distributed.deploy.lost-worker-timeout": "1h"}),
            distributed.LocalCluster(
                n_workers=jobs or _cores(), threads_per_worker=1, host="127.0.0.1", memory_limit=0,
                dashboard_address="127.0.0.1:0", scheduler_kwargs={"dashboard": False}, silence_logs=logging.CRITICAL,
            ) as cluster,
            distributed.Client(cluster) as client,
        ):  # fmt: skip
            yield client
        return
    try:
        client = distributed.Client(address, timeout=WAIT_SECONDS)
    except (OSError, ValueError) as error:
        raise _unreachable("dask", "DASK_SCHEDULER_ADDRESS", "dask scheduler", address, error) from error
    with client:
        _wait_for_workers(client, f"at {address}")
        _equal_workers(client)
        yield client


def _wait_for_workers(client: Any, where: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WAIT_SECONDS)
    except TimeoutError:
        raise UserError(
            f"dask: the scheduler {where} had no worker for {WAIT_SECONDS} s; start some with: "
            "dask worker ADDRESS --nthreads 1 --nworkers auto, or, where they died for want of memory, fewer"
        ) from None


def _equal_workers(client: Any) -> int:
    """How many workers there are. UserError if one works on two items in the same process: they share random states."""
    threads = client.nthreads()
    for worker, count in threads.items():
        if count > 1:
            raise UserError(
                f"dask: worker {worker} has {count} threads, and numbers repeat only with one; start workers with "
                "--nthreads 1 and as many --nworkers"
            )
    return max(1, len(threads))


def _unreachable(engine: str, variable: str, starter: str, address: str, error: BaseException) -> UserError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return UserError(
        f"{engine}: no cluster answers at {address} ({reason}); start one with: {starter}, or leave {variable} out to "
        "work on this machine"
    )


ENGINES: dict[str, Callable[[int, str | None], AbstractContextManager[Work]]] = {
    "local": _local,
    "ray": _ray,
    "dask": _dask,
}
"""Where work may be done, by name. ``local`` needs no package besides joblib, the others an extra of their name."""

_chosen: ContextVar[Work] = ContextVar("engine", default=_with_joblib)
