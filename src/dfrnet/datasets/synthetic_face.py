"""Who the synthetic subjects are: an identity from a seed, the shapes of its features, its 68 landmarks.

Coordinates are pixels of the 128 x 128 frame, x to the right and y down, (0, 0) the centre of the first pixel.

Landmarks follow the 68 points of iBUG 300-W (Sagonas et al., 2013), counted from 0 and from the left of the picture,
which is the person's right: jaw 0-16, brows 17-21 and 22-26, nose bridge 27-30 and base 31-35, eyes 36-41 and 42-47
(outer or inner corner first, then clockwise), outer lips 48-59, inner lips 60-67.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

SIZE = 128
SKIN_TONES = ((242, 206, 184), (228, 182, 150), (206, 154, 120), (168, 118, 86), (122, 82, 60), (88, 58, 44))
HAIR_TONES = ((22, 18, 18), (44, 32, 26), (78, 52, 34), (128, 92, 56), (176, 142, 96), (120, 62, 38), (150, 148, 146))
IRIS_TONES = ((48, 30, 20), (84, 54, 30), (104, 96, 58), (88, 118, 96), (88, 120, 152))


@dataclass(frozen=True)
class Identity:
    """What makes one face; lengths in pixels of the frame, angles in radians, the rest in 0..1 unless said."""

    half_width: float
    chin: float
    squareness: float
    taper: float
    crown: float
    eye_y: float
    eye_apart: float
    eye_width: float
    eye_open: float
    eye_tilt: float
    brow_lift: float
    brow_arch: float
    brow_tilt: float
    brow_thick: float
    nose_length: float
    nose_width: float
    nose_hump: float
    mouth_drop: float
    mouth_width: float
    lip_upper: float
    lip_lower: float
    mouth_bend: float
    cheeks: float
    skin: float
    ruddy: float
    freckles: float
    age: float
    lips_red: float
    beard: float
    moustache: float
    hair: int
    hairline: float
    hair_peak: float
    hair_long: float
    iris: int
    light: tuple[float, float]
    contrast: float
    backdrop: tuple[float, float, float]


def draw_identity(rng: np.random.Generator) -> Identity:
    """One person; about half of them can have a beard, the other half paint their lips."""
    u = rng.uniform
    bearded = u() < 0.5
    beard, moustache = (u(-0.6, 0.8), u(-0.6, 0.9)) if bearded else (0.0, 0.0)
    skin = u(0, 4.3)
    dark = skin > 2.4  # fair hair and blue eyes on dark skin are rare
    return Identity(
        half_width=u(43, 50), chin=u(113, 122), squareness=u(0.70, 0.95), taper=u(0.02, 0.2), crown=u(-12, -2),
        eye_y=u(50, 55), eye_apart=u(16.5, 19.5), eye_width=u(7.0, 8.8), eye_open=u(0.75, 1.3), eye_tilt=u(-0.10, 0.16),
        brow_lift=u(9.5, 13), brow_arch=u(0.8, 3.6), brow_tilt=u(-0.12, 0.12), brow_thick=u(1.1, 2.4),
        nose_length=u(23, 29), nose_width=u(7.5, 11), nose_hump=u(0.6, 1.4),
        mouth_drop=u(12.5, 16), mouth_width=u(13.5, 18.5), lip_upper=u(2.0, 4.4), lip_lower=u(3.0, 5.8),
        mouth_bend=u(-1.2, 1.6), cheeks=u(0.4, 1.5),
        skin=skin, ruddy=u(0, 1), freckles=max(0.0, u(-1, 1)), age=u(0, 1) ** 1.5,
        lips_red=u(0.0, 0.35) if bearded else u(0.2, 1.0), beard=max(0.0, beard), moustache=max(0.0, moustache),
        hair=int(rng.integers(3 if dark else len(HAIR_TONES))), hairline=u(12, 27), hair_peak=u(-6, 8),
        hair_long=0.0 if bearded else max(0.0, u(-0.5, 1)),
        iris=int(rng.integers(2 if dark else len(IRIS_TONES))), light=(u(-0.75, 0.75), u(-0.8, -0.2)),
        contrast=u(0.5, 0.95), backdrop=(u(0.25, 0.75), u(-0.05, 0.05), u(-0.05, 0.05)),
    )  # fmt: skip


def landmarks(face: Identity) -> Floats:
    """The 68 points of the neutral face, float64 (68, 2)."""
    a = np.pi * np.arange(17) / 16
    ear = face.eye_y + 2
    across = np.sign(np.cos(a)) * np.abs(np.cos(a)) ** face.squareness
    across = across * (1 - face.taper * np.sin(a) ** 2)
    jaw = np.stack([64 - face.half_width * across, ear + (face.chin - ear) * np.sin(a)], 1)
    s = np.linspace(-1, 1, 5)
    arch = face.brow_arch * (1 - (s + 0.25) ** 2)
    brow = np.stack([64 - face.eye_apart + 11 * s, face.eye_y - face.brow_lift - arch + 11 * face.brow_tilt * s], 1)
    tip = face.eye_y + face.nose_length
    bridge = np.stack([np.full(4, 64.0), np.linspace(face.eye_y, tip - 4, 4)], 1)
    t = np.linspace(-1, 1, 5)
    base = np.stack([64 + face.nose_width * 0.8 * t, tip + 2 - 2 * np.abs(t) ** 2], 1)
    eye = eye_frame(face, np.array([-1, -1 / 3, 1 / 3, 1, 1 / 3, -1 / 3]), np.array([0, 1, 1, 0, -1, -1]))
    return np.concatenate([jaw, brow, _mirror(brow)[::-1], bridge, base, eye, _mirror(eye)[[3, 2, 1, 0, 5, 4]],
                           _lip_points(face)])  # fmt: skip


def eye_frame(face: Identity, s: Floats, lid: npt.NDArray[np.int_]) -> Floats:
    """Points (N, 2) of the picture's left eye: ``s`` -1..1 from outer to inner corner, ``lid`` 1 upper, -1 lower."""
    upper, lower = lids(face, s)
    v = np.where(lid > 0, upper, np.where(lid < 0, lower, 0.0))
    u = s * face.eye_width
    cos, sin = np.cos(face.eye_tilt), np.sin(face.eye_tilt)
    return np.stack([64 - face.eye_apart + cos * u - sin * v, face.eye_y + sin * u + cos * v], -1)


