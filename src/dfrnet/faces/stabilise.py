"""How the head has moved between two aligned crops: a turn and a shift, whatever the face does meanwhile.

The motion is sought that explains the change of most of the face's pixels, in Gauss-Newton steps from coarse to fine
(after Lucas and Kanade, 1981). A pixel counts the less the worse it is explained, with Cauchy's weights, so that the
few pixels of an expression do not pull. Measured (docs/faces.md), that beats looking at the nose or the temples alone,
where noise weighs more. A change of light, a gain and an offset, is fitted along with it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.types import Image

Floats = npt.NDArray[np.float64]

SIDES = (32, 64, 128)  # pixels: the pictures compared, from coarse to fine
STEPS = (3, 3, 5)  # on each of them
FITS = 2  # of the weights, in each step
BLUR = 1.0  # pixels: against noise and for slopes that reach as far as a step
OVAL = (0.5, 0.55, 0.33, 0.43)  # where the crop is face: centre and half axes as shares of its side


def head_motion(first: Image, later: Image) -> Floats:
    """The matrix (2, 3), pixels of the crops, that takes a place (x, y, 1) of ``first`` to its place in ``later``."""
    angle, shift = 0.0, np.zeros(2)  # the shift as a share of the side, about the centre
    for side, steps in zip(SIDES, STEPS, strict=True):
        angle, shift = _refined(_small(first, side), _small(later, side), angle, shift, steps)
    return _matrix(angle, shift, first.shape[0])


def _refined(
    first: npt.NDArray[np.float32], later: npt.NDArray[np.float32], angle: float, shift: Floats, steps: int
) -> tuple[float, Floats]:
    side = len(first)
    x, y, pixels = _face_pixels(side)
    here = first.ravel()[pixels]
    slopes_x, slopes_y = (slope.ravel()[pixels] for slope in _slopes(first))
    turning = slopes_y * x - slopes_x * y
    changes = np.stack([slopes_x, slopes_y, turning, np.ones_like(here), here - here.mean()])
    weights = np.ones_like(here)
    for _ in range(steps):
        moved = cv2.warpAffine(
            later,
            _matrix(angle, shift, side),
            (side, side),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        step, weights = _robust_fit(changes, here - moved.ravel()[pixels], weights)
        angle, shift = angle + step[2], shift + step[:2] / side
    return float(angle), shift


def _robust_fit(
    changes: npt.NDArray[Any], difference: npt.NDArray[Any], weights: npt.NDArray[Any]
) -> tuple[Floats, npt.NDArray[Any]]:
    """The amounts (K,) of ``changes`` (K, N) that explain most of ``difference`` (N,), and the pixels' new weights."""
    amounts = np.zeros(len(changes))
    for _ in range(FITS):
        weighted = changes * weights
        normal = np.einsum("kn,ln->kl", weighted, changes)  # not @: its sums depend on the number of threads
        # A blank picture has no slopes; the small ridge keeps its motion at zero.
        amounts = np.linalg.solve(normal + 1e-3 * np.eye(len(changes)), np.einsum("kn,n->k", weighted, difference))
        left = difference - np.einsum("k,kn->n", amounts, changes)
        scale = 1.48 * np.median(np.abs(left)) + 1e-3  # of the noise, in grey levels
        weights = 1 / (1 + np.square(left / scale))
    return np.asarray(amounts, np.float64), weights


def _matrix(angle: float, shift: Floats, side: int) -> Floats:
    """A turn about the middle of a square picture, then a shift; (2, 3) in its pixels."""
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    middle = np.full(2, (side - 1) / 2)
    return np.column_stack([turn, middle - turn @ middle + shift * side])


def _small(image: Image, side: int) -> npt.NDArray[np.float32]:
    shrink = side < len(image)
    resized = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    return np.asarray(cv2.GaussianBlur(resized.astype(np.float32), (0, 0), BLUR), np.float32)


def _slopes(image: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Grey levels a pixel, to the right and down."""
    right = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(right, np.float32), np.asarray(down, np.float32)


@cache
def _face_pixels(side: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.intp]]:
    """Of the pixels on the face: x and y from the middle, and their places in the flat picture."""
    y, x = np.mgrid[:side, :side]
    centre_x, centre_y, half_x, half_y = OVAL
    inside = ((x + 0.5) / side - centre_x) ** 2 / half_x**2 + ((y + 0.5) / side - centre_y) ** 2 / half_y**2 < 1
    middle = (side - 1) / 2
    return (x[inside] - middle).astype(np.float32), (y[inside] - middle).astype(np.float32), np.flatnonzero(inside)
