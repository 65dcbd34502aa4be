"""A picture -> the faces in it, as 68 points each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from dfrnet.faces import dlib68
from dfrnet.faces.mesh import DETECTOR_SIDE, SURE, Detection, detect, mesh
from dfrnet.frames import check_picture
from dfrnet.types import Array, Image, UserError, unknown_name

MESH_68 = (
    127, 234, 132, 58, 172, 136, 149, 148, 152,  # jaw, from the ear at the left of the picture to the chin
    377, 378, 365, 397, 288, 361, 454, 356,  # and up to the other ear
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # brows, left to right
    168, 197, 5, 4,  # nose, from between the eyes to the tip
    240, 97, 2, 326, 460,  # nose, base
    33, 160, 158, 133, 153, 144,  # eye at the left: outer corner, upper lid, inner corner, lower lid
    362, 385, 387, 263, 373, 380,  # eye at the right: inner corner, upper lid, outer corner, lower lid
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181,  # outer edge of the lips, clockwise from the left corner
    78, 82, 13, 312, 308, 317, 14, 87,  # inner edge of the lips, the same way round
)  # fmt: skip
"""``MESH_68[k]`` is the point of MediaPipe's mesh that lies at landmark k of 300-W. The mesh has points on the same
creases and edges, but for the jaw and the brows, where the nearest by measurement were taken."""

LARGE = 1 / 5  # of the picture's longer side: a smaller box is looked at again in tiles
MARGIN = 1 / 2  # of the longer side, added all round where a face may fill the whole picture


@dataclass(frozen=True)
class Face:
    """One face, in pixels of its picture, x to the right and y down, (0, 0) the centre of the first pixel.

    ``points`` float32 (68, 2) in the order of 300-W: counted from 0 and from the left of the picture, jaw 0-16, brows
    17-26, nose bridge 27-30 and base 31-35, eyes 36-47, outer lips 48-59, inner lips 60-67. ``score`` 0..1: how sure
    the detector is. ``mesh`` float32 (468, 2): MediaPipe's points, None from other landmarkers.
    """

    points: Array
    score: float
    mesh: Array | None = None


def find_face(image: Image, landmarks: str = "mediapipe") -> Face | None:
    """The most prominent face of a grey (H, W) or RGB (H, W, 3) picture, None where there is none.

    That is the one with the largest product of its score and the side of a square as large as the box of its points:
    the person who sits for the picture and not who passes behind.
    """
    return max(find_faces(image, landmarks), key=_prominence, default=None)


def find_faces(image: Image, landmarks: str = "mediapipe") -> list[Face]:
    """Every face of the picture, each once, from left to right."""
    if landmarks not in LANDMARKERS:
        raise unknown_name("landmarks", landmarks, LANDMARKERS)
    check_picture(image)
    return sorted(LANDMARKERS[landmarks](_rgb(image)), key=lambda face: float(face.points[:, 0].mean()))


def mediapipe(image: Image) -> list[Face]:
    """Faces by MediaPipe's detector and mesh; ``image`` RGB."""
    faces: list[Face] = []
    for detection in detect_all(image):
        # The tiles overlap: most faces come several times, the better ones first.
        if any(_same(detection, face) for face in faces):
            continue
        points, chance = mesh(image, detection)
        if chance > SURE:
            faces.append(Face(points[list(MESH_68)], detection.score, points))
    return faces


def detect_all(image: Image) -> list[Detection]:
    """Boxes of faces in an RGB picture, surest first, some of them perhaps several times.

    The detector sees the picture at 128 pixels. It misses faces that are cut by the edge, so where it finds none it
    looks again with a black margin; it misses small ones and takes two that touch for one, so where all are small it
    looks again at tiles.
    """
    found = detect(image) or _detect_with_margin(image)
    longer = max(image.shape[:2])
    all_small = all(d.sides.max() < LARGE * longer for d in found)
    if all_small and longer >= 2 * DETECTOR_SIDE:  # below that, a tile shows hardly more than the whole did
        found = [d for tile in _tiles(*image.shape[:2]) for d in _detect_in(image, tile)] or found
    return sorted(found, key=lambda d: -d.score)


def _detect_with_margin(image: Image) -> list[Detection]:
    margin = round(MARGIN * max(image.shape[:2]))
    wide = cv2.copyMakeBorder(image, margin, margin, margin, margin, cv2.BORDER_CONSTANT)
    return [d._replace(centre=d.centre - np.float32(margin)) for d in detect(np.asarray(wide, np.uint8))]


def _detect_in(image: Image, tile: tuple[slice, slice]) -> list[Detection]:
    corner = np.array([tile[1].start, tile[0].start], np.float32)
    return [d._replace(centre=d.centre + corner) for d in detect(image[tile])]


def _tiles(height: int, width: int) -> Iterator[tuple[slice, slice]]:
    """Squares of half the longer side that overlap by half or more: what is small enough lies whole in one of them."""
    side = max(height, width) // 2
    for top in _starts(height, side):
        for left in _starts(width, side):
            yield slice(top, top + side), slice(left, left + side)


def _starts(length: int, side: int) -> list[int]:
    steps = max(0, -(-2 * (length - side) // side))
    return [round(k * (length - side) / steps) for k in range(steps + 1)] if steps else [0]


def _same(detection: Detection, face: Face) -> bool:
    """Whether the centre of the box lies on the face, or the face's on the box."""
    low, high = face.points.min(0), face.points.max(0)
    half = detection.sides / 2
    in_face = bool(np.all((low < detection.centre) & (detection.centre < high)))
    return in_face or bool(np.all(np.abs((low + high) / 2 - detection.centre) < half))


def _prominence(face: Face) -> float:
    sides = face.points.max(0) - face.points.min(0)
    return face.score * float(np.sqrt(sides.prod()))


def _rgb(image: Image) -> Image:
    grey_or_rgb = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not grey_or_rgb or image.size == 0:
        raise UserError(f"a picture must be uint8, (H, W) or (H, W, 3) RGB; this one is {image.dtype} {image.shape}")
    return np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image


def _dlib(image: Image) -> list[Face]:
    return [Face(points, score) for points, score in dlib68.faces(image)]


LANDMARKERS: dict[str, Callable[[Image], list[Face]]] = {"mediapipe": mediapipe, "dlib": _dlib}
"""How the 68 points are found: functions of an RGB picture. ``dlib`` needs a package of its own, see :mod:`dlib68`."""
