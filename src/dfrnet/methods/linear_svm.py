"""A linear support vector machine that chooses its C on inner subjects: the classifier of hand-crafted descriptors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dfrnet.types import Array, UserError

Values = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]

CANDIDATES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""For descriptors of length 1 to 9. Where classes overlap, the time of a fit grows with C."""

INNER_FOLDS = 5
FEWEST_SUBJECTS = 3
"""Of fewer, an inner score says too little to choose by."""


class LinearSVM:
    """``describe``: x (N, C, H, W) -> (N, D); ``candidates`` for C; ``C`` is the one that the last ``fit`` chose.

    The answers of ``predict_proba`` are those of :func:`probabilities`.
    """

    def __init__(self, describe: Callable[[Array], Values], candidates: Sequence[float], classes: int) -> None:
        self.describe, self.candidates, self.classes = describe, candidates, classes
        self.C = middle(candidates)
        self.inputs: Values = np.zeros((0, 0))
        self.known = np.arange(classes)
        self.svc: Any = None

    def fit(self, x: Array, y: Labels, groups: Sequence[str]) -> LinearSVM:
        self.inputs, self.known = self.describe(x), np.unique(y)
        kernel = products(self.inputs, self.inputs)
        self.C = choose(kernel, y, groups, self.candidates)
        self.svc = fitted(kernel, y, self.C)
        return self

    def predict_proba(self, x: Array) -> Values:
        if self.svc is None:
            return probabilities(np.zeros((len(x), 1)), self.known, self.classes)
        scores = self.svc.decision_function(products(self.describe(x), self.inputs))
        return probabilities(scores, self.known, self.classes)


def probabilities(scores: Values, known: Labels, classes: int) -> Values:
    """Decision values as shares that sum to 1: (N, K) -> (N, classes), 0 for classes that are not among ``known`` (K,).

    Of two classes there may be one value (N,), how far on the side of the second. A softmax: it ranks the classes and
    is not calibrated.
    """
    if scores.ndim == 1:
        scores = np.stack([-scores, scores], axis=1)
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares = np.zeros((len(scores), classes))
    shares[:, known] = powers / powers.sum(axis=1, keepdims=True)
    return shares


def products(a: Values, b: Values) -> Values:
    """Each row of ``a`` times each of ``b``, the linear kernel: (N, D), (M, D) -> (N, M).

    Without BLAS, whose last bits depend on the number of threads. Computed once, it makes each of many fits ten times
    faster.
    """
    return np.asarray(np.einsum("nd,md->nm", a, b))


def fitted(kernel: Values, y: Labels, cost: float) -> Any:
    """The machine with C = ``cost`` for these clips (scikit-learn's SVC), None where they are all of one class."""
    from sklearn.svm import SVC

    if len(np.unique(y)) < 2:
        return None
    return SVC(C=cost, kernel="precomputed", break_ties=True).fit(kernel, y)  # its answer is that of the best score


def choose(kernel: Values, y: Labels, groups: Sequence[str], candidates: Sequence[float]) -> float:
    """The C with the best UF1 over held-out subjects of the training clips, the smallest of equals.

    Up to five inner folds, no subject on both sides, one score of all their answers together. The middle candidate
    where there are fewer than three subjects or there is one class, so that nothing can be learnt about C.
    """
    from sklearn.metrics import f1_score
    from sklearn.model_selection import GroupKFold

    subjects, known = len(set(groups)), np.unique(y)
    if subjects < FEWEST_SUBJECTS or len(known) < 2 or len(candidates) == 1:
        return middle(candidates)
    folds = list(GroupKFold(min(INNER_FOLDS, subjects)).split(y, y, groups))
    ordered = sorted(candidates)
    answers = (held_out(kernel, y, folds, cost) for cost in ordered)
    scores = [f1_score(y, found, labels=known, average="macro", zero_division=0) for found in answers]
    return ordered[int(np.argmax(scores))]


def held_out(kernel: Values, y: Labels, folds: Sequence[tuple[Labels, Labels]], cost: float) -> Labels:
    """What machines with C = ``cost``, trained on the other folds, say of each clip: (N,)."""
    found = np.empty_like(y)
    for train, test in folds:
        svc = fitted(kernel[np.ix_(train, train)], y[train], cost)
        found[test] = y[train][0] if svc is None else svc.predict(kernel[np.ix_(test, train)])
    return found


def middle(candidates: Sequence[float]) -> float:
    """The candidate in the middle, of two the smaller."""
    return sorted(candidates)[(len(candidates) - 1) // 2]


def check_candidates(candidates: Sequence[float]) -> None:
    """UserError unless there is at least one C and all are above 0."""
    if not candidates or not min(candidates) > 0:
        given = ",".join(map(str, candidates))
        raise UserError(f"C={given}: name at least one value above 0, such as --set C=0.1,1,10")
