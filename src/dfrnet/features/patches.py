"""Small patches of onset and apex around facial points (for FGRL-AUF)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dfrnet.types import Array

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

PATCH_MAPS: dict[str, Callable[[Movement], Array]] = {}
