"""STRS, the spot-then-recognize score: the F1 of spotting times the F1 of naming what was spotted.

Liong, See and Chan, "Spot-then-recognize: a micro-expression analysis network for seamless evaluation of long videos",
Signal Processing: Image Communication 110, 2023; the score of MEGC2024 and MEGC2025. Only movements that were found are
named, so the second factor sees the true positives of spotting alone. It is the harmonic mean of the unweighted means
of precision and recall over the classes, which is not UF1 (the mean of the classes' F1); both are given.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dfrnet.evaluation.metrics import confusion, f1s, recalls
from dfrnet.evaluation.spotting import Pair, Span, Tally, overlaps
from dfrnet.types import UserError

OTHER = ""
"""The answer that is none of the classes: another word, or none at all."""


@dataclass(frozen=True)
class Strs:
    """The score and its parts, all in 0..1.

    ``analysis`` counts the names given to true positives of spotting: right, wrong names that are among the classes,
    and movements whose class was not named. ``precision`` and ``recall`` are means over the classes, ``f1`` is their
    harmonic mean, ``uf1`` the mean of the classes' F1, ``uar`` the mean of their recalls.
    """

    spotting: Tally
    analysis: Tally
    precision: float
    recall: float
    f1: float
    uf1: float
    uar: float
    strs: float


def score_strs(spotting: Tally, pairs: Iterable[Pair], classes: Sequence[str]) -> Strs:
    """The corrected score of what :func:`dfrnet.evaluation.spotting.match` paired.

    Pairs whose annotated class is not among ``classes`` are left out of the naming (not of the spotting). A class that
    none of the pairs shows counts as 0 in the means, so a spotter that finds only the easy class gains nothing by it.
    """
    kept = [pair for pair in pairs if pair.truth.label in classes]
    answers = [pair.prediction.label if pair.prediction.label in classes else OTHER for pair in kept]
    matrix = confusion([pair.truth.label for pair in kept], answers, [*classes, OTHER])
    k = len(classes)
    precision, recall = float(recalls(matrix.T)[:k].mean()), float(recalls(matrix)[:k].mean())
    f1 = 2 * precision * recall / (precision + recall) if precision else 0.0
    right, named = int(np.trace(matrix)), int(matrix[:, :k].sum())
    analysis = Tally(right, named - right, len(kept) - right)
    return Strs(spotting, analysis, precision, recall, f1, float(f1s(matrix)[:k].mean()), recall, spotting.f1 * f1)


def strs_metric(truths: Sequence[Span], predictions: Sequence[Span], classes: Sequence[str], iou: float = 0.5) -> Strs:
    """The score as the public script STRS-Metric computes it (revision eb86468), to compare with published numbers.

    These faults are kept, in its order and its arithmetic:

    1. Movements of a subject for whom nothing was found are not counted as missed.
    2. What was found in a video without an annotated movement is not counted as wrong.
    3. A found interval answers every annotated interval that it overlaps enough and that no earlier one has taken, so
       one can count as several right ones. Which one takes it depends on the order of the rows.
    4. ``uar`` is the mean precision.
    5. Where no class has a right answer, the mean precision and recall are 0 and their harmonic mean is NaN, and so is
       ``strs``.
    6. A class that all the pairs show and are called (or that none does) scores 0: its table of answers has one cell,
       which the script takes for none. A perfect result of a single class is NaN by this.
    7. ``analysis.fn`` repeats ``analysis.fp``: names that are not among the classes are missed by both.

    One thing differs: where nothing at all was paired the script stops with an error, and this returns NaN. Spans are
    frames; UserError for a frame number with a fraction.
    """
    for span in (*truths, *predictions):
        if span.onset % 1 or span.offset % 1:
            raise UserError(f"video {span.video}: the public STRS script counts whole frames, not {span.onset}")
    pairs: list[Pair] = []
    wrong = missed = 0
    subjects = {span.subject for span in predictions}
    for subject, video in dict.fromkeys((t.subject, t.video) for t in truths if t.subject in subjects):
        here, there = ([s for s in side if (s.subject, s.video) == (subject, video)] for side in (truths, predictions))
        found, unanswered = _pairs_of_script(here, there, iou)
        pairs += found
        wrong += unanswered
        missed += len(here) - len(found)
    f1s_, precisions, recalls_ = _by_class_of_script(pairs, classes)
    precision, recall = float(np.mean(precisions)), float(np.mean(recalls_))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else math.nan
    kept = [pair for pair in pairs if pair.truth.label in classes]
    right = sum(pair.truth.label == pair.prediction.label for pair in kept)
    astray = sum(pair.prediction.label in classes for pair in kept) - right
    spotting, analysis = Tally(len(pairs), wrong, missed), Tally(right, astray, astray)
    spotted = _ratios(spotting.tp, spotting.fp, spotting.fn)[2]
    return Strs(spotting, analysis, precision, recall, f1, float(np.mean(f1s_)), precision, spotted * f1)


def _pairs_of_script(truths: Sequence[Span], predictions: Sequence[Span], iou: float) -> tuple[list[Pair], int]:
    """The pairs of one video, and how many predictions answer nothing; nothing stops a prediction after its first."""
    overlap = overlaps(predictions, truths)
    taken: set[int] = set()
    pairs, wrong = [], 0
    for i, prediction in enumerate(predictions):
        free = [j for j in range(len(truths)) if overlap[i, j] >= iou and j not in taken]
        pairs += [Pair(truths[j], prediction, float(overlap[i, j])) for j in free]
        taken.update(free)
        wrong += not free
    return pairs, wrong


def _by_class_of_script(pairs: Sequence[Pair], classes: Sequence[str]) -> tuple[list[float], list[float], list[float]]:
    """F1, precision and recall of each class against the rest."""
    kept = [(pair.truth.label, pair.prediction.label) for pair in pairs if pair.truth.label in classes]
    parts: tuple[list[float], list[float], list[float]] = ([], [], [])
    for name in classes:
        sides = [(shown == name, said == name) for shown, said in kept]
        one_cell = len({side for both in sides for side in both}) < 2
        tp, fp, fn = (0 if one_cell else sides.count(kind) for kind in ((True, True), (False, True), (True, False)))
        precision, recall, f1 = _ratios(tp, fp, fn)
        for part, value in zip(parts, (f1, precision, recall), strict=True):
            part.append(value)
    return parts


def _ratios(tp: int, fp: int, fn: int) -> tuple[float, float, float]:
    """Precision, recall and their harmonic mean; the last bit of 2 TP / (2 TP + FP + FN) can be another."""
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall else 0.0


COMPAT = {"strs-metric": strs_metric}
"""Other programs whose figures can be had as they are."""
