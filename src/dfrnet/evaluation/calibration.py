"""How far probabilities can be trusted: temperature, calibration error, and what abstaining gains.

Everything is measured on answers to clips of people whom the network was not trained on, pooled over the folds of a
run; the final network, trained on everybody, takes the figures over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar

from dfrnet.evaluation.identity import clips_hash, recorded
from dfrnet.evaluation.metrics import Floats, uf1
from dfrnet.evaluation.metrics import confusion as count
from dfrnet.evaluation.records import Run, load_run
from dfrnet.evaluation.scores import data_subsets, score_row, subset
from dfrnet.methods import Method
from dfrnet.runtime import softmax
from dfrnet.types import Clip, Prediction, UserError

LEAST_CHANCE = 5e-5
"""What a probability of 0 is taken for: kept predictions have four decimals, and 0.0000 is something below this."""

BOUNDS = (0.05, 20.0)
"""Of the temperature. A run that never errs would drive it to 0, one that knows nothing to infinity."""

BINS = 15
COVERAGE = 0.8
"""The share of answers that a calibrated model gives a label to, unless asked for another."""

COVERAGES = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)


@dataclass(frozen=True)
class Point:
    """One place on the coverage curve: the surest ``coverage`` of the answers, all those of ``threshold`` and above."""

    coverage: float
    threshold: float
    accuracy: float
    uf1: float


@dataclass(frozen=True)
class Calibration:
    """``nll`` (nats) and ``ece`` (0..1): before and after the temperature.

    After, each subject's answers have the temperature that the *other* subjects' give, so that it is a prediction too.
    """

    temperature: float
    nll: tuple[float, float]
    ece: tuple[float, float]
    curve: tuple[Point, ...]


def calibrate(predictions: Sequence[Prediction], classes: Sequence[str]) -> Calibration:
    """Temperature, errors and coverage curve of answers to people who were not trained on.

    UserError for fewer than two subjects, or for a single class.
    """
    p, y = _arrays(predictions, classes)
    subjects = np.array([one.subject for one in predictions])
    if len(set(subjects)) < 2 or len(set(y)) < 2:
        raise UserError("calibration needs predictions of two subjects and of two classes at least")
    after = np.empty_like(p)
    for subject in np.unique(subjects):
        mine = subjects == subject
        after[mine] = softmax(np.log(p[mine]), _temperature(p[~mine], y[~mine]))
    chosen = _temperature(p, y)
    return Calibration(
        temperature=chosen,
        nll=(_nll(p, y), _nll(after, y)),
        ece=(expected_calibration_error(p, y), expected_calibration_error(after, y)),
        curve=coverage_curve(softmax(np.log(p), chosen), y),
    )


def temperature(predictions: Sequence[Prediction], classes: Sequence[str]) -> float:
    """The T whose softmax(log p / T) has the least negative log likelihood (Guo et al. 2017, section 4.2)."""
    return _temperature(*_arrays(predictions, classes))


def expected_calibration_error(p: Floats, y: npt.NDArray[np.int64], bins: int = BINS) -> float:
    """Guo et al. 2017, eq. 3: the mean gap of accuracy and confidence over ``bins`` of confidence, weighted by size.

    p float64 (N, classes), y (N,); 0..1. With few clips in a bin chance alone makes it large.
    """
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    places = np.minimum((sure * bins).astype(int), bins - 1)
    gaps = [abs(right[places == one].sum() - sure[places == one].sum()) for one in range(bins)]
    return float(sum(gaps) / len(y))


def coverage_curve(p: Floats, y: npt.NDArray[np.int64]) -> tuple[Point, ...]:
    """Accuracy and UF1 of the surest answers at each of ``COVERAGES``; p float64 (N, classes), y (N,).

    Answers of equal probability stand or fall together, so a point may cover more than was asked for.
    """
    sure, classes = p.max(axis=1), p.shape[1]
    ordered = np.sort(sure)[::-1]
    points = []
    for share in COVERAGES:
        threshold = 0.0 if share == 1 else float(ordered[int(np.ceil(share * len(y) - 1e-9)) - 1])
        kept = sure >= threshold
        matrix = np.zeros((classes, classes), np.int64)
        np.add.at(matrix, (y[kept], p[kept].argmax(axis=1)), 1)
        accuracy = float(np.trace(matrix) / kept.sum())
        points.append(Point(float(kept.mean()), threshold, accuracy, float(uf1(matrix))))
    return tuple(points)


def threshold(curve: Sequence[Point], *, accuracy: float | None = None, coverage: float | None = None) -> Point:
    """The point that answers most often with at least ``accuracy``, or answers at least ``coverage`` of the time.

    UserError where no point of the curve has that accuracy; it names the best that there is.
    """
    if (accuracy is None) == (coverage is None):
        raise UserError("ask for an accuracy or for a coverage, not for both")
    if coverage is not None:
        return min((one for one in curve if one.coverage >= coverage), key=lambda one: one.coverage)
    good = [one for one in curve if one.accuracy >= (accuracy or 0)]
    if not good:
        best = max(curve, key=lambda one: one.accuracy)
        raise UserError(
            f"accuracy {accuracy} is not reached on held-out subjects, the best is {best.accuracy:.3f} where "
            f"{best.coverage:.0%} get a label; ask for less"
        )
    return max(good, key=lambda one: one.coverage)


def card_of(run: Run, selection: str = "fixed") -> dict[str, Any]:
    """What a model card says of a run: scores with intervals by data set, calibration, and how they were measured.

    Plain JSON. UserError where the run is unfinished or has no such selection.
    """
    if not run.complete:
        raise UserError(f"{run.path}: {len(run.folds)} folds are finished, not all; run its evaluate command again")
    if selection not in run.selections:
        raise UserError(
            f"{run.path}: holds {', '.join(run.selections)} predictions; the model is that of the last epoch, which "
            "a run with --selection fixed or audit measures"
        )
    predictions = run.predictions(selection)
    found = calibrate(predictions, run.classes)
    return {
        "data": run.config.get("data", []),
        "protocol": run.config.get("protocol", "loso"),
        "selection": selection,
        "seeds": list(run.seeds),
        "clips_sha256": run.config.get("clips_sha256"),
        "measured_with": run.config.get("versions", {}),
        "scores": [_score(predictions, run, data) for data in data_subsets(predictions)],
        "calibration": asdict(found),
    }


def measured(
    path: Path,
    method: Method,
    settings: Any,
    classes: Sequence[str],
    clips: Sequence[Clip],
    *,
    coverage: float | None = None,
    accuracy: float | None = None,
) -> dict[str, Any]:
    """``temperature``, ``threshold`` and ``card`` of a model that is to be trained, from the run folder ``path``.

    The threshold is that of ``accuracy`` or ``coverage``, by default ``COVERAGE``. UserError naming the first
    difference where the run measured another method, other settings (where it ran and with how many threads makes no
    difference), other classes or other clips; and where :func:`card_of` or :func:`threshold` has one.
    """
    run = load_run(path)
    then = run.config.get("settings", {})
    pairs: list[tuple[str, Any, Any]] = [("method", run.method, method.name)]
    pairs += [(k, then.get(k), now) for k, now in recorded(settings).items() if k not in ("device", "threads")]
    pairs += [("classes", list(run.classes), list(classes))]
    for name, old, new in pairs:
        if old != new:
            raise UserError(f"{path}: measured {name}={old}, and the model has {name}={new}; name the run of it")
    used = [clip for clip in clips if clip.id not in run.config.get("left_out", {})]
    if run.config.get("clips_sha256") != clips_hash(used):
        raise UserError(
            f"{path}: its {run.config.get('clips')} clips, their labels or frames are not those of --data; name the "
            "run of the same data"
        )
    if coverage is None and accuracy is None:
        coverage = COVERAGE
    card = card_of(run)
    curve = [Point(**point) for point in card["calibration"]["curve"]]
    chosen = threshold(curve, coverage=coverage, accuracy=accuracy)
    return {"temperature": card["calibration"]["temperature"], "threshold": chosen.threshold, "card": card}


def _score(predictions: Sequence[Prediction], run: Run, data: str) -> dict[str, Any]:
    row = score_row(
        subset(predictions, data), run.classes, run=run.name, method=run.method, selection="fixed", data=data
    )
    kept = ("data", "n", "subjects", "uf1", "uf1_ci", "uar", "uar_ci", "accuracy", "recalls", "counts")
    return {name: getattr(row, name) for name in kept}


def _arrays(predictions: Sequence[Prediction], classes: Sequence[str]) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Probabilities float64 (N, classes), away from 0, and the true class (N,)."""
    truths = [one.truth for one in predictions]
    count(truths, truths, classes)  # names an unknown class
    p = np.array([one.probabilities for one in predictions], np.float64)
    p[p <= 0] = LEAST_CHANCE
    return p / p.sum(axis=1, keepdims=True), np.array([list(classes).index(truth) for truth in truths])


def _temperature(p: Floats, y: npt.NDArray[np.int64]) -> float:
    # Over log T: a half and a double are equally far from none.
    found = minimize_scalar(
        lambda log_t: _nll(softmax(np.log(p), float(np.exp(log_t))), y), bounds=tuple(np.log(BOUNDS)), method="bounded"
    )
    return float(np.exp(found.x))


def _nll(p: Floats, y: npt.NDArray[np.int64]) -> float:
    return float(-np.log(np.maximum(p[np.arange(len(y)), y], 1e-300)).mean())
