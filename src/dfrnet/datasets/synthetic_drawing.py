"""Draws the neutral faces of the synthetic subjects: skin, light, hair, eyes, brows, nose and mouth in layers.

The picture is finer and wider than the frame (``SCALE`` samples a pixel, ``MARGIN`` pixels more on every side), so that
a moved frame is sampled from detail that exists. Light comes from a relief of the face and one lamp.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter

from dfrnet.datasets.synthetic_face import (
    HAIR_TONES,
    IRIS_TONES,
    SIZE,
    SKIN_TONES,
    Floats,
    Identity,
    identity_of,
    landmarks,
    lids,
    lips,
    tip_y,
)

SCALE = 2
MARGIN = 10


@lru_cache(maxsize=32)
def picture_of(seed: int, subject: int) -> npt.NDArray[np.float32]:
    """The subject's neutral face, float32 (S, S, 3) in 0..1; the last 32 are kept (1 MB each), drawing takes 0.1 s."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, subject, 2]))
    picture = _Canvas(identity_of(seed, subject), rng).draw().astype(np.float32)
    picture.flags.writeable = False
    return picture


def sample(picture: npt.NDArray[np.float32], points: Floats) -> Floats:
    """The picture's colours at ``points`` (N, 2) of the frame, float64 (N, 3); bilinear, the edge goes on for ever."""
    at = np.clip((points + 0.5 + MARGIN) * SCALE - 0.5, 0, len(picture) - 1.001)
    low = at.astype(np.intp)
    mix = at - low
    index = low[:, 1] * len(picture) + low[:, 0]
    flat = picture.reshape(-1, 3)
    x, y = mix[:, :1], mix[:, 1:]
    top = flat[index] * (1 - x) + flat[index + 1] * x
    bottom = flat[index + len(picture)] * (1 - x) + flat[index + len(picture) + 1] * x
    return np.asarray(top * (1 - y) + bottom * y, dtype=np.float64)


def _step(v: Floats, width: float = 0.9) -> Floats:
    """0 to 1 over ``width`` pixels around v = 0: an edge without stairs."""
    return np.clip(0.5 + v / width, 0, 1)


def _noise(rng: np.random.Generator, shape: tuple[int, int], *sigma: float) -> Floats:
    """Smooth noise of mean 0 and deviation 1; sigma in samples, one for both axes or (y, x).

    Coarse noise is made of few samples and stretched: the long filters would take most of the drawing's time.
    """
    wide = np.array(sigma if len(sigma) == 2 else sigma * 2)
    step = np.maximum(1, wide // 2.5).astype(int)
    small = np.array(shape) // step + 4
    field = gaussian_filter(rng.standard_normal(tuple(small)), wide / step)
    for axis in (0, 1):
        at = np.arange(shape[axis]) / step[axis] + 1
        low = at.astype(int)
        mix = (at - low) if axis else (at - low)[:, None]
        field = (1 - mix) * field.take(low, axis) + mix * field.take(low + 1, axis)
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float64)


