"""How far each way of finding the apex lies from the coders' mark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import numpy as np

from dfrnet.datasets import synthetic
from dfrnet.evaluation.studies.sheet import Row
from dfrnet.features import APEX, FeatureSpec, clip_frames
from dfrnet.parallel import in_parallel
from dfrnet.types import Clip, Frames, Image, UserError

Progress = Callable[[int, int], None] | None
"""Told (done, total) after every step."""

DRAWN = ("default", "timed")
"""The difficulties of the synthetic set that the study of the apex looks at."""

Looks = dict[str, tuple[int, float] | str]
"""By rule: the position it chose and the seconds that took, or the sentence why it could not."""


@dataclass(frozen=True)
class _Held:
    """Frames ``start`` and following, in memory, at their own positions; with the points of aligned ones."""

    start: int
    images: tuple[Image, ...]
    frames: Frames

    @property
    def points(self) -> Any:
        return getattr(self.frames, "points", None)

    @property
    def times(self) -> Any:
        return self.frames.times

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> Image:
        return self.images[index - self.start]


def study_clips(difficulties: Sequence[str] = DRAWN, every: int = 4) -> list[Clip]:
    """Drawn clips at 200 frames a second, the rate of CASME II and SAMM: every fourth, 72 of 24 subjects a difficulty.

    Those of ``timed`` are those of ``default`` with other apexes. A set other than ``default`` bears its difficulty in
    the name of its data set, as ``synthetic_timed``, so that all are told apart.
    """
    clips: list[Clip] = []
    for name in difficulties:
        drawn = synthetic.load(name, fps=200.0)[::every]
        clips += drawn if name == "default" else [renamed(clip, f"synthetic_{name}") for clip in drawn]
    return clips


def apex_study(
    clips: Sequence[Clip],
    spec: FeatureSpec | None = None,
    *,
    jobs: int = 1,
    progress: Progress = None,
) -> list[Row]:
    """How far each rule of APEX lies from the annotated apex: a row for each data set and rule.

    Counted are the clips with frames and an annotated apex, read as ``spec`` wants them (aligned where they show more
    than a face). ``auto`` and ``annotated`` are left out, for they are the annotation. A clip for which a rule raises
    a UserError is not counted in the rule's row; ``failed`` has the sentence by the clip's id.
    """
    usable = [clip for clip in clips if len(clip.frames) and clip.apex is not None]
    if not usable:
        raise UserError("no clip has both frames and an annotated apex; add --data with one that has, or synthetic")
    rules = [name for name in APEX if name not in ("auto", "annotated")]
    found: list[Looks] = []
    for looks in in_parallel(partial(_look, spec=spec or FeatureSpec(), rules=rules), usable, jobs=jobs):
        found.append(looks)
        if progress:
            progress(len(found), len(usable))
    rows = []
    for name in dict.fromkeys(clip.dataset for clip in usable):
        own = [(clip, looks) for clip, looks in zip(usable, found, strict=True) if clip.dataset == name]
        rows += [_apex_row(rule, name, [(clip, looks[rule]) for clip, looks in own]) for rule in rules]
    return rows


def _look(clip: Clip, spec: FeatureSpec, rules: Sequence[str]) -> Looks:
    """All rules on one clip, whose frames are read once for all of them."""
    looks: Looks = {}
    try:
        frames, _ = clip_frames(clip, spec)
        images = tuple(frames[position] for position in range(clip.onset, clip.offset + 1))
    except UserError as error:
        return dict.fromkeys(rules, str(error))
    held = _Held(clip.onset, images, frames)
    for rule in rules:
        start = perf_counter()
        try:
            looks[rule] = APEX[rule](clip, held), perf_counter() - start
        except UserError as error:
            looks[rule] = str(error)
    return looks


def _apex_row(rule: str, data: str, looks: Sequence[tuple[Clip, tuple[int, float] | str]]) -> Row:
    done = [(clip, *look) for clip, look in looks if not isinstance(look, str)]
    rates = {clip.fps for clip, _ in looks}
    row: Row = {"method": rule, "data": data, "n": len(done), "fps": rates.pop() if len(rates) == 1 else None}
    row |= dict.fromkeys(("mae_frames", "mae_interval", "median_frames", "mae_ms", "ms_per_clip"))
    row["failed"] = {clip.id: look for clip, look in looks if isinstance(look, str)}
    if not done:
        return row
    errors = np.array([abs(position - (clip.apex or 0)) for clip, position, _ in done], np.float64)
    seconds = [error / clip.fps for error, (clip, *_) in zip(errors, done, strict=True) if clip.fps > 0]
    return row | {
        "mae_frames": float(errors.mean()),
        "mae_interval": _interval(errors, [clip.subject for clip, *_ in done]),
        "median_frames": float(np.median(errors)),
        "mae_ms": 1000 * float(np.mean(seconds)) if seconds else None,
        "ms_per_clip": 1000 * float(np.median([took for *_, took in done])),
    }


def _interval(values: Any, subjects: Sequence[str], resamples: int = 2000) -> tuple[float, float]:
    """95 % percentile interval of the mean when subjects are drawn again with all their clips."""
    names, owner = np.unique(np.array(subjects), return_inverse=True)
    sums, counts = np.bincount(owner, values), np.bincount(owner)
    draws = np.random.default_rng(0).integers(len(names), size=(resamples, len(names)))
    low, high = np.percentile(sums[draws].sum(1) / counts[draws].sum(1), [2.5, 97.5])
    return float(low), float(high)


def renamed(clip: Clip, dataset: str) -> Clip:
    """The clip as one of another data set."""
    subject, clip_id = (f"{dataset}/{name.partition('/')[2]}" for name in (clip.subject, clip.id))
    return replace(clip, id=clip_id, subject=subject, dataset=dataset)
