"""Frames -> Features. ``extract`` is the only way in, for training and for video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from dfrnet.faces import LANDMARKERS, AlignedFrames, align_frames
from dfrnet.features.apex import APEX
from dfrnet.features.flow import FLOWS
from dfrnet.features.maps import CENTRES, MAPS, SCALES, Movement, remove_head_motion
from dfrnet.features.tiles import TILES, corner_points
from dfrnet.frames import check_picture, grey, grey_square, read_image
from dfrnet.types import Array, Clip, Features, Frames, Image, UserError, unknown_name

FLOW_MAPS = ("u", "v", "strain")

ALIGNS = ("auto", "none", "face")
"""``face``: frames are turned, scaled and cropped to the face, see :mod:`dfrnet.faces`; ``none``: they are taken as
they are; ``auto``: aligned where the clip's data set shows more than a cropped face (``Clip.cropped``)."""


@dataclass(frozen=True)
class FeatureSpec:
    """How features are made; hashable, and written into every run record and model file.

    ``maps`` names in MAPS, in the order of the channels; ``size`` side of the square maps in pixels; ``frame_size``
    side to which frames are brought before flow is computed (flow is in its pixels); ``flow`` in FLOWS; ``apex`` in
    APEX; ``centre`` in CENTRES, what is taken off the flow as head motion; ``scale`` in SCALES. ``align`` in ALIGNS,
    with the points of ``landmarks`` (in LANDMARKERS), which tiles and patches go by too; ``stabilise`` moves the
    aligned later frames by the fraction of a pixel that brings the still parts of the face back to where they were at
    the onset. ``tiles`` in TILES: how the finished maps are cut and laid together, around points of the face in the
    apex frame where one is found.
    """

    maps: tuple[str, ...] = FLOW_MAPS
    size: int = 28
    frame_size: int = 128
    flow: str = "dis"
    apex: str = "auto"
    centre: str = "median"
    scale: str = "clip"
    align: str = "auto"
    landmarks: str = "mediapipe"
    stabilise: bool = False
    tiles: str = "none"

    def __post_init__(self) -> None:
        fields: tuple[tuple[str, Iterable[str], Iterable[str]], ...] = (
            ("map", self.maps, MAPS),
            ("flow", [self.flow], FLOWS),
            ("apex", [self.apex], APEX),
            ("centre", [self.centre], CENTRES),
            ("scale", [self.scale], SCALES),
            ("align", [self.align], ALIGNS),
            ("landmarks", [self.landmarks], LANDMARKERS),
            ("tiles", [self.tiles], TILES),
        )
        for kind, names, known in fields:
            for name in names:
                if name not in known:
                    raise unknown_name(kind, name, known)
        if not self.maps:
            raise UserError(f"maps: name at least one of {', '.join(MAPS)}")
        if len(set(self.maps)) < len(self.maps):
            raise UserError(f"maps={','.join(self.maps)}: each map at most once")
        for name, least in (("size", 7), ("frame_size", 16)):
            if not least <= getattr(self, name) <= 1024:
                raise UserError(f"{name}={getattr(self, name)}: it must lie in {least}..1024")
        if self.tiles != "none" and self.size % 2:
            raise UserError(f"size={self.size}: tiles={self.tiles} needs an even number")


def extract(frames: Frames, spec: FeatureSpec, onset: int, apex: int, offset: int | None = None) -> Features:
    """The maps of one movement from frame ``onset`` to frame ``apex``; few maps look on to ``offset``, else the apex.

    Frames are aligned to the face with ``align="face"`` and otherwise taken as they are, turned grey and resized to
    ``spec.frame_size``; the maps come out (C, size, size) float32 in the order of ``spec.maps``. With ``scale="none"``
    u and v are in pixels of ``frame_size``. UserError for positions out of order or out of range, for frames that are
    not uint8 pictures of one size, and where a face is wanted and none is found.
    """
    offset = apex if offset is None else offset
    if not 0 <= onset <= apex <= offset < len(frames):
        raise UserError(
            f"onset {onset}, apex {apex} and offset {offset} must be in order and within the {len(frames)} frames"
        )
    if spec.align == "face":
        frames = _aligned(frames, spec, onset)
    pair = frames[onset], frames[apex]
    _check_pair(*pair)
    first, second = (grey_square(image, spec.frame_size) for image in pair)
    movement = Movement(first, second, FLOWS[spec.flow], spec.centre, frames, (onset, apex, offset), spec.landmarks)
    points = None if spec.tiles == "none" else corner_points(pair[1], spec.landmarks)
    return _finish({name: MAPS[name](movement) for name in spec.maps}, spec, points)