class _Canvas:
    """The coordinates, outline and random stream that the layers of one picture share; used up by ``draw``."""

    def __init__(self, face: Identity, rng: np.random.Generator) -> None:
        self.face, self.rng = face, rng
        axis = (np.arange((SIZE + 2 * MARGIN) * SCALE) + 0.5) / SCALE - 0.5 - MARGIN
        self.x, self.y = np.meshgrid(axis, axis)
        self.across = np.abs(self.x - 64)
        self.shape = (len(axis), len(axis))
        self.points = landmarks(face)
        self.rho = self._outline()
        self.hair_tone = np.array(HAIR_TONES[face.hair]) / 255

    def draw(self) -> Floats:
        """Backdrop, neck, hair, head with light and features, fringe; then the camera's own blur. 0..1."""
        picture = self._backdrop()
        skin, light = self._skin(), self._light()
        skin = self._beard(self._mouth(self._wrinkles(skin)))
        head = _step((1 - self.rho) * 45)[..., None]
        picture = picture * (1 - head) + head * self._brows(self._eyes(skin * light[..., None], light))
        picture = self._fringe(picture)
        return np.clip(gaussian_filter(picture, (1.1, 1.1, 0)), 0, 1)

    def spot(self, x: float, y: float, sx: float, sy: float, both: bool = True) -> Floats:
        """A Gaussian of height 1; ``x`` counts from the midline and falls on both sides of the face unless told."""
        dx = self.across[0] - abs(x) if both else self.x[0] - 64 - x
        return np.outer(np.exp(-0.5 * ((self.y[:, 0] - y) / sy) ** 2), np.exp(-0.5 * (dx / sx) ** 2))

    def blend(self, picture: Floats, mask: Floats, tone: Floats | tuple[float, ...]) -> Floats:
        """``tone``, one colour or a picture, over ``picture`` where ``mask`` (H, W) is 1."""
        tone, picture = np.broadcast_to(tone, picture.shape), picture.copy()
        seen = mask > 1e-3
        rows, columns = np.flatnonzero(seen.any(1)), np.flatnonzero(seen.any(0))
        if len(rows):
            part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
            picture[part] += mask[part][..., None] * (tone[part] - picture[part])
        return picture

    def band(self, top: float, bottom: float) -> slice:
        """The rows between two heights: features are drawn on their own rows only, it saves half of the time."""
        return slice(int((top + MARGIN) * SCALE), int((bottom + MARGIN) * SCALE))

    def _outline(self) -> Floats:
        """Distance from the head's centre as a share of the head's own radius in that direction: 1 on the outline."""
        f = self.face
        up = np.pi * np.arange(1, 8) / 8
        ear = self.points[16, 1]
        top = np.stack([64 + f.half_width * np.cos(up), ear - (ear - f.crown) * np.sin(up) ** 0.9], 1)
        ring = np.concatenate([self.points[:17], top]) - [64, ear]
        angle = np.arctan2(ring[:, 1], ring[:, 0])
        order = np.argsort(angle)
        angle, radius = angle[order], np.hypot(ring[order, 0], ring[order, 1])
        spline = CubicSpline(np.append(angle, angle[0] + 2 * np.pi), np.append(radius, radius[0]), bc_type="periodic")
        dx, dy = self.x - 64, self.y - ear
        return np.asarray(np.hypot(dx, dy) / spline(np.arctan2(dy, dx)), dtype=np.float64)

    def _backdrop(self) -> Floats:
        f = self.face
        grey, warm, cool = f.backdrop
        base = np.array([grey + warm, grey, grey + cool])
        shade = 1 + 0.1 * f.light[0] * (self.x - 64) / 64 - 0.1 * (self.y - 64) / 64
        picture = base * shade[..., None] + 0.008 * _noise(self.rng, self.shape, 5)[..., None]
        tone = self._tone() * 0.62
        picture = self.blend(picture, _step(f.half_width * 0.66 + 0.02 * (self.y - 100) ** 2 - self.across, 3) *
                             _step(self.y - 84), tone)  # fmt: skip
        lobe = self.spot(f.half_width + 0.5, f.eye_y + 10, 4.2, 10)
        picture = self.blend(picture, _step(lobe - 0.45, 0.25), self._tone() * 0.72)
        cap = _step((1.0 + 0.10 + 0.12 * f.hair_long - self.rho) * 40) * _step(f.eye_y + 2 - self.y, 14)
        fall = _step(f.half_width * (1.08 + 0.16 * f.hair_long) - self.across, 3) * _step(self.y - f.eye_y + 12, 8)
        fall *= _step(self.across - 0.62 * f.half_width, 4) * _step(f.eye_y + 100 * f.hair_long - self.y, 16)
        cap = np.maximum(cap, fall * (f.hair_long > 0))
        locks = 0.62 + 0.12 * _noise(self.rng, self.shape, 14, 1.2) + 0.1 * np.sin(self.across / 3.1)
        return self.blend(picture, cap, self.hair_tone * locks[..., None])

    def _tone(self) -> Floats:
        """The skin's own colour, between two neighbours of SKIN_TONES."""
        low = int(self.face.skin)
        mix = self.face.skin - low
        tones = np.array(SKIN_TONES) / 255
        return np.asarray((1 - mix) * tones[low] + mix * tones[low + 1], dtype=np.float64)

    def _skin(self) -> Floats:
        """Colour of the skin before light: tone, blotches, pores, blood in cheeks and nose, freckles, a few moles."""
        f, rng = self.face, self.rng
        value = 1 + 0.018 * _noise(rng, self.shape, 12) + 0.020 * _noise(rng, self.shape, 3.5)
        value += 0.026 * _noise(rng, self.shape, 1.1)
        red = (0.3 + f.ruddy) * (self.spot(25, f.eye_y + 20, 11, 8) + self.spot(0, tip_y(f) - 2, 7, 5))
        red += 0.4 * f.ruddy * _noise(rng, self.shape, 7)
        skin = self._tone() * value[..., None]
        skin = skin * (1 + red[..., None] * np.array([0.015, -0.055, -0.05]))
        dots = np.clip(_noise(rng, self.shape, 1.2) - 1.5, 0, 1.2) * (0.25 + self.spot(20, f.eye_y + 15, 16, 12))
        skin = skin * (1 - f.freckles * dots[..., None] * np.array([0.22, 0.32, 0.36]))
        for _ in range(rng.integers(0, 5)):
            mole = self.spot(
                rng.uniform(-35, 35), rng.uniform(30, 108), rng.uniform(0.6, 1.1), rng.uniform(0.6, 1.1), both=False
            )
            skin = skin * (1 - 0.5 * mole[..., None])
        return np.asarray(skin, dtype=np.float64)

    def _relief(self) -> Floats:
        """Height of the face towards the viewer in pixels, only as true as the shading needs."""
        f, spot = self.face, self.spot
        tip, mouth = tip_y(f), tip_y(f) + f.mouth_drop
        z = 40 * np.sqrt(np.clip(1.12 - self.rho**2, 0.02, None))
        ridge = np.clip((self.y - f.eye_y) / f.nose_length, 0, 1.15)
        flank = 3.2 + 2.6 * ridge
        bridge = _step(tip + 2.5 - self.y, 5) * _step(self.y - f.eye_y + 6, 14)
        z += f.nose_hump * (2.2 + 6.5 * ridge) * np.exp(-0.5 * (self.across / flank) ** 2) * bridge
        z += 3.0 * spot(0, tip - 2.5, 3.8, 3.4) + 2.3 * spot(f.nose_width * 0.72, tip - 1.5, 2.6, 3.0)
        z += 2.2 * spot(15, f.eye_y - f.brow_lift + 1, 11, 3.5) - 5.0 * spot(f.eye_apart - 2, f.eye_y + 1, 8, 5.5)
        z += 2.4 * spot(f.eye_apart, f.eye_y - 0.5, 6, 4)
        z += f.cheeks * 3.4 * spot(25, f.eye_y + 17, 9, 8) - f.cheeks * 2.4 * spot(29, mouth - 1, 8, 12)
        z += 1.7 * spot(0, mouth - 2, 10, 4) - 0.8 * spot(0, mouth - 7, 1.8, 3.5)
        z += 1.6 * spot(0, mouth + 3.2, 9, 2.6) - 2.2 * spot(0, mouth + 8.0, 10, 2.4) + 3.2 * spot(0, f.chin - 8, 8, 6)
        return np.asarray(gaussian_filter(z, 1.6), dtype=np.float64)

    def _light(self) -> Floats:
        """Brightness of every sample: one lamp, light from all around, and the corners that no light reaches."""
        f, spot = self.face, self.spot
        dy, dx = np.gradient(self._relief(), 1 / SCALE)
        lamp = np.array([f.light[0], f.light[1], 1.0])
        lamp /= np.sqrt((lamp**2).sum())
        length = np.sqrt(dx**2 + dy**2 + 1)
        facing = (-dx * lamp[0] - dy * lamp[1] + lamp[2]) / length
        light = (1 - 0.62 * f.contrast) + 0.70 * f.contrast * np.clip(facing, 0, 1)
        half = lamp + np.array([0.0, 0.0, 1.0])
        half /= np.sqrt((half**2).sum())
        gloss = np.clip((-dx * half[0] - dy * half[1] + half[2]) / length, 0, 1) ** 24
        light = light + 0.10 * f.contrast * gloss
        tip, mouth = tip_y(f), tip_y(f) + f.mouth_drop
        dark = 0.16 * spot(f.eye_apart - 6, f.eye_y - 2, 5, 4) + 0.20 * spot(0, tip + 3.5, f.nose_width * 0.7, 1.8)
        dark += 0.10 * spot(0, mouth + f.lip_lower + 2.2, 8, 1.6) + 0.14 * spot(f.nose_width + 0.6, tip - 1, 1.2, 3)
        return np.asarray(light * (1 - dark), dtype=np.float64)

    def _wrinkles(self, skin: Floats) -> Floats:
        """Folds from nose to mouth, bags below the eyes, lines on the forehead; nostrils."""
        f = self.face
        tip, mouth = tip_y(f), tip_y(f) + f.mouth_drop
        down = np.clip((self.y - tip + 2) / (mouth - tip + 4), 0, 1)
        fold = self.across - (f.nose_width + 2 + (f.mouth_width + 4 - f.nose_width) * down**0.8)
        dark = (
            (0.07 + 0.22 * f.age) * np.exp(-0.5 * (fold / 1.1) ** 2) * _step(down - 0.05, 0.3) * _step(0.93 - down, 0.3)
        )
        s = (self.across - f.eye_apart) / f.eye_width
        bag = self.y - (f.eye_y + 5.5 + 2.2 * np.clip(1 - s**2, 0, 1))
        dark += (0.04 + 0.14 * f.age) * np.exp(-0.5 * (bag / 1.2) ** 2) * _step(1.0 - np.abs(s), 0.6)
        for k in range(3):
            wave = self.y - (
                f.eye_y - f.brow_lift - 8 - 5.5 * k + 0.004 * self.across**2 + 0.6 * np.sin(self.x / 7 + 2 * k)
            )
            dark += 0.16 * f.age * np.exp(-0.5 * (wave / 0.8) ** 2) * _step(26 - self.across, 14)
        skin = skin * (1 - dark[..., None] * np.array([0.8, 1.0, 1.05]))
        hole = self.spot(f.nose_width * 0.42, tip + 0.9, 1.9, 0.95)
        return self.blend(skin, np.clip(1.3 * hole - 0.3, 0, 0.85), self._tone() * np.array([0.28, 0.19, 0.17]))

    def _mouth(self, skin: Floats) -> Floats:
        """Lips with ribs and a wet gleam, the line between them, the dimples at their ends."""
        f, whole = self.face, skin.copy()
        part = self.band(tip_y(f) + f.mouth_drop - 9, tip_y(f) + f.mouth_drop + 11)
        skin, y = skin[part], self.y[part]
        s = (self.x[part] - 64) / f.mouth_width
        top, line, bottom = lips(f, s)
        inside = _step(y - top, 1.2) * _step(bottom - y, 1.4) * _step(1 - np.abs(s), 0.05)
        colour = self._tone() * (np.array([0.92, 0.70, 0.70]) - f.lips_red * np.array([0.04, 0.22, 0.17]))
        upper = y < line
        depth = np.where(upper, (line - y) / f.lip_upper, (y - line) / f.lip_lower)
        ribs = 0.05 * _noise(self.rng, y.shape, 2.4, 0.8)
        shade = np.where(upper, 0.84, 1.0) + ribs + 0.16 * np.exp(-(((depth - 0.5) / 0.25) ** 2)) * ~upper
        skin = skin * (1 - inside[..., None]) + inside[..., None] * colour * shade[..., None]
        slit = np.exp(-0.5 * ((y - line) / 0.6) ** 2) * _step(1.02 - np.abs(s), 0.08)
        skin = self.blend(skin, 0.8 * slit, colour * 0.28)
        corner = self.spot(f.mouth_width + 0.8, float(lips(f, np.array([1.0]))[1][0]), 1.5, 1.3)
        whole[part] = skin * (1 - 0.35 * corner[part][..., None])
        return whole

    def _eyes(self, picture: Floats, light: Floats) -> Floats:
        """White, iris, pupil, glint, the lid's shadow, lashes and the lid's crease, each eye in its own axes."""
        f, picture = self.face, picture.copy()
        part = self.band(f.eye_y - 12, f.eye_y + 12)
        x, across, light = self.x[part], self.across[part], light[part]
        cos, sin = np.cos(f.eye_tilt), np.sin(f.eye_tilt)
        du, dv = f.eye_apart - across, self.y[part] - f.eye_y  # du grows towards the nose on both sides
        u, v = cos * du + sin * dv, cos * dv - sin * du
        s = u / f.eye_width
        upper, lower = lids(f, s)
        within = _step(1 - np.abs(s), 0.1)
        hole = _step(v - upper) * _step(lower - v) * within
        r = np.hypot(du, v + 0.7)
        radius = 0.47 * f.eye_width
        turn = np.arctan2(v + 0.7, du)
        grain = 1 + 0.16 * np.sin(17 * turn + 3 * np.sin(5 * turn)) + 0.25 * np.clip(1 - r / radius, 0, 1)
        white = np.array([0.90, 0.87, 0.85]) - 0.16 * np.clip(np.abs(s) - 0.2, 0, 1)[..., None] * np.array([0.7, 1, 1])
        eye = self.blend(white, _step(radius - r), np.array(IRIS_TONES[f.iris]) / 255 * grain[..., None])
        eye = self.blend(eye, 0.55 * np.exp(-0.5 * ((r - radius) / 0.5) ** 2), (0.08, 0.06, 0.06))
        eye = self.blend(eye, _step(0.42 * radius - r), (0.03, 0.03, 0.03))
        eye *= (1 - 0.42 * np.exp(-np.clip(v - upper, 0, None) / 1.3))[..., None] * (0.62 + 0.4 * light)[..., None]
        side = np.where(x < 64, -1.0, 1.0)
        glint = np.exp(-0.5 * (((side * -du - 1.1 * np.sign(f.light[0])) ** 2 + (v + 2.0) ** 2) / 0.5**2))
        eye = self.blend(eye, 0.9 * glint, (1.0, 1.0, 1.0))
        lash = np.exp(-0.5 * ((v - upper + 0.2) / (0.62 + 0.22 * np.clip(-s, 0, 1))) ** 2) * within
        rim = np.exp(-0.5 * ((v - lower - 0.4) / 0.55) ** 2) * within
        crease = np.exp(-0.5 * ((v - 1.15 * upper + 2.3) / 0.7) ** 2) * _step(1.12 - np.abs(s), 0.3)
        around = picture[part] * (1 - (0.34 * crease + 0.22 * rim)[..., None] * np.array([0.8, 1, 1]))
        picture[part] = self.blend(self.blend(around, hole, eye), 0.88 * lash, (0.07, 0.05, 0.05))
        return picture

    def _brows(self, picture: Floats) -> Floats:
        """Hairs on an arch that is thick at the nose and thin at the temple."""
        f, picture = self.face, picture.copy()
        part = self.band(f.eye_y - f.brow_lift - 14, f.eye_y)
        brow = self.points[17:22]
        x = 64 - self.across[part]
        arch = CubicSpline(brow[:, 0], brow[:, 1])(np.clip(x, brow[0, 0], brow[-1, 0]))
        s = np.clip((x - brow[0, 0]) / (brow[-1, 0] - brow[0, 0]), -0.2, 1.2)
        thick = f.brow_thick * np.clip(0.45 + 0.75 * s, 0.3, 1.1)
        hairs = _noise(self.rng, x.shape, 1.6, 0.7)
        mask = np.exp(-(((self.y[part] - arch) / (1.25 * thick)) ** 4)) * _step(s + 0.04, 0.14) * _step(1.03 - s, 0.16)
        mask = np.clip(mask * (0.74 + 0.2 * hairs), 0, 0.95)
        tone = np.minimum(self.hair_tone, self._tone() * 0.55) * 0.85
        picture[part] = self.blend(picture[part], mask, tone)
        return picture

    def _beard(self, skin: Floats) -> Floats:
        f = self.face
        tip, mouth = tip_y(f), tip_y(f) + f.mouth_drop
        top, _, bottom = lips(f, (self.x - 64) / f.mouth_width)
        below = self.y - (mouth + 10 - 24 * np.clip((self.across - 14) / 32, 0, 1) ** 1.5)
        bare = (
            _step(self.y - top + 1.5, 2) * _step(bottom + 1.5 - self.y, 2) * _step(f.mouth_width + 1 - self.across, 2)
        )
        chin = f.beard * _step(below, 9) * (1 - bare)
        lip = (
            f.moustache
            * _step(self.y - tip - 4, 3)
            * _step(top - self.y, 1.5)
            * _step(f.mouth_width + 3 - self.across, 7)
        )
        hairs = np.clip(0.85 + 0.3 * _noise(self.rng, self.shape, 1.5, 0.8), 0.2, 1.2)
        return self.blend(skin, np.clip((chin + lip) * hairs, 0, 0.93), np.minimum(self.hair_tone, self._tone() * 0.5))

    def _fringe(self, picture: Floats) -> Floats:
        """Hair on the head: a hairline with a peak or a parting, strands that run from the crown."""
        f = self.face
        line = f.hairline + f.hair_peak * np.exp(-((self.across / 16) ** 2)) - 0.004 * self.across**2
        line = np.where(self.across > 0.72 * f.half_width, line + 2.4 * (self.across - 0.72 * f.half_width), line)
        line = line + 1.5 * _noise(self.rng, self.shape, 30, 1.5)
        turn = np.arctan2(self.x - 64, self.y - f.crown + 25)
        strands = np.interp(turn * 60, np.arange(-200, 201), self.rng.standard_normal(401))
        fine = 0.75 * strands + 0.5 * _noise(self.rng, self.shape, 4, 0.8)
        gloss = 0.35 * np.exp(-(((self.rho - 0.78) / 0.12) ** 2))
        tone = self.hair_tone * np.clip(0.85 + 0.16 * fine + gloss, 0.3, 1.6)[..., None]
        low = f.eye_y + 8 + 120 * f.hair_long
        mask = _step(line - self.y, 3.5) * _step((1.10 + 0.12 * f.hair_long - self.rho) * 40) * _step(low - self.y, 14)
        shadow = 0.22 * np.exp(-0.5 * ((self.y - line - 2) / 3) ** 2) * (self.y > line) * _step((1 - self.rho) * 45)
        picture = picture * (1 - shadow[..., None])
        return self.blend(picture, mask, tone)
