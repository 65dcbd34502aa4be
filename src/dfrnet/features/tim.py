"""A movement of any length as ten frames, and local binary patterns in space and time on them (for LBP-TOP)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from dfrnet.types import Array, Image

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

LENGTH = 10  # frames after interpolation
BLOCKS = 5  # a side
BINS = 16  # patterns of four neighbours
PICTURE_SIDE = 20
"""Side of the pictures ``lbp_xy``, ``lbp_xt`` and ``lbp_yt``: 5 blocks of 4 x 4 bins."""

Step = tuple[int, int, int]  # from a voxel to its neighbour, along t, y and x
BORDER: Step = (4, 1, 1)  # the radii
X, Y, T = (0, 0, 1), (0, 1, 0), (4, 0, 0)
PLANES: dict[str, tuple[Step, Step]] = {"lbp_xy": (X, Y), "lbp_xt": (X, T), "lbp_yt": (Y, T)}


def tim_weights(count: int, length: int = LENGTH) -> npt.NDArray[np.float64]:
    """The share of each of ``count`` frames in each of ``length`` frames of the temporal interpolation model.

    (length, count), rows sum to 1; the first and the last new frame are those of the movement. The model (Zhou, Zhao
    and Pietikainen 2011; Pfister et al. 2011) takes the frames for points on a curve, learns the linear map from them,
    less their mean, to the eigenvectors of a path graph's Laplacian, and goes back from points between. Those of n
    frames lie at t = 1/n, 2/n, ... 1 of ``sin(pi k t + pi (n - k) / (2 n))``, k = 1 ... n - 1, which are orthogonal and
    of squared length n / 2. Where the frames are independent, as the model requires, the way there and back is one
    matrix that depends on their number alone; this is it, and it needs no independence.
    """
    k = np.arange(1, count)[:, None]

    def curve(t: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.asarray(np.sin(np.pi * (k * t + (count - k) / (2 * count))))

    old, new = np.arange(1, count + 1) / count, np.linspace(1 / count, 1, length)
    # einsum, here and nowhere BLAS: its last bits do not depend on the number of threads.
    return np.asarray((1 + 2 * np.einsum("kn,ko->no", curve(new), curve(old))) / count)


def interpolated(movement: Movement) -> Image:
    """The movement from onset to offset as ten frames: uint8 (10, H, W), of the onset's size.

    Whole grey levels, as the frames themselves have: still parts keep their ties, which a pattern must not take for
    differences. One frame is held at a time, so that a long clip costs no memory.
    """
    onset, _, offset = movement.positions
    weights = tim_weights(offset - onset + 1).astype(np.float32)
    total = np.zeros((LENGTH, *movement.onset.shape), np.float32)
    for position, share in zip(range(onset, offset + 1), weights.T, strict=True):
        total += share[:, None, None] * movement.grey_at(position)
    return np.asarray(np.clip(np.rint(total), 0, 255), np.uint8)


def patterns(volume: Image, first: Step, second: Step) -> Image:
    """Local binary patterns of four neighbours on one plane: (T, H, W) -> uint8 (T - 8, H - 2, W - 2), 0 to 15.

    Bits 0 to 3 say whether the neighbours at first, -second, -first and second are at least as bright as the voxel. At
    four neighbours and whole radii each is a voxel of its own: nothing is interpolated. A voxel counts where it has all
    its neighbours on all three planes ("only the central part", Zhao and Pietikainen 2007): of ten frames the middle
    two.
    """
    centre = _moved(volume, (0, 0, 0))
    found = np.zeros(centre.shape, np.uint8)
    for bit, (axis, sign) in enumerate(((first, 1), (second, -1), (first, -1), (second, 1))):
        t, y, x = axis
        found |= (_moved(volume, (sign * t, sign * y, sign * x)) >= centre).astype(np.uint8) << bit
    return found


def _moved(volume: Image, step: Step) -> Image:
    """What lies one step from each voxel of the central part."""
    parts = zip(volume.shape, BORDER, step, strict=True)
    return volume[tuple(slice(border + by, size - border + by) for size, border, by in parts)]


def block_numbers(height: int, width: int) -> npt.NDArray[np.intp]:
    """Which of 5 x 5 blocks, as equal as they can be, each pixel belongs to: (height, width), 0 to 24, row by row."""
    row, column = (
        np.repeat(np.arange(BLOCKS), [len(part) for part in np.array_split(np.arange(side), BLOCKS)])
        for side in (height, width)
    )
    return BLOCKS * row[:, None] + column


def histograms(codes: Image) -> npt.NDArray[np.float64]:
    """The share of each pattern in each block: (T, H, W) -> (25, 16), rows sum to 1."""
    bins = BINS * block_numbers(*codes.shape[1:]) + codes
    counts = np.bincount(bins.ravel(), minlength=BLOCKS**2 * BINS).reshape(-1, BINS)
    return np.asarray(counts / counts.sum(axis=1, keepdims=True))


def lbp_picture(movement: Movement, plane: str) -> Array:
    """The histograms of a plane as a picture of 5 x 5 blocks with 4 x 4 bins each: (20, 20), 0 to 1.

    LBP-TOP (Zhao and Pietikainen 2007) with the settings of the MEGC2019 baseline: ten frames, radii 1, 1, 4 along x,
    y and t, four neighbours, 16 bins.
    """
    volume = movement.once("ten frames", lambda: interpolated(movement))
    shares = histograms(patterns(volume, *PLANES[plane]))
    return np.asarray(shares.reshape(5, 5, 4, 4).swapaxes(1, 2).reshape(PICTURE_SIDE, PICTURE_SIDE), np.float32)


TIM_MAPS: dict[str, Callable[[Movement], Array]] = {name: partial(lbp_picture, plane=name) for name in PLANES}
