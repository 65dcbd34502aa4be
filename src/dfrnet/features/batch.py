"""Features of many clips, in parallel: into one array, or only into the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from dfrnet.features.cache import CacheError, found_or_made, prepare
from dfrnet.features.extract import FeatureSpec
from dfrnet.parallel import in_parallel
from dfrnet.types import Array, Clip, UserError

Progress = Callable[[int, int], None]
"""Called after each clip with how many are finished and how many there are."""


@dataclass(frozen=True)
class Extracted:
    """``x`` float32 (N, C, size, size), a row for each of ``clips``; ``left_out``: why not, by the id of others."""

    clips: tuple[Clip, ...]
    x: Array
    left_out: dict[str, str]


@dataclass(frozen=True)
class Filled:
    """How many entries of the cache were made (``done``), how many were there (``reused``); ``left_out`` as above."""

    done: int
    reused: int
    left_out: dict[str, str]


@dataclass(frozen=True)
class _Outcome:
    """Of one clip, at ``position`` of the list: its maps, where they are wanted, or why it has none."""

    position: int
    reused: bool
    maps: Array | None
    reason: str = ""


def features(
    clips: Sequence[Clip],
    spec: FeatureSpec,
    *,
    jobs: int = 1,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Extracted:
    """Features of all clips that have them, the same for any number of ``jobs``, in the order of ``clips``.

    A clip that fails is named in ``left_out`` and the rest goes on; UserError if all fail, or if ``cache`` cannot be
    written. Beside the array, no more maps are held than those of the clips just worked on.
    """
    x = np.empty((len(clips), len(spec.maps), spec.size, spec.size), np.float32)
    reasons: dict[int, str] = {}
    for outcome in _outcomes(clips, spec, jobs, cache, progress, keep=True):
        if outcome.maps is None:
            reasons[outcome.position] = outcome.reason
        else:
            x[outcome.position] = outcome.maps
    kept = [i for i in range(len(clips)) if i not in reasons]
    for row, i in enumerate(kept):
        if row < i:
            x[row] = x[i]
    return Extracted(tuple(clips[i] for i in kept), x[: len(kept)], _left_out(clips, reasons))


def fill(
    clips: Sequence[Clip], spec: FeatureSpec, *, jobs: int = 1, cache: Path, progress: Progress | None = None
) -> Filled:
    """Write what ``cache`` lacks of these clips, and keep nothing else; a run that was cut goes on where it was.

    UserErrors as for :func:`features`.
    """
    reasons: dict[int, str] = {}
    reused = 0
    for outcome in _outcomes(clips, spec, jobs, cache, progress, keep=False):
        reused += outcome.reused
        if outcome.reason:
            reasons[outcome.position] = outcome.reason
    return Filled(len(clips) - reused - len(reasons), reused, _left_out(clips, reasons))


def _left_out(clips: Sequence[Clip], reasons: dict[int, str]) -> dict[str, str]:
    left_out = {clips[i].id: reasons[i] for i in sorted(reasons)}
    if clips and len(reasons) == len(clips):
        raise UserError(f"none of the {len(clips)} clips has features; the first: {next(iter(left_out.values()))}")
    return left_out


def _outcomes(
    clips: Sequence[Clip], spec: FeatureSpec, jobs: int, cache: Path | None, progress: Progress | None, *, keep: bool
) -> Iterator[_Outcome]:
    """One for each clip, as they are finished: in any order."""
    if cache is not None:
        prepare(cache)
    work = partial(_outcome, spec=spec, cache=cache, keep=keep, shared=jobs != 1)
    for done, outcome in enumerate(in_parallel(work, enumerate(clips), jobs=jobs, ordered=False), start=1):
        yield outcome
        if progress:
            progress(done, len(clips))


def _outcome(numbered: tuple[int, Clip], spec: FeatureSpec, cache: Path | None, keep: bool, shared: bool) -> _Outcome:
    position, clip = numbered
    if shared:
        cv2.setNumThreads(1)  # in a worker: the other cores have workers of their own, and joblib does not know OpenCV
    try:
        found, reused = found_or_made(clip, spec, cache)
    except CacheError:
        raise
    except UserError as error:
        return _Outcome(position, False, None, str(error))
    return _Outcome(position, reused, found.maps if keep else None)
