"""Frames aligned to the face of the onset frame.

The face is looked for once, in the onset frame. One turn, scale and shift takes its stiff points to where the template
has them, and the same one is then used for every frame of the clip: landmarks shake by more than a micro-expression
moves, and what is not measured anew in each frame cannot shake.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.faces.landmarks import find_face
from dfrnet.faces.stabilise import head_motion
from dfrnet.faces.template import STIFF, TEMPLATE
from dfrnet.frames import grey
from dfrnet.types import Array, Frames, Image, UserError


@dataclass(frozen=True)
class AlignedFrames:
    """Crops (size, size) of ``frames``, uint8 grey, made when asked for.

    ``matrix`` float32 (2, 3) takes a place (x, y, 1) of a frame to its place in the crop, ``points`` float32 (68, 2)
    are the landmarks of frame ``onset`` in the crop; all in pixels. ``first`` is the crop of frame ``onset``, ``shape``
    the (height, width) that every frame must have. With ``stabilise`` the head's motion since the onset is taken back.
    """

    frames: Frames
    matrix: Array
    size: int
    onset: int
    shape: tuple[int, int]
    points: Array = field(repr=False, compare=False)
    first: Image = field(repr=False, compare=False)
    stabilise: bool = False

    @property
    def times(self) -> npt.NDArray[np.float64]:
        return self.frames.times

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int, /) -> Image:
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        if index == self.onset:
            return self.first.copy()
        frame = grey(self.frames[index])
        if frame.shape != self.shape:
            raise UserError(
                f"the frame at position {index} is {_size(frame.shape)} pixels and the onset frame, at position "
                f"{self.onset}, {_size(self.shape)}; all frames of a clip must be of one size"
            )
        crop = warp(frame, self.matrix, self.size)
        if not self.stabilise:
            return crop
        # Warped anew from the frame, so that nothing is interpolated twice.
        back = _inverse(head_motion(self.first, crop))
        return warp(frame, _chain(self.matrix, back), self.size)


def align_frames(
    frames: Frames, onset: int, size: int, *, landmarks: str = "mediapipe", stabilise: bool = False
) -> AlignedFrames:
    """The frames cropped to the face that is found in frame ``onset``; UserError where there is none."""
    image = frames[onset]
    face = find_face(image, landmarks)
    if face is None:
        raise UserError(
            f"no face found in its onset frame (position {onset}) by {landmarks}; look at the picture, or use "
            "align=none if it is already cropped"
        )
    matrix = similarity(face.points[list(STIFF)], TEMPLATE[list(STIFF)] * size - 0.5).astype(np.float32)
    plane = grey(image)
    return AlignedFrames(
        frames, matrix, size, onset % len(frames), (plane.shape[0], plane.shape[1]),
        points=(face.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32),
        first=warp(plane, matrix, size), stabilise=stabilise,
    )  # fmt: skip


def similarity(source: Array, target: Array) -> npt.NDArray[np.float64]:
    """The turn, scale and shift (2, 3) that takes points ``source`` (N, 2) nearest to ``target`` (N, 2).

    Least squares in closed form (Umeyama, 1991). In the plane his singular value decomposition comes down to the two
    sums below, and no mirror image can come out.
    """
    start, end = source.astype(np.float64), target.astype(np.float64)
    out, onto = start - start.mean(0), end - end.mean(0)
    spread = np.square(out).sum()
    cos = (out * onto).sum() / spread
    sin = (out[:, 0] * onto[:, 1] - out[:, 1] * onto[:, 0]).sum() / spread
    turn = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([turn, end.mean(0) - turn @ start.mean(0)])


def warp(image: Image, matrix: npt.ArrayLike, size: int) -> Image:
    """The crop (size, size) of a grey picture; ``matrix`` (2, 3) takes its places to those of the crop.

    Where the face is larger than the crop, it is drawn larger by a whole number first and then averaged: plain
    interpolation would skip pixels, and fine texture would change from frame to frame as it moves.
    """
    onto = np.asarray(matrix, np.float64)
    shrink = 1 / np.hypot(onto[0, 0], onto[1, 0])
    times = max(1, int(np.ceil(shrink - 0.01)))
    larger = np.column_stack([onto[:, :2] * times, onto[:, 2] * times + (times - 1) / 2])
    drawn = cv2.warpAffine(
        image, larger, (size * times, size * times),
        flags=cv2.INTER_LINEAR if times > 1 else cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    return np.asarray(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_AREA) if times > 1 else drawn, np.uint8)


def _chain(first: npt.ArrayLike, second: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """One matrix (2, 3) that does ``first`` and then ``second``."""
    one, two = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return np.column_stack([two[:, :2] @ one[:, :2], two[:, :2] @ one[:, 2] + two[:, 2]])


def _inverse(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    back = np.linalg.inv(matrix[:, :2])
    return np.column_stack([back, -back @ matrix[:, 2]])


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
