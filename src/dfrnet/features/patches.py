"""Small patches around points of the brows and the mouth (for FGRL-AUF).

``patch_K`` is what the onset frame shows around landmark K of 300-W, ``change_K`` the apex frame less the onset frame
at the same place, both in grey levels: 7x7 pixels of the square frames, the middle one nearest to the landmark.
Landmarks are those of the onset frame: where the frames are aligned, the alignment's; elsewhere what the spec's
``landmarks`` sees; and where it sees no face, the average face's (:data:`dfrnet.faces.TEMPLATE`), so that no cropped
clip is lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from dfrnet.faces import TEMPLATE, AlignedFrames, find_face
from dfrnet.types import Array, Image

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

BROWS, MOUTH = tuple(range(17, 27)), tuple(range(48, 68))
LANDMARKS = BROWS + MOUTH
"""The 30 landmarks, counted from 0, in the order of the patches: both brows, then outer and inner lips."""

SIDE = 7  # pixels of a patch; published at frames of 128 x 128


def onset_points(movement: Movement) -> Array:
    """The 68 landmarks of the onset frame in pixels of ``movement.onset``: float32 (68, 2), see above."""
    side, frames = len(movement.onset), movement.frames
    if isinstance(frames, AlignedFrames):
        points, shape = frames.points, (frames.size, frames.size)
    else:
        # The frame itself, not the grey square: a face that was squeezed to a square is found less well.
        picture = frames[movement.positions[0]] if len(frames) else movement.onset
        face = find_face(picture, movement.landmarks)
        if face is None:
            return TEMPLATE * side - 0.5
        points, shape = face.points, picture.shape[:2]
    return np.asarray((points + 0.5) * side / (shape[1], shape[0]) - 0.5, np.float32)


def patch(image: Image, point: Array) -> Array:
    """The 7x7 pixels around ``point`` (x, y), float32 grey levels; what lies outside is the nearest pixel inside."""
    x, y = np.rint(point).astype(int)
    around = np.arange(SIDE) - SIDE // 2
    rows, columns = (
        np.clip(middle + around, 0, length - 1) for middle, length in zip((y, x), image.shape, strict=True)
    )
    return image[np.ix_(rows, columns)].astype(np.float32)


def onset_patch(movement: Movement, landmark: int) -> Array:
    """What the onset frame shows around a landmark: (7, 7), 0 to 255."""
    return patch(movement.onset, _point(movement, landmark))


def change_patch(movement: Movement, landmark: int) -> Array:
    """Apex less onset around a landmark: (7, 7), -255 to 255."""
    point = _point(movement, landmark)
    return patch(movement.apex, point) - patch(movement.onset, point)


def _point(movement: Movement, landmark: int) -> Array:
    points = movement.once("points of the onset", lambda: onset_points(movement))
    return np.asarray(points[landmark])


PATCHES = tuple(f"patch_{landmark}" for landmark in LANDMARKS)
CHANGES = tuple(f"change_{landmark}" for landmark in LANDMARKS)

PATCH_MAPS: dict[str, Callable[[Movement], Array]] = {
    **{name: partial(onset_patch, landmark=landmark) for name, landmark in zip(PATCHES, LANDMARKS, strict=True)},
    **{name: partial(change_patch, landmark=landmark) for name, landmark in zip(CHANGES, LANDMARKS, strict=True)},
}
