"""Which frame is the apex, the moment of strongest movement: a function (clip, frames) -> position in the frames.

``frames`` are the clip's own, aligned where the spec asks for it, at the same positions as ``clip.frames``: a rule that
looks at pictures looks at those, from ``clip.onset`` to ``clip.offset``. No rule sees the label.

Such a rule draws a curve, one number a frame, of how far the face is from what it was at the onset, and then chooses a
point of it: :func:`highest` or :func:`divide_and_conquer`. A frame is read once and forgotten when its number stands.
A flat curve, as of a clip without any motion, has its apex in the middle.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.faces import DC_ROIS, Box, find_face, region_boxes
from dfrnet.features.maps import remove_head_motion
from dfrnet.frames import check_picture, grey, grey_square
from dfrnet.types import Array, Clip, Frames, Image, UserError

Curve = npt.NDArray[np.float64]
Look = TypeVar("Look")

FLOW_SIDE = 64  # pixels: the flow of a curve needs no more, see docs/apex.md
SMOOTH_SECONDS = 0.025  # 5 frames at 200 frames a second, at which the rule was found
PRIOR_WIDTH = 0.25  # of the movement's duration


def annotated(clip: Clip, frames: Frames) -> int:
    """The apex that the data set's coders marked; UserError where they marked none."""
    del frames
    if clip.apex is None:
        raise UserError(f"clip {clip.id}: no apex is annotated; choose another with --set apex=auto")
    return clip.apex


def auto(clip: Clip, frames: Frames) -> int:
    """The annotated apex, and that of :func:`flow_prior` where none is annotated."""
    return flow_prior(clip, frames) if clip.apex is None else clip.apex


def middle(clip: Clip, frames: Frames) -> int:
    """Halfway between onset and offset."""
    del frames
    return (clip.onset + clip.offset) // 2


def flow_prior(clip: Clip, frames: Frames) -> int:
    """Where the flow from the onset is strongest, smoothed, and weighted by how likely an apex is there (``prior``)."""
    curve = smoothed(flow_curve(clip, frames), smoothing_width(clip.fps))
    return clip.onset + highest(curve * prior(len(curve)))


def max_flow(clip: Clip, frames: Frames) -> int:
    """Where the flow from the onset is strongest, and nothing else: a head that drifts away draws it to the offset."""
    return clip.onset + highest(flow_curve(clip, frames))


def max_difference(clip: Clip, frames: Frames) -> int:
    """The frame that differs most from the onset frame, by the mean of |difference| (DFR-Net eq. 8) over all pixels."""
    return clip.onset + highest(difference_curve(clip, frames))


def dc_rois(clip: Clip, frames: Frames) -> int:
    """D&C-RoIs (Liong et al., 2015) as DFR-Net describes it (3.1.1, eq. 1): texture around the eyes and the mouth.

    UserError where no face is found in the onset frame: regions are never guessed.
    """
    return clip.onset + divide_and_conquer(texture_curve(clip, frames))


def flow_curve(clip: Clip, frames: Frames) -> Curve:
    """95th percentile of the flow's magnitude from the onset frame to each frame, its median taken off: (n,), pixels.

    Pixels are those of 64 x 64 frames. Dense inverse search (Kroeger et al. 2016), ultrafast preset, refined down to
    single pixels: a third of the time of ``dis_medium`` on 128 x 128 frames, and no further from the true apex.
    """
    method = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
    method.setFinestScale(0)
    return _curve(
        (grey_square(image, FLOW_SIDE) for image in _pictures(clip, frames)),
        lambda onset, now: _strength(method.calc(onset, now, None)),  # type: ignore[call-overload]
    )


def difference_curve(clip: Clip, frames: Frames) -> Curve:
    """Mean absolute difference of each frame from the onset frame: (n,), grey levels."""
    return _curve(map(grey, _pictures(clip, frames)), lambda onset, now: float(cv2.absdiff(onset, now).mean()))


def texture_curve(clip: Clip, frames: Frames) -> Curve:
    """1 - d of each frame, averaged over the three regions: (n,), 0 for the onset frame and 1 for another texture.

    d is eq. 1, the cosine of the angle between a region's histogram of local binary patterns and the onset's; the
    patterns are the 59 uniform ones of 8 neighbours at distance 1 (Ojala et al., 2002).
    """
    from skimage.feature import local_binary_pattern

    pictures = _pictures(clip, frames)
    onset = next(pictures)
    boxes = _boxes(clip, frames, onset)

    def histograms(image: Image) -> Curve:
        plane = grey(image)
        counts = []
        for box in boxes:
            part = plane[box.top : box.bottom, box.left : box.right]
            patterns = local_binary_pattern(part, 8, 1, "nri_uniform")  # type: ignore[no-untyped-call]
            counts.append(np.bincount(patterns.astype(np.intp).ravel(), minlength=59))
        return np.stack(counts).astype(np.float64)

    return _curve(map(histograms, chain([onset], pictures)), lambda h1, h2: float(np.mean(1 - cosine(h1, h2))))


def cosine(h1: Curve, h2: Curve) -> Curve:
    """Eq. 1 for each row: sum(h1 h2) / sqrt(sum(h1^2) sum(h2^2)), (R, bins) twice to (R,)."""
    return np.asarray((h1 * h2).sum(-1) / np.sqrt((h1**2).sum(-1) * (h2**2).sum(-1)))


