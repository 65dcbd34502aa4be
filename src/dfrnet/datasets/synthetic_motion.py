"""How the synthetic faces move: action units as smooth displacement fields, their time course, the head.

A displacement field is a sum of bumps, each a Gaussian around a landmark that carries the skin one way. Fields are
written for where the skin has *arrived*: the skin now seen at y came from y - field(y). So a frame is drawn without
solving anything (:func:`expressed`), and the true flow, which starts where the skin came from, is solved by
iteration (:func:`arrived`), exact to 0.001 pixel.

What each action unit does follows the Facial Action Coding System (Ekman, Friesen and Hager, 2002). ``L`` and ``R``
are the sides of the person, as in FACS: L lies at the right of the picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from dfrnet.datasets.synthetic_face import Floats

EYE_DISTANCE = 36.0  # pixels between the eyes' centres at which the lengths below hold; other faces scale them


class Bump(NamedTuple):
    """A Gaussian of displacement in pixels of the frame: centre, reach sideways, up and down, and the move."""

    x: float
    y: float
    sigma_x: float
    sigma_up: float
    sigma_down: float
    move_x: float
    move_y: float


class Pull(NamedTuple):
    """A bump before it meets a face, for the person's right side (the left of the picture).

    ``anchor`` lists landmarks whose mean is the centre, ``offset`` and ``move`` count outward and down; the reach is
    sideways, up, down. ``middle`` pulls belong to both sides and happen once.
    """

    anchor: tuple[int, ...]
    offset: tuple[float, float]
    reach: tuple[float, float, float]
    move: tuple[float, float]
    middle: bool = False


ACTION_UNITS: dict[str, tuple[Pull, ...]] = {
    "AU1": (Pull((20, 21), (-1, -2), (6, 9, 5), (0.05, -1)),),  # inner brow raised
    "AU2": (Pull((17, 18), (0, -2), (7, 9, 5), (0.1, -1)),),  # outer brow raised
    "AU4": (Pull((20, 21), (0, 0), (7, 8, 5), (-0.65, 0.8)), Pull((18,), (0, 0), (7, 6, 5), (-0.1, 0.4))),  # brows
    "AU5": (Pull((37, 38), (0, -1), (6, 4.5, 3), (0, -0.9)),),  # upper lid raised
    "AU6": (  # cheek raised, lids drawn together
        Pull((40, 41), (2, 9), (10, 7, 8), (0.05, -0.85)),
        Pull((40, 41), (0, 1), (7, 3, 4), (0, -0.5)),
        Pull((36,), (5, 0), (5, 6, 6), (-0.45, 0.05)),
    ),
    "AU7": (Pull((40, 41), (0, 1), (7, 3, 4), (0, -0.8)), Pull((37, 38), (0, -1), (6, 4, 3), (0, 0.4))),  # lids tight
    "AU9": (  # nose wrinkled
        Pull((31,), (1, -2), (6, 9, 5), (0.05, -0.95)),
        Pull((50,), (1, -3), (6, 4, 4), (0.05, -0.5)),
        Pull((21,), (0, 3), (6, 6, 5), (-0.35, 0.5)),
    ),
    "AU10": (Pull((50,), (2, -2), (7, 6, 3.5), (0.05, -0.9)), Pull((31,), (3, 2), (5, 6, 5), (0.1, -0.4))),  # upper lip
    "AU12": (Pull((48,), (1, -1), (9, 9, 7), (0.75, -0.7)), Pull((48,), (6, -13), (9, 8, 8), (0.15, -0.45))),  # smile
    "AU14": (Pull((48,), (1, 0), (7, 6, 6), (0.85, 0.1)), Pull((48,), (9, 1), (5, 7, 7), (-0.55, 0))),  # dimple
    "AU15": (Pull((48,), (0, 1), (7, 6, 8), (0.1, 0.95)),),  # lip corner lowered
    "AU17": (  # chin raised, lower lip pushed up
        Pull((8,), (0, -8), (11, 7, 6), (0, -0.9), middle=True),
        Pull((57,), (0, 0), (11, 4.5, 5), (0, -0.7), middle=True),
    ),
    "AU20": (Pull((48,), (2, 1), (9, 6, 8), (0.95, 0.15)),),  # lips stretched
    "AU24": (  # lips pressed
        Pull((51,), (0, 0), (9, 4, 4), (0, 0.6), middle=True),
        Pull((57,), (0, 0), (9, 4, 4), (0, -0.6), middle=True),
        Pull((48,), (0, 0), (5, 5, 5), (-0.4, 0)),
    ),
}  # fmt: skip

BLINK = Pull((37, 38), (0, 4.5), (7, 6.5, 2.2), (0, 1.1))
"""The upper lid comes down: wide above, so that its skin stretches, short below, so that the eye disappears."""

MIRROR = (*range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38,
          37, 36, 41, 40, 54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65)  # fmt: skip
"""Landmark ``MIRROR[k]`` is landmark k seen in a mirror."""


class Style(NamedTuple):
    """How one person does one pull: size, turn (radians), shift of the centre (pixels outward, down), reach."""

    gain: float = 1.0
    turn: float = 0.0
    out: float = 0.0
    down: float = 0.0
    reach: float = 1.0


def split_side(unit: str) -> tuple[str, str]:
    """``"LAU12"`` -> ``("L", "AU12")``; no side: ``("", "AU12")``."""
    return (unit[0], unit[1:]) if unit[0] in "LR" else ("", unit)


def place(pull: Pull, side: str, landmarks: Floats, style: Style, strength: float) -> Bump:
    """The pull on the ``side`` ("L" or "R") of the face with ``landmarks`` (68, 2)."""
    size = np.hypot(*(landmarks[36:42].mean(0) - landmarks[42:48].mean(0))) / EYE_DISTANCE
    outward = 1 if side == "L" else -1
    anchor = [MIRROR[k] for k in pull.anchor] if side == "L" else list(pull.anchor)
    x, y = landmarks[anchor].mean(0)
    cos, sin = np.cos(style.turn), np.sin(style.turn)
    out, down = pull.move
    move = style.gain * strength * np.array([outward * (cos * out - sin * down), sin * out + cos * down])
    reach = size * style.reach * np.array(pull.reach)
    x += outward * (size * pull.offset[0] + style.out) * (not pull.middle)
    y += size * pull.offset[1] + style.down
    return Bump(*(float(v) for v in (x, y, *reach, *move)))


def field(bumps: Iterable[Bump], points: Floats) -> Floats:
    """Displacement (N, 2) in pixels that arrives at ``points`` (N, 2)."""
    total = np.zeros_like(points)
    for b in bumps:
        dx, dy = points[:, 0] - b.x, points[:, 1] - b.y
        sigma = np.where(dy < 0, b.sigma_up, b.sigma_down)
        weight = np.exp(-0.5 * ((dx / b.sigma_x) ** 2 + (dy / sigma) ** 2))
        total[:, 0] += b.move_x * weight
        total[:, 1] += b.move_y * weight
    return total


def scaled(bumps: Iterable[Bump], amount: float) -> tuple[Bump, ...]:
    """The same bumps with their moves ``amount`` times as long; none where the amount is 0."""
    return tuple(b._replace(move_x=b.move_x * amount, move_y=b.move_y * amount) for b in bumps if amount)


def peak(bumps: tuple[Bump, ...]) -> float:
    """The longest displacement of the field within the frame, in pixels."""
    axis = np.arange(0, 128, 4.0)
    grid = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    centres = np.array([bump[:2] for bump in bumps])  # where the peaks are, unless bumps add up between them
    return float(np.hypot(*field(bumps, np.concatenate([grid, centres])).T).max())


def time_course(time: Floats | float, onset: float, apex: float, offset: float, release: float | None = None) -> Floats:
    """0 up to onset, a smooth rise to 1 at apex, a smooth fall to 0 at offset; all in the same unit.

    With ``release``, it stays at 1 from apex until then.
    """
    release = apex if release is None else release
    rise = np.clip((np.asarray(time, dtype=np.float64) - onset) / (apex - onset), 0, 1)
    fall = np.clip((offset - np.asarray(time)) / (offset - release), 0, 1)
    return np.asarray((rise**2 * (3 - 2 * rise)) * (fall**2 * (3 - 2 * fall)), dtype=np.float64)


class Movement(NamedTuple):
    """Bumps at full strength and when they happen, in frames."""

    bumps: tuple[Bump, ...]
    onset: float
    apex: float
    offset: float

    def at(self, index: float) -> tuple[Bump, ...]:
        """The bumps as strong as they are in frame ``index``."""
        return scaled(self.bumps, float(time_course(index, self.onset, self.apex, self.offset)))


class Head(NamedTuple):
    """Where the head is: shift in pixels, roll in radians, log of its size, turn to the side and up in pixels.

    A turn moves what stands out (the nose) by that many pixels more than the outline of the face.
    """

    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    zoom: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0


UPRIGHT = Head()


def neutral(head: Head, points: Floats) -> Floats:
    """The point of the unmoved head (N, 2) that is now seen at ``points`` (N, 2)."""
    x, y = points[:, 0] - 64 - head.x, points[:, 1] - 70 - head.y
    depth = np.exp(-0.5 * ((x / 30) ** 2 + (y / 36) ** 2)) + 0.35 * np.exp(-0.5 * ((x / 6) ** 2 + (y / 9) ** 2))
    shrink = np.exp(-head.zoom)
    cos, sin = shrink * np.cos(head.roll), shrink * np.sin(head.roll)
    out = np.empty_like(points)
    out[:, 0] = 64 + cos * x + sin * y - head.yaw * depth
    out[:, 1] = 70 - sin * x + cos * y - head.pitch * depth
    return out


def expressed(bumps: tuple[Bump, ...], points: Floats) -> Floats:
    """The point of the resting face (N, 2) whose skin the expression has carried to ``points`` (N, 2)."""
    return points - field(bumps, points) if bumps else points


def arrived(backward: Callable[[Floats], Floats], sources: Floats) -> Floats:
    """Where ``sources`` (N, 2) are now: the points that ``backward`` maps to them.

    Damped iteration. The step keeps it stable where a blink packs the eye into a line (backward grows four-fold).
    """
    points = sources.copy()
    todo: npt.NDArray[np.intp] = np.arange(len(sources))
    for _ in range(200):
        miss = sources[todo] - backward(points[todo])
        points[todo] += 0.4 * miss
        todo = todo[np.abs(miss).max(1) > 1e-4]
        if not len(todo):
            break
    return points
