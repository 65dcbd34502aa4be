"""Local binary patterns on three orthogonal planes: the official baseline of MEGC2019.

Guoying Zhao, Matti Pietikainen: Dynamic Texture Recognition Using Local Binary Patterns with an Application to Facial
Expressions, IEEE TPAMI 29(6), 2007; the challenge: See, Yap, Li, Hong, Wang: MEGC 2019 - The Second Facial
Micro-Expressions Grand Challenge, IEEE FG 2019. Published: 10 frames by temporal interpolation (Pfister et al., ICCV
2011), 5 x 5 blocks, radii 1, 1, 4, four neighbours a plane. Those are built into the maps ``lbp_xy``, ``lbp_xt`` and
``lbp_yt`` (:mod:`dfrnet.features.tim`): 3 planes x 25 blocks x 16 bins are 1,200 numbers a clip, for a linear SVM.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dfrnet.features import FeatureSpec
from dfrnet.features.tim import PICTURE_SIDE, PLANES
from dfrnet.methods.linear_svm import CANDIDATES, LinearSVM, Values, check_candidates
from dfrnet.methods.method import Method
from dfrnet.types import Array


@dataclass(frozen=True)
class Settings:
    """``C``: the candidates, from which inner subjects choose.

    ``frame_size``, ``align``, ``landmarks`` and ``stabilise`` as in :class:`~dfrnet.features.FeatureSpec`; the rest of
    it has no say here.
    """

    frame_size: int = 128
    align: str = "auto"
    landmarks: str = "mediapipe"
    stabilise: bool = False
    C: tuple[float, ...] = CANDIDATES

    def __post_init__(self) -> None:
        check_candidates(self.C)
        inputs(self)


def inputs(settings: Settings) -> FeatureSpec:
    """The histograms as they are. The patterns look at the whole movement, so no apex need be searched."""
    return FeatureSpec(
        maps=tuple(PLANES),
        size=PICTURE_SIDE,
        frame_size=settings.frame_size,
        apex="middle",
        scale="none",
        align=settings.align,
        landmarks=settings.landmarks,
        stabilise=settings.stabilise,
    )


def describe(x: Array) -> Values:
    """All bins in a row: (N, 3, 20, 20) -> (N, 1200)."""
    return np.asarray(x.reshape(len(x), -1), np.float64)


def build(settings: Settings, inputs: FeatureSpec, classes: int, seed: int) -> LinearSVM:
    """A fresh classifier."""
    del inputs, seed  # nothing is drawn
    return LinearSVM(describe, settings.C, classes)


METHOD = Method(
    name="lbp_top",
    reference="Zhao and Pietikainen 2007, as the baseline of MEGC2019 (See et al. 2019)",
    settings=Settings(),
    inputs=inputs,
    build=build,
    differences=(
        "The challenge names no classifier: a linear SVM without class weights, its C chosen on inner subjects.",
        "Size and alignment of the faces are not published: ours, 128 pixels.",
        "The blocks share out the part of the frame where patterns exist, so that a pattern may look one pixel into "
        "the next block.",
    ),
)
