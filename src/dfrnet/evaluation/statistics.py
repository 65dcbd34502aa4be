"""How sure is a score? Everything resamples subjects, for the clips of one person are not independent.

A run of several seeds is an array of confusion matrices (seeds, S, K, K), one a seed and subject. Its score is the mean
over seeds of the metric on that seed's pooled matrix; a run of one seed may drop the first axis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from dfrnet.evaluation.metrics import Counts, Floats, Metric, f1s, recalls, uar, uf1
from dfrnet.types import Prediction, UserError

COMPARED: dict[str, tuple[Metric, Callable[[Counts], Floats]]] = {"uf1": (uf1, f1s), "uar": (uar, recalls)}
"""What a comparison looks at: the metric, and its score of each class for the t-test over subjects."""


@dataclass(frozen=True)
class Difference:
    """One metric of run A minus run B: ``value`` = ``a`` - ``b`` with its 95 % interval; every p is two-sided."""

    a: float
    b: float
    value: float
    interval: tuple[float, float]
    p_bootstrap: float
    p_permutation: float
    p_t: float


@dataclass(frozen=True)
class Comparison:
    """Two runs on the same ``n`` clips of ``subjects`` subjects."""

    n: int
    subjects: int
    uf1: Difference
    uar: Difference


def subject_confusions(
    predictions: Sequence[Prediction], classes: Sequence[str]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """The subjects, sorted, and their confusion matrices int64 (seeds, S, K, K), seeds in ascending order.

    UserError names the first clip with a class outside ``classes``.
    """
    seeds = {seed: i for i, seed in enumerate(sorted({p.seed for p in predictions}))}
    subjects = {subject: i for i, subject in enumerate(sorted({p.subject for p in predictions}))}
    position = {name: i for i, name in enumerate(classes)}
    matrices = np.zeros((len(seeds), len(subjects), len(classes), len(classes)), np.int64)
    for p in predictions:
        if p.truth not in position or p.label not in position:
            unknown = p.label if p.truth in position else p.truth
            raise UserError(f"clip {p.clip}: class {unknown!r} is not among {', '.join(classes)}; name every class")
        matrices[seeds[p.seed], subjects[p.subject], position[p.truth], position[p.label]] += 1
    return tuple(subjects), matrices


def run_score(confusions: Counts, metric: Metric) -> float:
    """The run's score: ``metric`` of each seed's pooled matrix, averaged over seeds."""
    return float(metric(confusions.sum(axis=-3)).mean())


def bootstrap_interval(
    confusions: Counts, metric: Metric, resamples: int = 2000, seed: int = 0, level: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the run's score when its S subjects are drawn again with replacement.

    ``confusions`` is (S, K, K) or (seeds, S, K, K); a resampled subject brings its clips of all seeds. Deterministic
    in ``seed``. One subject, or a perfect run, gives an interval of zero width: it says nothing then.
    """
    weights = _subject_weights(confusions.shape[-3], resamples, seed)
    return _percentiles(_resampled_scores(confusions, weights, metric), level)