def clip_features(clip: Clip, spec: FeatureSpec) -> Features:
    """Features of one clip: from its frames, or from the maps it came with; every UserError names the clip."""
    try:
        if len(clip.frames):
            frames, spec = clip_frames(clip, spec)
            return extract(frames, spec, clip.onset, APEX[spec.apex](clip, frames), clip.offset)
        return _ready_features(clip, spec)
    except UserError as error:
        if clip.id in str(error):
            raise
        raise UserError(f"clip {clip.id}: {error}") from None


def clip_frames(clip: Clip, spec: FeatureSpec) -> tuple[Frames, FeatureSpec]:
    """The clip's frames as the spec wants them, aligned or as they are, and the spec for what is still to be done."""
    align = spec.align if spec.align != "auto" else "none" if clip.cropped else "face"
    frames = clip.frames if align == "none" else _aligned(clip.frames, spec, clip.onset)
    return frames, replace(spec, align="none")


def _aligned(frames: Frames, spec: FeatureSpec, onset: int) -> AlignedFrames:
    return align_frames(frames, onset, spec.frame_size, landmarks=spec.landmarks, stabilise=spec.stabilise)


def _ready_features(clip: Clip, spec: FeatureSpec) -> Features:
    missing = [name for name in spec.maps if name not in clip.maps]
    if missing:
        raise UserError(
            f"clip {clip.id}: it has no frames, and its ready-made maps ({', '.join(clip.maps)}) lack "
            f"{', '.join(missing)}; choose inputs that it has, such as --set inputs=flow"
        )
    maps = {name: _ready_map(clip, name) for name in spec.maps}
    # Such maps are 8-bit pictures, each stretched to its own minimum and maximum, so that their zero is lost: most of
    # a face stands still, so the median is it. Strain is zero at its minimum already.
    for name in ("u", "v"):
        if name in maps:
            maps[name] = remove_head_motion(maps[name], spec.centre)
    return _finish(maps, spec)


def fitted_spec(clips: Sequence[Clip], spec: FeatureSpec) -> FeatureSpec:
    """The spec, its size not above that of ready-made maps: enlarging 28x28 maps adds nothing but work."""
    ready = next((clip for clip in clips if not len(clip.frames) and "u" in clip.maps), None)
    if ready is None:
        return spec
    return replace(spec, size=min(spec.size, min(read_image(ready.maps["u"].path).shape[:2])))


def _check_pair(first: Image, second: Image) -> None:
    check_picture(first)
    check_picture(second)
    if first.shape[:2] != second.shape[:2]:
        raise UserError(
            f"onset and apex frame differ in size, {first.shape[:2]} and {second.shape[:2]}; crop them alike"
        )


def _ready_map(clip: Clip, name: str) -> Array:
    file = clip.maps[name]
    image = read_image(file.path)
    if file.channel is None:
        plane = grey(image)
    elif image.ndim != 3:
        raise UserError(f"{file.path}: clip {clip.id} needs its u, v and strain in red, green and blue; it is grey")
    else:
        plane = image[..., file.channel]
    return np.asarray(plane, np.float32) / np.float32(255)


def _finish(maps: Mapping[str, Array], spec: FeatureSpec, points: Array | None = None) -> Features:
    """Bring maps to ``spec.size``, scale and tile them: the last step for frames and for ready-made maps alike."""
    side = (spec.size, spec.size)
    resized = {
        name: cv2.resize(value, side, interpolation=cv2.INTER_AREA) if value.shape != side else value
        for name, value in maps.items()
    }
    scaled = SCALES[spec.scale]({name: np.asarray(value, np.float32) for name, value in resized.items()})
    tiled = [TILES[spec.tiles](scaled[name], points) for name in spec.maps]
    return Features(np.stack(tiled, dtype=np.float32), spec.maps)
