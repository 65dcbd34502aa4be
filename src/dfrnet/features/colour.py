"""The apex frame, and frames beside it, in colour (for CapsuleNet)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dfrnet.types import Array

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

COLOUR_MAPS: dict[str, Callable[[Movement], Array]] = {}
