"""Flow from the onset to several frames around the apex (for ME-PLAN)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from dfrnet.types import Array

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

KEY_FRAMES = 7
"""An odd number: the apex, and as many frames before it as after it."""


def key_positions(onset: int, apex: int, offset: int) -> tuple[int, ...]:
    """Where the key frames lie: at 1/4, 2/4, 3/4 of the way from onset to apex, the apex, and the same on to offset.

    Rounded to whole frames, so that a short movement has the same frame more than once.
    """
    middle = (KEY_FRAMES + 1) / 2
    steps = np.arange(1, KEY_FRAMES + 1)
    found = np.interp(steps, [0, middle, KEY_FRAMES + 1], [onset, apex, offset])
    return tuple(int(position) for position in np.rint(found))


def key_flows(movement: Movement) -> tuple[Array, ...]:
    """The flow from the onset to each key frame, without the motion of the head: (2, H, W) each, pixels."""
    positions = key_positions(*movement.positions)
    flows = {p: movement.flow if p == movement.positions[1] else movement.flow_to(p) for p in set(positions)}
    return tuple(flows[p] for p in positions)


def _component(frame: int, axis: int) -> Callable[[Movement], Array]:
    return lambda movement: movement.once("key flows", lambda: key_flows(movement))[frame - 1][axis]


KEYFRAME_MAPS: dict[str, Callable[[Movement], Array]] = {
    f"{name}@{frame}": _component(frame, axis)
    for frame in range(1, KEY_FRAMES + 1)
    for axis, name in enumerate(("u", "v"))
}
"""u@1, v@1, u@2, ...: in the order of time; u@4 and v@4 are the apex's, the same as u and v."""
