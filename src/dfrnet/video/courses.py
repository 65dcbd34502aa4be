"""The course of a movement over time: what it looks like, filters that answer to it, and fits that say when it was.

A movement rises from nothing, may stay, and falls back to nothing. All here is sampled every ``STEP`` seconds.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEP = 0.01  # seconds


class Shape(NamedTuple):
    """Seconds of rise, stay and fall."""

    rise: float
    stay: float
    fall: float

    @property
    def length(self) -> float:
        return self.rise + self.stay + self.fall


class Fit(NamedTuple):
    """When a movement was, in seconds from the begin of the curve, and how well that describes the curve.

    ``height`` in the curve's unit; ``unexplained``: what is left of the curve around it, a share of what the movement
    explains; ``return_gap``: how far the curve ends from where it began, a share of the height.
    """

    onset: float
    apex: float
    offset: float
    height: float
    unexplained: float
    return_gap: float


def course(shape: Shape) -> Floats:
    """The movement's samples from onset to offset, 0..1, both ends 0."""
    count = max(2, round(shape.length / STEP))
    time = np.arange(count + 1) * (shape.length / count)
    rise = np.clip(time / shape.rise, 0, 1)
    fall = np.clip((shape.length - time) / shape.fall, 0, 1)
    return np.asarray(0.25 * (1 - np.cos(np.pi * rise)) * (1 - np.cos(np.pi * fall)), np.float64)


@cache
def matched(length: float, stay: float, margin: float) -> Floats:
    """The filter that answers with its height to a movement of ``length`` seconds in its middle.

    ``stay``: the share of the length that is held. It is blind to a constant and to a drift, for which it looks at
    ``margin`` seconds before and after too; 2 n + 1 samples.
    """
    half = length * (1 - stay) / 2
    core = course(Shape(half, length * stay, half))
    pad = round(margin / STEP)
    whole = np.pad(core, (pad, pad + 1 - len(core) % 2))
    line = np.stack([np.ones(len(whole)), np.linspace(-1, 1, len(whole))], 1)
    basis, _ = np.linalg.qr(line)
    blind = whole - basis @ (basis.T @ whole)
    return np.asarray(blind / (blind @ whole), np.float64)


@cache
def banded(length: float, stay: float, margin: float, count: int) -> Floats:
    """The filter as a matrix (count, count + 2 n) that answers at ``count`` middles at once."""
    one = matched(length, stay, margin)
    rows = np.zeros((count, count + len(one) - 1))
    for k in range(count):
        rows[k, k : k + len(one)] = one
    return rows


def best_fit(curve: Floats, shapes: tuple[Shape, ...], margin: float) -> Fit | None:
    """The course of ``shapes``, wherever it lies, that explains most of the curve (n,); None where none rises.

    ``margin`` seconds around it are within the curve.
    """
    edge = round(margin / STEP)
    total = len(curve)
    level = curve - curve.mean()
    best: tuple[float, int, int] | None = None
    for number, core in enumerate(_cores(shapes)):
        if total < len(core) + 2 * edge:
            continue
        power = float(core @ core) - core.sum() ** 2 / total
        meets = np.correlate(level[edge : total - edge], core, "valid")
        at = int(np.argmax(meets))
        gain = float(meets[at]) ** 2 / power
        if meets[at] > 0 and (best is None or gain > best[0]):
            best = gain, number, at + edge
    return _described(curve, shapes[best[1]], _cores(shapes)[best[1]], best[2], edge) if best else None


@cache
def _cores(shapes: tuple[Shape, ...]) -> tuple[Floats, ...]:
    return tuple(course(shape) for shape in shapes)


def _described(curve: Floats, shape: Shape, core: Floats, start: int, edge: int) -> Fit:
    around = curve[start - edge : start + len(core) + edge]
    model = np.pad(core, edge)
    centred, rest = model - model.mean(), around - around.mean()
    height = float(rest @ centred / (centred @ centred))
    left = rest - height * centred
    before, after = around[: edge + 1].mean(), around[-edge - 1 :].mean()
    scale = max(abs(height), 1e-9)
    return Fit(
        start * STEP, start * STEP + shape.rise, start * STEP + shape.length, height,
        float(left @ left / (scale**2 * (centred @ centred))), float(abs(after - before) / scale),
    )  # fmt: skip


MICRO_SHAPES = tuple(
    Shape(round(length * share, 4), 0.0, round(length * (1 - share), 4))
    for length in np.arange(0.04, 0.601, 0.02).round(2).tolist()
    for share in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)
)
MACRO_SHAPES = tuple(
    Shape(rise, round(length - rise - fall, 4), fall)
    for length in (0.45 * 1.12 ** np.arange(18)).round(2).tolist()
    for rise in (0.15, 0.25, 0.4)
    for fall in (0.2, 0.4, 0.7)
    if rise + fall <= length
)