def prior(count: int) -> Curve:
    """exp(-(t - 1/2)^2 / (2 * 0.25^2)), t from 0 at the onset to 1 at the offset: (count,).

    Annotated apexes lie so: in CASME II at 0.51 with a standard deviation of 0.165, in SAMM at 0.46 with 0.164.
    """
    from_middle = (2 * np.arange(count) - (count - 1)) / (2 * max(count - 1, 1))  # t - 1/2, the same on both sides
    return np.asarray(np.exp(-(from_middle**2) / (2 * PRIOR_WIDTH**2)))


def smoothing_width(fps: float) -> int:
    """How many frames a smoothed value averages: the odd number nearest to 25 ms, 3 at least; 5 where fps is unknown.

    Three at 30 and at 100 frames a second, five at 200: one frame's noise is never trusted alone, and five frames at
    30 a second would be longer than many a movement.
    """
    return max(3, 2 * round((SMOOTH_SECONDS * fps - 1) / 2) + 1) if fps > 0 else 5


def smoothed(curve: Curve, width: int) -> Curve:
    """The mean over ``width`` (odd) neighbours; at the ends over those that there are."""
    total = np.concatenate([[0.0], np.cumsum(curve)])
    at = np.arange(len(curve))
    first, last = np.maximum(at - width // 2, 0), np.minimum(at + width // 2 + 1, len(curve))
    return np.asarray((total[last] - total[first]) / (last - first))


def highest(curve: Curve) -> int:
    """Position of the largest value; of equal ones the nearest to the middle, and then the earlier."""
    best = np.flatnonzero(curve == curve.max())
    return int(best[np.argmin(np.abs(2 * best - (len(curve) - 1)))])


def peaks(curve: Curve) -> list[int]:
    """Positions of the local maxima, in order: higher than what is next to it, an end too; of a plateau its middle."""
    starts = np.flatnonzero(np.concatenate([[True], curve[1:] != curve[:-1]]))
    ends = np.concatenate([starts[1:], [len(curve)]]) - 1
    levels = np.concatenate([[-np.inf], curve[starts], [-np.inf]])
    top = (levels[1:-1] > levels[:-2]) & (levels[1:-1] > levels[2:])
    return [int(position) for position in (starts + ends)[top] // 2]


def divide_and_conquer(curve: Curve) -> int:
    """Halve the curve, keep the half whose peaks have the larger sum, until one peak is left: its position.

    This is not the largest value: many middling peaks outweigh a single high one. The frame in the middle of an odd
    number belongs to both halves; of equal halves the earlier is kept.
    """
    first, last, left = 0, len(curve) - 1, peaks(curve)
    while len(left) > 1:
        early = [peak for peak in left if peak <= (first + last) // 2]
        late = [peak for peak in left if peak >= (first + last + 1) // 2]
        if math.fsum(curve[early]) >= math.fsum(curve[late]):
            left, last = early, (first + last) // 2
        else:
            left, first = late, (first + last + 1) // 2
    return left[0]


APEX: dict[str, Callable[[Clip, Frames], int]] = {
    "auto": auto,
    "annotated": annotated,
    "middle": middle,
    "flow_prior": flow_prior,
    "max_flow": max_flow,
    "max_difference": max_difference,
    "dc_rois": dc_rois,
}


def _curve(looks: Iterable[Look], distance: Callable[[Look, Look], float]) -> Curve:
    """``distance`` of every look from the first one; from itself too, so that equal frames have equal numbers."""
    rest = iter(looks)
    onset = next(rest)
    return np.array([distance(onset, now) for now in chain([onset], rest)])


def _pictures(clip: Clip, frames: Frames) -> Iterator[Image]:
    """The frames from onset to offset, one after the other; UserError where they are no pictures of one size."""
    side: tuple[int, ...] = ()
    for position in range(clip.onset, clip.offset + 1):
        image = frames[position]
        try:
            check_picture(image)
        except UserError as error:
            raise UserError(f"clip {clip.id}, frame {position}: {error}") from None
        side = side or image.shape[:2]
        if image.shape[:2] != side:
            raise UserError(f"clip {clip.id}: frames {clip.onset} and {position} differ in size; crop them alike")
        yield image


def _strength(flow: Array) -> float:
    """How far the face moved: flow (H, W, 2) -> pixels."""
    u, v = remove_head_motion(flow.transpose(2, 0, 1), "median")
    return float(np.percentile(np.hypot(u, v), 95))


def _boxes(clip: Clip, frames: Frames, onset: Image) -> list[Box]:
    """The three regions in the onset frame; aligned frames know its points already, others are searched for a face."""
    points: Array | None = getattr(frames, "points", None)
    if points is None:
        face = find_face(onset)
        if face is None:
            raise UserError(
                f"clip {clip.id}: no face is found in its onset frame, and dc_rois needs one; choose another rule, "
                "such as --set apex=flow_prior"
            )
        points = face.points
    boxes = region_boxes(points, onset.shape, DC_ROIS)
    return [boxes[name] for name in DC_ROIS]
