"""Temporal interpolation: a movement of any length as ten frames (for LBP-TOP)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dfrnet.types import Array

if TYPE_CHECKING:
    from dfrnet.features.maps import Movement

TIM_MAPS: dict[str, Callable[[Movement], Array]] = {}
