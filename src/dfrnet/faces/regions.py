"""Boxes around the parts of a face, from its 68 points.

``left`` and ``right`` are the sides of the person, as in the Facial Action Coding System (LAU12, RAU12): the left eye
lies at the right of the picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dfrnet.types import Array, unknown_name

REGIONS: dict[str, tuple[int, ...]] = {
    "right_eye_and_brow": (*range(17, 22), *range(36, 42)),
    "left_eye_and_brow": (*range(22, 27), *range(42, 48)),
    "mouth": tuple(range(48, 68)),
    "right_brow": tuple(range(17, 22)),
    "left_brow": tuple(range(22, 27)),
    "between_brows": (20, 21, 22, 23, 27),
    "forehead": tuple(range(17, 27)),
    "right_eye": tuple(range(36, 42)),
    "left_eye": tuple(range(42, 48)),
    "nose": tuple(range(27, 36)),
    "right_cheek": (3, 31, 40, 41, 48),
    "left_cheek": (13, 35, 46, 47, 54),
    "chin": (6, 7, 8, 9, 10, 56, 57, 58),
}
"""The points that a region's box holds. The forehead has none: it lies between the brows and the brows raised."""

DC_ROIS = ("right_eye_and_brow", "left_eye_and_brow", "mouth")
"""The three regions of D&C-RoIs (Liong et al., 2015), the search for the apex that DFR-Net uses."""

FOREHEAD = 0.6  # how far the brows are raised to bound it: times the length of the nose, from its bridge to its base


class Box(NamedTuple):
    """Pixels of a picture, the last row and column excluded: ``image[top:bottom, left:right]``."""

    left: int
    top: int
    right: int
    bottom: int


def region_boxes(
    points: Array, shape: tuple[int, ...], names: Sequence[str] = tuple(REGIONS), margin: float = 0.05
) -> dict[str, Box]:
    """The box of each named region: around its points, larger by ``margin`` all round, cut at the picture's edge.

    ``points`` (68, 2) in pixels of a picture of ``shape`` (height, width, ...), ``margin`` as a share of the distance
    of the outer corners of the eyes. A region outside the picture gets the one pixel next to it: no box is empty.
    """
    for name in names:
        if name not in REGIONS:
            raise unknown_name("region", name, REGIONS)
    width = margin * float(np.hypot(*(points[45] - points[36])))
    return {name: _box(_held(points, name), width, shape) for name in names}


def _held(points: Array, name: str) -> Array:
    held = points[list(REGIONS[name])]
    if name != "forehead":
        return held
    up = FOREHEAD * (points[27] - points[33])
    return np.concatenate([held, held + up])


def _box(held: Array, margin: float, shape: tuple[int, ...]) -> Box:
    height, width = shape[:2]
    # Pixel k reaches from k - 0.5 to k + 0.5.
    left, top = np.floor(held.min(0) - margin + 0.5).astype(int)
    right, bottom = np.floor(held.max(0) + margin + 0.5).astype(int) + 1
    left, right = _cut(int(left), int(right), width)
    top, bottom = _cut(int(top), int(bottom), height)
    return Box(left, top, right, bottom)


def _cut(low: int, high: int, length: int) -> tuple[int, int]:
    low = min(max(low, 0), length - 1)
    return low, max(min(high, length), low + 1)
