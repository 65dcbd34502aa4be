"""A method of one's own, evaluated beside the package's: logistic regression on pooled flow, on drawn faces.

    python examples/own_method.py

Runs are written to a temporary folder; give ``evaluate`` a folder of your own to keep one and to go on after a break.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from dfrnet.datasets import synthetic
from dfrnet.evaluation.run import evaluate, evaluate_controls
from dfrnet.evaluation.scores import score_rows, with_controls
from dfrnet.evaluation.tables import render
from dfrnet.features import FeatureSpec
from dfrnet.methods import METHODS, Method
from dfrnet.methods.svm_flow import pool


@dataclass(frozen=True)
class Settings:
    """A frozen dataclass: every field can be changed with ``--set`` and is written into the run's record."""

    features: FeatureSpec = field(default_factory=FeatureSpec)  # u, v and strain at 28 x 28
    cells: int = 7
    C: float = 0.01


class PooledRegression:
    """A classifier is anything with ``fit(x, y, groups)`` and ``predict_proba(x)``; it never sees a test clip."""

    def __init__(self, settings, classes):
        self.classes = classes
        model = LogisticRegression(C=settings.C, class_weight="balanced", max_iter=1000)
        average = FunctionTransformer(pool, kw_args={"cells": settings.cells}, check_inverse=False)
        self.pipeline = make_pipeline(average, StandardScaler(), model)

    def fit(self, x, y, groups):
        """``groups`` are the training subjects, for whoever needs an inner split."""
        del groups
        self.pipeline.fit(x, y)
        return self

    def predict_proba(self, x):
        """A column for each class, also for one that no training clip shows."""
        chances = np.zeros((len(x), self.classes))
        chances[:, self.pipeline.classes_] = self.pipeline.predict_proba(x)
        return chances


def build(settings, inputs, classes, seed):
    """A fresh classifier; this one needs neither the maps' description nor the fold's seed."""
    del inputs, seed
    return PooledRegression(settings, classes)


METHODS["logistic_flow"] = Method(
    name="logistic_flow",
    reference="Logistic regression on pooled flow (an example)",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
)


def main() -> None:
    """Leave-one-subject-out on 45 drawn clips of 5 people, with the two controls."""
    clips = synthetic.load("easy", subjects=5, clips_per_subject=9)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "logistic_flow"
        # With jobs=1 everything runs in this process, so the line above is known wherever a fold is trained. For
        # several processes put the method in a file of its own that is imported by dfrnet.methods.
        run = evaluate(METHODS["logistic_flow"], clips, out, data=["synthetic=easy"], jobs=1)
        evaluate_controls(out, clips, data=["synthetic=easy"], jobs=1)
        sys.stdout.write(render(score_rows(with_controls([run]))))


if __name__ == "__main__":
    main()
