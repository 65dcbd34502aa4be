"""Spots of the face whose motion is measured, and those that tell of the head."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Place(NamedTuple):
    """A spot of the face: the mean of ``points`` (of the 68), ``shift`` pixels of the crop from there, and the reach
    (deviation, pixels) of the window that is looked at. ``stiff``: how much it counts when the head is fitted.
    """

    points: tuple[int, ...]
    shift: tuple[float, float] = (0.0, 0.0)
    reach: tuple[float, float] = (5.0, 5.0)
    stiff: float = 0.3


PLACES: dict[str, Place] = {
    "right_outer_brow": Place((17, 18, 19), (0, -2), (5, 5), 0.1),
    "right_inner_brow": Place((20, 21), (0, -2), (5, 5), 0.1),
    "left_inner_brow": Place((22, 23), (0, -2), (5, 5), 0.1),
    "left_outer_brow": Place((24, 25, 26), (0, -2), (5, 5), 0.1),
    "between_brows": Place((21, 22, 27), (0, 0), (5, 5), 0.1),
    "right_upper_lid": Place((37, 38), (0, -2), (5, 3), 0.02),
    "left_upper_lid": Place((43, 44), (0, -2), (5, 3), 0.02),
    "right_lower_lid": Place((40, 41), (0, 3), (5, 3), 0.02),
    "left_lower_lid": Place((46, 47), (0, 3), (5, 3), 0.02),
    "right_nose_wing": Place((31,), (-1, -3), (4, 5)),
    "left_nose_wing": Place((35,), (1, -3), (4, 5)),
    "right_cheek": Place((41, 31, 48), (-4, 0), (6, 6), 0.1),
    "left_cheek": Place((46, 35, 54), (4, 0), (6, 6), 0.1),
    "right_lip_corner": Place((48,), (-1, 0), (5, 5)),
    "left_lip_corner": Place((54,), (1, 0), (5, 5)),
    "upper_lip": Place((50, 51, 52), (0, -1), (7, 3.5)),
    "lower_lip": Place((56, 57, 58), (0, 0), (7, 3.5)),
    "chin": Place((57, 8), (0, 2), (7, 5)),
}
"""The regions whose motion is told; ``left`` and ``right`` are the person's."""

ANCHORS: dict[str, Place] = {
    "nose_bridge": Place((27, 28), (0, 0), (5, 6), 1.0),
    "nose_tip": Place((30, 33), (0, 0), (5, 4), 1.0),
    "right_eye_corner": Place((36,), (-4, 0), (4, 4), 0.2),
    "left_eye_corner": Place((45,), (4, 0), (4, 4), 0.2),
    "right_temple": Place((0, 17), (2, 0), (6, 6), 1.0),
    "left_temple": Place((16, 26), (-2, 0), (6, 6), 1.0),
    "right_side": Place((2, 3), (5, 0), (6, 7), 0.6),
    "left_side": Place((14, 13), (-5, 0), (6, 7), 0.6),
    "right_jaw": Place((4, 5), (4, -4), (6, 6), 0.5),
    "left_jaw": Place((12, 11), (-4, -4), (6, 6), 0.5),
    "right_forehead": Place((18, 19), (0, -12), (7, 5), 0.5),
    "forehead": Place((21, 22), (0, -14), (7, 5), 0.5),
    "left_forehead": Place((24, 25), (0, -12), (7, 5), 0.5),
}
"""Further places, for the head's motion only."""

REGIONS = tuple(PLACES)
EVERY = (*PLACES.values(), *ANCHORS.values())
STIFFNESS = np.array([place.stiff for place in EVERY])
REACH = np.array([place.reach for place in EVERY])


def places_of(points: npt.NDArray[np.floating]) -> Floats:
    """Where EVERY place is, (P, 2), on a face whose 68 ``points`` lie in the aligned crop."""
    return np.array([points[list(place.points)].mean(0) + place.shift for place in EVERY], np.float64)
