"""Square maps cut around points of the face and laid together anew."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dfrnet.faces import find_face
from dfrnet.types import Array, Image

CORNERS = ((36, 37, 38, 39, 40, 41), (42, 43, 44, 45, 46, 47), (48,), (54,))
"""Of the 68 points, those whose mean is the centre of the eye at the left and at the right of the picture, and the
left and the right corner of the mouth."""

USUAL: Array = np.array([(9.53, 11.06), (21.40, 10.92), (10.26, 22.12), (20.58, 22.26)], np.float32) / np.float32(28)
"""Where HTNet's code takes these four to be in a picture without a face that it can see: (x, y) as shares of the side,
published for 28 pixels."""


def corner_points(image: Image, landmarks: str) -> Array | None:
    """Eyes and mouth corners (4, 2) of the face in ``image``: (x, y) as shares of its sides; None without a face."""
    face = find_face(image, landmarks)
    if face is None:
        return None
    points = np.stack([face.points[list(which)].mean(axis=0) for which in CORNERS])
    # Pixel k reaches from k to k + 1 in shares, its centre is k in the face's pixels.
    return np.asarray((points + 0.5) / (image.shape[1], image.shape[0]), np.float32)


def eyes_lips(plane: Array, points: Array | None) -> Array:
    """The four tiles of HTNet (Wang et al. 2023): (S, S), S even, -> (S, S), in each quarter a tile of half the side.

    Around the eyes above, the corners of the mouth below, moved inwards to lie in the picture. As in the authors' code,
    x counts rows and y columns, so that the tile "right eye" shows what lies below the left one: by and large the same
    four quarters of the face, in another order. ``points`` as :func:`corner_points` gives them.
    """
    side = len(plane)
    half = side // 2
    places = (USUAL if points is None else points) * side
    starts = np.clip(places.astype(int) - half // 2, 0, side - half)
    tiles = [plane[row : row + half, column : column + half] for row, column in starts]
    return np.block([tiles[:2], tiles[2:]])


def _whole(plane: Array, points: Array | None) -> Array:
    del points
    return plane


TILES: dict[str, Callable[[Array, Array | None], Array]] = {"none": _whole, "eyes_lips": eyes_lips}
"""What is done with each map in the end, all maps of a clip alike: functions of the map and the points of the face."""
