"""The two networks of MediaPipe: boxes of faces in a picture, and 468 points on one face.

They are BlazeFace, short range (Bazarevsky et al., 2019) and Face Mesh (Kartynnik et al., 2019), run by the DNN module
of OpenCV. Their files lie in ``models/`` with their licence and origin, and are checked before use.
"""

from __future__ import annotations

import hashlib
import threading
from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.types import Array, Image, UserError

MODELS = Path(__file__).with_name("models")
DETECTOR, MESH = "face_detection_short_range.tflite", "face_landmark.tflite"
SHA256 = {
    DETECTOR: "bbff11cebd1eb27a1e004cae0b0e63ec8c551cbf34a4451148b4908b8db3eca8",
    MESH: "1055cb9d4a9ca8b8c688902a3a5194311138ba256bcc94e336d8373a5f30c814",
}

DETECTOR_SIDE, MESH_SIDE = 128, 192  # the squares that the networks look at, pixels
SURE = 0.5  # least confidence, of the detector in a box and of the mesh in a face
OVERLAP = 0.3  # boxes that share more than this (intersection over union) are one face
SURROUND = 1.5  # the mesh was trained on squares of this many times the detector's box
OUTER_CORNERS = (33, 263)  # of the eyes, among the points of the mesh, left and right in the picture

# A network keeps its own buffers, so one thread at a time; worker processes load their own.
_one_at_a_time = threading.Lock()


class Detection(NamedTuple):
    """A box: ``centre`` (2,) and the ``sides`` (2,) in pixels, the line of the eyes in radians, confidence 0..1."""

    centre: Array
    sides: Array
    roll: float
    score: float


def detect(image: Image) -> list[Detection]:
    """Every face of an RGB picture (H, W, 3), surest first; none smaller than about a sixth of the longer side."""
    height, width = image.shape[:2]
    scale = DETECTOR_SIDE / max(height, width)
    shrunk = cv2.resize(
        image,
        (max(1, round(width * scale)), max(1, round(height * scale))),
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR,
    )
    top, left = (DETECTOR_SIDE - shrunk.shape[0]) // 2, (DETECTOR_SIDE - shrunk.shape[1]) // 2
    square = np.zeros((DETECTOR_SIDE, DETECTOR_SIDE, 3), np.uint8)
    square[top : top + shrunk.shape[0], left : left + shrunk.shape[1]] = shrunk
    numbers, logits = _run(DETECTOR, square / 127.5 - 1, ("regressors", "classificators"))

    scores = _chances(logits.ravel())
    sure = np.flatnonzero(scores > SURE)
    # Each anchor's row: centre and sides of the box, then six points (the eyes first), all from the anchor's own place.
    rows = numbers.reshape(-1, 8, 2)[sure]
    rows[:, [0, *range(2, 8)]] += _anchors()[sure, None] * DETECTOR_SIDE
    shift = np.array([left, top], np.float32)
    found = []
    for row, score in _merge(rows, scores[sure]):
        eyes = row[3] - row[2]
        found.append(
            Detection((row[0] - shift + 0.5) / scale - 0.5, row[1] / scale, float(np.arctan2(eyes[1], eyes[0])), score)
        )
    return found


def mesh(image: Image, detection: Detection) -> tuple[Array, float]:
    """The 468 points (x, y) of a detected face, float32 (468, 2) in pixels of the picture, and the chance of a face."""
    points, chance = mesh_3d(image, detection)
    return np.ascontiguousarray(points[:, :2]), chance


