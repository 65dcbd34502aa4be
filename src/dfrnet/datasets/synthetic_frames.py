"""The frames of a synthetic clip and the truth about them: flow and landmarks, computed when asked for."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.datasets.synthetic_drawing import picture_of, sample
from dfrnet.datasets.synthetic_face import SIZE, Floats, identity_of, landmarks
from dfrnet.datasets.synthetic_motion import UPRIGHT, Head, Movement, arrived, expressed, neutral
from dfrnet.types import Array, Image


@dataclass(frozen=True)
class SyntheticFrames:
    """The frames of one clip, drawn when asked for, uint8 (128, 128, 3) RGB, and the truth about them.

    ``seed`` and ``subject`` name the face. The head stands in ``pose`` and swings by ``sway`` at ``hertz``, each of
    its six numbers from its own point of the swing, ``phase`` (in turns). ``light``: share, hertz and phase of the
    flicker.
    """

    seed: int
    subject: int
    clip: int
    count: int
    fps: float
    expression: Movement
    others: tuple[Movement, ...] = ()
    pose: Head = UPRIGHT
    sway: Head = UPRIGHT
    hertz: float = 1.0
    phase: Head = UPRIGHT
    light: tuple[float, float, float] = (0.0, 0.0, 0.0)
    noise: float = 0.0
    jpeg: int = 0

    @property
    def times(self) -> npt.NDArray[np.float64]:
        """Seconds from the first frame, float64 (len,)."""
        return np.arange(self.count) / self.fps

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int, /) -> Image:
        frame = self.exposed(index)
        if not self.jpeg:
            return frame
        return compressed(frame, self.jpeg)

    def exposed(self, index: int) -> Image:
        """The frame as it leaves the sensor: flicker and noise, before JPEG."""
        index = self._within(index)
        share, hertz, phase = self.light
        frame = self.scene(index) * (1 + share * np.sin(2 * np.pi * (hertz * index / self.fps + phase)))
        if self.noise:
            rng = np.random.default_rng(np.random.SeedSequence([self.seed, self.subject, 5, self.clip, index]))
            # light arrives in grains: the bright half of a picture is the noisier one
            frame = frame + self.noise * np.sqrt(0.4 + frame / 213) * rng.standard_normal(frame.shape)
        return np.asarray(np.clip(np.rint(frame), 0, 255), dtype=np.uint8)

    def scene(self, index: int) -> Floats:
        """What the camera looks at: float64 (128, 128, 3) in 0..255, nothing but motion changes from frame to frame."""
        index = self._within(index)
        source = self._source(index, index, _grid())
        return 255 * sample(picture_of(self.seed, self.subject), source).reshape(SIZE, SIZE, 3)

    def flow(self, index: int) -> Array:
        """True motion from the onset frame to frame ``index``: float32 (2, 128, 128), pixels, u right and v down.

        What is at pixel (x, y) of the onset frame is at (x + u[y, x], y + v[y, x]) of the other one. It includes the
        head, blinks and every other movement. What a closing lid hides has a flow too: under the lid.
        """
        index = self._within(index)
        return self._flow(index, index)

    def expression_flow(self, index: int) -> Array:
        """The same if nothing but the expression had moved since onset: the head and the eyes kept still."""
        return self._flow(self._within(index), int(self.expression.onset))

    def landmarks(self, index: int) -> Array:
        """The 68 points (x, y) of 300-W in frame ``index``, float32 (68, 2); synthetic_face describes their order."""
        index = self._within(index)
        points = landmarks(identity_of(self.seed, self.subject))
        return arrived(lambda p: self._source(index, index, p), points).astype(np.float32)

    def _flow(self, expression: int, rest: int) -> Array:
        grid = _grid()
        onset = int(self.expression.onset)
        now = arrived(lambda p: self._source(expression, rest, p), self._source(onset, onset, grid))
        return (now - grid).T.reshape(2, SIZE, SIZE).astype(np.float32)

    def _source(self, expression: int, rest: int, points: Floats) -> Floats:
        """The points of the neutral face seen at ``points``: expression of one frame, everything else of another."""
        swing = np.sin(2 * np.pi * (self.hertz * rest / self.fps + np.array(self.phase)))
        head = Head(*(np.array(self.pose) + np.array(self.sway) * swing))
        bumps = self.expression.at(expression)
        for movement in self.others:
            bumps += movement.at(rest)
        return expressed(bumps, neutral(head, points))

    def _within(self, index: int) -> int:
        if not -self.count <= index < self.count:
            raise IndexError(f"frame {index} of {self.count}")
        return index % self.count


def compressed(frame: Image, quality: int) -> Image:
    """The picture (H, W, 3) RGB or (H, W) as it comes out of a JPEG of ``quality`` 1..100."""
    _, data = cv2.imencode(".jpg", frame[..., ::-1] if frame.ndim == 3 else frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1] if frame.ndim == 3 else decoded)


def _grid() -> Floats:
    """All pixels (x, y), row by row, float64 (16384, 2)."""
    y, x = np.mgrid[:SIZE, :SIZE]
    return np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)
