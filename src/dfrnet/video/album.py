"""The last seconds of one face, kept for the recogniser: it needs the frames of a movement that is already over."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.features import FeatureSpec
from dfrnet.features.colour import COLOUR_MAPS
from dfrnet.types import Image, UserError
from dfrnet.video.sources import Frame
from dfrnet.video.track import Observation

REACH = 1.9  # half the side of the kept square, in distances of the outer corners of the eyes
LEFT = 0.4  # the square is laid anew once the face's middle has gone so many of them from its own
FINE = 2  # the kept square has at most so many times the side that features are computed at


@dataclass(frozen=True)
class Pictures:
    """Frames that are there: ``pictures`` uint8 of one size and ``times`` float64, seconds."""

    pictures: tuple[Image, ...]
    times: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int, /) -> Image:
        return self.pictures[index]


class Album:
    """The surroundings of a face over the last ``seconds``, cut by one and the same square while it stays within.

    Memory is bounded by the frame rate: 256 x 256 pixels, for features of 128, are 13 MB a second in grey at 200 frames
    a second.
    """

    def __init__(self, spec: FeatureSpec, seconds: float) -> None:
        self._seconds, self._side = seconds, FINE * spec.frame_size
        self._colour = any(name in COLOUR_MAPS for name in spec.maps)
        self._pages: deque[tuple[float, int, Image]] = deque()
        self._laid = 0
        self._square: tuple[int, int, int] | None = None  # left, top and side, pixels of the frame

    def add(self, frame: Frame, seen: Observation) -> None:
        middle = seen.points[[36, 45, 8]].mean(0)
        if self._square is None or self._is_outside(middle, seen.eye_distance):
            side = int(np.ceil(2 * REACH * seen.eye_distance))
            left, top = np.rint(middle - side / 2).astype(int)
            self._square, self._laid = (int(left), int(top), side), self._laid + 1
        picture = _cut(frame.image if self._colour else frame.grey, *self._square)
        if len(picture) > self._side:
            picture = np.asarray(cv2.resize(picture, (self._side,) * 2, interpolation=cv2.INTER_AREA), np.uint8)
        self._pages.append((frame.time, self._laid, picture))
        while self._pages and frame.time - self._pages[0][0] > self._seconds:
            self._pages.popleft()

    def clip(self, start: float, apex: float, end: float) -> tuple[Pictures, tuple[int, int, int]]:
        """The frames from ``start`` to ``end`` and the positions of onset, apex and offset in them.

        UserError where they are not there any more, the face left its square, or onset and apex are one frame.
        """
        if not self._pages or self._pages[0][0] > start + 1e-6:
            raise UserError("the frames of its begin are not kept any more")
        pages = [page for page in self._pages if start - 1e-6 <= page[0] <= end + 1e-6]
        if len({laid for _, laid, _ in pages}) > 1:
            raise UserError("the head moved too far meanwhile")
        times = np.array([time for time, _, _ in pages])
        at = int(np.abs(times - apex).argmin()) if len(times) else 0
        if not at:
            raise UserError("too few frames between onset and apex")
        return Pictures(tuple(picture for _, _, picture in pages), times), (0, at, len(pages) - 1)

    def _is_outside(self, middle: npt.NDArray[np.floating], eye_distance: float) -> bool:
        assert self._square is not None
        left, top, side = self._square
        away = np.abs(middle - (left + side / 2, top + side / 2)).max()
        return bool(away > LEFT * eye_distance or not 0.6 < 2 * REACH * eye_distance / side < 1.5)


def _cut(image: Image, left: int, top: int, side: int) -> Image:
    """The square, its own copy; black where it lies outside the picture."""
    height, width = image.shape[:2]
    x, y = max(left, 0), max(top, 0)
    right, bottom = min(left + side, width), min(top + side, height)
    square = np.zeros((side, side, *image.shape[2:]), np.uint8)
    if right > x and bottom > y:
        square[y - top : bottom - top, x - left : right - left] = image[y:bottom, x:right]
    return square