def lids(face: Identity, s: Floats) -> tuple[Floats, Floats]:
    """Heights of the upper and the lower lid's edge over the line through the corners, at s in -1..1; y down."""
    bow = np.clip(1 - s**2, 0, 1)
    return -3.6 * face.eye_open * bow**0.7 * (1 + 0.1 * s), 2.4 * face.eye_open**0.5 * bow * (1 - 0.12 * s)


def lips(face: Identity, s: Floats) -> tuple[Floats, Floats, Floats]:
    """Height of the upper edge, of the line between the lips and of the lower edge at s in -1..1 across the mouth."""
    bow = np.clip(1 - s**2, 0, 1)
    line = tip_y(face) + face.mouth_drop + face.mouth_bend * bow + 0.5 * np.exp(-((s / 0.25) ** 2))
    cupid = 1 + 0.16 * np.exp(-(((np.abs(s) - 0.26) / 0.16) ** 2)) - 0.16 * np.exp(-((s / 0.14) ** 2))
    return line - face.lip_upper * bow**0.85 * cupid, line, line + face.lip_lower * bow**0.75


def tip_y(face: Identity) -> float:
    """Height of the nose's base."""
    return face.eye_y + face.nose_length


def _lip_points(face: Identity) -> Floats:
    outer = np.array([-1, -0.62, -0.26, 0, 0.26, 0.62, 1, 0.62, 0.26, 0, -0.26, -0.62])
    inner = np.array([-0.85, -0.3, 0, 0.3, 0.85, 0.3, 0, -0.3])
    top, _, bottom = lips(face, outer)
    _, line, _ = lips(face, inner)
    y = np.concatenate([top[:7], bottom[7:], line])
    return np.stack([64 + face.mouth_width * np.concatenate([outer, inner]), y], 1)


def _mirror(points: Floats) -> Floats:
    return points * [-1, 1] + [2 * 64.0, 0]


@lru_cache(maxsize=1024)
def identity_of(seed: int, subject: int) -> Identity:
    """Who subject number ``subject`` of the set drawn from ``seed`` is."""
    return draw_identity(np.random.default_rng(np.random.SeedSequence([seed, subject, 1])))
