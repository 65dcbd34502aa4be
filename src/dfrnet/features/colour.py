"""The apex frame, and frames beside it, in colour (for CapsuleNet)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from dfrnet.types import Array

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

COLOURS = ("red", "green", "blue")

STEPS = (0, -2, 2)
"""How many frames from the apex each picture lies: the apex itself first, then one before and one after it."""


def picture(movement: Movement, step: int) -> Array:
    """The frame ``step`` frames from the apex, kept between onset and offset: (3, H, W) red, green, blue in 0 to 1.

    H = W is the side to which frames are brought for the flow; a grey frame repeats itself in the three.
    """
    onset, apex, offset = movement.positions
    image = movement.frames[min(max(apex + step, onset), offset)]
    side = len(movement.onset)
    if image.shape[:2] != (side, side):
        way = cv2.INTER_AREA if side <= min(image.shape[:2]) else cv2.INTER_CUBIC
        image = np.asarray(cv2.resize(image, (side, side), interpolation=way), np.uint8)
    planes = image.transpose(2, 0, 1) if image.ndim == 3 else np.stack([image] * 3)
    return np.asarray(planes, np.float32) / np.float32(255)


def _plane(step: int, colour: int) -> Callable[[Movement], Array]:
    return lambda movement: movement.once(f"colour {step}", lambda: picture(movement, step))[colour]


COLOUR_MAPS: dict[str, Callable[[Movement], Array]] = {
    f"{name}{step:+d}" if step else name: _plane(step, colour) for step in STEPS for colour, name in enumerate(COLOURS)
}
"""red, green, blue of the apex frame; red-2, ... of the second frame before it; red+2, ... of the second after it."""
