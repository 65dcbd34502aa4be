"""How the parts of one face move from frame to frame, the head's own motion taken away.

Landmarks shake by half a pixel, as much as a micro-expression moves. So they only say where the face is when a stretch
of the recording begins. From there on the picture itself is followed: a crop of the first frame is the reference, every
later crop is compared with it (never with the frame before, whose small errors would add up), and each of some thirty
places of the face gets one displacement, the least-squares solution of brightness constancy in its surroundings (Lucas
and Kanade, 1981), started from where the place was in the last frame. A turn, shift, zoom and turning of the head that
most places agree on, in a robust fit, is the head's; what is left is the face's. The reference is renewed now and then,
with the displacements tied across.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from dfrnet.faces.align import similarity
from dfrnet.faces.template import STIFF, TEMPLATE
from dfrnet.types import Array, Image
from dfrnet.video.places import EVERY, REACH, REGIONS, STIFFNESS, places_of

Floats = npt.NDArray[np.float64]

SIDE = 128  # pixels of the aligned crop, in which all displacements are measured
COARSE = 32  # the side at which windows are summed and the head is looked for first


CENTRE = np.array([63.5, 70.0])  # pixels of the crop: the middle of the face
CELL = SIDE // COARSE
SMALL_AXIS = (np.arange(COARSE) + 0.5) * CELL - 0.5  # where the cells are, pixels of the crop
SMALL_X, SMALL_Y = np.meshgrid(SMALL_AXIS - CENTRE[0], SMALL_AXIS - CENTRE[1])
SMALL_FACE = np.square(SMALL_X / 40) + np.square(SMALL_Y / 50) < 1
FACE = np.s_[24:112, 32:96]  # rows and columns that are face
SPREAD = 1.5  # a displacement is carried this much farther than it is looked for
BLUR = 1.0  # pixels
RIDGE = 0.3  # (grey levels a pixel) squared: a place without texture stays where it is
LEAST_VARIANCE = 4.0  # grey levels squared
LEAPS, LEAP = 3, 0.7  # crops at most before the head's leap is below so many pixels
STILL = 0.2  # pixels: nothing is carried below that
MOST_STEP = 1.5  # pixels in one step of the search
ENOUGH = 0.3  # pixels: no further step
DOUBT = 0.05  # the unexplained share at which a place counts half for the head
FITS = 4  # of the weights, for the head
OPENS, CLOSES = 0.1, 1.0  # seconds in which the usual opening of the eyes follows them: what lasts is no blink
HEAD_RIDGE = np.diag([1e-6, 1e-6, 1e-3, 1e-3, 0.05, 0.05])
CALM = 0.25  # pixels a frame, and share of a blink, below which the reference may be renewed


@dataclass(frozen=True)
class Motion:
    """One face in one frame.

    ``displacement`` float32 (R, 2): of each of REGIONS since the beginning of the stretch, pixels of the aligned
    128 x 128 face, x to the right and y down, the head's motion taken away. ``unexplained`` float32 (R,): share of each
    region's variance that its motion leaves, 0..1 and more: a hand, or teeth, are no skin that moved. ``blink`` 0 (eyes
    as open as they usually are) to 1. ``begins``: a new stretch begins here, and displacements before and after cannot
    be compared.
    """

    time: float
    displacement: Array
    unexplained: Array
    blink: float
    begins: bool


@dataclass(frozen=True)
class MotionSettings:
    """``renew``: seconds after which the reference is renewed while the face is still, ``latest`` even if it is not.
    ``turned``: pixels by which the nose may run ahead before that. ``unexplained``: the share above which the picture
    is not the reference's any more, taken over all places. ``astray``: distance of the followed face from its
    landmarks, a share of the distance of the eyes, above which it is lost. ``steps``: of the search, in one frame.
    """

    renew: float = 2.0
    latest: float = 5.0
    turned: float = 2.5
    unexplained: float = 0.5
    astray: float = 0.15
    steps: int = 3


class FaceMotion:
    """Follows one face. ``update`` takes the frames in order; ``points`` (68, 2) may be those of a frame just before.

    ``reset`` when the face was lost: the next frame begins a new stretch.
    """

    def __init__(self, settings: MotionSettings | None = None) -> None:
        self.settings = settings or MotionSettings()
        self.reset()

    def reset(self) -> None:
        self._reference: _Reference | None = None
        self._time = self._since = self._open = 0.0
        self._matrix, self._moved = np.eye(2, 3), np.zeros((len(EVERY), 2))
        self._tied = np.zeros((len(EVERY), 2))

    def update(self, time: float, grey: Image, points: Array) -> Motion:
        """``time`` in seconds, ``grey`` uint8 (H, W), ``points`` in its pixels."""
        if self._reference is None or self._astray(points):
            return self._begin(time, grey, points)
        reference, elapsed = self._reference, max(time - self._time, 1e-3)
        crop, matrix = followed(reference, grey, self._matrix)
        moved, left = displacements(reference, crop, self._moved, self.settings.steps)
        head = head_motion(reference.model, moved, STIFFNESS / (1 + np.square(left / DOUBT)))
        own = moved - (reference.model @ head).reshape(-1, 2)
        motion = Motion(
            time, (self._tied + own)[: len(REGIONS)].astype(np.float32), left[: len(REGIONS)].astype(np.float32),
            self._blink(crop, elapsed), False,
        )  # fmt: skip
        calm = np.abs(moved - self._moved).max() < CALM and motion.blink < CALM
        self._time, self._matrix = time, matrix
        if self._is_old(time, head, float(np.median(left)), bool(calm)):
            self._renew(time, crop, own)
        else:
            self._matrix, self._moved = _taken_back(reference.places, moved, head, matrix)
        return motion

    def _begin(self, time: float, grey: Image, points: Array) -> Motion:
        self._matrix = similarity(points[list(STIFF)], TEMPLATE[list(STIFF)] * SIDE - 0.5)
        around = points @ self._matrix[:, :2].T + self._matrix[:, 2]
        self._places = places_of(around)
        self._eyes = (around[36:42].mean(0), around[42:48].mean(0))
        self._stiff = around[list(STIFF)]
        self._tied = np.zeros((len(EVERY), 2))
        crop = cropped(grey, self._matrix)
        self._time, self._open = time, 0.0
        self._renew(time, crop, np.zeros((len(EVERY), 2)))
        self._blink(crop, 0.0)
        still, explained = np.zeros((len(REGIONS), 2), np.float32), np.zeros(len(REGIONS), np.float32)
        return Motion(time, still, explained, 0.0, True)

    def _renew(self, time: float, crop: Array, own: Floats) -> None:
        self._reference, self._since = _Reference(crop, self._places), time
        self._tied = self._tied + own
        self._moved = np.zeros((len(EVERY), 2))

    def _is_old(self, time: float, head: Floats, residual: float, calm: bool) -> bool:
        settings, age = self.settings, time - self._since
        if (age > settings.renew and calm) or age > settings.latest:
            return True
        return residual > settings.unexplained or float(np.abs(head[4:]).max()) > settings.turned

    def _astray(self, points: Array) -> bool:
        """Whether the stiff landmarks lie elsewhere than they did in the crop."""
        now = points[list(STIFF)] @ self._matrix[:, :2].T + self._matrix[:, 2]
        eyes = np.hypot(*(self._stiff[2] - self._stiff[5]))
        return bool(np.hypot(*(now - self._stiff).T).mean() > self.settings.astray * eyes)

    def _blink(self, crop: Array, elapsed: float) -> float:
        """An iris has upright edges and a lid has none: what is missing of those that the eyes usually show."""
        edges = float(np.mean([_edges(crop, eye) for eye in self._eyes]))
        slow = elapsed / (OPENS if edges > self._open else CLOSES) if self._open else 1.0
        self._open += min(slow, 1.0) * (edges - self._open)
        return float(np.clip(1 - edges / max(self._open, 0.5), 0, 1))


class _Reference:
    """The crop that later ones are compared with, and what of it can be computed once."""

    def __init__(self, crop: Array, places: Floats) -> None:
        self.crop, self.places = crop, places
        self.model = head_model(places)
        self.level = float(crop[FACE].mean())
        self.right, self.down = _slopes(crop)
        self.windows = _windows(places, REACH)
        blend = _windows(places, REACH * SPREAD)
        self.blend = blend / (blend.sum(0) + 0.02 * blend.max())
        right, down = self.right, self.down
        xx, xy, yy, x, y, square, mean = self.sums(right**2, right * down, down**2, right, down, crop**2, crop)
        self.slopes = np.stack([x, y], -1)
        normal = np.stack([np.stack([xx - x * x, xy - x * y], -1), np.stack([xy - x * y, yy - y * y], -1)], -2)
        self.inverse = np.linalg.inv(normal + RIDGE * np.eye(2))
        self.variance = np.maximum(square - mean**2, LEAST_VARIANCE)
        self.small = _small(crop)
        slopes = np.stack(_slopes(self.small)) / CELL  # grey levels a pixel of the large crop
        turning = slopes[1] * SMALL_X - slopes[0] * SMALL_Y
        self.changes = np.stack([*slopes, turning, np.ones_like(turning), self.small])[:, SMALL_FACE]
        self.normal = np.einsum("kn,ln->kl", self.changes, self.changes) + 1e-3 * np.eye(5)

    def sums(self, *images: Array) -> Floats:
        """The mean of each picture (128, 128) in each window: (pictures, P)."""
        small = np.stack([_small(image).ravel() for image in images])
        return np.asarray(np.einsum("kn,pn->kp", small, self.windows), np.float64)


def followed(reference: _Reference, grey: Image, matrix: Floats) -> tuple[Array, Floats]:
    """The crop of the frame and its matrix (2, 3): ``matrix``, that of the last frame, after the head's leap since."""
    for _ in range(LEAPS):
        crop = cropped(grey, matrix)
        crop *= reference.level / max(float(crop[FACE].mean()), 1.0)
        leap = np.zeros(3)
        small = _small(crop)
        for _ in range(2):
            moved = _shifted(small, leap) if leap.any() else small
            difference = (reference.small - moved)[SMALL_FACE]
            leap += np.linalg.solve(reference.normal, np.einsum("kn,n->k", reference.changes, difference))[:3]
        if np.hypot(*leap[:2]) < LEAP and abs(leap[2]) < LEAP / 40:
            break
        matrix = _undone(matrix, np.array([leap[0], leap[1], 0.0, leap[2]]))
    return crop, matrix


