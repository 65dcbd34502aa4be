"""An RBF support vector machine on pooled flow maps: the control that every network must beat.

The maps are averaged over square cells, standardised, and classified with class-balanced weights (scikit-learn). On
the public maps of MEGC2019 this ties with much of the published field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from dfrnet.features import FeatureSpec
from dfrnet.methods.linear_svm import probabilities
from dfrnet.methods.method import Method
from dfrnet.types import Array, UserError


@dataclass(frozen=True)
class Settings:
    """``cells`` a side to which maps are averaged; ``C`` and ``gamma_scale`` of the SVM (gamma = scale / inputs)."""

    features: FeatureSpec = field(default_factory=FeatureSpec)
    cells: int = 7
    C: float = 3.0
    gamma_scale: float = 0.6

    def __post_init__(self) -> None:
        if self.cells < 1 or not self.C > 0 or not self.gamma_scale > 0:
            raise UserError(f"cells={self.cells}, C={self.C} and gamma_scale={self.gamma_scale} must be above 0")


def pool(x: Array, cells: int) -> npt.NDArray[np.float64]:
    """Mean over cells: (N, C, H, W) -> (N, C * cells * cells); the side must be a multiple of ``cells``."""
    n, channels, side, _ = x.shape
    blocks = x.reshape(n, channels, cells, side // cells, cells, side // cells)
    return np.asarray(blocks.mean(axis=(3, 5), dtype=np.float64).reshape(n, -1))


class PooledSVM:
    """Pooled maps -> standardised -> SVC; a score for each class (votes of one against one), and their softmax."""

    def __init__(self, settings: Settings, classes: int) -> None:
        self.settings, self.classes = settings, classes
        self.pipeline: Any = None
        self.known = np.arange(classes)

    def fit(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> PooledSVM:
        from sklearn.pipeline import make_pipeline  # a second to import: not for whoever only reads the settings
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        del groups
        inputs = pool(x, self.settings.cells)
        self.known, self.pipeline = np.unique(y), None
        if len(self.known) > 1:  # an SVM needs two classes; with one there is nothing to learn
            gamma = self.settings.gamma_scale / inputs.shape[1]
            svc = SVC(C=self.settings.C, gamma=gamma, class_weight="balanced", decision_function_shape="ovr")
            self.pipeline = make_pipeline(StandardScaler(), svc).fit(inputs, y)
        return self

    def predict_proba(self, x: Array) -> npt.NDArray[np.float64]:
        if self.pipeline is None:
            return probabilities(np.zeros((len(x), 1)), self.known, self.classes)
        scores = self.pipeline.decision_function(pool(x, self.settings.cells))
        return probabilities(scores, self.known, self.classes)


def build(settings: Settings, inputs: FeatureSpec, classes: int, seed: int) -> PooledSVM:
    """A fresh classifier; UserError where the cells do not divide the maps."""
    del seed  # nothing is drawn
    if inputs.size % settings.cells:
        raise UserError(
            f"svm_flow: cells={settings.cells} does not divide the maps' side of {inputs.size}; choose a divisor"
        )
    return PooledSVM(settings, classes)


METHOD = Method(
    name="svm_flow",
    reference="RBF SVM (Cortes and Vapnik 1995) on pooled optical flow and strain",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
)
