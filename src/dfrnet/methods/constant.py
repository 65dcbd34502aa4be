"""The majority class of the training clips: what every method must beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dfrnet.features import FeatureSpec
from dfrnet.methods.method import Method
from dfrnet.types import Array


class Majority:
    """Answers with the class shares of the training clips, whatever it is shown."""

    def __init__(self, classes: int) -> None:
        self.shares = np.full(classes, 1 / classes)

    def fit(self, x: Array, y: npt.NDArray[np.int64], groups: Sequence[str]) -> Majority:
        del x, groups
        self.shares = np.bincount(y, minlength=len(self.shares)) / len(y)
        return self

    def predict_proba(self, x: Array) -> npt.NDArray[np.float64]:
        return np.tile(self.shares, (len(x), 1))


@dataclass(frozen=True)
class Settings:
    """Nothing of it matters; it takes whatever maps there are."""

    features: FeatureSpec = field(default_factory=FeatureSpec)


METHOD = Method(
    name="constant",
    reference="The majority class",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=lambda settings, inputs, classes, seed: Majority(classes),  # noqa: ARG005
)
