"""Flow from the onset to several frames around the apex (for ME-PLAN)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dfrnet.types import Array

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

KEYFRAME_MAPS: dict[str, Callable[[Movement], Array]] = {}
