"""Folders of images -> frames with time stamps."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.types import Image, UserError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff"})


def natural_key(path: Path) -> tuple[tuple[int, int | str], ...]:
    """Sort key that counts img2 before img10 and treats ``006_05562`` and ``006_5562`` alike.

    Digits compare as integers, the rest as text without case; the file's own name breaks ties.
    """
    parts = re.split(r"(\d+)", path.stem.lower())
    key: list[tuple[int, int | str]] = [(0, int(p)) if p.isdecimal() else (1, p) for p in parts if p]
    return (*key, (2, path.name))


def read_image(path: Path) -> Image:
    """One picture, uint8 (H, W) or RGB (H, W, 3); UserError if it is missing or does not decode."""
    try:
        data = np.fromfile(path, dtype=np.uint8)  # not cv2.imread: it cannot open every path on every system
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check the folder you passed") from None
    image = cv2.imdecode(data, cv2.IMREAD_ANYCOLOR) if data.size else None
    if image is None:
        raise UserError(f"{path}: not a picture that decodes ({data.size} bytes); restore it from the original archive")
    pixels = cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if image.ndim == 3 else image
    return np.asarray(pixels, dtype=np.uint8)


@dataclass(frozen=True)
class ImageFolder:
    """Frames kept as single pictures; ``paths`` in the order of time, ``fps`` frames a second."""

    paths: tuple[Path, ...]
    fps: float

    def __post_init__(self) -> None:
        if not self.fps > 0:
            raise UserError(f"{self.paths[0].parent if self.paths else 'frames'}: fps must be above 0, not {self.fps}")

    @property
    def times(self) -> npt.NDArray[np.float64]:
        return np.arange(len(self.paths)) / self.fps

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int, /) -> Image:
        return read_image(self.paths[index])


def image_folder(folder: Path, fps: float, suffixes: Sequence[str] | None = None) -> ImageFolder:
    """Every picture of ``folder`` (not of its sub-folders) in natural order; UserError if there is none."""
    wanted = IMAGE_SUFFIXES if suffixes is None else frozenset(s.lower() for s in suffixes)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder of frames")
    paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in wanted), key=natural_key)
    if not paths:
        raise UserError(f"{folder}: no pictures in it ({', '.join(sorted(wanted))})")
    return ImageFolder(tuple(paths), fps)