def mesh_3d(image: Image, detection: Detection) -> tuple[Array, float]:
    """As :func:`mesh`, with a third column: depth in pixels of the picture, growing away from the camera.

    The network guesses the depth from one picture. Where its zero lies has no meaning.
    """
    side = SURROUND * float(detection.sides.max())
    cos, sin = (side / MESH_SIDE * f(detection.roll) for f in (np.cos, np.sin))
    turn = np.array([[cos, -sin], [sin, cos]], np.float32)
    origin = detection.centre - turn @ np.full(2, (MESH_SIDE - 1) / 2, np.float32)
    square = cv2.warpAffine(
        image,
        np.column_stack([turn, origin]),
        (MESH_SIDE, MESH_SIDE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )
    places, logit = _run(MESH, square / 255, ("conv2d_21", "conv2d_31"))
    places = places.reshape(-1, 3)
    points = np.column_stack([places[:, :2] @ turn.T + origin, places[:, 2] * (side / MESH_SIDE)])
    return points.astype(np.float32), float(_chances(logit.ravel())[0])


def around(points: Array) -> Detection:
    """Where to look for a face whose mesh (468, 2) was there a moment ago: its box along the line of the eyes."""
    eyes = points[OUTER_CORNERS[1]] - points[OUTER_CORNERS[0]]
    roll = float(np.arctan2(eyes[1], eyes[0]))
    turn = np.array([[np.cos(roll), -np.sin(roll)], [np.sin(roll), np.cos(roll)]], np.float32)
    level = points @ turn
    low, high = level.min(0), level.max(0)
    return Detection(turn @ ((low + high) / 2), high - low, roll, 1.0)


def _merge(rows: Array, scores: Array) -> list[tuple[Array, float]]:
    """One row (8, 2) for each face: the mean of all rows whose boxes overlap its best, weighted by their scores."""
    found = []
    left = np.argsort(-scores, kind="stable")
    while left.size:
        best = left[0]
        same = _overlap(rows[left], rows[best]) > OVERLAP
        same[0] = True
        group, left = left[same], left[~same]
        weights = scores[group] / scores[group].sum()
        found.append((np.einsum("n,nij->ij", weights, rows[group]), float(scores[best])))
    return found


def _overlap(rows: Array, row: Array) -> Array:
    """Intersection over union of the boxes in ``rows`` (N, 8, 2) and in ``row`` (8, 2); (N,)."""
    low = np.maximum(rows[:, 0] - rows[:, 1] / 2, row[0] - row[1] / 2)
    high = np.minimum(rows[:, 0] + rows[:, 1] / 2, row[0] + row[1] / 2)
    shared = np.clip(high - low, 0, None).prod(1)
    return np.asarray(shared / (rows[:, 1].prod(1) + row[1].prod() - shared))


def _chances(logits: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(logits, -80, 80))), np.float32)


@cache
def _anchors() -> Array:
    """Where the detector's 896 anchors stand, 0..1, float32 (896, 2): two on each of 16 x 16 places, six on 8 x 8."""
    places = []
    for cells, times in ((16, 2), (8, 6)):
        y, x = np.mgrid[:cells, :cells]
        grid = (np.stack([x.ravel(), y.ravel()], 1) + 0.5) / cells
        places.append(np.repeat(grid, times, axis=0))
    return np.concatenate(places).astype(np.float32)


def _run(name: str, square: npt.NDArray[np.floating], outputs: tuple[str, str]) -> tuple[Array, Array]:
    with _one_at_a_time:
        network = _network(name)
        network.setInput(np.ascontiguousarray(square.transpose(2, 0, 1)[None], np.float32))
        first, second = network.forward(outputs)
    # Copies: the network writes its next answer into the same memory.
    return np.array(first, np.float32), np.array(second, np.float32)


@cache
def _network(name: str) -> cv2.dnn.Net:
    path = MODELS / name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); install dfrnet again") from None
    if hashlib.sha256(data).hexdigest() != SHA256[name]:
        raise UserError(f"{path}: not the file that dfrnet came with (its SHA-256 is wrong); install dfrnet again")
    # By path: given the bytes, OpenCV 5.0 ignores the engine, and its newer one shows one output of these networks.
    return cv2.dnn.readNetFromTFLite(str(path), cv2.dnn.ENGINE_CLASSIC)
