"""Work in several processes, in one way for the whole package."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

IDLE_SECONDS = 10
"""How long a worker waits for more: a killed command must not leave its workers behind for minutes."""


def in_parallel(
    function: Callable[[Item], Result], items: Iterable[Item], *, jobs: int, ordered: bool = True
) -> Iterator[Result]:
    """``function`` of every item, in ``jobs`` processes of one thread each; results as they come unless ``ordered``."""
    import joblib

    way = "generator" if ordered else "generator_unordered"
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1, idle_worker_timeout=IDLE_SECONDS):
        pool = joblib.Parallel(n_jobs=jobs, return_as=way)
    yield from pool(joblib.delayed(function)(item) for item in items)
