"""Frames of a drawn face, fast: on a grid and in single precision, for recordings of many thousands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from dfrnet.datasets.synthetic_drawing import MARGIN, SCALE, picture_of
from dfrnet.datasets.synthetic_face import SIZE
from dfrnet.datasets.synthetic_frames import compressed
from dfrnet.datasets.synthetic_motion import Bump, Head
from dfrnet.types import Array, Image


@dataclass(frozen=True)
class Camera:
    """Who looks on: see ``Difficulty`` for ``noise`` and ``jpeg``; ``light``: share, hertz and phase of the flicker.

    ``size``: pixels of the square frame's side; the face grows with it. ``colour`` False: frames (H, W), a third of
    the time.
    """

    fps: float
    light: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    jpeg: int = 0
    size: int = SIZE
    colour: bool = True


def photographed(frame: Array, camera: Camera, rng: np.random.Generator) -> Image:
    """The frame, float32 in 0..255, as the camera hands it out: with its noise, rounded, through its JPEG."""
    if camera.noise:
        grains = _grains()
        start = int(rng.integers(len(grains) - frame.size))
        noise = grains[start : start + frame.size].reshape(frame.shape)
        # As in the clips: light arrives in grains, the bright half of a picture is the noisier one.
        spread = np.float32(camera.noise) * np.sqrt(np.float32(0.4) + frame / np.float32(213))
        frame = frame + spread * noise
    image = np.asarray(np.clip(np.rint(frame), 0, 255), np.uint8)
    return compressed(image, camera.jpeg) if camera.jpeg else image


def seen(picture: Array, head: Head, bumps: Sequence[Bump], size: int) -> Array:
    """``sample(picture, expressed(bumps, neutral(head, grid)))`` for a grid of size x size, to about 0.01 pixel."""
    at_x, at_y = _neutral_grid(head, size)
    if bumps:
        pull = _pull(tuple(bumps))
        place = cv2.remap(pull, at_x + MARGIN, at_y + MARGIN, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        at_x, at_y = at_x - place[..., 0], at_y - place[..., 1]
    to_x, to_y = ((at + (MARGIN + 0.5)) * SCALE - 0.5 for at in (at_x, at_y))
    seen = cv2.remap(picture, to_x, to_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(seen, np.float32)


def _neutral_grid(head: Head, size: int) -> tuple[Array, Array]:
    """``neutral`` on the pixels of a frame of size x size."""
    axis = ((np.arange(size) + 0.5) * (SIZE / size) - 0.5).astype(np.float32)
    x, y = axis - np.float32(64 + head.x), (axis - np.float32(70 + head.y))
    depth = np.outer(np.exp(-0.5 * (y / 36) ** 2), np.exp(-0.5 * (x / 30) ** 2))
    depth += np.float32(0.35) * np.outer(np.exp(-0.5 * (y / 9) ** 2), np.exp(-0.5 * (x / 6) ** 2))
    shrink = np.exp(-head.zoom)
    cos, sin = np.float32(shrink * np.cos(head.roll)), np.float32(shrink * np.sin(head.roll))
    at_x = (64 + cos * x)[None] + (sin * y)[:, None] - np.float32(head.yaw) * depth
    at_y = (70 - sin * x)[None] + (cos * y)[:, None] - np.float32(head.pitch) * depth
    return at_x, at_y


def _pull(bumps: tuple[Bump, ...]) -> Array:
    """``field`` on the pixels of the frame and its margin, float32 (148, 148, 2)."""
    axis = np.arange(-MARGIN, SIZE + MARGIN, dtype=np.float32)
    total = np.zeros((len(axis), len(axis), 2), np.float32)
    for b in bumps:
        dx, dy = axis - np.float32(b.x), axis - np.float32(b.y)
        down = np.exp(-0.5 * (dy / np.where(dy < 0, np.float32(b.sigma_up), np.float32(b.sigma_down))) ** 2)
        weight = np.outer(down, np.exp(-0.5 * (dx / np.float32(b.sigma_x)) ** 2))
        total[..., 0] += np.float32(b.move_x) * weight
        total[..., 1] += np.float32(b.move_y) * weight
    return total


@lru_cache(maxsize=8)
def neutral_picture(seed: int, subject: int, colour: bool) -> Array:
    """The subject's neutral face in 0..255, in colour or in grey."""
    picture = 255 * picture_of(seed, subject)
    return picture if colour else np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.float32)


@lru_cache(maxsize=1)
def _grains() -> Array:
    """Normal numbers, deviation 1. A frame takes a piece of them, from anywhere: new ones would take longest."""
    return np.random.default_rng(20).standard_normal(1 << 20, dtype=np.float32)