def displacements(reference: _Reference, crop: Array, start: Floats, steps: int) -> tuple[Floats, Floats]:
    """How far each place (P, 2) has gone in ``crop``, searched from ``start`` on, and its unexplained share (P,)."""
    moved = start
    for _ in range(steps):
        field = np.zeros((2, COARSE * COARSE))
        seen = crop
        if np.abs(moved).max() > STILL:
            field = np.einsum("pn,pk->kn", reference.blend, moved)
            seen = _carried(crop, field.astype(np.float32))
        left = reference.crop - seen
        right, down, mean, square = reference.sums(reference.right * left, reference.down * left, left, left * left)
        change = np.stack([right, down], -1) - reference.slopes * mean[:, None]
        step = np.einsum("pij,pj->pi", reference.inverse, change)
        before = np.einsum("kn,pn->pk", field, reference.windows)
        moved = before + np.clip(step, -MOST_STEP, MOST_STEP)
        if np.abs(step).max() < ENOUGH:
            break
    return moved, (square - mean**2) / reference.variance


def head_motion(model: Floats, moved: Floats, trust: Floats) -> Floats:
    """What most of the displacements ``moved`` (P, 2) agree on: shift (2), zoom, roll (radians), turn aside and up.

    Shifts and turns in pixels; a turn is what the middle of the face moves more than its outline. Weighted least
    squares; a place counts by its ``trust`` (P,), and the less the worse it is explained (Cauchy's weights).
    ``model`` is that of :func:`head_model`.
    """
    weights, goal = trust, moved.ravel()
    for _ in range(FITS):
        weighted = (model * np.repeat(weights, 2)[:, None]).T
        head = np.linalg.solve(weighted @ model + HEAD_RIDGE, weighted @ goal)
        left = np.square(goal - model @ head).reshape(-1, 2).sum(1)
        scale = 1.5 * np.sqrt(np.partition(left, len(left) // 2)[len(left) // 2]) + 0.03
        weights = trust / (1 + left / scale**2)
    return np.asarray(head, np.float64)


def cropped(grey: Image, matrix: Floats) -> Array:
    """The aligned face, float32 (128, 128), lightly blurred: slopes of grey levels must reach as far as a step does.

    A face that is larger in the frame is drawn larger first and then averaged, so that no texture is skipped.
    """
    times = max(1, round(1 / float(np.hypot(matrix[0, 0], matrix[1, 0])) - 0.2))
    larger = np.column_stack([matrix[:, :2] * times, matrix[:, 2] * times + (times - 1) / 2])
    drawn = cv2.warpAffine(
        grey, larger, (SIDE * times, SIDE * times), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    small = cv2.resize(drawn, (SIDE, SIDE), interpolation=cv2.INTER_AREA) if times > 1 else drawn
    return np.asarray(cv2.GaussianBlur(small.astype(np.float32), (5, 5), BLUR), np.float32)


def _windows(places: Floats, reach: Floats) -> Floats:
    """The weight of every cell (P, 32 * 32) for each place; they add up to 1 in each window."""
    x = np.exp(-0.5 * ((SMALL_AXIS - places[:, :1]) / reach[:, :1]) ** 2)
    y = np.exp(-0.5 * ((SMALL_AXIS - places[:, 1:]) / reach[:, 1:]) ** 2)
    window = np.einsum("py,px->pyx", y, x).reshape(len(places), -1) + 1e-9
    return np.asarray(window / window.sum(1, keepdims=True), np.float32)


def head_model(places: Floats) -> Floats:
    """The displacement (P * 2, 6) of each place (x, y, x, y ...) for one unit of each part of the head's motion."""
    x, y = (places - CENTRE).T
    # A head is about an egg of which the nose stands out.
    depth = np.sqrt(np.clip(1 - (x / 52) ** 2 - (y / 66) ** 2, 0.02, None))
    depth += 0.35 * np.exp(-0.5 * ((x / 7) ** 2 + ((y - 12) / 10) ** 2))
    one, none = np.ones_like(x), np.zeros_like(x)
    parts = [one, none, x, -y, depth, none], [none, one, y, x, none, depth]
    return np.asarray(np.stack([np.stack(part, -1) for part in parts], 1).reshape(-1, 6), np.float64)


def _undone(matrix: Floats, motion: Floats) -> Floats:
    """``matrix`` (2, 3) followed by the reverse of a head's shift, zoom and roll."""
    shift, zoom, roll = motion[:2], motion[2], motion[3]
    turn = np.array([[1 + zoom, -roll], [roll, 1 + zoom]])
    back = np.linalg.inv(turn)
    offset = CENTRE - back @ (CENTRE + shift)
    return np.column_stack([back @ matrix[:, :2], back @ matrix[:, 2] + offset])


def _taken_back(places: Floats, moved: Floats, head: Floats, matrix: Floats) -> tuple[Floats, Floats]:
    """The matrix with which the next crop is made, which follows the head, and what is then left of ``moved``."""
    turn = np.array([[1 + head[2], -head[3]], [head[3], 1 + head[2]]])
    there = places + moved - CENTRE - head[:2]
    return _undone(matrix, head[:4]), np.linalg.solve(turn, there.T).T + CENTRE - places


def _slopes(image: Array) -> tuple[Array, Array]:
    """Grey levels a pixel, to the right and down."""
    right = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(right, np.float32), np.asarray(down, np.float32)


def _small(image: Array) -> Array:
    return np.asarray(cv2.resize(image, (COARSE, COARSE), interpolation=cv2.INTER_AREA), np.float32)


def _shifted(small: Array, leap: Floats) -> Array:
    """The small crop with a leap (shift in pixels of the large one, roll) taken back."""
    cos, sin, middle = np.cos(leap[2]), np.sin(leap[2]), (COARSE - 1) / 2
    turn = np.array([[cos, -sin], [sin, cos]])
    offset = middle - turn @ np.full(2, middle) + leap[:2] / CELL
    return np.asarray(
        cv2.warpAffine(
            small, np.column_stack([turn, offset]), (COARSE, COARSE),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE,
        ),
        np.float32,
    )  # fmt: skip


def _carried(crop: Array, field: Array) -> Array:
    """The crop with a displacement (2, 32 * 32) taken back."""
    grid = _grid()
    x, y = (cv2.resize(f.reshape(COARSE, COARSE), (SIDE, SIDE)) + g for f, g in zip(field, grid, strict=True))
    return np.asarray(cv2.remap(crop, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)


@lru_cache(maxsize=1)
def _grid() -> tuple[Array, Array]:
    axis = np.arange(SIDE, dtype=np.float32)
    x, y = np.meshgrid(axis, axis)
    return x, y


def _edges(crop: Array, eye: Floats) -> float:
    """Mean slope to the right, grey levels a pixel, in the upper half of the eye whose middle is given.

    The half that a closing lid covers first; lids that are drawn together by an expression leave it nearly as it is.
    """
    x, y = np.clip(np.rint(eye).astype(int), 8, SIDE - 9)
    box = crop[y - 5 : y + 1, x - 6 : x + 7]
    return float(np.abs(np.diff(box, axis=1)).mean())
