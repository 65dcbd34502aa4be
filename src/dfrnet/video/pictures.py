"""Pixels of one frame, as an array or as PyAV decoded them: fitted in size, as RGB, as grey."""

from __future__ import annotations

from typing import Any, NamedTuple

import cv2
import numpy as np

from dfrnet.frames import grey as grey_of
from dfrnet.types import Image, UserError
from dfrnet.video.stamps import Told

SMALLEST, LARGEST = 16, 8192
"""Pixels of a side that can be used."""
ENOUGH = 1920
"""Pixels of the longer side that a face in a recording needs at most."""
LUMA = frozenset(
    {"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "yuva420p", "nv12", "nv21"}
)  # fmt: skip
"""Pixel formats whose first plane is the grey picture, one byte a pixel."""
JPEG_RANGE, RGB_SPACE = 2, 0
"""FFmpeg's numbers for luma from 0 to 255 (else it is from 16 to 235) and for planes that are colours."""
FULL = np.clip(np.round((np.arange(256) - 16) * (255 / 219)), 0, 255).astype(np.uint8)
"""Luma of the limited range (ITU-R BT.601: 16 is black, 235 white) -> 0 to 255."""
TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


class Picture(NamedTuple):
    """``stamp``: seconds from anywhere, None if unknown; ``turn``: quarter turns, counterclockwise, to be upright."""

    stamp: float | None
    pixels: Any
    turn: int = 0


def rgb(pixels: Any, turn: int) -> Image:
    """uint8 (H, W, 3), upright."""
    if not isinstance(pixels, np.ndarray):
        pixels = pixels.reformat(format="rgb24", threads=1).to_ndarray()
    return _turned(pixels, turn)


def grey(pixels: Any, turn: int) -> Image:
    """uint8 (H, W), upright, 0 black and 255 white; of a video's frame its own luma, without the way over colours."""
    return _turned(grey_of(pixels) if isinstance(pixels, np.ndarray) else _luma(pixels), turn)


def _luma(frame: Any) -> Image:
    plane = frame.planes[0]
    rows = np.frombuffer(plane, np.uint8).reshape(frame.height, -1)[:, : frame.width]
    full = frame.format.name.startswith("yuvj") or frame.color_range == JPEG_RANGE
    return rows.copy() if full else np.asarray(cv2.LUT(rows, FULL), np.uint8)


def _turned(image: Image, turn: int) -> Image:
    return np.asarray(cv2.rotate(image, TURNS[turn]), np.uint8) if turn else image


def check_size(name: str, width: int, height: int) -> None:
    """UserError unless both sides can be used."""
    if not (SMALLEST <= width <= LARGEST and SMALLEST <= height <= LARGEST):
        raise UserError(
            f"{name}: its pictures are {width}x{height} pixels; from {SMALLEST}x{SMALLEST} to {LARGEST}x{LARGEST} "
            "can be used, convert it"
        )


class Fit:
    """Brings every frame of one source to one size, that of the first, with at most ENOUGH pixels on the longer side.

    Frames of another size and the same shape are scaled; those of another shape are left out: no face could be
    followed over the change.
    """

    def __init__(self, name: str, told: Told) -> None:
        self.name, self.told = name, told
        self.first: tuple[int, int] | None = None
        self.size = (0, 0)

    def __call__(self, pixels: Any) -> Any | None:
        """An RGB array or a frame in one of the LUMA formats; None if it must be left out."""
        size = _size(pixels)
        if self.first is None:
            self._begin(size)
        if size != self.first:
            if not _same_shape(size, self.size):
                self.told.odd["shape"] += 1
                return None
            self.told.odd["resized"] += 1
        return _fitted(pixels, self.size)

    def _begin(self, size: tuple[int, int]) -> None:
        check_size(self.name, *size)
        shrink = min(1.0, ENOUGH / max(size))
        self.first, self.size = size, (max(1, round(size[0] * shrink)), max(1, round(size[1] * shrink)))
        if shrink < 1:
            self.told.notes.append(
                f"its pictures are scaled from {size[0]}x{size[1]} to {self.size[0]}x{self.size[1]} pixels"
            )


def _size(pixels: Any) -> tuple[int, int]:
    """Width and height."""
    if isinstance(pixels, np.ndarray):
        return pixels.shape[1], pixels.shape[0]
    return pixels.width, pixels.height


def _same_shape(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Width to height, within 2 %."""
    wide, high = one[0] * other[1], one[1] * other[0]
    return min(one) >= SMALLEST and abs(wide - high) <= 0.02 * high


def _fitted(pixels: Any, size: tuple[int, int]) -> Any:
    shrinks = size[0] < _size(pixels)[0]
    if isinstance(pixels, np.ndarray):
        if pixels.ndim == 2:
            pixels = cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)
        if _size(pixels) == size:
            return pixels
        return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    form = _eight_bits(pixels)
    if form == pixels.format.name and _size(pixels) == size:
        return pixels
    way = "AREA" if shrinks else "BILINEAR"
    made = pixels.reformat(width=size[0], height=size[1], format=form, interpolation=way, threads=1)
    return made.to_ndarray() if form == "rgb24" else made


def _eight_bits(frame: Any) -> str:
    """The pixel format to work in: the frame's own if its luma can be read, luma of 8 bits for deeper ones, or RGB."""
    name = str(frame.format.name)
    if frame.colorspace == RGB_SPACE:
        return "rgb24"
    if name in LUMA:
        return name
    return "yuv420p" if name.startswith(("yuv", "p010", "p210")) else "rgb24"
