"""Compare settings of a method by repeated k-fold over subjects, not by leave-one-subject-out: a grid, one table.

    python benchmarks/choose_settings.py svm_flow --data maps=../htnet --grid C=1,2,5 --grid gamma_scale=0.3,1

For methods trained in epochs the scores and the held-out loss are also printed along the epochs. The subjects are the
same people that LOSO tests later, so every score with settings chosen here is mildly optimistic; the `nested` row of
an audit too, which chooses only the epoch anew.
"""

from __future__ import annotations

import argparse
import itertools
from dataclasses import dataclass

import joblib
import numpy as np

from dfrnet.datasets import load
from dfrnet.evaluation.metrics import uar, uf1
from dfrnet.features import FeatureSpec, features, fitted_spec
from dfrnet.methods import METHODS
from dfrnet.types import CLASSES, TrainedInEpochs


@dataclass(frozen=True)
class Job:
    method: str
    changes: dict[str, str]
    seed: int
    train: np.ndarray
    test: np.ndarray
    spec: FeatureSpec


def subject_folds(subjects: np.ndarray, k: int, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    names = sorted(set(subjects))
    part = dict(zip(names, np.random.default_rng(seed).permutation(len(names)) % k, strict=True))
    of_clip = np.array([part[s] for s in subjects])
    return [(np.flatnonzero(of_clip != i), np.flatnonzero(of_clip == i)) for i in range(k)]


def probabilities(job: Job, x: np.ndarray, y: np.ndarray, subjects: np.ndarray) -> np.ndarray:
    """(epochs, clips, classes); one "epoch" for methods that have none."""
    method = METHODS[job.method]
    classifier = method.build(method.configured("", job.changes), job.spec, len(CLASSES), job.seed)
    groups = list(subjects[job.train])
    if isinstance(classifier, TrainedInEpochs):
        epochs = classifier.epochs(x[job.train], y[job.train], groups)
        return np.array([classifier.predict_proba(x[job.test]) for _ in epochs])
    return classifier.fit(x[job.train], y[job.train], groups).predict_proba(x[job.test])[None]


def score(found: list[np.ndarray], jobs: list[Job], y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """UF1, UAR and cross entropy by epoch, pooled over the folds of each repeat, mean over repeats."""
    rows = []
    for seed in sorted({job.seed for job in jobs}):
        mine = [i for i, job in enumerate(jobs) if job.seed == seed]
        chances = np.concatenate([found[i] for i in mine], axis=1)
        truth = np.concatenate([y[jobs[i].test] for i in mine])
        counts = np.zeros((len(chances), len(CLASSES), len(CLASSES)), np.int64)
        for epoch, one in enumerate(chances):
            np.add.at(counts[epoch], (truth, one.argmax(axis=1)), 1)
        loss = -np.log(np.maximum(chances[:, np.arange(len(truth)), truth], 1e-12)).mean(axis=1)
        rows.append((uf1(counts), uar(counts), loss))
    return tuple(np.mean(part, axis=0) for part in zip(*rows, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("method", choices=METHODS)
    parser.add_argument("--data", action="append", required=True)
    parser.add_argument("--set", action="append", default=[], help="name=value, the same for all")
    parser.add_argument("--grid", action="append", default=[], help="name=value,value,...")
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    clips = load(options.data)
    y = np.array([CLASSES.index(clip.label) for clip in clips])
    subjects = np.array([clip.subject for clip in clips])
    fixed = dict(pair.split("=", 1) for pair in options.set)
    axes = [[(name, v) for v in values.split(",")] for name, values in (pair.split("=", 1) for pair in options.grid)]
    for point in itertools.product(*axes):
        changes = fixed | dict(point)
        method = METHODS[options.method]
        spec = fitted_spec(clips, method.inputs(method.configured("", changes)))
        x = features(clips, spec)
        jobs = [
            Job(options.method, changes, seed, train, test, spec)
            for seed in range(options.repeats)
            for train, test in subject_folds(subjects, options.folds, seed)
        ]
        found = joblib.Parallel(options.jobs)(joblib.delayed(probabilities)(job, x, y, subjects) for job in jobs)
        f1, recall, loss = score(found, jobs, y)
        print(" ".join(f"{name}={value}" for name, value in point) or "defaults", end=": ")
        print(f"UF1 {f1[-1]:.4f}  UAR {recall[-1]:.4f}  loss {loss[-1]:.4f}", flush=True)
        if len(f1) > 1:
            shown = range(0, len(f1), max(len(f1) // 12, 1))
            print("  epoch: UF1, loss  " + "  ".join(f"{e + 1}: {f1[e]:.3f}, {loss[e]:.3f}" for e in shown), flush=True)


if __name__ == "__main__":
    main()
