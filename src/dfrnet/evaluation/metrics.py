"""Scores as pure functions of confusion matrices (..., K, K): rows are the truth, columns the answer.

Leading axes are free, so one call scores every resample of a bootstrap. The paper's eq. 15-17 and MEGC2019: true and
false answers are summed over all folds first, then UF1 and UAR are computed once; a mean of per-fold scores is
another, flattering number.

The class list is explicit. A class that nobody shows and nobody answers has the score 0/0; it counts as 0 and stays in
the mean, as in scikit-learn with ``labels=classes, zero_division=0``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfrnet.types import UserError

Counts = npt.NDArray[np.int64] | npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]
Metric = Callable[[Counts], Floats]


def confusion(truth: Sequence[str], label: Sequence[str], classes: Sequence[str]) -> npt.NDArray[np.int64]:
    """Count answers: int64 (K, K), ``[i, j]`` clips of class i were called class j; UserError on an unknown class."""
    position = {name: i for i, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    try:
        for shown, answered in zip(truth, label, strict=True):
            matrix[position[shown], position[answered]] += 1
    except KeyError as error:
        raise UserError(f"class {error} is not among {', '.join(classes)}; name every class") from None
    return matrix


def f1s(confusion: Counts) -> Floats:
    """F1 of each class, 2TP / (2TP + FP + FN): float64 (..., K) in 0..1."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    # Row sum + column sum = (TP + FN) + (TP + FP).
    return _ratio(2 * right, confusion.sum(axis=-1) + confusion.sum(axis=-2))


def recalls(confusion: Counts) -> Floats:
    """Recall of each class, TP / n: float64 (..., K) in 0..1."""
    return _ratio(np.diagonal(confusion, axis1=-2, axis2=-1), confusion.sum(axis=-1))


def uf1(confusion: Counts) -> Floats:
    """Unweighted F1: the mean of the classes' F1 (eq. 15-16), float64 (...)."""
    return np.asarray(f1s(confusion).mean(axis=-1))


def uar(confusion: Counts) -> Floats:
    """Unweighted average recall: the mean of the classes' recalls (eq. 17), float64 (...)."""
    return np.asarray(recalls(confusion).mean(axis=-1))


def accuracy(confusion: Counts) -> Floats:
    """Share of right answers, float64 (...); large where a classifier always answers the commonest class."""
    return _ratio(np.trace(confusion, axis1=-2, axis2=-1), confusion.sum(axis=(-2, -1)))


METRICS: dict[str, Metric] = {"uf1": uf1, "uar": uar, "accuracy": accuracy}


def _ratio(part: npt.NDArray[Any], whole: npt.NDArray[Any]) -> Floats:
    """``part / whole`` with 0/0 = 0."""
    whole = np.asarray(whole, np.float64)
    quotient: Floats = np.divide(part, whole, out=np.zeros_like(whole), where=whole > 0)
    return quotient
