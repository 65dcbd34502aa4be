"""Which frame is the apex, the moment of strongest movement: a function clip -> position in ``clip.frames``."""

from __future__ import annotations

from collections.abc import Callable

from dfrnet.types import Clip, UserError


def annotated(clip: Clip) -> int:
    """The apex that the data set's coders marked; UserError where they marked none."""
    if clip.apex is None:
        raise UserError(f"clip {clip.id}: no apex is annotated; choose another with --set apex=middle")
    return clip.apex


def middle(clip: Clip) -> int:
    """Halfway between onset and offset."""
    return (clip.onset + clip.offset) // 2


APEX: dict[str, Callable[[Clip], int]] = {"annotated": annotated, "middle": middle}
