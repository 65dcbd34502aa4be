"""Bi-WOOF, bi-weighted oriented optical flow between onset and apex.

Sze-Teng Liong, John See, KokSheik Wong, Raphael C.-W. Phan: Less is More: Micro-expression Recognition from Video Using
Apex Frame, Signal Processing: Image Communication 62, 2018. Published: TV-L1 flow, 5 x 5 blocks, 8 directions, each
pixel weighted with the length of its flow (local) and each block with its optical strain (global), an SVM. The strain
of the paper, the root of ``e_xx^2 + e_yy^2 + e_xy^2 + e_yx^2`` with ``e_xy = e_yx = (du/dy + dv/dx) / 2``, is
:func:`dfrnet.features.strain`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from dfrnet.features import FeatureSpec
from dfrnet.features.tim import BLOCKS, block_numbers
from dfrnet.methods.linear_svm import CANDIDATES, LinearSVM, Values, check_candidates
from dfrnet.methods.method import Method
from dfrnet.types import Array, UserError

DIRECTIONS = 8
MAPS = ("u", "v", "strain")


@dataclass(frozen=True)
class Settings:
    """``C``: the candidates, from which inner subjects choose. The ``scale`` of the maps changes no descriptor."""

    features: FeatureSpec = field(default_factory=lambda: FeatureSpec(size=128, flow="tvl1", scale="none"))
    C: tuple[float, ...] = CANDIDATES

    def __post_init__(self) -> None:
        check_candidates(self.C)
        if self.features.maps != MAPS:
            raise UserError(f"maps={','.join(self.features.maps)}: bi_woof is made of u,v,strain; leave maps as it is")


def descriptor(maps: Array) -> Values:
    """Bi-WOOF of one clip: u, v and strain (3, S, S) -> (200,), of length 1 (0 for a clip without motion).

    Eight bins for each block, row by row, from -180 degrees (left) on, 90 being downwards as in the picture: the share
    of the block's flow in each direction, times the sum of its strain.
    """
    u, v, strain = maps.astype(np.float64)
    blocks = block_numbers(*u.shape)
    turns = (np.arctan2(v, u) + np.pi) / (2 * np.pi)  # 0 to 1, both of them to the left
    bins = DIRECTIONS * blocks + np.floor(DIRECTIONS * turns).astype(np.intp) % DIRECTIONS
    flow = _sums(bins, np.hypot(u, v), BLOCKS**2 * DIRECTIONS).reshape(-1, DIRECTIONS)
    weighted = _over(flow, flow.sum(axis=1, keepdims=True))
    weighted *= _sums(blocks, strain, BLOCKS**2)[:, None]
    return _over(weighted, np.linalg.norm(weighted)).ravel()


def _sums(where: npt.NDArray[np.intp], values: Values, count: int) -> Values:
    """The sum of the values at each of ``count`` places."""
    return np.asarray(np.bincount(where.ravel(), values.ravel(), count), np.float64)


def _over(values: Values, divisor: Values | np.floating) -> Values:
    """The quotient, 0 where nothing is to be divided."""
    return np.divide(values, divisor, out=np.zeros_like(values), where=np.greater(divisor, 0))


def describe(x: Array) -> Values:
    """:func:`descriptor` of each clip: (N, 3, S, S) -> (N, 200)."""
    return np.stack([descriptor(maps) for maps in x]) if len(x) else np.zeros((0, BLOCKS**2 * DIRECTIONS))


def build(settings: Settings, inputs: FeatureSpec, classes: int, seed: int) -> LinearSVM:
    """A fresh classifier."""
    del inputs, seed  # nothing is drawn
    return LinearSVM(describe, settings.C, classes)


METHOD = Method(
    name="bi_woof",
    reference="Liong et al. 2018",
    settings=Settings(),
    inputs=lambda settings: settings.features,
    build=build,
    differences=(
        "The flow's median is taken off as head motion; published is the flow as it is (centre=none).",
        "TV-L1 runs with fewer iterations than OpenCV's defaults, see the flow's own note.",
        "The blocks do not overlap; in the authors' code neighbours share a row or column or two.",
        "No C is published: it is chosen on inner subjects, without class weights.",
        "Where no apex is annotated, our own rule finds it (apex=auto), not D&C-RoIs (apex=dc_rois).",
    ),
)
