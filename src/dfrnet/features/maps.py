"""The maps a network sees, computed from one movement: its onset frame, its apex frame and the flow between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar, cast

import cv2
import numpy as np

from dfrnet.features.colour import COLOUR_MAPS
from dfrnet.features.keyframes import KEYFRAME_MAPS
from dfrnet.features.patches import PATCH_MAPS
from dfrnet.features.tim import TIM_MAPS
from dfrnet.frames import grey_square
from dfrnet.types import Array, Frames, Image

Shared = TypeVar("Shared")


@dataclass(frozen=True)
class Movement:
    """Onset and apex frame, grey uint8 (H, W), and how to find the flow from the one to the other.

    Maps that need more than the two take it from ``frames``, the clip's own (aligned where that is wanted, of their own
    size and colour), and ``positions``: onset, apex and offset in them. ``landmarks`` in LANDMARKERS finds the face
    for maps around its points.
    """

    onset: Image
    apex: Image
    find_flow: Callable[[Image, Image], Array]
    centre: str = "median"
    frames: Frames = ()  # type: ignore[assignment]
    positions: tuple[int, int, int] = (0, 0, 0)
    landmarks: str = "mediapipe"

    def grey_at(self, position: int) -> Image:
        """A frame as the onset and the apex are: grey uint8 (H, W), of their size."""
        return grey_square(self.frames[position], len(self.onset))

    def flow_to(self, position: int) -> Array:
        """The flow from the onset to another frame, without the motion of the head: (2, H, W) in pixels."""
        return remove_head_motion(self.find_flow(self.onset, self.grey_at(position)), self.centre)

    def once(self, name: str, make: Callable[[], Shared]) -> Shared:
        """What ``make()`` gives, computed at the first call with ``name`` and kept: for what several maps share."""
        key = f"once {name}"  # a space, so that no field or property can have it
        if key not in self.__dict__:
            self.__dict__[key] = make()
        return cast(Shared, self.__dict__[key])

    @cached_property
    def flow(self) -> Array:
        """(2, H, W) in pixels, without the motion of the head (see :func:`remove_head_motion`)."""
        return remove_head_motion(self.find_flow(self.onset, self.apex), self.centre)


def strain(flow: Array) -> Array:
    """Optical strain, the magnitude of the infinitesimal strain tensor: flow (2, H, W) -> (H, W), >= 0, no unit.

    ``sqrt((du/dx)^2 + (dv/dy)^2 + 1/2 (du/dy + dv/dx)^2)`` (Shreve et al. 2009). Any rigid motion gives 0, a small
    rotation too. DFR-Net's eq. 7 as printed has 1/2 ((du/dy)^2 + (dv/dx)^2) for the shear, which a mere turn of the
    head would raise.
    """
    u_y, u_x = np.gradient(flow[0])
    v_y, v_x = np.gradient(flow[1])
    return np.asarray(np.sqrt(u_x**2 + v_y**2 + 0.5 * (u_y + v_x) ** 2), dtype=np.float32)


def difference(onset: Image, apex: Image) -> Array:
    """|apex - onset| (DFR-Net eq. 8): (H, W), 0 to 1 of the full intensity range."""
    return np.asarray(cv2.absdiff(onset, apex), np.float32) / np.float32(255)


MAPS: dict[str, Callable[[Movement], Array]] = {
    "u": lambda movement: movement.flow[0],
    "v": lambda movement: movement.flow[1],
    "strain": lambda movement: strain(movement.flow),
    "apex": lambda movement: np.asarray(movement.apex, np.float32) / np.float32(255),
    "difference": lambda movement: difference(movement.onset, movement.apex),
    **TIM_MAPS,
    **COLOUR_MAPS,
    **KEYFRAME_MAPS,
    **PATCH_MAPS,
}


def _median(flow: Array) -> Array:
    """``np.median`` over the picture, without its search for NaN: (..., H, W) -> (..., 1, 1)."""
    values = flow.reshape(*flow.shape[:-2], -1)
    middle = values.shape[-1] // 2
    low = middle - (values.shape[-1] % 2 == 0)
    found = np.partition(values, (low, middle), axis=-1)[..., low : middle + 1]
    return np.asarray(found.mean(axis=-1, dtype=np.float32)[..., None, None])


CENTRES: dict[str, Callable[[Array], Array]] = {
    "median": _median,
    "mean": lambda flow: flow.mean(axis=(-2, -1), keepdims=True),
    "none": lambda flow: np.zeros((*flow.shape[:-2], 1, 1), np.float32),
}


def remove_head_motion(flow: Array, centre: str) -> Array:
    """The flow less its median (or mean): the head's shift is most of the magnitude, and personal. (..., H, W)."""
    return flow - CENTRES[centre](flow)


def scale_per_clip(maps: Mapping[str, Array]) -> dict[str, Array]:
    """Divide motion by the clip's own robust maximum: the 99th percentile of the absolute values.

    u and v share one scale, so that their directions stay (ready-made maps were each stretched before), and the flows
    to the key frames another, so that their course stays; strain and difference have their own; the apex picture stays
    as it is. How strongly a person moves is personal, where and in which direction is the expression.
    """
    groups = (("u", "v"), ("strain",), ("difference",), tuple(KEYFRAME_MAPS))
    scaled = dict(maps)
    for group in groups:
        present = [name for name in group if name in maps]
        if present:
            top = _percentile_99(np.abs(np.concatenate([maps[name].ravel() for name in present])))
            # A clip without any motion stays all zero.
            scaled |= {name: maps[name] / top if top > 1e-6 else maps[name] for name in present}
    return scaled


def _percentile_99(values: Array) -> float:
    """``np.percentile(values, 99)`` at a third of the time; sorts ``values`` (N,) in part, in place."""
    at = 0.99 * (len(values) - 1)
    low = int(at)
    high = min(low + 1, len(values) - 1)
    values.partition((low, high))
    return float(values[low] + (at - low) * (values[high] - values[low]))


SCALES: dict[str, Callable[[Mapping[str, Array]], dict[str, Array]]] = {"clip": scale_per_clip, "none": dict}