def paired_confusions(
    a: Sequence[Prediction], b: Sequence[Prediction], classes: Sequence[str]
) -> tuple[tuple[str, ...], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The common subjects and both runs' matrices (seeds, S, K, K), with the same number of seeds in each.

    Where the numbers of seeds differ both are repeated to their least common multiple, which leaves each score as it
    was. UserError names the first clip that is not the same in both, or that one seed lacks.
    """
    clips_a, clips_b = _clips(a, "first"), _clips(b, "second")
    for clip in [*clips_a, *clips_b]:
        if clip not in clips_a or clip not in clips_b:
            holder, other = ("first", "second") if clip in clips_a else ("second", "first")
            raise UserError(f"clip {clip}: only the {holder} run predicts it, not the {other}; compare equal clips")
        if clips_a[clip] != clips_b[clip]:
            mine, theirs = " of ".join(clips_a[clip]), " of ".join(clips_b[clip])
            raise UserError(f"clip {clip}: {mine} in the first run, {theirs} in the second; compare equal labels")
    subjects, matrices_a = subject_confusions(a, classes)
    _, matrices_b = subject_confusions(b, classes)
    seeds = math.lcm(len(matrices_a), len(matrices_b))
    return (
        subjects,
        np.tile(matrices_a, (seeds // len(matrices_a), 1, 1, 1)),
        np.tile(matrices_b, (seeds // len(matrices_b), 1, 1, 1)),
    )


def compare_paired(
    predictions_a: Sequence[Prediction],
    predictions_b: Sequence[Prediction],
    classes: Sequence[str],
    resamples: int = 2000,
    permutations: int = 10_000,
    seed: int = 0,
) -> Comparison:
    """UF1 and UAR of run A minus run B on the same clips, with three tests over subjects.

    - the paired bootstrap draws the same subjects for both runs: interval, and p from the share of resamples beyond 0
    - the permutation test swaps A and B subject by subject (:func:`permutation_p`)
    - the t-test is the paper's: a paired t over subjects of each subject's own score, the mean over the classes that
      this subject shows, over seeds too. It asks another question, for a subject of two clips weighs as much as one
      of twenty there.

    UserError names the first clip that differs in id, subject or truth.
    """
    subjects, a, b = paired_confusions(predictions_a, predictions_b, classes)
    weights = _subject_weights(len(subjects), resamples, seed)

    def difference(metric: Metric, per_class: Callable[[Counts], Floats]) -> Difference:
        drawn = _resampled_scores(a, weights, metric) - _resampled_scores(b, weights, metric)
        tail = min((drawn <= 0).sum(), (drawn >= 0).sum())
        score_a, score_b = run_score(a, metric), run_score(b, metric)
        return Difference(
            a=score_a,
            b=score_b,
            value=score_a - score_b,
            interval=_percentiles(drawn, 0.95),
            p_bootstrap=min(1.0, 2 * (1 + int(tail)) / (1 + resamples)),
            p_permutation=permutation_p(a, b, metric, permutations, seed),
            p_t=_t_test(_per_subject(a, per_class), _per_subject(b, per_class)),
        )

    n = len({p.clip for p in predictions_a})
    return Comparison(n, len(subjects), difference(*COMPARED["uf1"]), difference(*COMPARED["uar"]))


def permutation_p(a: Counts, b: Counts, metric: Metric, permutations: int = 10_000, seed: int = 0) -> float:
    """Two-sided p that A and B are one and the same: each subject's matrices change sides with probability 1/2.

    ``a`` and ``b`` are (seeds, S, K, K) of :func:`paired_confusions`. The identity is one of the ``permutations``, so
    p = (1 + count) / (1 + others) is never 0 (Phipson and Smyth 2010).
    """
    observed = abs(run_score(a, metric) - run_score(b, metric))
    random = np.random.default_rng(seed)
    moved = (b - a).astype(np.float64).reshape(len(a), a.shape[1], -1)
    shape, total = a.shape[-2:], (a + b).sum(axis=1)
    count, left = 0, permutations - 1
    while left > 0:
        swap = random.integers(0, 2, (min(left, 1000), a.shape[1])).astype(np.float64)
        mixed = a.sum(axis=1)[:, None] + (swap @ moved).reshape(len(a), len(swap), *shape)
        gap = (metric(mixed) - metric(total[:, None] - mixed)).mean(axis=0)
        # Equal gaps must count as equal however they were added up.
        count += int((np.abs(gap) >= observed - 1e-12).sum())
        left -= len(swap)
    return (1 + count) / permutations


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down correction for several comparisons, in the order given; each adjusted p is at most 1."""
    adjusted, running = [0.0] * len(p_values), 0.0
    for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[i]))
        adjusted[i] = running
    return adjusted


def _subject_weights(subjects: int, resamples: int, seed: int) -> Floats:
    """How often each subject is drawn: float64 (resamples, S), rows sum to S."""
    draws = np.random.default_rng(seed).multinomial(subjects, np.full(subjects, 1 / subjects), size=resamples)
    return draws.astype(np.float64)


def _resampled_scores(confusions: Counts, weights: Floats, metric: Metric) -> Floats:
    """The run's score under each row of weights: float64 (resamples,)."""
    subjects, classes = confusions.shape[-3], confusions.shape[-1]
    flat = confusions.astype(np.float64).reshape(-1, subjects, classes * classes)
    pooled = (weights @ flat).reshape(len(flat), len(weights), classes, classes)
    return np.asarray(metric(pooled).mean(axis=0))


def _percentiles(values: Floats, level: float) -> tuple[float, float]:
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def _clips(predictions: Sequence[Prediction], which: str) -> dict[str, tuple[str, str]]:
    """Truth and subject of each clip; UserError where a seed lacks a clip that another seed of the run has."""
    clips = {p.clip: (p.truth, p.subject) for p in predictions}
    seen = {(p.seed, p.clip) for p in predictions}
    for seed in sorted({p.seed for p in predictions}):
        for clip in clips:
            if (seed, clip) not in seen:
                raise UserError(f"clip {clip}: seed {seed} of the {which} run lacks it; finish that run first")
    return clips


def _per_subject(confusions: Counts, per_class: Callable[[Counts], Floats]) -> Floats:
    """Each subject's mean over the classes that it shows, then over seeds: float64 (S,)."""
    present = confusions.sum(axis=-1) > 0
    scores = (per_class(confusions) * present).sum(axis=-1) / present.sum(axis=-1)
    return np.asarray(scores.mean(axis=0))


def _t_test(a: Floats, b: Floats) -> float:
    """Paired two-sided t-test; 1 where nothing differs or one subject leaves nothing to test."""
    gap = a - b
    if len(gap) < 2 or np.allclose(gap, 0):
        return 1.0
    if np.allclose(gap, gap[0]):
        return 0.0  # the same gap in every subject: t is infinite
    return float(stats.ttest_rel(a, b).pvalue)
